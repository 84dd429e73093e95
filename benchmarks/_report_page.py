"""The page about benchmarks, written from the results alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks._report_numbers import ABSENT, number, quantity
from benchmarks._report_sections import SECTIONS, Plot, Section
from benchmarks._suite_results import Result

__all__ = ("PLOTS", "drawn", "page", "unexplained")

PLOTS: Final = "benchmarks"
"""The directory of the plots, beside the page."""
Reasons = Mapping[str, Mapping[str, str]]

_OPENING: Final = """\
# Benchmarks

Every figure on this page comes from a file in `benchmarks/results`; none was typed.

    uv run python -m benchmarks.suite
    uv run python -m benchmarks.report

The first command measures and keeps what came of it, the second writes this page and draws its \
plots.
No benchmark asks a model: summaries are recorded or written by deterministic stand-ins, and \
`memory.testing.FakeKimi` stands for the server.
So the figures say what this library does, and not how well a model writes.

**Floor** and **ceiling** come from the same run as the figure between them: what the simplest \
thing to do instead has, and the best there can be.
An **interval** holds the figure with 95 % confidence over conversations.
A **check** compares a figure with a bound that was written down before.
"""
_FIGURES: Final = ("figure", "measured", "95 % interval", "floor", "ceiling")
_CHECKS: Final = ("check", "measured", "has to be")


def page(results: Mapping[str, Result], reasons: Reasons) -> str:
    """Return the page.

    Args:
        results: The newest of each benchmark.
        reasons: Why checks do not hold, by benchmark and name of the check.
    """
    shown = [(section, results[section.benchmark]) for section in _present(results)]
    parts = [
        _OPENING,
        *_failing(shown, reasons),
        "## The runs\n",
        _table(("benchmark", "ended", "revision", "checks that hold"), map(_run, shown)),
        *(part for section, result in shown for part in _section(section, result, reasons)),
    ]
    return "\n".join(parts)


def _present(results: Mapping[str, Result]) -> list[Section]:
    return [section for section in SECTIONS if section.benchmark in results]


def drawn(results: Mapping[str, Result]) -> dict[str, str]:
    """Return the plots that the page shows, by the name of their file."""
    return {
        f"{plot.name}.svg": plot.draw(results[section.benchmark].report)
        for section in _present(results)
        for plot in _plots(section, results[section.benchmark])
    }


def _plots(section: Section, result: Result) -> list[Plot]:
    return [plot for plot in section.plots if result.report["rows"].get(plot.needs)]


def unexplained(results: Mapping[str, Result], reasons: Reasons) -> Iterator[str]:
    """Yield the checks that fail without a reason, and the reasons of checks that hold."""
    for name, result in results.items():
        failing = {check["name"] for check in result.failing}
        given = set(reasons.get(name, {}))
        yield from (f"{name}: no reason why this fails: {each}" for each in sorted(failing - given))
        yield from (f"{name}: a reason for what holds: {each}" for each in sorted(given - failing))


def _failing(shown: Sequence[tuple[Section, Result]], reasons: Reasons) -> Iterator[str]:
    lines = [
        (
            f"[{section.title}](#{_anchor(section.title)})",
            *_check(check),
            _text(reasons.get(section.benchmark, {}).get(check["name"], "not explained yet")),
        )
        for section, result in shown
        for check in result.failing
    ]
    yield "## What does not hold\n"
    if lines:
        yield _table(("benchmark", *_CHECKS, "reason"), lines)
    else:
        yield "Every check holds.\n"


def _section(section: Section, result: Result, reasons: Reasons) -> Iterator[str]:
    report = result.report
    yield f"## {section.title}\n"
    yield f"{section.introduction}\n"
    for plot in _plots(section, result):
        yield f"![{plot.alternative}]({PLOTS}/{plot.name}.svg)\n"
    if report["figures"]:
        yield _table(_FIGURES, map(_figure, report["figures"]))
    yield from _checked(result, reasons.get(section.benchmark, {}))
    for rows in section.rows:
        if found := report["rows"].get(rows.heading):
            yield f"<details><summary>Row by row: {rows.heading}</summary>\n"
            lines = [[_cell(row.get(name)) for name in rows.columns] for row in found]
            yield _table(rows.columns, lines)
            yield "</details>\n"
    yield f"{_where(report)}\n"


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ABSENT}[value]
    if isinstance(value, list):
        return _text(", ".join(map(str, value))) or ABSENT
    return number(value) if isinstance(value, (int, float)) else _text(str(value))


def _figure(figure: Mapping[str, Any]) -> tuple[str, ...]:
    unit, ends = figure["unit"], (figure["low"], figure["high"])
    interval = ABSENT if None in ends else f"{number(ends[0])} to {quantity(ends[1], unit)}"
    value, floor, ceiling = (quantity(figure[e], unit) for e in ("value", "floor", "ceiling"))
    return (_text(figure["name"]), value, interval, floor, ceiling)


def _checked(result: Result, reasons: Mapping[str, str]) -> Iterator[str]:
    """Yield the checks, those that do not hold first and with their reasons."""
    checks = result.report["checks"]
    if result.failing:
        lines = [(*_check(c), _text(reasons.get(c["name"], ABSENT))) for c in result.failing]
        yield f"Not all checks hold, {len(result.failing)} of {len(checks)} do not:\n"
        yield _table((*_CHECKS, "reason"), lines)
    held = [_check(check) for check in checks if check["holds"]]
    if held:
        yield f"<details><summary>Checks that hold: {len(held)} of {len(checks)}</summary>\n"
        yield _table(_CHECKS, held)
        yield "</details>\n"


def _check(check: Mapping[str, Any]) -> tuple[str, str, str]:
    bound = check["bound"]
    shown = f"{bound:,.0f}" if bound == round(bound) else f"{bound:.4g}"  # people chose it
    return (_text(check["name"]), number(check["value"]), f"`{check['op']} {shown}`")


def _run(shown: tuple[Section, Result]) -> tuple[str, ...]:
    section, result = shown
    total = len(result.report["checks"])
    title = f"[{section.title}](#{_anchor(section.title)})"
    held = f"{total - len(result.failing)} of {total}"
    return (title, result.report["date"][:10], _revision(result.report), held)


def _where(report: Mapping[str, Any]) -> str:
    """Return one line about the environment of a run."""
    found = report["environment"]
    packages = [f"{name} {v}" for name, v in sorted(found["packages"].items()) if v is not None]
    seed = "no seed" if report["seed"] is None else f"seed {report['seed']}"
    what = "A quick run, which shows nothing, " if report["quick"] else "Measured "
    return (
        f"*{what}on {report['date'][:10]} at revision {_revision(report)}, {seed}, with "
        f"{found['implementation']} {found['python']} on {found['platform']} "
        f"{found['architecture']}, {found['processors']} processors; {', '.join(packages)}.*"
    )


def _revision(report: Mapping[str, Any]) -> str:
    revision = report["revision"]
    if revision is None:
        return "unknown"
    return f"`{revision['commit'][:12]}`" + (" with changes" if revision["dirty"] else "")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _text(text: str) -> str:
    """Return a text for a cell of a table, with nothing in it that Markdown would read."""
    for mark in "\\|*_<>[]`":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _table(heads: Sequence[str], lines: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    """Return a table; its columns after the first are aligned to the right if they are figures."""
    rule = ["---" if head not in {"measured", *_FIGURES[2:]} else "---:" for head in heads]
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, rule, *lines))
