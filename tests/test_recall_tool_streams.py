"""A stream is looked into only as far as it takes to know whether the model searches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from chats import NAME as CONVERSATION
from kimi_clients import (
    CLIENT,
    MODEL,
    STREAM_ERRORS,
    ask,
    async_http_client,
    connect,
    http_client,
    httpx_library,
    talk,
)
from openai import AsyncOpenAI, OpenAI
from piecemeal import DONE, Piecemeal, Source, event
from remembering import LONG, SAID, a_call, asking, remembering, searching

from memory import wrap
from memory.client import manager_of
from memory.recall.tool import NAME
from memory.tee import PREAMBLE
from memory.testing import FakeKimi
from memory.testing.kimi_encoding import Coding
from memory.testing.kimi_reply import REASONING

SHORT = talk(2)
TEXT = "Crate 1 stands on shelf 7, and nobody has touched it since the day it came in. " * 5


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """Return a chunk of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    shell = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    return event({**shell, "choices": [choice]})


def pieces(*deltas: dict[str, Any], finish: str = "stop") -> list[bytes]:
    """Return the chunks of a whole stream."""
    return [*map(chunk, deltas), chunk({}, finish), DONE]


class Live(httpx_library.SyncByteStream):
    """A stream that notes how far it was read."""

    def __init__(self, given: list[bytes]) -> None:
        """Take the pieces."""
        self.given = given
        self.read = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        """Return the pieces."""
        for piece in self.given:
            self.read += 1
            yield piece

    def close(self) -> None:
        """Note that nobody reads on."""
        self.closed = True


def served(*streams: Any, **more: Any) -> OpenAI:
    """Return a client whose server answers with these streams, one after the other."""
    left = list(streams)

    def handle(_request: httpx_library.Request) -> httpx_library.Response:
        kind = {"Content-Type": "text/event-stream"}
        return httpx_library.Response(200, headers=kind, stream=left.pop(0))

    http = http_client(httpx_library.MockTransport(handle))
    raw = OpenAI(http_client=http, **CLIENT)
    return wrap(raw, hooks=(), recall="tool", execute=True, **more)


def opened(client: OpenAI) -> Any:
    """Return a stream that answers something."""
    return ask(client, SHORT, stream=True)


def raw_lines(client: OpenAI, **more: Any) -> list[str]:
    """Return the lines of a stream as they come."""
    create: Any = client.chat.completions.with_streaming_response.create
    with create(model=MODEL, messages=SHORT, stream=True, **more) as response:
        return [line for line in response.iter_lines() if line]


def search_stream() -> list[bytes]:
    """Return a stream whose reply is a search."""
    call = {"index": 0, **a_call()}
    return pieces({"role": "assistant", "content": ""}, {"tool_calls": [call]}, finish="tool_calls")


def test_text_goes_on_as_it_comes() -> None:
    """Once it is too long to announce a search, nothing more is held back."""
    source = Live(pieces(*({"content": letter} for letter in TEXT)))
    next(opened(served(source)))
    assert PREAMBLE + 1 == source.read


def test_a_short_reply_is_known_at_its_end() -> None:
    """It is not waited for longer."""
    source = Live([*pieces({"content": "Yes."})])
    opened(served(source))
    assert 2 == source.read


def test_what_was_looked_at_comes_again_as_it_was() -> None:
    """Byte for byte, thoughts first."""
    given = pieces(
        {"role": "assistant", "content": ""},
        *({"reasoning_content": word} for word in ("I ", "see ", "it.")),
        {"content": TEXT},
        {"content": " Yes."},
    )
    lines = [line for piece in given for line in piece.decode().splitlines() if line]
    assert lines == raw_lines(served(Live(given)))


def test_thoughts_are_not_text() -> None:
    """However long a model thinks, it may search then."""
    thought = {"reasoning_content": TEXT * 3}
    given = [chunk(thought), *search_stream()]
    stream = opened(served(Live(given), Live(pieces({"content": SAID}))))
    assert SAID == "".join(each.choices[0].delta.content or "" for each in stream)


