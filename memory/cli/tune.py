"""`kimi-memory tune`: find the settings that suit recorded conversations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memory.cli.output import Json, Output
from memory.tuning.study import Prefer

__all__ = ("tune",)

POINTS = 40
"""Combinations that are tried."""
OUT = Path("kimi-memory-tune")
"""Where the results go."""


def tune(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Conversations as JSON or JSON lines: lists of messages, or objects with messages "
            "(and id, tools, probes), in any format that check reads; - is standard input.",
        ),
    ],
    *,
    budget: Annotated[
        list[int] | None,
        typer.Option(
            min=1, metavar="TOKENS", help="Prompt tokens allowed; repeat it to try several."
        ),
    ] = None,
    prefer: Annotated[
        Prefer, typer.Option(help="What matters most; balanced takes the knee.")
    ] = "balanced",
    points: Annotated[
        int, typer.Option(min=1, metavar="N", help="Try so many combinations at most.")
    ] = POINTS,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=V,V,…",
            help="Try these values of a setting instead of the usual ones; repeat it for others. "
            "One value alone is fixed; none stands for no value.",
        ),
    ] = None,
    only: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Measure nothing but the settings of this TOML file."),
    ] = None,
    chain: Annotated[
        int, typer.Option(min=1, metavar="N", help="Join every so many conversations into one.")
    ] = 1,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Begin at this conversation, and take one.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Take at most so many conversations of each file."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="The model to count and pay for. Default: that of --prices, else kimi-k2.6.",
        ),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Prices as a JSON object: model, input, cached and output in US dollars per "
            "million tokens, and source. Default: those known for the model.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Which combinations are drawn from the grid.")
    ] = 0,
    processes: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Work in so many processes. Default: all cores."),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where plots, page and settings go.")
    ] = OUT,
    fresh: Annotated[
        bool, typer.Option("--fresh", metavar="", help="Forget what earlier runs have measured.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            metavar="",
            help="Measure with the real API, which writes the summaries (key: MOONSHOT_API_KEY "
            "or KIMI_API_KEY); needs --spend, and asks.",
        ),
    ] = False,
    spend: Annotated[
        float | None,
        typer.Option(min=0, metavar="USD", help="With --live: stop before more is spent."),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="With --live: the API; else KIMI_BASE_URL or OPENAI_BASE_URL."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", metavar="", help="With --live: do not ask.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find the settings that suit your own conversations.

    Replays them over a grid of settings, offline and free, and measures cost, recall and wait.
    Writes plots, a page that holds everything, and a file for --settings and
    MemoryManager.from_file. Ctrl-C keeps what was measured: the same command goes on from there.

    Exit code: 0, 1 if the settings chosen had a request refused, above the budget or not sent,
    or 2 if nothing could be measured.
    """
    from memory.cli.tuning import Request, command_of, tuned  # noqa: PLC0415  # not for --help

    out = Output(as_json=as_json)
    with out.reporting():
        request = Request(
            files=files,
            budgets=budget or (),
            prefer=prefer,
            points=points,
            values=values or (),
            only=only,
            chain=chain,
            conversation=conversation,
            limit=limit,
            model=model,
            prices=prices,
            seed=seed,
            processes=processes,
            folder=folder,
            fresh=fresh,
            live=live,
            spend=spend,
            base_url=base_url,
            consented=yes,
            command=command_of(context),
        )
        study = tuned(out, request)
    chosen = study.trials[study.chosen]
    if chosen.rejected or chosen.over_budget or chosen.too_large:
        raise typer.Exit(1)
