"""What the tests of sealed stores share: keys, records of every kind, and logs to put them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from hypothesis import strategies as st

from memory.records import (
    Compaction,
    Identifier,
    Logged,
    LogKey,
    Pinned,
    Record,
    Segment,
    Shortened,
    Standing,
    Turn,
    Undone,
    Usage,
)
from memory.stores import Store, VolatileStore
from memory.stores.codec import decode, encode
from memory.stores.sealed import SealedStore
from memory.testing.strategies import conversations, values

SPACE = "tests"
ANN, BOB = "ann", "bob/\0 \u202e"
TRIP = LogKey(namespace=SPACE, user=ANN, name="trip")
BEGINNING = LogKey(namespace=SPACE, user=ANN, root="0123456789abcdef" * 2)
OLD, NEW, OTHER = (SealedStore.new_key() for _ in range(3))

_numbers: Iterator[int] = count(1)


class Glass(VolatileStore):
    """A store that shows what is in it, and lets something happen just before it is written.

    Attributes:
        meanwhile: What happens before the next append, once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = int
        self._written: dict[LogKey, None] = {}

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append after what happens meanwhile."""
        meanwhile, self.meanwhile = self.meanwhile, int
        meanwhile()
        self._written[key] = None
        return super().append(key, records, expected=expected)

    def logs(self) -> dict[LogKey, tuple[Record, ...]]:
        """Return what is in it, without the logs of keys."""
        found = {key: self.load(key).records for key in self._written if key.root != "seal"}
        return {key: records for key, records in found.items() if records}

    def put(self, key: LogKey, *records: Record) -> None:
        """Let a log be these records, as whoever can write to a database may."""
        self.forget(key)
        super().append(key, records, expected=0)


def keys_of(user: str = ANN) -> LogKey:
    """Return the log with the salt of a user."""
    return LogKey(namespace=SPACE, user=user, root="seal")


def sealing(store: Store, *keys: str) -> SealedStore:
    """Return a store around another one, by default with the old key."""
    return SealedStore(store, keys=keys or (OLD,))


def turn(text: str = "hi", *, start: int = 0) -> Turn:
    """Return a turn of a question and an answer."""
    said = ({"role": "user", "content": text}, {"role": "assistant", "content": "yes"})
    return Turn(start=start, messages=said, replied=True)


def a_hash() -> bytes:
    """Return a hash that nothing else has."""
    return next(_numbers).to_bytes(16, "big")


def compaction(**others: Any) -> Compaction:
    """Return a compaction with hashes of its own."""
    given = {"coverage": a_hash(), "adoption": a_hash(), "mark": a_hash()} | others
    return Compaction(**{"covered": 5, "adopted": 10, **given})


def stored(record: Record) -> Record:
    """Return a record as every store that writes it down gives it back."""
    kind, body = encode(record)
    return decode(kind, body, where="here")


def hashes() -> st.SearchStrategy[bytes]:
    """Return hashes from a small set, so that equal ones meet."""
    return st.integers(0, 7).map(lambda number: number.to_bytes(16, "big"))


def messages() -> st.SearchStrategy[Any]:
    """Return messages as they are sent, and objects that JSON knows."""
    sent = conversations(largest=3, most=1).filter(bool).map(lambda said: said[-1])
    return st.one_of(sent, st.dictionaries(st.text(max_size=5), values(), max_size=3))


def _some(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(items, max_size=3).map(tuple)


def records() -> st.SearchStrategy[Record]:
    """Return records of every kind with anything in them."""
    numbers = st.integers(0, 10**6)
    usages = st.builds(Usage, prompt_tokens=numbers, completion_tokens=numbers)
    segments = st.builds(
        Segment, text=st.text(), first=numbers, last=numbers, tokens=numbers, author=st.text()
    )
    return st.one_of(
        st.builds(
            Turn,
            start=st.integers(0, 6),
            messages=_some(messages()),
            head=st.none() | _some(messages()),
            complete=st.booleans(),
            replied=st.booleans(),
            usage=st.none() | usages,
        ),
        st.builds(Logged, index=numbers, link=hashes(), message=messages()),
        st.builds(Undone, mark=st.none() | hashes()),
        st.builds(Pinned, text=st.text(), digest=st.none() | hashes(), held=st.booleans()),
        st.builds(
            Compaction,
            covered=numbers,
            coverage=hashes(),
            adopted=numbers,
            adoption=hashes(),
            kept=_some(numbers),
            segments=_some(segments),
            standing=_some(st.builds(Standing, st.text(), st.sampled_from(["pinned", "user"]))),
            identifiers=_some(st.builds(Identifier, st.text(), st.text())),
            shortened=_some(st.builds(Shortened, index=numbers, head=numbers, tail=numbers)),
            synthetic=st.none() | messages(),
            mark=st.none() | hashes(),
            cost=st.none() | st.floats(0, 1e9),
            tokens_before=numbers,
            tokens_after=numbers,
        ),
    )


def places() -> st.SearchStrategy[LogKey]:
    """Return logs of two users, with a name and without."""
    return st.builds(
        LogKey,
        namespace=st.just(SPACE),
        user=st.sampled_from(["", ANN, BOB]),
        name=st.sampled_from(["", "trip", "work"]),
    ).flatmap(
        lambda key: (
            st.just(key)
            if key.name
            else st.sampled_from(["", "seal", BEGINNING.root, "ff" * 16]).map(
                lambda root: LogKey(namespace=key.namespace, user=key.user, root=root)
            )
        )
    )


def filled(store: Store, writing: Sequence[tuple[LogKey, Sequence[Record]]]) -> None:
    """Append to logs, one append after the other."""
    for key, written in writing:
        store.append(key, written, expected=store.load(key).version)
