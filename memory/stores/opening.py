"""From the URL of a store to the store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from memory.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memory.stores.contract import Store

__all__ = ("KEYS", "SEALED", "open_store")

KEYS = "KIMI_MEMORY_SEAL_KEYS"
"""The variable with the keys of sealed stores: Fernet keys, the newest first, with commas."""
SEALED = "sealed+"
"""What stands before the URL of the store inside of a sealed one."""
KINDS = 'use "sqlite", "sqlite:///path", "postgresql://…", "redis://…" or "volatile"'


def open_store(url: str, *, environ: Mapping[str, str] | None = None) -> Store:
    """Return the store that a URL names; nothing is opened or made before it is used.

    - `"sqlite"`: a file in the platform's directory for user data.
    - `"sqlite:///notes.db"`: a file, here relative to the working directory;
      `"sqlite:////var/lib/notes.db"` is an absolute path and `"sqlite:///:memory:"` no file.
      `?synchronous=full` survives power cuts, `?timeout=5` waits so many seconds for other writers,
      `?scrub=no` leaves it to time to overwrite what was forgotten.
    - `"postgresql://user@host/database"`: as libpq reads it, and `?schema=name` for our tables.
    - `"redis://host:6379/0"`, `"rediss://…"`, `"unix://…"`.
    - `"volatile"`: memory, gone with the process.
    - Any of them after `"sealed+"`: encrypted, with the keys in `KIMI_MEMORY_SEAL_KEYS`.

    Args:
        url: The URL.
        environ: Where the keys are looked up; None for the environment of the process.

    Raises:
        ConfigError: It names no store, or what the store needs is not installed.
    """
    if url.startswith(SEALED):
        return _sealed(url.removeprefix(SEALED), os.environ if environ is None else environ)
    if url in ("volatile", "volatile:", "volatile://"):
        from memory.stores.volatile import VolatileStore  # noqa: PLC0415  # each when asked for

        return VolatileStore()
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        return _sqlite(url)
    if scheme in ("postgresql", "postgres"):
        return _postgres(url)
    if scheme in ("redis", "rediss", "unix"):
        from memory.stores.redis import RedisStore  # noqa: PLC0415

        return RedisStore(url)
    msg = f"store={scheme!r} is no store: {KINDS}"
    raise ConfigError(msg)


def _sqlite(url: str) -> Store:
    from memory.stores.sqlite import SqliteStore, default_path  # noqa: PLC0415

    if url in ("sqlite", "sqlite:", "sqlite://"):
        return SqliteStore(default_path())
    parts = urlsplit(url, allow_fragments=False)
    path = unquote(parts.path).removeprefix("/")
    if parts.netloc or not path or not url.startswith("sqlite:///"):
        msg = f"store={url!r}: a path follows three slashes, an absolute one makes it four"
        raise ConfigError(msg)
    options = dict(parse_qsl(parts.query))
    try:
        timeout = float(options.pop("timeout", 5.0))
    except ValueError:
        msg = f"store={url!r}: timeout must be a number of seconds"
        raise ConfigError(msg) from None
    scrub, synchronous = options.pop("scrub", "yes"), options.pop("synchronous", "normal")
    if scrub not in ("yes", "no"):
        msg = f"store={url!r}: scrub must be yes or no"
        raise ConfigError(msg)
    if options:
        msg = f"store={url!r}: unknown {', '.join(options)}; there are synchronous, timeout, scrub"
        raise ConfigError(msg)
    return SqliteStore(
        path,
        timeout=timeout,
        scrub=scrub == "yes",
        synchronous=cast("Literal['normal', 'full']", synchronous),
    )


def _postgres(url: str) -> Store:
    from memory.stores.postgres import PostgresStore  # noqa: PLC0415

    base, mark, query = url.partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("schema=")]
    schema = dict(parse_qsl(query)).get("schema")
    return PostgresStore(base + (mark if kept else "") + "&".join(kept), schema=schema)


def _sealed(url: str, environ: Mapping[str, str]) -> Store:
    from memory.stores.sealed import SealedStore  # noqa: PLC0415

    keys = [key.strip() for key in environ.get(KEYS, "").split(",") if key.strip()]
    if not keys:
        msg = f"a sealed store needs its keys in {KEYS}: Fernet keys with commas, newest first"
        raise ConfigError(msg)
    return SealedStore(open_store(url), keys=keys)
