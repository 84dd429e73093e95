"""What callers do to a conversation: change it, go back in it, and write it down differently."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from hypothesis import strategies as st

from memory.identity import see
from memory.messages import (
    WireMessage,
    clone,
    head_length,
    is_partial,
    role_of,
    split,
    tool_calls,
    wire,
)
from memory.testing.strategies.checking import among, conversation_of, wholes
from memory.testing.strategies.drawing import Wire
from memory.testing.strategies.talk import requests, texts, turns

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessage

__all__ = (
    "CHANGES",
    "RENDERINGS",
    "Change",
    "Edit",
    "Rendering",
    "branches",
    "edits",
    "renderings",
)

Change = Literal[
    "reword",
    "insert",
    "new-head",
    "rerender",
    "go-back",
    "regenerate",
    "drop-turn",
    "forget-first",
]
"""What is done to a conversation; see `edits`."""
CHANGES: Final[tuple[Change, ...]] = get_args(Change)

Rendering = Literal["same", "reordered", "padded", "respaced", "object", "dump"]
"""How a message is written down; see `renderings`."""
RENDERINGS: Final[tuple[Rendering, ...]] = get_args(Rendering)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A conversation after its caller changed it.

    Attributes:
        change: What was done.
        messages: The whole conversation now; it shares nothing with the one before.
        first: The index of the first message that means something else than before, or is gone,
            or was not there; the length of both where they mean the same.
    """

    change: Change
    messages: list[Any]
    first: int


def edits(
    conversation: Sequence[Mapping[str, Any]],
    *,
    changes: Collection[Change] = CHANGES,
    largest: int = 20,
) -> st.SearchStrategy[Edit]:
    """Return a strategy for edits of a conversation; exchanges stay whole, a last partial is last.

    `"reword"` changes the content of a message, `"insert"` puts a turn between two parts,
    `"new-head"` changes, adds or removes the system prompt, `"rerender"` writes every message down
    in some other way that means the same, `"go-back"` returns to an earlier request and goes on
    otherwise, `"regenerate"` has the last answer given again, `"drop-turn"` takes the last turn
    back, and `"forget-first"` leaves out the oldest parts after the head.

    Args:
        conversation: Wire messages, at least one. It is not changed.
        changes: What may be done. What this conversation has no place for is not; an example for
            which nothing is left is skipped.
        largest: Words that a text may have which is new.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    given = [dict(message) for message in conversation_of(conversation)]
    wanted = among("changes", changes, CHANGES)
    wholes(0, largest=largest)
    possible = [change for change in CHANGES if change in wanted and _has_place(change, given)]
    return _edits(given, possible, largest) if possible else st.nothing()


def branches(
    conversation: Sequence[Mapping[str, Any]],
    *,
    changes: Collection[Change] = CHANGES,
    most: int = 4,
    largest: int = 20,
) -> st.SearchStrategy[list[Edit]]:
    """Return a strategy for edits one after another, each of the conversation or of an edit of it.

    Args:
        conversation: Wire messages, at least one. It is not changed.
        changes: What may be done; see `edits`.
        most: How many edits there are at most; at least one is there.
        largest: Words that a text may have which is new.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    wholes(1, most=most)
    edits(conversation, changes=changes, largest=largest)
    return _branches([dict(message) for message in conversation], tuple(changes), most, largest)


