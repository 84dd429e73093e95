"""Logs under keys that look alike never meet: whatever users are called, nobody sees another's."""

from __future__ import annotations

from collections import defaultdict

from memory.records import Compaction, Log, LogKey, Record
from memory.testing.conformance.alike import alike
from memory.testing.conformance.bench import Bench, counts
from memory.testing.conformance.check import Group
from memory.testing.conformance.expect import demand, expect, expect_log, expect_records
from memory.testing.conformance.samples import a_hash, compaction, turn

__all__ = ("KEYS",)

KEYS = Group("store")

WORD = "word"
"""What all conversations hold, and every search for."""


@KEYS.check
def alike_keys_have_logs_of_their_own(bench: Bench) -> None:
    """Logs under keys that look alike hold what was appended to each, and no more."""
    written = _written(bench)
    for key, record in written.items():
        log = bench.other.load(key)
        expect_log([record], log.version, log, f"the log under {key}")


@KEYS.check
def alike_users_find_their_own(bench: Bench) -> None:
    """Compactions are found for the user and namespace they were made for, however much alike."""
    shared, written = a_hash(), defaultdict[tuple[str, str], list[Record]](list)
    for place, key in enumerate(alike(bench)):
        record = compaction(adopted=3 + place, coverage=shared)
        bench.add(key, record)
        written[key.namespace, key.user] += [] if key.name else [record]
    for (namespace, user), records in written.items():
        what = f"user {user!r} of namespace {namespace!r}"
        found = bench.one.find(namespace, frozenset({shared}), user=user)
        expect_records(records, found, f"find for {what}")
        least = min((r.adopted for r in records if isinstance(r, Compaction)), default=None)
        known = bench.one.known(namespace, user=user)
        demand(known in (least, 0), f"known for {what}: expected {least}, got {known}")


@KEYS.check
def forgetting_spares_what_is_alike(bench: Bench) -> None:
    """Forgetting every third log removes those, and none that looks like one of them."""
    written = _written(bench)
    for key in list(written)[::3]:
        expect((1, 1, 1, 0), counts(bench.one.forget(key)), f"what forget({key}) says it removed")
        del written[key]
    for key in alike(bench):
        log = bench.other.load(key)
        if key in written:
            expect_log([written[key]], log.version, log, f"the log under {key}")
        else:
            expect(Log(), log, f"the forgotten log under {key}")


@KEYS.needing("listing")
def forgetting_users_spares_those_alike(bench: Bench) -> None:
    """Forgetting every other user removes their logs, and none of a user who looks like one."""
    written, users = _written(bench), defaultdict[tuple[str, str], list[LogKey]](list)
    for key in written:
        users[key.namespace, key.user].append(key)
    for namespace, user in list(users)[::2]:
        keys, what = users[namespace, user], f"forget_user({namespace!r}, {user!r})"
        number = len(keys)
        removed = counts(bench.one.forget_user(namespace, user))
        expect((number, number, number, 0), removed, f"what {what} says it removed")
        for key in keys:
            expect(Log(), bench.other.load(key), f"{key} after {what}")
            del written[key]
    for key, record in written.items():
        log = bench.other.load(key)
        expect_log([record], log.version, log, f"the log under {key}")


@KEYS.needing("listing")
def alike_conversations_are_listed_apart(bench: Bench) -> None:
    """Conversations are listed under their own user, name and namespace, exactly as written."""
    users, spaces = defaultdict[tuple[str, str], list[str]](list), defaultdict[str, int](int)
    for key in _written(bench):
        users[key.namespace, key.user] += [key.name] if key.name else []
        spaces[key.namespace] += bool(key.name)
    for (namespace, user), names in users.items():
        page = bench.other.conversations(namespace, user=user, limit=1_000)
        expected = [(user, name) for name in sorted(names)]
        expect(expected, [(each.user, each.name) for each in page], f"those of {user!r}")
    for namespace, number in spaces.items():
        page = bench.one.conversations(namespace, limit=1_000)
        expect(number, len(page), f"the number of conversations in namespace {namespace!r}")


@KEYS.needing("searching")
def alike_users_search_their_own(bench: Bench) -> None:
    """A search finds what its own user said, in the conversation asked for, however much alike."""
    users = defaultdict[tuple[str, str], list[str]](list)
    for key in _written(bench):
        users[key.namespace, key.user] += [key.name] if key.name else []
    for (namespace, user), names in users.items():
        what = f"a search for user {user!r} of namespace {namespace!r}"
        hits = bench.one.search(namespace, WORD, user=user, limit=1_000)
        found = sorted((hit.user, hit.name) for hit in hits)
        expect([(user, name) for name in sorted(names)], found, what)
        for name in names if len(names) > 1 else []:
            hits = bench.one.search(namespace, WORD, user=user, name=name)
            expect([(user, name)], [(hit.user, hit.name) for hit in hits], f"{what}, in {name!r}")


@KEYS.needing("leasing")
def alike_keys_have_leases_of_their_own(bench: Bench) -> None:
    """Leases of logs that look alike are held by different owners at the same time."""
    keys = alike(bench)
    for place, key in enumerate(keys):
        taken = bench.one.acquire(key, "turn", owner=f"owner {place}", seconds=300)
        demand(taken, f"the lease of {key} is taken though nobody has it")
    for key in keys[::3]:
        bench.one.forget(key)
    for place, key in enumerate(keys):
        holder = f"owner {place}" if place % 3 else None
        expect(holder, bench.other.holder(key, "turn"), f"who has the lease of {key}")


def _written(bench: Bench) -> dict[LogKey, Record]:
    """Append one record to each of the logs, and return which."""
    written: dict[LogKey, Record] = {}
    for place, key in enumerate(alike(bench)):
        written[key] = turn(f"{WORD} {place}")
        bench.one.append(key, [written[key]], expected=0)
    return written
