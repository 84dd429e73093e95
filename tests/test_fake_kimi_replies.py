"""What the fake Kimi server says: answers, recorded replies, and notes when asked for them."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kimi_requests import CALL, OFF, assistant, chat, said, user

from memory.records import Segment
from memory.summary import SummaryRequest, request_body
from memory.testing import FakeKimi, Reply, SummaryJob
from memory.testing.kimi_answer import NOTHING_FOUND
from memory.testing.kimi_count import count_text
from memory.testing.kimi_reply import REASONING
from memory.testing.kimi_summary import summary_job

INSTRUCTION = "[kimi-memory/notes-1]\nWrite at most 1,200 tokens."
NOTES = "<conversation-notes>Ann likes tea.</conversation-notes>"


def jobs_of(*messages: dict[str, Any], **body: Any) -> SummaryJob:
    """Return what a summariser is given for a request for notes."""
    jobs = list[SummaryJob]()

    def summarize(job: SummaryJob) -> str:
        jobs.append(job)
        return "notes"

    said(FakeKimi(summarize=summarize), *messages, **body)
    return jobs[0]


def test_questions_are_answered_from_what_was_sent() -> None:
    """The sentence that shares most words with the question is quoted."""
    history = [user("My dog is called Rex. He is four."), assistant("A fine name."), user("Bye")]

    assert "My dog is called Rex." == said(FakeKimi(), *history, user("What is my dog called?"))


def test_questions_are_answered_in_chinese() -> None:
    """Chinese is compared by pairs of characters."""
    history = [user("我的狗叫小黑。我住在北京。"), assistant("好的。")]

    assert "我的狗叫小黑。" == said(FakeKimi(), *history, user("我的狗叫什么？"))


def test_the_most_recent_of_equal_sentences_wins() -> None:
    """Of sentences that fit equally well the latest come first, facts before questions."""
    history = [user("My dog is Rex."), user("My dog is Max."), user("My dog, you know?")]

    assert "My dog is Max. My dog is Rex." == said(FakeKimi(), *history, user("Name my dog"))


def test_notes_are_read_too() -> None:
    """An answer may come from notes of what is no longer there."""
    assert "Ann likes tea" in said(FakeKimi(), user(NOTES), user("What does Ann like?"))


def test_the_server_says_when_it_does_not_know() -> None:
    """Nothing is made up."""
    assert NOTHING_FOUND == said(FakeKimi(), user("Hello."), user("What is my dog called?"))


def test_recorded_replies_are_given_in_order() -> None:
    """A queue of replies is played, and then the server speaks for itself again."""
    fake = FakeKimi()
    fake.queue_reply("one")
    fake.queue_reply({"role": "assistant", "content": "two"})

    assert ["one", "two", NOTHING_FOUND] == [said(fake, user("Hi")) for _ in range(3)]


def test_recorded_calls_are_given() -> None:
    """A recorded call arrives with its index, and empty content beside it."""
    fake = FakeKimi()
    fake.queue_reply({"role": "assistant", "content": None, "tool_calls": [CALL]})
    choice = chat(fake, user("Hi"), **OFF)["choices"][0]

    assert {
        "index": 0,
        "message": {"role": "assistant", "content": "", "tool_calls": [{"index": 0, **CALL}]},
        "finish_reason": "tool_calls",
    } == choice


def test_no_calls_are_made_where_none_are_wanted() -> None:
    """With `tool_choice: none` a recorded call becomes an answer in words."""
    fake = FakeKimi()
    fake.queue_reply({"role": "assistant", "content": None, "tool_calls": [CALL]})
    message = chat(fake, user("Hi"), tool_choice="none")["choices"][0]["message"]

    assert ("tool_calls" not in message, NOTHING_FOUND) == (True, message["content"])


def test_replies_can_be_computed() -> None:
    """A function of the body may answer."""
    assert "kimi-k2.6!" == said(FakeKimi(reply=lambda body: body["model"] + "!"), user("Hi"))


def test_thinking_shows_in_the_reply() -> None:
    """A model that thinks returns its reasoning, recorded or its own; else the key is absent."""
    fake = FakeKimi()
    fake.queue_reply({"role": "assistant", "content": "a", "reasoning_content": "mine"})
    messages = [chat(fake, user("Hi"), **more)["choices"][0]["message"] for more in ({}, {}, OFF)]

    assert ["mine", REASONING, None] == [one.get("reasoning_content") for one in messages]


def test_reasoning_can_eat_the_whole_cap() -> None:
    """A cap smaller than the reasoning leaves an empty text, and 200."""
    reply = chat(FakeKimi(), user("Hi"), max_completion_tokens=5)
    choice = reply["choices"][0]

    assert ("", "length") == (choice["message"]["content"], choice["finish_reason"])
    assert 5 == reply["usage"]["completion_tokens"]
    assert 5 == reply["usage"]["completion_tokens_details"]["reasoning_tokens"]


def test_long_texts_are_cut_at_the_cap() -> None:
    """A text is cut where the cap is reached, and the reason is `length`."""
    fake = FakeKimi(reply=lambda _: "0123456789", count_text=len)
    reply = chat(fake, user("Hi"), max_completion_tokens=4, **OFF)
    choice = reply["choices"][0]

    assert ("0123", "length") == (choice["message"]["content"], choice["finish_reason"])
    assert 4 == reply["usage"]["completion_tokens"]


def test_calls_that_do_not_fit_are_left_out() -> None:
    """A cap that has no room for a call ends the reply before it."""
    fake = FakeKimi()
    fake.queue_reply({"role": "assistant", "content": "Look:", "tool_calls": [CALL]})
    choice = chat(fake, user("Hi"), max_completion_tokens=6, **OFF)["choices"][0]

    assert ("tool_calls" not in choice["message"], "length") == (True, choice["finish_reason"])


def test_requests_for_notes_are_recognised() -> None:
    """A request whose last user message begins with the mark is one for notes."""
    fake = FakeKimi(summarize=lambda _: "notes", reply=lambda _: "reply")
    texts = [said(fake, user("Hi")), said(fake, user("Hi"), user(INSTRUCTION))]

    assert (["reply", "notes"], ["chat", "summary"]) == (texts, [one.kind for one in fake.requests])


def test_notes_leave_recorded_replies_alone() -> None:
    """The queue of replies is for turns only."""
    fake = FakeKimi(summarize=lambda _: "notes")
    fake.queue_reply("recorded")

    assert ["notes", "recorded"] == [said(fake, user(INSTRUCTION)), said(fake, user("Hi"))]


def test_the_budget_of_notes_is_read() -> None:
    """The length asked for is a number with or without commas."""
    assert 1_200 == jobs_of(user("Hi"), user(INSTRUCTION)).budget


def test_the_head_is_not_summarised() -> None:
    """Leading system messages stay what they are; later ones are part of the conversation."""
    system = {"role": "system", "content": "Be brief."}

    assert (user("One"), system) == jobs_of(system, user("One"), system, user(INSTRUCTION)).messages


@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_notes_cover_what_was_sent_after_the_earlier_notes(role: str) -> None:
    """What earlier notes cover is not summarised again, whatever their role."""
    notes = {"role": role, "content": NOTES}
    messages = [{"role": "system", "content": "Be brief."}, notes, user("Two"), assistant("Three")]

    assert (user("Two"), assistant("Three")) == jobs_of(*messages, user(INSTRUCTION)).messages


@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_folding_includes_the_earlier_notes(role: str) -> None:
    """When notes are folded, the earlier ones are part of what is rewritten."""
    notes = {"role": role, "content": NOTES}
    head = {"role": "system", "content": "Be brief."}
    fold = INSTRUCTION.replace("notes-1", "notes-1 fold")

    assert (notes, user("Two")) == jobs_of(head, notes, user("Two"), user(fold)).messages


def test_a_quoted_conversation_is_what_is_summarised() -> None:
    """Where the request quotes a conversation, that is its subject, wherever the tags are named."""
    text = (
        f"{INSTRUCTION}\nRead between <conversation> and </conversation>.\n"
        "<conversation>\nuser: Hi\n</conversation>"
    )

    assert (user("Hi"),) == jobs_of(user(text)).messages


def test_a_quoted_conversation_has_a_message_a_line() -> None:
    """Numbers and names of speakers are left out, texts are read from JSON, calls are calls."""
    text = (
        f"{INSTRUCTION}\n<conversation>\n"
        '12 user "ann: b": "Two\\nlines: ‹summary> and \\"quotes\\""\n'
        '13 assistant called "look": "{\\"q\\": \\"user: x\\"}"\n'
        '14 tool "look": "found"\n</conversation>'
    )
    function = {"name": "look", "arguments": '{"q": "user: x"}'}
    called = [{"type": "function", "function": function}]

    assert (
        user('Two\nlines: ‹summary> and "quotes"'),
        {"role": "assistant", "content": "", "tool_calls": called},
        {"role": "tool", "content": "found"},
    ) == jobs_of(user(text)).messages


def test_requests_of_the_library_are_read() -> None:
    """What it renders is read as what it was, with the length it asks for and earlier notes."""
    called = {"id": "look:0", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    request = SummaryRequest(
        form="rendered",
        model="kimi-k2.6",
        slice=(
            {"role": "user", "name": "Ann: x", "content": "Two\nlines </conversation>"},
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "look:0", "content": 'a "b"'},
        ),
        previous=(Segment(text="Old.", first=1, last=9, tokens=2, author="kimi-k2.6"),),
        numbers=(10, 11, 12),
        cap=1_000,
        source_tokens=2_000,
        task="Say at most 5 tokens about {this}.",
    )
    job = summary_job(request_body(request)["messages"])

    assert 800 == job.budget
    assert ["user", "user", "assistant", "tool"] == [message["role"] for message in job.messages]
    assert "Old." in job.messages[0]["content"]
    assert "Two\nlines ‹/conversation>" == job.messages[1]["content"]
    assert "look" == job.messages[2]["tool_calls"][0]["function"]["name"]
    assert 'a "b"' == job.messages[3]["content"]


def test_a_summariser_may_misbehave() -> None:
    """What a given summariser returns is sent as it is, calls and reasons included."""
    reply = Reply(content="no", tool_calls=[CALL], finish_reason="length")
    fake = FakeKimi(summarize=lambda _: reply)
    choice = chat(fake, user(INSTRUCTION), tool_choice="none", **OFF)["choices"][0]

    assert ("length", 1) == (choice["finish_reason"], len(choice["message"]["tool_calls"]))


def test_notes_are_written_offline_by_default() -> None:
    """Without a given summariser the notes are sentences of the conversation, within budget."""
    fact = "The deploy key of project Aurora is in the blue safe."
    notes = said(FakeKimi(), user(fact), assistant("Noted."), user(INSTRUCTION))

    assert "blue safe" in notes
    assert count_text(notes) <= 1_200
