"""Records for checks: plain ones, one of each kind, and those that stores find hard to keep."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from memory.records import (
    Compaction,
    Identifier,
    Logged,
    Pinned,
    Record,
    Segment,
    Shortened,
    Standing,
    Turn,
    Undone,
    Usage,
)

__all__ = ("KINDS", "MESSAGES", "a_hash", "compaction", "logged", "said", "turn", "unstorable")

_numbers = count(1)


def a_hash() -> bytes:
    """Return a hash that nothing else has."""
    return next(_numbers).to_bytes(16, "big")


def said(text: str, role: str = "user") -> dict[str, Any]:
    """Return a message."""
    return {"role": role, "content": text}


def turn(*texts: str, start: int = 0) -> Turn:
    """Return a turn with messages of the user and of the assistant, by turns."""
    roles = ("user", "assistant")
    messages = [said(text, roles[place % 2]) for place, text in enumerate(texts)]
    return Turn(start=start, messages=tuple(messages))


def logged(text: str = "hello", *, index: int = 0) -> Logged:
    """Return an original with a hash of its own."""
    return Logged(index=index, link=a_hash(), message=said(text))


def compaction(
    *, adopted: int = 10, mark: bool = True, coverage: bytes | None = None
) -> Compaction:
    """Return a compaction with hashes of its own, as far as none is given."""
    return Compaction(
        covered=5,
        coverage=coverage or a_hash(),
        adopted=adopted,
        adoption=a_hash(),
        mark=a_hash() if mark else None,
    )


def unstorable() -> dict[str, Mapping[str, Any]]:
    """Return messages that are no JSON, by what is wrong with them."""
    endless: list[Any] = []
    endless.append(endless)
    return {
        "an object": {"role": "user", "content": object()},
        "a set": {"role": "user", "content": {"a", "b"}},
        "bytes": {"role": "user", "content": b"raw"},
        "a list in itself": {"role": "user", "content": endless},
    }


def _nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = {"a": [value]}
    return value


_SEGMENT = Segment(text="They met. 他们见面了。", first=1, last=5, tokens=12, author="kimi-k2.6")
_FOLDED = Segment(text="", first=6, last=9, tokens=0, author="extractive", level=2)
_CALL: dict[str, Any] = {
    "role": "assistant",
    "content": None,
    "reasoning_content": "I should look.",
    "tool_calls": [
        {"id": "look:0", "type": "function", "function": {"name": "look", "arguments": '{"q": 1}'}},
        {"id": "look:1", "type": "function", "function": {"name": "look", "arguments": "not json"}},
    ],
}

KINDS: dict[str, Record] = {
    "a turn": Turn(
        start=3,
        messages=(said("where?"), _CALL, {"role": "tool", "tool_call_id": "look:0", "content": ""}),
        head=(said("Be brief.", "system"), said("Be kind.", "developer")),
        complete=False,
        replied=True,
        usage=Usage(prompt_tokens=10, completion_tokens=5, cached_tokens=3, reasoning_tokens=2),
        at=1_683_554_160.25,
    ),
    "a turn with an empty head": Turn(start=0, messages=(said("hi"),), head=()),
    "a turn without messages": Turn(start=2),
    "an original": Logged(index=7, link=bytes(range(16)), message=said("hello")),
    "a compaction": Compaction(
        covered=9,
        coverage=b"\0" * 16,
        adopted=12,
        adoption=b"\xff" * 16,
        kept=(2, 4),
        segments=(_SEGMENT, _FOLDED),
        standing=(Standing("Always answer in French.", "system"), Standing("以后都用中文", "user")),
        identifiers=(Identifier("order", "A-17"), Identifier("", "/home/é")),
        shortened=(Shortened(index=5, head=100, tail=20),),
        synthetic=said("Notes on what was said before: …"),
        mark=bytes(range(16, 32)),
        cost=12.5,
        tokens_before=9_000,
        tokens_after=3_100,
    ),
    "a compaction of nothing": Compaction(
        covered=0, coverage=b"\x01" * 16, adopted=1, adoption=b"\x02" * 16
    ),
    "a compaction that was undone": Undone(mark=bytes(range(16, 32))),
    "a compaction without a mark that was undone": Undone(mark=None),
    "a sentence that is pinned": Pinned(text="Always answer in French. 以后都用中文"),
    "a message that is not pinned any more": Pinned(digest=bytes(range(16)), held=False),
}
"""One record of each kind, with everything in it or with nothing."""

MESSAGES: dict[str, dict[str, Any]] = {
    "keys that no API knows": {
        "role": "user",
        "content": "hi",
        "z_vendor": {"trace": [1, None, {"b": True, "a": False}]},
        "": {"": ""},
        "a_vendor": None,
        "ключ 键": 1,
    },
    "contents in parts": {
        "role": "user",
        "content": [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        ],
    },
    "empty texts": {"role": "", "content": "", "name": "", "tool_calls": []},
    "many languages": said("réponse 我们 こんにちは 한국어 مرحبا Привет 👩‍👩‍👧 e\u0301"),
    "characters that are not seen": said("\u202eabc\u202c\ufeff\u200b\xad\uffff\U0010ffff"),
    "NUL and control characters": said("a\0b\x01\x1f\x7f\x85\u2028\r\n\t\\u0000 \\"),
    "half surrogate pairs": said("a\ud800b \udfff \ude00\ud83d"),
    "quotes": said("\"'`; DROP TABLE memory; -- %s {} ? :name $1 \\' %"),
    "JSON in a text": said('{"role": "user", "content": "\\u0000"}'),
    "deep JSON": {"role": "user", "content": "hi", "schema": _nested(100)},
    "large whole numbers": {"role": "user", "content": "hi", "n": [2**53 + 1, 2**64, -(10**40)]},
    "numbers that look alike": {"role": "user", "content": "hi", "n": [1, 1.0, True, 0, -0.0, "1"]},
    "numbers with a point": {
        "role": "user",
        "content": "hi",
        "n": [0.1, 1e-7, 5e-324, 1.7976931348623157e308, 123456789.123456789],
    },
    "a megabyte": said("0123456789abcdef" * 65_536),
}
"""Messages that stores find hard to keep, by what is in them."""
