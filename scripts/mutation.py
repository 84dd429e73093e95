"""How much of the core the tests hold in place: mutants by mutmut, a score for each module.

    uv run --group mutation python -m scripts.mutation                       # everything: hours
    uv run --group mutation python -m scripts.mutation messages flow/merge   # some modules
    uv run --group mutation python -m scripts.mutation --sample 800 --seed 7 # an estimate

mutmut makes the mutants and finds out which tests call which function, as `[tool.mutmut]` of
`pyproject.toml` says, in a copy of the repository under `build/mutation`; `mutation_forks.py` tries
them. A mutant that no test can tell from the original may be listed in
`tests/data/equivalent_mutants.toml` with the reason: there are two scores, with and without those.
Functions with decorators (properties above all) have no mutants: mutmut leaves them out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from shutil import copyfile, copytree, ignore_patterns
from typing import Final

from benchmarks._report import Check, Report, Row
from scripts.mutation_forks import CONTROL, function_of

__all__ = ("Equivalent", "Trial", "changed_lines", "estimate", "main", "sampled", "spelled")

ROOT: Final = Path(__file__).parents[1]
LISTED: Final = ROOT / "tests" / "data" / "equivalent_mutants.toml"
COPIED: Final = ("memory", "tests", "benchmarks", "docs", "scripts")
FILES: Final = ("pyproject.toml", "README.md", "CHANGELOG.md")
BOUND: Final = 0.9
"""The score that the core has to have."""

QUICK: Final = 0.005
"""Seconds below which it says nothing how long a test takes."""

CAUGHT: Final = frozenset({"killed", "timeout", "crashed"})
"""What became of mutants that the tests notice; the others survived or no test calls them."""

ANY: Final = "memory.flow.exporting.x_exported__mutmut_1"
"""One mutant: to try it mutmut writes all there are, and finds out which test calls what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A mutant and what became of it.

    Attributes:
        name: mutmut's name of it.
        module: The file, below `memory`, without its ending.
        status: `"killed"`, `"timeout"`, `"crashed"`, `"survived"` or `"no tests"`.
        was: The lines that were changed.
        now: What they became; both are empty for mutants that were caught.
        equivalent: Why no test can catch it, where somebody looked; else empty.
    """

    name: str
    module: str
    status: str
    was: str = ""
    now: str = ""
    equivalent: str = ""

    @property
    def caught(self) -> bool:
        """Whether a test noticed it."""
        return self.status in CAUGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalent:
    """A change that somebody looked at and no test can catch, or none should.

    Attributes:
        function: Module and name: `memory.tokens.features`, `memory.meter.Meter._book`.
        was: The lines that are changed, without indentation.
        now: What they become.
        reason: Why it stays.
    """

    function: str
    was: str
    now: str
    reason: str


def changed_lines(diff: str) -> tuple[str, str]:
    """Return the lines that a unified diff takes out and puts in, without their indentation."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    was, now = (
        "\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return was, now


def spelled(mutant: str) -> str:
    """Return the name of a mutant's function as people write it."""
    module, _, name = function_of(mutant).rpartition(".")
    return f"{module}.{name.removeprefix('x').removeprefix('_').replace('ǁ', '.').strip('.')}"


def sampled(names: Mapping[str, Sequence[str]], size: int, seed: int) -> list[str]:
    """Return `size` mutants at random, from each module its share (and at least one)."""
    chance, whole = random.Random(seed), sum(map(len, names.values()))  # noqa: S311
    shares = {module: max(1, round(size * len(each) / whole)) for module, each in names.items()}
    return [
        name
        for module, each in names.items()
        for name in chance.sample(sorted(each), min(shares[module], len(each)))
    ]


def estimate(trials: Iterable[Trial], sizes: Mapping[str, int]) -> tuple[float, float]:
    """Return the score of all mutants, and half the width of its interval of 95 %.

    The modules are the strata. One that was tried as a whole adds nothing to the width.

    Args:
        trials: What was tried.
        sizes: How many mutants each module has; those without a trial are left out.
    """
    tried, caught = Counter[str](), Counter[str]()
    for trial in trials:
        tried[trial.module] += 1
        caught[trial.module] += trial.caught
    whole = sum(sizes[module] for module in tried)
    score = variance = 0.0
    for module, count in tried.items():
        share, rate = sizes[module] / whole, caught[module] / count
        score += share * rate
        rest = 1 - count / sizes[module]
        variance += share**2 * rest * rate * (1 - rate) / max(1, count - 1)
    return score, 1.96 * sqrt(variance)


