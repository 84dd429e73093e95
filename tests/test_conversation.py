"""Conversations with a name: the caller sends what is new, and memory keeps the rest."""

from __future__ import annotations

import datetime as dt
from typing import Any

import openai
import pytest
from chats import (
    NAME,
    SAID,
    STYLES,
    TURN,
    Fragile,
    Style,
    calling,
    contents,
    echo,
    kept,
    last_sent,
    result,
    speaker,
)
from fake_kimi_requests import OFF, assistant, user
from kimi_clients import HEAD, MODEL, TOOLS, ask, connect, sent
from pydantic import BaseModel

from memory import BudgetError, MemoryManager, QueueHook
from memory.errors import StoreError
from memory.events import Failed, Recorded, Skipped, Unaligned
from memory.testing import FakeKimi, Fault

OLD = {"role": "system", "content": "You are brief."}


class TestGoingOn:
    """What the server is sent."""

    def test_the_caller_sends_what_is_new(self) -> None:
        """The server is sent everything that was said, the replies included."""
        fake = speaker()
        client, _ = kept(fake)
        for question in ("One", "Two", "Three"):
            ask(client, [user(question)])

        assert ["One"] == contents(sent(fake)[0])
        assert ["One", "Reply to One", "Two", "Reply to Two", "Three"] == last_sent(fake)

    def test_a_conversation_can_be_entered(self) -> None:
        """Inside the context the calls of the manager's clients go on from it, outside not."""
        fake = speaker()
        manager = MemoryManager(hooks=())
        client = manager.wrap(connect(fake))
        with manager.conversation(NAME) as conversation:
            ask(client, [user("One")])
            ask(client, [user("Two")])
        ask(client, [user("Three")])

        assert [["One"], ["One", "Reply to One", "Two"], ["Three"]] == [
            contents(each) for each in sent(fake)
        ]
        assert 4 == len(conversation.history())

    @pytest.mark.parametrize("last", [0, 1, 2, 3, 4])
    def test_the_end_of_the_history_may_be_sent_too(self, last: int) -> None:
        """Programs that keep a list send it, or its last messages; only what follows is new."""
        fake = speaker()
        client, conversation = kept(fake)
        messages: list[Any] = []
        for question in ("One", "Two"):
            messages.append(user(question))
            messages.append(ask(client, messages).choices[0].message)
        ask(client, [*messages[len(messages) - last :], user("Three")])

        assert ["One", "Reply to One", "Two", "Reply to Two", "Three"] == last_sent(fake)
        assert 6 == len(conversation.history())

    def test_a_first_list_is_a_whole_history(self) -> None:
        """A transcript can be brought along with the first call."""
        fake = speaker()
        client, conversation = kept(fake)
        given = [user("One"), assistant("Uno"), user("Two")]
        ask(client, given)

        assert [*given, assistant("Reply to Two")] == conversation.history()

    def test_strangers_are_all_new_and_told(self) -> None:
        """Several messages of which none ends the conversation are added, with an event."""
        fake, hook = speaker(), QueueHook()
        client, conversation = kept(fake, hooks=(hook,))
        ask(client, [user("One")])
        ask(client, [user("Uno"), assistant("Eins"), user("Two")])
        told = [each for each in hook.drain() if isinstance(each, Unaligned)]

        assert [(NAME, 3)] == [(each.conversation, each.messages) for each in told]
        assert 6 == len(conversation.history())

    @pytest.mark.parametrize("given", [[], [OLD], [HEAD]])
    def test_the_newest_head_is_sent(self, given: Any) -> None:
        """The caller's counts, without one the newest on record; it is no message of its own."""
        fake = speaker()
        client, conversation = kept(fake)
        ask(client, [OLD, user("One")])
        ask(client, [*given, user("Two")])
        ask(client, [user("Three")])
        expected = [*given, OLD][0]["content"]

        assert [expected, expected] == [each[0]["content"] for each in sent(fake)[1:]]
        assert 1 == sum(each["role"] == "system" for each in sent(fake)[-1])
        assert 6 == len(conversation.history())

    def test_a_partial_message_is_completed(self) -> None:
        """What the caller began and the server went on with is one message afterwards."""
        fake = FakeKimi(reply=lambda _: " of crates.")
        client, conversation = kept(fake)
        ask(client, [user("One"), {"role": "assistant", "content": "A pile", "partial": True}])
        ask(client, [user("Two")])

        assert ["One", "A pile of crates.", "Two", " of crates."] == contents(
            conversation.history()
        )

    def test_only_chat_completions_go_on_from_a_conversation(self) -> None:
        """A request of another kind goes out as it is, which is told once."""
        fake, hook = FakeKimi(), QueueHook()
        client, conversation = kept(fake, hooks=(hook,))
        for _ in range(2):
            client.responses.create(model=MODEL, input=[{"role": "user", "content": "Hi"}])
        told = [each for each in hook.drain() if isinstance(each, Skipped)]

        assert [[user("Hi")]] * 2 == [each.body["input"] for each in fake.requests]
        assert 1 == len(told)
        assert [] == conversation.history()


