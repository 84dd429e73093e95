"""Programs that are killed at any moment: what was acknowledged is there, and the rest is whole."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from benchmarks._endurance_checks import broken, displaced, lost, originals, paid, unseen
from benchmarks._endurance_office import essence
from benchmarks._endurance_talk import HEAD, Job, Message
from benchmarks._endurance_wal import file_of, is_torn
from benchmarks._report import percentile
from memory.flow import Log, Past, log_key
from memory.view import Thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from benchmarks._endurance_nursery import Fact, Nursery
    from benchmarks._endurance_office import Office
    from benchmarks._endurance_places import Place
    from benchmarks._report import Row

__all__ = ("AIMS", "WRITES", "Aim", "Killing", "Toll")

Aim = Literal["start", "work", "append", "compaction", "write"]
AIMS: Final[tuple[Aim, ...]] = ("start", "work", "append", "append", "compaction")
"""What a program is killed in: opening its store, anything, putting a turn on record, and having a
summary written."""
WRITES: Final[tuple[Aim, ...]] = ("write",)
"""What one is killed in that has a file: writing to it, at any byte."""
MOMENTS: Final = {
    "start": (0.0, 0.06),
    "work": (0.005, 0.150),
    "append": (0.0, 0.006),
    "compaction": (0.0, 0.008),
}
"""Seconds from the fork, the first acknowledged message, or what the model wrote, to the kill."""
ROOM: Final = (34_000, 250_000)
"""Bytes of the file that a program dies in writing; SQLite's index of its log has 32 kB at once."""
PATIENCE: Final = 30.0
BUDGET: Final = 1_500


@dataclass(slots=True)
class Ledger:
    """What is known of the conversations in one place.

    Attributes:
        named: What was acknowledged in the one with a name.
        open: What was in the one without.
        records: What was on record of the first when it was read last.
        paid: How many compactions of both were.
    """

    named: list[Message] = field(default_factory=list)
    open: list[Message] = field(default_factory=list)
    records: tuple[Any, ...] = ()
    paid: int = 0


@dataclass(slots=True)
class Toll:
    """What came of the kills.

    Attributes:
        counts: How often what happened.
        wrong: What was wrong, by cycle.
        first: Seconds to the first acknowledged message of programs that were let get that far.
        seconds: How long cycles took.
    """

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def row(self, kind: str) -> Row:
        """Return the figures."""
        names = (
            "acknowledged",
            "lost",
            "displaced",
            "compactions",
            "summaries",
            "killed before the append",
            "killed amid a commit",
            "killed after the append",
            "killed in a compaction",
            "killed in an exchange",
        )
        return {
            "store": kind,
            "cycles": len(self.seconds),
            **{f"killed: {aim}": self.counts[aim] for aim in dict.fromkeys((*AIMS, *WRITES))},
            **{name: self.counts[name] for name in names},
            "wrong": self.wrong,
            "first reply p50 s": percentile(self.first, 0.5),
            "first reply longest s": percentile(self.first, 1.0),
            "cycle p50 s": percentile(self.seconds, 0.5),
        }