def renderings(
    message: Mapping[str, Any], *, kinds: Collection[Rendering] = RENDERINGS
) -> st.SearchStrategy[Any]:
    """Return a strategy for the ways to write a message down that mean the same.

    `"reordered"` has its keys in another order, `"padded"` has the keys without a value that the
    SDK adds, `"respaced"` has other white space in the arguments of its calls; of messages of
    assistants, `"object"` is what the SDK returns and `"dump"` what `model_dump()` makes of that.

    Args:
        message: A wire message. It is not changed.
        kinds: How it may be written down; `"same"` where none of them applies.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    conversation_of([message])
    wanted = among("kinds", kinds, RENDERINGS)
    sdk = role_of(message) == "assistant"
    possible = [kind for kind in wanted if sdk or kind not in {"object", "dump"}]
    ways: list[Rendering] = possible or ["same"]
    return st.sampled_from(ways).map(lambda kind: _RENDER[kind](clone(message)))


@st.composite
def _edits(draw: st.DrawFn, given: list[Wire], possible: list[Change], largest: int) -> Edit:
    change = draw(st.sampled_from(possible))
    made = _DO[change](draw, clone(given), largest)
    return Edit(change=change, messages=made, first=_first(given, wire(made)))


@st.composite
def _branches(
    draw: st.DrawFn,
    conversation: list[Wire],
    changes: tuple[Change, ...],
    most: int,
    largest: int,
) -> list[Edit]:
    states, made = [conversation], list[Edit]()
    for _ in range(draw(st.integers(1, most))):
        base = draw(st.sampled_from(states))
        made.append(draw(edits(base, changes=changes, largest=largest)))
        states.append([dict(message) for message in wire(made[-1].messages)])
    return made


def _first(before: Sequence[WireMessage], after: Sequence[WireMessage]) -> int:
    pairs = zip(see(before), see(after), strict=False)
    same = min(len(before), len(after))
    return next((i for i, (one, other) in enumerate(pairs) if one.digest != other.digest), same)


def _has_place(change: Change, given: Sequence[Wire]) -> bool:
    match change:
        case "go-back":
            return len(requests(given)) > 1
        case "regenerate":
            return _last_answer(given) is not None
        case "drop-turn":
            return _last_turn(given) > 0
        case "forget-first":
            return len(_starts(given)) > 1
    return True


def _starts(given: Sequence[Wire]) -> list[int]:
    """Return where parts begin, after the head."""
    return [part.start for part in split(given, start=head_length(given))]


def _last_answer(given: Sequence[Wire]) -> int | None:
    plain = (
        index
        for index, message in enumerate(given)
        if role_of(message) == "assistant"
        and not tool_calls(message)
        and not message.get("partial")
    )
    return max(plain, default=None)


def _last_turn(given: Sequence[Wire]) -> int:
    """Return where the last turn begins: a user message, and what was said just before it."""
    parts = split(given, start=head_length(given))
    return max((part.start for part in parts if part.kind == "user"), default=0)


def _text(draw: st.DrawFn, largest: int) -> str:
    return draw(texts(largest=largest, strict=True))


def _reworded(draw: st.DrawFn, given: list[Wire], largest: int) -> list[Wire]:
    place = draw(st.integers(0, len(given) - 1))
    text = _text(draw, largest)
    if text == given[place].get("content"):
        text += " (edited)"
    given[place] = {**given[place], "content": text}
    return given


def _inserted(draw: st.DrawFn, given: list[Wire], largest: int) -> list[Wire]:
    ends = [] if is_partial(given) or _lacks(given) else [len(given)]
    place = draw(st.sampled_from([*_starts(given), *ends] or [len(given)]))
    new = draw(turns(largest=largest, strict=True))
    return [*given[:place], *new, *given[place:]]


def _lacks(given: Sequence[Wire]) -> bool:
    """Whether the conversation ends amid an exchange."""
    parts = split(given, start=head_length(given))
    return bool(parts) and parts[-1].open


def _with_head(draw: st.DrawFn, given: list[Wire], largest: int) -> list[Wire]:
    head = head_length(given)
    keeps = head and head < len(given)
    texts = [] if keeps and draw(st.booleans()) else [_text(draw, largest)]
    new = [{"role": "system", "content": text} for text in texts]
    if new == given[:head]:
        new[0]["content"] += " (edited)"
    return [*new, *given[head:]]


def _rerendered(draw: st.DrawFn, given: list[Wire], _: int) -> list[Any]:
    return [draw(renderings(message)) for message in given]


def _gone_back(draw: st.DrawFn, given: list[Wire], largest: int) -> list[Wire]:
    request = draw(st.sampled_from(requests(given)[:-1]))
    answer = {"role": "assistant", "content": _text(draw, largest)}
    return [*map(dict, request), answer, {"role": "user", "content": _text(draw, largest)}]


def _regenerated(draw: st.DrawFn, given: list[Wire], largest: int) -> list[Wire]:
    place = _last_answer(given) or 0
    text = _text(draw, largest)
    again = text + " (again)" if text == given[place].get("content") else text
    return [*given[:place], {"role": "assistant", "content": again}, *given[place + 1 :]]


def _taken_back(_: st.DrawFn, given: list[Wire], __: int) -> list[Wire]:
    return given[: _last_turn(given)]


def _forgetful(draw: st.DrawFn, given: list[Wire], _: int) -> list[Wire]:
    place = draw(st.sampled_from(_starts(given)[1:]))
    return [*given[: head_length(given)], *given[place:]]


_DO: Final[Mapping[Change, Callable[[st.DrawFn, list[Wire], int], list[Any]]]] = {
    "reword": _reworded,
    "insert": _inserted,
    "new-head": _with_head,
    "rerender": _rerendered,
    "go-back": _gone_back,
    "regenerate": _regenerated,
    "drop-turn": _taken_back,
    "forget-first": _forgetful,
}


def _reordered(message: Wire) -> Wire:
    return dict(reversed(message.items()))


def _padded(message: Wire) -> Wire:
    nothing: Wire = {"refusal": None, "annotations": [], "audio": None, "function_call": None}
    calls = [{**call, "index": place} for place, call in enumerate(tool_calls(message))]
    return {**nothing, **message, "tool_calls": calls or None}


def _respaced(message: Wire) -> Wire:
    for call in tool_calls(message):
        function = call.get("function")
        if isinstance(function, dict):
            function["arguments"] = _spaced(function.get("arguments"))
    return message


def _spaced(arguments: Any) -> Any:
    try:
        return json.dumps(json.loads(arguments), indent=1)
    except (TypeError, ValueError):
        return arguments


def _object(message: Wire) -> ChatCompletionMessage:
    from openai.types.chat import ChatCompletionMessage

    return ChatCompletionMessage.construct(**message)


def _dump(message: Wire) -> Wire:
    return _object(message).model_dump(warnings=False)  # the SDK expects a text as content


_RENDER: Final[Mapping[Rendering, Callable[[Wire], Any]]] = {
    "same": lambda message: message,
    "reordered": _reordered,
    "padded": _padded,
    "respaced": _respaced,
    "object": _object,
    "dump": _dump,
}
