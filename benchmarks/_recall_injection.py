"""Whether what is recalled can pass itself off as an instruction.

The hostile transcripts of `benchmarks.injection` stand in ordinary conversations that are compacted
until they are gone; then questions are asked that bring them back. Every snippet message is taken
apart by a strict reader of its own, written from the documented form: *promoted* is a message of
another role than the user's, a line of the form that no quotation makes, a quotation that its
message does not have, and everything hostile outside of quotation marks. Nothing that is recalled
may stand in a request for a summary or in notes.

The same reader reads the same messages as somebody would show them who neither escapes nor quotes:
what it finds there shows that it can find something.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks._hostile import NAME, Transcript
from benchmarks._notes_parser import FormError, folded, parse
from benchmarks._report import Check, Row
from benchmarks.injection import BUDGET, MODEL, conversation
from memory import MemoryManager
from memory.events import Failed
from memory.messages import head_length, text_of, tool_calls
from memory.recall import is_snippet
from memory.summary import Draft, SummaryRequest, request_body

__all__ = ("Recalled", "attacked", "checks", "rows", "unguarded")

Message = Mapping[str, Any]
QUESTION: Final = 200
"""Characters of a hostile message that are asked for."""
FRAME: Final = "recalled-messages"
_LINE: Final = re.compile(r'(\d+) ([a-z]+): ("(?:[^"\\]|\\.)*")')
_DATE: Final = re.compile(r"\[[^\[\]<>]{1,80}\]")
_ENDS: Final = re.compile(r"<[\s/\\]*(?:recalled|conversation|standing|summary|identifiers)")


@dataclass(slots=True, kw_only=True)
class Recalled:
    """What came of one transcript.

    Attributes:
        views: Requests with a snippet message.
        holding: Those that quote something hostile.
        promoted: What passed itself off as an instruction, one phrase each.
        leaked: Where something that was recalled stands besides.
        failed: Searches that failed.
    """

    views: int = 0
    holding: int = 0
    promoted: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    failed: int = 0

    def told(self, event: object) -> None:
        """Count an event."""
        self.failed += isinstance(event, Failed)


class _Writer:
    """A summariser that says nothing and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[SummaryRequest] = []

    def summarize(self, request: SummaryRequest, /) -> Draft:
        self.requests.append(request)
        return Draft(text="Orders of chairs were noted and sent to warehouses.", author="stub")


def attacked(transcript: Transcript) -> Recalled:
    """Have a conversation with a hostile transcript in it, and ask for that."""
    found, writer = Recalled(), _Writer()
    manager = MemoryManager(
        budget=BUDGET,
        summarizer=writer,
        tokenizer=lambda text: len(text.encode("utf-8", "surrogatepass")) // 4 + 1,
        hooks=(found.told,),
        recall="auto",
    )
    talk = conversation(transcript)
    for end in (place + 1 for place, each in enumerate(talk) if each["role"] == "user"):
        _judge(talk, manager.fit(talk[:end], model=MODEL), found)
    for question in _questions(transcript):
        asked = {"role": "user", "content": question}
        talk = [*talk, {"role": "assistant", "content": "Noted."}, asked]
        _judge(talk, manager.fit(talk, model=MODEL), found)
    for request in writer.requests:
        if any(FRAME in text_of(each) for each in request_body(request)["messages"]):
            found.leaked.append("a request for a summary holds what was recalled")
    return found


def _questions(transcript: Transcript) -> Iterator[str]:
    """Yield what brings each hostile message back: its own words, and who is spoken of."""
    yield f"What was said about {NAME}?" if transcript.lang == "en" else f"{NAME}是谁？"
    for message in transcript.messages:
        for text in _texts(message):
            said = " ".join(re.findall(r"\w+", text))[:QUESTION]
            yield f"Where was this said: {said}?"


def _judge(talk: Sequence[Message], sent: Sequence[Message], found: Recalled) -> None:
    """Note what is wrong with a request."""
    snippets = [each for each in sent if each not in talk and FRAME in folded(text_of(each))]
    found.views += bool(snippets)
    if len(snippets) > 1:
        found.promoted.append("there is more than one snippet message")
    for each in snippets:
        found.holding += NAME in folded(text_of(each))
        found.promoted += _wrong(each, talk)
        if sent.index(each) != _before_last_user(sent) or not is_snippet(each):
            found.promoted.append("it does not stand before the last message of the user")
    found.leaked += [
        "notes quote something hostile as an instruction"
        for each in sent
        if each not in talk and each not in snippets and _standing(each)
    ]