class TestRecording:
    """What goes on record."""

    @pytest.mark.parametrize("style", STYLES)
    def test_every_call_style_is_recorded(self, style: Style) -> None:
        """However the completion is asked for, the next call knows question and answer."""
        fake, hook = FakeKimi(reply=lambda _: SAID), QueueHook()
        client, conversation = kept(fake, hooks=(hook,))
        style(client, TURN[:1])
        assert TURN == conversation.history()

        style(client, [user("And crate 2?")])
        assert [*TURN, user("And crate 2?")] == sent(fake)[-1]
        told = [each for each in hook.drain() if isinstance(each, (Recorded, Failed))]
        assert [(NAME, 2, True)] * 2 == [
            (each.conversation, each.messages, each.complete)
            for each in told
            if isinstance(each, Recorded)
        ]

    def test_parsed_calls_are_recorded_as_they_were_sent(self) -> None:
        """What `parse` makes of the arguments is the caller's, and goes nowhere."""

        class Weigh(BaseModel):
            day: dt.date

        fake = FakeKimi()
        reply = calling("weigh:0")
        reply["tool_calls"][0]["function"] = {
            "name": "Weigh",
            "arguments": '{"day": "2026-11-23"}',
        }
        fake.queue_reply(reply)
        client, conversation = kept(fake)
        client.chat.completions.parse(
            model=MODEL,
            messages=[{"role": "user", "content": "Weigh crate 1."}],
            tools=[openai.pydantic_function_tool(Weigh)],
            extra_body=OFF,
        )
        ask(client, [result("weigh:0")], tools=TOOLS)

        assert reply["tool_calls"] == conversation.history()[1]["tool_calls"]
        assert reply["tool_calls"] == sent(fake)[-1][1]["tool_calls"]

    @pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CONTENT_FILTER, Fault.RESET])
    def test_a_call_that_fails_records_nothing(self, fault: Fault) -> None:
        """It can simply be made again."""
        fake = speaker()
        client, conversation = kept(fake)
        ask(client, [user("One")])
        before = conversation.history()
        fake.fail_next(fault)
        with pytest.raises(openai.APIError):
            ask(client, [user("Two")])
        assert before == conversation.history()

        ask(client, [user("Two")])
        assert [*before, user("Two"), assistant("Reply to Two")] == conversation.history()

    def test_a_call_that_is_repeated_is_recorded_once(self) -> None:
        """The retries of the SDK are one turn."""
        fake = FakeKimi(reply=echo, faults=[Fault.UNAVAILABLE, Fault.RESET])
        client, conversation = kept(fake)
        ask(client.with_options(max_retries=2), [user("One")])

        assert ["One", "Reply to One"] == contents(conversation.history())

    def test_what_cannot_fit_is_not_recorded(self) -> None:
        """A message that is larger than the budget is refused, and the conversation goes on."""
        client, conversation = kept(FakeKimi(reply=echo), budget=600)
        ask(client, [user("One")])
        with pytest.raises(BudgetError):
            ask(client, [user("word " * 2_000)])
        ask(client, [user("Two")])

        assert ["One", "Two"] == contents(conversation.history())[::2]

    @pytest.mark.parametrize(
        ("choice", "expected"), [(0, "Yes."), (1, "Yes. (2)"), (7, "Yes. (2)")]
    )
    @pytest.mark.parametrize("stream", [False, True])
    def test_one_choice_is_recorded(self, choice: int, expected: str, *, stream: bool) -> None:
        """The first, or the one that the setting names; the last where there are fewer."""
        fake = FakeKimi(legacy=True, reply=lambda _: "Yes.")
        client, conversation = kept(fake, choice=choice)
        reply = ask(
            client, [user("One")], model="moonshot-v1-8k", n=2, stream=stream, extra_body={}
        )
        if stream:
            assert list(reply)

        assert ["One", expected] == contents(conversation.history())

    def test_thoughts_are_recorded(self) -> None:
        """What the model thought is sent again, for the models that want it back."""
        fake = FakeKimi(reply=lambda _: {"content": "Yes.", "reasoning_content": "Hm."})
        client, conversation = kept(fake)
        ask(client, [user("One")], extra_body={})

        assert "Hm." == conversation.history()[-1]["reasoning_content"]

    @pytest.mark.parametrize("how", ["with_options", "override"])
    def test_side_calls_leave_no_trace(self, how: str) -> None:
        """They see the conversation, by the client that makes them or by the code around them."""
        fake, manager = speaker(), MemoryManager(hooks=())
        client = manager.with_options(conversation=NAME).wrap(connect(fake))
        side = manager.with_options(conversation=NAME, record=False).wrap(connect(fake))
        ask(client, [HEAD, user("One")])
        before = manager.conversation(NAME).export()
        if how == "with_options":
            ask(side, [OLD, user("Give it a title.")])
        else:
            with manager.override(record=False):
                ask(client, [OLD, user("Give it a title.")])

        assert [OLD["content"], "One", "Reply to One", "Give it a title."] == last_sent(fake)
        assert before == manager.conversation(NAME).export()

    def test_switched_off_nothing_is_added_or_recorded(self) -> None:
        """With `off` a request goes out as it is, in a conversation too."""
        fake = speaker()
        manager = MemoryManager(hooks=())
        client = manager.with_options(conversation=NAME).wrap(connect(fake))
        ask(client, [user("One")])
        with manager.override(off=True):
            ask(client, [user("Two")])

        assert ["Two"] == last_sent(fake)
        assert 2 == len(manager.conversation(NAME).history())

    def test_messages_on_record_are_nobody_elses(self) -> None:
        """Changing what was sent, or what is returned, changes nothing on record."""
        client, conversation = kept(speaker())
        question: Any = {"role": "user", "content": [{"type": "text", "text": "One"}]}
        ask(client, [question])
        for message in (question, conversation.history()[0], conversation.export()["messages"][0]):
            message["content"][0]["text"] = "Changed"

        assert "One" == conversation.history()[0]["content"][0]["text"]


