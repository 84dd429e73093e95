"""A pytest plugin: the invariants on your recorded conversations, and fixtures for your tests.

It is used where it is named, and never by itself::

    pytest -p memory.testing.plugin --memory-transcripts transcripts/

Without paths of tests on the command line nothing but the conversations is tested. A `conftest.py`
may say which manager is checked, by the hook `pytest_memory_manager(options)`. The fixtures are
`fake_kimi`, a server on this machine, and `memory_events`, a list that is a hook.

PYTEST_DONT_REWRITE: there is no assertion here, and whoever imported this before is not warned.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from memory.events import Event
    from memory.manager import MemoryManager
    from memory.testing.served import ServedKimi
    from memory.testing.transcripts import Transcript, TranscriptReport, Violation

    E = TypeVar("E", bound=Event)
    Events = list[Event]
else:
    Events = list

__all__ = ("EventList", "TranscriptFile", "TranscriptItem", "ViolationError")

PROPERTY = "memory"
"""Under which name the figures of a conversation are among the properties of its report."""
_SHOWN = 4
"""How many violations of a conversation are shown with their requests."""
_TOLD = 12
"""How many are told at all."""
_LINES = 24
"""How many lines are shown of what was given, and of what was sent."""
_KEYWORD = re.compile(r"[\w:+\-.\[\]/\\]+")
"""What `-k` can look for as it stands."""
_FIGURES = ("requests", "compactions", "too_large", "violations")


class EventList(Events):
    """A list of events that is a hook: `MemoryManager(hooks=(memory_events,))` fills it."""

    def __call__(self, event: Event, /) -> None:
        """Take note of `event`."""
        self.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind, in order."""
        return [event for event in self if isinstance(event, kind)]


@pytest.fixture
def fake_kimi() -> Iterator[ServedKimi]:
    """A `memory.testing.FakeKimi` on a free port: `.url`, and `.client()` for an OpenAI client."""
    from memory.testing.served import served

    with served() as fake:
        yield fake


@pytest.fixture
def memory_events() -> EventList:
    """A list of events that is a hook: `MemoryManager(hooks=(memory_events,))` fills it."""
    return EventList()


