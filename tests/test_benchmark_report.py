"""The page about benchmarks is what the results give, and no page has a measured figure typed."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from benchmarks import _report_plots as plots
from benchmarks import _report_plots_peers as beside
from benchmarks import report as program
from benchmarks._report import Check, Figure, Report
from benchmarks._report_environment import ROOT
from benchmarks._report_figures import filled, misplaced, pages, typed
from benchmarks._report_numbers import number, quantity
from benchmarks._report_page import page, unexplained
from benchmarks._report_sections import SECTIONS
from benchmarks._report_style import COLOURS, INK
from benchmarks._suite_registry import BENCHMARKS
from benchmarks._suite_results import RESULTS, Result, newest, save
from benchmarks.report import main, reasons_in, render

ALLOWED = Path(__file__).parent / "data" / "typed_figures.toml"
CURVE = [
    {
        "compaction": k,
        "memory": 40.0,
        "rolling": 39.0 - k,
        "notes alone": 30.0,
        "empty summary": 9.0,
    }
    | {"full text": 90.0}
    for k in (1, 2)
]
SHARE = Figure(name="share, k2.6", value=63.125, unit="%", low=60, high=65.5, floor=100)


def result(name: str = "drift", *, value: float = 0.5) -> Result:
    """Return the result of one benchmark; its check holds up to 1."""
    made = Report(
        benchmark=name,
        settings={},
        rows={"recall of early facts": CURVE},
        checks=[Check(name="lost | points", value=value, op="<=", bound=1.0)],
        figures=[SHARE],
        revision={"commit": "0" * 40, "dirty": False},
        date="2026-01-02T03:04:05Z",
    )
    return Result(benchmark=name, day="2026-01-02", report=json.loads(made.json()))


def repository(root: Path, text: str = "No figures here.\n") -> Path:
    """Return a directory with what the report reads of a repository."""
    (root / "docs" / "explanation").mkdir(parents=True)
    (root / "README.md").write_text(text, encoding="utf-8")
    save(result().report, root / "results")
    return root


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0"),
        (3.0, "3"),
        (0.063125, "0.0631"),
        (63.125, "63.1"),
        (1234.5, "1,234"),
        (-0.75, "-0.750"),
    ],
)
def test_numbers_have_three_digits(value: float | None, shown: str) -> None:
    """Neither an exponent nor digits that say nothing."""
    assert shown == number(value)


def test_a_ratio_has_its_sign() -> None:
    """Units stand after the number."""
    assert "1.60 ×" == quantity(1.6, "x")
    assert "12 %" == quantity(12.0, "%")


def test_a_figure_is_filled_in() -> None:
    """What stands between the marks is replaced, what a result does not have is named."""
    text = (
        "It is <!--figure: drift/share, k2.6-->?<!--/--> %, <!--figure: drift/share, k2.6 | .0f-->"
        "?<!--/--> of <!--figure: drift/share, k2.6 @floor-->?<!--/-->; "
        "<!--figure: a/b-->1<!--/-->."
    )
    found, unknown = filled(text, {"drift": result()})

    assert (
        "It is <!--figure: drift/share, k2.6-->63.1<!--/--> %, "
        "<!--figure: drift/share, k2.6 | .0f-->63<!--/--> of "
        "<!--figure: drift/share, k2.6 @floor-->100<!--/-->; <!--figure: a/b-->1<!--/-->."
    ) == found
    assert ["<!--figure: a/b-->"] == unknown
    assert (found, unknown) == filled(found, {"drift": result()})


@pytest.mark.parametrize(
    "text",
    ["<!--figure: a/b-->1<!--/-->", "- <!--figure: a/b-->1<!--/-->", "It is <!--figure: a/b-->1."],
)
def test_a_mark_that_would_show_is_refused(text: str) -> None:
    """At the beginning of a line a comment is a block of HTML, and one without an end is lost."""
    assert list(misplaced(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It takes 3 ms.", True),
        ("It is 40 % less.", True),
        ("It is 1.6x as long.", True),
        ("Merges took 3 times as much.", True),
        ("openai 2.x", False),
        ("It is <!--figure: a/b-->40<!--/--> % less.", False),
        ("```\n40 % less\n```", False),
    ],
)
def test_typed_figures_are_found(text: str, found: bool) -> None:  # noqa: FBT001
    """A number with a unit of measurements is found, outside marks and code."""
    assert found == bool(list(typed(text)))


def test_no_measured_figure_is_typed() -> None:
    """What looks measured in README and docs is quoted, or listed with the reason it is none."""
    allowed = tomllib.loads(ALLOWED.read_text(encoding="utf-8"))
    unlisted, used = list[str](), set[tuple[str, str]]()
    for path in pages():
        name = path.relative_to(ROOT).as_posix()
        for at, line in typed(path.read_text(encoding="utf-8")):
            reasons = [part for part in allowed.get(name, {}) if part in line]
            used |= {(name, part) for part in reasons}
            unlisted += [] if reasons else [f"{name}:{at}: {line}"]

    assert [] == unlisted
    assert used == {(name, part) for name, parts in allowed.items() for part in parts}


def test_the_documentation_is_what_the_results_give() -> None:
    """`uv run python -m benchmarks.report` would change nothing, and has nothing to complain of."""
    outcome = render(newest(RESULTS), reasons_in(RESULTS), plots=False)

    assert [] == list(outcome.problems)
    assert [] == list(outcome.differing())


def test_every_benchmark_has_a_section() -> None:
    """What the suite measures is shown, each plot in a file of its own."""
    names = [plot.name for section in SECTIONS for plot in section.plots]

    assert set(BENCHMARKS) == {section.benchmark for section in SECTIONS}
    assert len(names) == len(set(names))


def test_the_page_shows_what_fails_first_and_why() -> None:
    """A check that does not hold stands before all sections, with its reason, and in its own."""
    reasons = {"drift": {"lost | points": "The corpus is short."}}
    found = page({"drift": result(value=2.0)}, reasons)
    line = "lost \\| points | 2 | `<= 1` | The corpus is short. |"

    assert 2 == found.count(line)
    assert found.index(line) < found.index("## Drift")
    assert [] == list(unexplained({"drift": result(value=2.0)}, reasons))


def test_missing_and_stale_reasons_are_named() -> None:
    """A check may not fail without a reason, nor have one and hold."""
    assert ["drift: no reason why this fails: lost | points"] == list(
        unexplained({"drift": result(value=2.0)}, {})
    )
    assert ["drift: a reason for what holds: lost | points"] == list(
        unexplained({"drift": result()}, {"drift": {"lost | points": "Gone."}})
    )


def test_the_page_has_the_figures_and_their_references() -> None:
    """One line has the figure, its interval and its floor; without a result is no section."""
    found = page({"drift": result()}, {})

    assert "| share, k2.6 | 63.1 % | 60 to 65.5 % | 100 % | – |" in found
    assert "Every check holds." in found
    assert "## Cost" not in found


def test_rendering_twice_gives_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page and its plots depend on the results alone, and `--check` sees when they differ."""
    root = repository(tmp_path)
    arguments = ["--results", str(root / "results"), "--root", str(root)]
    code = main(arguments)
    made = {path: path.read_bytes() for path in sorted(root.rglob("docs/**/*.*"))}
    same = main([*arguments, "--check"])
    old = root / "docs" / "explanation" / "benchmarks" / "old.svg"
    old.write_text("<svg/>", encoding="utf-8")
    differs = main([*arguments, "--check"])
    main(arguments)

    assert (0, 0, 1) == (code, same, differs)
    assert {"benchmarks.md", "drift.svg"} == {path.name for path in made}
    assert made == {path: path.read_bytes() for path in sorted(root.rglob("docs/**/*.*"))}
    assert "differs: docs/explanation/benchmarks/old.svg" in capsys.readouterr().out


