"""POST /v1/responses of the fake server: OpenAI's format around the chat engine.

The overview of the API lists the route and says nothing of its form; all of this is inferred.
Requests are read as chat requests, so that they are counted, refused and billed alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from memory.testing.kimi_items import read_items, read_tools
from memory.testing.kimi_reply import DELTA, break_off, transmit
from memory.testing.kimi_rules import illegal
from memory.testing.kimi_summary import is_summary
from memory.testing.kimi_wire import ApiError, dumps

if TYPE_CHECKING:
    from memory.testing.kimi_chat import Chat, Outcome, Said
    from memory.testing.kimi_wire import Kind, Wire

__all__ = (
    "STORED",
    "Responses",
    "asks_for_notes",
)

STORED = 1_024
"""How many responses are kept for `previous_response_id`; the oldest go first."""

_SHARED = ("model", "stream", "temperature", "top_p", "thinking", "tool_choice", "prompt_cache_key")
"""Fields that mean the same to both routes."""

_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
}
"""Fields of a request that its response repeats, and what they are where it does not name them."""

_Event = dict[str, Any]


class Responses:
    """The endpoint, with the responses that later ones may continue. Thread-safe.

    Args:
        chat: What answers.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._stored: dict[str, list[Any]] = {}
        self._lock = Lock()

    def respond(self, body: Wire, kind: Kind, *, key: str, created: int) -> Outcome:
        """Answer a request; `key` is what its identifiers are made from.

        Raises:
            ApiError: If the request is refused, or a fault is due.
        """
        self._chat.call(body)  # an unknown model is refused before anything else is looked at
        items = [*self._earlier(body.get("previous_response_id")), *_items(body.get("input"))]
        said = self._chat.say(_chat_body(body, items), kind)
        output = list(_output(said, key))
        response = _response(body, said, output, key=key, created=created)
        if body.get("store") is not False and said.effect.ending == "whole":
            self._store(response["id"], [*items, *output])
        return said.outcome(_encoded(said, response))

    def _earlier(self, ident: Any) -> list[Any]:
        if ident is None:
            return []
        if not isinstance(ident, str):
            raise ApiError(illegal("previous_response_id", "string", ident))
        with self._lock:
            items = self._stored.get(ident)
        if items is None:
            msg = f"Previous response with id '{ident}' not found."
            raise ApiError(msg, status=404, kind="resource_not_found_error")
        return items

    def _store(self, ident: str, items: list[Any]) -> None:
        with self._lock:
            self._stored[ident] = items
            if len(self._stored) > STORED:
                del self._stored[next(iter(self._stored))]


def asks_for_notes(body: Wire) -> bool:
    """Tell whether a request asks for notes, by its input."""
    given = body.get("input")
    return is_summary([{"role": "user", "content": given}] if isinstance(given, str) else given)


def _items(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise ApiError(illegal("input", "array", given))
    return given


def _chat_body(body: Wire, items: list[Any]) -> dict[str, Any]:
    chat = {name: body[name] for name in _SHARED if name in body}
    chat["messages"] = [*_head(body.get("instructions")), *read_items(items)]
    chat["tools"] = read_tools(body.get("tools"))
    chat["max_completion_tokens"] = body.get("max_output_tokens")
    reasoning = body.get("reasoning")
    chat["reasoning_effort"] = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return chat


def _head(instructions: Any) -> list[Wire]:
    if not isinstance(instructions, str | None):
        raise ApiError(illegal("instructions", "string", instructions))
    return [{"role": "system", "content": instructions}] if instructions else []


def _output(said: Said, key: str) -> Iterator[dict[str, Any]]:
    """Build the items of a reply: its reasoning, its text, its calls."""
    spoken = said.choices[0]
    status = "incomplete" if spoken.finish_reason == "length" else "completed"
    message = spoken.message
    if reasoning := message.get("reasoning_content"):
        content = [{"type": "reasoning_text", "text": reasoning}]
        yield {"id": f"rs_{key}", "type": "reasoning", "summary": [], "content": content}
    calls = message.get("tool_calls", ())
    if message["content"] or (not calls and status == "completed"):
        text = {"type": "output_text", "text": message["content"], "annotations": []}
        yield {
            "id": f"msg_{key}",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": [text],
        }
    for number, call in enumerate(calls):
        yield {
            "id": f"fc_{key}{number:02d}",
            "type": "function_call",
            "call_id": call["id"],
            **call["function"],
            "status": "completed",
        }


def _response(
    body: Wire, said: Said, output: list[dict[str, Any]], *, key: str, created: int
) -> dict[str, Any]:
    whole = said.choices[0].finish_reason != "length"
    echoed = {
        name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()
    }
    return {
        "id": f"resp_{key}",
        "object": "response",
        "created_at": created,
        "completed_at": created if whole else None,
        "status": "completed" if whole else "incomplete",
        "error": None,
        "incomplete_details": None if whole else {"reason": "max_output_tokens"},
        "model": said.call.model.id,
        "output": output,
        **echoed,
        "usage": _usage(said.usage, said.cached_tokens),
    }


def _usage(block: Wire, cached: int) -> dict[str, Any]:
    """Build the usage block; unlike that of chat it always has its details."""
    reasoning = block.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    return {
        "input_tokens": block["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": block["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": block["total_tokens"],
    }


def _encoded(said: Said, response: Wire) -> bytes | Iterator[bytes]:
    if said.call.stream:
        numbered = enumerate(_events(response))
        *events, last = [_sse({**one, "sequence_number": number}) for number, one in numbered]
        return transmit(events, said.effect.ending, last=last)
    body = dumps(response)
    return break_off(body) if said.effect.ending == "reset" else body


def _sse(event: Wire) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + dumps(event) + b"\n\n"


def _events(response: Wire) -> Iterator[_Event]:
    """List the events of a stream; the last one, with the whole response, stands for `[DONE]`."""
    begun = {
        **response,
        **dict.fromkeys(("usage", "completed_at", "incomplete_details")),
        "output": [],
        "status": "in_progress",
    }
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response["output"]):
        yield from _item_events(item, index)
    yield {"type": f"response.{response['status']}", "response": response}


def _item_events(item: Wire, index: int) -> Iterator[_Event]:
    is_call = item["type"] == "function_call"
    begun = {**item, **({"arguments": ""} if is_call else {"content": []})}
    if "status" in item:
        begun["status"] = "in_progress"
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    place = {"item_id": item["id"], "output_index": index}
    if is_call:
        yield from _text_events("function_call_arguments", "arguments", item["arguments"], place)
    else:
        yield from _content_events(item["content"][0], {**place, "content_index": 0})
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _content_events(part: Wire, place: Wire) -> Iterator[_Event]:
    more: Wire = {"logprobs": []} if part["type"] == "output_text" else {}
    yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
    yield from _text_events(part["type"], "text", part["text"], {**place, **more})
    yield {"type": "response.content_part.done", **place, "part": part}


def _text_events(kind: str, name: str, text: str, place: Wire) -> Iterator[_Event]:
    for start in range(0, len(text), DELTA):
        piece = text[start : start + DELTA]
        yield {"type": f"response.{kind}.delta", **place, "delta": piece}
    yield {"type": f"response.{kind}.done", **place, name: text}