class Place:
    """A copy of the repository in which mutmut works.

    Args:
        path: Where; what is there is used again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mutants = path / "mutants"

    def prepare(self) -> None:
        """Bring the copy up to date, have mutmut write the mutants and see which tests call what.

        Raises:
            SystemExit: mutmut could not; the tests have to pass first.
        """
        for name in COPIED:
            copytree(
                ROOT / name,
                self.path / name,
                copy_function=_fresh_copy,
                ignore=ignore_patterns("__pycache__", "_build"),
                dirs_exist_ok=True,
            )
        for name in FILES:
            _fresh_copy(str(ROOT / name), str(self.path / name))
        command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", ANY]
        done = subprocess.run(  # noqa: S603  # our own tool
            command, cwd=self.path, env=_environment(), stdout=sys.stderr, check=False
        )
        if done.returncode:
            sys.exit(f"mutmut gave up with {done.returncode}: see above")

    def names(self) -> dict[str, list[str]]:
        """Return the mutants of each module."""
        found: dict[str, list[str]] = {}
        for file in sorted(self.mutants.rglob("*.py.meta")):
            module = file.relative_to(self.mutants / "memory").as_posix().removesuffix(".py.meta")
            names = [*json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]]
            found |= {module: names} if names else {}
        return found

    def work(self, names: Iterable[str], patience: float) -> list[Row]:
        """Return what to try: each mutant with its tests, the quick and narrow ones first.

        Args:
            names: The mutants.
            patience: Seconds that the tests of a mutant may take together, as mutmut timed them.
        """
        stats = json.loads((self.mutants / "mutmut-stats.json").read_text(encoding="utf-8"))
        took, calls = stats["duration_by_test"], stats["tests_by_mangled_function_name"]
        reach = Counter(test for tests in calls.values() for test in tests)
        beside: dict[str, set[str]] = {}
        for function, tests in calls.items():
            beside.setdefault(function.rpartition(".")[0], set()).update(tests)
        calls[function_of(CONTROL)] = [*took]

        def order(test: str) -> tuple[float, str]:
            return reach[test] * (took.get(test, 0.0) + QUICK), test

        def within(tests: Iterable[str]) -> tuple[list[str], float]:
            chosen, seconds = list[str](), 0.0
            for test in sorted(tests, key=order):
                if chosen and seconds + took.get(test, 0.0) > patience:
                    break
                chosen.append(test)
                seconds += took.get(test, 0.0)
            return chosen, seconds

        made = []
        for name in names:
            function = function_of(name)
            tests, seconds = within(calls.get(function, ()))
            others, _ = within(beside.get(function.rpartition(".")[0], ()))
            made.append({"name": name, "tests": tests, "seconds": seconds, "beside": others})
        return made

    def tried(self, work: Sequence[Row]) -> dict[str, str]:
        """Try mutants; return the status of each. What was tried before `work` changed stands."""
        results, todo = self.path / "results.jsonl", self.path / "work.json"
        todo.write_text(json.dumps(work), encoding="utf-8")
        results.unlink(missing_ok=True)
        settings = tomllib.loads((self.path / "pyproject.toml").read_text(encoding="utf-8"))
        chosen = settings["tool"]["mutmut"]["pytest_add_cli_args_test_selection"]
        switches = (
            "-q",
            "--tb=no",
            "--assert=plain",
            "--capture=no",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
        )
        plugin = ("-p", "scripts.mutation_forks", f"--basetemp={self.path / 'temporary'}")
        environment = _environment() | {
            "MUTATION_WORK": str(todo),
            "MUTATION_RESULTS": str(results),
            "MUTANT_UNDER_TEST": "stats",  # so that the plugin learns what importing calls
            "PY_IGNORE_IMPORTMISMATCH": "1",
            "PYTHONPATH": str(self.mutants),
        }
        subprocess.run(  # noqa: S603  # this interpreter, on tests of ours
            [sys.executable, "-m", "pytest", "--rootdir=.", *switches, *plugin, *chosen],
            cwd=self.mutants,
            env=environment,
            stdout=sys.stderr,
            check=True,
        )
        lines = results.read_text(encoding="utf-8").splitlines()
        return {each["name"]: each["status"] for each in map(json.loads, lines)}

    def diffs(self, names: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return the lines that each mutant changes, before and after."""
        from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: PLC0415

        with chdir(self.path):
            return {name: changed_lines(get_diff_for_mutant(name)) for name in names}


def _fresh_copy(source: str, target: str) -> None:
    """Copy a file whose text is not the same, with a new date: mutmut goes by dates."""
    there = Path(target)
    if not there.exists() or there.read_bytes() != Path(source).read_bytes():
        copyfile(source, target)