def test_an_unknown_figure_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page may not quote what nobody measured."""
    root = repository(tmp_path, "It is <!--figure: cost/nothing-->3<!--/--> %.\n")

    assert 1 == main(["--results", str(root / "results"), "--root", str(root)])
    assert "README.md: no result has <!--figure: cost/nothing-->" in capsys.readouterr().out


def test_colours_are_seen_on_white_and_on_black() -> None:
    """Every colour of a line has a contrast of 3 to both, that of text 4.5."""
    for colour in (*COLOURS, INK):
        light = luminance(colour)
        contrast = min(1.05 / (light + 0.05), (light + 0.05) / 0.05)

        assert contrast >= (4.5 if colour == INK else 3)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


CALLS = [
    {"messages": n, "list": "same list", "situation": "fits", "bare ms": n / 10, "hook ms": n / 99}
    for n in (10, 100)
]
TURNS = [
    {"client": "sync", "mode": mode, "p50 ms": 1.0, "p95 ms": 2.0, "max ms": 900.0}
    for mode in ("inline", "background")
]
ERRORS = [
    {"counter": "exact", "corpus": corpus, "request": at, "absolute p95": 1.0 / (at or 1)}
    for corpus in ("locomo", "zh_haystack")
    for at in (1, 20)
]
PEERS: list[dict[str, Any]] = [
    {"corpus": corpus, "budget": 6_000, "peer": peer, "title": peer, "row": "matched", "usd": usd}
    | {"recall": 60.0 if corpus == "locomo" else None, "references": 90.0}
    for corpus in ("locomo", "tau")
    for peer, usd in (("memory", 0.9), ("other", 1.8))
]
FAULTS = [{"row": "healthy", "language": "en", "in view": 40, "in reach": 40, "facts": 40}]
STRANGER = {"row": "healthy", "peer": "other", "in reach": 20, "facts": 40, "passed": False}
COST = [{"prices": "k3", "way": way, "of full history": 0.7} for way in ("full history", "memory")]
TALK = [
    {"style": style, "messages": n, "turn ms": 1.0, "$ a 1,000 turns": 1.0}
    | {"$ with full history": n / 100}
    for style in ("sync", "async")
    for n in (100, 1_000)
]


@pytest.mark.parametrize(
    ("draw", "given", "words"),
    [
        (plots.cost, {"rows": {"cost": COST}}, ("% of the cost of full history", "memory")),
        (plots.drift, {"rows": {"recall of early facts": CURVE}}, ("compactions", "rolling")),
        (plots.overhead, {"rows": {"calls": CALLS}}, ("messages", "milliseconds a call")),
        (plots.tokens, {"rows": {"errors": ERRORS}}, ("Chinese", "|error|, p95, %")),
        (
            plots.latency,
            {"rows": {"turns": TURNS}, "settings": {"summary": 1.0}},
            ("added wait of a turn, ms", "background"),
        ),
        (plots.ranges, {"figures": [{**result().report["figures"][0], "ceiling": 9}]}, ("share",)),
        (
            beside.frontier,
            {"rows": {"peers": PEERS}},
            ("USD for 1,000 requests", "recall, %", "other"),
        ),
        (beside.faults, {"rows": {"faults": FAULTS, "peers": [STRANGER]}}, ("50", "other")),
        (beside.growth, {"rows": {"talks": TALK}}, ("messages", "USD a 1,000 turns")),
    ],
)
def test_a_plot_says_what_it_shows(
    draw: Any, given: dict[str, Any], words: tuple[str, ...]
) -> None:
    """Its axes have names with units and its lines have names; it is the same when drawn again."""
    found = draw(given)

    assert [word for word in words if word not in found] == []
    assert found == draw(given)


def test_the_reasons_are_toml() -> None:
    """The file beside the results can be read."""
    assert (RESULTS / program.REASONS).is_file()
    assert isinstance(reasons_in(RESULTS), dict)
