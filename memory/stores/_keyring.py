"""The keys of users: derived from those that were given and a salt, and begun, read and held."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from memory.errors import ConfigError, ConflictError, CorruptError, SealedError, StoreError
from memory.records import Logged, LogKey
from memory.stores.keys import key_digest, owner_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography.fernet import Fernet

    from memory.records import Log, Record
    from memory.stores.contract import Store

    Digest: TypeAlias = Callable[[bytes], bytes]

__all__ = (
    "HASH",
    "SIZE",
    "VERSION",
    "KeyRing",
    "MasterKey",
    "UserKeys",
    "content_of",
    "key_log",
    "later",
    "master_keys",
    "sealed_text",
    "where",
)

T = TypeVar("T")
ATTEMPTS = 8
USERS = 4_096
"""Users whose keys are held."""
VERSION = 1
"""The form of what is written now."""
SIZE = 32
"""Bytes of a key and of a salt."""
HASH = 16
"""Bytes of a keyed digest: as many as the hashes have that it stands for."""
_FORM = "32 random bytes in URL-safe base64, as SealedStore.new_key() makes them"


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterKey:
    """A key that was given, and the name by which envelopes know it."""

    kid: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UserKeys:
    """The keys of one user of a namespace.

    Attributes:
        version: The version of the log that has them.
        salt: What they are derived with, in hex.
        kids: The master keys, among those given, under which they are on record.
        fernets: What seals and opens, by master key, newest first.
        index: What hashes are keyed with. It outlives the master keys, so that a log begun under
            one of them is found under the next.
    """

    version: int
    salt: str
    kids: frozenset[str]
    fernets: Mapping[str, Fernet] = field(repr=False)
    index: bytes = field(repr=False)

    @property
    def newest(self) -> str:
        """The master key that seals."""
        return next(iter(self.fernets))

    def log(self, key: LogKey) -> LogKey:
        """Return under which key the inner store has a log: a root does not stand there as it is.

        It is the hash of a message, which whoever guesses the message could verify.
        """
        if key.name:
            return key
        root = self._keyed(key.root, b"kimi-memory root")
        return LogKey(namespace=key.namespace, user=key.user, root=root)

    def purpose(self, purpose: str) -> str:
        """Return what the inner store calls a purpose, which may name a hash of messages."""
        return self._keyed(purpose, b"kimi-memory use")

    def _keyed(self, text: str, person: bytes) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        return blake2b(raw, key=self.index, digest_size=HASH, person=person).hexdigest()

    def digest(self, log: bytes = b"") -> Digest:
        """Return what turns a hash into what stands for it.

        Args:
            log: The digest of a log with a name, whose hashes nobody has to find elsewhere.
        """
        empty = blake2b(key=self.index, digest_size=HASH, salt=log[:16], person=b"kimi-memory hash")

        def keyed(value: bytes) -> bytes:
            found = empty.copy()
            found.update(value)
            return found.digest()

        return keyed


def master_keys(keys: Sequence[str | bytes]) -> tuple[MasterKey, ...]:
    """Return the keys that were given, newest first, each once.

    Raises:
        ConfigError: There are none, one is not a Fernet key, or `cryptography` is missing.
    """
    try:
        import cryptography.fernet  # noqa: F401, PLC0415  # an extra; only when it is used
    except ImportError as error:
        msg = 'sealing needs cryptography: pip install "kimi-memory[seal]"'
        raise ConfigError(msg) from error
    if isinstance(keys, str | bytes) or not keys:
        msg = f"keys: a list of keys is needed, newest first; each has {_FORM}"
        raise ConfigError(msg)
    found = [_master(key, place, len(keys)) for place, key in enumerate(keys, 1)]
    return tuple({key.kid: key for key in found}.values())


def _master(key: object, place: int, number: int) -> MasterKey:
    """Return a key; what is wrong with it is told without showing it."""
    secret = b""
    if isinstance(key, str | bytes):
        try:
            raw = key.encode("ascii") if isinstance(key, str) else key
            secret = base64.b64decode(raw.strip(), altchars=b"-_", validate=True)
        except (UnicodeError, binascii.Error):
            secret = b""
    if len(secret) != SIZE:
        msg = f"keys: number {place} of {number} is not a key; one has {_FORM}"
        raise ConfigError(msg)
    kid = blake2b(secret, digest_size=8, person=b"kimi-memory kid").hexdigest()
    return MasterKey(kid=kid, secret=secret)


def key_log(key: LogKey) -> LogKey:
    """Return the log that has what the keys of a user are derived with; no root is called so."""
    return LogKey(namespace=key.namespace, user=key.user, root="seal")


def where(key: LogKey) -> str:
    """Return what errors call a log: not its root, which is the hash of a message."""
    if key.name:
        return f"conversation {key.label!r} of namespace {key.namespace!r}"
    user = f" and user {key.user!r}" if key.user else ""
    return f"a log without a name of namespace {key.namespace!r}{user}"


class _Held(NamedTuple):
    """The keys of a user, and the log they were read from."""

    log: Log
    keys: UserKeys


class KeyRing:
    """The keys of users, which an inner store has with everything else of theirs.

    Args:
        store: The inner store.
        masters: The keys that were given, newest first.
        on_change: Called when a user's key turns out to be another one, or none any more.
    """

    def __init__(
        self, store: Store, masters: Sequence[MasterKey], on_change: Callable[[], None]
    ) -> None:
        self._store = store
        self._masters = masters
        self._on_change = on_change
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], _Held] = {}

    def current(self, key: LogKey) -> UserKeys | None:
        """Return the keys of the user who has a log, as they are now; None for one without.

        Raises:
            SealedError: None of the keys that were given opens them.
            CorruptError: Their record is broken.
        """
        log = self._store.load(key_log(key))
        held = self._held.get((key.namespace, key.user))
        if held is not None and held.log == log:
            return held.keys
        if held is not None:
            self.drop(key)
        if not log.records:
            return None
        keys = _user_keys(key, self._masters, log)
        with self._lock:
            self._held[key.namespace, key.user] = _Held(log, keys)
            while len(self._held) > USERS:
                del self._held[next(iter(self._held))]
        return keys

    def established(self, key: LogKey) -> UserKeys:
        """Return the keys of the user who has a log; begin them, or put them on record, first.

        Raises:
            SealedError: None of the keys that were given opens those there are.
            StoreError: They cannot be written.
        """
        for _ in range(ATTEMPTS):
            keys = self.current(key)
            if keys is not None and keys.newest in keys.kids:
                return keys
            record = _key_record(key, self._masters, keys)
            with suppress(ConflictError):  # another process did the same
                expected = 0 if keys is None else keys.version
                self._store.append(key_log(key), [record], expected=expected)
        msg = f"{where(key)} cannot be written: its key kept changing"
        raise StoreError(msg)

    def steady(self, key: LogKey, ask: Callable[[UserKeys | None], T]) -> tuple[UserKeys | None, T]:
        """Return the keys of a user and what was asked of the store while they were in force.

        Raises:
            StoreError: They kept changing.
        """
        held = self._held.get((key.namespace, key.user))
        keys = self.current(key) if held is None else held.keys
        for _ in range(ATTEMPTS):
            found = ask(keys)
            now = self.current(key)
            if _same(now, keys):
                return now, found
            keys = now
        msg = f"{where(key)} cannot be read: its key kept changing"
        raise StoreError(msg)

    def drop(self, key: LogKey) -> None:
        """Hold no keys of a user any more."""
        with self._lock:
            self._held.pop((key.namespace, key.user), None)
        self._on_change()

    def clear(self) -> None:
        """Hold no keys any more."""
        with self._lock:
            self._held.clear()
        self._on_change()


def _same(one: UserKeys | None, other: UserKeys | None) -> bool:
    return (one and one.salt) == (other and other.salt)


def _key_record(key: LogKey, masters: Sequence[MasterKey], keys: UserKeys | None) -> Record:
    """Return what puts the keys of a user on record under the newest master key; None for new."""
    salt = secrets.token_hex(SIZE) if keys is None else keys.salt
    index = secrets.token_bytes(SIZE) if keys is None else keys.index
    kid, fernet = next(iter(_fernets(key, masters[:1], salt).items()))
    token = sealed_text(fernet, key_digest(key_log(key)), "key", index)
    message = {"v": VERSION, "salt": salt, "kid": kid, "ct": token}
    return Logged(index=0, link=bytes(HASH), message=message)


def _user_keys(key: LogKey, masters: Sequence[MasterKey], log: Log) -> UserKeys:
    """Return the keys of a user by the log that has them."""
    messages = [each.message if isinstance(each, Logged) else {} for each in log.records]
    forms = [message.get("v") for message in messages]
    if set(map(repr, forms)) != {repr(VERSION)}:
        raise StoreError(later(key, forms[-1]))
    salt, tokens = str(messages[0].get("salt")), {str(m.get("kid")): m.get("ct") for m in messages}
    fernets = _fernets(key, masters, salt)
    ours = {kid: tokens[kid] for kid in fernets if kid in tokens}
    if not ours:
        raise SealedError(where(key))
    purpose = (key_digest(key_log(key)).hex(), "key")
    found = {content_of(fernets[kid], token) for kid, token in ours.items()}
    content = found.pop()
    if found or content is None or content[:2] != purpose:
        raise CorruptError(where(key), "the record of the user's key was altered")
    return UserKeys(
        version=log.version, salt=salt, kids=frozenset(ours), fernets=fernets, index=content[2]
    )


def _fernets(key: LogKey, masters: Sequence[MasterKey], salt: str) -> dict[str, Fernet]:
    from cryptography.fernet import Fernet  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    info = b"kimi-memory seal 1 " + owner_digest(key.namespace, key.user)

    def derived(master: MasterKey) -> Fernet:
        found = HKDF(SHA256(), SIZE, salt.encode("utf-8", "replace"), info).derive(master.secret)
        return Fernet(base64.urlsafe_b64encode(found))

    return {master.kid: derived(master) for master in masters}


def sealed_text(fernet: Fernet, log: bytes, kind: str, body: bytes) -> str:
    """Return a sealed text that tells for which log it was made, and what it is."""
    return fernet.encrypt(f"{log.hex()} {kind}\n".encode() + body).decode()


def content_of(fernet: Fernet, found: object) -> tuple[str, str, bytes] | None:
    """Return for which log a text was sealed, what it is and its body; None if it was not."""
    from cryptography.fernet import InvalidToken  # noqa: PLC0415

    try:
        head, _, body = fernet.decrypt(str(found).encode()).partition(b"\n")
    except (InvalidToken, ValueError):
        return None
    log, _, kind = head.decode().partition(" ")
    return log, kind, body


def later(key: LogKey, form: object) -> str:
    """Return what to say of a form that is not known."""
    return f"{where(key)} is sealed in form {form!r}, which a later version of the library may read"
