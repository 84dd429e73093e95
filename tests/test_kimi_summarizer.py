"""Asking Kimi for a summary: what comes of it when the answer is no good, or there is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity
from fake_kimi_requests import CALL, user
from kimi_clients import (
    BUDGET,
    MODEL,
    TOOLS,
    ask,
    async_http_client,
    compact,
    connect,
    http_client,
    httpx_library,
    is_compacted,
    sent,
    summaries,
    talk,
    transport,
)
from openai import AsyncOpenAI, OpenAI

from memory import MemoryManager, QueueHook, wrap
from memory.errors import SummaryError
from memory.events import Accepted, Event, FellBack, Rejected
from memory.summarizers.kimi import AsyncKimiSummarizer, KimiSummarizer
from memory.summary import SummaryRequest
from memory.testing import FakeKimi, Fault, Reply


@pytest.fixture(name="waits")
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let retries wait no time; return the list of the seconds they asked for."""
    waits: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=waits.append))
    return waits


def answer(text: str) -> Callable[[Any], str]:
    """Return a summariser of the server's that always writes one text."""
    return lambda _job: text


class TestFailures:
    """The user's turn succeeds, the budget holds, and events tell why the notes are not Kimi's."""

    @pytest.mark.parametrize(
        ("fault", "attempts", "reason"),
        [
            (Fault.SERVER_ERROR, 2, "500"),
            (Fault.UNAVAILABLE, 2, "503"),
            (Fault.GATEWAY_TIMEOUT, 2, "504"),
            (Fault.OVERLOADED, 2, "429 engine_overloaded_error"),
            (Fault.RPM, 2, "429 rate_limit_reached_error"),
            (Fault.CONCURRENCY, 2, "429 rate_limit_reached_error"),
            (Fault.QUOTA, 1, "429 exceeded_current_quota_error"),
            (Fault.BALANCE, 1, "429 exceeded_current_quota_error"),
            (Fault.CONTENT_FILTER, 1, "400 content_filter"),
            (Fault.WRONG_KEY, 1, "401 incorrect_api_key_error"),
            (Fault.RETIRED, 1, "404 resource_not_found_error"),
            (Fault.RESET, 2, "APIConnectionError"),
        ],
        ids=lambda value: getattr(value, "name", None),
    )
    @pytest.mark.usefixtures("waits")
    def test_each_fault_falls_back(self, fault: Fault, attempts: int, reason: str) -> None:
        """What can be retried is asked twice, everything else once; then the extractor writes."""
        fake = FakeKimi()
        fake.fail_always(fault, only="summary")
        events = compact(fake)
        rejected = [event for event in events if isinstance(event, Rejected)]

        assert attempts == len(summaries(fake))
        assert [True] == [reason in event.reason for event in rejected]
        self.expect_extract(fake, events)

    def expect_extract(self, fake: FakeKimi, events: Sequence[Event]) -> None:
        """Check that the offline summariser stood in and that the turn went out."""
        reasons = [event.reason for event in events if isinstance(event, Rejected)]

        assert reasons[-1:] == [event.reason for event in events if isinstance(event, FellBack)]
        assert "extractive" == next(e.author for e in events if isinstance(e, Accepted))
        assert is_compacted(sent(fake)[-1], talk(60))
        assert fake.requests[-1].prompt_tokens <= BUDGET

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (Fault.EMPTY, "it is blank"),
            (Fault.TRUNCATED, "finish_reason is 'length'"),
            (Fault.REFUSAL, "it declines"),
            (Fault.TOOL_CALL, "it calls a tool"),
            (Fault.REASONING_ONLY, "finish_reason is 'length'"),
            (Fault.OVERLONG, "may have"),
        ],
        ids=lambda value: getattr(value, "name", None),
    )
    def test_each_bad_reply_is_corrected_once(self, fault: Fault, reason: str) -> None:
        """The second request says what was wrong with the first; then the extractor writes."""
        fake = FakeKimi()
        fake.fail_always(fault, only="summary")
        events = compact(fake)
        rejected = [event.reason for event in events if isinstance(event, Rejected)]
        first, second = (body["messages"][-1]["content"] for body in summaries(fake))

        assert 2 == len(rejected)
        assert reason in rejected[0]
        assert "An earlier answer" not in first
        assert f"An earlier answer to this was not usable: {rejected[0]}." in second
        self.expect_extract(fake, events)

    @pytest.mark.parametrize("fault", [Fault.EMPTY, Fault.TRUNCATED, Fault.REFUSAL])
    def test_a_corrected_reply_is_used(self, fault: Fault) -> None:
        """A model that does better when it is told costs one request more."""
        fake = FakeKimi(summarize=answer("Sixty crates came in."))
        fake.fail_next(fault, only="summary")
        events = compact(fake)

        assert 2 == len(summaries(fake))
        assert 1 == len([event for event in events if isinstance(event, Rejected)])
        assert [] == [event for event in events if isinstance(event, FellBack)]
        assert "Sixty crates came in." in sent(fake)[-1][1]["content"]

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            ("", "blank"),
            ("  \n\t ", "blank"),
            ({"content": "", "tool_calls": [CALL]}, "calls a tool"),
            ({"content": "Notes.", "tool_calls": [CALL]}, "calls a tool"),
            ("crate " * 2_000, "length"),
            (Reply(content="Notes.", finish_reason="length"), "length"),
        ],
    )
    def test_each_bad_answer_falls_back(self, said: Any, reason: str) -> None:
        """An answer that is no finished text of the right length is refused, twice at most."""
        fake = FakeKimi(summarize=lambda _job: said)
        events = compact(fake, tools=TOOLS)

        assert 2 == len(summaries(fake))
        assert [True, True] == [reason in e.reason for e in events if isinstance(e, Rejected)]
        self.expect_extract(fake, events)

    def test_a_text_longer_than_its_cap_is_refused(self) -> None:
        """Where thinking leaves room for more than was asked for, the length is checked here."""
        fake = FakeKimi(summarize=answer("crate " * 600))
        events = compact(fake, model="kimi-k3", extra_body=None)

        assert [True, True] == ["may have" in e.reason for e in events if isinstance(e, Rejected)]
        assert fake.requests[-1].prompt_tokens <= BUDGET

    @pytest.mark.usefixtures("waits")
    def test_one_failure_is_made_good(self) -> None:
        """A summary that comes at the second attempt is used."""
        fake = FakeKimi(summarize=answer("Sixty crates came in."))
        fake.fail_next(Fault.SERVER_ERROR, only="summary")
        events = compact(fake)

        assert 2 == len(summaries(fake))
        assert [] == [event for event in events if isinstance(event, (Rejected, FellBack))]
        assert "Sixty crates came in." in sent(fake)[-1][1]["content"]

    def test_it_waits_as_long_as_the_server_asks(self, waits: list[float]) -> None:
        """`Retry-After` is the time until the second attempt."""
        fake = FakeKimi()
        fake.fail_next(Fault.RPM, only="summary")
        compact(fake)

        assert ([1.0], 2) == (waits, len(summaries(fake)))

    def test_it_does_not_wait_past_the_deadline(self, waits: list[float]) -> None:
        """Where the server asks for more time than there is, the extractor writes at once."""
        fake = FakeKimi()
        fake.fail_next(Fault.RPM, only="summary")
        compact(fake, memory={"summary_deadline": 0.5})

        assert ([], 1) == (waits, len(summaries(fake)))

    def test_the_clients_own_retries_are_not_used(self, waits: list[float]) -> None:
        """However often the client retries turns, a summary is asked for twice at most."""
        fake = FakeKimi()
        fake.fail_always(Fault.SERVER_ERROR, only="summary")
        ask(wrap(connect(fake, max_retries=5), budget=BUDGET), talk(60))

        assert (2, 1) == (len(summaries(fake)), len(waits))

    def test_a_slow_answer_is_not_waited_for(self) -> None:
        """The deadline ends a request that takes longer; the turn goes out."""
        fake = FakeKimi(slow_seconds=30.0)
        fake.fail_always(Fault.SLOW, only="summary")
        started = time.monotonic()
        events = compact(fake, memory={"summary_deadline": 0.1})

        assert time.monotonic() - started < 5
        assert [True] == ["APITimeoutError" in e.reason for e in events if isinstance(e, Rejected)]
        assert is_compacted(sent(fake)[-1], talk(60))

    def test_the_deadline_holds_for_both_attempts_together(self) -> None:
        """What the first attempt took is no longer there for the second."""
        fake = FakeKimi(slow_seconds=30.0)
        fake.fail_next(Fault.SERVER_ERROR, only="summary")
        fake.fail_next(Fault.SLOW, only="summary")
        inner = transport(fake)

        class Sluggish(httpx_library.BaseTransport):
            def handle_request(self, request: httpx_library.Request) -> httpx_library.Response:
                if not fake.requests:
                    time.sleep(0.6)
                return inner.handle_request(request)

        client = connect(fake).copy(http_client=http_client(Sluggish()))
        started = time.monotonic()
        ask(wrap(client, budget=BUDGET, summary_deadline=1.2), talk(60))

        assert time.monotonic() - started < 1.5

    def test_the_timeout_of_the_turn_is_not_the_summarys(self) -> None:
        """A client with a short timeout still has the whole deadline for its summaries."""
        fake = FakeKimi(slow_seconds=0.05)
        fake.fail_next(Fault.SLOW, only="summary")
        wrapped = wrap(connect(fake), budget=BUDGET).with_options(timeout=0.02)
        ask(wrapped, talk(60))

        assert [200, 200] == [request.status for request in fake.requests]
        (timeout,) = (
            float(each.headers["x-stainless-read-timeout"])
            for each in fake.requests
            if each.kind == "summary"
        )
        assert 55.0 < timeout <= 60.0

    def test_a_failed_summary_is_not_asked_for_again_by_the_next_turn(self) -> None:
        """The extractor's notes hold until the next compaction is due."""
        fake = FakeKimi()
        fake.fail_always(Fault.CONTENT_FILTER, only="summary")
        wrapped = wrap(connect(fake), budget=BUDGET)
        ask(wrapped, talk(60))
        ask(wrapped, talk(61))

        assert 1 == len(summaries(fake))


