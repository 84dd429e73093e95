"""Taking out of texts what is not to be stored or sent to a summariser."""

from __future__ import annotations

import asyncio
import copy
import re
from pathlib import Path
from typing import Any

import pytest
from chats import calling, kept, kept_async, result
from fake_kimi_requests import OFF, assistant, user
from hypothesis import given
from hypothesis import strategies as st
from kimi_clients import BUDGET, HEAD, TOOLS, ask, connect, sent, talk

from memory import AsyncMemoryManager, MemoryManager, QueueHook, wrap
from memory.client import manager_of
from memory.errors import ConfigError
from memory.events import Failed
from memory.redaction import redacted
from memory.testing import FakeKimi, strategies

SECRET = re.compile(r"sk-[a-z]+")
KEY = "sk-hush"


def redact(text: str) -> str:
    """Return a text without keys."""
    return SECRET.sub("[key]", text)


def broken(text: str) -> str:
    """Fail on a key."""
    if SECRET.search(text):
        msg = f"cannot redact {text}"
        raise ValueError(msg)
    return text


def upper(text: str) -> str:
    """Change every text that has a letter."""
    return text.upper()


MESSAGE: dict[str, Any] = {
    "role": "assistant",
    "name": KEY,
    "content": [{"type": "text", "text": f"My key is {KEY}."}, {"type": "image_url"}],
    "reasoning_content": f"{KEY}?",
    "refusal": None,
    "tool_calls": [
        {"id": KEY, "type": "function", "function": {"name": KEY, "arguments": f'{{"k": "{KEY}"}}'}}
    ],
    "partial": True,
}


def test_every_text_of_a_message_is_redacted() -> None:
    """Contents in parts, thoughts and arguments; roles, names and ids are needed to send it."""
    before = copy.deepcopy(MESSAGE)

    assert {
        **MESSAGE,
        "content": [{"type": "text", "text": "My key is [key]."}, {"type": "image_url"}],
        "reasoning_content": "[key]?",
        "tool_calls": [
            {
                "id": KEY,
                "type": "function",
                "function": {"name": KEY, "arguments": '{"k": "[key]"}'},
            }
        ],
    } == redacted(MESSAGE, redact)
    assert before == MESSAGE


def test_what_needs_no_change_is_the_same_object() -> None:
    """Most messages hold nothing that must not be kept."""
    message = user("Hi.")

    assert redacted(message, redact) is message
    assert redacted(MESSAGE, None) is MESSAGE


@given(strategies.oddities())
def test_odd_messages_can_be_redacted(message: Any) -> None:
    """Keys, shape and whatever is no text stay as they are."""
    made = redacted(message, upper)

    assert list(message) == list(made)
    assert message.get("role") == made.get("role")


@given(st.text(), st.text())
def test_whatever_the_text_is_it_is_redacted(before: str, after: str) -> None:
    """A text alone, and one in a part."""
    text = f"{before}{KEY}{after}"
    parts = [{"type": "text", "text": text}]

    assert redact(text) == redacted(user(text), redact)["content"]
    assert (
        redact(text) == redacted({"role": "user", "content": parts}, redact)["content"][0]["text"]
    )


@pytest.mark.parametrize("wrong", ["sk-", 7, [redact]])
def test_what_cannot_redact_is_refused(wrong: Any) -> None:
    """When the manager is made."""
    with pytest.raises(ConfigError, match="redact"):
        MemoryManager(redact=wrong)


def turns(number: int) -> list[dict[str, Any]]:
    """Return a transcript in which every message holds a key."""
    head, *rest = talk(number)
    said = [{**message, "content": f"{message['content']} {KEY}"} for message in rest]
    said[0]["content"] += f" From now on always answer with {KEY} first."
    return [{**head, "content": f"{head['content']} {KEY}"}, *said]


def on_disk(folder: Path) -> bytes:
    """Return every byte that was written."""
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def echo(body: Any) -> str:
    """Reply with what was asked, and a key."""
    return f"Noted: {body['messages'][-1]['content'][-400:]} {KEY}"


def summarised(fake: FakeKimi) -> str:
    """Return all that was sent to be summarised."""
    return repr(sent(fake, "summary"))


