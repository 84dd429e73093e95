"""`kimi-memory demo`: replay conversations and show what was sent instead of everything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memory import models
from memory.cli.endpoint import Endpoint
from memory.cli.options import SettingsFile, budget_of
from memory.cli.output import CommandError, Json, Output

__all__ = ("demo",)

DEMO_BUDGET = 4_000
"""Tokens; the conversation that ships with the package has about 18,000."""


def demo(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Replay the conversations of this file: JSON lines with id, messages and, "
            "optionally, tools; - is standard input. Default: the one that ships with the package.",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="TOKENS",
            help="Prompt tokens allowed. Default: that of --settings; else "
            f"{DEMO_BUDGET:,} for the shipped conversation.",
        ),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Replay only this conversation.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Replay at most so many conversations.")
    ] = None,
    chain: Annotated[
        int, typer.Option(min=1, metavar="N", help="Join every so many conversations into one.")
    ] = 1,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="The model to ask for.")
    ] = models.DEFAULT_MODEL,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            metavar="",
            help="Send it to the real API (key: MOONSHOT_API_KEY or KIMI_API_KEY). "
            "Says first what it will cost, and asks.",
        ),
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="With --live: the API; else KIMI_BASE_URL or OPENAI_BASE_URL."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", metavar="", help="With --live: do not ask.")
    ] = False,
    price_input: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="USD",
            help="US dollars per million prompt tokens. The defaults of the three prices are "
            "those of 2026-11 for kimi-k2.6: 0.95 / 0.16 / 4.00.",
        ),
    ] = 0.95,
    price_cached: Annotated[
        float, typer.Option(min=0, metavar="USD", help="The same where cached.")
    ] = 0.16,
    price_output: Annotated[
        float, typer.Option(min=0, metavar="USD", help="US dollars per million completion tokens.")
    ] = 4.00,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Keep summaries in this store, such as sqlite:///demo.db, so that a second run "
            "pays for none. Default: memory only.",
        ),
    ] = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Replay long conversations and show what is saved.

    Every request goes over HTTP through a wrapped OpenAI client to a fake Kimi on this machine,
    which needs no key and costs nothing, or with --live to the real one. What was sent is checked
    request by request. With --store, the digest of all requests is shown too, to compare runs.

    Exit code: 0 if every check held, 1 if one failed, 2 if the replay could not be made.
    """
    from memory.cli.demonstration import (  # noqa: PLC0415  # openai: 370 ms
        Prices,
        chosen,
        demonstrate,
        kept_in,
    )

    out = Output(as_json=as_json)
    with out.reporting(), kept_in(store) as opened:
        outcomes = demonstrate(
            out,
            chosen(data, conversation=conversation, limit=limit, chain=chain),
            budget=_budget(budget_of(budget, settings), data),
            model=model,
            endpoint=Endpoint.find(base_url) if live else None,
            prices=Prices(input=price_input, cached=price_cached, output=price_output),
            consented=yes,
            store=opened,
            settings=settings,
        )
    if any(outcome.failed for outcome in outcomes):
        raise typer.Exit(1)


def _budget(given: int | None, data: Path | None) -> int:
    if given is None and data is not None:
        raise CommandError("--data needs a --budget, in tokens, or a file of --settings with one")
    return given or DEMO_BUDGET
