"""How long it takes to load a long conversation, beside `json.loads` of the same data."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

from benchmarks._report import Row
from benchmarks._stores_places import Place, made
from benchmarks._stores_rows import OWNER, Group, key_of, turns
from memory.records import Turn
from memory.stores import Store
from memory.stores.codec import encode

__all__ = ("loads",)

KEY: Final = key_of(0)
AT_ONCE: Final = 500
"""Records in one append, where the conversation is written."""


def loads(kind: str, groups: Sequence[Group], messages: int, repeats: int) -> Row:
    """Return what the loads of one kind of store take, as the median of some."""
    records = _conversation(groups, messages)
    text = f"[{','.join(encode(record)[1] for record in records)}]"
    with made(kind) as place:
        with place.store() as store:
            for begin in range(0, len(records), AT_ONCE):
                store.append(KEY, records[begin : begin + AT_ONCE], expected=begin)
        taken = [_measured(place, text, records[-1]) for _ in range(repeats)]
    middle = {name: median(each[name] for each in taken) * 1e3 for name in taken[0]}
    return {
        "store": kind,
        "messages": sum(len(record.messages) for record in records),
        "records": len(records),
        "bytes": len(text.encode()),
        **{f"{name} ms": value for name, value in middle.items()},
        "ratio": middle["first"] / middle["json.loads"],
    }


def _conversation(groups: Sequence[Group], messages: int) -> list[Turn]:
    """Return the first turns of a conversation that have so many messages."""
    made = turns(groups, messages)
    return [record for record in made if record.start < messages]


def _measured(place: Place, text: str, last: Turn) -> dict[str, float]:
    """Return the seconds of loads by a store that has read nothing yet, and of `json.loads`."""
    parsed = _seconds(lambda: json.loads(text))
    with place.store() as store:
        store.known(OWNER, user=OWNER)  # opens it
        first = _seconds(lambda: store.load(KEY))
        second = _seconds(lambda: store.load(KEY))
        _append(store, last)
        third = _seconds(lambda: store.load(KEY))
    return {"json.loads": parsed, "first": first, "again": second, "after an append": third}


def _append(store: Store, last: Turn) -> None:
    version = store.load(KEY).version
    store.append(KEY, (last,), expected=version)


def _seconds(call: Callable[[], Any]) -> float:
    before = time.perf_counter()
    kept = call()
    taken = time.perf_counter() - before
    del kept
    return taken
