"""The page about what peers keep of our promises, written from the figures alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, Final

from benchmarks._report import Row
from benchmarks.peers import PEERS
from benchmarks.peers.cases import LEFT_OUT, LIMITS
from benchmarks.peers.environments import ROOT
from benchmarks.peers.summariser import BEHAVIOURS
from memory.invariants import INVARIANTS
from memory.messages import tool_calls

__all__ = ("PAGE", "page", "shown", "table")

PAGE: Final = ROOT / "docs" / "explanation" / "promises-elsewhere.md"
_TITLES: Final = {invariant.number: invariant.name for invariant in INVARIANTS}
_WIDTH: Final = 100
_OPENING: Final = """\
# The same promises elsewhere

`memory.invariants` judges requests, whoever made them.
Here it judges those of three other libraries and of this one, all run in the same way:

    uv run python -m benchmarks.violations --page

writes this page; no figure on it was typed.

**The conversations.**
{number} from `memory.testing.strategies` with the seed {chance}, the same for all, request by \
request, each with a limit L of {low:,} to {high:,} tokens.
They hold texts in several languages, tool calls in parallel batches, and a system prompt or none.
What not everybody can represent is left out: {left_out}.
Messages of LangChain are judged as its own `convert_to_openai_messages` writes them, on both sides.

**The summariser** is the same for all.
It behaves well in all conversations, and in one of three bad ways in a third of them each:

{behaviours}

**The judge** counts with {judge}.
What a library says of its own notes is taken as its record: the text, and that it stands for \
all messages that are gone.
The last request of each conversation is made twice.

## In how many conversations a promise was broken

A promise counts as broken in a conversation when a check of it fails at least once.
*cut* is in how many something was left out at all, *of* how many there were.
"""
_NOT_OFFERED: Final = """\
Words stand where nothing could be judged:

{reasons}

A library that makes no such promise does nothing wrong by its own lights.
The table says what you would have to check yourself.
"""
_EXAMPLES: Final = """\
## An example of each

Turns were left out of a conversation as long as it went on to break the promise, and hypothesis \
looked for a smaller one.
The lines show roles, with the characters of each text; `NOTES` is the message that the library \
wrote.
"""


def table(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return a line for each peer and behaviour: in how many conversations what was broken.

    Args:
        found: What `benchmarks.violations.measure` returned for each peer.
    """
    return [_line(each, row) for each in found for row in each.get("rows", ())]


def page(found: Sequence[Mapping[str, Any]], *, chance: int) -> str:
    """Return the page as Markdown.

    Args:
        found: What `benchmarks.violations.measure` returned for each peer.
        chance: The seed.
    """
    judges = sorted({f"the {each['judge']}" for each in found if "judge" in each})
    opening = _OPENING.format(
        number=max((each.get("conversations", 0) for each in found), default=0),
        chance=chance,
        low=LIMITS[0],
        high=LIMITS[1],
        left_out="; ".join(LEFT_OUT),
        behaviours="\n".join(f"- *{name}*: it {what}." for name, what in BEHAVIOURS.items()),
        judge=" and ".join(judges),
    )
    parts = [opening, _grid(table(found)), _promises(), _missing(found), _settings(found)]
    examples = [each for peer in found for each in peer.get("examples", ())]
    parts += [_EXAMPLES, *map(_example, examples)] if examples else []
    return "\n".join(parts)


def shown(messages: Sequence[Mapping[str, Any]], notes: Sequence[int] = ()) -> str:
    """Return messages in a few words each.

    Args:
        messages: Wire messages.
        notes: The places of those that the library wrote.
    """
    return " · ".join(_word(m, noted=i in notes) for i, m in enumerate(messages))


def _line(each: Mapping[str, Any], row: Mapping[str, Any]) -> Row:
    entry = PEERS[each["peer"]]
    cells: Row = {
        "library": f"{entry.title} {each['version']}",
        "summariser": row["summariser"] if entry.summarises else "none",
        "cut": row["conversations cut"],
        "of": row["conversations"],
    }
    for number in _TITLES:
        broken = row["broken"].get(str(number), 0)
        hidden = not broken and number in entry.not_offered
        cells[str(number)] = entry.unjudged if hidden else broken
    return cells


def _grid(rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    columns = list(rows[0]) if rows else []
    lines = [columns, ["---"] * len(columns), *([str(row[c]) for c in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _promises() -> str:
    """Return what the numbers stand for."""
    lines = [f"{each.number}. *{each.name}*: {each.promise}" for each in INVARIANTS]
    return "\n".join(["The promises:\n", *lines]) + "\n"


def _missing(found: Sequence[Mapping[str, Any]]) -> str:
    """Return why something could not be judged."""
    reasons = [
        f"- {PEERS[each['peer']].title}, {number} ({_TITLES[number]}): {why}."
        for each in found
        for number, why in PEERS[each["peer"]].not_offered.items()
    ]
    return _NOT_OFFERED.format(reasons="\n".join(reasons))


def _settings(found: Sequence[Mapping[str, Any]]) -> str:
    """Return how each was run."""
    lines = [
        f"- **{PEERS[each['peer']].title}**: {PEERS[each['peer']].settings}." for each in found
    ]
    return "\n".join(["## How each was run\n", *lines]) + "\n"


def _example(example: Mapping[str, Any]) -> str:
    number = example["invariant"]
    title = f"### {PEERS[example['peer']].title}: {_TITLES[number]} ({number})"
    summariser = example["summariser"]
    when = f"summariser: {summariser}; " if PEERS[example["peer"]].summarises else ""
    told = f"`{example['check']}` ({when}L = {example['limit']:,}): {example['sentence']}."
    lines = [_wrapped("given", shown(example["given"]))]
    if example["sent"] is not None:
        lines.append(_wrapped("sent", shown(example["sent"], example["notes"])))
    return "\n".join([title, "", told, "", "```text", *lines, "```", ""])


def _wrapped(name: str, text: str) -> str:
    return fill(f"{name:<6} {text}", _WIDTH, subsequent_indent=" " * 7, break_on_hyphens=False)


def _word(message: Mapping[str, Any], *, noted: bool) -> str:
    role = "NOTES" if noted else str(message.get("role"))
    ids = [str(call.get("id")) for call in tool_calls(message)]
    calls = f" calls {'+'.join(ids)}" if ids else ""
    answers = f" {message['tool_call_id']}" if "tool_call_id" in message else ""
    return f"{role}{answers} {len(str(message.get('content') or ''))}{calls}"
