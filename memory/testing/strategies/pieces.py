"""What generated conversations are made of: tables, and a strategy for each piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, Final, Literal, NamedTuple, TypeVar

from hypothesis import strategies as st

from memory.testing.strategies.style import (
    IDENTIFIERS,
    LOOKALIKES,
    PLAIN,
    SCRIPTS,
    STANDING,
    SURROGATES,
    Feature,
    Style,
)

__all__ = (
    "Asked",
    "Asking",
    "Batch",
    "Calling",
    "Pieces",
    "Plan",
    "Saying",
    "Shape",
    "pieces",
)

T = TypeVar("T")

_BY_FEATURE: Final[Mapping[Feature, tuple[str, ...]]] = {
    "scripts": SCRIPTS,
    "lookalikes": LOOKALIKES,
    "standing": STANDING,
    "identifiers": IDENTIFIERS,
    "surrogates": SURROGATES,
}
_STEMS: Final = dict(zip(SCRIPTS, ("词", "é", "слово", "كلمة", "語", "शब्द", "🎉"), strict=True))
_TAGS: Final = 10_000

Shape = Literal["text", "parts", "media", "empty", "huge"]
"""What a content is."""

_SHAPES: Final[Mapping[str, Mapping[Shape, int]]] = {
    "user": {"text": 20, "parts": 3, "media": 4, "empty": 1, "huge": 1},
    "assistant": {"text": 24, "parts": 1, "empty": 1, "huge": 1},
    "tool": {"text": 20, "parts": 1, "media": 1, "empty": 2, "huge": 1},
    "system": {"text": 12, "parts": 1, "empty": 1},
}
"""How often a content is what, by role."""

_EMPTY: Final[Mapping[str, tuple[Any, ...]]] = {
    "user": ("", " \n", [{"type": "text", "text": ""}]),
    "assistant": ("", None, " \n"),
    "tool": ("", " \n", None),
    "system": ("", " \n", None),
}
MEDIA: Final[tuple[Mapping[str, Any], ...]] = (
    *({"type": "image_url", "image_url": {"url": f"ms://image-{number}"}} for number in range(4)),
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    {"type": "image_url", "image_url": "ms://image-bare"},
    {"type": "video_url", "video_url": {"url": "ms://video-0"}},
    {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAAIGZ0eXA="}},
)
_ELSEWHERE: Final[tuple[Mapping[str, Any], ...]] = (
    {"type": "image_url", "image_url": {"url": "https://example.com/1.png", "detail": "low"}},
    {"type": "file", "file": {"file_id": "file-0"}},
    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
)
"""What OpenAI takes and Kimi does not."""

_EXTRAS: Final[tuple[Mapping[str, Any], ...]] = (
    {"name": "ann"},
    {"name": "李雷"},
    {"vendor": {"trace": 1}},
    {"name": "bob-the-builder-of-many-long-names", "vendor": ["a", {"b": None}]},
    {"refusal": None, "annotations": []},
)

_PARTIALS: Final[tuple[Mapping[str, Any], ...]] = (
    {"content": "So the"},
    {"content": ""},
    {"content": "{", "reasoning_content": "An object is wanted."},
    {"content": "Ann: ", "name": "ann"},
)

_KEYS: Final[Mapping[Feature, tuple[str, ...]]] = {
    "names": ("name",),
    "thoughts": ("reasoning_content",),
    "unknown-keys": ("vendor", "refusal", "annotations"),
}
"""The keys of a message that a feature is about."""


class Asking(NamedTuple):
    """What an assistant says beside its calls."""

    message: Mapping[str, Any]
    thinks: bool = False


class Calling(NamedTuple):
    """A tool that is called, the form of its ids, and the arguments."""

    tool: str
    form: str
    arguments: str

    def id(self, number: int) -> str:
        """Return the id of the call of that number."""
        return self.form.format(tool=self.tool, number=number)


class Saying(NamedTuple):
    """What a content is, and the keys beside it."""

    shape: Shape
    extras: Mapping[str, Any]


class Asked(NamedTuple):
    """What is said beside calls, and what is called."""

    asking: Asking
    calling: Calling


class Batch(NamedTuple):
    """How many calls there are at once, the number of the first, and how their results come."""

    size: int
    first: int
    manner: str


class Plan(NamedTuple):
    """What a turn is made of."""

    calls: bool
    thinks: bool
    reminder: Literal["none", "before", "after", "late"]


_ASKING: Final = (
    Asking({"content": ""}),
    Asking({"content": ""}, thinks=True),
    Asking({"content": None}),
    Asking({}, thinks=True),
    Asking({"content": "Let me look."}, thinks=True),
    Asking({"content": "Let me look.", "reasoning_content": ""}),
    Asking({"content": None, "refusal": None, "annotations": [], "reasoning_content": ""}),
)
_CALLS: Final = (
    Calling("look", "{tool}:{number}", "{}"),
    Calling("look", "{tool}:{number}", '{"q": 1}'),
    Calling("look", "{tool}:{number}", '{"q":1}'),
    Calling("fetch_page", "functions.{tool}:{number}", '{"d":[1,{"e":"北京"}]}'),
    Calling("look", "call_{number}", "not json"),
    Calling("run", "{tool}:{number}", '{"code": "print(1)\\n", "note": "order ORD-77812"}'),
)
_PLANS: Final = tuple(
    Plan(calls, thinks, reminder)
    for reminder in ("none",) * 9 + ("before", "after", "late")
    for thinks in (False, False, True)
    for calls in (False, False, True)
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """Strategies for the pieces of conversations of a style, made once and drawn from many times.

    Attributes:
        style: The style.
        openings: How texts begin, and what their words begin with.
        seeds: Numbers that stand for an opening and a tag.
        sizes: Words of a text.
        shapes: What a content is, by role.
        empties: Contents without a text, by role.
        media: Content parts that are not text.
        extras: Keys beside role and content.
        sayings: What a content is and the keys beside it, by role.
        asked: What is said beside calls, and what is called.
        batches: What an exchange is like.
        few: One to three of something.
        plans: What turns are made of.
        heads: How many messages the head has.
        roles: Of system messages.
        partials: The beginning of a reply.
    """

    style: Style
    openings: tuple[tuple[str, str], ...]
    seeds: st.SearchStrategy[int]
    sizes: st.SearchStrategy[int]
    shapes: Mapping[str, st.SearchStrategy[Shape]]
    empties: Mapping[str, st.SearchStrategy[Any]]
    media: st.SearchStrategy[Mapping[str, Any]]
    extras: st.SearchStrategy[Mapping[str, Any]]
    sayings: Mapping[str, st.SearchStrategy[Saying]]
    asked: st.SearchStrategy[Asked]
    batches: st.SearchStrategy[Batch]
    few: st.SearchStrategy[int]
    plans: st.SearchStrategy[Plan]
    heads: st.SearchStrategy[int]
    roles: st.SearchStrategy[str]
    partials: st.SearchStrategy[Mapping[str, Any]]


@lru_cache(maxsize=256)
def pieces(style: Style) -> Pieces:
    """Return the pieces of conversations of a style."""
    without = style.without
    phrases = [
        phrase
        for name, some in _BY_FEATURE.items()
        for phrase in some
        if name not in without
        and (phrase.isascii() or "scripts" not in without or name == "surrogates")
    ]
    shapes = {role: _shapes(role, style) for role in _SHAPES}
    extras = _extras(without)
    sizes = (1,) if "batches" in without else (1, 2, 3)
    return Pieces(
        style=style,
        openings=tuple((phrase, _STEMS.get(phrase, "w")) for phrase in (*PLAIN, *phrases)),
        seeds=st.integers(0, (len(PLAIN) + len(phrases)) * _TAGS - 1),
        sizes=st.integers(0, style.largest),
        shapes={role: st.sampled_from(some) for role, some in shapes.items()},
        empties={role: st.sampled_from(_empties(some, without)) for role, some in _EMPTY.items()},
        media=st.sampled_from(MEDIA if style.strict else MEDIA + _ELSEWHERE),
        extras=st.sampled_from(extras),
        sayings={role: _every(Saying, some, extras) for role, some in shapes.items()},
        asked=_every(Asked, _asking(style), _calls(without)),
        batches=_every(Batch, sizes, range(4), _manners(without)),
        few=st.integers(1, 3),
        plans=st.sampled_from(_plans(without)),
        heads=st.sampled_from([0] if "head" in without else [0, 1, 1, 2]),
        roles=st.sampled_from(["system"] if "developer" in without else ["system", "developer"]),
        partials=st.sampled_from(_partials(without)),
    )


def _every(
    kind: Callable[..., T], first: Iterable[Any], *others: Iterable[Any]
) -> st.SearchStrategy[T]:
    """Return a strategy for all combinations in one draw, the simplest one first.

    What comes last varies slowest, so that a shrunk one has the first of each but what matters.
    """
    turned = product(*reversed(others), first)
    return st.sampled_from([kind(*reversed(one)) for one in turned])


def _calls(without: frozenset[Feature]) -> list[Calling]:
    return [call for call in _CALLS if call.arguments.isascii() or "scripts" not in without]


def _shapes(role: str, style: Style) -> list[Shape]:
    hidden = {"media"} if "parts" in style.without else set[str]()
    if style.strict:
        hidden |= {"media"} if role == "tool" else {"empty"}
    weights = _SHAPES[role].items()
    return [shape for shape, w in weights if shape not in style.without | hidden for _ in range(w)]


def _empties(some: Sequence[Any], without: frozenset[Feature]) -> list[Any]:
    return [one for one in some if not (isinstance(one, list) and "parts" in without)]


def _kept(
    some: Iterable[Mapping[str, Any]], without: frozenset[Feature]
) -> list[Mapping[str, Any]]:
    """Return those without keys, and characters, that are left out."""
    gone = {key for feature in without for key in _KEYS.get(feature, ())}
    ascii_only = "scripts" in without
    return [one for one in some if gone.isdisjoint(one) and (not ascii_only or repr(one).isascii())]


def _extras(without: frozenset[Feature]) -> list[Mapping[str, Any]]:
    return [*({},) * 2 * len(_EXTRAS), *_kept(_EXTRAS, without)]


def _asking(style: Style) -> list[Asking]:
    """Return what may be said beside calls; Kimi wants a thought there, be it an empty one."""
    every = [*_ASKING]
    if style.strict:
        every = [a if a.thinks else Asking({**a.message, "reasoning_content": ""}) for a in _ASKING]
    allowed = _kept((asking.message for asking in every), style.without - {"thoughts"})
    quiet = "thoughts" in style.without
    return [a for a in every if a.message in allowed and not (a.thinks and quiet)]


def _manners(without: frozenset[Feature]) -> list[str]:
    named = [] if "names" in without else ["named"]
    return ["plain"] * 5 + ["reversed", "indexed", *named]


def _partials(without: frozenset[Feature]) -> list[Mapping[str, Any]]:
    return [p for p in _kept(_PARTIALS, without) if p["content"] or "empty" not in without]


def _plans(without: frozenset[Feature]) -> list[Plan]:
    return [
        plan
        for plan in _PLANS
        if not (
            (plan.calls and "tools" in without)
            or (plan.thinks and "thoughts" in without)
            or (plan.reminder != "none" and "reminders" in without)
        )
    ]
