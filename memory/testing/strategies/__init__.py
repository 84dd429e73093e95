"""Hypothesis strategies for everything that this library is given, and for what can go wrong.

Each is a function with keyword arguments that returns a strategy; arguments that make no sense are
refused at once, with `hypothesis.errors.InvalidArgument`. Nothing here has to be subclassed::

    from hypothesis import given
    from memory.testing import strategies

    @given(strategies.conversations(most=8, without=["media"]))
    def test_my_agent_keeps_the_last_question(conversation):
        for request in strategies.requests(conversation):
            ...

This package needs hypothesis: `pip install "kimi-memory[testing]"`.
"""

from __future__ import annotations

from memory.testing.strategies.broken import (
    WIRE_FAULTS,
    Broken,
    WireFault,
    broken_conversations,
)
from memory.testing.strategies.drawing import Wire
from memory.testing.strategies.edit import (
    CHANGES,
    RENDERINGS,
    Change,
    Edit,
    Rendering,
    branches,
    edits,
    renderings,
)
from memory.testing.strategies.features import features
from memory.testing.strategies.odd import oddities, scalars, values
from memory.testing.strategies.schedule import (
    KIMI_FAULTS,
    STORE_FAULTS,
    FaultSchedule,
    FaultyKimi,
    FaultyStore,
    StoreFault,
    fault_schedules,
)
from memory.testing.strategies.setting import budgets, policies, settings
from memory.testing.strategies.style import FEATURES, PHRASES, Feature
from memory.testing.strategies.summarizer import (
    BEHAVIOURS,
    GOOD,
    AsyncScriptedSummarizer,
    Behaviour,
    ScriptedSummarizer,
    async_summarizers,
    play,
    summarizers,
)
from memory.testing.strategies.talk import (
    ENDS,
    ROLES,
    End,
    Role,
    contents,
    conversations,
    endings,
    exchanges,
    extras,
    messages,
    requests,
    texts,
    turns,
)

__all__ = (
    "BEHAVIOURS",
    "CHANGES",
    "ENDS",
    "FEATURES",
    "GOOD",
    "KIMI_FAULTS",
    "PHRASES",
    "RENDERINGS",
    "ROLES",
    "STORE_FAULTS",
    "WIRE_FAULTS",
    "AsyncScriptedSummarizer",
    "Behaviour",
    "Broken",
    "Change",
    "Edit",
    "End",
    "FaultSchedule",
    "FaultyKimi",
    "FaultyStore",
    "Feature",
    "Rendering",
    "Role",
    "ScriptedSummarizer",
    "StoreFault",
    "Wire",
    "WireFault",
    "async_summarizers",
    "branches",
    "broken_conversations",
    "budgets",
    "contents",
    "conversations",
    "edits",
    "endings",
    "exchanges",
    "extras",
    "fault_schedules",
    "features",
    "messages",
    "oddities",
    "play",
    "policies",
    "renderings",
    "requests",
    "scalars",
    "settings",
    "summarizers",
    "texts",
    "turns",
    "values",
)
