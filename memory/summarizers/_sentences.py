"""A conversation as the sentences that may become lines of an extractive summary.

English and Chinese, no dependencies, time linear in the text whatever is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import ceil
from typing import Any, Final, NamedTuple

from memory.messages import content_parts, is_media, text_of, tool_calls

__all__ = ("CJK", "Line", "lines")

CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""The characters that are written without spaces between words, as a class of `re`."""

# Factors of a sentence's worth. Tuned with those of `extractive`; see there.
_ROLES: Final = {"user": 1.2, "assistant": 1.0, "tool": 0.7, "system": 1.0, "developer": 1.0}
_RECENCY: Final = 0.15  # what the newest message gains over the oldest
_OPENING: Final = 1.1  # the first sentence of a message
_QUESTION: Final = 0.4
_CALL: Final = 1.2  # a call is what was done; its result is data
_CODE: Final = 0.6
_NOTES: Final = 1.3  # a line of earlier notes was chosen before

_PIECE: Final = 240  # characters; a longer sentence is cut into pieces that compete
_BLOB: Final = 32  # characters shown of a word that is longer than a piece

_IS_CJK: Final = re.compile(rf"[{CJK}]")
_END: Final = re.compile(r"[.!?…]+[\"'”’)\]*_]*|[。！？；]+[”’」』）\]]*")
_UNIT: Final = re.compile(r"[^\s,，、]+[,，、]*\s*|[,，、\s]+")
_BULLET: Final = re.compile(r"\A\s*(?:[#>*•-]+\s+)+")
_EMPHASIS: Final = re.compile(r"(?<!\w)\*\*(?=\w)|(?<=[\w.:!?)])\*\*(?!\w)")
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_MARKER: Final = re.compile(r"\s*([\[【(（][^\[\]【】()（）\n]{4,60}[\]】)）])\s*")
_TIME: Final = re.compile(
    rf"(?i)\d{{1,2}}:\d\d|\d{{1,4}}[-/.年]\d|\d月|{_MONTH}[a-z]*\W.*\d|\d.*{_MONTH}"
)
_OWN_LINE: Final = re.compile(r"- (user|assistant|tool|system|developer|other)(?: [\w.-]{1,48})?: ")
_ABBREVIATIONS: Final = frozenset(
    """a.m approx apr aug co corp dec dept dr e.g eg est etc feb fig i.e ie inc jan jr jul jun ltd
    mar mr mrs ms no nos nov oct p.m prof sep sept sr st u.s vs""".split()  # noqa: SIM905  # a page
)
_STANDING: Final = re.compile(
    r"(?i)\b(?:must|never|always|remember|from now on|make sure|no matter what|every time)\b"
    r"|不要|必须|以后|记住|总是|一定|永远|千万|从现在|从今|务必|每次|禁止|不准|不得|别再"
)
_DECISION: Final = re.compile(
    r"(?i)\b(?:decided|decision|agreed|chose|settled on|confirmed|approved|cancell?ed|rejected"
    r"|switched to|let's go with|deadline|instead of|failed|error)\b"
    r"|决定|确认|同意|选择|选定|改为|改成|取消|批准|拒绝|截止"
)
_OF_SELF: Final = re.compile(r"(?i)\b(?:i|my|mine|me|we|our|ours|us)\b")
_OF_SELF_CJK: Final = re.compile(r"我|咱")
_PARTICULAR: Final = re.compile(r"\w,? [A-Z][a-z]|\d")  # a name amid the sentence, or a figure
_USER: Final = frozenset({"user"})
_SIGNALS: Final = (
    # what a sentence shows, its factor, whose sentences are looked at
    (_STANDING, 1.7, frozenset({"user", "system", "developer"})),
    (_DECISION, 1.2, frozenset(_ROLES)),
    (_OF_SELF, 1.4, _USER),
    (_OF_SELF_CJK, 1.3, _USER),
    (_PARTICULAR, 1.4, _USER),
)


