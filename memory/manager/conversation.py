"""A conversation that memory keeps: the caller sends what is new and we know the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from memory import models
from memory.flow import Outlook
from memory.flow.control import compact, covering_segment, expand, forget, pin
from memory.flow.conversation import add, fork, in_use, past, rewind, standing, undo
from memory.flow.exporting import exported, restore
from memory.manager.named import Named, copied, outlook_of, page, searched_for
from memory.messages import WireMessage, wire
from memory.records import Compaction, Forgotten, Hit, Match, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.flow import Context, Flow
    from memory.manager.managers import MemoryManager

__all__ = ("Conversation",)

T = TypeVar("T")


class Conversation(Named):
    """One conversation of a `MemoryManager`; made by its `conversation()`.

    Everything said is kept, in order; what is sent of it is a view. `with conversation:` has the
    calls of wrapped clients go on from it.
    """

    def __init__(self, manager: MemoryManager, name: str, user: str | None = None) -> None:
        super().__init__(manager, name, user)
        self._manager = manager

    def messages(self, *, model: str = models.DEFAULT_MODEL) -> list[WireMessage]:
        """Return what would be sent now, before anything new: head, notes, and what is verbatim.

        Args:
            model: The model it would be sent to.

        Raises:
            StoreError: The store cannot be read.
        """
        return copied(self._run(standing(self._prompt(model), self._context)))

    def history(self, *, limit: int | None = None, before: int | None = None) -> list[WireMessage]:
        """Return what was said, in order, without the head.

        Args:
            limit: How many messages at most, the latest ones; None for all.
            before: Only messages before this place, counted from 0, such as the place of the first
                one of the page that is known; None for those up to the end.

        Raises:
            StoreError: The store cannot be read.
        """
        return page(self._run(past(self._key)).messages, limit, before)

    def search(self, query: str, *, match: Match = "all", limit: int = 10) -> list[Hit]:
        """Return the messages of this conversation that match, best first.

        Args:
            query: Words; runs of Chinese, Japanese or Korean are found wherever they stand.
            match: `"all"` of the terms have to be in a message, or `"any"` of them.
            limit: How many at most.

        Raises:
            UnsupportedError: The store has no search.
            StoreError: The store cannot be read.
        """
        return [*self._run(self._searched(query, match, limit).perform())]

    def search_memory(
        self, arguments: str | Mapping[str, Any], *, model: str = models.DEFAULT_MODEL
    ) -> str:
        """Return the content of the tool message that answers a call of `search_memory`.

        For callers who answer the model themselves: `recall="tool"` without `execute`. Call and
        answer go on record as any others, once you send the answer.

        Args:
            arguments: The arguments of the call, as the model wrote them. What cannot be read, or
                asks for nothing, is answered with a text that says so.
            model: The model that the conversation is sent to.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._run(searched_for(self._prompt(model), self._context, arguments))

    def add(self, messages: Sequence[WireMessage]) -> int:
        """Add messages at the end without asking for a reply; return how many there are then.

        Leading system messages become the head.

        Raises:
            ConversationBusy: It waits for tool results, and these are not.
            HistoryError: One of `messages` is not a mapping, or the first is a tool result and no
                call waits for one.
            StoreError: The store cannot be written.
        """
        return self._run(add(self._key, wire(messages)))

    def compactions(self) -> list[Compaction]:
        """Return the compactions in use, oldest first.

        Raises:
            StoreError: The store cannot be read.
        """
        return in_use(self._run(past(self._key)))

    def plan(self, *, model: str = models.DEFAULT_MODEL) -> Outlook:
        """Return what the next call would do about the budget, for free; see `MemoryManager.plan`.

        Args:
            model: The model it would be sent to.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._run(outlook_of(self._prompt(model), self._context))

    def compact(
        self,
        *,
        upto: int | None = None,
        summary: str | None = None,
        model: str = models.DEFAULT_MODEL,
    ) -> Compaction | None:
        """Compact now, whether or not the budget asks for it; return what was put on record.

        The summary is written by the manager's summariser, else by the client it wrapped last,
        else offline. `undo` takes it back.

        Args:
            upto: Messages before this place are summarised, counted from 0 as in `history`; None
                for as many as a compaction drops by itself. What has to be sent stays.
            summary: Your own words in place of a summary; they are taken as they are.
            model: The model that the conversation is sent to.

        Returns:
            The compaction; None where there is nothing to drop.

        Raises:
            BudgetError: Your summary does not fit into the limit.
            ConfigError: Your summary is blank.
            HistoryError: There are fewer messages.
            StoreError: The store cannot be read.
        """
        prompt = self._asked(model, self._manager.handler(lent=True))
        flow = compact(prompt, self._context, upto=upto, summary=summary)
        return self._manager.handler(lent=True).run(flow)

    def expand(self, segment: Segment | str) -> list[WireMessage]:
        """Return the messages that a segment stands for, as they were said.

        Args:
            segment: One of `compactions()[-1].segments`, or its range as the notes show it, such
                as `"3-17"`: a model can ask for that.

        Raises:
            HistoryError: There are no such messages.
            StoreError: The store cannot be read.
        """
        return copied(self._run(expand(self._key, segment)))

    def segment_of(self, place: int, *, model: str = models.DEFAULT_MODEL) -> Segment | None:
        """Return the segment that stands for a message; None where it is sent itself.

        Args:
            place: Which message, counted from 0 as in `history`.
            model: The model that the conversation is sent to.

        Raises:
            HistoryError: There are fewer messages.
            StoreError: The store cannot be read.
        """
        return self._run(covering_segment(self._prompt(model), self._context, place))

    def pin(self, what: int | str) -> None:
        """Keep a message, or a sentence, in everything that is sent from now on.

        A message stays verbatim, with the exchange it belongs to; a sentence is quoted in the
        notes under standing instructions, first of all when room is short.

        Args:
            what: The place of a message, counted from 0 as in `history`, or a sentence.

        Raises:
            ConfigError: The sentence is blank.
            HistoryError: There is no such message.
            StoreError: The store cannot be written.
        """
        self._run(pin(self._prompt(models.DEFAULT_MODEL), self._key, what, held=True))

    def unpin(self, what: int | str) -> None:
        """Take back a `pin`; what was not pinned may be named too.

        Raises:
            ConfigError: The sentence is blank.
            HistoryError: There is no such message.
            StoreError: The store cannot be written.
        """
        self._run(pin(self._prompt(models.DEFAULT_MODEL), self._key, what, held=False))

    def undo(self) -> Compaction | None:
        """Take the latest compaction out of use and return it; None where there is none.

        What it covered is sent verbatim again, until a prompt needs another compaction.

        Raises:
            StoreError: The store cannot be written.
        """
        return self._run(undo(self._key))

    def rewind(self, to: int) -> int:
        """Go back to where there were `to` messages; return how many are not part of it any more.

        Raises:
            HistoryError: There are fewer.
            StoreError: The store cannot be written.
        """
        return self._run(rewind(self._key, to))

    def fork(self, at: int | None = None, *, name: str | None = None) -> Conversation:
        """Return a new conversation that begins with the first `at` messages of this one.

        Args:
            at: How many messages; None for all.
            name: Its name, of the same user where that was given; None for this one's name and
                something random.

        Raises:
            ConfigError: The name is empty or not printable.
            HistoryError: There are fewer messages, or the other conversation has some already.
            StoreError: The store cannot be written.
        """
        other = Conversation(self._manager, self._other(name), self._given)
        self._run(fork(self._key, other._key, at))
        return other

    def export(self) -> dict[str, Any]:
        """Return everything as a JSON object: name, head, messages and compactions.

        Raises:
            StoreError: The store cannot be read.
        """
        return exported(self._key, self._run(past(self._key)))

    def import_(self, given: Mapping[str, Any] | Sequence[WireMessage]) -> int:
        """Begin this conversation with what `export` returned; return how many messages it has.

        Its summaries come with it, so nothing is paid for again.

        Args:
            given: An export, or a plain list of messages.

        Raises:
            HistoryError: It is neither, or this conversation has messages already.
            StoreError: The store cannot be written.
        """
        return self._run(restore(self._key, given, self._redact))

    def forget(self) -> Forgotten:
        """Remove the conversation and all that is known of it; return how much that was.

        Raises:
            StoreError: The store cannot be written.
        """
        return self._run(forget(self._context, self._key))

    @property
    def _context(self) -> Context:
        return self._manager.context()

    def _run(self, flow: Flow[T]) -> T:
        return self._manager.handler().run(flow)
