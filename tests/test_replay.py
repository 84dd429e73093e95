"""Replaying recorded conversations: which requests are made of them, and what the report says."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from fake_kimi_requests import assistant, user
from kimi_clients import MODEL, TOOLS, connect, http_client, is_compacted, talk
from openai import OpenAI

from memory import BudgetError, QueueHook
from memory.demo import load
from memory.events import Compacted
from memory.replay import Report, Step, Turn, join, replay, steps, total
from memory.testing import FakeKimi, Fault

BUDGET = 1_000
"""Tokens that the conversation below exceeds about half way through."""


def conversation(messages: Any = None, **more: Any) -> dict[str, Any]:
    """Return a conversation as `replay` takes it."""
    given = [*talk(30), assistant("Noted.")] if messages is None else messages
    return join([{"id": "talk", "messages": given, **more}], chain=1)[0]


def roles(step: Step) -> str:
    """Return the initials of the roles of what a step sends."""
    return "".join(message["role"][0] for message in step.messages)


class TestJoin:
    """Making long conversations of short ones."""

    FIRST: ClassVar[Any] = {"id": "a", "messages": talk(1), "tools": TOOLS}
    SECOND: ClassVar[Any] = {"id": "b", "messages": [*talk(1, start=1), assistant("Noted.")]}

    def test_every_chain_becomes_one(self) -> None:
        """Each run of so many conversations is joined; the last may be shorter."""
        joined = join([self.FIRST, self.SECOND, self.FIRST], chain=2)

        assert ["a+1", "a"] == [each["id"] for each in joined]

    def test_equal_system_messages_are_left_out(self) -> None:
        """The head of the first is that of the whole; another one stays where it stands."""
        other = {"id": "c", "messages": [{"role": "system", "content": "Other."}, user("Hi")]}
        (joined,) = join([self.FIRST, self.SECOND, other], chain=3)

        assert ["system", "user", "user", "assistant", "system", "user"] == [
            message["role"] for message in joined["messages"]
        ]

    def test_pieces_say_which_tools_hold(self) -> None:
        """Each step declares the tools of the conversation that it belongs to."""
        (joined,) = join([self.SECOND, self.FIRST, self.SECOND], chain=3)
        declared = [list(step.tools) for step in steps(joined)]

        assert [(0, ()), (3, TOOLS), (4, ())] == joined["pieces"]
        assert [[], []] == declared

    def test_keys_of_the_recorder_are_left_out(self) -> None:
        """Keys that begin with an underscore are not part of the wire message."""
        message = {"role": "user", "content": "Hi", "_id": "D1:3", "name": "Eve"}
        (joined,) = join([{"id": "a", "messages": [message]}], chain=1)

        assert [{"role": "user", "content": "Hi", "name": "Eve"}] == joined["messages"]
        assert "_id" in message


class TestSteps:
    """Which requests a conversation stands for."""

    def test_there_is_one_before_each_reply(self) -> None:
        """What stands before a recorded assistant message is what it answered."""
        messages = [*talk(2), assistant("Noted.")]
        found = list(steps(conversation(messages)))

        assert ["su", "suau"] == [roles(step) for step in found]
        assert [messages[2], messages[4]] == [step.reply for step in found]

    def test_without_replies_there_is_one_for_each_question(self) -> None:
        """A list of user messages alone is asked one after the other."""
        found = list(steps(conversation([user("One"), user("Two")])))

        assert [("u", None), ("uu", None)] == [(roles(step), step.reply) for step in found]

    def test_an_opening_of_the_assistant_is_no_request(self) -> None:
        """There is nothing before it to send."""
        messages = [assistant("Hello."), user("Hi"), assistant("How are you?")]

        assert ["au"] == [roles(step) for step in steps(conversation(messages))]

    def test_steps_do_not_share_their_lists(self) -> None:
        """Changing what one step sends leaves the next as it is."""
        one, other = list(steps(conversation(talk(3))))
        one.messages.append(user("More"))

        assert "suau" == roles(other)


@pytest.fixture(name="good", scope="module")
def good_replay() -> tuple[FakeKimi, Report]:
    """Replay the conversation once; return the server and the report."""
    fake = FakeKimi()
    return fake, replay(conversation(), client=connect(fake), budget=BUDGET, hooks=())


class TestReport:
    """What a replay came to."""

    def test_it_agrees_with_the_server(self, good: tuple[FakeKimi, Report]) -> None:
        """Requests, tokens and cached tokens are those that the server billed."""
        fake, report = good
        chats = [request for request in fake.requests if request.kind == "chat"]
        notes = [request for request in fake.requests if request.kind == "summary"]

        assert len(chats) == report.requests == len(report.turns) == 30
        assert len(notes) == report.summarizer_calls == report.compactions > 0
        assert sum(each.prompt_tokens for each in chats) == report.tokens_sent
        assert sum(each.cached_tokens for each in chats) == report.tokens_cached
        assert max(each.prompt_tokens for each in chats) == report.largest_request <= BUDGET
        assert (
            sum(each.prompt_tokens + each.completion_tokens for each in notes)
            == report.tokens_summaries
        )

    def test_a_good_replay_has_no_problems(self, good: tuple[FakeKimi, Report]) -> None:
        """All promises held, and the smallest view used a fair part of the budget."""
        _, report = good
        share = report.smallest_view_share

        assert ([], 0, 0) == (report.problems, report.over_budget, report.rejected)
        assert (True, True, True, False) == (
            report.summary_position_ok,
            report.covered,
            report.tail_exact,
            report.input_mutated,
        )
        assert share is not None
        assert 0.25 <= share <= 1

    def test_the_last_synthetic_message_is_reported(self, good: tuple[FakeKimi, Report]) -> None:
        """The report ends with the notes that the last request carried."""
        fake, report = good

        assert fake.requests[-1].body["messages"][1] == report.synthetic

    def test_the_row_is_flat(self, good: tuple[FakeKimi, Report]) -> None:
        """A row holds figures and no message."""
        row = good[1].row()

        assert {"turns", "synthetic"}.isdisjoint(row)
        assert 0 < row["cached_share"] < 1
        assert row["tokens_sent"] < row["tokens_full"]

    def test_a_short_conversation_is_sent_in_full(self) -> None:
        """Under the budget the prompts are those of the conversation, and nothing is compacted."""
        fake = FakeKimi()
        given = conversation()
        report = replay(given, client=connect(fake), budget=50_000, hooks=())

        assert [step.messages for step in steps(given)] == [
            request.body["messages"] for request in fake.requests
        ]
        assert (0, 0, None, None) == (
            report.compactions,
            report.summarizer_calls,
            report.smallest_view_share,
            report.synthetic,
        )

    def test_full_prompts_are_measured(self) -> None:
        """`tokens_full` is what the caller says a full prompt costs."""
        report = replay(
            conversation(),
            client=connect(FakeKimi()),
            measure=lambda step: len(step.messages),
            budget=BUDGET,
            hooks=(),
        )

        assert sum(range(2, 62, 2)) == report.tokens_full
        assert list(range(2, 62, 2)) == [turn.full for turn in report.turns]

    def test_full_prompts_are_counted_as_the_server_would(
        self, good: tuple[FakeKimi, Report]
    ) -> None:
        """Without a measure the count of full prompts is close to what they would be billed."""
        full = FakeKimi()
        replay(conversation(), client=connect(full), budget=50_000, hooks=())
        billed = sum(request.prompt_tokens for request in full.requests)

        assert billed == pytest.approx(good[1].tokens_full, rel=0.02)

    def test_callbacks_frame_each_request(self) -> None:
        """`before` comes before the request and `after` with what it cost."""
        fake = FakeKimi()
        seen: list[tuple[str, int]] = []
        costs: list[Turn] = []

        def after(_step: Step, turn: Turn) -> None:
            seen.append(("after", len(fake.requests)))
            costs.append(turn)

        report = replay(
            conversation(talk(3)),
            client=connect(fake),
            before=lambda _step: seen.append(("before", len(fake.requests))),
            after=after,
            hooks=(),
        )

        assert [("before", 0), ("after", 1), ("before", 1), ("after", 2)] == seen
        assert report.turns == costs

    def test_replies_can_be_given_to_the_server(self) -> None:
        """With the recorded replies queued, the server says what was said."""
        fake = FakeKimi()
        seen: list[Any] = []
        hooks: Any = {"response": [seen.append]}
        http = http_client(fake, event_hooks=hooks)
        client = OpenAI(api_key="k", base_url="http://fake/v1", http_client=http)
        replay(
            conversation([*talk(2), assistant("Noted.")]),
            client=client,
            before=lambda step: fake.queue_reply(step.reply or ""),
            hooks=(),
        )
        said = [each.json()["choices"][0]["message"]["content"] for each in seen]

        assert [talk(2)[2]["content"], "Noted."] == said

    def test_tools_are_declared(self) -> None:
        """The tools of the conversation go out with every request."""
        fake = FakeKimi()
        replay(conversation(talk(3), tools=TOOLS), client=connect(fake), hooks=())

        assert [TOOLS, TOOLS] == [request.body["tools"] for request in fake.requests]

    def test_the_model_can_be_chosen(self) -> None:
        """Turns and summaries go to the model that was named."""
        fake = FakeKimi()
        replay(conversation(), client=connect(fake), model="kimi-k3", budget=BUDGET, hooks=())

        assert {"kimi-k3"} == {request.body["model"] for request in fake.requests}

    def test_hooks_are_told_as_well(self) -> None:
        """Hooks given to `replay` see the events that it counts."""
        hook = QueueHook()
        report = replay(conversation(), client=connect(FakeKimi()), budget=BUDGET, hooks=(hook,))
        compacted = [event for event in hook.drain() if isinstance(event, Compacted)]

        assert report.compactions == len(compacted)
        assert report.compactions == sum(turn.compacted for turn in report.turns)

    def test_the_client_is_not_changed(self) -> None:
        """The client that was lent sends what it is given afterwards."""
        fake = FakeKimi()
        client = connect(fake)
        replay(conversation(), client=client, budget=BUDGET, hooks=())
        request: Any = {"model": MODEL, "messages": talk(60)}
        client.chat.completions.create(**request)

        assert (OpenAI, talk(60)) == (type(client), fake.requests[-1].body["messages"])


class TestTrouble:
    """What a replay does when something goes wrong."""

    def test_refusals_are_counted(self) -> None:
        """A turn that the server refuses is counted, and the replay goes on."""
        fake = FakeKimi()
        fake.fail_next(Fault.SERVER_ERROR, times=2, only="chat")
        report = replay(conversation(), client=connect(fake), budget=BUDGET, hooks=())

        assert (30, 2) == (report.requests, report.rejected)
        assert [0, 0] == [turn.sent for turn in report.turns[:2]]

    def test_refused_turns_are_no_small_views(self) -> None:
        """A turn that cost nothing because it was refused does not count as the smallest view."""
        fake = FakeKimi()
        report = replay(
            conversation(),
            client=connect(fake),
            before=lambda step: _fail_after(fake, step, 50),
            budget=BUDGET,
            hooks=(),
        )

        assert report.rejected > 0
        assert report.smallest_view_share is not None
        assert report.smallest_view_share >= 0.25

    def test_broken_connections_are_counted(self) -> None:
        """A connection that breaks is a request that failed, like any other."""
        fake = FakeKimi()
        fake.fail_next(Fault.RESET, only="chat")
        report = replay(conversation(talk(4)), client=connect(fake), hooks=())

        assert (3, 1) == (report.requests, report.rejected)

    def test_refused_summaries_are_counted(self) -> None:
        """Requests for summaries that fail are calls, and are refused; the promises hold."""
        fake = FakeKimi()
        fake.fail_always(Fault.CONTENT_FILTER, only="summary")
        report = replay(conversation(), client=connect(fake), budget=BUDGET, hooks=())

        assert report.summarizer_calls == report.rejected == report.compactions > 0
        assert ([], 0) == (report.problems, report.tokens_summaries)

    def test_what_cannot_fit_is_raised(self) -> None:
        """A budget below the smallest possible prompt is the caller's error."""
        with pytest.raises(BudgetError):
            replay(conversation(), client=connect(FakeKimi()), budget=30, hooks=())

    def test_prompts_over_budget_are_problems(self) -> None:
        """What is sent in spite of the budget is counted and named."""
        messages = [user("word " * 3_000), assistant("Long."), user("Short?"), assistant("Yes.")]
        report = replay(
            conversation(messages),
            client=connect(FakeKimi()),
            budget=BUDGET,
            oversize="send",
            hooks=(),
        )

        assert 1 == report.over_budget
        assert ["request 1: prompt_is_within_limit"] == [
            problem.rpartition(":")[0] for problem in report.problems
        ]


