"""Request bodies as the SDK is about to send them, and what memory reads and writes there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from memory import models
from memory.flow import Prompt, Send
from memory.flow.searching import Offer, Round
from memory.messages import WireMessage
from memory.recall.settings import Recall
from memory.recall.tool import MOST, forces, named
from memory.records import Usage
from memory.replies import Reply, read
from memory.responses import Items, SkippedError

__all__ = ("Body", "ChatBody", "ResponsesBody", "kind_of")

CHAT = "/chat/completions"
RESPONSES = "/responses"
STORED = "/responses goes on from what the server keeps ({name})"
"""Why the input of such a request is left alone: it is not all of the prompt."""
FULL = f"search_memory is not offered: the request has {MOST} tools already"
SEVERAL = "search_memory is not offered with several choices: there would be several searches"
"""Why a request goes out without the search tool."""


_ADDED: Any = {
    "parsed": True,
    "tool_calls": {"__all__": {"index": True, "function": {"parsed_arguments": True}}},
}
"""What the SDK and a stream add to a message, by the terms of pydantic's `exclude`."""


class Body(Protocol):
    """The part of a request that memory reads and writes.

    Attributes:
        converses: Whether it can go on from a conversation, and its reply be read.
    """

    converses: ClassVar[bool]

    def prompt(self, place: Mapping[str, Any]) -> Prompt:
        """Return what it asks.

        Args:
            place: What else is known of the prompt, by the names of `Prompt`.
        """

    def offer(self, recall: Recall) -> Offer | None:
        """Return how the search tool is offered with it; None where nobody could call it.

        Raises:
            SkippedError: There is no place for it.
        """

    def changes(self, sent: Send) -> dict[str, Any]:
        """Return the keys of the body that have to change for what is sent, with their values."""

    def parsed(self, response: Any, *, choice: int) -> Reply | None:
        """Return the reply in an object that the SDK has parsed, or None where it is none."""


def kind_of(options: Any) -> type[ChatBody | ResponsesBody] | None:
    """Return how to read the body of a request, or None where it has no messages to fit.

    Args:
        options: What the SDK is about to send: `FinalRequestOptions`.
    """
    if options.method.lower() != "post" or not isinstance(options.json_data, Mapping):
        return None
    path = "/" + str(options.url).partition("?")[0].strip("/")
    if path.endswith(CHAT):
        return ChatBody
    return ResponsesBody if path.endswith(RESPONSES) else None


class ChatBody:
    """A chat completion.

    Args:
        body: The body, as the SDK will merge it.
        messages: Its messages.
    """

    converses: ClassVar[bool] = True

    def __init__(self, body: Mapping[str, Any], messages: Sequence[WireMessage]) -> None:
        self._body = body
        self._messages = messages

    def prompt(self, place: Mapping[str, Any]) -> Prompt:
        """Return what it asks; see `Body`."""
        body = self._body
        model = str(body.get("model") or models.DEFAULT_MODEL)
        completion = body.get("max_completion_tokens") or body.get("max_tokens")
        thinking, tools, key = (body.get(k) for k in ("thinking", "tools", "prompt_cache_key"))
        mode = thinking if isinstance(thinking, Mapping) else {}
        return Prompt(
            messages=self._messages,
            tools=_listed(tools),
            model=model,
            completion=completion if isinstance(completion, int) else None,
            thinking=mode.get("type") != "disabled",
            keep_reasoning=mode.get("keep") == "all" or models.keeps_reasoning(model),
            cache_key=key if isinstance(key, str) else None,
            **place,
        )

    @classmethod
    def read(cls, options: Any) -> ChatBody | None:
        """Return the body of a request, or None where its messages are none."""
        body = _merged(options)
        messages = _mappings(body.get("messages"))
        return None if messages is None else cls(body, messages)

    def offer(self, recall: Recall) -> Offer | None:
        """Return how the search tool is offered with it; see `Body`.

        It is offered whatever `tool_choice` says, so that all prompts of a conversation begin
        alike; but not where that demands a call of a tool and there is none: the server refuses
        such a request, and has to.
        """
        body = self._body
        tools, choices = _listed(body.get("tools")), body.get("n")
        odd = bool(body.get("tools")) and not tools
        if odd or (not tools and forces(body.get("tool_choice"))):
            return None
        if len(tools) >= MOST:
            raise SkippedError(FULL)
        if recall.execute and isinstance(choices, int) and choices > 1:
            raise SkippedError(SEVERAL)
        return Offer(name=named(tools), alone=not tools, execute=recall.execute)

    def changes(self, sent: Send) -> dict[str, Any]:
        """Return the keys of the body that have to change for what is sent."""
        changes: dict[str, Any] = {}
        if sent.fitted.changed:
            changes["messages"] = list(sent.fitted.messages)
        if len(sent.prompt.tools) > len(_listed(self._body.get("tools"))):
            changes["tools"] = list(sent.prompt.tools)
        if isinstance(sent, Round) and sent.last:
            changes["tool_choice"] = "none"
        if sent.completion is not None:
            names = ("max_completion_tokens", "max_tokens")
            changes |= {name: sent.completion for name in names if self._body.get(name)}
        return changes

    def parsed(self, response: Any, *, choice: int) -> Reply | None:
        """Return the reply in a `ChatCompletion`, or in a decoded body, or None."""
        if isinstance(response, (str, Mapping)):  # as `post(…, cast_to=str)` has it
            body = json.loads(response) if isinstance(response, str) else response
            return read(body, choice=choice)
        choices: Sequence[Any] | None = getattr(response, "choices", None)
        if not isinstance(choices, list) or not choices:
            return None
        chosen = choices[min(choice, len(choices) - 1)]
        return Reply(
            message=chosen.message.model_dump(
                exclude_unset=True, exclude_none=True, exclude=_ADDED, warnings=False
            ),
            usage=_usage(getattr(response, "usage", None), "prompt", "completion"),
            finish_reason=chosen.finish_reason,
            sole=len(choices) == 1,
        )


