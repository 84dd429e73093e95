"""Search by words, in memory: no model, no database, nothing to set up.

Scores are BM25 as `memory.bm25` says it, over terms as `memory.analysis` makes them. So the answer
is that of a store that looks the same question up.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

from memory.analysis import Query, Term, written
from memory.bm25 import damping, ideal, score, telling
from memory.narrowing import POSTINGS, asked, best, chosen
from memory.recall import Found
from memory.recall.feedback import BEST, expanded, matched, mentioned
from memory.retrievers.postings import Held, Postings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.recall import Passages, Question, Ranking

__all__ = ("ROOM", "LexicalRetriever")

ROOM = 512_000_000
"""Bytes for all conversations, about: a million messages of 30 words and a little more."""
NEAR = 1_024
"""Messages that a conversation may have grown by to be known at once."""
LATEST = 64
"""Conversations, the latest first, that are compared where one is not known at once."""
_SMALL = 4_000
"""Bytes of a conversation without messages."""


class LexicalRetriever:
    """Finds messages by their words; implements `Retriever` and `Preparing`.

    What was read of a conversation is kept, and only what is new is read: it is known again by its
    chain hashes. Where it was edited or rewound, what both have in common stays, if that is half
    of what is known or more; other conversations with the same beginning stay as they are.
    However long the conversation is, at most 1,000 messages are ranked, as `memory.narrowing` says:
    those that hold most of the question, of equals the newest.

    Several threads may ask at once. Those with the same conversation wait for each other, and what
    is new is read once.

    Args:
        room: How many bytes of memory all conversations may take, about. Those that were not used
            for longest are forgotten, and read anew when they are asked for; the one that was used
            last is kept, however large.
    """

    lexical = True
    """A store that can search conversations by words may do the work of this one."""

    def __init__(self, *, room: int = ROOM) -> None:
        self._room = room
        self._lock = Lock()
        self._known: OrderedDict[int, _Conversation] = OrderedDict()
        self._ends: dict[bytes, _Conversation] = {}
        self._taken = 0

    def retrieve(self, question: Question, passages: Passages, *, limit: int) -> Ranking:
        """Return the messages that answer a question best, best first; of equals the newest first.

        Args:
            question: What is looked for; words that only its context has count half.
            passages: All messages of the conversation; what is new in it is read.
            limit: How many at most.
        """
        query = asked(Query.of_question(question.text, question.context))
        if not query or limit < 1:
            return ()
        known = self._claimed(passages.links)
        with known.lock:
            self._follow(known, passages)
            return _answered(known.postings, query, passages, limit)

    def prepare(self, passages: Passages) -> None:
        """Read what is new in a conversation."""
        known = self._claimed(passages.links)
        with known.lock:
            self._follow(known, passages)

    def _claimed(self, links: Sequence[bytes]) -> _Conversation:
        """Return what is known of a conversation, as the one that was used last."""
        with self._lock:
            known = self._at_end(links) or self._nearest(links)
            if known is None:
                known = _Conversation()
                self._known[id(known)] = known
                self._taken += known.size
            self._known.move_to_end(id(known))
            self._name(known, links[-1])
            return known

    def _at_end(self, links: Sequence[bytes]) -> _Conversation | None:
        """Return what was asked for with one of the latest messages as its last."""
        ends = (self._ends.get(link) for link in islice(reversed(links), NEAR))
        return next((known for known in ends if known is not None), None)

    def _nearest(self, links: Sequence[bytes]) -> _Conversation | None:
        """Return the known conversation with the longest beginning in common, if it is worth it."""
        latest = [*islice(reversed(self._known.values()), LATEST)]
        shared, _, best = max(
            ((known.shared(links), -age, known) for age, known in enumerate(latest)),
            key=lambda one: one[:2],
            default=(0, 0, None),
        )
        return best if best is not None and shared and shared * 2 >= best.messages else None

    def _name(self, known: _Conversation, end: bytes) -> None:
        """Let a conversation be known by its last link, also while it is being read."""
        self._unname(known)
        known.end = end
        self._ends[end] = known

    def _unname(self, known: _Conversation) -> None:
        if self._ends.get(known.end) is known:
            del self._ends[known.end]

    def _follow(self, known: _Conversation, passages: Passages) -> None:
        try:
            known.follow(passages)
        except BaseException:
            # An interruption may have come in the middle of a message.
            known.clear()
            raise
        finally:
            self._weigh(known)

    def _weigh(self, known: _Conversation) -> None:
        """Forget what there is no room for."""
        with self._lock:
            if id(known) not in self._known:
                return  # forgotten meanwhile
            self._taken += known.weigh()
            while self._taken > self._room and len(self._known) > 1:
                _, oldest = self._known.popitem(last=False)
                self._taken -= oldest.size
                self._unname(oldest)


class _Conversation:
    """What is known of one conversation; its lock is held while it is read and ranked."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.end = b""
        self.size = _SMALL
        self.clear()

    @property
    def messages(self) -> int:
        """How many messages were read."""
        return len(self.postings.lengths)

    def clear(self) -> None:
        """Know nothing."""
        self.postings = Postings()
        self._links = bytearray()

    def weigh(self) -> int:
        """Take the size anew; return by how many bytes it grew."""
        before = self.size
        self.size = _SMALL + self.postings.bytes + len(self._links)
        return self.size - before

    def shared(self, links: Sequence[bytes]) -> int:
        """Return how many messages the conversation with these links has in common with this."""
        width = len(links[0])
        low, high = 0, min(len(self._links) // width, len(links) - 1)
        while low < high:
            middle = (low + high + 1) // 2
            if self._links[(middle - 1) * width : middle * width] == links[middle]:
                low = middle
            else:
                high = middle - 1
        return low

    def follow(self, passages: Passages) -> None:
        """Read what is new, and let go of what is no longer there."""
        links = passages.links
        shared = self.shared(links)
        self.postings.cut(shared)
        del self._links[shared * len(links[0]) :]
        for place in range(shared, len(passages)):
            self.postings.add(passages.searched(place))
            self._links += links[place + 1]


def _answered(postings: Postings, query: Query, passages: Passages, limit: int) -> Ranking:
    """Return what answers a question, asked a second time with words of its first answers."""
    first = _ranked(postings, query)
    answers = [(score, written(passages.searched(place))) for place, score, _ in first[:BEST]]
    words = mentioned(query, answers)
    frequencies = {word: len(postings.held(Term(word)).entries) for word in words}
    more = expanded(query, words, frequencies, postings.documents)
    most = ideal(
        (term.weight, telling(postings.documents, len(postings.held(term).entries)))
        for term in query.terms
    )
    return matched(first, _ranked(postings, more) if more != query else first, most, limit=limit)


def _ranked(postings: Postings, query: Query) -> list[Found]:
    held = {term: postings.held(term) for term in query.terms}
    weights = {
        term: term.weight * telling(postings.documents, len(each.entries))
        for term, each in held.items()
    }
    terms: dict[int, list[tuple[float, int]]] = {place: [] for place in _candidates(held, weights)}
    for term, each in held.items():
        for place, times in each.counts(terms):
            terms[place].append((weights[term], times))
    average = postings.length / postings.documents if terms else 0.0
    found = [
        Found(place, score(said, damping(postings.lengths[place], average)))
        for place, said in terms.items()
    ]
    found.sort(key=lambda one: (-one.score, -one.place))
    return found


def _candidates(held: Mapping[Term, Held], weights: Mapping[Term, float]) -> list[int]:
    """Return where the messages are that are ranked."""
    frequencies = {term: len(each.entries) for term, each in held.items()}
    read = chosen([*held], frequencies)
    return best((weights[term], held[term].newest(POSTINGS)) for term in read)
