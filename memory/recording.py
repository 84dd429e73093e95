"""Recorded conversations: joined to longer ones, and request by request as they were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memory.messages import WireMessage

__all__ = ("Step", "join", "steps", "with_thoughts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a conversation.

    Attributes:
        messages: What the caller would send.
        tools: The tool declarations in force.
        reply: The recorded assistant message that followed, or None.
    """

    messages: list[WireMessage]
    tools: Sequence[Mapping[str, Any]]
    reply: WireMessage | None


def join(conversations: Sequence[Mapping[str, Any]], *, chain: int) -> list[dict[str, Any]]:
    """Join every `chain` conversations into one, for longer ones than were recorded.

    The first system message is kept and those equal to it are left out. A joined conversation
    has `pieces`: where each begins and the tools it declares. Where there are questions
    (`probes`), it has those of all, and in `ids` what each message has under `_id`.
    """
    groups = [conversations[i : i + chain] for i in range(0, len(conversations), chain)]
    return [_joined(group) for group in groups]


def _joined(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    messages: list[WireMessage] = []
    pieces: list[tuple[int, Any]] = []
    ids: list[str] = []
    asked: list[Mapping[str, Any]] = []
    for number, conversation in enumerate(group):
        pieces.append((len(messages), conversation.get("tools") or ()))
        piece = f"{number}:" if len(group) > 1 else ""  # ids may come again in the next one
        kept = [m for m in conversation["messages"] if not _repeats(m, messages)]
        messages += map(_wire, kept)
        ids += [f"{piece}{message.get('_id', '')}" for message in kept]
        for probe in conversation.get("probes") or ():
            evidence = [f"{piece}{each}" for each in probe.get("evidence") or ()]
            asked.append({**probe, "evidence": evidence})
    names = [str(conversation["id"]) for conversation in group]
    name = names[0] if len(names) == 1 else f"{names[0]}+{len(names) - 1}"
    joined = {"id": name, "messages": messages, "pieces": pieces}
    return joined | ({"probes": asked, "ids": ids} if asked else {})


def _repeats(message: WireMessage, messages: Sequence[WireMessage]) -> bool:
    return bool(messages) and message["role"] == "system" and _wire(message) == messages[0]


def _wire(message: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if not key.startswith("_")}


def steps(conversation: Mapping[str, Any]) -> Iterator[Step]:
    """Yield the requests of a conversation made by `join`, in order.

    One before each recorded assistant message; one for each user message where there is none.
    """
    messages: list[WireMessage] = conversation["messages"]
    recorded = any(message["role"] == "assistant" for message in messages)
    for index, message in enumerate(messages):
        if recorded and message["role"] == "assistant" and index:
            yield Step(messages=messages[:index], tools=_tools(conversation, index), reply=message)
        if not recorded and message["role"] == "user":
            yield Step(
                messages=messages[: index + 1], tools=_tools(conversation, index), reply=None
            )


def _tools(conversation: Mapping[str, Any], index: int) -> Sequence[Mapping[str, Any]]:
    tools: Sequence[Mapping[str, Any]] = ()
    for start, declared in conversation["pieces"]:
        if start <= index:
            tools = declared
    return tools


def with_thoughts(conversation: Mapping[str, Any]) -> dict[str, Any]:
    """Return a conversation for a model that always thinks: it wants a thought with tool calls."""
    messages = [
        {"reasoning_content": "", **message} if message.get("tool_calls") else message
        for message in conversation["messages"]
    ]
    return {**conversation, "messages": messages}