class ResponsesBody:
    """A request of the Responses API with a list of items as its input.

    Args:
        body: The body, as the SDK will merge it.
        items: Its input.
    """

    converses: ClassVar[bool] = False

    def __init__(self, body: Mapping[str, Any], items: Items) -> None:
        self._body = body
        self._items = items

    def prompt(self, place: Mapping[str, Any]) -> Prompt:
        """Return what it asks; see `Body`."""
        body = self._body
        model = str(body.get("model") or models.DEFAULT_MODEL)
        completion, key = body.get("max_output_tokens"), body.get("prompt_cache_key")
        return Prompt(
            messages=self._items.messages,
            tools=self._items.tools,
            model=model,
            completion=completion if isinstance(completion, int) else None,
            keep_reasoning=models.keeps_reasoning(model),
            cache_key=key if isinstance(key, str) else None,
            shareable=False,  # the summary is asked for by a chat completion
            **place,
        )

    @classmethod
    def read(cls, options: Any) -> ResponsesBody | None:
        """Return the body of a request, or None where its input is no list.

        Raises:
            SkippedError: Memory cannot answer for this one.
        """
        body = _merged(options)
        given = _mappings(body.get("input"))
        if given is None:
            return None
        for name in ("previous_response_id", "conversation"):
            if body.get(name):
                raise SkippedError(STORED.format(name=name))
        instructions, tools = body.get("instructions"), body.get("tools")
        return cls(body, Items.of(given, instructions=instructions, tools=tools))

    def offer(self, recall: Recall) -> None:
        """Return None: the tool is a function of chat completions."""

    def changes(self, sent: Send) -> dict[str, Any]:
        """Return the keys of the body that have to change for what is sent."""
        changes: dict[str, Any] = {}
        if sent.fitted.changed:
            changes["input"] = self._items.back(sent.fitted.messages)
        if sent.completion is not None:
            changes["max_output_tokens"] = sent.completion
        return changes

    def parsed(self, response: Any, *, choice: int) -> Reply | None:
        """Return what a `Response` cost; its items are not read."""
        del choice
        usage = _usage(getattr(response, "usage", None), "input", "output")
        return None if usage is None else Reply(usage=usage)


def _merged(options: Any) -> Mapping[str, Any]:
    """Return the body as the SDK will send it: `extra_json` is laid over `json_data`."""
    body: Mapping[str, Any] = options.json_data
    return {**body, **options.extra_json} if options.extra_json else body


def _listed(tools: object) -> tuple[WireMessage, ...]:
    """Return tool declarations; none where they are no list."""
    return tuple(tools) if isinstance(tools, (list, tuple)) else ()


def _mappings(value: object) -> Sequence[Mapping[str, Any]] | None:
    """Return a list of mappings, or None where it is something else."""
    if not isinstance(value, (list, tuple)):
        return None
    return value if all(issubclass(kind, Mapping) for kind in {*map(type, value)}) else None


def _usage(usage: Any, asked: str, written: str) -> Usage | None:
    """Return a usage object of the SDK as a record, or None."""
    prompt = getattr(usage, f"{asked}_tokens", None)
    completion = getattr(usage, f"{written}_tokens", None)
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    cached = getattr(getattr(usage, f"{asked}_tokens_details", None), "cached_tokens", None)
    details = getattr(usage, f"{written}_tokens_details", None)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached or 0,
        reasoning_tokens=getattr(details, "reasoning_tokens", None) or 0,
    )