class TestDirectly:
    """`KimiSummarizer` by itself."""

    REQUEST = SummaryRequest(
        form="shared",
        model=MODEL,
        prefix=(talk(1)[0],),
        slice=tuple(talk(20)[1:]),
        cap=200,
        source_tokens=1_200,
        deadline=5.0,
    )

    def test_a_draft_says_who_wrote_it_and_what_it_cost(self) -> None:
        """Text, author, reason and the tokens of the text, the end of the turn left out."""
        fake = FakeKimi(summarize=answer("Twenty crates came in."))
        draft = KimiSummarizer(connect(fake)).summarize(self.REQUEST)

        assert ("Twenty crates came in.", MODEL, "stop", False) == (
            draft.text,
            draft.author,
            draft.finish_reason,
            draft.tool_calls,
        )
        assert fake.requests[0].completion_tokens - 1 == draft.tokens

    def test_thoughts_are_not_part_of_the_cost(self) -> None:
        """Tokens of reasoning do not count as tokens of the text."""
        fake = FakeKimi(summarize=answer("Twenty crates came in."))
        plain = KimiSummarizer(connect(fake)).summarize(self.REQUEST)
        thought = SummaryRequest(
            form="shared", model="kimi-k3", prefix=(), slice=(user("Hi"),), cap=99, source_tokens=9
        )

        assert plain.tokens == KimiSummarizer(connect(fake)).summarize(thought).tokens

    @pytest.mark.parametrize(
        ("fault", "kind", "after"),
        [
            (Fault.SERVER_ERROR, "retryable", None),
            (Fault.RPM, "retryable", 1.0),
            (Fault.TPD, "retryable", None),
            (Fault.OVERLOADED, "retryable", None),
            (Fault.RESET, "retryable", None),
            (Fault.QUOTA, "final", None),
            (Fault.BALANCE, "final", None),
            (Fault.WRONG_KEY, "final", None),
            (Fault.RETIRED, "final", None),
            (Fault.CONTENT_FILTER, "filtered", None),
        ],
        ids=lambda value: getattr(value, "name", None),
    )
    def test_errors_say_whether_to_ask_again(
        self, fault: Fault, kind: str, after: float | None
    ) -> None:
        """A failure is a `SummaryError` with what the server said about trying again."""
        fake = FakeKimi(faults=[fault])
        with pytest.raises(SummaryError) as caught:
            KimiSummarizer(connect(fake, max_retries=3)).summarize(self.REQUEST)

        said = {name: getattr(caught.value, name) for name in ("retryable", "final", "filtered")}
        assert {name: name == kind for name in said} == said
        assert after == caught.value.retry_after
        assert 1 == len(fake.requests)

    def test_both_colours_ask_alike(self) -> None:
        """The asynchronous twin sends the same request and returns the same draft."""
        plain, other = FakeKimi(), FakeKimi()
        http = async_http_client(other)
        client = AsyncOpenAI(api_key="sk-test", base_url="http://fake/v1", http_client=http)
        expected = KimiSummarizer(connect(plain)).summarize(self.REQUEST)

        assert expected == asyncio.run(AsyncKimiSummarizer(client).summarize(self.REQUEST))
        assert plain.requests[0].body == other.requests[0].body

    @pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.QUOTA, Fault.RESET])
    def test_both_colours_fail_alike(self, fault: Fault) -> None:
        """The asynchronous twin raises the same error."""
        plain, other = FakeKimi(faults=[fault]), FakeKimi(faults=[fault])
        http = async_http_client(other)
        client = AsyncOpenAI(api_key="sk-test", base_url="http://fake/v1", http_client=http)
        with pytest.raises(SummaryError) as expected:
            KimiSummarizer(connect(plain)).summarize(self.REQUEST)
        with pytest.raises(SummaryError) as actual:
            asyncio.run(AsyncKimiSummarizer(client).summarize(self.REQUEST))

        assert (str(expected.value), expected.value.retryable) == (
            str(actual.value),
            actual.value.retryable,
        )

    def test_a_reply_without_choices_is_an_error(self) -> None:
        """A server that answers with nothing gets a second chance."""
        body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": []}
        answers = httpx_library.MockTransport(lambda _: httpx_library.Response(200, json=body))
        client = OpenAI(api_key="k", base_url="http://fake/v1", http_client=http_client(answers))
        with pytest.raises(SummaryError, match="no choices") as caught:
            KimiSummarizer(client).summarize(self.REQUEST)

        assert caught.value.retryable

    @pytest.mark.parametrize(
        "text", ["<html>Bad gateway</html>", "null", '"gone"', "[]", '{"choices": null}']
    )
    def test_a_reply_that_is_no_completion_is_an_error(self, text: str) -> None:
        """What a broken proxy sends with status 200 is a `SummaryError` like any other."""
        headers = {"content-type": "application/json" if text[0] != "<" else "text/html"}
        answers = httpx_library.MockTransport(
            lambda _: httpx_library.Response(200, text=text, headers=headers)
        )
        client = OpenAI(api_key="k", base_url="http://fake/v1", http_client=http_client(answers))
        with pytest.raises(SummaryError):
            KimiSummarizer(client).summarize(self.REQUEST)


def test_a_broken_reply_costs_the_turn_nothing() -> None:
    """Also a summariser that raises something unexpected only costs Kimi's notes."""

    class Broken:
        def summarize(self, _request: SummaryRequest) -> Any:
            message = "the text could quote a message"
            raise ZeroDivisionError(message)

    fake, hook = FakeKimi(), QueueHook()
    manager = MemoryManager(budget=BUDGET, summarizer=Broken(), hooks=(hook,))
    ask(manager.wrap(connect(fake)), talk(60))
    reasons = [event.reason for event in hook.drain() if isinstance(event, Rejected)]

    assert ["the summariser failed: ZeroDivisionError"] == reasons
    assert is_compacted(sent(fake)[-1], talk(60))
