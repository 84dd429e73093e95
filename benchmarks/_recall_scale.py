"""What recall adds to a turn, in time, as a conversation grows: beside a bare call of the SDK.

Recall is run as a turn runs it, on a view that a compaction has left short: the search, in the
store or in memory, the choice of passages, and the message that shows them. Each time is paired
with a call of the same view without a memory, which a server in the same process answers. The rest
of what a turn does is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final

from openai import OpenAI

from benchmarks._recall_scale_stores import (
    KEY,
    Message,
    filled,
    questions,
    store_of,
    stores,
    written,
)
from benchmarks._report import Check, Figure, Row
from benchmarks._trial import HTTP
from memory import Settings
from memory.flow.fit import fitted_by
from memory.flow.recall import recalled
from memory.flow.state import Context, Prompt, State
from memory.handlers import Handler
from memory.identity import link, see
from memory.meter import Meter
from memory.outside import Outside
from memory.policy import Policy
from memory.recall.periods_calendar import calendar
from memory.recall.settings import Recall
from memory.records import Compaction, Turn
from memory.retrievers.lexical import LexicalRetriever
from memory.stores.volatile import VolatileStore
from memory.testing import FakeKimi
from memory.view import Thread, View
from memory.vocabulary import warmup

__all__ = ("FULL", "QUICK", "Scope", "checks", "figures", "measured")

MODEL: Final = "kimi-k2.6"
BUDGET: Final = 8_000
"""Tokens of a prompt."""
TAIL: Final = 20
"""Messages that are still sent verbatim."""
WARM: Final = 5
"""Questions before those that are timed."""
IN_MEMORY: Final = "in memory"
GROWTH: Final = 30.0
"""How many times longer recall may take with the longest conversation than with the shortest, each
beside a bare call of the same minute, so that a busy machine does not count."""
FLAT: Final = 5.0
"""The same for the index of a new turn."""
NOTES: Final = {"role": "user", "content": "Notes of what was said before: they planned a trip."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is run.

    Attributes:
        stored: Messages of conversations in a store, rising.
        held: Messages of conversations in memory, rising.
        rounds: Questions that are timed at each size, 2 or more.
    """

    stored: Sequence[int] = (1_000, 100_000, 1_000_000)
    held: Sequence[int] = (1_000, 100_000)
    rounds: int = 100


FULL: Final = Scope()
QUICK: Final = Scope(stored=(1_000, 10_000), held=(1_000, 10_000), rounds=20)
"""Enough to see that everything runs, and how it grows."""


class Talk:
    """A conversation of which all but the latest messages are compacted.

    Args:
        messages: All of it; the list is the talk's own from then on.
        meter: Counts tokens.
    """

    def __init__(self, messages: list[Message], meter: Meter) -> None:
        self._messages, self._seen = messages, list(see(messages))
        self._links = list(link(self._seen))
        calendar(messages, links=self._links)  # as the turn before has left it
        self._context = Context(meter=meter, policy=Policy(budget=BUDGET))
        covered = len(messages) - TAIL
        self._record = Compaction(
            covered=covered,
            coverage=self._links[covered],
            adopted=covered,
            adoption=self._links[covered],
            synthetic=NOTES,
        )

    def say(self, message: Message) -> None:
        """Go on by a message, without looking at those before."""
        [seen] = see([message])
        self._messages.append(message)
        self._seen.append(seen)
        self._links.append(seen.after(self._links[-1]))

    def unsay(self) -> None:
        """Take the latest message back."""
        for each in (self._messages, self._seen, self._links):
            each.pop()

    def turn(self, *, by_store: bool) -> tuple[Prompt, Context, State]:
        """Return the request that the conversation has come to, and the view of it."""
        usual = Settings()
        recall = Recall(
            mode="auto",
            share=usual.recall_share,
            floor=usual.recall_floor,
            by_store=by_store,
        )
        log = KEY if by_store else None
        prompt = Prompt(messages=self._messages, model=MODEL, log=log, namespace=KEY.namespace)
        thread = Thread(self._messages, self._seen, 0, self._messages, self._links)
        context = replace(self._context, recall=recall)
        return prompt, context, State.of(prompt, context, View(thread, self._record))


def _server() -> OpenAI:
    http = HTTP.Client(transport=FakeKimi().httpx2_transport())
    return OpenAI(api_key="sk-test", base_url="http://fake/v1", max_retries=0, http_client=http)


@dataclass(frozen=True, slots=True)
class _Bench:
    """Who answers questions, and with which memory."""

    client: OpenAI
    outside: Outside
    by_store: bool

    def pair(self, talk: Talk, question: str) -> tuple[float, float, bool]:
        """Return the seconds of a bare call and of recall, and whether anything came back."""
        talk.say({"role": "user", "content": question})
        prompt, context, state = talk.turn(by_store=self.by_store)
        fitted = fitted_by(prompt, state)
        sent: Any = list(fitted.messages)
        begun = perf_counter()
        self.client.chat.completions.create(messages=sent, model=MODEL)
        called = perf_counter()
        flow = recalled(prompt, context, state, fitted)
        found = Handler(self.outside, None).run(flow)
        ended = perf_counter()
        talk.unsay()
        return called - begun, ended - called, found.snippet is not None