class _Hooks:
    """The hooks that a `conftest.py` may have."""

    @pytest.hookspec(firstresult=True)
    def pytest_memory_manager(self, options: dict[str, Any]) -> MemoryManager | None:
        """Return a manager to check conversations with, made with `options` and your own."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hook `pytest_memory_manager`."""
    pluginmanager.add_hookspecs(_Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("memory", "kimi-memory: invariants on recorded conversations")
    group.addoption(
        "--memory-transcripts",
        action="append",
        type=Path,
        metavar="PATH",
        help="A file of conversations (JSON or JSON lines), or a directory of such files.",
    )
    group.addoption(
        "--memory-budgets",
        type=_budgets,
        default=(),
        metavar="TOKENS",
        help="Prompt tokens allowed, several with commas between, such as 4000,16000. Default: "
        "random, one for each conversation, so that it has to be compacted.",
    )
    group.addoption(
        "--memory-seed",
        type=int,
        metavar="N",
        help="What the random budgets and requests are made from. Default: another one each time.",
    )
    group.addoption(
        "--memory-contents",
        action="store_true",
        help="Show how messages begin where a promise was not kept.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Look for files; without paths of tests on the command line, collect nothing else."""
    paths = config.getoption("memory_transcripts")
    if not paths:
        return
    if config.inipath is None and config.getoption("rootdir") is None:
        # pytest takes the value of an option it does not know yet for a path, and so the directory
        # of the transcripts for that of the project: its cache would be written there.
        config._rootpath = config.invocation_params.dir  # noqa: SLF001
    if config.option.memory_seed is None:
        config.option.memory_seed = secrets.randbelow(10**6)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []
        config.args_source = pytest.Config.ArgsSource.ARGS  # the header is not to name `testpaths`
    config.pluginmanager.register(_Transcripts(config, paths), "memory-transcripts")


class ViolationError(Exception):
    """Promises were not kept for a conversation.

    Attributes:
        report: What came of checking it.
    """

    def __init__(self, report: TranscriptReport) -> None:
        self.report = report
        super().__init__(f"{len(report.violations)} violations")


class TranscriptFile(pytest.File):
    """A file of recorded conversations, each an item."""

    def collect(self) -> Iterator[TranscriptItem]:
        """Yield an item for each conversation."""
        from memory.testing.transcripts import read

        reading = read(self.path)
        told: _Transcripts = self.config.pluginmanager.get_plugin("memory-transcripts")  # type: ignore[assignment]
        told.skipped += [f"{each.place}: {each.reason}" for each in reading.skipped]
        told.continued += reading.continued
        for each in reading.transcripts:
            name = "".join(c if c.isprintable() else "?" for c in each.id)
            item: TranscriptItem = TranscriptItem.from_parent(self, name=name, transcript=each)
            yield item


class TranscriptItem(pytest.Item):
    """One recorded conversation, checked at each of the budgets.

    Attributes:
        transcript: The conversation.
    """

    def __init__(self, *, transcript: Transcript, **others: Any) -> None:
        super().__init__(**others)
        self.transcript = transcript

    def runtest(self) -> None:
        """Check the conversation.

        Raises:
            ViolationError: A promise was not kept.
        """
        from memory.testing.transcripts import check_transcript, random_budget, total

        option, one = self.config.option, self.transcript
        budgets = option.memory_budgets or (random_budget(one, seed=option.memory_seed),)
        report = total(
            check_transcript(
                one,
                budget=budget,
                seed=option.memory_seed,
                manager_factory=self._manager,
                contents=option.memory_contents,
            )
            for budget in budgets
        )
        figures = {**report.row(), "violations": len(report.violations)}
        self.user_properties.append((PROPERTY, {name: figures[name] for name in _FIGURES}))
        if report.violations:
            raise ViolationError(report)
        if report.too_large == report.requests:
            pytest.skip("all requests were refused: the budget is too small to check anything")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what is shown of a failure: requests as tables, without their texts."""
        if not isinstance(excinfo.value, ViolationError):
            return super().repr_failure(excinfo, style)
        return "\n".join(self._told(excinfo.value.report))

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return where the conversation stands, for headings."""
        return self.path, None, self.name

    def _manager(self, **options: Any) -> MemoryManager:
        from memory.manager import MemoryManager

        own: MemoryManager | None = self.config.hook.pytest_memory_manager(options=options)
        return MemoryManager(**options) if own is None else own

    def _told(self, report: TranscriptReport) -> Iterator[str]:
        found = report.violations
        yield f"{self.transcript.place}: conversation {self.name}"
        yield f"{len(found)} violations in {report.requests} requests"
        for violations in _by_request(found[:_SHOWN]):
            yield from ("", *map(str, violations), *_shown(violations[0]))
        yield from ("", *map(str, found[_SHOWN:_TOLD]))
        if len(found) > _TOLD:
            yield f"… and {len(found) - _TOLD} more"
        yield ""
        yield f"To repeat it: {shlex.join(self._command(found[0]))}"

    def _command(self, violation: Violation) -> list[str]:
        option = self.config.option
        budgets = ",".join(map(str, option.memory_budgets)) or "random"
        words = ["pytest", "-p", __name__, "--memory-transcripts", str(self.path)]
        words += ["--memory-budgets", budgets, "--memory-seed", str(violation.seed)]
        return words + (["-k", self.name] if _KEYWORD.fullmatch(self.name) else [])


class _Transcripts:
    """The hooks that are there only with `--memory-transcripts`.

    Attributes:
        skipped: What is no conversation, with the reason.
        continued: Requests that are the beginning of a later one.
    """

    def __init__(self, config: pytest.Config, paths: Sequence[Path]) -> None:
        self._config = config
        here = config.invocation_params.dir
        self._paths = [Path(os.path.normpath(here / path)) for path in paths]
        self._files = [each for path in self._paths for each in _found(path)]
        self._rows: list[tuple[str, dict[str, int]]] = []
        self.skipped: list[str] = []
        self.continued = 0

    def pytest_report_header(self) -> str:
        """Tell what is checked, and how to do it again."""
        option = self._config.option
        budgets = ", ".join(f"{each:,}" for each in option.memory_budgets) or "random"
        return (
            f"memory: transcripts in {len(self._files)} files, budgets: {budgets}, "
            f"--memory-seed {option.memory_seed}"
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Add the conversations to what was collected.

        Raises:
            UsageError: There is none.
        """
        before = len(items), session.testsfailed
        for path in self._files:
            name = _relative(path, self._config.rootpath)
            node: TranscriptFile = TranscriptFile.from_parent(session, path=path, nodeid=name)
            items.extend(session.genitems(node))
        if before == (len(items), session.testsfailed):
            places = ", ".join(map(str, self._paths))
            raise pytest.UsageError("\n".join([f"no conversation in {places}", *self.skipped]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the figures of a conversation."""
        if report.when == "call":
            found = (value for name, value in report.user_properties if name == PROPERTY)
            self._rows += [(report.fspath, row) for row in found if isinstance(row, dict)]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what was checked and what was skipped."""
        terminalreporter.section("memory: transcripts")
        for line in self.skipped:
            terminalreporter.line(f"skipped {line}")
        if self.continued:
            terminalreporter.line(f"left out {self.continued} beginnings of other conversations")
        terminalreporter.line(self._summary())
        if self._rows and all(row["too_large"] == row["requests"] for _, row in self._rows):
            terminalreporter.line("all requests were refused: the budgets are too small to check")

    def _summary(self) -> str:
        sums = {name: sum(row[name] for _, row in self._rows) for name in _FIGURES}
        files = len({path for path, _ in self._rows})
        return (
            f"files: {files}, conversations: {len(self._rows)}, "
            f"requests checked: {sums['requests']:,}, compactions: {sums['compactions']:,}, "
            f"too large: {sums['too_large']:,}, violations: {sums['violations']:,} "
            f"(--memory-seed {self._config.option.memory_seed})"
        )


def _budgets(text: str) -> tuple[int, ...]:
    if text == "random":
        return ()
    numbers = [each.strip().replace("_", "") for each in text.split(",")]
    if not all(each.isdecimal() and int(each) for each in numbers):
        wrong = f"{text!r}: numbers of tokens with commas between, or random"
        raise argparse.ArgumentTypeError(wrong)
    return tuple(map(int, numbers))


def _found(path: Path) -> list[Path]:
    from memory.testing.transcript_files import TranscriptError, find

    try:
        return find(path)
    except TranscriptError as error:
        raise pytest.UsageError(str(error)) from error


def _relative(path: Path, start: Path) -> str:
    """Return a path as pytest names it; it does not know files that nobody named as arguments."""
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:  # on another drive
        return path.as_posix()


def _by_request(found: Sequence[Violation]) -> list[list[Violation]]:
    """Return violations in groups, those of one request together."""
    groups = groupby(found, key=lambda each: (each.budget, each.request))
    return [[*group] for _, group in groups]


def _shown(violation: Violation) -> Iterator[str]:
    """Yield the lines of a request, without the middle of what was given and of what was sent."""
    lines = violation.described.splitlines()
    behind = lines.index("sent:") if "sent:" in lines else len(lines)
    for block in (lines[:behind], lines[behind:]):
        left = len(block) - _LINES
        yield from block if left <= 0 else block[: _LINES // 2]
        if left > 0:
            yield f"   …  {left} more"
            yield from block[-_LINES // 2 :]
