"""Conversations that Kimi refuses, each for one reason that has a name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from hypothesis import strategies as st

from memory.testing.strategies.checking import among, wholes
from memory.testing.strategies.drawing import Wire
from memory.testing.strategies.style import style
from memory.testing.strategies.talk import exchanges, turns

__all__ = ("WIRE_FAULTS", "Broken", "WireFault", "broken_conversations")

WireFault = Literal[
    "no-messages",
    "not-a-message",
    "no-role",
    "unknown-role",
    "developer-role",
    "empty-user",
    "blank-user",
    "empty-assistant",
    "no-system-content",
    "content-is-a-number",
    "unknown-part",
    "part-without-text",
    "empty-part",
    "public-url",
    "name-is-a-number",
    "calls-are-no-list",
    "call-without-id",
    "arguments-are-no-text",
    "orphan-result",
    "result-before-call",
    "late-result",
    "unknown-result",
    "result-without-id",
    "result-twice",
    "duplicate-call-id",
    "unanswered-call",
    "split-batch",
    "no-thought",
    "partial-amid",
    "partial-user",
]
"""What is wrong with a conversation, as its caller made it."""

_ROLE: Final = "unsupported role ROLE_UNSPECIFIED"
_EMPTY: Final = "must not be empty"
_STRAY: Final = "must be a response to a preceeding message with 'tool_calls'"
_UNKNOWN: Final = "tool_call_id  is not found"
_TWICE: Final = "tokenization failed"
_MISSING: Final = "did not have response messages"
_PARTIAL: Final = "partial is only allowed on a last message of role 'assistant'"

WIRE_FAULTS: Final[Mapping[WireFault, str]] = MappingProxyType(
    {
        "no-messages": "messages must not be empty",
        "not-a-message": "the `messages` field",
        "no-role": _ROLE,
        "unknown-role": _ROLE,
        "developer-role": _ROLE,
        "empty-user": _EMPTY,
        "blank-user": _EMPTY,
        "empty-assistant": _EMPTY,
        "no-system-content": _EMPTY,
        "content-is-a-number": "the `content` field",
        "unknown-part": "unsupported content type",
        "part-without-text": "the `text` field",
        "empty-part": "text content is empty",
        "public-url": "unsupported image url",
        "name-is-a-number": "the `name` field",
        "calls-are-no-list": "the `tool_calls` field",
        "call-without-id": "the `tool_calls` field",
        "arguments-are-no-text": "the `arguments` field",
        "orphan-result": _STRAY,
        "result-before-call": _STRAY,
        "late-result": _STRAY,
        "unknown-result": _UNKNOWN,
        "result-without-id": _UNKNOWN,
        "result-twice": _TWICE,
        "duplicate-call-id": _TWICE,
        "unanswered-call": _MISSING,
        "split-batch": _MISSING,
        "no-thought": "thinking is enabled but reasoning_content is missing",
        "partial-amid": _PARTIAL,
        "partial-user": _PARTIAL,
    }
)
"""Every fault, with words of what Kimi answers; to `"no-thought"` only if it thinks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A conversation that Kimi refuses.

    Attributes:
        fault: What is wrong with it, and nothing else is.
        messages: The conversation, broken in one of its turns.
    """

    fault: WireFault
    messages: list[Any]

    @property
    def refusal(self) -> str:
        """Words of the refusal that Kimi answers with."""
        return WIRE_FAULTS[self.fault]


def broken_conversations(
    *,
    faults: Collection[WireFault] = tuple(WIRE_FAULTS),
    most: int = 4,
    largest: int = 60,
    without: Collection[str] = (),
) -> st.SearchStrategy[Broken]:
    """Return a strategy for conversations with one fault, in a turn that calls two tools.

    Without the fault Kimi takes them: see `conversations(strict=True)`.

    Args:
        faults: What may be wrong.
        most: Turns before the broken one, and after it, at most.
        largest: Words that a text may have.
        without: Features that are left out of the rest; see `Feature`.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    given = among("faults", faults, tuple(WIRE_FAULTS))
    wholes(0, most=most)
    style(largest=largest, strict=True, without=without)
    return _broken(given, most, largest, tuple(without))


class _Turn(NamedTuple):
    """The turn that is broken."""

    question: Wire
    asking: Wire
    one: Wire
    two: Wire
    answer: Wire


@st.composite
def _broken(
    draw: st.DrawFn,
    faults: tuple[WireFault, ...],
    most: int,
    largest: int,
    without: tuple[str, ...],
) -> Broken:
    fault = draw(st.sampled_from(faults))
    turn = turns(largest=largest, strict=True, without=without)
    before, after = (draw(st.lists(turn, max_size=most)) for _ in range(2))
    broken = _BREAKS[fault](draw(_whole_turns(largest)))
    said = [*_joined(before), *broken, *_joined(after)]
    question = {"role": "user", "content": "And now?"}
    return Broken(fault=fault, messages=[*said, question] if broken else [])


