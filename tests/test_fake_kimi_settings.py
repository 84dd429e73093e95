"""What the fake server can be set to do differently, as an OpenAI client meets it."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

import openai
import pytest
from fake_kimi_requests import OFF, assistant, send, user
from kimi_clients import STREAM_ERRORS, ask, ask_async, connect, connect_async
from openai import AsyncOpenAI, OpenAI

from memory.testing import FakeKimi, Fault, Request, serve

HELLO = [user("Hello")]
NOTES = [*HELLO, user("[kimi-memory/notes v1]")]
TEXT = "A reply that is long enough to be streamed in several pieces. " * 5
WITH_USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}

OVERFLOW = {
    "requested": "Invalid request: Your request exceeded model token limit: 10 (requested: 14)",
    "limit": "Your request exceeded model token limit : 10",
    "too-long": "Input token length too long",
}
"""A prompt of 14 characters in a window of 10, where every character is a token."""


def text_of(chunks: list[Any]) -> str:
    """Return the text of a streamed reply."""
    return "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices)


def raw(fake: FakeKimi, accepted: str, **more: Any) -> Any:
    """Send a chat request past any client and return the response as it is on the wire."""
    headers = {"Authorization": "Bearer sk-test", "Accept-Encoding": accepted}
    body = json.dumps({"model": "kimi-k2.6", "messages": HELLO, **OFF, **more}).encode()
    return fake.handle(
        Request(method="POST", path="/v1/chat/completions", headers=headers, body=body)
    )


@pytest.mark.parametrize("overflow", OVERFLOW)
def test_an_overflow_can_be_worded_as_reported_or_as_documented(overflow: Any) -> None:
    """The refusal of a prompt over the window has the wording that was chosen."""
    fake = FakeKimi(context_length=10, overflow=overflow, count_text=len)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(connect(fake), HELLO)

    wanted = {"message": OVERFLOW[overflow], "type": "invalid_request_error"}
    assert wanted == caught.value.body


@pytest.mark.parametrize("name", ["max_completion_tokens", "max_tokens"])
def test_a_cap_is_part_of_what_was_requested(name: str) -> None:
    """Prompt and explicit cap together exceed the window, and are named together."""
    fake = FakeKimi(context_length=100, count_text=len)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(connect(fake), HELLO, **{name: 90})

    assert "token limit: 100 (requested: 104)" in str(caught.value)


def test_the_default_cap_is_clamped() -> None:
    """A request that names no cap is refused for its prompt alone, and gets the rest."""
    fake = FakeKimi(context_length=100, count_text=len, reply=lambda _: TEXT)
    reply = ask(connect(fake), HELLO)

    assert (100, "length") == (reply.usage.total_tokens, reply.choices[0].finish_reason)


def test_the_largest_body_can_be_set() -> None:
    """A body of more bytes is a 413, which is logged with what was sent."""
    fake = FakeKimi(max_body=1_000)
    client = connect(fake)
    ask(client, HELLO)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, [user("x" * 1_000)])

    message = "Request exceeds the maximum size"
    assert (413, message) == (caught.value.status_code, caught.value.body["message"])  # type: ignore[index]
    assert ("chat", 413) == (fake.requests[-1].kind, fake.requests[-1].status)
    assert [user("x" * 1_000)] == fake.requests[-1].body["messages"]


def test_the_largest_body_is_taken() -> None:
    """The limit itself is not too much."""
    body = {"model": "kimi-k2.6", "messages": HELLO}
    size = len(json.dumps(body).encode())

    assert [200, 413] == [send(FakeKimi(max_body=size - less), body)[0] for less in (0, 1)]


def test_a_slow_reply_may_take_a_fraction_of_a_second() -> None:
    """Only requests for notes are slow where only they are to be."""
    slept = list[float]()
    fake = FakeKimi(sleep=slept.append, slow_seconds=0.25, summarize=lambda _: "notes")
    fake.fail_always(Fault.SLOW, only="summary")
    for messages in (HELLO, NOTES):
        ask(connect(fake), messages)

    assert [0.25] == slept


def test_each_kind_of_request_can_take_its_time() -> None:
    """The delay is that of the kind; a slow reply takes more, a refusal takes as long."""
    slept = list[float]()
    delays = {"chat": 0.02, "summary": 1.0, "other": 0.5}
    fake = FakeKimi(
        sleep=slept.append, delay=delays.__getitem__, slow_seconds=2.0, summarize=lambda _: "notes"
    )
    client = connect(fake)
    ask(client, HELLO)
    ask(client, NOTES)
    list(client.models.list())
    fake.fail_next(Fault.SLOW)
    ask(client, HELLO)
    with pytest.raises(openai.BadRequestError):
        ask(client, HELLO, temperature=0.1)

    assert [0.02, 1.0, 0.5, 2.02, 0.02] == slept


def test_a_delay_does_not_hold_the_loop_up() -> None:
    """While notes are awaited, turns are answered."""

    async def both() -> list[str]:
        fake = FakeKimi(
            delay=lambda kind: 0.1 if kind == "summary" else 0.0, summarize=lambda _: "notes"
        )
        order = list[str]()
        async with connect_async(fake) as client:

            async def turn(messages: Any) -> None:
                order.append((await ask_async(client, messages)).choices[0].message.content)

            await asyncio.gather(turn(NOTES), turn([user("Is it blue?"), user("Blue it is.")]))
        return order

    assert ["Is it blue?", "notes"] == asyncio.run(both())


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bodies_can_be_compressed(coding: Any) -> None:
    """The SDK reads whole and streamed replies that are compressed."""
    client = connect(FakeKimi(compress=coding, reply=lambda _: TEXT))
    reply = client.chat.completions.with_raw_response.create(
        model="kimi-k2.6", messages=[{"role": "user", "content": "Hello"}]
    )

    assert coding == reply.headers["content-encoding"]
    assert TEXT == reply.parse().choices[0].message.content
    assert TEXT == text_of(list(ask(client, HELLO, stream=True)))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_asynchronous_clients_read_compressed_bodies(coding: Any) -> None:
    """The asynchronous SDK reads compressed replies too."""

    async def both(client: AsyncOpenAI) -> tuple[str, str]:
        async with client:
            reply = await ask_async(client, HELLO)
            chunks = [one async for one in await ask_async(client, HELLO, stream=True)]
        return reply.choices[0].message.content, text_of(chunks)

    fake = FakeKimi(compress=coding, reply=lambda _: TEXT)
    assert (TEXT, TEXT) == asyncio.run(both(connect_async(fake)))


def test_compressed_bodies_cross_a_socket() -> None:
    """Over HTTP a compressed reply has the length it has on the wire."""
    fake = FakeKimi(compress="gzip", reply=lambda _: TEXT)
    with serve(fake) as url, OpenAI(api_key="sk-test", base_url=url, max_retries=0) as client:
        texts = ask(client, HELLO).choices[0].message.content, ask(client, HELLO, stream=True)

        assert (TEXT, TEXT) == (texts[0], text_of(list(texts[1])))


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "*;q=0.0", "deflate"])
def test_bodies_are_not_compressed_unless_that_is_accepted(accepted: str) -> None:
    """A request that does not name the coding, or excludes it, gets plain bytes."""
    response = raw(FakeKimi(compress="gzip"), accepted)

    assert "Content-Encoding" not in response.headers
    assert json.loads(response.body)["choices"]


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5", "*"])
def test_bodies_are_compressed_where_that_is_accepted(accepted: str) -> None:
    """The coding may be named among others, or be meant by the asterisk."""
    response = raw(FakeKimi(compress="gzip"), accepted)

    assert "gzip" == response.headers["Content-Encoding"]
    assert json.loads(zlib.decompress(response.body, wbits=31))["choices"]


def test_refusals_are_compressed_too() -> None:
    """What is refused is told in the coding as well."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(connect(FakeKimi(compress="gzip")), HELLO, temperature=0.1)

    assert "only 0.6 is allowed" in caught.value.message
    assert "gzip" == caught.value.response.headers["content-encoding"]


