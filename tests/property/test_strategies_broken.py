"""Broken conversations are refused for the reason they name, and break nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from depth import HARD, examples
from fake_kimi_requests import send
from hypothesis import find, given
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from kimi_clients import MODEL

from memory import MemoryManager
from memory.errors import HistoryError, KimiMemoryError
from memory.testing import FakeKimi, strategies
from memory.testing.strategies import WIRE_FAULTS, Broken, WireFault

QUICK = 10


def refusal(messages: list[Any]) -> str | None:
    """Return what a thinking Kimi refuses messages with, or None when it takes them."""
    fake = FakeKimi(count_text=words)
    status, body = send(fake, {"model": MODEL, "messages": messages})
    return None if status == 200 else str(body["error"]["message"])


def manager(budget: int, oversize: Any) -> MemoryManager:
    """Return a manager that counts words and is told of by nobody."""
    return MemoryManager(
        budget=budget, oversize=oversize, tokenizer=words, hooks=(), identifiers=0.0
    )


def words(text: str) -> int:
    """Count words."""
    return len(text.split())


@pytest.mark.parametrize("fault", WIRE_FAULTS)
@examples(QUICK)
@given(data=st.data())
def test_each_fault_is_refused_as_it_says(fault: WireFault, data: st.DataObject) -> None:
    """Kimi refuses the conversation, and in the words that belong to the fault."""
    broken = data.draw(strategies.broken_conversations(faults=[fault]))

    assert fault == broken.fault
    assert broken.refusal in (refusal(broken.messages) or "accepted")


@examples(60)
@given(
    strategies.broken_conversations(largest=30),
    st.sampled_from([150, 300, 600]),
    st.sampled_from(["raise", "send", "shorten-tool-results"]),
)
def test_fit_survives_and_makes_nothing_worse(broken: Broken, budget: int, oversize: str) -> None:
    """What comes of a broken conversation is an error of ours, or no more wrong than it was."""
    before = copy.deepcopy(broken.messages)
    try:
        sent = manager(budget, oversize).fit(broken.messages)
    except KimiMemoryError:
        sent = []

    assert before == broken.messages
    told = refusal([*sent]) if sent else None
    assert told is None or broken.refusal in told or _is_pairing(broken.refusal, told)


def _is_pairing(*refusals: str) -> bool:
    """Tell whether all of them are about calls and results, of which the first break is named."""
    return all("tool_call" in each for each in refusals)


@examples(10)
@given(strategies.broken_conversations(faults=["not-a-message"]))
def test_what_is_no_message_is_named(broken: Broken) -> None:
    """The error of `fit` says which message is none."""
    with pytest.raises(HistoryError) as caught:
        manager(300, "raise").fit(broken.messages)

    assert "hello" == broken.messages[caught.value.index]


def test_a_broken_conversation_shrinks_to_its_turn() -> None:
    """Nothing is left around the fault but a question after it."""
    smallest = find(
        strategies.broken_conversations(faults=["split-batch"]), lambda _: True, settings=HARD
    )

    assert ["user", "assistant", "tool", "assistant", "user"] == [
        message["role"] for message in smallest.messages
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"faults": []}, "faults"),
        ({"faults": ["bad-luck"]}, "bad-luck"),
        ({"faults": "split-batch"}, "tuple"),
        ({"most": -1}, "most=-1"),
        ({"largest": 0.5}, "largest=0.5"),
        ({"without": ["noise"]}, "noise"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments: dict[str, Any], said: str) -> None:
    """The call says what is wrong, not the first example."""
    with pytest.raises(InvalidArgument, match=said):
        strategies.broken_conversations(**arguments)
