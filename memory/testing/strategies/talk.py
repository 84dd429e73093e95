"""Conversations as they go over the wire, from a text to the whole of what a caller sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, get_args

from hypothesis import strategies as st

from memory.messages import clone
from memory.testing.strategies.checking import among, conversation_of, wholes
from memory.testing.strategies.drawing import (
    Wire,
    content,
    conversation,
    ending,
    exchange,
    message,
    phrase,
    turn,
)
from memory.testing.strategies.pieces import pieces
from memory.testing.strategies.style import Style, style

__all__ = (
    "ENDS",
    "ROLES",
    "End",
    "Role",
    "contents",
    "conversations",
    "endings",
    "exchanges",
    "extras",
    "messages",
    "requests",
    "texts",
    "turns",
)

End = Literal["user", "results", "system", "partial", "assistant", "calls"]
"""What the last message of a conversation is; see `conversations`."""
Role = Literal["user", "assistant", "tool", "system"]
"""Who says a message."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
ENDS: Final[tuple[End, ...]] = ("user", "results", "system", "partial", "assistant")
"""What the last message of a request can be. `"calls"` is no such end: results are missing."""


def texts(
    *, largest: int = 60, strict: bool = False, without: Collection[str] = ()
) -> st.SearchStrategy[str]:
    """Return a strategy for texts of a few words in any language; the simplest is `"hello"`.

    Args:
        largest: Words that a text may have, beside those it begins with.
        strict: Whether Kimi takes it: no halves of surrogate pairs, which no SDK can send.
        without: Features that are left out; see `Feature`.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    chosen = style(largest=largest, strict=strict, without=without)
    return _texts(chosen)


def contents(
    *,
    role: Role = "user",
    largest: int = 60,
    strict: bool = False,
    without: Collection[str] = (),
) -> st.SearchStrategy[Any]:
    """Return a strategy for contents: mostly texts, some in parts, with media, empty or huge.

    Args:
        role: Whose content; tools and assistants have other ones than users.
        largest: Words that a text may have; a huge one has 20 times as many.
        strict: Whether Kimi takes it: only results of tools are empty, media are its own.
        without: Features that are left out; see `Feature`.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    among("role", [role], ROLES)
    chosen = style(largest=largest, strict=strict, without=without)
    return _contents(chosen, role)


def extras(*, strict: bool = False, without: Collection[str] = ()) -> st.SearchStrategy[Wire]:
    """Return a strategy for the keys that a message has beside role and content; mostly none.

    Args:
        strict: Whether Kimi takes them; it ignores those it does not know.
        without: `"names"` or `"unknown-keys"`, to leave them out.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    return pieces(style(largest=0, strict=strict, without=without)).extras.map(clone)


def messages(
    *,
    roles: Collection[Role] = ROLES,
    largest: int = 60,
    strict: bool = False,
    without: Collection[str] = (),
) -> st.SearchStrategy[Wire]:
    """Return a strategy for one message, each valid where a conversation has a place for it.

    Args:
        roles: Who may have said it; an assistant that calls tools is in `exchanges`.
        largest: Words that a text may have; a huge one has 20 times as many.
        strict: Whether Kimi takes it.
        without: Features that are left out; see `Feature`.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    chosen = style(largest=largest, strict=strict, without=without)
    return _messages(chosen, among("roles", roles, ROLES))


def exchanges(
    *, largest: int = 60, strict: bool = False, without: Collection[str] = ()
) -> st.SearchStrategy[list[Wire]]:
    """Return a strategy for an assistant message with one to three calls, and all their results.

    Args:
        largest: Words that a text may have; a huge one has 20 times as many.
        strict: Whether Kimi takes it, thinking or not: there is a `reasoning_content`.
        without: Features that are left out; see `Feature`.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    return _exchanges(style(largest=largest, strict=strict, without=without))


def turns(
    *, largest: int = 60, strict: bool = False, without: Collection[str] = ()
) -> st.SearchStrategy[list[Wire]]:
    """Return a strategy for a user message, up to three exchanges and an answer.

    A system message may stand before, after the question, or before the answer.

    Args:
        largest: Words that a text may have; a huge one has 20 times as many.
        strict: Whether Kimi takes it.
        without: Features that are left out; see `Feature`.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    return _turns(style(largest=largest, strict=strict, without=without))


