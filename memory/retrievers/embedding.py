"""Search by meaning, with vectors of anybody's: a function that embeds texts is all it takes.

Vectors are compared one by one, in plain Python: right for some thousands of messages. A database
of vectors is a `Retriever` of your own.
"""

from __future__ import annotations

import math
from array import array
from collections import OrderedDict
from functools import partial
from hashlib import blake2b
from operator import mul
from threading import Lock
from typing import TYPE_CHECKING

from memory.errors import ConfigError
from memory.recall import Found

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
    from typing import TypeAlias, TypeVar

    from memory.recall import Passages, Question, Ranking

    T = TypeVar("T")
    Steps: TypeAlias = Generator[list[str], "Vectors", T]
    """Yields texts that are to be embedded, and is sent their vectors."""
    Vectors: TypeAlias = Sequence[Sequence[float]]
    Embed: TypeAlias = Callable[[Sequence[str]], Vectors]
    AsyncEmbed: TypeAlias = Callable[[Sequence[str]], Awaitable[Vectors]]
    Kept: TypeAlias = tuple[list[tuple[int, array[float]]], array[float]]
    """Place and vector of each message, and the vector of the question."""

__all__ = ("BATCH", "ROOM", "SIZE", "AsyncEmbeddingRetriever", "EmbeddingRetriever")

BATCH = 64
"""Texts that are embedded with one call."""
SIZE = 4_000
"""Characters of a text that are embedded: most models refuse, or cut, what is much longer."""
ROOM = 256_000_000
"""Bytes for all vectors: some 40,000 of 1,536 numbers."""
SMALL = 1_000
"""Messages that are compared in an event loop; more are in a thread."""
DIGITS = 6
_ENTRY = 200
"""Bytes of a vector beside its numbers: its key and its place in a dict."""
_NOTHING: array[float] = array("f")
"""The vector of a text that has none."""


class _Searching:
    """What both retrievers share; not made directly.

    Args:
        size: How many characters of a text are embedded: of a longer one the beginning.
        room: How many bytes all vectors may take, about. Those that were not used for longest are
            forgotten, and embedded anew when they are needed. Of a conversation whose vectors take
            more only the newest messages are searched.
        unrelated: The cosine of texts that have nothing to do with each other. It counts as 0 and
            what is above it as what is left of 1, so that the floor of recall can tell: with many
            models two texts of any kind have half a cosine in common.

    Raises:
        ConfigError: One is out of range.
    """

    def __init__(self, *, size: int = SIZE, room: int = ROOM, unrelated: float = 0.0) -> None:
        if size < 1 or room < 1 or not 0 <= unrelated < 1:
            msg = (
                "size >= 1, room >= 1 and 0 <= unrelated < 1 must hold: "
                f"size={size}, room={room}, unrelated={unrelated}"
            )
            raise ConfigError(msg)
        self._size = size
        self._room = room
        self._unrelated = unrelated
        self._lock = Lock()
        self._known: OrderedDict[bytes, array[float]] = OrderedDict()
        self._taken = 0
        self._width = 0

    def _asked(self, question: Question, passages: Passages) -> Steps[Kept]:
        """Return the vectors that an answer takes; yields the texts that are to be embedded."""
        asked = yield from self._vector(question.text)
        if not asked:
            return [], asked
        return (yield from self._read(passages)), asked

    def _vector(self, text: str) -> Steps[array[float]]:
        """Return the vector of a question, which is asked anew for each call of its turn."""
        if not text.strip():
            return _NOTHING
        key = b"question" + blake2b(text.encode("utf-8", "surrogatepass")).digest()
        if (known := self._found(key)) is not None:
            return known
        return (yield from self._embedded({key: text}))[key]

    def _read(self, passages: Passages) -> Steps[list[tuple[int, array[float]]]]:
        """Return place and vector of each message, as far as there is room, newest first."""
        read: list[tuple[int, array[float]]] = []
        size = 0
        for run in _runs(len(passages)):
            vectors = yield from self._run(passages, run)
            for place in run:
                vector = vectors[passages.digests[place]]
                size += _size(vector)
                if size > self._room:
                    return read
                if vector:
                    read.append((place, vector))
        return read

    def _run(self, passages: Passages, run: Iterable[int]) -> Steps[dict[bytes, array[float]]]:
        """Return the vectors of some messages by their digests."""
        vectors: dict[bytes, array[float]] = {}
        new: dict[bytes, str] = {}
        for place in run:
            digest = passages.digests[place]
            if (known := self._found(digest)) is not None:
                vectors[digest] = known
            elif digest not in new:
                new[digest] = passages[place].text
        said = {digest: text for digest, text in new.items() if text.strip()}
        vectors |= dict.fromkeys(new.keys() - said.keys(), _NOTHING)
        return vectors | (yield from self._embedded(said)) if said else vectors

    def _embedded(self, texts: dict[bytes, str]) -> Steps[dict[bytes, array[float]]]:
        """Have texts embedded, and keep their vectors."""
        given = yield [text[: self._size] for text in texts.values()]
        if len(given) != len(texts):
            msg = f"embed returned {len(given)} vectors for {len(texts)} texts"
            raise ConfigError(msg)
        vectors = dict(zip(texts, map(_unit, given), strict=True))
        self._keep(vectors)
        return vectors

    def _found(self, key: bytes) -> array[float] | None:
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
            return known

    def _keep(self, vectors: dict[bytes, array[float]]) -> None:
        with self._lock:
            for key, vector in vectors.items():
                self._check(vector)
                before = self._known.pop(key, None)
                self._taken += _size(vector) - (0 if before is None else _size(before))
                self._known[key] = vector
            while self._taken > self._room and len(self._known) > 1:
                self._taken -= _size(self._known.popitem(last=False)[1])

    def _check(self, vector: array[float]) -> None:
        """Refuse a vector that cannot be compared with those before."""
        self._width = self._width or len(vector)
        if vector and len(vector) != self._width:
            msg = f"embed returned a vector of {len(vector)} numbers after one of {self._width}"
            raise ConfigError(msg)

    def _ranked(self, kept: Kept, limit: int) -> Ranking:
        """Return the messages whose vectors are nearest to that of the question, best first."""
        vectors, asked = kept
        scores = ((self._score(asked, vector), place) for place, vector in vectors)
        best = sorted((each for each in scores if each[0] > 0), reverse=True)
        return tuple(Found(place, score) for score, place in best[: max(0, limit)])

    def _score(self, asked: array[float], vector: array[float]) -> float:
        cosine: float = sum(map(mul, asked, vector))
        related = (cosine - self._unrelated) / (1 - self._unrelated)
        return round(min(1.0, max(0.0, related)), DIGITS)


