"""The contract of a retriever: it ranks what was said by how well it answers a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from memory.recall import Passages, Question, Ranking

__all__ = ("AsyncRetriever", "Preparing", "Retriever")


@runtime_checkable
class Retriever(Protocol):
    """Finds what was said, synchronously; asked by several threads at once."""

    def retrieve(self, question: Question, passages: Passages, *, limit: int) -> Ranking:
        """Return the messages that answer a question best, best first.

        Args:
            question: What is looked for.
            passages: All messages of the conversation without its head, lazily; `digests` and
                `links` tell what was seen before, so that nothing has to be read twice.
            limit: How many at most.

        Raises:
            Exception: Whatever it is, the turn goes on without what this retriever would have
                found, and `memory.events.Failed` tells the type.
        """


@runtime_checkable
class AsyncRetriever(Protocol):
    """Finds what was said, asynchronously."""

    async def retrieve(self, question: Question, passages: Passages, *, limit: int) -> Ranking:
        """Return the messages that answer a question best, best first; see `Retriever`."""


@runtime_checkable
class Preparing(Protocol):
    """A retriever that can read ahead, so that no turn waits for that.

    `prepare` may be a coroutine where `retrieve` is one.
    """

    def prepare(self, passages: Passages) -> object:
        """Read what is new in a conversation; called after a turn, beside whatever follows."""
