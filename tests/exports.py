"""An export with everything in it, and the conversation that it is of."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from talks import NAME, Talk, calling, result
from workbench import Wire, Workbench, assistant, system, user

from memory.errors import HistoryError
from memory.flow import LogKey
from memory.flow.exporting import exported, restore
from memory.flow.past import Past
from memory.identity import digest
from memory.records import Compaction, Identifier, Segment, Shortened, Standing, Turn
from memory.redaction import Redact
from memory.view import Thread

HEAD = system("Be kind.")
SAID: list[Wire] = [
    user("Where is it?"),
    calling("look:0"),
    result("look:0", "In Bern."),
    assistant("In Bern."),
    user("And now?"),
    assistant("In Basel."),
]
LINKS = Thread.of(SAID, start=0).links
NOTE = user("<notes>It was in Bern.</notes>")
SEGMENT = Segment(
    text="It was in Bern.",
    first=1,
    last=4,
    tokens=5,
    author="kimi-k2.6",
    level=1,
    depth=2,
    prompt="kimi-memory/notes-2",
    gaps=((2, 2),),
    own=True,
    refused=True,
    dates=("8 May", "9 May"),
)
RECORD = Compaction(
    covered=4,
    coverage=LINKS[4],
    adopted=5,
    adoption=LINKS[5],
    kept=(1,),
    segments=(SEGMENT,),
    standing=(Standing("Answer briefly.", "user"), Standing("Be exact.", "pinned")),
    identifiers=(Identifier("order", "W-17"),),
    shortened=(Shortened(index=2, head=3, tail=4),),
    synthetic=NOTE,
    mark=digest(NOTE),
    cost=41.5,
    tokens_before=900,
    tokens_after=300,
)
SHOWN: Wire = {
    "covered": 4,
    "adopted": 5,
    "kept": [1],
    "standing": [["Answer briefly.", "user"], ["Be exact.", "pinned"]],
    "identifiers": [["order", "W-17"]],
    "tokens_before": 900,
    "tokens_after": 300,
    "cost": 41.5,
    "synthetic": NOTE,
    "segments": [
        {
            "text": "It was in Bern.",
            "first": 1,
            "last": 4,
            "tokens": 5,
            "author": "kimi-k2.6",
            "level": 1,
            "depth": 2,
            "prompt": "kimi-memory/notes-2",
            "gaps": [[2, 2]],
            "own": True,
            "refused": True,
            "dates": ["8 May", "9 May"],
        }
    ],
    "shortened": [{"index": 2, "head": 3, "tail": 4}],
}


def held(talk: Talk, *, complete: bool = True, record: Compaction | None = RECORD) -> Talk:
    """Put the conversation of this file on record, with a compaction."""
    turn = Turn(start=0, messages=tuple(SAID), head=(HEAD,), complete=complete, replied=True)
    records = (turn,) if record is None else (turn, record)
    talk.bench.store.append(talk.key, records, expected=0)
    return talk


def taken_in(given: object, redact: Redact | None = None) -> Talk:
    """Return a new conversation that was begun with an export."""
    talk = Talk(bench=Workbench(10_000))
    talk.run(restore(talk.key, given, redact))
    return talk


def shown(**changes: Any) -> Wire:
    """Return the export of this file's conversation with a compaction that is changed."""
    export = exported(LogKey(namespace="tests", name=NAME), held(Talk()).past)
    return {**export, "compactions": [{**copy.deepcopy(SHOWN), **changes}]}


def refused(given: object) -> str:
    """Return why an export is refused, and see that nothing was written."""
    talk = Talk(bench=Workbench(10_000))
    with pytest.raises(HistoryError) as caught:
        talk.run(restore(talk.key, given))
    assert Past() == talk.past
    assert 0 == caught.value.index
    return str(caught.value)
