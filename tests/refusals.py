"""Refusals as the SDK raises them, and turns of a flow against a server that refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import openai
import pytest
from kimi_clients import httpx_library
from workbench import (
    Messages,
    answers,
    assistant,
    context,
    picture,
    play,
    prompt,
    system,
    user,
    words,
)

from memory.flow import Answer, Context, Effect, Flow, Send, send
from memory.records import Usage
from memory.replies import Reply

REQUESTED = (
    "Invalid request: Your request exceeded model token limit: {limit} (requested: {requested})"
)
LIMIT = "Your request exceeded model token limit : {limit}"
LENGTH = "Input token length too long"
WINDOW = 4_000
RESPONSE = object()
SENT = Answer(response=RESPONSE, reply=None)
ROOMY = 100_000
"""A budget that leaves it to the server to say what is too much."""
PICTURES = [
    system(words(10, "head")),
    user(words(20, "a")),
    assistant(words(20, "b")),
    {"role": "user", "content": [{"type": "text", "text": words(20, "c")}, picture("old")]},
    assistant(words(20, "d")),
    {"role": "user", "content": [{"type": "text", "text": words(20, "e")}, picture("new")]},
]
"""A conversation with a picture that may be dropped and one that may not."""


def status_error(message: str, status: int = 400, body: object = None) -> openai.APIStatusError:
    """Return an error as the SDK raises it."""
    request = httpx_library.Request("POST", "http://fake/v1/chat/completions")
    inner = {"message": message, "type": "invalid_request_error"} if body is None else body
    text = f"Error code: {status} - {{'error': {inner}}}"
    response: Any = httpx_library.Response(status, request=request)
    return openai.APIStatusError(text, response=response, body=inner)


def refused(requested: int, *, limit: int = WINDOW, wording: str = REQUESTED) -> Exception:
    """Return the refusal of a request that is too large."""
    return status_error(wording.format(limit=limit, requested=requested))


def deliver(
    messages: Messages, *outcomes: object, given: Context | None = None, **others: Any
) -> tuple[object, list[Effect[Any]]]:
    """Send a prompt to a server with these outcomes; return the response and the effects."""
    flow = send(prompt(messages, **others), given or context(budget=ROOMY))
    return play(flow, {**answers(), Send: list(outcomes)})


def fail(
    messages: Messages,
    *outcomes: object,
    given: Context | None = None,
    table: Mapping[Any, Sequence[Any]] | None = None,
    **others: Any,
) -> tuple[Exception, list[Effect[Any]]]:
    """Send a prompt that is refused for good; return the error the caller gets, and the effects."""

    def caught() -> Flow[Exception]:
        try:
            yield from send(prompt(messages, **others), given or context(budget=ROOMY))
        except Exception as error:  # noqa: BLE001  # what the caller gets
            return error
        pytest.fail("nothing was raised")

    return play(caught(), {**answers(), **(table or {}), Send: list(outcomes)})


def sends(effects: Sequence[Effect[Any]]) -> list[Send]:
    """Return what was sent, in order."""
    return [each for each in effects if isinstance(each, Send)]


def replied(*, prompt_tokens: int) -> Answer:
    """Return an answer with a reply of four words, which cost what is said."""
    usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=5)
    reply = Reply(message=assistant("a b c d"), usage=usage, finish_reason="stop")
    return Answer(response=RESPONSE, reply=reply)


def tokens_of(messages: Messages, given: Context) -> int:
    """Return what a prompt costs."""
    return given.meter.count(messages).total
