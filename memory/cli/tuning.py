"""What `tune` does: reads conversations, measures them, writes files and shows what to take."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import typer
from rich.markup import escape

from memory import models
from memory.cli.choosing import show
from memory.cli.endpoint import Endpoint
from memory.cli.output import CommandError, Output
from memory.cli.progress import progress_bar
from memory.cli.reading import load
from memory.config import Settings
from memory.manager.given import resolved
from memory.replay import join
from memory.tuning import Job, tune
from memory.tuning.page import write
from memory.tuning.plots import require
from memory.tuning.prices import Tariff
from memory.tuning.study import Prefer, Study

__all__ = ("Request", "axis", "command_of", "tuned")

TRIALS: Final = "trials"
"""The directory, in that of the results, of what was measured."""
INTERRUPTED: Final = 130
"""The exit code of a command that Ctrl-C ended."""
_UNSAID: Final = frozenset({"as_json", "fresh", "yes"})
"""Options that change nothing of what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What `tune` was asked for; see its options.

    Attributes:
        command: The same as a command, to do it again.
    """

    files: Sequence[Path]
    budgets: Sequence[int]
    prefer: Prefer
    points: int
    values: Sequence[str]
    only: Path | None
    chain: int
    conversation: str | None
    limit: int | None
    model: str | None
    prices: Path | None
    seed: int
    processes: int | None
    folder: Path
    fresh: bool
    live: bool
    spend: float | None
    base_url: str | None
    consented: bool
    command: str

    def job(self, endpoint: Endpoint | None) -> Job:
        """Return what is to be measured.

        Args:
            endpoint: The real API; None for the fake.

        Raises:
            CommandError: There is no budget, or an axis is none.
            ConfigError: A file is wrong.
        """
        tariff = Tariff.read(self.prices) if self.prices else None
        only = None if self.only is None else _settings_in(self.only)
        budgets = [*dict.fromkeys(self.budgets)] or _budget_of(only)
        if only is not None and self.values:
            raise CommandError("--only measures the settings of its file: --set changes nothing")
        if not budgets:
            raise CommandError("tune needs a --budget, in tokens; repeat it to try several")
        return Job(
            budgets=budgets,
            prefer=self.prefer,
            points=self.points,
            seed=self.seed,
            axes=dict(axis(text) for text in self.values),
            only=only and {name: only[name] for name in only if name != "budget"},
            model=self.model or (tariff.model if tariff else models.DEFAULT_MODEL),
            tariff=tariff,
            processes=self.processes,
            folder=self.folder / TRIALS,
            connect=None if endpoint is None else endpoint.client,
            spend=self.spend,
            files=[path.name for path in self.files],
        )

    def endpoint(self) -> Endpoint | None:
        """Return the real API, where it is to be asked, once the key is known to be good.

        Raises:
            CommandError: There is no key, it is not good, or nobody says what may be spent.
        """
        if not self.live:
            if self.spend is not None:
                raise CommandError("--spend needs --live; nothing else is paid for")
            return None
        if not self.spend:
            raise CommandError("--live needs --spend, the US dollars that it may cost at most")
        endpoint = Endpoint.find(self.base_url)
        endpoint.check()
        return endpoint

    def conversations(self) -> list[dict[str, Any]]:
        """Return the conversations of all files, every `chain` of them joined into one.

        Raises:
            CommandError: A file has none, or not the wanted one.
            TranscriptError: It holds something else.
            OSError: It cannot be read.
        """
        found = []
        for path in self.files:
            read = load(path, conversation=self.conversation, limit=self.limit, chain=self.chain)
            found += join(read, chain=self.chain)
        return found


def axis(text: str) -> tuple[str, list[Any]]:
    """Return the name and the values of one `--set`.

    Raises:
        CommandError: It is none, or it is the budget.
    """
    name, equals, values = text.partition("=")
    name = name.strip()
    if not equals or not values.strip():
        raise CommandError(f"--set {text}: write NAME=VALUE,VALUE,…")
    if name == "budget":
        raise CommandError("--set budget: say --budget, and repeat it to try several")
    known = [field.name for field in fields(Settings)]
    if name not in known:
        raise CommandError(f"--set {name}: no such setting; there are {', '.join(known)}")
    return name, [_value(value.strip()) for value in values.split(",")]


def _value(text: str) -> Any:
    """Return a number where it is one, nothing for `none`, and else the text."""
    if text.lower() == "none":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _settings_in(path: Path) -> dict[str, Any]:
    """Return the settings of a file that are not at their defaults."""
    usual = asdict(Settings())
    found = asdict(resolved({}, path, environ={}))
    return {name: value for name, value in found.items() if value != usual[name]}


def _budget_of(only: Mapping[str, Any] | None) -> list[int]:
    return [only["budget"]] if only and "budget" in only else []


def command_of(context: typer.Context) -> str:
    """Return the command line of a run, as a shell takes it, without what changes no figure."""
    words = ["kimi-memory", str(context.info_name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name in _UNSAID:
            continue
        value = context.params[name]
        given = value if isinstance(value, (list, tuple)) else [value]
        if parameter.param_type_name == "argument":
            words += map(str, given)
        elif value is True:
            words.append(parameter.opts[0])
        else:
            words += [word for each in given for word in (parameter.opts[0], str(each))]
    return shlex.join(words)


def tuned(out: Output, request: Request) -> Study:
    """Measure, write the files, show what came of it and return it.

    Args:
        out: Where to show it.
        request: What was asked for.

    Raises:
        CommandError: It cannot be done so, or matplotlib is not installed.
        KimiMemoryError: A setting, a price file or a conversation is wrong, or nothing could be
            measured for what may be spent.
        OSError: A file cannot be read or written.
        Abort: The user does not want to pay.
        Exit: Ctrl-C was pressed.
    """
    try:
        require()  # better known now than once all is measured
    except ModuleNotFoundError as error:
        raise CommandError(str(error)) from error
    endpoint = request.endpoint()
    job = request.job(endpoint)
    conversations = request.conversations()
    if endpoint is not None:
        _ask(out, request, endpoint)
    if request.fresh:
        _forget(request.folder / TRIALS)
    study = _measured(out, conversations, job)
    folder = request.folder / "only" if request.only else request.folder
    written = write(study, folder, command=request.command)
    show(out, study, written)
    return study


def _forget(folder: Path) -> None:
    """Remove what was measured before, and nothing else that may be there."""
    for path in folder.glob("*.jsonl"):
        path.unlink()


def _ask(out: Output, request: Request, endpoint: Endpoint) -> None:
    """Say what it may cost and ask for leave.

    Raises:
        Abort: It was refused.
    """
    out.aside.print(
        f"This will send conversations to [bold]{escape(endpoint.base_url)}[/] with the key in "
        f"{endpoint.variable}, until [bold]{request.spend:.2f}[/] US dollars are spent."
    )
    if not request.consented:
        typer.confirm("Go on?", abort=True, err=True)


def _measured(out: Output, conversations: Sequence[Mapping[str, Any]], job: Job) -> Study:
    """Measure, and show how much is done.

    Raises:
        Exit: Ctrl-C was pressed.
    """
    budgets = len(set(job.budgets))
    with progress_bar(out) as bar:
        task = bar.add_task("measuring", total=None)

        def progress(done: int, total: int) -> None:
            if not done and not bar.tasks[0].total:
                number = len(conversations)
                out.aside.print(
                    f"[dim]{total // number - budgets - 1:,} combinations and {budgets + 1:,} ways "
                    f"without a memory x {number:,} conversations[/]"
                )
            bar.update(task, completed=done, total=total)

        try:
            return tune(conversations, job=job, progress=progress)
        except KeyboardInterrupt:
            out.aside.print("stopped; the same command goes on from what was measured")
            raise typer.Exit(INTERRUPTED) from None