class Killing:
    """Kills programs in one conversation after the other.

    Args:
        nursery: Where programs come from.
        office: The model they talk to.
        server: Its base URL.
        place: Makes a place for some cycles.
        seed: Decides when they are killed.
        each: After how many cycles a new place is made.
        aims: What programs are killed in, as often as it stands there.
    """

    def __init__(
        self,
        nursery: Nursery,
        office: Office,
        server: str,
        place: Callable[[], AbstractContextManager[Place]],
        *,
        seed: int = 0,
        each: int = 20,
        aims: Sequence[Aim] = AIMS,
    ) -> None:
        self._aims = aims
        self._nursery = nursery
        self._office = office
        self._server = server
        self._place = place
        self._each = each
        self._chance = random.Random(seed)
        self.toll = Toll()

    def run(self, cycles: int) -> Toll:
        """Go through so many cycles and return what came of it."""
        done = 0
        while done < cycles:
            with ExitStack() as stack:
                place, ledger = stack.enter_context(self._place()), Ledger()
                for number in range(done, min(done + self._each, cycles)):
                    begun = time.perf_counter()
                    self._cycle(f"c{number}", place, ledger)
                    self.toll.seconds.append(time.perf_counter() - begun)
                    done += 1
        return self.toll

    def _cycle(self, label: str, place: Place, ledger: Ledger) -> None:
        aim = self._chance.choice(self._aims)
        self.toll.counts[aim] += 1
        served = len(self._office.fake.requests)
        facts = self._killed(aim, self._job(label, place, ledger))
        file = file_of(place)
        self.toll.counts["killed amid a commit"] += file is not None and is_torn(file)
        acknowledged = [fact for fact in facts if "said" in fact and fact["recorded"]]
        for fact in acknowledged:
            (ledger.named if fact["named"] else ledger.open).extend(fact["said"])
            self.toll.counts["acknowledged"] += len(fact["said"])
        given_up = [fact["given_up"] for fact in facts if "given_up" in fact]
        failed = [f"{fact['event']} {fact['error']}" for fact in facts if "event" in fact]
        requests = self._office.fake.requests[served:]
        # A request that was cut off with its sender has no body.
        refused = [f"refused: {e.error}" for e in requests if e.status != 200 and e.body]
        seen = Sight(place, ledger, requests, acknowledged)
        self._count(seen, requests)
        self.toll.wrong += [
            f"{label} ({aim}): {text}" for text in (*given_up, *failed, *refused, *seen.wrong())
        ]
        ledger.records = seen.log.records

    def _job(self, label: str, place: Place, ledger: Ledger) -> Job:
        return Job(
            server=self._server,
            store=place.url,
            namespace=place.namespace,
            label=label,
            turns=None,
            budget=BUDGET,
            mode=self._chance.choice(("inline", "background")),
            colour=self._chance.choice(("sync", "async")),
            open=list(ledger.open),
            keys=place.keys,
        )

    def _killed(self, aim: Aim, job: Job) -> list[Fact]:
        """Kill a program at a moment of a kind and return what it had told."""
        if aim == "write":
            program = self._nursery.fork(replace(job, room=self._chance.randint(*ROOM)))
            return program.rest()  # it is killed by its own hand
        kind, number = (
            ("summary", 1) if aim == "compaction" else ("chat", self._chance.randint(1, 6))
        )
        awaited = self._office.watch(kind, number)
        begun = time.perf_counter()
        program = self._nursery.fork(job)
        facts: list[Fact] = []
        if aim == "work":
            facts += program.until("said", seconds=PATIENCE)
            self.toll.first.append(time.perf_counter() - begun)
        elif aim != "start" and not awaited.wait(PATIENCE):
            facts.append({"given_up": f"nothing happened in {PATIENCE} s"})
        time.sleep(self._chance.uniform(*MOMENTS[aim]))
        return facts + program.kill()

    def _count(self, seen: Sight, requests: Sequence[Any]) -> None:
        counts, ledger = self.toll.counts, seen.ledger
        counts["lost"] += lost(seen.history, ledger.named)
        counts["displaced"] += displaced(seen.history, ledger.named)
        bought = paid(seen.log) + paid(seen.open)
        summaries = sum(each.kind == "summary" for each in requests)
        counts["compactions"] += bought - ledger.paid
        counts["summaries"] += summaries
        counts["killed in a compaction"] += summaries - (bought - ledger.paid)
        ledger.paid = bought
        there = set(map(essence, seen.history))
        known = set(map(essence, ledger.named))
        new = {essence(m) for r in seen.new for m in getattr(r, "messages", ())}
        counts["killed after the append"] += bool(new - known)
        asked = [each.body["messages"][-1] for each in requests if each.kind == "chat"]
        counts["killed before the append"] += any(
            " open: " not in message["content"] and essence(message) not in there
            for message in asked
        )
        counts["killed in an exchange"] += bool(seen.history and seen.history[-1].get("tool_calls"))


class Sight:
    """What a process finds that opens the store after a kill.

    Attributes:
        ledger: What is known of the place.
        log: The log of the conversation with a name.
        history: Its messages.
        open: The log of the other.
    """

    def __init__(
        self, place: Place, ledger: Ledger, requests: Sequence[Any], acknowledged: Sequence[Fact]
    ) -> None:
        self.ledger = ledger
        self._place = place
        self._acknowledged = acknowledged
        self._requests = {
            str(each.body["messages"][-1]["content"]): each
            for each in requests
            if each.kind == "chat"
        }
        self.open = Log()
        with place.opened() as store:
            self.log = store.load(place.key)
            if ledger.open:
                thread = Thread.of([HEAD, *ledger.open])
                self.open = store.load(log_key(place.namespace, thread))
        self.history = Past.of(self.log).messages

    @property
    def new(self) -> Sequence[Any]:
        """What was put on record since the log was read last."""
        return self.log.records[len(self.ledger.records) :]

    def wrong(self) -> list[str]:
        """Return what is wrong."""
        found = broken(self.log, self.ledger.records)
        found += [text for fact in self._acknowledged for text in self._request(fact)]
        return found + _integrity(self._place)

    def _request(self, fact: Fact) -> list[str]:
        """Return what is wrong with the request of an acknowledged call."""
        last, reply = fact["said"][-2:]
        served = self._requests[last["content"]]
        messages: Sequence[Any] = self.history if fact["named"] else self.ledger.open
        records = self.log.records if fact["named"] else self.open.records
        end = [essence(message) for message in messages].index(essence(reply))
        known = [*originals(messages)] if fact["named"] else records
        return unseen(
            served.body["messages"],
            [HEAD, *messages[:end]],
            records,
            known,
            tokens=served.prompt_tokens,
            budget=BUDGET,
        )


def _integrity(place: Place) -> list[str]:
    """Return what SQLite itself finds wrong with a file."""
    file = file_of(place)
    if file is None:
        return []
    with closing(sqlite3.connect(file)) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    return [text for text in found if text != "ok"]
