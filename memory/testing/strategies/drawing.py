"""How the pieces of a conversation are drawn: few numbers for each, so that it is fast."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from hypothesis import strategies as st

from memory.messages import clone, head_length
from memory.testing.strategies.pieces import Pieces, Shape, pieces
from memory.testing.strategies.style import HUGE, Style

__all__ = (
    "Wire",
    "content",
    "conversation",
    "ending",
    "exchange",
    "message",
    "phrase",
    "turn",
)

Wire = dict[str, Any]
"""A message as it goes over the wire."""

_REMINDER: Final = 5
_THOUGHT: Final = 10
"""Words that a reminder, and a thought, may have."""


def phrase(
    draw: st.DrawFn, chosen: Pieces, seed: int, mark: str, *, most: int | None = None
) -> str:
    """Draw a text by its length; how it begins and what it says follows from the others.

    Args:
        draw: Given by hypothesis.
        chosen: The style.
        seed: Stands for an opening and a tag.
        mark: Tells texts of one seed apart.
        most: Words that it may have.
    """
    size = draw(chosen.sizes)
    return _spelled(chosen, seed, mark, size if most is None else min(size, most))


def _spelled(chosen: Pieces, seed: int, mark: str, size: int) -> str:
    tag, place = divmod(seed, len(chosen.openings))
    opening, stem = chosen.openings[place]
    return " ".join([opening, *[f"{stem}{tag}{mark}{index}" for index in range(size)]])


def content(draw: st.DrawFn, chosen: Pieces, role: str, seed: int) -> Any:
    """Draw a content of a role."""
    return _shaped(draw, chosen, role, draw(chosen.shapes[role]), seed)


def _shaped(draw: st.DrawFn, chosen: Pieces, role: str, shape: Shape, seed: int) -> Any:
    if shape == "text":
        return phrase(draw, chosen, seed, role[0])
    if shape == "huge":
        return _spelled(chosen, seed, role[0], HUGE * chosen.style.largest)
    if shape == "empty":
        return clone(draw(chosen.empties[role]))
    marks = [f"{role[0]}{place}p" for place in range(draw(chosen.few))]
    if shape == "parts":
        return [_text_part(phrase(draw, chosen, seed, mark)) for mark in marks]
    media = [clone(draw(chosen.media)) for _ in marks]
    return [_text_part(phrase(draw, chosen, seed, role[0])), *media] if len(marks) > 1 else media


def _text_part(text: str) -> Wire:
    return {"type": "text", "text": text}


def message(draw: st.DrawFn, chosen: Pieces, role: str, seed: int) -> Wire:
    """Draw a message of a role, without calls."""
    if role not in {"user", "assistant"}:
        made = {"role": role, "content": content(draw, chosen, role, seed)}
        return made | ({"tool_call_id": f"look:{seed % 4}"} if role == "tool" else {})
    shape, extras = draw(chosen.sayings[role])
    said = _shaped(draw, chosen, role, shape, seed)
    return {"role": role, "content": said, **clone(extras)}


def exchange(draw: st.DrawFn, chosen: Pieces, seed: int) -> list[Wire]:
    """Draw an assistant message with calls, and all their results."""
    (asking, calling), batch = draw(chosen.asked), draw(chosen.batches)
    names = [calling.id(batch.first + place) for place in range(batch.size)]
    function = {"name": calling.tool, "arguments": calling.arguments}
    calls = [{"id": name, "type": "function", "function": dict(function)} for name in names]
    said: Wire = {"role": "assistant", **clone(asking.message), "tool_calls": calls}
    if asking.thinks:
        said["reasoning_content"] = phrase(draw, chosen, seed, "c", most=_THOUGHT)
    found = [content(draw, chosen, "tool", seed)]
    found += [phrase(draw, chosen, seed, f"t{place}n") for place in range(1, batch.size)]
    results = [
        {"role": "tool", "tool_call_id": name, "content": each}
        for name, each in zip(names, found, strict=True)
    ]
    return [said, *_come(results, said, batch.manner)]


def _come(results: list[Wire], said: Wire, manner: str) -> list[Wire]:
    """Return results in the manner drawn: named, in another order, or of calls with places."""
    calls = said["tool_calls"]
    if manner == "indexed":
        said["tool_calls"] = [{"index": place, **call} for place, call in enumerate(calls)]
    if manner == "named":
        return [{**result, "name": calls[0]["function"]["name"]} for result in results]
    return results[::-1] if manner == "reversed" else results


def _reminder(draw: st.DrawFn, chosen: Pieces, seed: int) -> Wire:
    text = phrase(draw, chosen, seed, "r", most=_REMINDER)
    return {"role": draw(chosen.roles), "content": text}


def turn(draw: st.DrawFn, chosen: Pieces) -> list[Wire]:
    """Draw a user message, exchanges and an answer; a system message may be among them."""
    plan, seed = draw(chosen.plans), draw(chosen.seeds)
    asked = [message(draw, chosen, "user", seed)]
    if plan.reminder == "before":
        asked.insert(0, _reminder(draw, chosen, seed))
    elif plan.reminder == "after":
        asked.append(_reminder(draw, chosen, seed))
    if plan.calls:
        asked += _joined(draw(_exchanges(chosen.style, 1)))
    if plan.reminder == "late":
        asked.append(_reminder(draw, chosen, seed))
    answer = message(draw, chosen, "assistant", seed)
    if plan.thinks:
        answer["reasoning_content"] = phrase(draw, chosen, seed, "h", most=_THOUGHT)
    return [*asked, answer]


def ending(draw: st.DrawFn, chosen: Pieces, end: str) -> list[Wire]:
    """Draw the messages of a last turn that ends in a way."""
    if end == "assistant":
        return turn(draw, chosen)
    seed = draw(chosen.seeds)
    made = [message(draw, chosen, "user", seed)]
    if end != "user" and "tools" not in chosen.style.without:
        made += _joined(draw(_exchanges(chosen.style, int(end in {"results", "calls"}))))
    if end == "calls":
        last = max(place for place, each in enumerate(made) if "tool_calls" in each)
        return made[: max(last + 1, len(made) - draw(chosen.few))]
    if end == "system":
        made.append(_reminder(draw, chosen, seed))
    if end == "partial":
        made.append({"role": "assistant", **draw(chosen.partials), "partial": True})
    return made


def conversation(
    draw: st.DrawFn, chosen: Pieces, turns: st.SearchStrategy[list[list[Wire]]], end: str
) -> list[Wire]:
    """Draw a head, turns and an end."""
    heads = [
        {"role": draw(chosen.roles), "content": content(draw, chosen, "system", draw(chosen.seeds))}
        for _ in range(draw(chosen.heads))
    ]
    whole = _joined([heads, *draw(turns), ending(draw, chosen, end)])
    if "head" in chosen.style.without:
        whole = whole[head_length(whole) :]
    return _renumbered(whole) if "repeated-ids" in chosen.style.without else whole


def _joined(some: list[list[Wire]]) -> list[Wire]:
    return [each for one in some for each in one]


@lru_cache(maxsize=256)
def _exchanges(style: Style, least: int) -> st.SearchStrategy[list[list[Wire]]]:
    """Return a strategy for a few exchanges; one of its own, so that each can be taken out."""
    return st.lists(_exchange(style), min_size=least, max_size=3)


@st.composite
def _exchange(draw: st.DrawFn, style: Style) -> list[Wire]:
    chosen = pieces(style)
    return exchange(draw, chosen, draw(chosen.seeds))


def _renumbered(messages: list[Wire]) -> list[Wire]:
    """Give every call of a conversation an id of its own."""
    number, names = 0, dict[str, str]()
    for each in messages:
        if each["role"] == "tool":
            each["tool_call_id"] = names[each["tool_call_id"]]
        elif calls := each.get("tool_calls"):
            names = {}
            for call in calls:
                names[call["id"]] = call["id"] = f"{call['function']['name']}:{number}"
                number += 1
    return messages
