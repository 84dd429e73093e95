"""A plugin of pytest that tries mutants: the tests are collected once, each mutant gets a fork.

A run of pytest costs half a second before its first test, a fork of one that has collected
everything costs some milliseconds. `scripts/mutation.py` starts pytest with this plugin in the
folder `mutants` that mutmut wrote, and the environment says what to do: `MUTATION_WORK` names a
file with the mutants and the tests of each, `MUTATION_RESULTS` the one that gets a line of JSON
for each. Without them the plugin only sets the profile of hypothesis, as mutmut's own runs need it.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CellType, FunctionType
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings

__all__ = ("CONTROL", "function_of", "pytest_configure", "pytest_runtestloop")

EXAMPLES: Final = 20
"""How many examples a property is tried on. None is shrunk: that it fails is all that counts."""

CPU_SECONDS: Final = 5
"""Processor time that a mutant has beyond five times what its tests take."""

WALL_SECONDS: Final = 300
"""Time that a mutant has beyond twenty times that: one that waits for ever uses no processor."""

MEMORY: Final = 4 << 30
"""Bytes of address space: a list that grows for ever fails before it takes the machine."""

CONTROL: Final = "memory.none.x_none__mutmut_1"
"""What is no mutant: were it caught, the tests would fail by themselves."""

WRAPPER: Final = "_trampoline_wrapper"
"""What mutmut calls the function that it puts in place of each."""

AT_IMPORT: Final = "at import"
"""Who caught a mutant of a function that runs while modules are imported."""

Outcome = tuple[str, str | None]
"""The status, and the test that caught the mutant."""


def pytest_configure() -> None:
    """Make properties quick and repeatable; runs after `conftest.py` has loaded its profile."""
    settings.register_profile(
        "mutation",
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Try every mutant of the work list in place of running the tests once."""
    if "MUTATION_WORK" not in os.environ:
        return None
    trials = Trials(session)
    work = json.loads(Path(os.environ["MUTATION_WORK"]).read_text(encoding="utf-8"))
    with Path(os.environ["MUTATION_RESULTS"]).open("a", encoding="utf-8") as results:
        for mutant in work:
            results.write(json.dumps(trials.tried(mutant)) + "\n")
            results.flush()
    return True


def function_of(mutant: str) -> str:
    """Return the name that mutmut's statistics have for the function of a mutant."""
    return mutant.partition("__mutmut_")[0]