def _joined(some: list[list[Wire]]) -> list[Wire]:
    return [each for one in some for each in one]


@st.composite
def _whole_turns(draw: st.DrawFn, largest: int) -> _Turn:
    """Draw a turn with two calls whose ids differ and that has a thought beside them."""
    asking, result, *_ = draw(exchanges(largest=largest, strict=True, without=["batches"]))
    call = asking["tool_calls"][0]
    calls = [{**call, "function": {**call["function"]}, "id": f"both:{n}"} for n in range(2)]
    return _Turn(
        question={"role": "user", "content": "Look it up."},
        asking={**asking, "tool_calls": calls},
        one={**result, "tool_call_id": "both:0"},
        two={"role": "tool", "tool_call_id": "both:1", "content": "found"},
        answer={"role": "assistant", "content": "Here it is."},
    )


def _asks(**keys: Any) -> Callable[[_Turn], list[Any]]:
    """Return what changes keys of the question."""
    return lambda turn: [{**turn.question, **keys}, *turn[1:]]


def _answers(**keys: Any) -> Callable[[_Turn], list[Any]]:
    """Return what changes keys of the answer."""
    return lambda turn: [*turn[:4], {**turn.answer, **keys}]


def _calls(change: Callable[[Wire], Any]) -> Callable[[_Turn], list[Any]]:
    """Return what changes the first call."""

    def changed(turn: _Turn) -> list[Any]:
        first, second = turn.asking["tool_calls"]
        return [turn.question, {**turn.asking, "tool_calls": [change(first), second]}, *turn[2:]]

    return changed


def _lacks(message: Wire, key: str) -> Wire:
    return {name: value for name, value in message.items() if name != key}


def _says_part(**part: Any) -> Callable[[_Turn], list[Any]]:
    return _asks(content=[{"type": "text", "text": "Look:"}, part])


def _in_place_of_results(turn: _Turn, *results: Wire) -> list[Any]:
    return [turn.question, turn.asking, *results, turn.answer]


def _same_ids(turn: _Turn) -> list[Any]:
    calls = [{**call, "id": "both:0"} for call in turn.asking["tool_calls"]]
    asking = {**turn.asking, "tool_calls": calls}
    return [turn.question, asking, turn.one, {**turn.two, "tool_call_id": "both:0"}, turn.answer]


_BREAKS: Final[Mapping[WireFault, Callable[[_Turn], list[Any]]]] = {
    "no-messages": lambda _: [],
    "not-a-message": lambda t: [t.question, "hello", *t[1:]],
    "no-role": lambda t: [_lacks(t.question, "role"), *t[1:]],
    "unknown-role": _asks(role="human"),
    "developer-role": _asks(role="developer"),
    "empty-user": _asks(content=""),
    "blank-user": _asks(content=" \n"),
    "empty-assistant": _answers(content=""),
    "no-system-content": lambda t: [{"role": "system", "content": None}, *t],
    "content-is-a-number": _asks(content=7),
    "unknown-part": _says_part(type="input_audio", input_audio={"data": "", "format": "wav"}),
    "part-without-text": _says_part(type="text"),
    "empty-part": _says_part(type="text", text=""),
    "public-url": _says_part(type="image_url", image_url={"url": "https://example.com/1.png"}),
    "name-is-a-number": _asks(name=7),
    "calls-are-no-list": lambda t: [t.question, {**t.asking, "tool_calls": "look"}, *t[2:]],
    "call-without-id": _calls(lambda call: _lacks(call, "id")),
    "arguments-are-no-text": _calls(
        lambda call: {**call, "function": {"name": "f", "arguments": {}}}
    ),
    "orphan-result": lambda t: [t.question, t.one, t.answer],
    "result-before-call": lambda t: [t.question, t.one, t.asking, t.two, t.answer],
    "late-result": lambda t: _in_place_of_results(t, t.one, t.question, t.two),
    "unknown-result": lambda t: _in_place_of_results(
        t, t.one, t.two, {**t.two, "tool_call_id": "no"}
    ),
    "result-without-id": lambda t: _in_place_of_results(t, t.one, _lacks(t.two, "tool_call_id")),
    "result-twice": lambda t: _in_place_of_results(t, t.one, t.two, t.one),
    "duplicate-call-id": _same_ids,
    "unanswered-call": _in_place_of_results,
    "split-batch": lambda t: _in_place_of_results(t, t.one),
    "no-thought": lambda t: [t.question, _lacks(t.asking, "reasoning_content"), *t[2:]],
    "partial-amid": _answers(partial=True),
    "partial-user": _asks(partial=True),
}
