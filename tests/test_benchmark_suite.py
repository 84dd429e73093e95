"""The suite keeps what benchmarks measure: whole reports, with nothing of the machine in them."""

from __future__ import annotations

import json
import platform
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks._report import Check, Figure, Report
from benchmarks._report_environment import ROOT, environment, git
from benchmarks._suite_registry import BENCHMARKS, Benchmark, present
from benchmarks._suite_results import RESULTS, newest, save, unfit
from benchmarks._suite_schema import private, problems
from benchmarks.suite import Run, Suite, main, read, summary

COMMIT = {"commit": "0" * 40, "dirty": False}


def report(name: str = "cost", *, value: float = 0.5, **more: Any) -> Report:
    """Return a report with one figure and one check, which holds up to 1."""
    return Report(
        benchmark=name,
        settings={"runs": 1},
        rows={"times": [{"ms": value}]},
        checks=[Check(name="share", value=value, op="<=", bound=1.0)],
        figures=[Figure(name="share", value=value, unit="%", floor=0.1, ceiling=1.0)],
        **{"revision": COMMIT, "date": "2026-01-02T03:04:05Z", **more},
    )


def printed(**more: Any) -> dict[str, Any]:
    """Return a report as it is read from what a benchmark prints."""
    found: dict[str, Any] = json.loads(report(**more).json())
    return found


def test_what_a_report_prints_fits_the_schema() -> None:
    """The schema and the writer agree."""
    assert [] == problems(printed())


def test_the_environment_names_no_machine() -> None:
    """Neither the host's name nor a directory is among what is said of the environment."""
    said = json.dumps(environment())

    assert platform.node() not in said or not platform.node()
    assert [] == list(private(environment()))


@pytest.mark.parametrize("key", sorted(printed()))
def test_a_report_without_a_key_is_none(key: str) -> None:
    """Every key is needed."""
    found = printed()
    del found[key]

    assert [f"the report has no {key!r}"] == problems(found)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("schema", 99, "its schema is 99"),
        ("date", "yesterday", "its date is no time"),
        ("more", 1, "which nobody knows"),
        ("checks", [1], "check 1 is not an object"),
        ("rows", {"times": [1]}, "no list of objects"),
        ("revision", {"commit": "main", "dirty": False}, "no commit"),
    ],
)
def test_what_is_wrong_with_a_report_is_said(key: str, value: Any, said: str) -> None:
    """A report that does not fit is refused with the reason."""
    (found,) = problems({**printed(), key: value})

    assert said in found


def test_a_check_has_to_follow_from_its_figures() -> None:
    """Who edits a file cannot make a check hold."""
    found = printed(value=2.0)
    found["checks"][0]["holds"] = True

    assert ["check 'share' says that it holds: True"] == problems(found)


def test_two_figures_of_one_name_are_refused() -> None:
    """A page could not tell which one it quotes."""
    found = printed()
    found["figures"] *= 2

    assert ["there are two of figure 'share'"] == problems(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/home/somebody/x.py", True),
        ("in /tmp/abc", True),
        ("C:\\Users\\x", True),
        (str(ROOT / "benchmarks"), True),
        ("https://example.org/home/x", False),
        ("hook / bare call", False),
        ("../shared/data", False),
        ("USD / 1,000", False),
    ],
)
def test_paths_of_a_machine_are_seen(text: str, found: bool) -> None:  # noqa: FBT001
    """A path is found wherever it stands, and a ratio or an address is none."""
    assert found == bool(list(private({"rows": [{"a": [text]}]})))


def test_the_newest_result_counts(tmp_path: Path) -> None:
    """Of one benchmark the latest day is taken, and quick versions only on request."""
    for day, quick in (("2026-01-01", False), ("2026-01-02", False), ("2026-01-03", True)):
        save(printed(date=f"{day}T00:00:00Z", quick=quick), tmp_path)

    assert "2026-01-02" == newest(tmp_path)["cost"].day
    assert "2026-01-03" == newest(tmp_path, quick=True)["cost"].day


@settings(deadline=None)  # it writes files
@given(value=st.floats(0.001, 1e6))
def test_a_saved_report_is_rounded_and_its_checks_are_not(
    tmp_path_factory: pytest.TempPathFactory, value: float
) -> None:
    """Figures keep six digits; a check keeps all, so that it can be repeated."""
    path = save(printed(value=value), tmp_path_factory.mktemp("results"))
    found = json.loads(path.read_text(encoding="utf-8"))

    assert value == pytest.approx(found["figures"][0]["value"], rel=1e-5)
    assert value == found["checks"][0]["value"]
    assert [] == problems(found)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """The order of keys and the digits do not depend on the run."""
    first = save(printed(), tmp_path).read_bytes()
    turned = dict(reversed(deepcopy(printed()).items()))

    assert first == save(turned, tmp_path).read_bytes()


