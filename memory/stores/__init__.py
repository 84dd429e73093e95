"""Where logs are kept: the contract and its implementations, each imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from memory.stores.contract import Checking, Leasing, Listing, Recalling, Searching, Store
from memory.stores.volatile import VolatileStore

if TYPE_CHECKING:
    from memory.stores.opening import open_store as open_store
    from memory.stores.postgres import PostgresStore as PostgresStore
    from memory.stores.redis import RedisStore as RedisStore
    from memory.stores.sealed import SealedStore as SealedStore
    from memory.stores.sqlite import SqliteStore as SqliteStore

_HOMES = {
    "PostgresStore": "memory.stores.postgres",
    "RedisStore": "memory.stores.redis",
    "SealedStore": "memory.stores.sealed",
    "SqliteStore": "memory.stores.sqlite",
    "open_store": "memory.stores.opening",
}

__all__ = (
    "Checking",
    "Leasing",
    "Listing",
    "PostgresStore",
    "Recalling",
    "RedisStore",
    "SealedStore",
    "Searching",
    "SqliteStore",
    "Store",
    "VolatileStore",
    "open_store",
)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
