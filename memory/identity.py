"""Which message is which: normal form, digest, and the hash of a run of messages.

Callers resend a conversation with every call, often as freshly parsed objects. Each message is
therefore looked up once a call and becomes a `Seen`, one object for all that mean the same;
everything later works on those.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any, NamedTuple, cast

from memory.cache import GenerationCache, missing
from memory.messages import WireMessage, content_parts, is_media, tool_calls

__all__ = (
    "ROOT",
    "Seen",
    "chain",
    "difference",
    "digest",
    "identity",
    "link",
    "normal_form",
    "see",
)

ROOT = bytes(16)
"""The chain hash of no messages."""

# Keys that a message loses or gains on its way through the SDK without changing its meaning.
_IGNORED = frozenset(
    {
        "annotations",
        "audio",
        "index",
        "parsed",
        "reasoning_content",
        "refusal",
    }
)
_EMPTY: tuple[object, ...] = (None, "", [], {})
_PLAIN = 2
"""How many keys a message has that is nothing but a role and a text."""
_MANY = 32
"""Messages from which on it pays to remember a list as a whole."""
_ROLE, _CONTENT = itemgetter("role"), itemgetter("content")
_DEEPEST = 64
"""Levels of nesting from which arguments are taken as the text they are."""
_LONG = 4_096
"""Bytes from which a key is hashed, so that the cache does not keep what was sent alive."""


class Seen:
    """What is known of a message; one object for all messages with the same normal form.

    Attributes:
        digest: 16 bytes that are equal for messages with the same normal form.
        size: At least as many tokens as it costs, without `reasoning_content` and media: the
            bytes of its JSON, keys included, which outweigh the framing of the template.
        media: How many images, videos and files it has.
        hop: The chain hash it last followed, which is what it mostly follows, and the next one.
    """

    __slots__ = ("digest", "hop", "media", "size")

    def __init__(self, *, digest: bytes, size: int, media: int) -> None:
        self.digest = digest
        self.size = size
        self.media = media
        self.hop: tuple[bytes, bytes] = (b"", b"")

    def after(self, link: bytes) -> bytes:
        """Return the chain hash of a run with the chain hash `link` and then this message."""
        after = blake2b(link + self.digest, digest_size=16).digest()
        self.hop = (link, after)
        return after


_by_form: GenerationCache[Seen] = GenerationCache(entries=65_536, weight=64_000_000)
_by_meaning: GenerationCache[Seen] = GenerationCache(entries=65_536, weight=64_000_000)


class _Run(NamedTuple):
    """What was seen of a list, and what has to be equal for that to hold of its beginning."""

    roles: list[object]
    texts: list[str | None]
    lengths: list[int]
    seen: list[Seen]
    others: list[int]  # the places of messages that have more than the text of a role
    size: int  # bytes, as those of `Seen`


_by_beginning: GenerationCache[_Run] = GenerationCache(entries=256, weight=64_000_000)
"""The latest long lists, by the texts that they begin with."""


def see(messages: Sequence[WireMessage]) -> list[Seen]:
    """Return what is known of each message, in order; under a microsecond for one known.

    A caller's list grows from turn to turn. What is at its beginning is compared as a whole with
    what was there before, which takes a fraction of looking up each message.
    """
    if len(messages) < _MANY:
        return _look(messages)
    try:
        roles = [*map(_ROLE, messages)]
        texts = [each if type(each) is str else None for each in map(_CONTENT, messages)]
    except KeyError:  # a message without a role or without a content
        return _look(messages)
    lengths, key = [*map(len, messages)], tuple(texts[:2])
    last = _by_beginning.get(key)
    seen, others, known, size = list[Seen](), list[int](), 0, 0
    if last is not None and _begins(last, roles, texts, lengths):
        seen, others, known, size = [*last.seen], last.others, len(last.seen), last.size
        for index, each in zip(others, _look([messages[i] for i in others]), strict=True):
            seen[index] = each
    seen += _look(messages[known:])
    others = others + [
        index
        for index in range(known, len(messages))
        if lengths[index] != _PLAIN or texts[index] is None or type(roles[index]) is not str
    ]
    size += sum([each.size for each in seen[known:]])
    run = _Run(roles, texts, lengths, [*seen], others, size)
    _by_beginning.put(key, run, weight=size)
    return seen


def _begins(run: _Run, roles: list[object], texts: list[str | None], lengths: list[int]) -> bool:
    number = len(run.seen)
    return (
        roles[:number] == run.roles
        and lengths[:number] == run.lengths
        and texts[:number] == run.texts
    )


def _look(messages: Sequence[WireMessage]) -> list[Seen]:
    forms = _forms(messages)
    known = _by_form.many(forms)
    for index in missing(known):
        known[index] = _meet(messages[index], forms[index])
    return cast("list[Seen]", known)


def _forms(messages: Sequence[WireMessage]) -> list[Hashable]:
    try:
        return [
            (message["role"], text)
            if len(message) == _PLAIN
            and type(text := message["content"]) is str
            and type(message["role"]) is str
            else _form(message)
            for message in messages
        ]
    except KeyError:  # a message without a role or without a content
        return [_form(message) for message in messages]


def _form(message: WireMessage) -> Hashable:
    """Return a key for exactly this rendering of a message, in C as far as possible."""
    if {*map(type, message.values())} == {str}:
        return tuple(message.items())
    try:
        raw = marshal.dumps(cast("Any", message), 2)  # version 2 writes equal values alike
    except ValueError:
        return identity(message)
    return raw if len(raw) < _LONG else blake2b(raw, digest_size=16).digest()


def _meet(message: WireMessage, form: Hashable) -> Seen:
    meaning = identity(message)
    seen = _by_meaning.get(meaning)
    if seen is None:
        raw = _canonical(normal_form(message))
        size = len(raw) + sum(_arguments_size(call) for call in tool_calls(message))
        seen = Seen(
            digest=blake2b(raw, digest_size=16).digest(),
            size=size,
            media=sum(is_media(part) for part in content_parts(message)),
        )
        _by_meaning.put(meaning, seen, weight=size)
    return _by_form.put(form, seen, weight=seen.size)


def _arguments_size(call: Mapping[str, Any]) -> int:
    """Return the bytes of the arguments as sent: the normal form may have lost white space."""
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    return len(arguments.encode("utf-8", "surrogatepass")) if isinstance(arguments, str) else 0


def identity(message: WireMessage) -> Hashable:
    """Return a key under which equal messages meet.

    An SDK object's dump, its `exclude_unset` form and a hand-made dict get the same key: keys
    without a value and those the SDK adds are left out, and so is `reasoning_content`. Messages
    with the same key have the same normal form.
    """
    kept = [
        (str(key), _freeze(value))
        for key, value in message.items()
        if key not in _IGNORED and value not in _EMPTY
    ]
    kept.sort(key=_first)
    return tuple(kept)


def _first(item: tuple[str, Hashable]) -> str:
    return item[0]


def _freeze(value: object) -> Hashable:
    if type(value) is str:
        return value
    if isinstance(value, Mapping):
        return ("{}", *[(key, _freeze(item)) for key, item in value.items()])
    if isinstance(value, (list, tuple)):
        return ("[]", *[_freeze(item) for item in value])
    return (type(value), repr(value))


def normal_form(message: WireMessage) -> dict[str, Any]:
    """Return what a message means, without what transport adds to it.

    Empty values and the message's own keys `index`, `refusal`, `annotations`, `audio`, `parsed`
    and `reasoning_content` are gone; tool calls lose `index` and `parsed_arguments`, and their
    arguments are parsed where they are JSON.
    """
    form: dict[str, Any] = _without_empty(
        {key: value for key, value in message.items() if key not in _IGNORED}
    )
    calls = form.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            call.pop("index", None)
            _settle(call.get("function"))
    return form


def _settle(function: object) -> None:
    if isinstance(function, dict):
        function.pop("parsed_arguments", None)
        if "arguments" in function:
            function["arguments"] = _parsed(function["arguments"])


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = {str(k): _without_empty(v) for k, v in value.items()}
        return {k: v for k, v in items.items() if v not in _EMPTY}
    if isinstance(value, (list, tuple)):
        return [_without_empty(item) for item in value]
    return value


def _parsed(arguments: object) -> object:
    if not isinstance(arguments, str):
        return arguments
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return arguments if _is_deep(value) else value


def _is_deep(value: object) -> bool:
    """Whether a value is nested deeper than can be written back wherever the stack stands."""
    layer = [value]
    for _ in range(_DEEPEST):
        layer = [item for node in layer for item in _items(node)]
        if not layer:
            return False
    return True


def _items(node: object) -> Iterable[object]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _canonical(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return text.encode("utf-8", "surrogatepass")


def digest(message: WireMessage) -> bytes:
    """Return 16 bytes that are equal for messages with the same normal form."""
    return see([message])[0].digest


def difference(one: WireMessage, other: WireMessage) -> str | None:
    """Return the first key in which the normal forms of two messages differ, or None."""
    left, right = normal_form(one), normal_form(other)
    keys = {**left, **right}
    return next((k for k in keys if _canonical(left.get(k)) != _canonical(right.get(k))), None)


def link(run: Sequence[Seen]) -> list[bytes]:
    """Return the chain hashes of a run: entry `i` stands for its first `i` messages.

    Entry 0 is `ROOT`. Two runs share entry `i` exactly when their first `i` messages have the
    same normal forms.
    """
    last = ROOT
    links = [last]
    for seen in run:
        before, after = seen.hop
        last = after if before is last else seen.after(last)
        links.append(last)
    return links


def chain(messages: Sequence[WireMessage]) -> list[bytes]:
    """Return the chain hashes of a run of messages; see `link`."""
    return link(see(messages))