class Trials:
    """Tries mutants one after the other, each in a fork of this process.

    Args:
        session: The session, with everything collected and nothing run.
    """

    def __init__(self, session: pytest.Session) -> None:
        # Only the environment that `scripts/mutation.py` is run in has it.
        from mutmut.mutation.trampoline import set_mutant_under_test  # noqa: PLC0415
        from mutmut.state import state  # noqa: PLC0415

        self._session = session
        self._items = {item.nodeid: item for item in session.items}
        # Mutants of what importing the tests has called were not in place when it was called.
        self._imported = set(state()._stats)  # noqa: SLF001
        self._caught: dict[str, str] = {}
        self._useful: dict[str, set[str]] = {}
        self._activate = set_mutant_under_test
        self._activate("")
        self._switches = dict(_switches())
        for switch in self._switches.values():
            switch.turn(on=False)
        gc.collect()
        gc.freeze()

    def tried(self, mutant: Mapping[str, Any]) -> dict[str, Any]:
        """Return what became of one mutant: `"killed"`, `"survived"`, `"timeout"`, `"no tests"`."""
        name, seconds = mutant["name"], mutant["seconds"]
        function, start = function_of(name), time.monotonic()
        module = function.rpartition(".")[0]
        tests = [test for test in mutant["tests"] if test in self._items]
        # What caught the last mutant of this function is likely to catch this one too; then what
        # caught any of this module.
        last, useful = self._caught.get(function), self._useful.setdefault(module, set())
        tests.sort(key=lambda test: (test != last, test not in useful))
        switch = None if name == CONTROL else self._switches[function]
        status, test = self._forked(name, tests, seconds, switch) if tests else ("no tests", None)
        if function in self._imported and status in {"survived", "no tests"}:
            status, test = _fresh(name, mutant["beside"])
        if test:
            self._caught[function] = test
            useful.add(test)
        took = round(time.monotonic() - start, 2)
        return {"name": name, "status": status, "test": test, "tests": len(tests), "seconds": took}

    def _forked(
        self, name: str, tests: Sequence[str], seconds: float, switch: Switch | None
    ) -> Outcome:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            self._activate(name)
            if switch is not None:
                switch.turn(on=True)
            self._child(tests, seconds, writer)
        os.close(writer)
        said = _said(reader, child, WALL_SECONDS + 20 * seconds)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        test, _, status = said.rpartition("\n")
        if status in {"killed", "survived"}:
            return status, test or None
        return ("timeout" if code in {-signal.SIGXCPU, -signal.SIGKILL} else "crashed"), None

    def _child(self, tests: Sequence[str], seconds: float, writer: int) -> None:
        """Run the tests until one fails, say which, and be gone."""
        outcome = "survived"
        with suppress(BaseException):  # whatever a mutant raises there: it was noticed
            outcome = "\nkilled"
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            limit = CPU_SECONDS + int(5 * seconds)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            failed = next((test for test in tests if self._fails(test)), None)
            outcome = "survived" if failed is None else f"{failed}\nkilled"
        os.write(writer, outcome.encode())
        os._exit(0)

    def _fails(self, test: str) -> bool:
        item = self._items[test]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return bool(self._session.testsfailed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What mutmut put in place of a function: it looks up at each call which mutant to call.

    Attributes:
        cell: Where it keeps whom it asks.
        lookup: Whom it asks while a mutant of the function is tried.
        original: The function, which it might as well call while others are.
    """

    cell: CellType
    lookup: Callable[..., Any]
    original: Callable[..., Any]

    def turn(self, *, on: bool) -> None:
        """Let mutants of the function take effect, or have the function called at full speed."""
        self.cell.cell_contents = self.lookup if on else self.original


def _switches() -> Iterator[tuple[str, Switch]]:
    """Return what stands in place of each function, by the name in mutmut's statistics."""
    for found in gc.get_objects():
        if not isinstance(found, FunctionType) or found.__code__.co_name != WRAPPER:
            continue
        (cell,) = found.__closure__ or ()
        lookup = cell.cell_contents
        inner = dict(zip(lookup.__code__.co_freevars, lookup.__closure__, strict=True))
        mutants, original = (
            inner[name].cell_contents for name in ("mutants_dict", "decorated_func")
        )
        name = f"{original.__module__}.{function_of(mutants['_mutmut_orig'].__name__)}"
        yield name, Switch(cell=cell, lookup=lookup, original=original)


def _said(reader: int, child: int, patience: float) -> str:
    """Return what a child writes before it ends; it is killed at the end of the patience."""
    said, deadline = b"", time.monotonic() + patience
    with os.fdopen(reader, "rb") as source:
        while True:
            ready, _, _ = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                os.kill(child, signal.SIGKILL)
                return ""
            more = os.read(source.fileno(), 65_536)
            if not more:
                return said.decode()
            said += more


def _fresh(name: str, tests: Sequence[str]) -> Outcome:
    """Try a mutant with an interpreter of its own: it is there when modules are imported."""
    quiet = (
        "--rootdir=.",
        "-x",
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "-p",
        __name__,
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MUTATION_")}
    done = subprocess.run(  # noqa: S603  # this interpreter, on tests of ours
        [sys.executable, "-m", "pytest", *quiet, *tests],
        env={**kept, "MUTANT_UNDER_TEST": name},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return ("killed", AT_IMPORT) if done.returncode else ("survived", None)
