"""Whoever reads a response that memory listens to sees exactly what they would have seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fake_kimi_requests import OFF
from kimi_clients import (
    CLIENT,
    MODEL,
    STREAM_ERRORS,
    ask_async,
    connect,
    connect_async,
    http_client,
    httpx_library,
    talk,
)
from openai import AsyncOpenAI, OpenAI
from piecemeal import DONE, FINISH, Piecemeal, Source, event, served

from memory import MemoryManager, QueueHook, wrap
from memory.errors import StoreError
from memory.events import Event, Failed
from memory.stores import VolatileStore
from memory.testing import FakeKimi, Fault
from memory.testing.kimi_encoding import Coding

GIVEN: Any = {"model": MODEL, "messages": talk(3), "extra_body": OFF}
STREAM: Any = {**GIVEN, "stream": True, "stream_options": {"include_usage": True}}
CODINGS = [None, "gzip", "deflate"]


def speaker(compress: Coding | None = None, **more: Any) -> FakeKimi:
    """Return a server that says the same, to the byte, however often it is made."""
    said = "Crate 7 stands on shelf 49; it was signed for at the gate. " * 5
    return Piecemeal(reply=lambda _: said, clock=lambda: 7.0, compress=compress, **more)


def objects(client: OpenAI) -> list[Any]:
    """Read a stream as the SDK's objects."""
    return [chunk.to_dict() for chunk in client.chat.completions.create(**STREAM)]


def events_of_the_helper(client: OpenAI) -> list[Any]:
    """Read the events of the `stream` helper."""
    with client.chat.completions.stream(**GIVEN) as stream:
        return [(each.type, repr(each)) for each in stream]


def lines(client: OpenAI) -> list[Any]:
    """Read a stream line by line."""
    with client.chat.completions.with_streaming_response.create(**STREAM) as response:
        return list(response.iter_lines())


def pieces(client: OpenAI) -> list[Any]:
    """Read the decoded bytes of a stream."""
    with client.chat.completions.with_streaming_response.create(**STREAM) as response:
        return list(response.iter_bytes())


def bytes_of_the_wire(client: OpenAI) -> list[Any]:
    """Read the bytes of a stream as they are sent."""
    with client.chat.completions.with_streaming_response.create(**STREAM) as response:
        return list(response.http_response.iter_raw())


def whole(client: OpenAI) -> list[Any]:
    """Read a body that is not streamed."""
    with client.chat.completions.with_streaming_response.create(**GIVEN) as response:
        return [response.read(), response.json(), response.parse()]


READERS = [objects, events_of_the_helper, lines, pieces, bytes_of_the_wire, whole]


@pytest.mark.parametrize("compress", CODINGS)
@pytest.mark.parametrize("reader", READERS)
def test_every_piece_is_the_same(
    reader: Callable[[OpenAI], list[Any]], compress: Coding | None
) -> None:
    """The reader is given what it is given without memory, in the same pieces."""
    expected = reader(connect(speaker(compress)))
    actual = reader(wrap(connect(speaker(compress)), hooks=()))

    assert len(expected) > 1
    assert expected == actual


@pytest.mark.parametrize("compress", CODINGS)
def test_every_asynchronous_piece_is_the_same(compress: Coding | None) -> None:
    """The same goes for asynchronous clients."""

    async def read(client: AsyncOpenAI) -> tuple[list[Any], list[Any]]:
        chunks = [chunk.to_dict() async for chunk in await client.chat.completions.create(**STREAM)]
        create = client.chat.completions.with_streaming_response.create
        async with create(**STREAM) as response:
            return chunks, [piece async for piece in response.iter_bytes()]

    expected = asyncio.run(read(connect_async(speaker(compress))))
    actual = asyncio.run(read(wrap(connect_async(speaker(compress)), hooks=())))

    assert expected == actual


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CUT, Fault.NO_DONE])
def test_a_break_is_the_readers(fault: Fault) -> None:
    """What breaks a stream is raised where it would have been raised."""

    def read(client: OpenAI) -> tuple[list[Any], str]:
        chunks: list[Any] = []
        try:
            chunks += (chunk.to_dict() for chunk in client.chat.completions.create(**STREAM))
        except STREAM_ERRORS as error:
            return chunks, repr(error)
        return chunks, ""

    expected = read(connect(speaker(faults=[fault])))
    actual = read(wrap(connect(speaker(faults=[fault])), hooks=()))

    assert expected == actual
    assert (fault is Fault.RESET) == bool(expected[1])


def test_the_stream_is_of_its_kind() -> None:
    """The HTTP library and its users check for it."""
    plain = connect(speaker()).chat.completions.create(**STREAM).response.stream
    stream = wrap(connect(speaker()), hooks=()).chat.completions.create(**STREAM).response.stream

    assert isinstance(stream, httpx_library.SyncByteStream)
    assert isinstance(stream, type(plain))
    assert type(plain).__name__ == type(stream).__name__
    assert hasattr(plain, "__aiter__") == hasattr(stream, "__aiter__")