def _times(bench: _Bench, talk: Talk, asked: Sequence[str]) -> Row:
    pairs = [bench.pair(talk, question) for question in asked][WARM:]
    bare, added, shown = zip(*pairs, strict=True)
    (low, high), usual = _percentiles(added), median(bare)
    return {
        "bare p50 ms": usual * 1e3,
        "recall p50 ms": low * 1e3,
        "recall p95 ms": high * 1e3,
        "p50 / bare": low / usual,
        "p95 / bare": high / usual,
        "with passages %": 100 * sum(shown) / len(shown),
    }


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    return median(values), quantiles(values, n=20, method="inclusive")[-1]


def _stored(kind: str, size: int, rounds: int, meter: Meter) -> Row:
    messages = written(size)
    asked = questions(messages, rounds + WARM)
    with store_of(kind) as store:
        begun = perf_counter()
        version = filled(store, messages)
        seconds = perf_counter() - begun
        outside = Outside(store=store, hooks=(), count=meter.text)
        row = _times(_Bench(_server(), outside, by_store=True), Talk(messages, meter), asked)
        turns = [*_indexed(store, size, version, rounds)]
    return _row(kind, size, row) | {
        "index a turn p50 ms": median(turns) * 1e3,
        "filled and indexed s": seconds,
    }


def _indexed(store: Any, size: int, version: int, rounds: int) -> Iterator[float]:
    """Yield the seconds that the index of a new turn takes, one turn after the other."""
    for start in range(size, size + 2 * rounds, 2):
        turn = Turn(start=start, messages=tuple(written(2, start=start)))
        version = store.append(KEY, [turn], expected=version)
        begun = perf_counter()
        store.index(KEY)
        yield perf_counter() - begun


def _held(size: int, rounds: int, meter: Meter) -> Row:
    messages = written(size)
    asked = questions(messages, rounds + WARM)
    outside = Outside(
        store=VolatileStore(), hooks=(), count=meter.text, retrievers=(LexicalRetriever(),)
    )
    bench = _Bench(_server(), outside, by_store=False)
    return _row(IN_MEMORY, size, _times(bench, Talk(messages, meter), asked))


def _row(kind: str, size: int, times: Row) -> Row:
    return {"searched by": kind, "messages": size, **times}


def measured(scope: Scope = FULL, *, kinds: Sequence[str] | None = None) -> list[Row]:
    """Return a row for each place that is searched and each size.

    Args:
        scope: How much is run.
        kinds: Which stores; None for those that are there.
    """
    meter = Meter(warmup())
    found = stores() if kinds is None else kinds
    rows = [_stored(kind, size, scope.rounds, meter) for kind in found for size in scope.stored]
    return rows + [_held(size, scope.rounds, meter) for size in scope.held]


def _grown(rows: Sequence[Row], column: str) -> Mapping[str, tuple[int, float]]:
    """Return the largest size for each place that is searched, and how a column has grown to it."""
    of: dict[str, list[Row]] = {}
    for row in rows:
        if row.get(column) is not None:
            of.setdefault(row["searched by"], []).append(row)
    return {
        kind: (each[-1]["messages"], each[-1][column] / each[0][column])
        for kind, each in of.items()
    }


def checks(rows: Sequence[Row]) -> list[Check]:
    """Return what has to hold: recall grows far less than a conversation, its index not at all."""
    bounds = {
        "p50 / bare": ("recall beside a bare call", GROWTH),
        "index a turn p50 ms": ("index a turn", FLAT),
    }
    return [
        Check(name=f"{kind}: {name}, {size:,} messages / fewest", value=value, op="<=", bound=bound)
        for column, (name, bound) in bounds.items()
        for kind, (size, value) in _grown(rows, column).items()
    ]


def figures(rows: Sequence[Row]) -> list[Figure]:
    """Return what recall adds to a turn, in milliseconds and beside a bare call."""
    columns: Mapping[str, Callable[[Row], tuple[float, str]]] = {
        "p50": lambda row: (row["recall p50 ms"], "ms"),
        "p95": lambda row: (row["recall p95 ms"], "ms"),
        "p50 / bare call": lambda row: (row["p50 / bare"], "x"),
        "p95 / bare call": lambda row: (row["p95 / bare"], "x"),
    }
    return [
        Figure(name=_named(row, name), value=read(row)[0], unit=read(row)[1])
        for row in rows
        for name, read in columns.items()
    ]


def _named(row: Row, name: str) -> str:
    return f"recall at {row['messages']:,} messages, {row['searched by']}, {name}"
