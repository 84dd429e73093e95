"""What holds after messages leave the view, and what was taken back.

Only what users, systems and developers say is read. Text of tool results and of the assistant
never becomes an instruction, whatever it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from memory.messages import HEAD_ROLES, WireMessage, role_of, text_of
from memory.records import Standing
from memory.standing.topics import Topic, everything, topic
from memory.standing.wishes import Wish, wishes

__all__ = ("standing",)

_SPEAKERS: Final = HEAD_ROLES | {"user"}
_BASE: Final = -9
"""Where what held before was said: long before every message."""


class _Entry:
    """A standing instruction: its topic, the number of its message, whether that stays in view."""

    __slots__ = ("about", "place", "shown", "wish")

    def __init__(self, wish: Standing, about: Topic, place: int, *, shown: bool) -> None:
        self.wish = wish
        self.about = about
        self.place = place
        self.shown = shown


def standing(
    dropped: Sequence[WireMessage],
    later: Sequence[WireMessage],
    base: Sequence[Standing],
) -> tuple[Standing, ...]:
    """Return what holds after `dropped` leaves the view and `later` stays in it, oldest first.

    What held before (`base`), then of `dropped` each system or developer message whole and each
    sentence of a user that is to hold from now on. Of what says the same but for case, spaces and
    punctuation one stays: pinned before system before user, then the newest. What a user took back
    in `dropped` or `later` is left out if a user had said it before, and so is what a later
    instruction of a user replaces; what is pinned or from a system is never left out.
    """
    held = _Held(base)
    for place, message in enumerate(dropped):
        held.hear(message, place, shown=False)
    for place, message in enumerate(later, len(dropped)):
        held.hear(message, place, shown=True)
    return tuple(entry.wish for entry in held.entries.values() if not entry.shown)


class _Held:
    """What holds so far, by its normal form."""

    def __init__(self, base: Iterable[Standing]) -> None:
        self.entries: dict[str, _Entry] = {}
        self._spoken = _BASE
        """The last message of a user that wished for something."""
        for wish in base:
            self._keep(wish, _BASE, topic(wish.text))

    def hear(self, message: WireMessage, place: int, *, shown: bool) -> None:
        """Take in one message, which may be one that stays in the view."""
        role = role_of(message)
        if role not in _SPEAKERS:
            return
        text = text_of(message)
        if role == "user":
            for wish in wishes(text):
                self._heed(wish, place, shown=shown)
        elif text.strip() and not shown:
            self._keep(Standing(text, "system"), place, topic(""))

    def _heed(self, wish: Wish, place: int, *, shown: bool) -> None:
        about = topic(wish.text)
        if wish.ends:
            self._drop(self._ended(wish, about, place))
        if wish.holds:
            wished = islice(self._wished(), _REACH)
            self._drop([key for key, each in wished if about.replaces(each.about)])
            self._spoken = place
            self._keep(Standing(wish.text, "user"), place, about, shown=shown)

    def _wished(self) -> Iterator[tuple[str, _Entry]]:
        """Yield what users wished for, the newest first: the only thing that they can end."""
        return (each for each in reversed(self.entries.items()) if each[1].wish.source == "user")

    def _ended(self, wish: Wish, about: Topic, place: int) -> list[str]:
        """Return the keys of what a retraction speaks of."""
        if wish.ends == "cancels" and not about.words:
            # "Scratch that" is about what was just said; only "all of it" reaches further.
            if everything(wish.plain):
                return [key for key, _ in self._wished()]
            wished = islice(self._wished(), _REACH)
            return [key for key, each in wished if self._is_recent(each, place)]
        wished = islice(self._wished(), _REACH)
        likeness = {key: about.likeness(e.about) for key, e in wished if _fits(wish, e)}
        best = max(likeness.values(), default=0.0)
        return [key for key, like in likeness.items() if like and like >= _NEAR_BEST * best]

    def _is_recent(self, entry: _Entry, place: int) -> bool:
        return entry.place == self._spoken and place - entry.place <= _JUST_NOW

    def _drop(self, keys: Iterable[str]) -> None:
        for key in keys:
            del self.entries[key]

    def _keep(self, wish: Standing, place: int, about: Topic, *, shown: bool = False) -> None:
        key = _normal(wish.text)
        known = self.entries.get(key)
        if known and (shown or _RANK[known.wish.source] > _RANK[wish.source]):
            known.place = place
            return
        self.entries.pop(key, None)
        self.entries[key] = _Entry(wish, about, place, shown=shown)


_RANK: Final = {"user": 0, "system": 1, "pinned": 2}
_JUST_NOW: Final = 2  # messages: the user's message before this one, with a reply in between
_REACH: Final = 256
"""Of how many instructions of users, the newest, one can be ended: what keeps time linear."""
_NEAR_BEST: Final = 0.6
"""How like the best match another instruction must be for a retraction to end it too."""


def _fits(wish: Wish, entry: _Entry) -> bool:
    """Tell whether a retraction of this kind can end the instruction: only a ban is lifted."""
    if wish.ends == "cancels":
        return True
    return entry.about.bans == (wish.ends == "allows")


def _normal(text: str) -> str:
    """Return a text without case, spaces and punctuation; itself where nothing else is in it."""
    return re.sub(r"[\W_]+", "", text.casefold()) or text