class TestConversation:
    """A conversation with a name."""

    def test_no_key_is_on_the_disk(self, tmp_path: Path) -> None:
        """In no file of the store, whatever was done to the conversation."""
        fake = FakeKimi(reply=echo)
        store = f"sqlite:///{tmp_path}/memory.db"
        client, conversation = kept(fake, store=store, redact=redact, budget=BUDGET)
        head, *said = turns(45)
        for message in said[::2]:
            ask(client, [head, message])
        fake.queue_reply(calling("weigh:0"))
        ask(client, [user(f"Weigh {KEY}.")], tools=TOOLS)
        ask(client, [result("weigh:0", f"12 kg {KEY}")], tools=TOOLS)
        conversation.add([user(f"And {KEY}?"), assistant(f"No {KEY}.")])
        conversation.pin(f"Never show {KEY}.")
        conversation.pin(4)
        conversation.compact(summary=f"We spoke of {KEY}.", upto=60)
        conversation.fork(name="user-42/other")
        manager = manager_of(client)
        assert isinstance(manager, MemoryManager)
        assert conversation.compactions()
        manager.close()
        written = on_disk(tmp_path)

        assert b"[key]" in written
        assert KEY.encode() not in written

    def test_no_key_is_sent_to_be_summarised(self) -> None:
        """Messages are quoted redacted; the user's own requests go out as they are."""
        fake = FakeKimi(reply=echo)
        client, _ = kept(fake, redact=redact, budget=BUDGET)
        head, *said = turns(45)
        for message in said[::2]:
            ask(client, [head, message])

        assert sent(fake, "summary")
        assert "[key]" in summarised(fake)
        assert KEY not in summarised(fake)
        assert KEY in sent(fake)[-1][-1]["content"]

    def test_what_was_said_is_sent_as_it_was_kept(self) -> None:
        """The key of an earlier turn is not in the next request, and nothing else is changed."""
        fake = FakeKimi(reply=echo)
        client, conversation = kept(fake, redact=redact)
        ask(client, [HEAD, user(f"It is {KEY}.")])
        ask(client, [user("Well?")])

        assert [HEAD, user("It is [key].")] == sent(fake)[-1][:2]
        assert KEY not in repr(conversation.export())

    def test_a_caller_may_send_the_last_messages_again(self) -> None:
        """They are known by what they were, and not taken for new because they were redacted."""
        fake = FakeKimi(reply=lambda _: f"Yes, {KEY}.")
        client, conversation = kept(fake, redact=redact)
        question, answer = user(f"It is {KEY}."), assistant(f"Yes, {KEY}.")
        ask(client, [HEAD, question])
        ask(client, [HEAD, question, answer, user("Well?")])

        assert [redact(text) for text in (question["content"], answer["content"], "Well?")] == [
            message["content"] for message in conversation.history()[:3]
        ]

    def test_what_was_redacted_can_be_pinned(self) -> None:
        """By its place; it stays in what is sent."""
        fake = FakeKimi(reply=echo)
        client, conversation = kept(fake, redact=redact, budget=BUDGET)
        head, *said = turns(45)
        ask(client, [head, said[0]])
        conversation.pin(0)
        for message in said[2::2]:
            ask(client, [head, message])

        assert conversation.compactions()
        assert user(redact(said[0]["content"])) in sent(fake)[-1]

    def test_where_it_raises_the_turn_goes_through(self) -> None:
        """Nothing of it is stored, and that is told without a word of it."""
        fake, hook = FakeKimi(), QueueHook()
        client, conversation = kept(fake, redact=broken, hooks=(hook,))
        reply = ask(client, [HEAD, user(f"It is {KEY}.")])
        failures = [event for event in hook.drain() if isinstance(event, Failed)]

        assert reply.choices[0].message.content
        assert [] == conversation.history()
        assert [("ValueError", True)] == [(each.error, each.unrecorded) for each in failures]
        assert KEY not in repr(failures)

    def test_a_turn_that_can_be_redacted_is_stored_again(self) -> None:
        """The next one is not lost with it."""
        fake = FakeKimi()
        client, conversation = kept(fake, redact=broken)
        ask(client, [HEAD, user(f"It is {KEY}.")])
        ask(client, [HEAD, user("Hi.")])

        assert user("Hi.") == conversation.history()[0]
        assert 2 == len(conversation.history())

    def test_what_cannot_be_redacted_cannot_be_added(self) -> None:
        """Who asks for it hears of it, and nothing is written."""
        _, conversation = kept(FakeKimi(), redact=broken)
        for attempt in (
            lambda: conversation.add([user(f"It is {KEY}.")]),
            lambda: conversation.pin(f"Never show {KEY}."),
        ):
            with pytest.raises(ValueError, match="cannot redact"):
                attempt()

        assert [] == conversation.history()

    def test_the_asynchronous_one_redacts_alike(self, tmp_path: Path) -> None:
        """In its files and in its requests for summaries."""
        fake = FakeKimi(reply=echo)
        store = f"sqlite:///{tmp_path}/memory.db"

        async def main() -> None:
            client, conversation = kept_async(fake, store=store, redact=redact, budget=BUDGET)
            await conversation.add(turns(45)[:-1])
            await conversation.pin(f"Never show {KEY}.")
            create: Any = client.chat.completions.create
            await create(model="kimi-k2.6", messages=[user(f"So, {KEY}?")], extra_body=OFF)
            assert await conversation.compactions()
            manager = manager_of(client)
            assert isinstance(manager, AsyncMemoryManager)
            await manager.aclose()

        asyncio.run(main())

        assert b"[key]" in on_disk(tmp_path)
        assert KEY.encode() not in on_disk(tmp_path)
        assert KEY not in summarised(fake)


