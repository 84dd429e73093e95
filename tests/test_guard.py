"""The guard at run time: what breaks a promise is told or stopped, and nothing else changes."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from threading import Lock
from types import MappingProxyType
from typing import Any

import pytest
from chats import kept
from kimi_clients import ask, sent
from workbench import LONG, MODEL, Wire, Workbench, assistant, context, prompt, system, user, words

from memory import AsyncMemoryManager, ConfigError, MemoryManager, QueueHook
from memory.errors import InvariantError
from memory.events import InvariantBroken
from memory.flow import Fitted, Flow
from memory.flow.guard import guarded
from memory.identity import digest
from memory.stores import VolatileStore
from memory.testing import FakeKimi

SECRET = "xylophone-hush-71"


def losing(messages: Sequence[Any], *, at: int = -1) -> Flow[Fitted]:
    """Return a flow that fits a prompt badly: it loses a message."""
    yield from ()
    left = [*messages]
    del left[at]
    return Fitted(messages=left, counted=True, changed=True)


def guard(
    messages: list[Wire], flow: Flow[Fitted], check: Any, **others: Any
) -> tuple[Workbench, Fitted]:
    """Run a flow under the guard."""
    bench = Workbench(1_000, check=check)
    fitted = bench.handler.run(guarded(prompt(messages, **others), bench.context, flow))
    return bench, fitted


def broken(bench: Workbench) -> list[str]:
    """Return the checks that were told to be broken."""
    return [event.check for event in bench.events if isinstance(event, InvariantBroken)]


def test_a_broken_promise_is_raised() -> None:
    """With every check that failed; nothing is sent."""
    messages = [user("one"), user("two")]
    with pytest.raises(InvariantError) as caught:
        guard(messages, losing(messages), "raise")

    assert {
        "last_user_message_is_sent",
        "kept_messages_are_verbatim",
        "tail_is_a_suffix",
    } == set(caught.value.violations)


def test_a_broken_promise_is_told() -> None:
    """Under `event` what was made goes out all the same."""
    messages = [user("one"), user("two")]
    bench, fitted = guard(messages, losing(messages), "event")

    assert messages[:1] == fitted.messages
    assert "last_user_message_is_sent" in broken(bench)


def test_without_the_guard_nothing_is_looked_at() -> None:
    """It is off by default."""
    messages = [user("one"), user("two")]
    bench, fitted = guard(messages, losing(messages), "off")

    assert messages[:1] == fitted.messages
    assert [] == bench.events
    assert "off" == context().check == MemoryManager().settings.check


def test_a_changed_input_is_caught() -> None:
    """Somebody in between wrote into the caller's message."""
    messages = [user("one")]

    def meddling() -> Flow[Fitted]:
        yield from ()
        messages[0]["content"] = "changed"
        return Fitted(messages=messages)

    with pytest.raises(InvariantError, match="the caller's message 0 was changed"):
        guard(messages, meddling(), "raise")


def test_the_error_shows_the_request_without_its_contents() -> None:
    """So that it can go into a report."""
    messages = [system(SECRET), user(SECRET)]
    with pytest.raises(InvariantError) as caught:
        guard(messages, losing(messages, at=0), "raise")

    assert SECRET not in str(caught.value)
    assert "1 messages sent for 2" in str(caught.value)


def test_a_compaction_passes_the_guard() -> None:
    """And comes to the same as without it."""
    bench, plain = Workbench(1_000, check="raise"), Workbench(1_000)

    assert list(plain.fit(LONG).messages) == list(bench.fit(LONG).messages)
    assert [] == broken(bench)


def test_what_is_sent_though_too_large_is_no_broken_promise() -> None:
    """The caller chose that."""
    bench = Workbench(1_000, check="raise", oversize="send")
    messages = [user(words(2_000))]

    assert messages == bench.fit(messages).messages


def test_a_store_that_changes_records_is_caught() -> None:
    """What it says about a conversation is not true of it."""

    class Forgetful(VolatileStore):
        """Loses the originals of a conversation."""

        def append(self, key: Any, records: Any, *, expected: int) -> int:
            """Keep the last record only."""
            return super().append(key, records[-1:], expected=expected)

    manager = MemoryManager(store=Forgetful(), budget=1_500, check="raise", reply_reserve=0)
    messages = [user(words(60, f"q{n}-")) for n in range(60)]
    with pytest.raises(InvariantError, match="neither sent nor in the log"):
        manager.fit(messages, model=MODEL)


async def fitted_async(check: Any) -> list[str]:
    """Return what an asynchronous manager told of a compaction."""
    hook = QueueHook()
    async with AsyncMemoryManager(budget=1_500, check=check, hooks=(hook,)) as manager:
        await manager.fit([user(words(60, f"q{n}-")) for n in range(60)])
    return [type(event).__name__ for event in hook.drain()]


def test_asynchronous_managers_have_it_too() -> None:
    """The guard is part of the flow."""
    told = asyncio.run(fitted_async("raise"))

    assert "Compacted" in told
    assert "InvariantBroken" not in told


def test_the_setting_is_checked() -> None:
    """There are three ways."""
    with pytest.raises(ConfigError, match=r"check='loud': use one of off, event, raise"):
        MemoryManager(check="loud")  # type: ignore[arg-type]


def test_it_can_be_set_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every other setting."""
    monkeypatch.setenv("KIMI_MEMORY_CHECK", "event")

    assert "event" == MemoryManager().settings.check


def test_messages_that_cannot_be_copied_are_judged_too() -> None:
    """The guard fails no turn that memory does not fail."""
    odd: Any = MappingProxyType({**user("one"), "lock": Lock()})

    assert [odd] == [*MemoryManager(check="raise", hooks=()).fit([odd])]


def test_a_tuple_is_not_taken_for_a_change() -> None:
    """The SDK takes any iterable of parts."""
    message: Wire = {"role": "user", "content": ({"type": "text", "text": "one"},)}

    assert [message] == [*MemoryManager(check="raise", hooks=()).fit([message])]


def test_the_error_crosses_processes() -> None:
    """With all that it says."""
    error = InvariantError({"head_is_first": "it is not"}, "a table")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own

    assert (error.violations, str(error)) == (again.violations, str(again))


def test_a_pinned_message_that_is_lost_is_caught() -> None:
    """The guard knows what is pinned for the call."""
    messages = [user("one"), user("two")]
    pinned = frozenset({digest(messages[0])})
    bench, _ = guard(messages, losing(messages, at=0), "event", pinned=pinned)

    assert "pinned_messages_are_sent" in broken(bench)


def test_what_is_redacted_on_record_is_no_broken_promise() -> None:
    """Hashes are compared in the form that is stored."""
    manager = MemoryManager(
        budget=1_500, check="raise", reply_reserve=0, redact=lambda text: text.replace("q7-", "[7]")
    )
    messages = [user(words(60, f"q{n}-")) for n in range(60)]

    assert len(manager.fit(messages, model=MODEL)) < 60


def test_what_goes_on_record_with_the_reply_may_be_summarised() -> None:
    """A conversation that begins with more than fits has none of it on record yet."""
    fake = FakeKimi()
    client, conversation = kept(fake, budget=1_500, check="raise", reply_reserve=0)
    new = [message for n in range(30) for message in (user(words(60, f"q{n}-")), assistant("Yes."))]
    ask(client, [*new, user("And?")])

    assert 62 == len(conversation.history())
    assert len(sent(fake)[-1]) < 30
