"""Secrets in stores, and where they are looked for once they were forgotten."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stored import SPACE, compaction, key, open_key

from memory.errors import StoreError
from memory.records import Forgotten, Logged, LogKey, Turn
from memory.stores import Store

__all__ = (
    "ANN",
    "BOB",
    "FILLER",
    "FORGETTING",
    "NAME",
    "OTHER",
    "SECRET",
    "WHOLE",
    "forget_one",
    "forget_user",
    "hits",
    "plant",
    "refused",
    "remembered",
    "surround",
)

SECRET = "xylophone"
OTHER = "zirconium"
ANN, BOB = "ann", "bob"
NAME = "trip"
FILLER = [f"Crate {n} came in on shelf {n * 7 % 50}, code {n * 7919:06d}." for n in range(50)]


def _said(secret: str, *, name: str = NAME, user: str = ANN) -> list[tuple[LogKey, list[Any]]]:
    """Return records of every kind that hold a secret, and where they go."""
    message = {"role": "user", "content": f"My pet is called {secret}."}
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": f'"{secret}"'}}]
    reply = {"role": "assistant", "content": secret, "reasoning_content": secret}
    said = (message, reply | {"tool_calls": calls})
    first = Turn(start=0, messages=said, head=({"role": "system", "content": secret},))
    edited = Turn(start=1, messages=({"role": "user", "content": f"{secret}s {secret}-box"},))
    logged = Logged(index=0, link=bytes(16), message=message)
    open_log = [logged, compaction(secret)]
    return [(key(name, user=user), [first, compaction(secret), edited]), (open_key(), open_log)]


def plant(store: Store, secret: str = SECRET, *, name: str = NAME, user: str = ANN) -> None:
    """Put a secret into a conversation and into a log without a name, turn by turn."""
    for where, records in _said(secret, name=name, user=user):
        place = LogKey(namespace=where.namespace, user=user, name=where.name, root=where.root)
        for record in records:
            store.append(place, [record], expected=store.load(place).version)
            if place.name and hasattr(store, "search"):  # so that edited texts are indexed, too
                assert store.search(SPACE, secret, user=user, name=name)


def surround(store: Store, user: str, *, logs: int, turns: int) -> None:
    """Write rows that stay, before and after the others."""
    for number in range(logs):
        where, version = key(f"talk {number}", user=user), store.load(key(f"talk {number}")).version
        messages = tuple({"role": "user", "content": FILLER[n % len(FILLER)]} for n in range(turns))
        records = [Turn(start=n, messages=(each,)) for n, each in enumerate(messages)]
        store.append(where, records, expected=version)


def hits(folder: Path, secret: str) -> dict[str, int]:
    """Return in which files of a folder the bytes of a secret stand, and how often."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    found = {each.name: each.read_bytes().lower().count(secret.encode()) for each in files}
    assert found
    return {name: number for name, number in found.items() if number}


def refused(call: Callable[[], object], kind: type[StoreError] = StoreError) -> str:
    """Return with which words a call fails; they do not quote what is stored."""
    with pytest.raises(kind) as caught:
        call()
    assert SECRET not in f"{caught.value} {caught.value!r}"
    return str(caught.value)


def remembered(store: Any, secret: str) -> list[str]:
    """Return what a store holds of a secret in memory: its caches, and whatever it refers to."""
    gc.collect()
    seen: dict[int, Any] = {}
    found: list[str] = []
    waiting: list[Any] = [store]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or _is_foreign(one):
            continue
        seen[id(one)] = one
        text = one.decode("latin-1") if isinstance(one, bytes) else one
        if isinstance(text, str):
            found += [text] if secret in text else []
        else:
            waiting += gc.get_referents(one)
    return found


def _is_foreign(one: Any) -> bool:
    """Tell whether something is none of the store's: a class, a module, what is global there."""
    if isinstance(one, dict):
        return "__builtins__" in one
    return isinstance(one, type) or type(one).__name__ in {"module", "frame"}


def forget_one(store: Any) -> Forgotten:
    """Forget the conversation and the log without a name."""
    done = store.forget(key(NAME)), store.forget(open_key())
    return Forgotten(
        logs=sum(each.logs for each in done),
        records=sum(each.records for each in done),
        messages=sum(each.messages for each in done),
        compactions=sum(each.compactions for each in done),
        documents=sum(each.documents for each in done),
    )


def forget_user(store: Any) -> Forgotten:
    """Forget the user."""
    done: Forgotten = store.forget_user(SPACE, ANN)
    return done


FORGETTING = pytest.mark.parametrize("forget", [forget_one, forget_user])
WHOLE = Forgotten(logs=2, records=5, messages=4, compactions=2, documents=2)
