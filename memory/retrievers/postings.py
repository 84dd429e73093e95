"""Where each term of one conversation is, in memory.

A term has one array with 4 bytes for each message that holds it, oldest first: the place of the
message, and in the last 5 bits how often. What does not fit into 5 bits stands beside it. Going
back cuts off the ends of the arrays, which takes time for each different term and not for each
message.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from memory.analysis import Term, length_of, written
from memory.analysis.stems import SURFACE

__all__ = ("Held", "Postings")

_BITS = 5
_MOST = (1 << _BITS) - 1
"""What stands for this count and all above."""
SPARSE = 8
"""A search for one place takes as long as a look at so many."""
_TERM = 240
"""Bytes of a term: its text, its array, and its places in a dict and a list."""
_ENTRY = 5
"""Bytes of one place, with the room that an array keeps."""
_MESSAGE = 4


class Held(NamedTuple):
    """Which messages hold what a question asks for."""

    entries: array[int]
    many: Mapping[int, int]
    """How often, where that does not fit into an entry."""

    @property
    def places(self) -> Iterable[int]:
        """The places, in order."""
        return (entry >> _BITS for entry in self.entries)

    def newest(self, number: int) -> list[int]:
        """Return the last places."""
        return [entry >> _BITS for entry in self.entries[-number:]]

    def counts(self, places: Collection[int]) -> Iterator[tuple[int, int]]:
        """Yield those of some places that hold it, each with how often.

        Args:
            places: Which are asked about; quick to look in.
        """
        if len(self.entries) <= SPARSE * len(places):
            for entry in self.entries:
                if (place := entry >> _BITS) in places:
                    yield place, self._exact(place, entry & _MOST)
            return
        for place in places:
            if count := self._count(place):
                yield place, count

    def _count(self, place: int) -> int:
        at = bisect_left(self.entries, place << _BITS)
        found = at < len(self.entries) and self.entries[at] >> _BITS == place
        return self._exact(place, self.entries[at] & _MOST) if found else 0

    def _exact(self, place: int, count: int) -> int:
        return self.many[place] if count == _MOST else count


class Postings:
    """The terms of the first messages of a conversation.

    Attributes:
        lengths: How many terms each message has, without those that repeat others; 0 for one
            without terms, which is no document.
        documents: How many messages have terms.
        length: How many terms all of them have.
    """

    def __init__(self) -> None:
        self.lengths = array("I")
        self.documents = 0
        self.length = 0
        self._entries: dict[str, array[int]] = {}
        self._many: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._beginning: defaultdict[str, list[str]] = defaultdict(list)
        self._size = 0

    @property
    def bytes(self) -> int:
        """How much memory this takes, about."""
        terms = len(self._entries) * _TERM
        return terms + self._size * _ENTRY + len(self.lengths) * _MESSAGE

    def add(self, text: str) -> None:
        """Put the text of the next message after all others."""
        words = written(text)
        place, length = len(self.lengths), length_of(words)
        for term, count in Counter(words.split()).items():
            self._of(term).append(place << _BITS | min(count, _MOST))
            if count >= _MOST:
                self._many[term][place] = count
            self._size += 1
        self.lengths.append(length)
        self.length += length
        self.documents += bool(words)

    def cut(self, number: int) -> None:
        """Go back to the first messages.

        Args:
            number: How many are kept.
        """
        gone = self.lengths[number:]
        if not gone:
            return
        for entries in self._entries.values():
            if entries[-1] >> _BITS >= number:
                del entries[bisect_left(entries, number << _BITS) :]
        self._entries = {term: entries for term, entries in self._entries.items() if entries}
        self._forget(number)
        self._size = sum(map(len, self._entries.values()))
        self.length -= sum(gone)
        self.documents -= sum(map(bool, gone))
        del self.lengths[number:]

    def held(self, term: Term) -> Held:
        """Return which messages hold what a term of a question asks for."""
        if term.prefix:
            return self._begun(term.text)
        return Held(self._entries.get(term.text, array("I")), self._many.get(term.text, {}))

    def _of(self, term: str) -> array[int]:
        entries = self._entries.get(term)
        if entries is None:
            entries = self._entries[term] = array("I")
            self._beginning[term[0]].append(term)
        return entries

    def _forget(self, number: int) -> None:
        """Let go of what stands beside the entries of places from a number on."""
        for many in self._many.values():
            for place in [place for place in many if place >= number]:
                del many[place]
        self._beginning.clear()
        for term in self._entries:
            self._beginning[term[0]].append(term)

    def _begun(self, text: str) -> Held:
        """Return which messages hold terms that begin so; a word and its stem are one."""
        stems, surfaces = self._sums(text), self._sums(SURFACE + text)
        most = {place: max(stems[place], surfaces[place]) for place in sorted({*stems, *surfaces})}
        entries = (place << _BITS | min(count, _MOST) for place, count in most.items())
        return Held(array("I", entries), most)

    def _sums(self, text: str) -> Counter[int]:
        """Return how often each message holds a term that begins so."""
        found: Counter[int] = Counter()
        for term in self._beginning.get(text[0], ()):
            if term.startswith(text):
                held = self.held(Term(term))
                for place, count in held.counts({*held.places}):
                    found[place] += count
        return found
