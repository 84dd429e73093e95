"""`kimi-memory chat`: talk, and watch the memory at work."""

from __future__ import annotations

from typing import Annotated

import typer

from memory import models
from memory.cli.options import SettingsFile
from memory.cli.output import Json, Output

__all__ = ("chat",)

FAKE_BUDGET = 2_000
"""Tokens; small, so that a compaction is seen after a few turns."""


def chat(
    *,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="TOKENS",
            help="Prompt tokens allowed. Default: KIMI_MEMORY_BUDGET, else that of --settings, "
            f"else the model's window; {FAKE_BUDGET:,} with the fake.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="The model to ask for.")
    ] = models.DEFAULT_MODEL,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A system prompt to begin with.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The API; else KIMI_BASE_URL or OPENAI_BASE_URL."),
    ] = None,
    fake: Annotated[
        bool,
        typer.Option(
            "--fake", metavar="", help="Talk to a fake Kimi on this machine; needs no key."
        ),
    ] = False,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Chat with a token gauge and visible compactions.

    /plan shows what becomes of each message, /tokens the gauge, /notes the message that stands
    for what is no longer sent, /quit or end of input ends; Ctrl-C aborts a reply. The key is
    MOONSHOT_API_KEY or KIMI_API_KEY; without one a fake on this machine answers.

    With --json, each line of standard input is a turn and becomes one JSON object; the last line
    is a summary. Exit code: 0, or 1 if a turn failed.
    """
    from memory.cli.chatting import Chat, find_endpoint  # noqa: PLC0415  # openai: 370 ms
    from memory.cli.talk import opened  # noqa: PLC0415
    from memory.manager.given import resolved  # noqa: PLC0415

    out = Output(as_json=as_json)
    with out.reporting():
        endpoint = None if fake else find_endpoint(out, base_url)
        known = resolved({}, settings).budget
        tokens = budget or known or (None if endpoint else FAKE_BUDGET)
        with opened(endpoint, model=model) as client:
            room = Chat(out, client, budget=tokens, model=model, system=system, settings=settings)
            room.converse()
    if room.failed:
        raise typer.Exit(1)