def endings(
    ends: Collection[End] = ENDS,
    *,
    largest: int = 60,
    strict: bool = False,
    without: Collection[str] = (),
) -> st.SearchStrategy[list[Wire]]:
    """Return a strategy for the messages of a last turn that ends in one of the ways named.

    Takes what `conversations` takes.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    chosen = style(largest=largest, strict=strict, without=without)
    return _endings(chosen, _ends(ends, chosen))


def conversations(
    *,
    least: int = 0,
    most: int = 20,
    largest: int = 60,
    ends: Collection[End] = ENDS,
    strict: bool = False,
    without: Collection[str] = (),
) -> st.SearchStrategy[list[Wire]]:
    """Return a strategy for conversations: a head, turns, and a last turn that ends in some way.

    Each is a list of plain dicts that share nothing. The simplest is one user message, `"hello"`.

    Args:
        least: Turns before the last one, at least.
        most: The same, at most.
        largest: Words that a text may have; a huge one has 20 times as many.
        ends: What the last message may be: a question (`"user"`), the `"results"` of tools, a
            `"system"` message, the beginning of a reply (`"partial"`), an answer
            (`"assistant"`), or `"calls"` with some of their results missing, as in a process
            that was stopped.
        strict: Whether Kimi takes each of its requests, with any model, thinking or not: no
            developer messages, no surrogates, nothing empty but results of tools, a
            `reasoning_content` beside every call, and no media from elsewhere.
        without: Features that are left out; see `Feature`.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    chosen = style(largest=largest, strict=strict, without=without)
    wholes(0, least=least)
    wholes(least, most=most)
    return _conversations(chosen, least, most, _ends(ends, chosen))


def requests(conversation: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return what the caller of a conversation sent, request by request, the last one whole.

    Raises:
        InvalidArgument: It is no list of messages.
    """
    said = conversation_of(conversation)
    stops = [
        index
        for index, message in enumerate(said)
        if index and message.get("role") == "assistant" and not message.get("partial")
    ]
    return [said[:stop] for stop in [*stops, len(said)]]


def _ends(ends: Collection[End], chosen: Style) -> tuple[End, ...]:
    allowed: list[End] = [*ENDS] if chosen.strict else [*ENDS, "calls"]
    given = among("ends", ends, allowed)
    gone = {"results", "calls"} if "tools" in chosen.without else set[str]()
    gone |= {"system"} if "reminders" in chosen.without else set[str]()
    given = tuple(end for end in given if end not in gone)
    return among("ends", given, allowed)


@st.composite
def _texts(draw: st.DrawFn, kind: Style) -> str:
    return phrase(draw, pieces(kind), draw(pieces(kind).seeds), "x")


@st.composite
def _contents(draw: st.DrawFn, kind: Style, role: Role) -> Any:
    return content(draw, pieces(kind), role, draw(pieces(kind).seeds))


@st.composite
def _messages(draw: st.DrawFn, kind: Style, roles: Sequence[Role]) -> Wire:
    return message(draw, pieces(kind), draw(st.sampled_from(roles)), draw(pieces(kind).seeds))


@st.composite
def _exchanges(draw: st.DrawFn, kind: Style) -> list[Wire]:
    return exchange(draw, pieces(kind), draw(pieces(kind).seeds))


@st.composite
def _turns(draw: st.DrawFn, kind: Style) -> list[Wire]:
    return turn(draw, pieces(kind))


@st.composite
def _endings(draw: st.DrawFn, kind: Style, ends: Sequence[End]) -> list[Wire]:
    return ending(draw, pieces(kind), draw(st.sampled_from(ends)))


@st.composite
def _conversations(
    draw: st.DrawFn, kind: Style, least: int, most: int, ends: Sequence[End]
) -> list[Wire]:
    said = _many_turns(kind, least, most)
    return conversation(draw, pieces(kind), said, draw(st.sampled_from(ends)))


@lru_cache(maxsize=256)
def _many_turns(kind: Style, least: int, most: int) -> st.SearchStrategy[list[list[Wire]]]:
    return st.lists(_turns(kind), min_size=least, max_size=most)