def test_the_thought_of_a_streamed_search_is_sent_back() -> None:
    """A thinking model refuses its own calls without it."""
    fake = FakeKimi(reply=searching())
    list(ask(remembering(fake)[0], LONG, stream=True, extra_body={}))
    assert REASONING == fake.requests[-1].body["messages"][-2]["reasoning_content"]


def test_a_search_may_be_announced() -> None:
    """The caller sees what was found out, and not the announcement."""
    given = [chunk({"content": "Let me look that up."}), *search_stream()]
    stream = opened(served(Live(given), Live(pieces({"content": SAID}))))
    assert SAID == "".join(each.choices[0].delta.content or "" for each in stream)


def test_a_search_after_an_answer_is_the_callers() -> None:
    """The text is with the caller already; `search_memory` can answer the call."""
    given = [chunk({"content": TEXT}), *search_stream()]
    calls = [each.choices[0].delta.tool_calls for each in opened(served(Live(given)))]
    assert [NAME] == [call[0].function.name for call in calls if call]


def test_the_stream_of_a_search_is_closed() -> None:
    """Its connection is free for the next."""
    source = Live(search_stream())
    opened(served(source, Live(pieces({"content": SAID}))))
    assert source.closed


def test_calls_of_others_come_again_too() -> None:
    """They are read to their end first, since one of them might be a search."""
    call = {"index": 0, **a_call('{"crate": 1}', name="weigh")}
    given = pieces({"tool_calls": [call]}, {"content": ""}, finish="tool_calls")
    lines = [line for piece in given for line in piece.decode().splitlines() if line]
    assert lines == raw_lines(served(Live(given)))


def test_closing_early_closes_the_source() -> None:
    """As without memory."""
    source = Live(pieces(*({"content": letter} for letter in TEXT)))
    stream = opened(served(source))
    next(stream)
    stream.close()
    assert source.closed


def test_a_stream_is_read_once() -> None:
    """The second time nothing is left."""
    stream = opened(served(Live(pieces({"content": SAID}))))
    assert (2, 0) == (len(list(stream)), len(list(stream)))


def test_an_error_comes_where_it_came() -> None:
    """After what was read before it."""
    error = httpx_library.ReadError("gone")
    stream = opened(served(Source(chunk({"content": "Yes"}), error=error)))
    assert "Yes" == next(stream).choices[0].delta.content
    with pytest.raises(STREAM_ERRORS):
        next(stream)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_stream_is_understood(coding: Coding) -> None:
    """At its end."""
    fake = FakeKimi(reply=searching(), compress=coding)
    stream = ask(remembering(fake)[0], LONG, stream=True)
    assert SAID == "".join(each.choices[0].delta.content or "" for each in stream if each.choices)


def test_bytes_may_break_off_anywhere() -> None:
    """As they do on a socket."""
    client, _ = remembering(Piecemeal(reply=searching(text="Let me see.")))
    stream = ask(client, LONG, stream=True)
    assert SAID == "".join(each.choices[0].delta.content or "" for each in stream if each.choices)


def test_a_stream_left_early_is_on_record_as_incomplete() -> None:
    """The tee goes on working below the reader."""
    fake = Piecemeal(reply=lambda _: TEXT)
    client, _ = remembering(fake, conversation=CONVERSATION)
    stream = ask(client, SHORT[-1:], stream=True)
    next(stream)
    stream.close()
    manager: Any = manager_of(client)
    reply = manager.conversation(CONVERSATION).history()[-1]
    assert (True, True) == (reply["content"] != TEXT, TEXT.startswith(reply["content"]))


def test_the_next_turn_need_not_wait() -> None:
    """The turn ends with the stream of the last reply, whatever went before."""
    fake = FakeKimi(reply=searching())
    client, _ = remembering(fake, conversation=CONVERSATION, turn_wait=0.1)
    for _ in range(2):
        list(ask(client, LONG[-1:], stream=True))
    manager: Any = manager_of(client)
    roles = [message["role"] for message in manager.conversation(CONVERSATION).history()]
    assert ["user", "assistant", "user", "assistant"] == roles


