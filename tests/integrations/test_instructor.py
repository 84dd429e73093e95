"""Instructor over a client with a memory, against a server on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from integrations.kimi_service import (
    BUDGET,
    HOW,
    KEY,
    MODEL,
    OFF,
    SHELF,
    Service,
    ask_example,
    conversation,
    is_view,
    long_questions,
    tool_call,
)
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from memory import wrap

instructor = pytest.importorskip("instructor", reason=HOW)


class Shelf(BaseModel):
    """Where a crate stands."""

    crate: int
    shelf: int


BY_SCHEMA: Any = (instructor.Mode.JSON_SCHEMA, SHELF)
BY_CALL: Any = (instructor.Mode.TOOLS, tool_call("Shelf", SHELF))
BY_TEXT: Any = (instructor.Mode.MD_JSON, f"```json\n{SHELF}\n```")
BY_RESPONSE: Any = (instructor.Mode.RESPONSES_TOOLS, tool_call("Shelf", SHELF))
BY_CALL_STREAMED: Any = (instructor.Mode.TOOLS, tool_call("PartialShelf", SHELF))
FOUND = {"crate": 3, "shelf": 21}
GIVEN: dict[str, Any] = {"model": MODEL, "response_model": Shelf, "extra_body": OFF}


@pytest.fixture
def client(kimi: Service) -> Iterator[OpenAI]:
    """Return a client with a memory."""
    with OpenAI(base_url=kimi.url, api_key=KEY) as plain:
        yield wrap(plain, budget=BUDGET)


@pytest.mark.parametrize(("mode", "reply"), [BY_SCHEMA, BY_CALL, BY_TEXT, BY_RESPONSE])
def test_create_is_compacted(mode: Any, reply: Any, client: OpenAI, kimi: Service) -> None:
    """In each mode the request that leaves is compacted, and an object of the type comes back."""
    kimi.says(reply)
    found = instructor.from_openai(client, mode=mode).create(messages=conversation(), **GIVEN)

    assert FOUND == found.model_dump()
    assert [True] == kimi.verdicts()
    assert 1 == kimi.summaries()


@pytest.mark.parametrize(("mode", "reply"), [BY_SCHEMA, BY_CALL_STREAMED])
def test_a_partial_object_is_compacted(
    mode: Any, reply: Any, client: OpenAI, kimi: Service
) -> None:
    """A streamed object is asked for with a compacted request."""
    kimi.says(reply)
    typed = instructor.from_openai(client, mode=mode)
    *_, last = typed.create_partial(messages=conversation(), **GIVEN)

    assert FOUND == last.model_dump()
    assert [(True, True)] == [(request.stream, kimi.verdicts()[0]) for request in kimi.asked()]


@pytest.mark.parametrize(
    ("mode", "wrong", "right"),
    [
        (instructor.Mode.JSON_SCHEMA, '{"crate": "third"}', SHELF),
        (
            instructor.Mode.TOOLS,
            tool_call("Shelf", '{"crate": "third"}'),
            tool_call("Shelf", SHELF),
        ),
    ],
)
def test_a_corrective_retry_is_compacted(
    mode: Any, wrong: Any, right: Any, client: OpenAI, kimi: Service
) -> None:
    """The second request carries the wrong object and the error behind the same notes."""
    kimi.says(wrong, right)
    typed = instructor.from_openai(client, mode=mode)
    found = typed.create(messages=conversation(), max_retries=2, **GIVEN)
    first, second = (request.body["messages"] for request in kimi.asked())

    assert FOUND == found.model_dump()
    assert [True, True] == kimi.verdicts()
    assert first == second[: len(first)]
    assert 1 == kimi.summaries()


def test_the_completion_is_the_sdks_own(client: OpenAI, kimi: Service) -> None:
    """The raw completion beside the object says what the compacted prompt cost."""
    kimi.says(SHELF)
    typed = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
    found, completion = typed.create_with_completion(messages=conversation(), **GIVEN)
    (request,) = kimi.asked()

    assert FOUND == found.model_dump()
    assert request.prompt_tokens == completion.usage.prompt_tokens <= BUDGET


def test_only_the_messages_are_other_than_instructor_sends(kimi: Service) -> None:
    """Beside fewer messages the request is what a client without a memory sends."""
    with OpenAI(base_url=kimi.url, api_key=KEY) as plain:
        for client in (plain, wrap(plain, budget=BUDGET)):
            kimi.says(tool_call("Shelf", SHELF))
            instructor.from_openai(client).create(messages=conversation(), **GIVEN)
    without, sent = kimi.asked()

    assert is_view(sent, without)


@pytest.mark.parametrize(("mode", "reply"), [BY_SCHEMA, BY_CALL])
def test_an_asynchronous_create_is_compacted(mode: Any, reply: Any, kimi: Service) -> None:
    """An `AsyncOpenAI` gives an asynchronous instructor, with the same memory."""
    kimi.says(reply)

    async def main() -> Any:
        async with AsyncOpenAI(base_url=kimi.url, api_key=KEY) as plain:
            typed = instructor.from_openai(wrap(plain, budget=BUDGET), mode=mode)
            return await typed.create(messages=conversation(), **GIVEN)

    found = asyncio.run(main())

    assert FOUND == found.model_dump()
    assert [True] == kimi.verdicts()
    assert 1 == kimi.summaries()


def test_an_asynchronous_partial_object_is_compacted(kimi: Service) -> None:
    """A streamed object, asynchronously."""
    kimi.says(SHELF)

    async def main() -> Any:
        async with AsyncOpenAI(base_url=kimi.url, api_key=KEY) as plain:
            client = wrap(plain, budget=BUDGET)
            typed = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
            return [each async for each in typed.create_partial(messages=conversation(), **GIVEN)]

    assert FOUND == asyncio.run(main())[-1].model_dump()
    assert [True] == kimi.verdicts()


def test_the_example_stays_within_its_budget(kimi: Service) -> None:
    """The program of the documentation talks on, and its last requests are compacted."""
    kimi.says(*['{"text": "Noted.", "confident": true}'] * 8)
    answers = ask_example("with_instructor", kimi, long_questions())

    assert ["Noted."] * 8 == answers
    assert kimi.verdicts()[-1]
    assert all(request.prompt_tokens <= kimi.budget for request in kimi.asked())
