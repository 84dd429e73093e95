"""Listing conversations: complete, page by page, in code point order, with true numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence

from memory.records import Entry, Record, Undone
from memory.testing.conformance.bench import Bench
from memory.testing.conformance.check import Group
from memory.testing.conformance.expect import demand, expect, only_one
from memory.testing.conformance.samples import compaction, logged, turn

__all__ = ("LISTING",)

LISTING = Group("listing")

SKEW = 3_600.0
"""Seconds by which the clock of a server may differ from ours."""
USERS = (
    *(
        "",
        "\0",
        "\0a",
        "\x01",
        " ",
        "A",
        "Z",
        "[",
        "\\",
        "]",
        "a",
        "a\0",
        "a b",
        "ab",
        "b",
        "é",
        "你",
    ),
    *("\ud7ff", "\ud800", "\udfff", "\ue000", "\uff21", "😀"),
)
"""Users in code point order, which is not that of UTF-16, nor that of any language."""
PLACES = [(user, name) for user in USERS for name in ("B", "a", "b", "你", "😀")]


@LISTING.check
def nothing_is_listed_at_first(bench: Bench) -> None:
    """There are no conversations in a new namespace, and logs without a name are none."""
    bench.add(bench.key(root="aa"), logged())
    bench.add(bench.key(root="aa", user="ann"), compaction())
    for user in (None, "", "ann", "bob"):
        expect((), bench.one.conversations(bench.namespace, user=user), f"those of {user!r}")


@LISTING.check
def conversations_are_listed_with_their_state(bench: Bench) -> None:
    """An entry has user, name, version, the number of messages now and the time of the append."""
    key = bench.key("trip", user="ann")
    version = bench.add(key, turn("a", "b"), turn("c", start=2))
    entry = only_one(bench.other.conversations(bench.namespace), "conversations")
    expected = Entry(user="ann", name="trip", version=version, messages=3, updated=entry.updated)
    expect(expected, entry, "the entry of a conversation")
    demand(
        abs(entry.updated - time.time()) < SKEW,
        f"it was updated at {entry.updated}, and now it is {time.time()} (seconds since 1970)",
    )


@LISTING.check
def appends_move_what_is_listed(bench: Bench) -> None:
    """After each append the version is that of the log and the time is not an earlier one."""
    key, before = bench.key("trip"), 0.0
    for handle in (bench.one, bench.other, bench.one):
        version = bench.add(key, turn("a"))
        entry = only_one(handle.conversations(bench.namespace), "conversations")
        expect(version, entry.version, "the version in the list")
        demand(entry.updated >= before, f"updated went from {before} to {entry.updated}")
        before = entry.updated


@LISTING.check
def messages_are_those_there_are_now(bench: Bench) -> None:
    """Turns that go back take messages away, and records that are no turns change no number."""
    key = bench.key("trip")
    steps: tuple[tuple[list[Record], int], ...] = (
        ([turn("a", "b"), turn("c", "d", start=2)], 4),
        ([turn(start=3)], 3),
        ([compaction(), Undone(mark=None)], 3),
        ([turn("e", start=1), turn("f", "g", "h", start=2)], 5),
        ([logged()], 5),
        ([turn("i", start=1), compaction()], 2),
        ([turn(start=0)], 0),
        ([turn("j", start=0)], 1),
    )
    for place, (batch, messages) in enumerate(steps):
        bench.add(key, *batch)
        entry = only_one(bench.other.conversations(bench.namespace), "conversations")
        expect(messages, entry.messages, f"the number of messages after step {place}")


@LISTING.check
def conversations_are_in_code_point_order(bench: Bench) -> None:
    """Conversations are listed by user, then by name, in the order of their code points."""
    _fill(bench)
    listed = _places(bench.one.conversations(bench.namespace, limit=1_000))
    expect(sorted(PLACES), sorted(listed), "the conversations, in any order")
    expect([place for place in PLACES if place in listed], listed, "their order")


@LISTING.check
def pages_are_complete(bench: Bench) -> None:
    """Pages of any size are full but for the last one, and together they are the whole list."""
    _fill(bench)
    whole = bench.one.conversations(bench.namespace, limit=1_000)
    for size in (1, 7, len(PLACES) - 1, len(PLACES), len(PLACES) + 1):
        pages = _pages(bench, None, size)
        expect(whole, tuple(entry for page in pages for entry in page), f"pages of {size}")
        demand(all(len(page) == size for page in pages[:-1]), f"a page of {size} is not full")


@LISTING.check
def pages_of_one_user_are_theirs(bench: Bench) -> None:
    """The conversations of one user, page by page, are those and no others, in order."""
    _fill(bench)
    for user in USERS:
        names = [name for whose, name in PLACES if whose == user]
        listed = [entry for page in _pages(bench, user, 2) for entry in page]
        expect([(user, name) for name in names], _places(listed), f"those of {user!r}")
    expect((), bench.one.conversations(bench.namespace, user="nobody"), "those of a stranger")


@LISTING.check
def pages_go_on_after_what_is_gone(bench: Bench) -> None:
    """A page can begin after a conversation that was forgotten, or after one that never was."""
    _fill(bench)
    whole = _places(bench.one.conversations(bench.namespace, limit=1_000))
    middle = whole[len(whole) // 2]
    bench.one.forget(bench.key(middle[1], user=middle[0]))
    for handle in (bench.one, bench.other):
        rest = _places(handle.conversations(bench.namespace, after=middle, limit=1_000))
        expect(whole[len(whole) // 2 + 1 :], rest, f"those after {middle}")
    after = (middle[0], middle[1] + "!")
    rest = _places(bench.one.conversations(bench.namespace, after=after, limit=1_000))
    expect(whole[len(whole) // 2 + 1 :], rest, f"those after {after}")


@LISTING.check
def forgotten_conversations_are_not_listed(bench: Bench) -> None:
    """What is forgotten is not listed any more, by any handle, and what is begun anew is."""
    bench.add(bench.key("a"), turn("a"))
    bench.add(bench.key("b"), turn("b"))
    bench.one.forget(bench.key("a"))
    for handle in (bench.one, bench.other):
        expect([("", "b")], _places(handle.conversations(bench.namespace)), "those that are left")
    bench.add(bench.key("a"), turn("c"))
    listed = bench.other.conversations(bench.namespace)
    expect([("", "a"), ("", "b")], _places(listed), "those after one was begun anew")


def _fill(bench: Bench) -> None:
    """Write all conversations, not in the order in which they are to be listed."""
    for place in range(len(PLACES)):
        user, name = PLACES[place * 37 % len(PLACES)]
        bench.add(bench.key(name, user=user), turn("a"))


def _places(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    return [(entry.user, entry.name) for entry in entries]


def _pages(bench: Bench, user: str | None, size: int) -> list[tuple[Entry, ...]]:
    """Return all pages up to the first that is empty, that one left out."""
    pages: list[tuple[Entry, ...]] = []
    after: tuple[str, str] | None = None
    while len(pages) <= len(PLACES):
        handle = (bench.one, bench.other)[len(pages) % 2]
        page = handle.conversations(bench.namespace, user=user, after=after, limit=size)
        if not page:
            return pages
        pages.append(page)
        after = (page[-1].user, page[-1].name)
    msg = f"pages of {size} never end"
    raise AssertionError(msg)
