"""Encryption at rest: a store around another one, which sees no content."""

from __future__ import annotations

import base64
import secrets
from dataclasses import fields, replace
from typing import TYPE_CHECKING, NamedTuple

from memory.cache import GenerationCache
from memory.errors import ConflictError, SealedError, StoreError, UnsupportedError
from memory.records import Compaction, Forgotten, Health, Log, LogKey
from memory.stores._envelope import opened, sealed, token_of
from memory.stores._keyring import SIZE, KeyRing, UserKeys, key_log, master_keys
from memory.stores.contract import Checking, Leasing, Listing
from memory.stores.keys import key_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from memory.records import Entry, Record
    from memory.stores.contract import Store

__all__ = ("SealedStore",)

ENTRIES = 65_536
WEIGHT = 32_000_000
"""Characters of sealed texts whose records are held, in each of two generations."""


class _Opened(NamedTuple):
    """A record and its sealed form."""

    sealed: Record
    record: Record


class SealedStore:
    """A store around another one, in which no content can be read without a key.

    Sealed are messages, heads, usage, summaries, what they cost and what they keep. Hashes of
    messages stand there keyed, so that nobody can verify a guess. Open are namespaces, users and
    names, how many records and messages there are and how long, when they came, whether they end
    in a whole reply, how many messages compactions cover and were made for, and who has a lease.
    It cannot search.

    Each user of a namespace has keys of their own, derived from those given and a salt that
    stands in the inner store; they are begun with the first record and destroyed by `shred` or
    `forget_user`. A record opens only in the log it was sealed for, and only unaltered; that a
    record was taken away, repeated or put elsewhere in its log is not noticed.

    The salt is read anew for every call, so once a key is destroyed, no process that asks after
    that reads or writes with it. Writing that was under way at that moment is as if it came
    before: it cannot be read, and a log it began is refused until the writer has removed it; if
    that process dies first, until it is forgotten.

    Opened records are held in memory, until something is forgotten or the store is closed.

    Args:
        store: Where the sealed records go.
        keys: Keys as `new_key` makes them, newest first. The first one seals; the others open
            what was sealed before it came. Give a key to all processes before it is the first
            of one, and keep it for as long as there are logs from its time.

    Raises:
        ConfigError: One of the keys is none, or `cryptography` is missing.
    """

    def __init__(self, store: Store, *, keys: Sequence[str | bytes]) -> None:
        self._ring = KeyRing(store, master_keys(keys), self._discard)
        self._store = store
        self._leasing = store if isinstance(store, Leasing) else None
        self.durable: bool = getattr(store, "durable", False)
        self.immediate: bool = getattr(store, "immediate", False)
        self._discard()

    def __repr__(self) -> str:
        """Return which store it is around."""
        return f"SealedStore({self._store!r})"

    @staticmethod
    def new_key() -> str:
        """Return a new key: 32 random bytes in URL-safe base64, which is what Fernet takes."""
        return base64.urlsafe_b64encode(secrets.token_bytes(SIZE)).decode()

    def load(self, key: LogKey) -> Log:
        """Return all records under `key`, opened, and the version.

        Raises:
            SealedError: No key opens one of them, or the user's key was destroyed.
            CorruptError: One of them was altered, or sealed for another log.
            StoreError: One was written without sealing, or the store cannot be read.
        """
        keys, log = self._ring.steady(key, lambda keys: self._fetched(key, keys))
        digest = key_digest(key)
        records = tuple(self._open(each, keys, key, digest) for each in log.records)
        if keys is not None and records:
            self._sound.put((keys.salt, key), value=True)
        return Log(records=records, version=log.version)

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Seal and append records if the log is still at version `expected`.

        Raises:
            ConflictError: It is at another version; nothing was written.
            SealedError: The log, or the user's key, cannot be opened; nothing was written.
            StoreError: A message is not JSON, or the store cannot be written; nothing was.
        """
        keys = self._ring.current(key)
        if expected and (keys is None or not self._sound.get((keys.salt, key))):
            actual = self.load(key).version
            if actual != expected:
                raise ConflictError(expected=expected, actual=actual)
        if keys is None or keys.newest not in keys.kids:
            keys = self._ring.established(key)
        written = [sealed(record, keys, key) for record in records]
        version = self._store.append(keys.log(key), written, expected=expected)
        if not expected or not self.durable:
            self._settle(key, keys, written)
        self._sound.put((keys.salt, key), value=True)
        return version

    def known(self, namespace: str, *, user: str = "") -> int | None:
        """Return the smallest number of messages a record that `find` searches was made for."""
        return self._store.known(namespace, user=user)

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return the compactions with a hash among `hashes`, opened, oldest first.

        Raises:
            SealedError: No key opens one of them, or anything of that user.
            CorruptError: One of them was altered, or sealed for a log with a name.
        """
        key = LogKey(namespace=namespace, user=user)

        def found(keys: UserKeys | None) -> tuple[Compaction, ...]:
            if keys is None:
                return ()
            keyed = frozenset(map(keys.digest(), hashes))
            return self._store.find(namespace, keyed, user=user)

        keys, records = self._ring.steady(key, found)
        known = (self._open(each, keys, key, None) for each in records)
        return tuple(each for each in known if isinstance(each, Compaction))

    def forget(self, key: LogKey) -> Forgotten:
        """Remove everything under `key`, what was written there without sealing included.

        Raises:
            SealedError: The log has no name, and no key tells where it is.
        """
        keys = None if key.name else self._ring.current(key)
        done = [self._store.forget(place) for place in _places(key, keys)]
        self._discard()
        return _sum(done)

    def conversations(
        self,
        namespace: str,
        *,
        user: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> tuple[Entry, ...]:
        """Return a page of the conversations with a name, by user and name; it needs no key.

        Raises:
            UnsupportedError: The inner store cannot.
        """
        listing = self._listing()
        return listing.conversations(namespace, user=user, after=after, limit=limit)

    def forget_user(self, namespace: str, user: str) -> Forgotten:
        """Remove every log of a user and destroy the user's key, which is not counted.

        It needs no key.

        Raises:
            UnsupportedError: The inner store cannot.
        """
        listing = self._listing()
        place = key_log(LogKey(namespace=namespace, user=user))
        own = len(self._store.load(place).records)
        done = listing.forget_user(namespace, user)
        self._ring.drop(place)
        return replace(
            done,
            logs=max(0, done.logs - bool(own)),
            records=max(0, done.records - own),
            messages=max(0, done.messages - own),
        )

    def shred(self, namespace: str, user: str) -> bool:
        """Destroy the key of a user and nothing else; return whether there was one.

        Whatever was sealed for that user can never be read again, wherever it was copied to. A
        backup is an exception if it holds the salt too: it can be read for as long as a key that
        was given exists. Logs with a name say so when they are loaded, until they are forgotten;
        those without one cannot even be found. What is written after that has a new key.

        Raises:
            StoreError: The store cannot be written.
        """
        place = key_log(LogKey(namespace=namespace, user=user))
        done = self._store.forget(place)
        self._ring.drop(place)
        return done.records > 0

    def acquire(self, key: LogKey, purpose: str, *, owner: str, seconds: float) -> bool:
        """Take or renew a lease; return whether `owner` has it now.

        Raises:
            UnsupportedError: The inner store has no leases.
        """
        leasing = self._leases()
        keys = None if key.name else self._ring.established(key)
        place, name = _leased(key, purpose, keys)
        return leasing.acquire(place, name, owner=owner, seconds=seconds)

    def holder(self, key: LogKey, purpose: str) -> str | None:
        """Return who has a lease that has not run out, or None.

        Raises:
            UnsupportedError: The inner store has no leases.
        """
        leasing = self._leases()
        keys = None if key.name else self._ring.current(key)
        if not key.name and keys is None:
            return None
        place, name = _leased(key, purpose, keys)
        return leasing.holder(place, name)

    def release(self, key: LogKey, purpose: str, *, owner: str) -> None:
        """Give up a lease; nothing happens where `owner` does not have it.

        Raises:
            UnsupportedError: The inner store has no leases.
        """
        leasing = self._leases()
        keys = None if key.name else self._ring.current(key)
        if key.name or keys is not None:
            place, name = _leased(key, purpose, keys)
            leasing.release(place, name, owner=owner)

    def _leases(self) -> Leasing:
        if self._leasing is None:
            msg = f"{type(self._store).__name__} inside of a sealed store has no leases"
            raise UnsupportedError(msg, capability="leases")
        return self._leasing

    def health(self) -> Health:
        """Ask the inner store how it is.

        Raises:
            StoreError: It cannot be reached or read.
        """
        kind = type(self._store).__name__
        inner = self._store
        health = inner.health() if isinstance(inner, Checking) else Health(kind=kind, location="")
        return replace(health, kind=f"sealed({health.kind})")

    def close(self) -> None:
        """Hold no keys any more, and close the inner store where it can be closed."""
        self._ring.clear()
        close = getattr(self._store, "close", None)
        if close is not None:
            close()

    def _listing(self) -> Listing:
        if isinstance(self._store, Listing):
            return self._store
        capability = "conversations"
        msg = f"{type(self._store).__name__} cannot list its conversations"
        raise UnsupportedError(msg, capability=capability)

    def _fetched(self, key: LogKey, keys: UserKeys | None) -> Log:
        """Return a log as the inner store has it."""
        logs = map(self._store.load, _places(key, keys))
        return next((log for log in logs if log.records), Log())

    def _open(
        self, record: Record, keys: UserKeys | None, key: LogKey, log: bytes | None
    ) -> Record:
        """Return the record that was sealed; most were opened before."""
        token = None if keys is None else token_of(record)
        if keys is None or token is None:
            return opened(record, keys, key, log=log)
        known = self._known.get((keys.salt, log, token))
        if known is not None and known.sealed == record:
            return known.record
        found = opened(record, keys, key, log=log)
        entry = _Opened(record, found)
        self._known.put((keys.salt, log, token), entry, weight=len(token))
        return found

    def _settle(self, key: LogKey, keys: UserKeys, written: Sequence[Record]) -> None:
        """Use the salt after the log: a store that makes room drops first what was used first.

        A log whose salt went before it was written is removed: nobody can read it or go on with
        it. Only a log that was begun, or one of a store that makes room, can come to that.
        """
        try:
            now = self._ring.current(key)
        except SealedError:
            now = None
        except StoreError:  # what was written stands, whatever keeps this from being read
            return
        if now is not None and now.salt == keys.salt:
            return
        place = keys.log(key)
        if self._store.load(place).records[-len(written) :] == tuple(written):
            self._store.forget(place)

    def _discard(self) -> None:
        """Hold no records any more."""
        self._known: GenerationCache[_Opened] = GenerationCache(entries=ENTRIES, weight=WEIGHT)
        self._sound: GenerationCache[bool] = GenerationCache(entries=ENTRIES)


def _places(key: LogKey, keys: UserKeys | None) -> Iterable[LogKey]:
    """Return where an inner store may have a log: where it is sealed, and where it is not."""
    sealed_at = [] if keys is None else [keys.log(key)]
    plain = [] if key == key_log(key) else [key]
    return dict.fromkeys((*sealed_at, *plain))


def _leased(key: LogKey, purpose: str, keys: UserKeys | None) -> tuple[LogKey, str]:
    """Return for what the inner store has a lease; a name and what is done to it are no secrets."""
    return (key, purpose) if keys is None else (keys.log(key), keys.purpose(purpose))


def _sum(done: Sequence[Forgotten]) -> Forgotten:
    names = [each.name for each in fields(Forgotten)]
    return Forgotten(**{name: sum(getattr(each, name) for each in done) for name in names})