class Line(NamedTuple):
    """A sentence that may become a line of the summary."""

    head: str
    text: str = ""
    tail: str = ""
    marker: str = ""
    """The time marker in force where it was said."""
    scope: int = 0
    """Lines of one scope share their marker; the first of them that is taken shows it."""
    boost: float = 1.0

    def rendered(self, *, dated: bool) -> str:
        """Return the line as it is written, with its time marker or without."""
        marker = f"{self.marker} " if dated and self.marker else ""
        return f"{self.head}{marker}{self.text}{self.tail}"


def lines(messages: Sequence[object], previous: str) -> list[Line]:
    """Return the sentences of earlier notes and of `messages`, in order, repetitions left out."""
    found: dict[tuple[str, str], Line] = {}
    for line in chain(_noted(previous), _told(messages)):
        found.setdefault((line.head, line.text), line)
    return list(found.values())


def _noted(previous: str) -> Iterator[Line]:
    """Yield the lines of earlier notes; in those of ours a marker holds until the next one."""
    marker, scope = "", 0
    for raw in _clean(previous).splitlines():
        own = _OWN_LINE.match(raw)
        rest = raw[own.end() :] if own else _prose(raw)
        if own and (stamp := _stamp(rest)):
            marker, scope, rest = _flat(stamp[1]), scope + 1, rest[stamp.end() :]
        line = Line(own[0] if own else "- ", "", "", marker if own else "", scope, _NOTES)
        role = own[1] if own else ""
        if len(rest) <= 2 * _PIECE:  # a piece with its marks, written by us, stays whole
            yield from (_again(line, text, role) for text in (_flat(rest),) if text)
            continue
        for sentence in _sentences(rest):
            yield from (_again(line, text, role) for text in _pieces(sentence))


def _again(line: Line, text: str, role: str) -> Line:
    """Return a line of earlier notes; in those of ours it counts who said it and how."""
    boost = line.boost * _ROLES.get(role, 1.0) * (_signals(text, role) if role else 1.0)
    return line._replace(text=text, boost=boost)


def _told(messages: Sequence[object]) -> Iterator[Line]:
    names: dict[str, str] = {}
    marker, scope = "", -1  # notes count up, messages down
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            continue
        role, text, own = _role(message), _text(message), ""
        if stamp := _stamp(text):
            text, own = text[stamp.end() :], _flat(stamp[1])
            scope -= own != marker
        boost = _ROLES.get(role, 1.0) * (1 + _RECENCY * index / len(messages))
        line = Line(_head(role, message, names), "", "", own or marker, scope, boost)
        # A log may print times of its own; only what people write dates what follows.
        marker = marker if role == "tool" else own or marker
        yield from _spoken(text, role, line)
        yield from _called(message, names, line)


def _role(message: Mapping[str, Any]) -> str:
    role = message.get("role")
    if role == "function":
        return "tool"
    return role if isinstance(role, str) and role in _ROLES else "other"


def _head(role: str, message: Mapping[str, Any], names: Mapping[str, str]) -> str:
    call = message.get("tool_call_id")
    name = _name(message.get("name")) or (names.get(call, "") if isinstance(call, str) else "")
    return f"- {role} {name}: " if name else f"- {role}: "


def _name(value: object) -> str:
    return re.sub(r"[^\w.-]+", "_", _clean(value[:48])) if isinstance(value, str) else ""


def _text(message: Mapping[str, Any]) -> str:
    try:
        text = "".join(
            text_of({"content": [part]}) + (" " if is_media(part) else "\n")
            for part in content_parts(message)
        )
    except (TypeError, ValueError, RecursionError):  # neither text nor anything JSON can show
        return ""
    return _clean(_unescaped(text) if _role(message) == "tool" else text)


def _unescaped(text: str) -> str:
    r"""Return `text` with each `\uXXXX` read: escaped Chinese says nothing at thrice the price."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "\\u" in text else text


def _clean(text: str) -> str:
    """Return `text` with surrogates paired or replaced: tokenizers refuse lone ones."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _flat(text: str) -> str:
    return " ".join(text.split())