class TestTransparent:
    """Callers who send everything themselves."""

    def compacting(self, fake: FakeKimi, **options: Any) -> None:
        """Send a growing transcript until it was summarised more than once."""
        client = wrap(connect(fake), budget=BUDGET, **{"hooks": (), "redact": redact, **options})
        said = turns(70)
        for stop in range(40, len(said), 6):
            ask(client, said[:stop])
        manager = manager_of(client)
        assert isinstance(manager, MemoryManager)
        manager.close()

    def test_no_key_is_on_the_disk(self, tmp_path: Path) -> None:
        """Originals and notes are kept without it."""
        fake = FakeKimi()
        self.compacting(fake, store=f"sqlite:///{tmp_path}/memory.db")
        written = on_disk(tmp_path)

        assert b"[key]" in written
        assert KEY.encode() not in written

    def test_no_key_is_sent_to_be_summarised(self) -> None:
        """Nor does one stand in the notes; what is verbatim is as the caller sent it."""
        fake = FakeKimi()
        self.compacting(fake)

        assert len(sent(fake, "summary")) > 1
        assert KEY not in summarised(fake)
        assert "[key]" in summarised(fake)
        assert KEY not in sent(fake)[-1][1]["content"]
        assert all(KEY in message["content"] for message in sent(fake)[-1][2:])

    def test_nor_is_one_extracted_or_merged(self) -> None:
        """Whoever writes: the offline summariser, and merges from the originals."""
        fake = FakeKimi()
        self.compacting(fake, clear_tool_results="only", notes=0.1)

        assert [] == sent(fake, "summary")
        assert "an offline extractor" in sent(fake)[-1][1]["content"]
        assert KEY not in sent(fake)[-1][1]["content"]

    def test_the_same_summaries_are_found_again(self) -> None:
        """An input is known by what the caller sent, redacted or not."""
        fake = FakeKimi()
        client = wrap(connect(fake), budget=BUDGET, hooks=(), redact=redact)
        for _ in range(3):
            ask(client, turns(60))

        assert 1 == len({repr(messages) for messages in sent(fake)})
        assert 1 == len(sent(fake, "summary"))

    def test_where_it_raises_the_turn_goes_through(self, tmp_path: Path) -> None:
        """Nothing is stored, and nothing is asked of a summariser."""
        fake, hook = FakeKimi(), QueueHook()
        self.compacting(fake, redact=broken, hooks=(hook,), store=f"sqlite:///{tmp_path}/memory.db")

        assert KEY.encode() not in on_disk(tmp_path)
        assert [] == sent(fake, "summary")
        assert {200} == {request.status for request in fake.requests}
        assert {"ValueError"} == {e.error for e in hook.drain() if isinstance(e, Failed)}
