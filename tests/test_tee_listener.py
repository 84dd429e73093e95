"""What is told of a response that is listened to, and when."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from piecemeal import DONE, FINISH, Source, event, served

from memory.replies import Reply
from memory.tee import Listener, atee, tee

BODY = event({**FINISH, "usage": None}) + event({**FINISH, "choices": []}) + DONE


def listened(source: Source, **headers: str) -> tuple[Any, list[Any]]:
    """Return a response that is listened to, and the list of what is told."""
    response = served(source, **headers)(None)
    told: list[Reply] = []
    tee(response, Listener(response), told.append)
    return response, told


def test_it_is_told_once() -> None:
    """However often the response is read to its end and closed."""
    response, told = listened(Source(BODY, DONE, b"\n"))
    response.read()
    response.close()
    response.stream.close()
    (reply,) = told

    assert ("Yes.", True) == (reply.message["content"], reply.complete)
    assert (30, 3) == (reply.usage.prompt_tokens, reply.usage.completion_tokens)


def test_it_is_told_before_the_reader_sees_the_end() -> None:
    """Whoever goes on after the last chunk finds that the turn is over."""
    response, told = listened(Source(BODY, b": more\n\n"))
    next(response.iter_raw())

    assert [True] == [reply.complete for reply in told]


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
def test_what_broke_is_told_too(kind: str) -> None:
    """It is the beginning of a reply, or nothing at all."""
    half = BODY[:-20] if kind == "text/event-stream" else b'{"choices": [{"mess'
    response, told = listened(Source(half, error=OSError("gone")), **{"content-type": kind})
    with pytest.raises(OSError, match="gone"):
        response.read()

    assert [(False, None)] == [(reply.complete, reply.usage) for reply in told]


def test_a_body_that_was_not_read_to_its_end_is_none() -> None:
    """Half of it may look whole."""
    body = json.dumps({"choices": [{"message": {"content": "x"}}]}).encode()
    response, told = listened(Source(body, b" "), **{"content-type": "application/json"})
    next(response.iter_raw())
    response.close()

    assert [Reply(complete=False)] == told


@given(
    cuts=st.lists(st.integers(0, len(BODY)), max_size=8),
    coding=st.sampled_from(["identity", "gzip"]),
    line=st.sampled_from([b"\n", b"\r\n"]),
)
def test_bytes_may_break_off_anywhere(cuts: list[int], coding: str, line: bytes) -> None:
    """In the middle of a character, of a line, between its two ends."""
    text = BODY.replace(b"Yes.", "是的".encode()).replace(b"\n", line)
    body = gzip.compress(text) if coding == "gzip" else text
    places = sorted({0, *cuts, len(body)})
    pieces = [body[start:stop] for start, stop in pairwise(places)]
    response, told = listened(Source(*pieces), **{"content-encoding": coding})

    assert text == response.read()
    assert ["是的"] == [reply.message["content"] for reply in told]
    assert [33] == [r.usage.prompt_tokens + r.usage.completion_tokens for r in told]


def test_a_cancelled_reader_is_cancelled() -> None:
    """The task ends as it does without memory, and the beginning of the reply is what it is."""
    replies: list[Reply] = []

    async def ended(reply: Reply) -> None:
        replies.append(reply)

    class Endless(Source):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield event(FINISH)
            await asyncio.sleep(3_600)

    async def scenario() -> None:
        response = served(Endless())(None)
        atee(response, Listener(response), ended)
        task = asyncio.ensure_future(response.aread())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())

    assert [False] == [reply.complete for reply in replies]
    assert [None] == [reply.usage for reply in replies]
