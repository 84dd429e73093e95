"""Under which keys the Redis store keeps what.

Everything of one user of a namespace stands under keys that begin with the same hash tag, so that
it is in one slot of a cluster. `OWNER` is a digest of both, `LOG` one of the whole key.

================================= ===== =======================================================
`PREFIX:{OWNER}:log:LOG`          list  the records: kind, token of the append, JSON
`PREFIX:{OWNER}:meta:LOG`         hash  name, root, counts, `updated`; `index` of its compactions
`PREFIX:{OWNER}:owner`            hash  namespace, user, the last order given
`PREFIX:{OWNER}:logs`             set   the digests of all logs
`PREFIX:{OWNER}:names`            zset  the names of conversations
`PREFIX:{OWNER}:compactions`      hash  of logs without a name: the record by its order
`PREFIX:{OWNER}:by-hash`          hash  of those: orders by hash
`PREFIX:{OWNER}:by-length`        zset  of those: `adopted:order` by the messages adopted
`PREFIX:{OWNER}:leases`           hash  who has a lease, by log and purpose
`PREFIX:{OWNER}:leases-until`     zset  until when, in milliseconds since 1970
`PREFIX:{OWNER}:forgotten:TOKEN`  text  the counts of a `forget`, until they have arrived
`PREFIX:{NAMESPACE}:users`        zset  the users of a namespace that have conversations
================================= ===== =======================================================

Leases expire, and so do counts that never arrive, after a minute; nothing else does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from memory.stores.keys import key_digest, owner_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import LogKey

__all__ = ("LogKeys", "OwnerKeys", "log_keys", "raw", "text", "users_key")


class OwnerKeys:
    """The keys of one user of a namespace.

    Args:
        prefix: What all keys begin with.
        namespace: Which namespace.
        user: Whose keys.
    """

    def __init__(self, prefix: str, namespace: str, user: str) -> None:
        self._base = f"{prefix}:{{{owner_digest(namespace, user).hex()}}}:"
        self.logs = self.key("logs")
        self.names = self.key("names")
        self.by_hash = self.key("by-hash")
        self.by_length = self.key("by-length")
        self.compactions = self.key("compactions")
        self.leases = (self.key("leases"), self.key("leases-until"))
        self.shared = (
            *(self.key("owner"), self.logs, self.names),
            *(self.by_hash, self.compactions, self.by_length),
        )

    def key(self, name: str) -> str:
        """Return one of the keys."""
        return self._base + name

    def removed(self, logs: Sequence[str]) -> tuple[str, ...]:
        """Return the keys that the removal of logs, given by their digests, may write to."""
        own = (self.key(f"{kind}:{log}") for log in logs for kind in ("log", "meta"))
        return (*self.shared, *self.leases, *own)


class LogKeys(NamedTuple):
    """The keys of one log."""

    digest: str
    log: str
    meta: str
    owner: OwnerKeys

    def lease(self, purpose: str) -> bytes:
        """Return the field of a lease."""
        return f"{self.digest}:".encode() + raw(purpose)


@lru_cache(maxsize=1_024)
def log_keys(prefix: str, key: LogKey) -> LogKeys:
    """Return the keys of a log."""
    owner, digest = OwnerKeys(prefix, key.namespace, key.user), key_digest(key).hex()
    return LogKeys(digest, owner.key(f"log:{digest}"), owner.key(f"meta:{digest}"), owner)


def users_key(prefix: str, namespace: str) -> str:
    """Return the key of the users of a namespace."""
    return OwnerKeys(prefix, namespace, "").key("users")


def raw(text: str) -> bytes:
    """Return any text as bytes, which sort as code points do."""
    return text.encode("utf-8", "surrogatepass")


def text(raw: bytes) -> str:
    """Return the text that `raw` was given."""
    return raw.decode("utf-8", "surrogatepass")
