"""What the Redis store does, once for functions and coroutines: logs, lists and leases."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from memory.errors import ConflictError, CorruptError, StoreError
from memory.records import Compaction, Entry, Forgotten, Health, Log, LogKey, Record
from memory.stores import redis_scripts as scripts
from memory.stores.cache import Held
from memory.stores.codec import decode, encode, hashes_of, messages_after, messages_in
from memory.stores.redis_keys import LogKeys, OwnerKeys, log_keys, raw, text, users_key
from memory.stores.redis_scripts import Batch, Command, Script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.flow import Flow
    from memory.stores.cache import LogCache

__all__ = ("RedisPrograms",)

USERS = 25
"""Users whose names are asked for at once."""
LOGS = 1_000
"""Logs that are removed at once: a script keeps everybody else waiting."""
LIST_FIRST = 2
"""What a script says where the user is not on the list of users."""
NOTHING = Held("", Log(), 0)


class RedisPrograms:
    """The verbs of the Redis store as programs.

    Args:
        prefix: What all keys begin with.
        cache: What was read already.
        location: Where the server is, for errors; without credentials.
    """

    def __init__(self, prefix: str, cache: LogCache, location: str) -> None:
        self.prefix = prefix
        self.cache = cache
        self.location = location
        self._asked = False

    def load(self, key: LogKey) -> Flow[Log]:
        """Return a log: what is held of it, and what was appended since."""
        held, log = self.cache.get(key), log_keys(self.prefix, key).log
        if held is None:
            start, rows = 0, (yield from Command(("LRANGE", log, 0, -1)).perform())
        else:
            known = (held.log.version, held.incarnation)
            start, rows = yield from Script(scripts.TAIL, (log,), known).perform()
        base = held if held is not None and start else NOTHING
        if rows:
            return self._read(key, log, base, rows)
        if not start:
            self.cache.drop(key)
        return base.log

    def append(self, key: LogKey, records: Sequence[Record], expected: int) -> Flow[int]:
        """Append records if the log is still at a version, and return the new one."""
        keys, values = log_keys(self.prefix, key), _rows(records, expected)
        index = [] if key.name else _index(records)
        if expected and not index:
            script = Script(scripts.EXTEND, (keys.log, keys.meta), values)
            done, version = yield from script.perform()
        else:
            done, version = yield from self._begin(key, keys, values, index)
        if not done:
            raise ConflictError(expected=expected, actual=version)
        yield from self._warn_of_eviction()
        return int(version)

    def _begin(
        self, key: LogKey, keys: LogKeys, rows: Sequence[Any], index: Sequence[Any]
    ) -> Flow[tuple[int, int]]:
        """Append records that are the first ones, or that have to be found by their hashes.

        The list of users is in another slot. A user is on it before there is a conversation, so
        that none is missed; and put there again after it, for a `forget` may have come between.
        """
        names = (keys.digest, *map(raw, (key.namespace, key.user, key.name, key.root)))
        where = (keys.log, keys.meta, *keys.owner.shared)
        listing = Command(("ZADD", users_key(self.prefix, key.namespace), 0, raw(key.user)))
        script = Script(scripts.BEGIN, where, (*rows, *names, 0, *index))
        done, version = yield from script.perform()
        if done == LIST_FIRST:
            yield from listing.perform()
            script = Script(scripts.BEGIN, where, (*rows, *names, 1, *index))
            done, version = yield from script.perform()
            yield from listing.perform()
        return done, version

    def known(self, namespace: str, user: str) -> Flow[int | None]:
        """Return the smallest number of messages that a compaction was made for."""
        key = OwnerKeys(self.prefix, namespace, user).by_length
        found = yield from Command(("ZRANGE", key, 0, 0)).perform()
        return self._number(found[0].partition(b":")[0], key) if found else None

    def find(
        self, namespace: str, hashes: frozenset[bytes], user: str
    ) -> Flow[tuple[Compaction, ...]]:
        """Return the compactions with one of these hashes."""
        if not hashes:
            return ()
        owner = OwnerKeys(self.prefix, namespace, user)
        keys = (owner.by_hash, owner.compactions)
        script = Script(scripts.FIND, keys, (",".join(link.hex() for link in hashes),))
        orders, rows = yield from script.perform()
        found = (
            self._record(row, f"field {order} of {keys[1]}")[0]
            for order, row in zip(orders, rows, strict=True)
        )
        return tuple(record for record in found if isinstance(record, Compaction))

    def conversations(
        self, namespace: str, user: str | None, after: tuple[str, str] | None, limit: int
    ) -> Flow[tuple[Entry, ...]]:
        """Return a page of conversations; those forgotten meanwhile are left out."""
        found: list[Entry] = []
        while len(found) < limit:
            room = limit - len(found)
            if user is None:
                places = yield from self._places(namespace, after, room)
            else:
                places = yield from self._names(namespace, [user], after, room)
            if not places:
                break
            keys = [LogKey(namespace=namespace, user=whose, name=name) for whose, name in places]
            found += yield from self._entries(keys)
            after = places[-1]
        return tuple(found)

    def forget(self, key: LogKey) -> Flow[Forgotten]:
        """Remove a log."""
        keys = log_keys(self.prefix, key)
        forgotten, named = yield from self._remove(keys.owner, "", [keys.digest])
        self.cache.drop(key)
        if key.name and not named:
            yield from self._unlist(key.namespace, key.user)
        return forgotten

    def forget_user(self, namespace: str, user: str) -> Flow[Forgotten]:
        """Remove all logs of a user."""
        owner, total = OwnerKeys(self.prefix, namespace, user), Forgotten()
        found = yield from Command(("SMEMBERS", owner.logs)).perform()
        logs = sorted(each.decode("ascii", "replace") for each in found)
        for at in range(0, len(logs) or 1, LOGS):
            more, _ = yield from self._remove(owner, "all", logs[at : at + LOGS])
            total = _together(total, more)
        self.cache.drop_user(namespace, user)
        yield from self._unlist(namespace, user)
        return total

    def acquire(self, key: LogKey, purpose: str, owner: str, seconds: float) -> Flow[bool]:
        """Take or renew a lease."""
        keys = log_keys(self.prefix, key)
        values = (keys.lease(purpose), raw(owner), max(1, math.ceil(seconds * 1_000)))
        script = Script(scripts.ACQUIRE, keys.owner.leases, values)
        return bool((yield from script.perform()))

    def holder(self, key: LogKey, purpose: str) -> Flow[str | None]:
        """Return who has a lease."""
        keys = log_keys(self.prefix, key)
        script = Script(scripts.HOLDER, keys.owner.leases, (keys.lease(purpose),))
        found = yield from script.perform()
        return None if found is None else text(found)

    def release(self, key: LogKey, purpose: str, owner: str) -> Flow[None]:
        """Give up a lease."""
        keys = log_keys(self.prefix, key)
        values = (keys.lease(purpose), raw(owner))
        yield from Script(scripts.RELEASE, keys.owner.leases, values).perform()

    def health(self) -> Flow[Health]:
        """Ask for a sign of life; there is no schema."""
        yield from Command(("PING",), raw=False).perform()
        yield from self._warn_of_eviction()
        return Health(kind="redis", location=self.location)

    def _read(self, key: LogKey, log: str, base: Held, rows: Sequence[bytes]) -> Log:
        """Return a log of which some rows are new."""
        new, token = [], ""
        for place, row in enumerate(rows, base.log.version):
            record, token = self._record(row, f"element {place} of {log}")
            new.append(record)
        whole = Log(records=(*base.log.records, *new), version=base.log.version + len(new))
        self.cache.put(key, token, whole, weight=base.weight + sum(map(len, rows)))
        return whole

    def _record(self, row: bytes | None, place: str) -> tuple[Record, str]:
        """Return a record and the token of its append."""
        where = f"{place} in {self.location}"
        try:
            kind, token, body = (row or b"").decode().split(" ", 2)
        except ValueError as error:
            raise CorruptError(where, "it is no record") from error
        return decode(kind, body, where=where), token

    def _number(self, value: bytes | None, key: str) -> int:
        try:
            return int(value or 0)
        except ValueError as error:
            where = f"{key} in {self.location}"
            raise CorruptError(where, "a number is none") from error

    def _places(
        self, namespace: str, after: tuple[str, str] | None, limit: int
    ) -> Flow[list[tuple[str, str]]]:
        """Return users and names of conversations, of some users at least; none at the end."""
        key = users_key(self.prefix, namespace)
        place = b"-" if after is None else b"[" + raw(after[0])
        while True:
            words = ("ZRANGEBYLEX", key, place, "+", "LIMIT", 0, USERS)
            users = yield from Command(words).perform()
            if not users:
                return []
            found = yield from self._names(namespace, list(map(text, users)), after, limit)
            if found:
                return found
            place = b"(" + users[-1]

    def _names(
        self, namespace: str, users: Sequence[str], after: tuple[str, str] | None, limit: int
    ) -> Flow[list[tuple[str, str]]]:
        """Return the users and names of their conversations."""
        left = [user for user in users if after is None or after[0] <= user]
        commands = []
        for user in left:
            place = b"(" + raw(after[1]) if after is not None and after[0] == user else b"-"
            names = OwnerKeys(self.prefix, namespace, user).names
            commands.append(Command(("ZRANGEBYLEX", names, place, "+", "LIMIT", 0, limit)))
        replies = yield from Batch(tuple(commands)).perform()
        found = zip(left, replies, strict=True)
        return [(user, text(name)) for user, names in found for name in names][:limit]

    def _entries(self, keys: Sequence[LogKey]) -> Flow[list[Entry]]:
        """Return conversations as they are listed, without those that are gone."""
        metas = [log_keys(self.prefix, key).meta for key in keys]
        fields = ("records", "length", "updated")
        commands = tuple(Command(("HMGET", meta, *fields)) for meta in metas)
        replies = yield from Batch(commands).perform()
        return [
            Entry(
                user=key.user,
                name=key.name,
                version=self._number(records, meta),
                messages=self._number(length, meta),
                updated=self._number(updated, meta) / 1_000_000,
            )
            for key, meta, (records, length, updated) in zip(keys, metas, replies, strict=True)
            if records is not None
        ]

    def _remove(
        self, owner: OwnerKeys, which: str, logs: Sequence[str]
    ) -> Flow[tuple[Forgotten, int]]:
        """Remove logs; return how much that was, and how many conversations are left."""
        receipt = owner.key(f"forgotten:{secrets.token_hex(8)}")
        script = Script(scripts.FORGET, (receipt, *owner.removed(logs)), (which, *logs))
        counts = map(int, (yield from script.perform()).split())
        gone, records, messages, compactions, leases, named = counts
        forgotten = Forgotten(
            logs=gone, records=records, messages=messages, compactions=compactions, leases=leases
        )
        if forgotten != Forgotten():
            yield from Command(("DEL", receipt)).perform()
        return forgotten, named

    def _unlist(self, namespace: str, user: str) -> Flow[None]:
        """Take a user without conversations out of the list; back, if one was begun meanwhile."""
        users = users_key(self.prefix, namespace)
        names = OwnerKeys(self.prefix, namespace, user).names
        yield from Command(("ZREM", users, raw(user))).perform()
        if (yield from Command(("ZCARD", names)).perform()):
            yield from Command(("ZADD", users, 0, raw(user))).perform()

    def _warn_of_eviction(self) -> Flow[None]:
        """Say once if the server removes what it was given when its memory is full."""
        if self._asked:
            return
        self._asked = True
        try:
            found = yield from Command(("INFO", "memory"), raw=False).perform()
        except StoreError:  # not everybody may ask
            return
        policy = found.get("maxmemory_policy") if isinstance(found, Mapping) else None
        if policy not in (None, "noeviction") and found.get("maxmemory"):
            advice = "%s removes data when its memory is full (%s): set maxmemory-policy noeviction"
            logging.getLogger("memory").warning(advice, self.location, policy)


def _rows(records: Sequence[Record], expected: int) -> tuple[Any, ...]:
    """Return the values of the scripts that append records."""
    token, length = secrets.token_hex(8), -1
    for record in records:
        length = messages_after(record, length)
    counts = (
        "" if length < 0 else length,
        sum(map(messages_in, records)),
        sum(isinstance(record, Compaction) for record in records),
    )
    rows = [f"{kind} {token} {body}".encode() for kind, body in map(encode, records)]
    return (expected, token, len(rows), *counts, *rows)


def _index(records: Sequence[Record]) -> list[Any]:
    """Return place, messages adopted and hashes of each compaction, one after the other."""
    return [
        value
        for place, record in enumerate(records)
        if isinstance(record, Compaction)
        for value in (place, record.adopted, ",".join(link.hex() for link in hashes_of(record)))
    ]


def _together(one: Forgotten, other: Forgotten) -> Forgotten:
    names = Forgotten.__slots__
    return Forgotten(**{name: getattr(one, name) + getattr(other, name) for name in names})