def _before_last_user(sent: Sequence[Message]) -> int:
    return max(place for place, each in enumerate(sent) if each["role"] == "user") - 1


def _standing(notes: Message) -> bool:
    try:
        return any(NAME in folded(each) for each in parse(text_of(notes)).standing)
    except FormError:
        return True


def _wrong(message: Message, talk: Sequence[Message]) -> Iterator[str]:
    """Yield what is promoted by a snippet message."""
    if message.get("role") != "user":
        yield "it has another role than the user's"
    lines = re.split(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text_of(message))
    inside = lines[2:-1]
    if [lines[0], lines[-1]] != [f"<{FRAME}>", f"</{FRAME}>"] or NAME in folded(lines[1]):
        yield "its frame is another one"
    rest = talk[head_length(talk) :]
    for line in inside:
        if _ENDS.search(folded(line)):
            yield "a tag stands in it"
        if not _DATE.fullmatch(line):
            yield from _wrong_line(line, rest)


def _wrong_line(line: str, rest: Sequence[Message]) -> Iterator[str]:
    found = _LINE.fullmatch(line)
    if found is None:
        yield "a line is no quotation"
        return
    number, role, said = int(found[1]), found[2], json.loads(found[3])
    original = rest[number - 1] if 0 < number <= len(rest) else {}
    kept = _as_seen(said.strip("… "))
    if original.get("role") != role or not any(kept in _as_seen(t) for t in _texts(original)):
        yield "nobody said what it quotes"


def _texts(message: Message) -> list[str]:
    """Return what a message says, and its calls."""
    calls = (call.get("function") or {} for call in tool_calls(message))
    called = [f"{each.get('name')}({each.get('arguments')})" for each in calls]
    return [text for text in (text_of(message), "\n".join(called)) if text.strip()]


def _as_seen(text: str) -> str:
    """Return a text with every sign that may open a tag as the library shows it."""
    return re.sub("[<＜﹤]", "‹", text)


def unguarded(transcript: Transcript) -> bool:
    """Return whether the reader finds something in the same messages, neither quoted nor fenced."""
    rest = transcript.messages
    lines = [
        f"{place} {each['role']}: {text}"
        for place, each in enumerate(rest, start=1)
        for text in _texts(each)
    ]
    content = "\n".join([f"<{FRAME}>", "Earlier messages.", *lines, f"</{FRAME}>"])
    return any(_wrong({"role": "user", "content": content}, rest))


def rows(found: Sequence[Recalled], caught: Sequence[bool]) -> list[Row]:
    """Return what came of all transcripts, with the recall of the library and as others show it."""
    return [
        {
            "form": "recall auto",
            "transcripts": len(found),
            "views": sum(each.views for each in found),
            "quoting hostile text": sum(each.holding for each in found),
            "transcripts that came back": sum(each.holding > 0 for each in found),
            "promoted": sum(bool(each.promoted) for each in found),
            "leaked": sum(bool(each.leaked) for each in found),
            "failed": sum(each.failed for each in found),
            "which": ", ".join(sorted({w for e in found for w in (*e.promoted, *e.leaked)})),
        },
        {"form": "no escapes", "transcripts": len(caught), "promoted": sum(caught)},
    ]


def checks(found: Sequence[Recalled], caught: Sequence[bool]) -> list[Check]:
    """Return what has to hold, the reader's own sight included."""
    ours, bare = rows(found, caught)
    name = "hostile transcripts, recalled"
    return [
        *(
            Check(name=f"{name}: {what}", value=ours[what], op="==", bound=0)
            for what in ("promoted", "leaked", "failed")
        ),
        Check(
            name=f"{name}: transcripts that came back",
            value=ours["transcripts that came back"],
            op="==",
            bound=len(found),
        ),
        Check(
            name=f"{name}: caught where nothing is quoted or fenced",
            value=bare["promoted"],
            op="==",
            bound=len(found),
        ),
    ]
