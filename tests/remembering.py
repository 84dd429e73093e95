"""A server whose model searches its memory, and clients that offer it the tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kimi_clients import BUDGET, connect, connect_async, talk

from memory import QueueHook, wrap
from memory.recall.tool import NAME
from memory.testing import FakeKimi

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

SAID = '{"crate": 1, "shelf": 7}'
"""What the server answers in the end; `parse` reads a `Shelf` from it."""
QUERY = '{"query": "code of crate 7"}'
FACT = "055433"
"""The code of crate 7: in the originals of `LONG` and nowhere in what is sent of it."""
LONG = talk(60)


def a_call(arguments: str = QUERY, *, name: str = NAME, number: int = 0) -> dict[str, Any]:
    """Return a call of a tool."""
    function = {"name": name, "arguments": arguments}
    return {"id": f"{name}:{number}", "type": "function", "function": function}


def asking(*calls: Any, text: str = "") -> dict[str, Any]:
    """Return a reply with calls."""
    return {"role": "assistant", "content": text, "tool_calls": list(calls)}


def searching(times: int = 1, *calls: Any, text: str = "") -> Callable[[Any], Any]:
    """Return how a model replies that calls so often before it answers, if it may."""

    def reply(body: Any) -> Any:
        begun = [m for m in body["messages"] if m["role"] == "tool"]
        names = [tool["function"]["name"] for tool in body.get("tools") or ()]
        able = any(name.startswith(NAME) for name in names)
        if not able or len(begun) >= times * max(1, len(calls)):
            return SAID
        name = next(name for name in names if name.startswith(NAME))
        return asking(*(calls or (a_call(name=name, number=len(begun)),)), text=text)

    return reply


def server(reply: Callable[[Any], Any] | None = None, **more: Any) -> FakeKimi:
    """Return a server whose model searches once, or replies as given."""
    return FakeKimi(reply=searching() if reply is None else reply, **more)


def remembering(fake: FakeKimi, **more: Any) -> tuple[OpenAI, QueueHook]:
    """Return a client that answers searches, and who is told of its events."""
    hook = QueueHook()
    options: dict[str, Any] = {"budget": BUDGET, "recall": "tool", "execute": True} | more
    return wrap(connect(fake), hooks=(hook,), **options), hook


def remembering_async(fake: FakeKimi, **more: Any) -> tuple[AsyncOpenAI, QueueHook]:
    """Return an asynchronous one."""
    hook = QueueHook()
    options: dict[str, Any] = {"budget": BUDGET, "recall": "tool", "execute": True} | more
    return wrap(connect_async(fake), hooks=(hook,), **options), hook


def bodies(fake: FakeKimi) -> list[Any]:
    """Return the bodies of the chat requests, without those for summaries."""
    return [request.body for request in fake.requests if request.kind == "chat"]


def offered(body: Any) -> list[str]:
    """Return the names of the tools of a request."""
    return [tool["function"]["name"] for tool in body.get("tools") or ()]


def text_of(stream: Any) -> str:
    """Return the text of a stream."""
    return "".join(each.choices[0].delta.content or "" for each in stream if each.choices)
