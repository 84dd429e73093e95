"""A database that is restarted under those who converse: their turns go on afterwards."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks._endurance_checks import broken, displaced, lost
from benchmarks._endurance_places import postgres
from benchmarks._endurance_talk import Job
from benchmarks._report import percentile
from memory.flow import Past

if TYPE_CHECKING:
    from benchmarks._endurance_nursery import Fact, Nursery, Program
    from benchmarks._endurance_places import Place
    from benchmarks._endurance_postgres import Server
    from benchmarks._report import Row

__all__ = ("restarted",)

PATIENCE = 60.0
"""Seconds in which a turn has to be on record again."""
COLOURS = ("sync", "async")


def restarted(
    times: int, nursery: Nursery, address: str, database: Server, *, seed: int = 0
) -> Row:
    """Restart a database so many times under two processes and return what came of it."""
    chance, after = random.Random(seed), list[float]()
    with postgres(database.url) as place:
        programs = [nursery.fork(_job(address, place, colour)) for colour in COLOURS]
        facts = [program.until("said", seconds=PATIENCE) for program in programs]
        for _ in range(times):
            time.sleep(chance.uniform(0.0, 0.3))
            database.restart()
            begun = time.perf_counter()
            for mine, program in zip(facts, programs, strict=True):
                mine.extend(_recorded(program))
            after.append(time.perf_counter() - begun)
        for mine, program in zip(facts, programs, strict=True):
            mine.extend(program.kill())
        row = {"store": place.kind, "restarts": times}
        return {**row, **_outcome(facts, place), **_times(after)}


def _job(address: str, place: Place, colour: str) -> Job:
    return Job(
        server=address,
        store=place.url,
        namespace=place.namespace,
        label=colour,
        turns=None,
        budget=2_000,
        colour="async" if colour == "async" else "sync",
        pause=0.005,
    )


def _recorded(program: Program) -> list[Fact]:
    """Return what a program tells up to a turn that began after now and is on record."""
    facts, end = program.told(0), time.monotonic() + PATIENCE
    begun = len(facts)
    while sum(fact.get("recorded", False) for fact in facts[begun:]) < 2:  # the first may be older
        if time.monotonic() > end or program.ended:
            msg = f"no turn was put on record within {PATIENCE} s of a restart: {facts[-3:]}"
            raise TimeoutError(msg)
        facts += program.told(1.0)
    return facts


def _outcome(facts: list[list[Fact]], place: Place) -> Row:
    with place.opened() as store:
        log = store.load(place.key)
    history = Past.of(log).messages
    said = [[m for f in mine if f.get("recorded") for m in f["said"]] for mine in facts]
    everything = [message for mine in said for message in mine]
    raised = Counter(fact["raised"] for mine in facts for fact in mine if "raised" in fact)
    known = {name: raised.pop(name, 0) for name in ("StoreError", "ConversationBusy")}
    return {
        "acknowledged": len(everything),
        "lost": lost(history, everything),
        "displaced": sum(displaced(history, mine) for mine in said),
        "told unrecorded": sum(not f.get("recorded", True) for mine in facts for f in mine),
        **{f"raised {name}": number for name, number in known.items()},
        "wrong": [*(f"raised {name}" for name in raised), *broken(log)],
    }


def _times(after: list[float]) -> Row:
    shares = {"on record again p50 s": 0.5, "on record again longest s": 1.0}
    return {name: percentile(after, share) for name, share in shares.items()}