def _stamp(text: str) -> re.Match[str] | None:
    """Return the match of a bracketed time at the start of a text."""
    found = _MARKER.match(text)
    return found if found and _TIME.search(found[1]) else None


def _prose(raw: str) -> str:
    """Return a line of text without the marks of Markdown, which cost tokens and say nothing."""
    return _EMPHASIS.sub("", _BULLET.sub("", raw))


def _spoken(text: str, role: str, line: Line) -> Iterator[Line]:
    """Yield the sentences of one message."""
    code, opening = False, _OPENING
    for raw in text.splitlines():
        if raw.lstrip().startswith("```"):
            code = not code
            continue
        for sentence in (_flat(raw),) if code else _sentences(_prose(raw)):
            boost = line.boost * opening * (_CODE if code else _signals(sentence, role))
            for piece in _pieces(sentence):
                opening = 1.0
                yield line._replace(text=piece, boost=boost)


def _signals(sentence: str, role: str) -> float:
    boost = _QUESTION if sentence.endswith(("?", "？")) else 1.0
    for pattern, factor, roles in _SIGNALS:
        if role in roles and pattern.search(sentence):
            boost *= factor
    return boost


def _called(message: Mapping[str, Any], names: dict[str, str], line: Line) -> Iterator[Line]:
    """Yield the tool calls of one message, and remember their names for the results."""
    for call in tool_calls(message):
        function, identifier = call.get("function"), call.get("id")
        if not isinstance(function, Mapping):
            continue
        name = _name(function.get("name")) or "tool"
        if isinstance(identifier, str):
            names[identifier] = name
        form = line._replace(
            head=f"- assistant called {name}(",
            tail=")",
            marker="",
            boost=line.boost * _CALL,
        )
        for text in _pieces(_flat(_clean(_arguments(function.get("arguments"))))) or [""]:
            yield form._replace(text=text)


def _arguments(value: object) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value or {}, default=str)
    except (TypeError, ValueError, RecursionError):
        return "…"
    return _unescaped(text)


def _sentences(line: str) -> Iterator[str]:
    """Yield the sentences of one line."""
    start = 0
    for match in _END.finditer(line):
        if _ends(line, start, match):
            yield _flat(line[start : match.end()])
            start = match.end()
    yield _flat(line[start:])


def _ends(line: str, start: int, match: re.Match[str]) -> bool:
    """Tell whether a sentence ends here: not in `3.14`, `a.b/c`, `Dr.`, `J.` or after `1.`."""
    following = line[match.end() : match.end() + 1]
    if match[0][0] in "。！？；":
        return True
    if following and not following.isspace() and not _IS_CJK.match(following):
        return False
    if match[0] != ".":
        return True
    word = line[max(start, match.start() - 12) : match.start()].rpartition(" ")[2].lstrip("([\"'")
    initial = len(word) == 1 and word.isalpha() and word != "I"
    listed = word.isdigit() and match.start() - start <= len(word) + 1
    return not (initial or listed or word.lower() in _ABBREVIATIONS)


def _pieces(sentence: str) -> list[str]:
    """Return a sentence cut at commas and spaces into pieces of about `_PIECE` characters."""
    if len(sentence) <= _PIECE:
        return [sentence] if sentence else []
    size = len(sentence) / ceil(len(sentence) / _PIECE)
    pieces = [""]
    for unit in chain.from_iterable(map(_units, _UNIT.findall(sentence))):
        if pieces[-1] and len(pieces[-1]) + len(unit) / 2 > size:
            pieces.append("")
        pieces[-1] += unit
    last = len(pieces) - 1
    return [
        f"{'…' if i else ''}{piece.strip()}{'…' if i < last else ''}"
        for i, piece in enumerate(pieces)
    ]


def _units(unit: str) -> Iterable[str]:
    if len(unit) <= _PIECE:
        return (unit,)
    if _IS_CJK.search(unit[:_PIECE]):
        return (unit[i : i + _PIECE] for i in range(0, len(unit), _PIECE))
    return (f"{unit[:_BLOB]}… ",)