def test_the_asynchronous_stream_is_of_its_kind() -> None:
    """The same goes for asynchronous clients."""

    async def scenario() -> None:
        plain = (await ask_async(connect_async(speaker()), talk(3), stream=True)).response.stream
        wrapped = wrap(connect_async(speaker()), hooks=())
        stream = (await ask_async(wrapped, talk(3), stream=True)).response.stream

        assert isinstance(stream, httpx_library.AsyncByteStream)
        assert isinstance(stream, type(plain))
        assert type(plain).__name__ == type(stream).__name__

    asyncio.run(scenario())


def test_a_stream_is_read_once() -> None:
    """Reading it again fails as it does without memory."""
    stream = wrap(connect(speaker()), hooks=()).chat.completions.create(**STREAM)
    list(stream)

    with pytest.raises(httpx_library.StreamConsumed):
        list(stream.response.iter_raw())


def client_on(source: Source, **headers: str) -> OpenAI:
    """Return a client that is always answered with a stream."""
    return OpenAI(
        http_client=http_client(httpx_library.MockTransport(served(source, **headers))), **CLIENT
    )


def outcome(client: OpenAI) -> object:
    """Return what reading a stream comes to: its chunks, or the error."""
    try:
        return [repr(chunk) for chunk in client.chat.completions.create(**STREAM)]
    except Exception as error:  # noqa: BLE001  # whatever it is
        return type(error), str(error)


ODD = [
    b"",
    b"\xff\xfe\x00garbage\n\n",
    b"data: not json\n\n",
    b"data: " + b"[" * 100_000 + b"\n\n" + DONE,
    event(5) + DONE,
    event([]) + DONE,
    event(None) + DONE,
    event({}) + DONE,
    event({"error": {"message": "no"}}) + DONE,
    event({**FINISH, "choices": None}) + DONE,
    event({**FINISH, "choices": [None, 5, {}]}) + DONE,
    event({**FINISH, "choices": [{"index": [1], "delta": {}}]}) + DONE,
    event({**FINISH, "choices": [{"index": None, "delta": {"content": "x"}}]}) + DONE,
    event({**FINISH, "choices": [{"index": 0, "delta": {"tool_calls": [5]}}]}) + DONE,
    event({**FINISH, "choices": [{"index": 0, "delta": {"tool_calls": 5}}]}) + DONE,
    event({**FINISH, "choices": [{"index": 0, "delta": {"content": {"a": 1}}}]}) * 2 + DONE,
    event({**FINISH, "usage": {"prompt_tokens": "x"}}) + DONE,
    event({**FINISH, "usage": {"prompt_tokens": 10**400, "completion_tokens": -1}}) + DONE,
    event({**FINISH, "usage": {"prompt_tokens": True, "completion_tokens": 3}}) + DONE,
    b"event: odd\nid: 1\nretry: x\n" + event(FINISH) + b": comment\n\n" + DONE,
    event(FINISH).replace(b"\n", b"\r") + DONE,
    DONE + event(FINISH),
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_odd_answers_are_the_readers_to_judge(body: bytes) -> None:
    """Whatever a server sends, memory neither hides an error nor adds one."""
    expected = outcome(client_on(Source(body)))

    assert expected == outcome(wrap(client_on(Source(body)), budget=600, hooks=()))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "odd", "gzip, deflate", ""])
def test_a_wrong_encoding_is_the_readers_to_judge(coding: str) -> None:
    """What cannot be decoded is as wrong as it is without memory."""
    body = event(FINISH) + DONE
    headers = {"content-encoding": coding}
    expected = outcome(client_on(Source(body), **headers))
    actual = outcome(wrap(client_on(Source(body), **headers), budget=600, hooks=()))

    assert expected == actual


@pytest.mark.parametrize("close", [True, False])
def test_the_stream_below_is_closed_as_often(*, close: bool) -> None:
    """Connections go back to their pool when they did before."""

    def closed(wrapped: Callable[[OpenAI], OpenAI]) -> int:
        source = Source(event(FINISH), event(FINISH), DONE)
        stream = wrapped(client_on(source)).chat.completions.create(**STREAM)
        if close:
            next(iter(stream))
            stream.close()
        else:
            list(stream)
        assert stream.response.is_closed
        return source.closed

    assert closed(lambda client: client) == closed(lambda client: wrap(client, hooks=())) > 0


def test_a_hook_that_raises_spoils_no_stream(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the chunks are those of the server."""

    def explode(_: Event) -> None:
        raise RuntimeError

    manager = MemoryManager(budget=600, hooks=(explode,))
    wrapped = manager.with_options(conversation="trip").wrap(connect(speaker()))

    assert objects(connect(speaker())) == objects(wrapped)
    assert "a hook failed" in caplog.text


class Full(VolatileStore):
    """A store that takes nothing."""

    def append(self, *_: Any, **__: Any) -> int:
        """Refuse."""
        text = "the disk is full"
        raise StoreError(text)


@pytest.mark.parametrize("reader", [objects, whole])
def test_a_store_that_fails_spoils_no_reply(reader: Callable[[OpenAI], list[Any]]) -> None:
    """The turn is not on record, which the hooks are told; the caller has the reply."""
    hook = QueueHook()
    manager = MemoryManager(hooks=(hook,), store=Full())
    wrapped = manager.with_options(conversation="trip").wrap(connect(speaker()))

    assert reader(connect(speaker())) == reader(wrapped)
    assert ["StoreError"] == [each.error for each in hook.drain() if isinstance(each, Failed)]
