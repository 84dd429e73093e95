"""What the adapters of peers share: the way to the summariser, and the recording of an agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks.peers.clients import MODEL, NOTES, NOWHERE, Loop, Recorder, Summaries, notes_room
from benchmarks.peers.contract import Setting
from memory.messages import WireMessage, text_of

ASKED: list[dict[str, Any]] = [
    {"role": "system", "content": "Sum it up."},
    {"role": "user", "content": "They met in Rome."},
]


def _count(messages: Sequence[WireMessage]) -> int:
    return sum(len(text_of(message)) for message in messages)


def _setting(**more: Any) -> Setting:
    options = {"limit": 1_000, "head": (), "write": str.upper, "count": _count, **more}
    return Setting(**options)


def _ask(client: Any) -> str:
    reply = client.post(f"{NOWHERE}/chat/completions", json={"model": MODEL, "messages": ASKED})
    return str(reply.json()["choices"][0]["message"]["content"])


def test_a_summary_is_written_by_the_summariser_of_the_conversation() -> None:
    """Where no server is named, the peer's own client is answered with what `write` returns."""
    with Summaries(_setting(), "httpx2").client() as client:
        assert _ask(client) == "SUM IT UP.\nTHEY MET IN ROME."


def test_a_request_for_a_summary_is_told_once() -> None:
    """Each request is one event, whoever answers it."""
    summaries = Summaries(_setting(), "httpx2")
    with summaries.client() as client:
        _ask(client)
    assert [type(event).__name__ for event in summaries.events] == ["Summarizing"]


def test_a_summariser_that_fails_fails_in_the_client() -> None:
    """An exception of `write` is not answered in place of the summary."""

    def write(_: str) -> str:
        raise LookupError

    with Summaries(_setting(write=write), "httpx2").client() as client, pytest.raises(LookupError):
        _ask(client)


def test_coroutines_are_answered_alike() -> None:
    """The client for coroutines goes the same way."""
    summaries, loop = Summaries(_setting(), "httpx2"), Loop()

    async def ask() -> Any:
        async with summaries.async_client() as client:
            reply = await client.post(f"{NOWHERE}/chat/completions", json={"messages": ASKED})
            return reply.json()["choices"][0]["message"]["content"]

    assert loop.run(ask()) == "SUM IT UP.\nTHEY MET IN ROME."
    assert len(summaries.events) == 1


def test_what_an_agent_sends_is_kept() -> None:
    """A recorder keeps the messages of the last request, as they were sent."""
    recorder = Recorder("httpx2")
    with recorder.client() as client:
        _ask(client)
    assert recorder.messages == ASKED


@pytest.mark.parametrize(
    ("head", "room"), [((), int(1_000 * NOTES)), (({"role": "system", "content": "a" * 600},), 150)]
)
def test_a_long_system_prompt_leaves_less_for_a_summary(
    head: Sequence[WireMessage], room: int
) -> None:
    """A summary never takes all of what the system prompt leaves."""
    assert notes_room(_setting(head=head)) == room
