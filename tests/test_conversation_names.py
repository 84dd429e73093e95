"""Which conversation a call belongs to: by its client, and by the code around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from chats import NAME, Fragile, contents, kept, last_sent, speaker
from fake_kimi_requests import user
from kimi_clients import HEAD, ask, connect, sent

from memory import ConfigError, MemoryManager, wrap
from memory.testing import FakeKimi, Fault


def test_conversations_do_not_see_each_other() -> None:
    """Each name has its own history, head and all."""
    fake = speaker()
    manager = MemoryManager(hooks=())
    client = manager.wrap(connect(fake))
    for name, head in [("ann", [HEAD]), ("bob", []), ("ann", []), ("bob", [])]:
        with manager.conversation(name):
            ask(client, [*head, user(f"I am {name}")])
    first, second = sent(fake)[2:]

    assert [HEAD["content"], "I am ann", "Reply to I am ann", "I am ann"] == contents(first)
    assert ["I am bob", "Reply to I am bob", "I am bob"] == contents(second)


def test_managers_do_not_share_conversations() -> None:
    """Two clients with a memory each have two conversations under the same name."""
    fake = speaker()
    for _ in range(2):
        client, _conversation = kept(fake)
        ask(client, [user("One")])

    assert [["One"], ["One"]] == [contents(each) for each in sent(fake)]


def test_a_named_space_on_one_store_is_shared() -> None:
    """Another process with the same store and namespace goes on from the same conversation."""
    fake, store = speaker(), Fragile()
    for question in ("One", "Two"):
        client, _ = kept(fake, store=store, namespace="shop")
        ask(client, [user(question)])
    other, _ = kept(fake, store=store, namespace="another shop")
    ask(other, [user("Three")])

    assert ["One", "Reply to One", "Two"] == contents(sent(fake)[1])
    assert ["Three"] == last_sent(fake)


def test_the_innermost_context_counts() -> None:
    """A conversation entered inside another one holds until it is left."""
    fake = speaker()
    manager = MemoryManager(hooks=())
    client = manager.wrap(connect(fake))
    outer, inner = manager.conversation("outer"), manager.conversation("inner")
    with outer:
        ask(client, [user("1")])
        with inner:
            ask(client, [user("2")])
            with manager.override(conversation=None):
                ask(client, [user("3")])
        ask(client, [user("4")])
    ask(client, [user("5")])

    assert ["1", "4"] == contents(outer.history())[::2]
    assert ["2"] == contents(inner.history())[::2]
    assert ["3"] == contents(sent(fake)[2])
    assert ["5"] == contents(sent(fake)[4])


def test_a_client_belongs_to_its_own_conversation() -> None:
    """Where another one is entered its calls are refused, before anything is sent."""
    fake = speaker()
    manager = MemoryManager(hooks=())
    client = manager.with_options(conversation="alice").wrap(connect(fake))
    with manager.conversation("alice"):
        ask(client, [user("1")])
    with manager.override(conversation=None):
        ask(client, [user("2")])
    with manager.conversation("bob"), pytest.raises(ConfigError, match="belongs to conversation"):
        ask(client, [user("3")])

    assert ["1"] == contents(manager.conversation("alice").history())[::2]
    assert [["1"], ["2"]] == [contents(each) for each in sent(fake)]


def test_a_client_without_a_conversation_has_none_anywhere() -> None:
    """Made with `conversation=None`, it stays outside of what is entered around it."""
    fake = speaker()
    manager = MemoryManager(hooks=())
    client = manager.with_options(conversation=None).wrap(connect(fake))
    with manager.conversation("bob") as bob:
        ask(client, [user("1")])

    assert [] == bob.history()


def test_other_managers_are_not_concerned() -> None:
    """Entering a conversation of one manager says nothing to the clients of another."""
    fake = speaker()
    manager = MemoryManager(hooks=())
    stranger = wrap(connect(fake), hooks=())
    with manager.conversation(NAME) as conversation:
        ask(stranger, [user("One")])

    assert [] == conversation.history()


def test_an_error_leaves_the_context() -> None:
    """After an exception inside, calls go on from no conversation."""
    fake = speaker()
    manager = MemoryManager(hooks=())
    client = manager.wrap(connect(fake))
    fake.fail_next(Fault.SERVER_ERROR)
    with pytest.raises(openai.InternalServerError), manager.conversation(NAME):
        ask(client, [user("One")])
    ask(client, [user("Two")])

    assert [] == manager.conversation(NAME).history()


@pytest.mark.parametrize("name", ["", "  ", "a//b", "/a", "a/", "a\nb", 7, b"name"])
def test_a_name_has_to_be_one(name: Any) -> None:
    """What cannot be a name is an error at once, wherever it is given."""
    manager = MemoryManager(hooks=())
    for take in (
        manager.conversation,
        lambda name: wrap(connect(FakeKimi()), conversation=name),
        lambda name: manager.with_options(conversation=name),
        lambda name: manager.override(conversation=name),
    ):
        with pytest.raises(ConfigError, match="conversation="):
            take(name)


@pytest.mark.parametrize("derive", ["copy", "with_options"])
def test_derived_clients_are_in_the_same_conversation(derive: str) -> None:
    """What the SDK makes of a client goes on from where that client does."""
    client, conversation = kept(speaker())
    ask(client, [user("One")])
    ask(getattr(client, derive)(timeout=3.0), [user("Two")])

    assert ["One", "Two"] == contents(conversation.history())[::2]


def test_a_client_can_be_given_a_conversation_in_place() -> None:
    """The client itself goes on from it then."""
    fake = speaker()
    client = connect(fake)
    wrap(client, conversation=NAME, inplace=True, hooks=())
    ask(client, [user("One")])
    ask(client, [user("Two")])

    assert ["One", "Reply to One", "Two"] == last_sent(fake)


def test_contexts_may_be_left_in_any_order() -> None:
    """As generators do that take turns: each takes away what it brought, and nothing else."""
    manager = MemoryManager(hooks=())
    client = manager.wrap(connect(speaker()))

    def talk(name: str) -> Iterator[None]:
        with manager.conversation(name):
            yield

    first, second = talk("first"), talk("second")
    next(first)
    next(second)
    assert [] == list(first)
    ask(client, [user("One")])
    assert [] == list(second)
    ask(client, [user("Two")])

    assert [] == manager.conversation("first").history()
    assert ["One", "Reply to One"] == contents(manager.conversation("second").history())
