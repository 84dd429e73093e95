"""What should be on record of a conversation: the reference, in plain lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from memory.identity import digest
from memory.testing.machines.words import Wire

__all__ = ("Talk", "marks_in")

_MARK = re.compile(r"zq\d+x")


def marks_in(messages: Sequence[Wire]) -> set[str]:
    """Return the words that only these texts have."""
    return {mark for message in messages for mark in _MARK.findall(str(message.get("content")))}


@dataclass(slots=True)
class Talk:
    """One conversation as it should be.

    Attributes:
        name: Its name.
        head: The newest head.
        said: Everything said.
        open: The ids of the calls that wait for results.
        broken: Whether the last reply broke off.
        pinned: The digests of messages that are pinned.
        quoted: The sentences that are pinned, oldest first.
    """

    name: str
    head: list[Wire] = field(default_factory=list)
    said: list[Wire] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    broken: bool = False
    pinned: set[bytes] = field(default_factory=set)
    quoted: list[str] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """Whether a question may come next."""
        return not self.open

    def drop(self) -> None:
        """Forget the beginning of a reply that cannot be sent."""
        if self.broken and not self.is_usable:
            self.said.pop()
        self.broken = False

    @property
    def is_usable(self) -> bool:
        """Whether the last reply can be sent, as far as it came."""
        last = self.said[-1]
        return not last.get("tool_calls") and bool((last["content"] or "").strip())

    def last(self, number: int) -> list[Wire]:
        """Return so many of the last messages."""
        return self.said[max(0, len(self.said) - number) :]

    def begin_anew(self) -> None:
        """Forget everything but the name."""
        self.head, self.said, self.open, self.quoted = [], [], [], []
        self.pinned, self.broken = set(), False

    def rewind(self, place: int) -> None:
        """Go back to before a message."""
        del self.said[place:]
        self.open, self.broken = [], False

    def fork(self, name: str, at: int) -> Talk:
        """Return a conversation that begins with the first messages of this one."""
        said = [*self.said[:at]]
        return Talk(name, [*self.head], said, pinned={*self.pinned}, quoted=[*self.quoted])

    def places(self, role: str) -> list[int]:
        """Return where messages of a role stand."""
        return [place for place, message in enumerate(self.said) if message["role"] == role]

    def pin(self, place: int) -> None:
        """Pin a message."""
        self.pinned.add(digest(self.said[place]))

    def unpin(self, place: int) -> None:
        """Take that back."""
        self.pinned.discard(digest(self.said[place]))
