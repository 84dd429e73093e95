"""The model of the endurance runs: what it says follows from what it reads, and it can be watched.

It also tells whether a conversation as a whole is one that the API would take.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any, Final

from benchmarks._endurance_talk import HEAD, MODEL, OFF, TOOLS, Message, quarters
from memory.messages import tool_calls
from memory.testing import FakeKimi, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.testing import SummaryJob

__all__ = ("Office", "essence", "is_fitting", "refusal", "replied", "results_for")

PADDING: Final = " It stands where it stood, dry and whole, and nobody has asked for it since." * 3
WINDOW: Final = 1_000_000_000
_CALLS: Final = re.compile(r" Weigh (\d+): ")
Essence = tuple[str, str, tuple[str, ...]]


class Office:
    """A model that answers from the last message, and whoever watches what it does.

    Args:
        summary: Seconds that a summary takes.
        reply: Seconds that a reply takes.
    """

    def __init__(self, *, summary: float = 0.0, reply: float = 0.0) -> None:
        self.fake = FakeKimi(
            reply=self._reply,
            summarize=self._summarize,
            count_text=quarters,
            delay=lambda kind: summary if kind == "summary" else reply,
        )
        self._watched = ""
        self._left = 0
        self._happened = threading.Event()

    def watch(self, kind: str, number: int) -> threading.Event:
        """Return what is set when the model has written so many replies or summaries from now."""
        self._happened = threading.Event()
        self._left, self._watched = number, kind
        return self._happened

    def _reply(self, body: Mapping[str, Any]) -> str | Message:
        self._count("chat")
        return replied(body["messages"][-1])

    def _summarize(self, job: SummaryJob) -> str:
        self._count("summary")
        return f"Notes on {len(job.messages)} messages: crates came in and were written down."

    def _count(self, kind: str) -> None:
        if kind == self._watched:
            self._left -= 1
            if self._left == 0:
                self._happened.set()


def replied(last: Mapping[str, Any]) -> str | Message:
    """Return what the model says to a message."""
    text = last["content"]
    label, found = text.split(" ", 1)[0], _CALLS.search(text)
    if last["role"] != "user" or found is None:
        return f"{label} is noted after {quarters(text)} tokens.{PADDING}"
    calls = [
        {
            "id": f"weigh:{place}",
            "type": "function",
            "function": {"name": "weigh", "arguments": json.dumps({"crate": place})},
        }
        for place in range(int(found[1]))
    ]
    return {"role": "assistant", "content": f"{label} has to be weighed.", "tool_calls": calls}


def is_fitting(reply: Mapping[str, Any], last: Mapping[str, Any]) -> bool:
    """Return whether a reply is what the model says to a message."""
    expected = replied(last)
    content = expected if isinstance(expected, str) else expected["content"]
    return bool(reply.get("content") == content)


def essence(message: Mapping[str, Any]) -> Essence:
    """Return what makes a message the same, whatever the SDK or the store adds to it."""
    calls = tuple(str(call["id"]) for call in tool_calls(message))
    one = message.get("tool_call_id")
    return (
        str(message["role"]),
        str(message.get("content") or ""),
        (*calls, *([one] if one else ())),
    )


def results_for(history: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return results for the calls that nobody has answered at the end of a conversation."""
    calls = tool_calls(history[-1]) if history else ()
    return [{"role": "tool", "tool_call_id": call["id"], "content": "10 kg"} for call in calls]


def refusal(history: Sequence[Mapping[str, Any]]) -> str | None:
    """Return why the API would refuse one more question after a conversation, or None."""
    more = [*results_for(history), {"role": "user", "content": "What next?"}]
    body = {"model": MODEL, "messages": [HEAD, *history, *more], "tools": TOOLS, **OFF}
    strict = FakeKimi(context_length=WINDOW, count_text=quarters)
    headers = {"Authorization": "Bearer sk-test"}
    request = Request(
        method="POST",
        path="/v1/chat/completions",
        headers=headers,
        body=json.dumps(body, ensure_ascii=False).encode(),
    )
    answer = strict.handle(request)
    return None if answer.status == 200 else b"".join(answer.chunks()).decode()
