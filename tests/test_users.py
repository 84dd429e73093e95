"""Whose conversation it is: names, users, and that one never reaches the other's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chats import contents, kept
from fake_kimi_requests import user
from hypothesis import given
from hypothesis import strategies as st
from kimi_clients import BUDGET, HEAD, ask, connect, sent, summaries, talk

from memory import ConfigError, HistoryError, MemoryManager, wrap
from memory.client import manager_of
from memory.errors import SealedError, UnsupportedError
from memory.manager.scope import address
from memory.records import Forgotten, LogKey, Turn
from memory.stores import VolatileStore
from memory.testing import FakeKimi

IDS = st.text(st.sampled_from("ab/%2F\0é\u202e\ud800{}"), min_size=1, max_size=6)


def test_what_stands_before_the_first_slash_is_the_user() -> None:
    """`"user-42/trip"` is the conversation `"trip"` of `"user-42"`, however it is named."""
    fake, manager = FakeKimi(), MemoryManager(hooks=())
    client = manager.wrap(connect(fake))
    with manager.conversation("user-42/trip/north"):
        ask(client, [user("One")])

    assert 2 == len(manager.conversation("trip/north", user="user-42").history())
    assert [] == manager.conversation("trip").history()


def test_a_client_can_belong_to_any_user() -> None:
    """With `user` the name is that of the conversation alone, and any text will do for the user."""
    fake, store = FakeKimi(), VolatileStore()
    for whose in ("a/b", "a", "\0", "{}"):
        client = wrap(
            connect(fake), conversation="trip", user=whose, store=store, namespace="n", hooks=()
        )
        ask(client, [user(f"I am {whose!r}")])
    manager = MemoryManager(store=store, namespace="n", hooks=())

    assert [1] * 4 == [len(contents(each)) for each in sent(fake)]
    assert ["I am '{}'"] == contents(manager.conversation("trip", user="{}").history())[:1]
    assert {"a/b", "a", "\0", "{}"} == {each.user for each in manager.conversations()}


@pytest.mark.parametrize("name", ["", " ", "/a", "a/", "a//b", "a\nb", "\0"])
def test_names_are_printable(name: str) -> None:
    """A name that could be taken for another one, or not be printed, is an error."""
    with pytest.raises(ConfigError):
        address(name)


def test_nobody_is_not_a_user() -> None:
    """An empty user is an error: whose records those are would be anybody's guess."""
    manager = MemoryManager(hooks=())
    for call in (lambda: manager.conversation("a", user=""), lambda: manager.forget_user("")):
        with pytest.raises(ConfigError, match="user="):
            call()


@given(IDS, IDS)
def test_labels_are_never_the_same(one: str, other: str) -> None:
    """Claims, turns and events of two users never go by the same name."""
    keys = [LogKey(namespace="n", user=each, name=name) for each in (one, other) for name in "xy"]
    assert len({*keys}) == len({key.scope for key in keys})
    assert all(key.label.isprintable() for key in keys)


def test_summaries_are_not_shared_between_users() -> None:
    """Callers who send everything pay for themselves, if they say who they are."""
    fake, store = FakeKimi(), VolatileStore()
    for whose in ("ann", "bob", "ann"):
        client = wrap(
            connect(fake), user=whose, store=store, namespace="n", budget=BUDGET, hooks=()
        )
        ask(client, talk(60))

    assert 2 == len(summaries(fake))
    manager = MemoryManager(store=store, namespace="n", hooks=())
    assert manager.forget_user("ann").compactions
    assert Forgotten() == manager.forget_user("ann")
    assert store.known("n", user="bob") is not None


def test_a_search_stays_with_its_user() -> None:
    """A search of all conversations of a user finds theirs and nobody else's."""
    manager = MemoryManager(hooks=())
    for whose in ("ann", "bob"):
        manager.conversation("trip", user=whose).add([user(f"{whose} wants 靠窗的座位")])

    assert [("ann", "trip", 0)] == [
        (hit.user, hit.name, hit.place) for hit in manager.search("靠窗 座位", user="ann")
    ]
    assert 1 == len(manager.conversation("bob/trip").search("座位"))
    assert [] == manager.search("座位")


def test_a_store_without_search_says_so() -> None:
    """What a store cannot do is an error that names it, and not an empty answer."""

    class Plain(VolatileStore):
        search = property()

    with pytest.raises(UnsupportedError, match="search"):
        MemoryManager(store=Plain(), hooks=()).search("word")


