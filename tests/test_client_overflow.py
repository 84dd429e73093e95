"""A wrapped client in front of a server that takes less than the budget says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import openai
import pytest
from fake_kimi_requests import assistant, user
from kimi_clients import (
    BUDGET,
    HEAD,
    MODEL,
    ask,
    ask_async,
    connect,
    connect_async,
    is_compacted,
    sent,
    summaries,
    talk,
)
from openai import AsyncOpenAI, OpenAI
from small_servers import ROOMY, of_kind, quarters, refusals, remembering, server
from workbench import WordCounter, words

from memory import MemoryManager, QueueHook, wrap
from memory.client import manager_of
from memory.events import Event, Recorded, Resent, WindowLearned
from memory.models import UNKNOWN_WINDOW
from memory.testing import FakeKimi
from memory.testing.kimi_chat import Overflow
from memory.testing.kimi_models import Model

WINDOW = 3_000
WORDINGS: list[Overflow] = ["requested", "limit", "too-long"]


def turn(number: int) -> dict[str, Any]:
    """Return the question of a turn, of about 40 tokens."""
    return user(f"Crate {number}: " + words(24, f"n{number}-"))


def converse(
    fake: FakeKimi, turns: int, style: Callable[..., str], *, tokenizer: Any = quarters, **more: Any
) -> tuple[list[dict[str, Any]], list[Event]]:
    """Talk to a server for so many turns; return the whole conversation and the events."""
    hook = QueueHook()
    wrapped = remembering(fake, hooks=(hook,), tokenizer=tokenizer)
    messages = [dict(HEAD)]
    for number in range(turns):
        messages.append(turn(number))
        messages.append(assistant(style(wrapped, messages, **more)))
    return messages, hook.drain()


def plain(client: OpenAI, messages: list[dict[str, Any]], **more: Any) -> str:
    """Ask, and return what is said."""
    return str(ask(client, messages, **more).choices[0].message.content)


def streamed(client: OpenAI, messages: list[dict[str, Any]], **more: Any) -> str:
    """Ask for a stream, and return what is said."""
    chunks = ask(client, messages, stream=True, **more)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def raw(client: OpenAI, messages: list[dict[str, Any]], **more: Any) -> str:
    """Ask for a raw response, and return what is said."""
    create: Any = client.chat.completions.with_raw_response.create
    return str(create(messages=messages, model=MODEL, **more).parse().choices[0].message.content)


def unread(client: OpenAI, messages: list[dict[str, Any]], **more: Any) -> str:
    """Ask for a response that is not read yet, and return what is said."""
    create: Any = client.chat.completions.with_streaming_response.create
    with create(messages=messages, model=MODEL, **more) as response:
        return str(response.parse().choices[0].message.content)


class TestWindow:
    """The prompt is larger than the window of the model."""

    @pytest.mark.parametrize("wording", WORDINGS)
    def test_a_hundred_turns_complete(self, wording: Overflow) -> None:
        """The caller sees no error, and the server refuses next to nothing."""
        fake = server(context_length=WINDOW, overflow=wording)
        messages, events = converse(fake, 100, plain)
        (learned,) = of_kind(events, WindowLearned)

        assert [400] == [each.status for each in fake.requests if each.status != 200]
        assert ["compaction"] == [event.change for event in of_kind(events, Resent)]
        assert is_compacted(sent(fake)[-1], messages[:-1])
        if wording == "too-long":
            assert WINDOW <= learned.window <= 1.1 * WINDOW
        else:
            assert (WINDOW, True) == (learned.window, learned.stated)

    @pytest.mark.parametrize("share", [0.5, 2.0])
    @pytest.mark.parametrize("wording", WORDINGS)
    def test_a_wrong_count_is_no_obstacle(self, wording: Overflow, share: float) -> None:
        """However far the counts of both sides are apart, they converge."""

        def wrong(text: str) -> int:
            return round(share * quarters(text))

        fake = server(context_length=WINDOW, overflow=wording)
        converse(fake, 80, plain, tokenizer=wrong)

        assert 1 <= len(refusals(fake)) <= 2

    @pytest.mark.parametrize("style", [streamed, raw, unread])
    def test_every_call_style_is_mended(self, style: Callable[..., str]) -> None:
        """What is returned at last is what the SDK returns."""
        fake = server(context_length=1_500)
        messages, events = converse(fake, 40, style)

        assert {"Noted."} == {m["content"] for m in messages if m["role"] == "assistant"}
        assert [400] == refusals(fake)
        assert ["compaction"] == [event.change for event in of_kind(events, Resent)]

    @pytest.mark.parametrize("stream", [False, True])
    def test_asynchronous_clients_are_mended(self, *, stream: bool) -> None:
        """The same goes for them."""
        fake = server(context_length=1_500)
        hook = QueueHook()

        async def scenario() -> None:
            wrapped = wrap(connect_async(fake), budget=ROOMY, tokenizer=quarters, hooks=(hook,))
            messages = [dict(HEAD)]
            for number in range(40):
                messages.append(turn(number))
                messages.append(assistant(await said(wrapped, messages)))

        async def said(wrapped: AsyncOpenAI, messages: Any) -> str:
            reply = await ask_async(wrapped, messages, stream=stream)
            if not stream:
                return str(reply.choices[0].message.content)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in reply])

        asyncio.run(scenario())

        assert [400] == refusals(fake)
        assert [1_500] == [event.window for event in of_kind(hook.drain(), WindowLearned)]

    @pytest.mark.parametrize("wording", WORDINGS)
    @pytest.mark.parametrize("name", ["max_completion_tokens", "max_tokens"])
    def test_a_reply_that_never_fits_is_lowered(self, name: str, wording: Overflow) -> None:
        """A `max_completion_tokens` beyond the window is refused once and then made to fit."""
        fake = server(context_length=WINDOW, overflow=wording)
        converse(fake, 60, plain, **{name: 32_768})
        caps = [request.body[name] for request in fake.requests if request.kind == "chat"]

        assert 32_768 == caps[0]
        assert max(caps[2:]) < WINDOW
        assert 1 <= len(refusals(fake)) <= 2

    def test_a_refusal_without_a_number_does_not_end_everything(self) -> None:
        """Where the room for the reply was too much, the next call is sent as it is."""
        fake = server(context_length=WINDOW, overflow="too-long")
        wrapped = remembering(fake)
        with suppress(openai.BadRequestError):
            ask(wrapped, talk(3), max_completion_tokens=32_768)
        ask(wrapped, talk(10))

        assert talk(10) == sent(fake)[-1]
        assert 200 == fake.requests[-1].status

    @pytest.mark.parametrize("cap", [2_300, 2_900, 2_999])
    def test_a_call_that_was_mended_goes_on_working(self, cap: int) -> None:
        """Less room for the reply is what it gets from then on, and no `BudgetError`."""
        fake = server(context_length=WINDOW)
        wrapped = remembering(fake)
        for _ in range(3):
            ask(wrapped, talk(15), max_completion_tokens=cap)
        bodies = [r.body for r in fake.requests if r.status == 200 and r.kind == "chat"]

        assert [400] == refusals(fake)
        assert 3 == len(bodies)
        assert 1 == len({body["max_completion_tokens"] for body in bodies})
        assert [talk(15)] * 3 == [body["messages"] for body in bodies]

    def test_what_a_manager_learnt_holds_for_all_its_clients(self) -> None:
        """The second client is not refused, and neither is a derived one."""
        fake = server(context_length=4_000)
        manager = MemoryManager(budget=ROOMY, tokenizer=quarters, hooks=())
        ask(manager.wrap(connect(fake)), talk(90))
        other = manager.wrap(connect(fake))
        ask(other, talk(90, start=100))
        ask(other.with_options(timeout=30), talk(90, start=200))
        with manager.override(budget=ROOMY + 1):
            ask(other, talk(90, start=300))

        assert [400] == refusals(fake)

    @pytest.mark.parametrize("turns", [40, 60, 120])
    def test_no_summary_is_asked_for_that_cannot_fit(self, turns: int) -> None:
        """What is known of the window holds for the request for a summary as well."""
        fake = server(context_length=1_800)
        ask(remembering(fake), talk(turns))

        assert [400] == [request.status for request in fake.requests if request.status != 200]
        assert is_compacted(sent(fake)[-1], talk(turns))

    def test_an_unknown_model_may_have_a_larger_window_than_it_is_taken_to(self) -> None:
        """What the server states is the window, whatever is assumed of models nobody knows."""
        counter = WordCounter()
        model = Model(id="someone-elses", family="k2.6", context_length=160_000)
        fake = server(models=[model], count_text=lambda text: int(counter.count(text)))
        hook = QueueHook()
        tokenizer: Any = lambda text: int(counter.count(text))  # noqa: E731
        wrapped = wrap(connect(fake), budget=10**6, hooks=(hook,), tokenizer=tokenizer)
        messages = [dict(HEAD), user(words(102_000)), assistant("Yes."), user(words(30_000, "m"))]
        ask(wrapped, messages, model=model.id)
        large = [*messages, assistant("Yes."), user(words(50_000, "l"))]
        ask(wrapped, large, model=model.id)
        ask(wrapped, messages, model=model.id)
        learned = of_kind(hook.drain(), WindowLearned)

        assert [400] == refusals(fake)
        assert [160_000] == [event.window for event in learned]
        assert UNKNOWN_WINDOW < fake.requests[-1].prompt_tokens
        assert messages == sent(fake)[-1]

    def test_a_conversation_goes_on(self) -> None:
        """Where memory keeps the messages, each turn is on record once."""
        fake = server(context_length=1_500)
        hook = QueueHook()
        wrapped = remembering(fake, hooks=(hook,), conversation="trip")
        for number in range(40):
            plain(wrapped, [HEAD, turn(number)])
        manager = manager_of(wrapped)
        assert isinstance(manager, MemoryManager)

        assert [400] == refusals(fake)
        assert 40 == len(of_kind(hook.drain(), Recorded))
        assert 80 == len(manager.conversation("trip").history())

    def test_calls_at_once_are_all_mended(self) -> None:
        """They pay for one summary."""
        fake = server(context_length=WINDOW)
        wrapped = remembering(fake)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: plain(wrapped, talk(60)), range(8)))

        assert 8 == len(replies)
        assert 1 == len(summaries(fake))

    @pytest.mark.parametrize("wording", WORDINGS)
    def test_what_cannot_be_made_smaller_is_refused(self, wording: Overflow) -> None:
        """The caller gets the error of the server, which says what may not be dropped."""
        fake = server(context_length=WINDOW, overflow=wording)
        wrapped = remembering(fake)
        with pytest.raises(openai.BadRequestError) as caught:
            ask(wrapped, [HEAD, user(words(WINDOW))])
        (note,) = caught.value.__notes__

        assert "last user message" in note
        assert [400] == refusals(fake)
        assert [] == summaries(fake)

    def test_an_error_about_something_else_is_the_callers(self) -> None:
        """It is raised at once and nothing is sent again."""
        fake = server()
        hook = QueueHook()
        with pytest.raises(openai.BadRequestError, match=r"only 0\.6 is allowed"):
            ask(wrap(connect(fake), budget=BUDGET, hooks=(hook,)), talk(3), temperature=0.1)

        assert 1 == len(fake.requests)
        assert [] == of_kind(hook.drain(), WindowLearned)
