"""Many processes in one conversation: nobody's words are lost, doubled or put among another's."""

from __future__ import annotations

import select
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks._endurance_checks import broken, displaced, lost, paid
from benchmarks._endurance_child import LOOK, WHOLE, order_of
from benchmarks._endurance_talk import Job, Message
from benchmarks._report import percentile
from memory.flow import Past
from memory.records import Log
from memory.stores.codec import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._endurance_nursery import Fact, Nursery, Program
    from benchmarks._endurance_office import Office
    from benchmarks._endurance_places import Place
    from benchmarks._report import Row

__all__ = ("Crowd", "meet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who meets.

    Attributes:
        processes: How many processes; those of a store that one process has are threads of it.
        turns: How many turns each of them makes.
        callers: How many callers each process has; they share its turns.
        budget: Tokens a prompt may have.
        patience: Seconds for all of it.
    """

    processes: int
    turns: int
    callers: int = 1
    budget: int = 2_000
    patience: float = 600.0


def meet(crowd: Crowd, nursery: Nursery, office: Office, server: str, place: Place) -> Row:
    """Let a crowd have its conversation and return what became of it."""
    served = len(office.fake.requests)
    begun = time.perf_counter()
    programs = [nursery.fork(job) for job in jobs(crowd, server, place)]
    facts = gathered(programs, "done", crowd.patience)
    seconds = time.perf_counter() - begun
    for program in programs:
        program.order(WHOLE if program is programs[0] else LOOK)
    for mine, program in zip(facts, programs, strict=True):
        key = "records" if program is programs[0] else "order"
        mine.extend(program.until(key, seconds=crowd.patience))
        mine.extend(program.dismiss())
    asked = _asked(office.fake.requests[served:], crowd.budget)
    said = _said(facts, place)
    return {
        "store": place.kind,
        "processes": len(programs),
        "callers": crowd.processes * crowd.callers,
        "seconds": seconds,
        **asked,
        **said,
        "summaries beside compactions": asked["summaries"] - said["compactions"],
        "wrong": [*asked["wrong"], *said["wrong"]],
        **_timed(facts, seconds),
    }


def jobs(crowd: Crowd, server: str, place: Place) -> list[Job]:
    """Return what each process does; every other one has tasks in place of threads."""
    first = Job(
        server=server,
        store=place.url,
        namespace=place.namespace,
        label="p0",
        turns=crowd.turns,
        budget=crowd.budget,
        callers=crowd.callers,
        keys=place.keys,
    )
    if not place.shared:
        return [replace(first, callers=crowd.processes * crowd.callers)]
    return [
        replace(
            first,
            label=f"p{number}",
            mode="background" if number % 4 >= 2 else "inline",
            colour="async" if number % 2 else "sync",
        )
        for number in range(crowd.processes)
    ]


def gathered(programs: Sequence[Program], key: str, seconds: float) -> list[list[Fact]]:
    """Return what programs tell up to a fact of a kind, one list for each.

    Raises:
        TimeoutError: One of them does not tell that in time.
    """
    end = time.monotonic() + seconds
    facts: list[list[Fact]] = [[] for _ in programs]
    waiting = dict(enumerate(programs))
    while waiting:
        ready = select.select(list(waiting.values()), [], [], end - time.monotonic())[0]
        if not ready:
            msg = f"{len(waiting)} of {len(programs)} programs did not tell {key!r}"
            raise TimeoutError(msg)
        for number in [n for n, program in waiting.items() if program in ready]:
            new = programs[number].told(0)
            facts[number] += new
            if programs[number].ended or any(key in fact for fact in new):
                del waiting[number]
    return facts


def _said(facts: Sequence[Sequence[Fact]], place: Place) -> Row:
    """Return what became of what was said."""
    log = _log(facts[0], place)
    history = Past.of(log).messages
    acknowledged = [[m for f in mine if "said" in f for m in f["said"]] for mine in facts]
    orders = {fact["order"] for mine in facts for fact in mine if "order" in fact}
    everything = [message for mine in acknowledged for message in mine]
    return {
        "turns": sum(message["role"] == "user" for message in everything),
        "acknowledged": len(everything),
        "messages": len(history),
        "lost": lost(history, everything),
        "unasked": lost(everything, history),
        "displaced": sum(
            displaced(history, said) for mine in acknowledged for said in _by_caller(mine)
        ),
        "orders": len(orders | {order_of(history)}),
        "compactions": paid(log),
        "wrong": [*broken(log), *_failures(facts)],
    }


def _failures(facts: Sequence[Sequence[Fact]]) -> list[str]:
    """Return what callers were told: nothing may fail for them, and nobody be sent away."""
    raised = [f"{f['raised']}: {f['text']}" for mine in facts for f in mine if "raised" in f]
    failed = [f"{f['event']}: {f['error']}" for mine in facts for f in mine if "event" in f]
    return raised + failed


def _by_caller(said: Sequence[Message]) -> list[list[Message]]:
    found: dict[str, list[Message]] = {}
    for message in said:
        found.setdefault(message["content"].partition("-")[0], []).append(message)
    return list(found.values())


def _log(facts: Sequence[Fact], place: Place) -> Log:
    """Return the log as a process reads it that knows nothing yet, if there can be one."""
    if place.shared:
        with place.opened() as store:
            return store.load(place.key)
    (rows,) = (fact["records"] for fact in facts if "records" in fact)
    records = tuple(decode(kind, body, where="the report") for kind, body in rows)
    return Log(records=records, version=len(records))


def _asked(requests: Sequence[Any], budget: int) -> Row:
    chats = [each for each in requests if each.kind == "chat"]
    return {
        "requests": len(chats),
        "wrong": [f"refused: {each.error}" for each in requests if each.status != 200],
        "over budget": sum(each.prompt_tokens > budget for each in chats),
        "summaries": sum(each.kind == "summary" for each in requests),
    }


def _timed(facts: Sequence[Sequence[Fact]], seconds: float) -> Row:
    waits = [fact["seconds"] for mine in facts for fact in mine if "seconds" in fact]
    shares = {"p50 s": 0.5, "p99 s": 0.99, "longest s": 1.0}
    return {
        "calls/s": len(waits) / seconds,
        **{name: percentile(waits, share) for name, share in shares.items()},
    }
