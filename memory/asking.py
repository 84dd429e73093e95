"""Asking retrievers: one that fails is left out, and says so."""

from __future__ import annotations

from functools import partial
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from memory.errors import UnsupportedError
from memory.recall import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from memory.flow import Prepare, Retrieve
    from memory.recall import Ranking

__all__ = ("aprepare", "aretrieve", "prepare", "retrieve")

Answers = tuple["Ranking | Exception", ...]

SMALL = 1_000
"""Messages that the lexical retriever may read in an event loop; of more it is asked in a thread,
as any other is that has no coroutine."""


def retrieve(retrievers: Sequence[Any], effect: Retrieve) -> Answers:
    """Return what each retriever found, or how it failed."""
    return tuple(_tried(ask) for ask in _asks(retrievers, effect))


async def aretrieve(retrievers: Sequence[Any], effect: Retrieve) -> Answers:
    """Return the same; a retriever that has no coroutine is asked in a thread."""
    size = len(effect.passages)
    return tuple([await _atried(ask, size) for ask in _asks(retrievers, effect)])


def prepare(retrievers: Sequence[Any], effect: Prepare) -> None:
    """Have the retrievers that can do so read ahead; one that fails does so again when asked."""
    for ready in _readies(retrievers, effect):
        _tried(ready)


async def aprepare(retrievers: Sequence[Any], effect: Prepare) -> None:
    """Do the same, without keeping the event loop waiting."""
    for ready in _readies(retrievers, effect):
        await _atried(ready, len(effect.passages))


def _asks(retrievers: Sequence[Any], effect: Retrieve) -> Iterator[Callable[[], Any]]:
    for each in _asked(retrievers, lexical=effect.lexical):
        yield partial(each.retrieve, effect.question, effect.passages, limit=effect.limit)


def _readies(retrievers: Sequence[Any], effect: Prepare) -> Iterator[Callable[[], Any]]:
    for each in _asked(retrievers, lexical=effect.lexical):
        ready = getattr(each, "prepare", None)
        if callable(ready):
            yield partial(ready, effect.passages)


def _asked(retrievers: Sequence[Any], *, lexical: bool) -> list[Any]:
    """Return who is asked: not the lexical one where a store does its work."""
    return [each for each in retrievers if lexical or not getattr(each, "lexical", False)]


def _tried(ask: Callable[[], Any]) -> Any:
    try:
        answer = ask()
    except Exception as error:  # noqa: BLE001  # what it is, the event says
        return error
    if not isawaitable(answer):
        return _read(answer)
    if iscoroutine(answer):
        answer.close()
    msg = "this retriever is asynchronous: use it with an AsyncOpenAI client"
    return UnsupportedError(msg, capability="retrieve")


async def _atried(ask: Callable[[], Any], size: int) -> Any:
    from anyio import to_thread  # noqa: PLC0415  # comes with openai

    try:
        answer = ask() if _is_quick(ask, size) else await to_thread.run_sync(ask)
        return _read(await answer if isawaitable(answer) else answer)
    except Exception as error:  # noqa: BLE001  # what it is, the event says
        return error


def _read(answer: Any) -> Any:
    """Return a ranking, read to its end; what prepares something has none."""
    if answer is None:
        return ()
    try:
        return tuple(Found(*each) for each in answer)
    except Exception as error:  # noqa: BLE001  # what it is, the event says
        return error


def _is_quick(ask: Callable[[], Any], size: int) -> bool:
    """Return whether asking keeps no event loop waiting."""
    method = getattr(ask, "func", ask)
    if iscoroutinefunction(method):
        return True
    return size <= SMALL and bool(getattr(getattr(method, "__self__", None), "lexical", False))
