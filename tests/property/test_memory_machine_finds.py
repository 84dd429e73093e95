"""The machine finds what is wrong with a store, and says what it did as a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from depth import examples
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from memory import MemoryManager
from memory.records import Forgotten, LogKey, Record, Turn
from memory.stores import VolatileStore
from memory.testing import memory_machine
from memory.testing.machines import Mode


class LosesKeys(VolatileStore):
    """A store that keeps role and content of what is said, and nothing else."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records without the keys that it does not know."""
        return super().append(key, [_poorer(record) for record in records], expected=expected)


class ForgetsNothing(VolatileStore):
    """A store that says that it forgot."""

    def forget(self, key: LogKey) -> Forgotten:
        """Return how much was to be removed."""
        return Forgotten(logs=1, records=len(self.load(key).records))


class KeepsNoCompactions(VolatileStore):
    """A store that cannot find what it was given."""

    def find(self, namespace: str, hashes: frozenset[bytes], *, user: str = "") -> tuple[()]:
        """Return nothing."""
        del namespace, hashes, user
        return ()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        (LosesKeys, "conversation"),
        (ForgetsNothing, "conversation"),
        (KeepsNoCompactions, "transparent"),
    ],
)
def test_a_wrong_store_is_found(kind: type[VolatileStore], mode: Mode) -> None:
    """A store that loses something is found within a few runs."""
    store = kind()
    machine = memory_machine(
        lambda store, **options: MemoryManager(store=store, **options),
        mode=mode,
        store_factory=lambda: store,
        tokenizer=len,
    )
    quick = settings(examples(20, steps=25), phases=[Phase.generate], database=None)
    with pytest.raises((AssertionError, ExceptionGroup)) as found:
        run_state_machine_as_test(machine, settings=quick)
    assert any("state.begin(" in note for note in found.value.__notes__)


def _poorer(record: Record) -> Record:
    if not isinstance(record, Turn):
        return record
    said: list[dict[str, Any]] = [
        {key: value for key, value in message.items() if key in {"role", "content"}}
        for message in record.messages
    ]
    return replace(record, messages=tuple(said))
