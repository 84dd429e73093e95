"""The faults the fake server can be told to have, as an OpenAI client meets them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from kimi_clients import STREAM_ERRORS, async_http_client, http_client, httpx_library
from openai import AsyncOpenAI, OpenAI

from memory.testing import FakeKimi, Fault

HELLO: Any = [{"role": "user", "content": "Hello"}]
NOTES: Any = [*HELLO, {"role": "user", "content": "[kimi-memory/notes v1]"}]
TEXT = "A reply that is long enough to be streamed in several pieces. " * 5
ACCOUNT = "Your account org-fake<ak-fake>"
AGAIN = "please try again after 1 seconds"
RECHARGE = "please recharge your account or check your plan and billing details"

REFUSALS: dict[Fault, tuple[int, str, str]] = {
    Fault.OVERLOADED: (
        429,
        "engine_overloaded_error",
        "The engine is currently overloaded, please try again later",
    ),
    Fault.RPM: (
        429,
        "rate_limit_reached_error",
        f"{ACCOUNT} request reached organization max RPM: 3, {AGAIN}",
    ),
    Fault.CONCURRENCY: (
        429,
        "rate_limit_reached_error",
        f"{ACCOUNT} request reached organization max concurrency: 1, {AGAIN}",
    ),
    Fault.TPD: (
        429,
        "rate_limit_reached_error",
        f"{ACCOUNT} request reached organization TPD rate limit, current: 1505241, limit: 1500000",
    ),
    Fault.QUOTA: (
        429,
        "exceeded_current_quota_error",
        "You exceeded your current token quota: <org-fake> 0, please check your account balance",
    ),
    Fault.BALANCE: (
        429,
        "exceeded_current_quota_error",
        f"{ACCOUNT} is suspended due to insufficient balance, {RECHARGE}",
    ),
    Fault.COOLDOWN: (
        429,
        "rate_limit_reached_error",
        f"{ACCOUNT} request reached organization max RPM: 3, please try again after 3600 seconds",
    ),
    Fault.WRONG_KEY: (401, "incorrect_api_key_error", "Incorrect API key provided"),
    Fault.SERVER_ERROR: (500, "server_error", "invalid state transition"),
    Fault.UNAVAILABLE: (503, "server_unavailable", "server unavailable"),
    Fault.GATEWAY_TIMEOUT: (504, "gateway_timeout", "gateway timeout"),
    Fault.CONTENT_FILTER: (
        400,
        "content_filter",
        "The request was rejected because it was considered high risk",
    ),
    Fault.RETIRED: (
        404,
        "resource_not_found_error",
        "Not found the model kimi-k2.6 or Permission denied",
    ),
}


def client_of(fake: FakeKimi, timeout: float | None = None) -> OpenAI:
    """Return a client without retries."""
    http = http_client(fake, timeout=timeout)
    return OpenAI(api_key="sk-test", base_url="http://fake/v1", http_client=http, max_retries=0)


def ask(fake: FakeKimi, messages: Any = HELLO, **more: Any) -> Any:
    """Send a chat request without thinking."""
    body = {"thinking": {"type": "disabled"}}
    create = client_of(fake).chat.completions.create
    return create(model="kimi-k2.6", messages=messages, extra_body=body, **more)


def stream(fake: FakeKimi) -> list[Any]:
    """Send a chat request whose reply is streamed, and return its chunks."""
    return list(ask(fake, stream=True, stream_options={"include_usage": True}))


def lines(fake: FakeKimi) -> list[str]:
    """Return the lines of a streamed reply as they are on the wire."""
    http = http_client(fake)
    body = {"model": "kimi-k2.6", "messages": HELLO, "stream": True}
    headers = {"Authorization": "Bearer sk-test"}
    reply = http.post("http://fake/v1/chat/completions", json=body, headers=headers)
    return [line for line in reply.text.split("\n") if line]


@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: fault.name)
def test_refusals_have_the_status_the_type_and_the_words_of_the_api(fault: Fault) -> None:
    """A fault that refuses is an error of the SDK; its body has a message and a type, no code."""
    status, kind, message = REFUSALS[fault]
    with pytest.raises(openai.APIStatusError) as caught:
        ask(FakeKimi(faults=[fault]))

    assert (status, {"message": message, "type": kind}, None) == (
        caught.value.status_code,
        caught.value.body,
        caught.value.code,
    )


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.OVERLOADED, [None] * 3),
        (Fault.RPM, ["1"] * 3),
        (Fault.COOLDOWN, ["3600"] * 3),
        (Fault.TPD, [None] * 3),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_only_short_limits_say_how_long_to_wait(fault: Fault, expected: list[str | None]) -> None:
    """A limit per minute comes with three headers that say how long; overload with none."""
    with pytest.raises(openai.RateLimitError) as caught:
        ask(FakeKimi(faults=[fault]))
    headers = caught.value.response.headers

    names = ("retry-after", "x-retry-after", "msh-cooldown-seconds")
    assert expected == [headers.get(name) for name in names]


def test_faults_strike_once_each() -> None:
    """A queued fault is gone after the request it struck."""
    fake = FakeKimi()
    fake.fail_next(Fault.UNAVAILABLE, times=2)
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            ask(fake)
    ask(fake)

    assert [503, 503, 200] == [served.status for served in fake.requests]


def test_faults_stay_until_recovery() -> None:
    """A fault that is switched on strikes every request until it is switched off."""
    fake = FakeKimi()
    fake.fail_always(Fault.SERVER_ERROR)
    for _ in range(3):
        with pytest.raises(openai.InternalServerError):
            ask(fake)
    fake.recover()

    assert "stop" == ask(fake).choices[0].finish_reason


def test_queued_faults_come_first() -> None:
    """While one fault stays on, a queued one goes before it."""
    fake = FakeKimi()
    fake.fail_always(Fault.SERVER_ERROR)
    fake.fail_next(Fault.OVERLOADED)
    for expected in (openai.RateLimitError, openai.InternalServerError):
        with pytest.raises(expected):
            ask(fake)


def test_faults_can_be_for_notes_only() -> None:
    """A fault for requests for notes lets turns pass, and waits."""
    fake = FakeKimi(summarize=lambda _: "notes")
    fake.fail_next(Fault.SERVER_ERROR, only="summary")
    ask(fake)
    with pytest.raises(openai.InternalServerError):
        ask(fake, NOTES)
    ask(fake, NOTES)

    assert [200, 500, 200] == [served.status for served in fake.requests]


def test_faults_can_be_for_turns_only() -> None:
    """A fault for turns lets requests for notes pass."""
    fake = FakeKimi(summarize=lambda _: "notes")
    fake.fail_always(Fault.OVERLOADED, only="chat")
    ask(fake, NOTES)
    with pytest.raises(openai.RateLimitError):
        ask(fake)


def test_faults_wait_for_a_valid_request() -> None:
    """A request that is refused for what it says leaves the fault to the next."""
    fake = FakeKimi(faults=[Fault.OVERLOADED])
    with pytest.raises(openai.BadRequestError):
        ask(fake, temperature=1)
    with pytest.raises(openai.RateLimitError):
        ask(fake)


def test_refusals_are_logged() -> None:
    """The log tells what was answered, and that nothing was generated."""
    fake = FakeKimi(faults=[Fault.CONTENT_FILTER])
    with pytest.raises(openai.BadRequestError):
        ask(fake)
    served = fake.requests[0]

    assert (400, REFUSALS[Fault.CONTENT_FILTER][2], 0) == (
        served.status,
        served.error,
        served.completion_tokens,
    )


def of_library(error: BaseException) -> BaseException | None:
    """Return the error of the HTTP library that is, or is below, what a broken stream raised."""
    return error.__cause__ if isinstance(error, openai.OpenAIError) else error


def test_streams_can_be_reset() -> None:
    """The connection breaks after some of the text has arrived."""
    fake = FakeKimi(reply=lambda _: TEXT, faults=[Fault.RESET])
    arrived = ""
    with pytest.raises(STREAM_ERRORS) as caught:  # noqa: PT012  it breaks on the way
        for chunk in ask(fake, stream=True):
            arrived += chunk.choices[0].delta.content or ""

    assert isinstance(of_library(caught.value), httpx_library.ReadError)
    assert TEXT.startswith(arrived)
    assert 0 < len(arrived) < len(TEXT)


def test_whole_replies_can_be_reset() -> None:
    """The connection breaks within a reply that is not streamed."""
    with pytest.raises(openai.APIConnectionError):
        ask(FakeKimi(faults=[Fault.RESET]))


def test_a_reply_that_broke_off_is_given_again() -> None:
    """A recorded reply stays in the queue until it has arrived."""
    fake = FakeKimi(faults=[Fault.RESET])
    fake.queue_reply("recorded")
    with pytest.raises(openai.APIConnectionError):
        ask(fake)

    assert "recorded" == ask(fake).choices[0].message.content


async def reset_of(fake: FakeKimi) -> BaseException | None:
    """Return what an asynchronous client raises below a broken stream."""
    http = async_http_client(fake)
    async with AsyncOpenAI(
        api_key="sk-test", base_url="http://fake/v1", http_client=http, max_retries=0
    ) as client:
        try:
            chunks = await client.chat.completions.create(
                model="kimi-k2.6", messages=HELLO, stream=True
            )
            async for _ in chunks:
                pass
        except STREAM_ERRORS as error:
            return of_library(error)
    return None


def test_asynchronous_streams_can_be_reset() -> None:
    """An asynchronous client meets the same error of its library."""
    assert isinstance(
        asyncio.run(reset_of(FakeKimi(faults=[Fault.RESET]))), httpx_library.ReadError
    )


def test_streams_can_be_cut() -> None:
    """A stream that ends early has no finish, no usage and no last line."""
    fake = FakeKimi(reply=lambda _: TEXT, faults=[Fault.CUT])
    chunks = stream(fake)

    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


def test_the_last_line_can_be_missing() -> None:
    """A stream may be whole but for `[DONE]`."""
    whole, missing = (
        lines(FakeKimi(faults=faults, seed="s", clock=lambda: 0.0))
        for faults in ([], [Fault.NO_DONE])
    )

    assert [*missing, "data: [DONE]"] == whole
    assert "stop" == json.loads(missing[-1].removeprefix("data: "))["choices"][0]["finish_reason"]


def test_notes_can_be_empty() -> None:
    """An empty reply says that it finished."""
    fake = FakeKimi(summarize=lambda _: "notes")
    fake.fail_next(Fault.EMPTY, only="summary")
    choice = ask(fake, NOTES).choices[0]

    assert ("", "stop") == (choice.message.content, choice.finish_reason)


def test_notes_can_be_truncated() -> None:
    """A truncated reply stops half way and says so."""
    fake = FakeKimi(summarize=lambda _: "0123456789")
    fake.fail_next(Fault.TRUNCATED, only="summary")
    choice = ask(fake, NOTES).choices[0]

    assert ("01234", "length") == (choice.message.content, choice.finish_reason)


def test_replies_can_be_slow() -> None:
    """A slow reply takes its time, through the sleep that was given."""
    slept = list[float]()
    ask(FakeKimi(faults=[Fault.SLOW], sleep=slept.append, slow_seconds=30))

    assert [30] == slept


def test_slow_replies_meet_the_timeout_of_the_client() -> None:
    """A client that waits less than the reply takes gets its timeout, after that long."""
    slept = list[float]()
    fake = FakeKimi(faults=[Fault.SLOW], sleep=slept.append, slow_seconds=30)
    with pytest.raises(openai.APITimeoutError):
        ask(fake, timeout=2.0)

    assert [2.0] == slept


def test_asynchronous_clients_do_not_hold_the_loop_up() -> None:
    """While one reply is slow, others are served."""

    async def both() -> list[str]:
        fake = FakeKimi(faults=[Fault.SLOW], slow_seconds=0.05)
        order = list[str]()
        http = async_http_client(fake)
        async with AsyncOpenAI(
            api_key="sk-test", base_url="http://fake/v1", http_client=http, max_retries=0
        ) as client:

            async def turn(name: str) -> None:
                await client.chat.completions.create(model="kimi-k2.6", messages=HELLO)
                order.append(name)

            await asyncio.gather(turn("slow"), turn("quick"))
        return order

    assert ["quick", "slow"] == asyncio.run(both())
