"""What can be asked of a conversation, and what can be done with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from chats import NAME, calling, contents, filled, kept, last_sent, result
from fake_kimi_requests import assistant, user
from kimi_clients import (
    BUDGET,
    HEAD,
    NOTES,
    TOOLS,
    ask,
    connect,
    is_compacted,
    sent,
    summaries,
    talk,
)

from memory import Conversation, ConversationBusy, HistoryError, manager_of
from memory.records import Forgotten
from memory.testing import FakeKimi

if TYPE_CHECKING:
    from openai import OpenAI

QUESTION = user("Where does crate 3 stand?")
FEW = talk(3)[1:-1]
"""Two turns, and no head."""


def at(fake: FakeKimi, client: OpenAI, conversation: Conversation) -> OpenAI:
    """Return a client of the same manager that belongs to another conversation."""
    return manager_of(client).with_options(conversation=conversation.name).wrap(connect(fake))


class TestLooking:
    """What a conversation tells of itself."""

    def test_history_is_everything_that_was_said(self) -> None:
        """In order, as it was said, without the head."""
        client, conversation = kept(FakeKimi())
        assert [] == conversation.history()

        reply = ask(client, [HEAD, QUESTION]).choices[0].message.content
        assert [QUESTION, assistant(reply)] == conversation.history()

    def test_messages_are_what_would_be_sent(self) -> None:
        """Head, notes and what is verbatim; the next request begins with them."""
        fake = FakeKimi()
        client, conversation = filled(fake)
        before = conversation.messages()
        ask(client, [QUESTION])

        assert is_compacted(before, [HEAD, *conversation.history()[:-2]])
        assert [*before, QUESTION] == sent(fake)[-1]

    def test_looking_costs_nothing(self) -> None:
        """No request is made and nothing is written, also where a compaction is due."""
        fake = FakeKimi()
        _, conversation = kept(fake, budget=BUDGET)
        conversation.add(talk(60)[:-1])
        before = conversation.export()
        assert 119 == len(conversation.messages())
        assert "compact" == conversation.plan().plan.action

        assert [] == fake.requests
        assert before == conversation.export()

    def test_the_plan_tells_what_the_next_call_will_do(self) -> None:
        """Whether a compaction is due, and which messages it would cover."""
        fake = FakeKimi()
        client, conversation = kept(fake, budget=BUDGET)
        assert "send" == conversation.plan().plan.action

        conversation.add(talk(60)[:-1])
        plan = conversation.plan()
        ask(client, [QUESTION])
        (record,) = conversation.compactions()
        assert "compact" == plan.plan.action
        assert plan.plan.tokens > BUDGET
        assert abs(len(plan.dropped) - record.covered) <= 2

    def test_compactions_say_what_was_summarised(self) -> None:
        """Each holds its summaries, and how many messages they cover."""
        fake = FakeKimi()
        _, conversation = filled(fake)
        record = conversation.compactions()[-1]

        assert 0 < record.covered < 120
        assert record.tokens_after < record.tokens_before
        assert all(each.text in sent(fake)[-1][1]["content"] for each in record.segments)

    def test_an_export_is_json(self) -> None:
        """It can be written, read again, and has everything in it."""
        fake = FakeKimi()
        fake.queue_reply(calling("weigh:0"))
        client, conversation = kept(fake, budget=BUDGET)
        ask(client, [HEAD, user("Weigh.")], tools=TOOLS)
        ask(client, [result("weigh:0")], tools=TOOLS)
        for message in talk(50)[1::2]:
            ask(client, [message])
        export = conversation.export()

        assert export == json.loads(json.dumps(export))
        assert ("kimi-memory/conversation-1", NAME) == (
            export["format"],
            f"{export['user']}/{export['conversation']}",
        )
        assert ([HEAD], True) == (export["head"], export["complete"])
        assert conversation.history() == export["messages"]
        assert len(conversation.compactions()) == len(export["compactions"]) > 0

    def test_its_name_is_its_representation(self) -> None:
        """What is printed says which conversation it is."""
        _, conversation = kept(FakeKimi())
        assert f"Conversation('{NAME}')" == repr(conversation)


class TestChanging:
    """What can be done with a conversation."""

    def test_added_messages_are_part_of_it(self) -> None:
        """Leading system messages are the head from then on; the number of messages is returned."""
        fake = FakeKimi()
        client, conversation = kept(fake)
        numbers = [conversation.add([HEAD, *FEW]), conversation.add([user("Seat 12A.")])]
        ask(client, [QUESTION])

        assert [4, 5] == numbers
        assert [HEAD, *FEW, user("Seat 12A."), QUESTION] == sent(fake)[-1]

    @pytest.mark.parametrize("given", [[7], ["text"], [None]])
    def test_only_messages_can_be_added(self, given: Any) -> None:
        """What is no message is an error, and nothing is written."""
        _, conversation = kept(FakeKimi())
        with pytest.raises(HistoryError):
            conversation.add(given)

        assert [] == conversation.history()

    def test_nothing_is_added_into_an_open_exchange(self) -> None:
        """While results are awaited only these can be added."""
        fake = FakeKimi()
        fake.queue_reply(calling("weigh:0"))
        client, conversation = kept(fake)
        ask(client, [user("Weigh.")], tools=TOOLS)
        with pytest.raises(ConversationBusy):
            conversation.add([user("Quickly.")])
        conversation.add([result("weigh:0")])
        conversation.add([assistant("12 kg."), user("So?")])

        assert ["Weigh.", "", "12 kg", "12 kg.", "So?"] == contents(conversation.history())

    def test_open_calls_are_refused_before_anything_is_sent(self) -> None:
        """The error names the conversation and the calls, and going back resolves it."""
        fake = FakeKimi()
        fake.queue_reply(calling("weigh:0", "weigh:1"))
        client, conversation = kept(fake)
        ask(client, [user("Weigh.")], tools=TOOLS)
        before = conversation.export()
        with pytest.raises(ConversationBusy, match="weigh:0, weigh:1") as caught:
            ask(client, [user("Quickly.")])

        assert (NAME, ("weigh:0", "weigh:1")) == (caught.value.conversation, caught.value.missing)
        assert (1, before) == (len(fake.requests), conversation.export())
        conversation.rewind(1)
        ask(client, [user("Never mind.")])
        assert ["Weigh.", "Never mind."] == last_sent(fake)

    def test_results_answer_open_calls(self) -> None:
        """They may come alone or with what came before them, and are recorded with the reply."""
        fake = FakeKimi()
        client, conversation = kept(fake)
        for again in (0, 1, 2):
            fake.queue_reply(calling("weigh:0"))
            ask(client, [user(f"Weigh crate {again}.")], tools=TOOLS)
            known = conversation.history()
            ask(client, [*known[len(known) - again :], result("weigh:0")], tools=TOOLS)

        assert ["user", "assistant", "tool", "assistant"] * 3 == [
            each["role"] for each in conversation.history()
        ]

    def test_a_compaction_can_be_undone(self) -> None:
        """What it covered is verbatim again, until a prompt needs another one."""
        fake = FakeKimi()
        client, conversation = filled(fake, turns=40)
        record = conversation.compactions()[-1]
        paid = len(summaries(fake))

        assert record == conversation.undo()
        assert [HEAD, *conversation.history()] == conversation.messages()
        ask(client, [QUESTION])
        assert NOTES in last_sent(fake)[1]
        assert paid + 1 == len(summaries(fake))

    def test_with_nothing_to_undo_nothing_is_undone(self) -> None:
        """None says so."""
        _, conversation = kept(FakeKimi())
        conversation.add(FEW)
        assert conversation.undo() is None
        assert FEW == conversation.history()

    def test_a_conversation_can_be_taken_back(self) -> None:
        """It goes on from the place it was taken back to, and tells how much was left behind."""
        fake = FakeKimi()
        client, conversation = kept(fake)
        conversation.add(FEW)
        left = conversation.rewind(2)
        ask(client, [QUESTION])

        assert 2 == left
        assert [*FEW[:2], QUESTION] == sent(fake)[-1]
        with pytest.raises(HistoryError, match="0 to 4"):
            conversation.rewind(5)

    @pytest.mark.parametrize("name", ["other", None])
    def test_a_fork_goes_its_own_way(self, name: str | None) -> None:
        """It has the same head and beginning, and neither sees what the other says then."""
        fake = FakeKimi()
        client, conversation = kept(fake)
        conversation.add([HEAD, *FEW])
        other = conversation.fork(2, name=name)
        ask(at(fake, client, other), [QUESTION])

        assert (name == "other") is (other.name == "other")
        assert conversation.name != other.name
        assert [HEAD, *FEW[:2], QUESTION] == sent(fake)[-1]
        assert (4, 4) == (len(conversation.history()), len(other.history()))

    def test_a_fork_needs_a_name_of_its_own(self) -> None:
        """One that has messages already is an error."""
        _, conversation = kept(FakeKimi())
        conversation.add(FEW)
        conversation.fork(name="other")
        for name in ("other", NAME):
            with pytest.raises(HistoryError, match="another name"):
                conversation.fork(name=name)

    def test_a_fork_does_not_pay_again(self) -> None:
        """What was summarised before is not summarised again, in either of them."""
        fake = FakeKimi()
        client, conversation = filled(fake, turns=40)
        paid = len(summaries(fake))
        ask(at(fake, client, conversation.fork()), [QUESTION])
        ask(client, [QUESTION])

        assert NOTES in last_sent(fake)[1]
        assert paid == len(summaries(fake))

    def test_a_forgotten_conversation_begins_anew(self) -> None:
        """Head, messages, and compactions are gone; others stay."""
        fake = FakeKimi()
        client, conversation = filled(fake, turns=40)
        other = conversation.fork(2)
        assert conversation.forget().records > 40
        assert Forgotten() == conversation.forget()
        ask(client, [QUESTION])

        assert [QUESTION] == sent(fake)[-1]
        assert (2, 2) == (len(conversation.history()), len(other.history()))
