"""What can be referred to again in one message: ids, paths, amounts, found by rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from memory.cache import GenerationCache
from memory.messages import WireMessage, role_of, text_of, tool_calls

__all__ = ("Sight", "sights")

_LONGEST: Final = 120
"""Characters above which a value is a text and nothing to refer to by name."""
_SHORTEST: Final = 3
"""Characters below which a value stands everywhere; a Chinese one counts as two."""
_WORDS: Final = 8
"""Words from which on a value is prose; three Chinese characters count as one."""

_NAME: Final = 3
"""Words that a name has at most."""

_DIGITS: Final = 4
"""Digits below which a number in a text is a quantity."""

_ARGUMENT, _RETURNED, _ASKED, _ANSWERED = 4.0, 1.0, 1.0, 0.5
_IN_CALLS: Final = 0.5
"""What any argument is worth at least."""
_WORTH: Final = {
    "": 1.0,
    "url": 1.0,
    "path": 1.0,
    "e-mail": 1.0,
    "phone": 1.0,
    "date": 0.5,
    "name": 0.5,
    "amount": 0.4,
    "number": 0.3,
    "phrase": 0.25,
    "code": 0.2,
    "time": 0.05,
}
"""What a value is worth by its kind; "" is an id."""
_LABELS: Final = {"name": "", "code": "", "phrase": "", "time": "", "phone": "number"}
"""The labels of kinds that do not go by their own name."""

_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_NTH: Final = r"\d{1,2}(?:st|nd|rd|th)?"
_SUM: Final = r"\d[\d,]{0,15}(?:\.\d{1,8})?"
# Every repetition is bounded: the time is linear in the text, whatever the text.
_SPANS: Final = re.compile(
    rf"""
    (?=[\d$€£¥₹+(JFMASONDfghsw])(?:
    (?P<url>\b(?:https?|ftp|file|git|ssh|s3|wss?)://[^\s"'<>\\，。；）】]{{1,{_LONGEST}}})
    | (?<![A-Za-z0-9_.])(?P<date>
          \d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:[T\ ]\d\d:\d\d(?::\d\d)?Z?)?(?!\d)
        | (?:\d{{4}}年)?\d{{1,2}}月\d{{1,2}}[日号]
        | \d{{1,2}}/\d{{1,2}}/\d{{2,4}}(?![\d/])
        | \d{{1,2}}\.\d{{1,2}}\.\d{{4}}(?![\d.])
        | {_MONTH}\ {_NTH}(?:,?\ \d{{4}})?\b
        | {_NTH}\ (?:of\ )?{_MONTH}(?:,?\ \d{{4}})?\b
      )
    | (?P<amount>
          [$€£¥₹]\ ?{_SUM}
        | (?<![A-Za-z0-9_.,]){_SUM}(?:\ ?(?:USD|EUR|GBP|CNY|RMB|dollars|euros)\b|\ ?[元块%])
      )
    | (?<![A-Za-z0-9_.+-])(?P<phone>
          \+\d[\d\ ().-]{{6,18}}\d
        | \(\d{{3}}\)\ ?\d{{3}}[-\ ]?\d{{4}}
        | \d{{3}}[-.\ ]\d{{3,4}}[-.\ ]\d{{4}}
        | 0\d{{2,3}}-\d{{7,8}}
      )(?![A-Za-z0-9_-])
    )
    """,
    re.VERBOSE,
)
_PAIR: Final = re.compile(
    rf"""["']([\w.-]{{1,48}})["']\s{{0,4}}:\s{{0,4}}"""
    rf"""(?:"([^"\\\n]{{3,{_LONGEST}}})"|'([^'\\\n]{{3,{_LONGEST}}})'|(-?\d[\d.]{{2,24}}))"""
)
_QUOTED: Final = re.compile(
    r"""(?<![A-Za-z0-9])['"“‘「『]([^'"“”‘’「」『』\n]{2,60})['"”’」』](?![A-Za-z0-9]|\s?:)"""
)
_STAMP: Final = re.compile(r"\A\s*[\[【][^\[\]【】\n]{0,40}\d[:：]\d\d[^\[\]【】\n]{0,40}[\]】]")
"""The time of a message, as some callers put it in front of one: it is not what was said."""
_RUN: Final = re.compile(
    r"[^\s\"'<>()\[\]{}|`,;=，。；：、（）【】《》「」『』！？“”‘’…\u3400-\u9fff]{3,}"
)
_TELLING: Final = re.compile(r"[\d@/\\_]|[A-Z]{3}|\w\.\w")
_KINDS: Final = re.compile(
    r"""
      (?P<number>[-+]?\d[\d,]*(?:\.\d+)?)
    | (?P<time>\d{1,2}:\d\d(?::\d\d)?(?:\ ?[APap][Mm])?(?:\+\d)?)
    | (?P<date>\d{4}-\d\d-\d\d(?:[T\ ].{0,20})?)
    | (?P<email>[\w.+%-]+@[\w-]+(?:\.[\w-]+)+)
    | (?P<url>(?:[\w-]+\.){1,4}(?:com|org|net|edu|gov|cn|io))
    | (?P<path>(?:[A-Za-z]:|~|\.{1,2})?[/\\][\w.@+~$%-].* | [\w.@+-]+(?:[/\\][\w.@+-]+){2,}[/\\]?
        | (?:[\w.@+-]+[/\\])? [\w@+-][\w.@+-]+\.(?:[a-z][a-z0-9]{0,4}|[A-Z][A-Z0-9]{1,3}))
    | (?P<code>[A-Z]{6})  # record locators of airlines, and what is shouted
    | (?P<none>\d+(?:st|nd|rd|th|x|s|am|pm|AM|PM) | \d{1,6}:[A-Za-z_#].*)
    """,
    re.VERBOSE,
)
_SAYS_ID: Final = re.compile(r"[\d_]|^@")
_DIGIT: Final = re.compile(r"\d")
_CJK: Final = re.compile("[\u3400-\u9fff]")
_KEY: Final = re.compile(r"[\w.-]{1,48}(?: [\w.-]{1,16}){0,2}")
_ID_AS_KEY: Final = re.compile(r"\d{3}|[@/\\]|\.\w")


class Sight(NamedTuple):
    """A value that stands in a message."""

    label: str
    value: str
    weight: float
    """What the place where it stands and its kind are worth."""


_seen: GenerationCache[tuple[Sight, ...]] = GenerationCache(entries=32_768, weight=1 << 23)
"""What stands in the latest messages, by their texts; 8 to 16 million characters of them."""


class _Numeral(str):
    """A number as it was written."""

    __slots__ = ()


def sights(message: WireMessage, *, tools: bool) -> tuple[Sight, ...]:
    """Return the values that stand in a message, each once, where it is worth most.

    Args:
        message: A wire message.
        tools: Whether its conversation uses tools: then the words of the assistant count.
    """
    found = [text_of(message), *(_arguments(call) for call in tool_calls(message))]
    texts = tuple(text for text in found if isinstance(text, str))
    key = (role_of(message), tools, texts)
    known = _seen.get(key) if len(texts) == len(found) else None
    if known is not None:
        return known
    best: dict[str, Sight] = {}
    for sight in _sights(message, tools=tools):
        if sight.value not in best or best[sight.value].weight < sight.weight:
            best[sight.value] = sight
    made = tuple(best.values())
    return _seen.put(key, made, weight=sum(map(len, texts))) if len(texts) == len(found) else made


def _arguments(call: Mapping[str, Any]) -> Any:
    function = call.get("function")
    return function.get("arguments") if isinstance(function, Mapping) else ""


def _sights(message: WireMessage, *, tools: bool) -> Iterator[Sight]:
    """Yield what stands in a message; the words of the assistant count where it uses tools."""
    role, text = role_of(message), text_of(message)
    for call in tool_calls(message):
        yield from _structured(_arguments(call), _ARGUMENT, least=_IN_CALLS)
    if role == "tool":
        yield from _structured(text, _RETURNED)
    elif role == "user":
        yield from _scanned(_STAMP.sub("", text, count=1), _ASKED)
    elif role == "assistant" and tools:
        yield from _scanned(text, _ANSWERED)


def _structured(value: Any, weight: float, *, least: float = 0.0) -> Iterator[Sight]:
    """Yield what stands in arguments or in a result: by key where it is JSON."""
    if isinstance(value, str):
        parsed = _parsed(value)
        if parsed is None:
            yield from _pairs(value, weight)
            return
        value = parsed
    for label, leaf in _leaves(value):
        text = leaf.strip()
        if _is_prose(text):
            yield from _scanned(text, weight)
        elif _is_fit(text):
            kind = "number" if isinstance(leaf, _Numeral) else _kind_of_leaf(text)
            yield Sight(label, text, weight * max(least, _WORTH[kind]))


def _parsed(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text, parse_int=_Numeral, parse_float=_Numeral)
    except (ValueError, RecursionError):
        return None


def _leaves(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the leaf values, each with the nearest key, in order; not recursive."""
    stack = [("", value)]
    while stack:
        label, node = stack.pop()
        if isinstance(node, str):
            yield label, node
        elif isinstance(node, Mapping):
            for key in reversed([*node]):
                stack += _keyed(label, key, node[key])
        elif isinstance(node, (list, tuple)):
            stack += [(label, item) for item in reversed(node)]
        elif isinstance(node, (int, float)) and not isinstance(node, bool):
            yield label, _numeral(node)


def _numeral(number: float) -> _Numeral:
    try:
        return _Numeral(json.dumps(number))
    except ValueError:  # an integer of more digits than Python writes
        return _Numeral()


def _keyed(label: str, key: object, item: Any) -> list[tuple[str, Any]]:
    if not isinstance(key, str):
        return [("", item)]
    if _ID_AS_KEY.search(key):
        return [(label, item), (label, key)]
    return [(key if _KEY.fullmatch(key) else "", item)]


def _is_prose(text: str) -> bool:
    words = text.count(" ") + len(_CJK.findall(text)) // 3
    return words >= _WORDS or len(text) > _LONGEST or not text.isprintable()


def _kind_of_leaf(text: str) -> str:
    found = _KINDS.fullmatch(text)
    if found and found.lastgroup in ("time", "date"):
        return found.lastgroup
    if " " in text:
        return "phrase" if text.count(" ") >= _NAME else "name"
    return "" if _TELLING.search(text) else "name"


def _pairs(text: str, weight: float) -> Iterator[Sight]:
    """Yield what stands in a text with pairs such as `"key": "value"`, and the rest of it."""
    sights: list[Sight] = []

    def taken(found: re.Match[str]) -> str:
        value = (found[2] or found[3] or found[4]).strip()
        if _is_prose(value) or not _is_fit(value):
            return found[0]
        kind = "number" if found[4] else _kind_of_leaf(value)
        sights.append(Sight(found[1], value, weight * _WORTH[kind]))
        return " "

    rest = _PAIR.sub(taken, text)
    yield from sights
    yield from _scanned(rest, weight)


def _scanned(text: str, weight: float) -> Iterator[Sight]:
    """Yield what looks like an identifier in a text."""
    sights: list[Sight] = []

    def take(kind: str, value: str) -> str:
        if _is_fit(value):
            sights.append(Sight(_LABELS.get(kind, kind), value, weight * _WORTH[kind]))
        return " "

    rest = _SPANS.sub(lambda found: take(str(found.lastgroup), found[0].rstrip(".,:;!?)* ")), text)
    for name in _QUOTED.findall(rest):
        take("name", name.strip())
    for run in dict.fromkeys(_RUN.findall(rest)):
        if len(run) <= 2 * _LONGEST and _TELLING.search(run):
            token = run.lstrip(":;!?*&^").rstrip(".,:;!?*&^~#-+_")
            kind = _kind_of_token(token)
            if kind is not None:
                take(kind, token)
    yield from sights


def _kind_of_token(token: str) -> str | None:
    """Return what a word of a text is; None for what is too common to be referred to."""
    found = _KINDS.fullmatch(token)
    if not found:
        return "" if _SAYS_ID.search(token) else None
    kind = str(found.lastgroup)
    if kind in ("none", "time") or (kind == "number" and len(_DIGIT.findall(token)) < _DIGITS):
        return None
    return "e-mail" if kind == "email" else kind


def _is_fit(value: str) -> bool:
    wide = len(value) + len(_CJK.findall(value))
    return wide >= _SHORTEST and len(value) <= _LONGEST and value.isprintable()