class TestStores:
    """When the store fails."""

    def test_a_conversation_that_cannot_be_read_is_the_callers_to_know(self) -> None:
        """Nothing is sent without its history: the error is raised."""
        fake, store = speaker(), Fragile()
        client, conversation = kept(fake, store=store)
        ask(client, [user("One")])
        store.reads = False
        with pytest.raises(StoreError, match="the disk is gone"):
            ask(client, [user("Two")])
        assert 1 == len(fake.requests)

        store.reads = True
        ask(client, [user("Two")])
        assert 4 == len(conversation.history())

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_reply_is_returned_though_it_cannot_be_recorded(self, *, stream: bool) -> None:
        """The caller paid for it; that it is not on record is told as an event."""
        fake, store, hook = speaker(), Fragile(), QueueHook()
        client, conversation = kept(fake, store=store, hooks=(hook,))
        store.writes = False
        reply = ask(client, [user("One")], stream=stream)
        text = (
            "".join(each.choices[0].delta.content or "" for each in reply)
            if stream
            else reply.choices[0].message.content
        )
        told = [each for each in hook.drain() if isinstance(each, (Failed, Recorded))]

        assert "Reply to One" == text
        assert ["StoreError"] == [each.error for each in told if isinstance(each, Failed)]
        assert [] == conversation.history()