class EmbeddingRetriever(_Searching):
    """Finds messages by their meaning; implements `Retriever` and `Preparing`.

    The score of a message is the cosine of its vector and that of the question, 0 to 1: what is
    below 0 is not found. Vectors are kept in memory by what was said, so that each message is
    embedded once, whatever conversation it stands in, as long as there is room. What is new is
    embedded 64 texts at a time. Messages without text are not found, and the context of a question
    is not embedded: it would blur what is asked.

    Several threads may ask at once; where they do about the same new messages, these are embedded
    by each of them.

    Args:
        embed: Returns a vector for each text, in order, all of one length; what it raises,
            `retrieve` raises. The texts are what the conversation says: they go wherever this
            sends them.
        size: How many characters of a text are embedded: of a longer one the beginning.
        room: How many bytes all vectors may take, about. Those that were not used for longest are
            forgotten, and embedded anew when they are needed. Of a conversation whose vectors take
            more only the newest messages are searched.
        unrelated: The cosine of texts that have nothing to do with each other, which counts as 0;
            with many models any two texts have half of 1.

    Raises:
        ConfigError: A number is out of range.
    """

    def __init__(
        self, embed: Embed, *, size: int = SIZE, room: int = ROOM, unrelated: float = 0.0
    ) -> None:
        super().__init__(size=size, room=room, unrelated=unrelated)
        self._embed = embed

    def retrieve(self, question: Question, passages: Passages, *, limit: int) -> Ranking:
        """Return the messages that mean most alike, best first; of equals the newest first.

        Args:
            question: What is looked for; only its text counts.
            passages: All messages of the conversation; what is new in it is embedded.
            limit: How many at most.

        Raises:
            ConfigError: `embed` did not return a vector for each text, all of one length.
            Exception: What `embed` raised; what was embedded before is kept.
        """
        return self._ranked(self._run_through(self._asked(question, passages)), limit)

    def prepare(self, passages: Passages) -> None:
        """Embed what is new in a conversation; raises what `retrieve` does."""
        self._run_through(self._read(passages))

    def _run_through(self, steps: Steps[T]) -> T:
        try:
            texts = next(steps)
            while True:
                texts = steps.send(self._embed(texts))
        except StopIteration as done:
            result: T = done.value
            return result


class AsyncEmbeddingRetriever(_Searching):
    """Finds messages by their meaning; implements `AsyncRetriever` and `Preparing`.

    Takes what `EmbeddingRetriever` takes, with a coroutine as `embed`. Long conversations are
    compared in a thread, so that the event loop goes on.
    """

    def __init__(
        self, embed: AsyncEmbed, *, size: int = SIZE, room: int = ROOM, unrelated: float = 0.0
    ) -> None:
        super().__init__(size=size, room=room, unrelated=unrelated)
        self._embed = embed

    async def retrieve(self, question: Question, passages: Passages, *, limit: int) -> Ranking:
        """Return the messages that mean most alike; see `EmbeddingRetriever.retrieve`.

        Raises:
            ConfigError: `embed` did not return a vector for each text, all of one length.
            Exception: What `embed` raised.
        """
        kept = await self._run_through(self._asked(question, passages))
        if len(kept[0]) <= SMALL:
            return self._ranked(kept, limit)
        from anyio import to_thread  # noqa: PLC0415  # comes with openai

        return await to_thread.run_sync(partial(self._ranked, kept, limit))

    async def prepare(self, passages: Passages) -> None:
        """Embed what is new in a conversation; raises what `retrieve` does."""
        await self._run_through(self._read(passages))

    async def _run_through(self, steps: Steps[T]) -> T:
        try:
            texts = next(steps)
            while True:
                texts = steps.send(await self._embed(texts))
        except StopIteration as done:
            result: T = done.value
            return result


def _runs(number: int) -> Iterable[range]:
    """Return all places below a number, the newest first, in runs of a batch."""
    return (range(stop - 1, max(-1, stop - 1 - BATCH), -1) for stop in range(number, 0, -BATCH))


def _unit(numbers: Sequence[float]) -> array[float]:
    """Return a vector of length 1 in the same direction; nothing for one without a direction."""
    norm = math.hypot(*numbers)
    if not math.isfinite(norm):
        msg = "embed returned a vector with a number that is not finite"
        raise ConfigError(msg)
    return array("f", (each / norm for each in numbers)) if norm else _NOTHING


def _size(vector: array[float]) -> int:
    return _ENTRY + vector.itemsize * len(vector)