def test_compressed_streams_are_flushed_after_every_event() -> None:
    """Each event can be read from the bytes that have arrived with it."""
    response = raw(FakeKimi(compress="gzip", reply=lambda _: TEXT), "gzip", stream=True)
    reader = zlib.decompressobj(wbits=31)
    events = [reader.decompress(chunk) for chunk in response.chunks()]

    assert all(one.startswith(b"data: ") and one.endswith(b"\n\n") for one in events[:-1])
    assert (b"data: [DONE]\n\n", b"", True) == (events[-2], events[-1], reader.eof)


def test_compressed_streams_can_be_reset() -> None:
    """The connection breaks within a compressed stream after some of the text has arrived."""
    fake = FakeKimi(compress="gzip", reply=lambda _: TEXT, faults=[Fault.RESET])
    arrived = ""
    with pytest.raises(STREAM_ERRORS):  # noqa: PT012  it breaks on the way
        for chunk in ask(connect(fake), HELLO, stream=True):
            arrived += chunk.choices[0].delta.content or ""

    assert TEXT.startswith(arrived)
    assert 0 < len(arrived) < len(TEXT)


def usages(fake: FakeKimi, **more: Any) -> list[Any]:
    """Return what each chunk of a stream says of its usage, and nothing where it says nothing."""
    chunks = ask(connect(fake), HELLO, **({"stream": True} | more))
    return [chunk.usage if "usage" in chunk.model_fields_set else () for chunk in chunks]


def test_chunks_can_say_that_their_usage_is_null() -> None:
    """Where usage was asked for, every chunk before it carries null if that is set."""
    *before, last = usages(FakeKimi(null_usage=True), **WITH_USAGE)

    assert {None} == set(before)
    assert 0 < last.total_tokens


@pytest.mark.parametrize(
    ("null_usage", "more"), [(False, WITH_USAGE), (True, {})], ids=["not set", "not asked for"]
)
def test_chunks_say_nothing_of_their_usage_otherwise(null_usage: Any, more: Any) -> None:
    """Without the setting, or without being asked, chunks have no such key."""
    said = usages(FakeKimi(null_usage=null_usage), **more)

    assert {()} == set(said[: -1 if more else None])


def test_the_size_is_looked_at_before_the_model() -> None:
    """A body that is too large is refused for that, whatever it asks for."""
    fake = FakeKimi(max_body=10)

    assert 413 == send(fake, {"model": "gpt-4o", "messages": [assistant("Hi")]})[0]