def _fail_after(fake: FakeKimi, step: Step, messages: int) -> None:
    if len(step.messages) == messages:
        fake.fail_next(Fault.SERVER_ERROR, only="chat")


class TestTotal:
    """The sum of several reports."""

    def test_figures_are_added_and_promises_are_those_of_all(self) -> None:
        """Counts add up; the largest request, the smallest view and every failure stay visible."""
        good = Report(
            id="a", requests=3, tokens_sent=10, largest_request=5, smallest_view_share=0.5
        )
        bad = Report(
            id="b",
            requests=4,
            tokens_sent=30,
            largest_request=9,
            covered=False,
            input_mutated=True,
            smallest_view_share=0.3,
            problems=["request 1: covered: no"],
        )
        summed = total([good, bad, Report(id="c")])

        assert ("total", 7, 40, 9, 0.3) == (
            summed.id,
            summed.requests,
            summed.tokens_sent,
            summed.largest_request,
            summed.smallest_view_share,
        )
        assert (False, True, True) == (summed.covered, summed.input_mutated, summed.tail_exact)
        assert ["request 1: covered: no"] == summed.problems

    def test_of_nothing_is_empty(self) -> None:
        """No reports sum up to an empty one."""
        assert Report(id="total") == total([])


@pytest.mark.parametrize("budget", [3_000, 12_000])
def test_the_demo_conversation_keeps_every_promise(budget: int) -> None:
    """The conversation that ships with the package is compacted without a problem."""
    fake = FakeKimi()
    report = replay(conversation(load()["messages"]), client=connect(fake), budget=budget, hooks=())

    assert ([], 0, 0) == (report.problems, report.over_budget, report.rejected)
    assert report.compactions >= 1
    assert report.cached_share > 0.7
    assert is_compacted(fake.requests[-1].body["messages"], load()["messages"][:-1])
