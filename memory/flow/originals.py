"""The originals that a view leaves out: who searches them, and what of them is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TypeVar

from memory.analysis import Query
from memory.dates import is_plain, opening
from memory.flow.effects import Flow, Retrieve
from memory.flow.log import failed
from memory.flow.state import Context, Prompt
from memory.flow.store_effects import Lookup
from memory.messages import WireMessage, role_of
from memory.recall import Found, Passages, Question, Ranking
from memory.recall.choice import FULL, Choice, candidates, chosen
from memory.recall.contract import Stretch
from memory.recall.excerpts import excerpt, weights_of
from memory.recall.periods_calendar import Calendar, calendar
from memory.recall.rendering import Line, lines_of
from memory.said import searched_text, text_of_message
from memory.view import View

__all__ = ("Originals",)

T = TypeVar("T")
ROLES = ("user", "assistant", "tool", "system", "developer")

AT_ONCE = 4_000
"""Messages that may be read in a turn because a store failed."""
EXCERPT = 96
"""Tokens of a message that are shown; of a longer one the sentences that answer best."""
SHORT = 48
"""The same for messages after the best ones: more of them are of more use than more of each."""
LONG = 8
"""How many messages are the best ones."""


@dataclass(frozen=True)
class Originals:
    """The originals that a view leaves out, as they are searched and shown.

    Attributes:
        prompt: The request.
        context: How it is judged.
        view: The view.
        stop: How many messages without the head are searched.
        asked: Which of them asks, and is no answer; None for none.
    """

    prompt: Prompt
    context: Context
    view: View
    stop: int
    asked: int | None = None

    @cached_property
    def dates(self) -> Calendar:
        """When the messages were said."""
        return calendar(self.view.thread.rest, links=self.view.thread.links)

    def hidden(self, place: int) -> bool:
        """Return whether a message is not shown, at least not as it was."""
        record = self.view.base
        if not place and record.mark is not None and self.view.thread.mark(0) == record.mark:
            return False  # it is our own message, passed in again
        if any(each.index == place for each in record.shortened):
            return True
        return place < record.covered and place not in record.kept

    def found(self, question: Question) -> Flow[tuple[list[Ranking], bool]]:
        """Ask whoever can search; one that fails is left out, and told of.

        Returns:
            What was found, and whether nobody failed.
        """
        prompt, recall = self.prompt, self.context.recall
        key = None if recall is None or not recall.by_store or prompt.blind else prompt.log
        rankings, whole = list[Ranking](), True
        if key is not None:
            lookup = Lookup(key=key, question=question, limit=FULL)
            try:
                rankings.append((yield from lookup.perform()))
            except Exception as error:  # noqa: BLE001  # the turn goes on without
                yield from failed(prompt, error).perform()
                whole, key = False, None if self.stop <= AT_ONCE else key
        asked = Retrieve(
            question=question, passages=self.passages(), limit=FULL, lexical=key is None
        )
        for answer in (yield from asked.perform()):
            if isinstance(answer, Exception):
                whole = False
                yield from failed(prompt, answer).perform()
            else:
                rankings.append(answer)
        return [self._usable(ranking) for ranking in rankings], whole

    def passages(self) -> Passages:
        """Return what is searched."""
        thread = self.view.thread
        size = self.stop
        return Passages(
            Stretch(thread.rest, _same, size=size),
            digests=Stretch(thread.seen, attrgetter("digest"), start=thread.start, size=size),
            links=Stretch(thread.links, _same, size=size + 1),
            text=text_of_message,
            searched=searched_text,
            role=_role,
        )

    def _usable(self, ranking: Ranking) -> Ranking:
        """Return what a retriever may have found, each message once."""
        best = dict[int, Found]()
        for found in ranking:
            place, score = found[0], found[1]
            if 0 <= place < self.stop and place != self.asked and math.isfinite(score):
                best.setdefault(place, found)
        return [*best.values()]

    def chosen(self, question: Question, ranking: Ranking, room: float) -> list[Choice]:
        """Return the passages that are shown."""
        able = candidates(ranking, hidden=self.hidden, size=self.stop)
        able = [found for found in able if found.place != self.asked]
        query = Query.of_question(question.text, question.context)
        texts = [self._text(found.place) for found in able[:FULL]]
        weights, count = weights_of(query.terms, texts), self.context.meter.text
        dates = set[str]()

        def cost(place: int, text: str) -> float:
            line = self._line(place, text)
            known = line.date in dates
            dates.add(line.date)
            shown = lines_of([line._replace(date="") if known else line])
            return sum(count(each) + 1 for each in shown)

        best = {found.place for found in able[:LONG]}

        def text(place: int) -> str:
            most = EXCERPT if place in best else SHORT
            return excerpt(self._text(place), weights=weights, room=most, count=count)

        return chosen(able, room=room, text=text, cost=cost, known=self._known())

    def _known(self) -> set[str]:
        """Return the texts that are shown verbatim."""
        return {text_of_message(self.view.thread.rest[i]) for i in self.view.loose}

    def _text(self, place: int) -> str:
        return text_of_message(self.view.thread.rest[place])

    def _line(self, place: int, text: str) -> Line:
        message = self.view.thread.rest[place]
        return Line(place, _role(message), text, self._date(place), opens=bool(opening(message)))

    def _date(self, place: int) -> str:
        """Return the date of a message, in the words of the conversation if they are nothing else.

        What a tool or anybody writes beside a date would stand outside of every quotation.
        """
        label = self.dates.label(place, said=self.prompt.said)
        if not label or is_plain(label):
            return label
        day = self.dates.day(place, said=self.prompt.said)
        return day.isoformat() if day else ""

    def lines(self, choices: Sequence[Choice]) -> list[str]:
        """Return passages as lines."""
        return lines_of([self._line(each.place, each.text) for each in choices])


def _same(item: T) -> T:
    return item


def _role(message: WireMessage) -> str:
    role = str(role_of(message))
    return role if role in ROLES else "other"