def test_a_kept_result_has_to_be_of_a_known_revision(tmp_path: Path) -> None:
    """Nobody could run a revision again that git does not know."""
    if git("rev-parse", "HEAD") is None:
        pytest.skip("this is no checkout")
    save(printed(), tmp_path)
    save(
        printed(name="drift", revision={"commit": git("rev-parse", "HEAD"), "dirty": True}),
        tmp_path,
    )

    assert ["2026-01-02-cost.json: git does not know revision 000000000000"] == list(
        unfit(tmp_path)
    )


def test_a_quick_result_is_not_to_be_kept(tmp_path: Path) -> None:
    """It shows that something runs and nothing else."""
    save(printed(quick=True, revision=None), tmp_path)

    assert [
        "2026-01-02-cost.json: it is a quick version",
        "2026-01-02-cost.json: it names no revision",
    ] == list(unfit(tmp_path))


def test_the_results_of_this_repository_are_fit() -> None:
    """What is kept is whole, not quick, and names no place on a machine."""
    unknown = "git does not know revision"  # as in a checkout without history

    assert [] == [each for each in unfit(RESULTS) if unknown not in each]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 1, "its last line is no JSON"),
        ("[]", 0, "it is not an object"),
        (report().json(), 1, "says something else than its checks"),
        (report(value=2.0).json(), 0, "says something else than its checks"),
    ],
)
def test_a_run_that_failed_has_no_report(text: str, code: int, said: str) -> None:
    """Exit code, last line and checks have to agree."""
    found, failure = read(text, code)

    assert found is None
    assert failure is not None
    assert said in failure


@pytest.mark.parametrize(("value", "code"), [(0.5, 0), (2.0, 1)])
def test_a_report_is_read_from_the_last_line(value: float, code: int) -> None:
    """A check that does not hold is a result like any other."""
    found, failure = read(f"some text\n{report(value=value).json()}\n", code)

    assert failure is None
    assert printed(value=value) == found


def script(tmp_path: Path) -> tuple[str, ...]:
    """Return what stands for Python: it prints a report under the name of the module."""
    text = f"""
import json, sys
name = sys.argv[2].rpartition(".")[2]
if name == "drift":
    sys.exit("it broke")
print(json.dumps(json.loads({report().json()!r}) | {{"benchmark": name}}))
"""
    (tmp_path / "stand_in.py").write_text(text, encoding="utf-8")
    return (sys.executable, str(tmp_path / "stand_in.py"))


def test_the_others_run_when_one_fails(tmp_path: Path) -> None:
    """A benchmark that breaks is named with what it said, and is not kept."""
    chosen = [Benchmark(name="drift"), Benchmark(name="cost"), Benchmark(name="scale", timed=True)]
    suite = Suite(results=tmp_path / "kept", data=tmp_path, python=script(tmp_path))
    runs = suite.run(chosen, workers=2)

    assert ["drift", "cost", "scale"] == [run.name for run in runs]
    assert "it broke" in (runs[0].failure or "")
    assert [None, "2026-01-02-cost.json", "2026-01-02-scale.json"] == [run.file for run in runs]
    assert 1 == summary(runs, quick=False).exit_code


def test_a_benchmark_without_its_corpus_is_said_to_be_missing(tmp_path: Path) -> None:
    """It is not started."""
    suite = Suite(results=None, data=tmp_path, python=("false",))
    (run,) = suite.run([Benchmark(name="cost", corpora=("tau_airline",))], workers=1)

    assert str(run.failure).startswith("no corpus tau_airline in ")


def test_the_summary_counts_what_does_not_hold() -> None:
    """Checks that do not hold make the suite fail, and are named."""
    found = summary([Run(name="cost", checks=2, failing=("dear",), file="a")], quick=False)

    assert 1 == found.exit_code
    assert ["dear"] == found.rows["runs"][0]["do not hold"]
    assert [] == problems(json.loads(found.json()))


def test_registered_benchmarks_are_modules() -> None:
    """Those that this checkout has can be run by name."""
    assert {each.name for each in present()} <= set(BENCHMARKS)
    assert {"cost", "drift", "faults", "latency", "overhead", "quality", "stores", "tokens"} <= {
        each.name for each in present()
    }


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the pen does not start hours of work."""
    with pytest.raises(SystemExit):
        main(["costs"])

    assert "no such benchmark: costs" in capsys.readouterr().err
