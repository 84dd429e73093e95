"""What is sent, shown to an endpoint that refuses everything Kimi would refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from workbench import MODEL, Messages, Wire, WordCounter, Workbench, exchange, system, user, words

from memory.summary import request_body
from memory.testing import FakeKimi, Request, strategies

NO_THINKING = {"type": "disabled"}
several = settings(max_examples=20, deadline=None)
accepted = strategies.conversations(strict=True, most=8)


def in_words(text: str) -> int:
    """Count words."""
    return int(WordCounter().count(text))


def refusal(body: Mapping[str, Any]) -> str | None:
    """Return why a strict endpoint refuses a body, or None when it takes it."""
    asked = Request(
        method="POST",
        path="/v1/chat/completions",
        headers={"authorization": "Bearer sk-test"},
        body=json.dumps(body).encode(),
    )
    response = FakeKimi(count_text=in_words).handle(asked)
    return None if response.status == 200 else str(response.body)


def chat(messages: Messages) -> Wire:
    """Return the body of a chat request."""
    return {"model": MODEL, "messages": list(messages), "thinking": NO_THINKING}


@several
@given(accepted)
def test_strict_conversations_are_accepted(conversation: list[Wire]) -> None:
    """The strategy makes what it says: every request of a conversation is valid."""
    for request in strategies.requests(conversation):
        assert refusal(chat(request)) is None


@several
@given(accepted)
def test_views_are_accepted(conversation: list[Wire]) -> None:
    """Whatever is summarised, kept or shortened, the endpoint takes what is sent."""
    bench = Workbench(500, oversize="send")
    for request in strategies.requests(conversation):
        assert refusal(chat(bench.fit(request).messages)) is None


@several
@given(accepted)
def test_requests_for_summaries_are_accepted(conversation: list[Wire]) -> None:
    """So are the requests that the summariser makes on the way, in either form."""
    bench = Workbench(500, oversize="send")
    for request in strategies.requests(conversation):
        bench.fit(request)

    assert {None} >= {refusal(request_body(each)) for each in bench.scribe.requests}


@pytest.mark.parametrize("oversize", ["raise", "shorten-tool-results"])
def test_a_long_agent_run_is_accepted(oversize: str) -> None:
    """Parallel batches are never torn apart, over dozens of compactions."""
    bench = Workbench(1_200, oversize=oversize)
    messages = [system(words(60)), user("Find every broken link.")]
    for number in range(120):
        messages += exchange("a", "b", "c", result=words((number * 37) % 90, f"{number}-"))
        assert refusal(chat(bench.fit(messages).messages)) is None

    assert bench.asked > 5