def test_a_history_comes_in_pages() -> None:
    """The latest messages first in pages, each in order."""
    conversation = MemoryManager(hooks=()).conversation("long")
    conversation.add([user(str(number)) for number in range(7)])

    assert ["5", "6"] == contents(conversation.history(limit=2))
    assert ["3", "4"] == contents(conversation.history(limit=2, before=5))
    assert ["0"] == contents(conversation.history(limit=2, before=1))
    assert [] == conversation.history(limit=2, before=0)


def test_an_import_goes_on_where_the_export_was(tmp_path: Path) -> None:
    """Head, messages and summaries come along: the next call sends the same and pays nothing."""
    fake = FakeKimi()
    client, conversation = kept(fake, budget=BUDGET)
    for message in talk(60)[1::2]:
        ask(client, [HEAD, message])
    export = json.loads(json.dumps(conversation.export()))
    paid = len(summaries(fake))
    other = MemoryManager(store=f"sqlite:///{tmp_path}/x.db", budget=BUDGET, hooks=())
    copy = other.conversation("elsewhere", user="ann")

    assert len(conversation.history()) == copy.import_(export)
    assert (conversation.history(), conversation.messages()) == (copy.history(), copy.messages())
    with copy:
        ask(other.wrap(connect(fake)), [user("And?")])
    assert paid == len(summaries(fake))
    other.close()


@pytest.mark.parametrize(
    "given_", [5, {"format": "other"}, {"messages": 5}, ["text"], {"compactions": [{}]}]
)
def test_what_is_no_export_is_refused(given_: object) -> None:
    """Nothing is written of what cannot be read."""
    conversation = MemoryManager(hooks=()).conversation("new")
    with pytest.raises(HistoryError):
        conversation.import_(given_)  # type: ignore[arg-type]
    assert [] == conversation.history()


def test_an_import_never_overwrites() -> None:
    """A conversation that has messages stays as it is."""
    conversation = MemoryManager(hooks=()).conversation("old")
    conversation.add([user("Here already.")])
    with pytest.raises(HistoryError, match="already"):
        conversation.import_([user("New.")])
    assert ["Here already."] == contents(conversation.history())


def test_a_plain_list_can_be_imported() -> None:
    """Leading system messages become the head."""
    conversation = MemoryManager(hooks=()).conversation("new")
    assert 1 == conversation.import_([HEAD, user("Hi.")])
    assert [HEAD, user("Hi.")] == conversation.messages()


def test_another_process_counts_as_the_first_one_did(tmp_path: Path) -> None:
    """What the server told about the messages in view is on record with the compaction."""
    fake, url = FakeKimi(), f"sqlite:///{tmp_path}/x.db"
    client, conversation = kept(fake, store=url, budget=BUDGET, tokenizer=_third)
    for message in talk(60)[1::2]:
        ask(client, [HEAD, message])
    last = conversation.compactions()[-1]
    view = conversation.messages()[: 1 + last.adopted - last.covered]  # what had been sent by then
    others = MemoryManager(store=url, tokenizer=_third, hooks=())
    others.conversation("user-42/trip").messages()

    assert last.measured
    assert manager_of(client).count(view).total == others.count(view).total
    assert 1.0 == others.count(view).measured
    others.close()


def test_a_sealed_conversation_is_not_read_as_plain() -> None:
    """A store that is not sealed refuses what a sealed one wrote, and says why."""
    store = VolatileStore()
    key = LogKey(namespace="n", name="trip")
    store.append(key, [Turn(start=0, messages=({},), head=({"v": 1, "ct": "…"},))], expected=0)
    with pytest.raises(SealedError, match="sealed"):
        MemoryManager(store=store, namespace="n", hooks=()).conversation("trip").history()


def test_a_user_and_a_conversation_can_be_set_apart() -> None:
    """Whoever sets the user in one place and the name in another one means both."""
    manager = MemoryManager(hooks=())
    both = [
        manager.with_options(user="ann").with_options(conversation="notes"),
        manager.with_options(conversation="notes").with_options(user="ann"),
    ]
    own = [each.placement(each.options)["log"].user for each in both]
    with manager.override(user="ann"), manager.override(conversation="notes"):
        here = manager.placement(manager.effective())["log"].user

    assert ["ann"] * 3 == [*own, here]


def _third(text: str) -> int:
    """Return a count of tokens that is wrong."""
    return len(text) // 3