def test_usage_of_the_last_round_is_in_its_stream() -> None:
    """As the server states it, asked for or not."""
    fake = FakeKimi(reply=searching())
    client, _ = remembering(fake)
    more: Any = {"stream_options": {"include_usage": True}}
    last = list(ask(client, LONG, stream=True, **more))[-1]
    assert fake.requests[-1].prompt_tokens == last.usage.prompt_tokens


class Interrupted(Live):
    """A stream amid which the user presses a key."""

    def __iter__(self) -> Iterator[bytes]:
        """Return one piece."""
        yield chunk({"content": "Yes"})
        raise KeyboardInterrupt


def test_an_interruption_closes_the_source() -> None:
    """Nobody will read it."""
    source = Interrupted([])
    with pytest.raises(KeyboardInterrupt):
        opened(served(source))
    assert source.closed


class AsyncLive(httpx_library.AsyncByteStream):
    """As `Live`, for asynchronous clients."""

    def __init__(self, given: list[bytes]) -> None:
        """Take the pieces."""
        self.given = given
        self.read = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the pieces."""
        for piece in self.given:
            self.read += 1
            yield piece

    async def aclose(self) -> None:
        """Note that nobody reads on."""
        self.closed = True


async def opened_async(*streams: Any) -> Any:
    """Return the stream with which an asynchronous client answers."""
    left = list(streams)

    async def handle(_request: httpx_library.Request) -> httpx_library.Response:
        kind = {"Content-Type": "text/event-stream"}
        return httpx_library.Response(200, headers=kind, stream=left.pop(0))

    http = async_http_client(httpx_library.MockTransport(handle))
    client = wrap(AsyncOpenAI(http_client=http, **CLIENT), hooks=(), recall="tool", execute=True)
    create: Any = client.chat.completions.create
    return await create(model=MODEL, messages=SHORT, stream=True)


def test_asynchronous_text_goes_on_as_it_comes() -> None:
    """As synchronous text does."""
    source = AsyncLive(pieces(*({"content": letter} for letter in TEXT)))

    async def main() -> None:
        stream = await opened_async(source)
        await anext(stream)
        read.append(source.read)
        await stream.close()

    read: list[int] = []
    asyncio.run(main())
    assert ([PREAMBLE + 1], True) == (read, source.closed)


def test_an_asynchronous_search_is_closed() -> None:
    """And what follows is the caller's."""
    source = AsyncLive(search_stream())

    async def main() -> str:
        stream = await opened_async(source, AsyncLive(pieces({"content": SAID})))
        return "".join([each.choices[0].delta.content or "" async for each in stream])

    assert (SAID, True) == (asyncio.run(main()), source.closed)


class Hanging(AsyncLive):
    """A stream that never goes on."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Return one piece."""
        yield chunk({"content": "Yes"})
        await asyncio.sleep(60)


def test_a_cancelled_look_closes_the_source() -> None:
    """Nobody will read it."""
    source = Hanging([])

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(opened_async(source), 0.05)

    asyncio.run(main())
    assert source.closed


def test_an_asynchronous_error_comes_where_it_came() -> None:
    """After what was read before it."""
    error = httpx_library.ReadError("gone")

    async def main() -> str:
        stream = await opened_async(Source(chunk({"content": "Yes"}), error=error))
        said = (await anext(stream)).choices[0].delta.content
        with pytest.raises(STREAM_ERRORS):
            await anext(stream)
        return str(said)

    assert "Yes" == asyncio.run(main())


def test_a_stream_is_the_sdks_own() -> None:
    """Nothing stands between it and the caller."""
    plain = ask(connect(FakeKimi(reply=searching())), SHORT, stream=True)
    stream = ask(remembering(FakeKimi(reply=searching()))[0], LONG, stream=True)
    assert (openai.Stream, type(plain)) == (type(stream), type(stream))


def test_a_search_in_a_stream_is_sent_back_as_it_was() -> None:
    """Put together from its pieces."""
    fake = FakeKimi(reply=searching(text="Let me see."))
    list(ask(remembering(fake)[0], LONG, stream=True))
    sent = json.loads(json.dumps(fake.requests[-1].body))["messages"][-2]
    assert {**asking(a_call(), text="Let me see.")} == sent
