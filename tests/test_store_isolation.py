"""Users of one store: nothing that one does returns, counts or changes a byte of another's.

What a user gets is compared with what the same calls give where nobody else is; what the other one
has is compared with what it was, as it is read and as it stands in the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kimi_clients import ask, connect, talk
from neighbours import NAMES, THEIRS, pairs, played, plays, rows, settle, shown
from store_factories import FACTORIES

from memory import MemoryManager, VolatileStore
from memory.stores import SealedStore, Searching
from memory.testing import FakeKimi

Plays = Sequence[tuple[str, Any]]
ALL: Plays = (
    *(("append", ("trip", "")), ("search", "zebra* OR theirs"), ("known", None), ("list", None)),
    *(("search in", ("trip", "zebra")), ("forget", ("trip", "")), ("forget", ("b", ""))),
    *(("give", ("trip", "")), ("take", ("b", "")), ("forget_user", None), ("page", "trip")),
)
TWINS = [
    *(
        ("a/b", "a%2Fb"),
        ("ann", "ann\0"),
        ("é", "e\u0301"),
        ("{a}", "a"),
        ("x" * 4_096, "x" * 4_095),
    ),
    *(("\u202eann", "ann"), ("\ud83d\ude00", "😀"), ("", "' OR 1=1 --"), ("*", "ann"), ("", "ann")),
]
EVERY = pytest.mark.parametrize("kind", FACTORIES)
spaces = (f"space {number}" for number in count())
LONG = talk(30)
UNSEARCHED = ("redis", "sealed")
KEYS = [SealedStore.new_key()]
thorough = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EVERY
def test_nobody_reaches_what_is_another_users(kind: str, tmp_path: Path) -> None:
    """Whatever is called in whatever order, with any two ids."""
    with FACTORIES[kind](tmp_path) as opened:
        store: Any = opened()

        @thorough
        @given(both=pairs(), calls=plays())
        @example(both=("a/b", "a%2Fb"), calls=ALL)
        @example(both=("", "ann"), calls=[play for play in ALL if play[0] != "forget_user"])
        def checked(both: tuple[str, str], calls: Plays) -> None:
            me, other = both
            space = next(spaces)
            settle(store, space, other)
            seen, stand = shown(store, space, other), rows(store, space, other)

            alone = played(VolatileStore(), space, me, calls)
            found = played(store, space, me, calls)
            if not hasattr(store, "search"):
                found = [
                    a if c[0].startswith("search") else f
                    for a, f, c in zip(alone, found, calls, strict=True)
                ]
            assert alone == found
            assert (seen, stand) == (shown(store, space, other), rows(store, space, other))

        checked()


@EVERY
def test_twins_have_nothing_in_common(kind: str, tmp_path: Path) -> None:
    """Each of the two does everything beside the other, and forgets everything at the end."""
    with FACTORIES[kind](tmp_path) as opened:
        store: Any = opened()
        for one, two in [*TWINS[:4], *((two, one) for one, two in TWINS)]:
            space = next(spaces)
            settle(store, space, one)
            settle(store, space, two)
            seen, stand = shown(store, space, two), rows(store, space, two)

            assert stand is None or all(stand[:2])
            assert len(THEIRS) + 2 == store.forget_user(space, one).logs
            assert (seen, stand) == (shown(store, space, two), rows(store, space, two))
            assert () == store.conversations(space, user=one)
            assert len(THEIRS) == len(store.conversations(space))


@EVERY
def test_a_page_of_all_users_has_each_of_them(kind: str, tmp_path: Path) -> None:
    """Under the very ids they were written with, in the order of code points."""
    users = sorted({each for both in TWINS for each in both} - {""})
    with FACTORIES[kind](tmp_path) as opened:
        store: Any = opened()
        space = next(spaces)
        manager = MemoryManager(store=store, hooks=(), namespace=space)
        for user in users:
            manager.conversation("trip", user=user).add([{"role": "user", "content": "hi"}])

        entries = manager.conversations()
        pages = [*manager.conversations(limit=4), *manager.conversations(after=entries[3])]
        assert [(user, "trip") for user in users] == [(e.user, e.name) for e in entries]
        assert entries == pages


def handled(store: Any, space: str, me: str, name: str) -> list[Any]:
    """Do all that handles of one user can do, with a client too; return what came of it."""
    fake = FakeKimi(reply=lambda _: "Noted.")
    manager = MemoryManager(store=store, hooks=(), namespace=space, budget=900)
    conversation = manager.conversation(name, user=me)
    told: list[Any] = [conversation.export(), conversation.messages(), conversation.undo()]
    told += [conversation.compactions(), conversation.rewind(0)]
    told += [conversation.add([{"role": "user", "content": "heron of mine"}])]
    told += [conversation.fork(name="fork").history(), len(manager.conversations(user=me))]
    if isinstance(store, Searching):
        for hits in (
            conversation.search("heron zebra", match="any"),
            manager.search("heron", user=me),
        ):
            told += [[(hit.user, hit.name, hit.text, hit.score) for hit in hits]]
    alone = manager.with_options(user=me).wrap(connect(fake))
    kept = manager.with_options(user=me, conversation=name).wrap(connect(fake))
    ask(alone, LONG)
    ask(kept, [*LONG[:1], {"role": "user", "content": "zebra"}])
    with manager.override(user=me):
        told += [len(manager.log(LONG))]
    told += [[(request.kind, request.body["messages"]) for request in fake.requests]]
    for done in (conversation.forget(), manager.forget_user(me)):
        told += [(done.logs, done.records, done.messages, done.compactions)]
    return told


@EVERY
def test_no_handle_of_a_manager_reaches_another_user(kind: str, tmp_path: Path) -> None:
    """Conversations, searches, forks, calls of clients: all as if nobody else were there."""
    with FACTORIES[kind](tmp_path) as opened:
        store: Any = opened()

        @settings(thorough, max_examples=8)
        @given(both=pairs(nobody=False), name=st.sampled_from(NAMES))
        @example(both=("a/b", "a%2Fb"), name="trip")
        @example(both=("\ud800", "x" * 4_096), name="a/b")
        def checked(both: tuple[str, str], name: str) -> None:
            me, other = both
            space, fake = next(spaces), FakeKimi(reply=lambda _: "Noted.")
            settle(store, space, other)
            manager = MemoryManager(store=store, hooks=(), namespace=space, budget=900)
            ask(manager.with_options(user=other).wrap(connect(fake)), LONG)
            seen, stand = shown(store, space, other), rows(store, space, other)
            theirs = manager.conversation(name, user=other).export()

            empty = (
                SealedStore(VolatileStore(), keys=KEYS) if kind in UNSEARCHED else VolatileStore()
            )
            found = handled(store, space, me, name)
            assert "theirs" not in repr(found)
            assert handled(empty, space, me, name) == found
            assert (seen, stand) == (shown(store, space, other), rows(store, space, other))
            assert theirs == manager.conversation(name, user=other).export()

        checked()


def test_a_name_says_whose_it_is_up_to_its_first_slash() -> None:
    """With a user it says nothing."""
    manager = MemoryManager(hooks=())
    said = [{"role": "user", "content": "hi"}]
    manager.conversation("a/b").add(said)

    assert 1 == len(manager.conversation("b", user="a").history())
    for name, user in (("b", None), ("b", "a/b"), ("b", "a%2Fb"), ("a/b", "a"), ("a%2Fb", None)):
        assert [] == manager.conversation(name, user=user).history()
