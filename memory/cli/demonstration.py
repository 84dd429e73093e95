"""What `demo` does: rehearse against the fake, ask before paying, show what came of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from memory import demo
from memory.cli import report
from memory.cli.endpoint import Endpoint
from memory.cli.output import CommandError, Output
from memory.cli.progress import progress_bar
from memory.cli.reading import load
from memory.cli.replaying import (
    LIVE_NAMESPACE,
    Outcome,
    Run,
    rehearse,
    run_live,
    total_volume,
)
from memory.replay import join, steps
from memory.stores import Store
from memory.stores.contract import Checking
from memory.stores.opening import open_store
from memory.tuning.prices import Prices

__all__ = ("Prices", "chosen", "demonstrate", "kept_in")


def chosen(
    data: Path | None, *, conversation: str | None, limit: int | None, chain: int
) -> list[dict[str, Any]]:
    """Return the conversations to replay, every `chain` of them joined into one.

    Args:
        data: The file; None for the conversation that ships with the package.
        conversation: Take only the one with this id, and with `chain` those that follow it.
        limit: Return at most so many.
        chain: How many to join into one; the last may be of fewer.

    Raises:
        CommandError: There is none.
        OSError: The file cannot be read.
    """
    if data is not None:
        found = load(data, conversation=conversation, limit=limit, chain=chain)
        return join(found, chain=chain)
    shipped = demo.load()
    if conversation not in {None, shipped["id"]}:
        raise CommandError(f"the shipped conversation is {shipped['id']!r}; others need --data")
    return join([shipped], chain=chain)


@contextmanager
def kept_in(url: str | None) -> Generator[Store | None, None, None]:
    """Yield the store of a URL, which is closed at the end; None where there is no URL.

    Raises:
        ConfigError: The URL names no store.
        StoreError: It cannot be used; better known before a conversation is replayed.
    """
    store: Any = None if url is None else open_store(url)
    try:
        if isinstance(store, Checking):
            store.health()
        yield store
    finally:
        close = getattr(store, "close", None)
        if close is not None:
            close()


def demonstrate(
    out: Output,
    conversations: Sequence[Mapping[str, Any]],
    *,
    budget: int,
    model: str,
    endpoint: Endpoint | None,
    prices: Prices,
    consented: bool,
    store: Store | None = None,
    settings: Path | None = None,
) -> list[Outcome]:
    """Replay conversations, show the outcomes and return them.

    Args:
        out: Where to show them.
        conversations: Made by `chosen`.
        budget: Prompt tokens allowed.
        model: The model to ask for.
        endpoint: The real API; None for the fake alone.
        prices: What the real API costs.
        consented: Whether the user has already agreed to pay.
        store: Where summaries are found and kept; None for memory only.
        settings: A file with the other settings, or None.

    Raises:
        CommandError: The real API does not take the key.
        Abort: The user does not want to pay.
    """
    if endpoint is not None:
        endpoint.check()
    with _progress(out, conversations, "replaying") as after:
        # What a rehearsal makes up is no summary for the real API to go on from.
        made_up = store if endpoint is None else None
        run = Run(model=model, budget=budget, after=after, store=made_up, settings=settings)
        outcomes = rehearse(conversations, run=run)
    if endpoint is not None:
        broken = {outcome.id for outcome in outcomes if outcome.report is None}
        _ask(out, outcomes, endpoint, prices, consented=consented)
        good = [each for each in conversations if each["id"] not in broken]
        with _progress(out, good, "replaying live") as after:
            run = replace(run, after=after, store=store, namespace=LIVE_NAMESPACE)
            live = {each.id: each for each in run_live(good, run=run, endpoint=endpoint)}
        outcomes = [live.get(outcome.id, outcome) for outcome in outcomes]
    live_too, stored = endpoint is not None, store is not None
    report.show(out, outcomes, budget=budget, model=model, live=live_too, stored=stored)
    return outcomes


def _ask(
    out: Output,
    rehearsed: Sequence[Outcome],
    endpoint: Endpoint,
    prices: Prices,
    *,
    consented: bool,
) -> None:
    """Say what the replay will cost and ask for leave.

    Raises:
        Abort: It was refused.
    """
    volume = total_volume(rehearsed)
    out.aside.print(
        f"This will send about {volume.prompt:,} prompt tokens to [bold]{endpoint.base_url}[/] "
        f"with the key in {endpoint.variable} and get about {volume.completion:,} back: about "
        f"[bold]{volume.cost(prices):.2f}[/] US dollars if its cache hits as in the rehearsal, "
        f"{volume.cost(prices, cached=False):.2f} if it never does."
    )
    if not consented:
        typer.confirm("Go on?", abort=True, err=True)


@contextmanager
def _progress(
    out: Output, conversations: Sequence[Mapping[str, Any]], what: str
) -> Generator[Any, None, None]:
    """Show on standard error how many requests are done, where that is a terminal."""
    requests = sum(1 for each in conversations for _ in steps(each))
    with progress_bar(out) as bar:
        task = bar.add_task(what, total=requests)
        yield lambda *_: bar.advance(task)
