"""Coroutines of the same names: they do what the functions do, in any event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from memory.errors import ConflictError
from memory.recall import Question
from memory.records import LogKey, Record
from memory.testing.conformance.bench import Bench, counts
from memory.testing.conformance.check import Group
from memory.testing.conformance.expect import demand, expect, expect_log, expect_records
from memory.testing.conformance.samples import KINDS, compaction, logged, turn
from memory.testing.conformance.together import PATIENCE

__all__ = ("ASYNCHRONOUS",)

T = TypeVar("T")

ASYNCHRONOUS = Group("asynchronous")

TASKS = 8
APPENDS = 4


@ASYNCHRONOUS.check
def coroutines_and_functions_share_logs(bench: Bench) -> None:
    """What coroutines append functions load, and the other way round, with the same versions."""
    key, records = bench.key("trip"), list(KINDS.values())

    async def work(twin: Any) -> int:
        first: int = await twin.append(key, records[:2], expected=0)
        expect_log(records[:2], first, bench.one.load(key), "what a coroutine appended")
        second = bench.other.append(key, records[2:4], expected=first)
        expect_log(records[:4], second, await twin.load(key), "what a function appended")
        last: int = await twin.append(key, records[4:], expected=second)
        return last

    version = _in_loop(bench, work)
    expect_log(records, version, bench.other.load(key), "the whole log")


@ASYNCHRONOUS.check
def coroutines_meet_conflicts(bench: Bench) -> None:
    """A coroutine that expects another version raises what the function raises."""
    key = bench.key("trip")

    async def work(twin: Any) -> None:
        version = await twin.append(key, [turn("a")], expected=0)
        for wrong in (0, version + 1):
            try:
                await twin.append(key, [turn("b")], expected=wrong)
            except ConflictError as error:
                expect((wrong, version), (error.expected, error.actual), "what the error names")
            else:
                demand(condition=False, message="append raised no ConflictError")
        expect_log([turn("a")], version, await twin.load(key), "the log after conflicts")

    _in_loop(bench, work)


@ASYNCHRONOUS.check
def coroutines_find_and_forget(bench: Bench) -> None:
    """Coroutines find, know and forget what functions do."""
    key, record = bench.key(root="aa", user="ann"), compaction(adopted=7)
    bench.add(key, logged(), record)

    async def work(twin: Any) -> None:
        hashes = frozenset({record.coverage})
        found = await twin.find(bench.namespace, hashes, user="ann")
        expect_records([record], found, "find")
        expect((), await twin.find(bench.namespace, hashes, user="bob"), "find for another user")
        demand(await twin.known(bench.namespace, user="ann") in (7, 0), "known")
        expect((1, 2, 1, 1), counts(await twin.forget(key)), "forget")

    _in_loop(bench, work)
    expect(0, bench.one.load(key).version, "the version of what a coroutine forgot")


@ASYNCHRONOUS.needing("listing")
def coroutines_list(bench: Bench) -> None:
    """Coroutines list the conversations that functions list, and forget users."""
    for name in ("a", "b", "c"):
        bench.add(bench.key(name, user="ann"), turn(name))

    async def work(twin: Any) -> None:
        whole = bench.one.conversations(bench.namespace)
        expect(whole, await twin.conversations(bench.namespace), "all conversations")
        page = await twin.conversations(bench.namespace, user="ann", after=("ann", "a"), limit=1)
        expect(whole[1:2], page, "a page of them")
        gone = await twin.forget_user(bench.namespace, "ann")
        expect((3, 3, 3, 0), counts(gone), "forget_user")

    _in_loop(bench, work)
    expect((), bench.one.conversations(bench.namespace), "conversations after forget_user")


@ASYNCHRONOUS.needing("searching")
def coroutines_search(bench: Bench) -> None:
    """Coroutines find the same messages as functions, in the same order, with the same scores."""
    for name, text in (("a", "a red fox"), ("b", "a red red fox"), ("c", "蓝色的狐狸")):
        bench.add(bench.key(name, user="ann"), turn(text))

    async def work(twin: Any) -> None:
        for query in ("fox", "red fox", "狐狸", "nothing"):
            expected = bench.one.search(bench.namespace, query, user="ann")
            found = await twin.search(bench.namespace, query, user="ann")
            expect(expected, found, f"search for {query!r}")
        options = {"user": "ann", "name": "b", "match": "any", "limit": 1}
        found = await twin.search(bench.namespace, "red 狐狸", **options)
        expect(["b"], [hit.name for hit in found], "search in one conversation, for any term")

    _in_loop(bench, work)


@ASYNCHRONOUS.needing("recalling")
def coroutines_look_up(bench: Bench) -> None:
    """Coroutines index as functions do, and find the same messages with the same scores."""
    key, question = bench.key("trip"), Question(text="a fox", context="red")
    bench.add(key, turn("a red fox", "a dog", "foxes"))

    async def work(twin: Any) -> None:
        expect(3, await twin.index(key), "messages that were indexed")
        found = tuple(await twin.lookup(key, question, limit=10))
        expect(tuple(bench.one.lookup(key, question, limit=10)), found, "what is found")
        expect({0, 2}, {each.place for each in found}, "where it is found")

    _in_loop(bench, work)


@ASYNCHRONOUS.needing("leasing")
def coroutines_lease(bench: Bench) -> None:
    """Coroutines take, see and give up the leases that functions do."""
    key = bench.key("trip")

    async def work(twin: Any) -> None:
        demand(await twin.acquire(key, "turn", owner="ann", seconds=300), "acquire is refused")
        taken = bench.one.acquire(key, "turn", owner="bob", seconds=300)
        demand(not taken, "a lease that a coroutine took can be taken by another")
        expect("ann", await twin.holder(key, "turn"), "holder")
        await twin.release(key, "turn", owner="ann")
        expect(None, bench.one.holder(key, "turn"), "who has it after release")

    _in_loop(bench, work)


@ASYNCHRONOUS.needing("checking")
def coroutines_tell_health(bench: Bench) -> None:
    """A coroutine tells the same of the store as the function."""

    async def work(twin: Any) -> None:
        expect(bench.one.health(), await twin.health(), "health")

    _in_loop(bench, work)


@ASYNCHRONOUS.check
def loops_come_and_go(bench: Bench) -> None:
    """One handle serves an event loop, then another one, then functions, then a third loop."""
    key, records = bench.key("trip"), [turn(text) for text in "abcd"]
    version = 0
    for place, record in enumerate(records):
        if place == len(records) // 2:
            version = bench.one.append(key, [record], expected=version)
            continue

        async def work(twin: Any, record: Record = record, before: int = version) -> int:
            demand((await twin.load(key)).version == before, "a loop sees another version")
            after: int = await twin.append(key, [record], expected=before)
            return after

        version = _in_loop(bench, work)
    expect_log(records, version, bench.one.load(key), "what three loops and a function wrote")


@ASYNCHRONOUS.check
def tasks_at_once_lose_nothing(bench: Bench) -> None:
    """Eight tasks that append, and load again after a conflict, lose nothing and agree."""
    key = bench.key("trip")

    async def work(twin: Any) -> dict[int, Record]:
        done = await asyncio.gather(*(_write(twin, key, number) for number in range(TASKS)))
        return dict(pair for each in done for pair in each)

    written = _in_loop(bench, work)
    expect(TASKS * APPENDS, len(written), "the number of versions that appends returned")
    expected = [written[version] for version in sorted(written)]
    expect_log(expected, max(written), bench.other.load(key), "what all tasks wrote, by version")


async def _write(twin: Any, key: LogKey, number: int) -> list[tuple[int, Record]]:
    written: list[tuple[int, Record]] = []
    while len(written) < APPENDS:
        record = logged(f"{number} {len(written)}")
        log = await twin.load(key)
        with suppress(ConflictError):
            version = await twin.append(key, [record], expected=log.version)
            written.append((version, record))
    return written


@ASYNCHRONOUS.check
def cancelled_append_is_all_or_nothing(bench: Bench) -> None:
    """A task cancelled while it appends has written all of it or nothing, and others go on."""
    key = bench.key("trip")

    async def work(twin: Any) -> None:
        for ticks in (0, 1, 2, 3, 5, 8, 13, 21):
            await _cancelled(twin, key, ticks)
            await _append(twin, key, [logged(f"after {ticks}"), logged("and more")])

    _in_loop(bench, work)
    records = bench.other.load(key).records
    after = [r for r in records[::2] if "after" in str(r)]
    expect(0, len(records) % 2, "records of half an append")
    expect(8, len(after), "the number of appends that were not cancelled")


async def _cancelled(twin: Any, key: LogKey, ticks: int) -> None:
    """Begin an append and cancel it after so many looks at other tasks."""
    version = (await twin.load(key)).version
    batch = [logged(f"cancelled {ticks}"), logged("and more")]
    task = asyncio.ensure_future(twin.append(key, batch, expected=version))
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError, ConflictError):
        await task


async def _append(twin: Any, key: LogKey, batch: list[Record]) -> None:
    while True:
        log = await twin.load(key)
        with suppress(ConflictError):
            await twin.append(key, batch, expected=log.version)
            return


def _in_loop(bench: Bench, work: Callable[[Any], Awaitable[T]]) -> T:
    """Do something with the coroutines of a store, in an event loop of its own.

    What the loop opened is closed with it where the store has `aclose`.
    """

    async def run() -> T:
        try:
            return await asyncio.wait_for(work(bench.twin), PATIENCE)
        finally:
            aclose = getattr(bench.one, "aclose", None)
            if bench.handles.separate and callable(aclose):
                await aclose()

    return asyncio.run(run())
