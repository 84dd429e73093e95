"""Hypothesis strategies for what a store is given: messages, records, and things to do with it.

This module needs hypothesis: `pip install "kimi-memory[testing]"`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hypothesis import strategies as st

from memory.records import (
    Compaction,
    Identifier,
    Logged,
    Pinned,
    Record,
    Segment,
    Shortened,
    Standing,
    Turn,
    Undone,
    Usage,
)

__all__ = (
    "HASHES",
    "PLACES",
    "Step",
    "compactions",
    "messages",
    "records",
    "spoken",
    "steps",
    "texts",
    "values",
    "words",
)

HASHES = tuple(bytes([number]) * 16 for number in range(6))
"""Few, so that records share some."""
PLACES = (
    *(("", "trip", ""), ("", "", "aa")),
    *(("ann", "trip", ""), ("ann", "walk", ""), ("ann", "", "aa"), ("ann", "", "bb")),
)
"""Few users, names and beginnings, so that steps meet."""

Verb: TypeAlias = Literal["append", "stale", "forget", "forget_user", "find"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do with a store.

    Attributes:
        verb: What; `"stale"` is an append that expects a wrong version.
        place: For which user, name and root: an index into `PLACES`.
        other: Whether through the other handle.
        records: What is appended.
        hashes: What is looked for.
        off: By how much a wrong version is off.
    """

    verb: Verb
    place: int
    other: bool
    records: tuple[Record, ...]
    hashes: frozenset[bytes]
    off: int


def texts(*, largest: int = 20) -> st.SearchStrategy[str]:
    """Return texts of any characters, halves of surrogate pairs included.

    Halves that make a whole where they meet are one character: JSON cannot tell those apart.
    """
    anything = st.text(st.characters(exclude_categories=()), max_size=largest)
    return anything.map(
        lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    )


def values() -> st.SearchStrategy[Any]:
    """Return whatever JSON knows."""
    numbers = st.one_of(
        st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False)
    )
    return st.recursive(
        st.one_of(st.none(), st.booleans(), numbers, texts()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(texts(largest=5), inner, max_size=3)
        ),
        max_leaves=6,
    )


def messages() -> st.SearchStrategy[dict[str, Any]]:
    """Return messages: a role, a content, and keys that no API knows."""
    content = st.one_of(texts(), st.none(), st.lists(values(), max_size=2))
    known: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system", ""]), "content": content}
    )
    others = st.dictionaries(texts(largest=8), values(), max_size=2)
    return st.builds(lambda one, other: other | one, known, others)


def compactions() -> st.SearchStrategy[Compaction]:
    """Return compactions; many share hashes with others."""
    small, hashes = st.integers(0, 50), st.sampled_from(HASHES)
    segment = st.builds(
        Segment, text=texts(), first=small, last=small, tokens=small, author=texts(), level=small
    )
    return st.builds(
        Compaction,
        covered=small,
        coverage=hashes,
        adopted=small,
        adoption=hashes,
        kept=st.lists(small, max_size=3).map(tuple),
        segments=st.lists(segment, max_size=2).map(tuple),
        standing=st.lists(
            st.builds(Standing, texts(), st.sampled_from(("pinned", "system", "user"))), max_size=2
        ).map(tuple),
        identifiers=st.lists(st.builds(Identifier, texts(), texts()), max_size=2).map(tuple),
        shortened=st.lists(
            st.builds(Shortened, index=small, head=small, tail=small), max_size=2
        ).map(tuple),
        synthetic=st.none() | messages(),
        mark=st.none() | hashes,
        cost=st.none() | st.floats(0, 1e6),
        tokens_before=small,
        tokens_after=small,
    )


def records() -> st.SearchStrategy[Record]:
    """Return records of every kind."""
    small, some = st.integers(0, 20), st.lists(messages(), max_size=3).map(tuple)
    usage = st.builds(
        Usage,
        prompt_tokens=small,
        completion_tokens=small,
        cached_tokens=small,
        reasoning_tokens=small,
    )
    turn = st.builds(
        Turn,
        start=small,
        messages=some,
        head=st.none() | some,
        complete=st.booleans(),
        replied=st.booleans(),
        usage=st.none() | usage,
    )
    original = st.builds(Logged, index=small, link=st.sampled_from(HASHES), message=messages())
    undone = st.builds(Undone, mark=st.none() | st.sampled_from(HASHES))
    pinned = st.builds(
        Pinned, text=texts(), digest=st.none() | st.sampled_from(HASHES), held=st.booleans()
    )
    return st.one_of(turn, original, compactions(), undone, pinned)


def steps() -> st.SearchStrategy[Step]:
    """Return things to do with a store; most of them append."""
    small = st.one_of(
        st.builds(Turn, start=st.integers(0, 4), messages=st.just(({"role": "user"},) * 2)),
        st.builds(
            Compaction,
            covered=st.just(1),
            coverage=st.sampled_from(HASHES),
            adopted=st.integers(1, 9),
            adoption=st.sampled_from(HASHES),
        ),
    )
    appends: tuple[Verb, ...] = ("append", "append", "append", "append", "stale", "stale")
    others: tuple[Verb, ...] = ("forget", "forget_user", "find")
    return st.builds(
        Step,
        verb=st.sampled_from(appends + others),
        place=st.integers(0, len(PLACES) - 1),
        other=st.booleans(),
        records=st.lists(small, min_size=1, max_size=3).map(tuple),
        hashes=st.frozensets(st.sampled_from(HASHES), max_size=3),
        off=st.sampled_from([-1, 1, 2]),
    )


def words() -> st.SearchStrategy[str]:
    """Return texts of a few words in a few scripts, which share some, or of anything."""
    some = (
        "fox",
        "Foxes",
        "red-fox",
        "北京",
        "北京西站",
        "京",
        "café",
        "cafe\u0301",
        "x_1",
        "12.5",
    )
    known = st.lists(st.sampled_from((*some, "OR", "fo*", '"', "的", "タワー")), max_size=5)
    return st.one_of(known.map(" ".join), known.map("".join), texts(largest=8))


def spoken() -> st.SearchStrategy[Turn]:
    """Return turns in which such words are said; many go back behind others."""
    message = st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant", "tool"]),
        words(),
    )
    said = st.lists(message, max_size=3).map(tuple)
    return st.builds(Turn, start=st.integers(0, 4), messages=said)