def _environment() -> dict[str, str]:
    return os.environ | {"CI": "1", "PYTHONPATH": ""}


def listed(path: Path = LISTED) -> list[Equivalent]:
    """Return the changes that were looked at."""
    if not path.exists():
        return []
    return [Equivalent(**each) for each in tomllib.loads(path.read_text("utf-8"))["mutant"]]


def _judged(place: Place, found: Mapping[str, str], module_of: Mapping[str, str]) -> list[Trial]:
    reasons = {(each.function, each.was, each.now): each.reason for each in listed()}
    known = {function for function, _, _ in reasons}
    shown = [n for n, status in found.items() if status not in CAUGHT or spelled(n) in known]
    diffs = place.diffs(shown)
    made = []
    for name, status in found.items():
        was, now = diffs.get(name, ("", ""))
        reason = reasons.get((spelled(name), was, now), "")
        lines = ("", "") if status in CAUGHT else (was, now)
        made.append(
            Trial(
                name=name,
                module=module_of[name],
                status=status,
                was=lines[0],
                now=lines[1],
                equivalent=reason,
            )
        )
    return made


def _row(module: str, trials: Sequence[Trial], size: int) -> Row:
    states = Counter(trial.status for trial in trials)
    caught = sum(trial.caught for trial in trials)
    real = [trial for trial in trials if not trial.equivalent]
    return {
        "module": module,
        "mutants": size,
        "tried": len(trials),
        **{status: states[status] for status in ("killed", "timeout", "crashed")},
        **{status: states[status] for status in ("survived", "no tests")},
        "equivalent": len(trials) - len(real),
        "score": caught / len(trials),
        "score without equivalent": sum(t.caught for t in real) / len(real) if real else None,
    }


def _report(trials: Sequence[Trial], sizes: Mapping[str, int], settings: Row) -> Report:
    modules = list(dict.fromkeys(trial.module for trial in trials))
    by_module = {name: [t for t in trials if t.module == name] for name in modules}
    score, width = estimate(trials, sizes)
    real, _ = estimate([trial for trial in trials if not trial.equivalent], sizes)
    wrong = [trial.name for trial in trials if trial.equivalent and trial.caught]
    alarms = 0 if settings["control"] == "survived" else 1
    rows = [_row(module, each, sizes[module]) for module, each in by_module.items()]
    left = [
        {"function": spelled(t.name), "status": t.status, "was": t.was, "now": t.now}
        | {"mutant": t.name.rpartition("_")[2], "equivalent": t.equivalent}
        for t in trials
        if not t.caught
    ]
    return Report(
        benchmark="mutation",
        settings=settings | {"score": score, "interval of 95 %, plus or minus": width},
        rows={"modules": rows, "survivors": left},
        checks=[
            Check(name="score, all mutants", value=score, op=">=", bound=BOUND),
            Check(name="score without equivalent mutants", value=real, op=">=", bound=BOUND),
            Check(name="equivalent mutants that were caught", value=len(wrong), op="==", bound=0),
            Check(name="caught without a mutant", value=alarms, op="==", bound=0),
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Try mutants and report; return 0 if the score is as high as it has to be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="below memory: messages, flow/merge, flow")
    parser.add_argument("--sample", type=int, help="try so many, chosen at random")
    parser.add_argument("--seed", type=int, default=0, help="what the sample is chosen by")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds of tests a mutant")
    parser.add_argument("--place", type=Path, default=ROOT / "build" / "mutation")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    said = parser.parse_args(arguments)
    place = Place(said.place.resolve())
    place.prepare()
    names = {m: each for m, each in place.names().items() if _is_meant(m, said.modules)}
    if not names:
        parser.error(f"no mutants in {said.modules}")
    chosen = [name for each in names.values() for name in each]
    if said.sample is not None:
        chosen = sampled(names, said.sample, said.seed)
    found = place.tried(place.work([*chosen, CONTROL], said.patience))
    control = found.pop(CONTROL)
    module_of = {name: module for module, each in names.items() for name in each}
    trials = _judged(place, found, module_of)
    settings = {"sample": said.sample, "seed": said.seed, "patience": said.patience}
    sizes = {module: len(each) for module, each in names.items()}
    return _report(trials, sizes, settings | {"control": control}).finish(as_json=said.json)


def _is_meant(module: str, meant: Sequence[str]) -> bool:
    return not meant or any(module == each or module.startswith(f"{each}/") for each in meant)


if __name__ == "__main__":
    sys.exit(main())
