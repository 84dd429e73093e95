"""What a study came to, as files: plots, a page that holds everything, and the settings."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from memory.tuning.plots import PLOTS, Plot, draw
from memory.tuning.settings_file import chosen_settings
from memory.tuning.study import Study, Trial
from memory.tuning.words import (
    BEST,
    ceiling_of,
    dollars,
    first_of,
    floors_of,
    marks_of,
    names_of,
    percent,
    recall_of,
    seconds,
    settings_of,
    stood_in,
)

__all__ = ("REPORT", "SETTINGS", "Written", "report", "write")

REPORT: Final = "report.html"
"""The name of the page."""
SETTINGS: Final = "settings.toml"
"""The name of the file of settings."""

_COLUMNS: Final = (
    "dollars for 1,000 turns",
    "recall (95 %)",
    "wait, median",
    "wait, 95th percentile",
    "cached",
    "tokens a turn",
    "largest",
    "summaries",
    "refused or too large",
)
_STYLE: Final = """
:root { color-scheme: light dark; --paper: #fff; --ink: #222; --dim: #5a5a5a; --line: #ddd;
  --mark: #e8f1fa; }
@media (prefers-color-scheme: dark) { :root { --paper: #1b1d21; --ink: #e4e4e4; --dim: #a8abb2;
  --line: #3a3d44; --mark: #24364a; } }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { line-height: 1.2; }
h2 { margin-top: 2.5rem; }
figure { margin: 1.5rem 0; }
figure img { display: block; width: 100%; min-width: 36rem; height: auto; }
figcaption, .remark { color: var(--dim); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--dim); padding-bottom: .5rem; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; white-space: nowrap; }
thead th { white-space: normal; vertical-align: bottom; }
td.words, th.words { text-align: left; white-space: normal; }
tbody th.words { font-weight: 400; min-width: 10rem; }
td.interval { white-space: normal; min-width: 7.5rem; }
tr.chosen { background: var(--mark); }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); font-size: .85rem; }
dt { font-weight: 600; margin-top: .6rem; }
dd { margin: 0; }
"""
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files of a study.

    Attributes:
        report: The page.
        settings: The settings that were chosen.
        plots: The plots, in the order of the page.
    """

    report: Path
    settings: Path
    plots: Sequence[Path]


def write(study: Study, folder: Path, *, command: str) -> Written:
    """Write the files of a study into a directory, over those of an earlier one.

    The same study and command make the same bytes.

    Args:
        study: What was measured.
        folder: The directory; made where there is none.
        command: How to measure it again.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the message says how to install it.
        OSError: They cannot be written.
    """
    drawn = [draw(plot, study) for plot in PLOTS]
    page = report(study, drawn, command=command)
    folder.mkdir(parents=True, exist_ok=True)
    plots = [folder / f"{plot.name}.png" for plot in PLOTS]
    for path, image in zip(plots, drawn, strict=True):
        path.write_bytes(image)
    settings = folder / SETTINGS
    settings.write_text(chosen_settings(study), encoding="utf-8", newline="\n")
    written = folder / REPORT
    written.write_text(page, encoding="utf-8", newline="\n")
    return Written(report=written, settings=settings, plots=plots)


def report(study: Study, drawn: Sequence[bytes], *, command: str) -> str:
    """Return the page of a study: one file of HTML that needs nothing else.

    Args:
        study: What was measured.
        drawn: The plots for a light page, in the order of `PLOTS`.
        command: How to measure it again.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figures = "".join(
        _figure(plot, light, draw(plot, study, dark=True))
        for plot, light in zip(PLOTS, drawn, strict=True)
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>Settings for {_text(names_of(study.files))}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Settings for {_text(names_of(study.files))}</h1>
{_summary(study)}
<h2>The settings file</h2>
<pre tabindex="0"><code>{_text(chosen_settings(study))}</code></pre>
<h2>Plots</h2>
{figures}
<h2>Combinations that none beats</h2>
{_best(study)}
<h2>Without a memory</h2>
{_references(study)}
<h2>How it was measured</h2>
{_method(study)}
<h2>Again</h2>
<pre tabindex="0"><code>{_text(command)}</code></pre>
<h2>All combinations</h2>
<details>
<summary>{len(study.trials):,} combinations, in the order of the grid</summary>
{_all(study)}
</details>
</main>
</body>
</html>
"""


def _summary(study: Study) -> str:
    chosen, usual = study.trials[study.chosen], study.trials[0]
    first = first_of(study)
    same = f"These are the {first}." if study.chosen == 0 else f"The {first}: {_brief(usual)}."
    stood = (
        "<p><strong>Summaries were written by the offline stand-in, not by a model.</strong> "
        "What recall would be with the summaries of a model is not known from this.</p>"
        if stood_in(study)
        else ""
    )
    return (
        f"<p>Chosen for {BEST[study.prefer]}: "
        f"<strong>{_text(settings_of(chosen.settings))}</strong>.</p>"
        f"<p>{_text(_brief(chosen))}. {_text(same)}</p>{stood}"
    )


def _brief(trial: Trial) -> str:
    return (
        f"{dollars(trial.usd_per_1000)} for 1,000 turns, recall {recall_of(trial)}, "
        f"{seconds(trial.wait_p95)} wait at the 95th percentile"
    )


def _figure(plot: Plot, light: bytes, dark: bytes) -> str:
    return (
        f'<figure><div class="wide" role="region" tabindex="0" aria-label="{_text(plot.title)}">'
        "<picture>"
        f'<source media="(prefers-color-scheme: dark)" srcset="{_data(dark)}">'
        f'<img src="{_data(light)}" alt="{_text(f"{plot.title}. {plot.text}")}">'
        f"</picture></div><figcaption>{_text(plot.text)}</figcaption></figure>\n"
    )


def _best(study: Study) -> str:
    rows = [(str(number), place) for number, place in enumerate(study.pareto, 1)]
    special = dict.fromkeys((study.chosen, study.knee, 0))
    rows += [("", place) for place in special if place not in study.pareto]
    remark = (
        "None of the numbered ones is beaten in dollars, recall and wait at once; the cheapest "
        "first. At the knee more dollars begin to buy little recall."
    )
    return _trials(study, rows, "By rising dollars", remark)


def _all(study: Study) -> str:
    rows = [(str(place + 1), place) for place in range(len(study.trials))]
    return _trials(study, rows, "All trials", "The first stands for what the grid starts from.")


def _trials(study: Study, rows: Iterable[tuple[str, int]], name: str, remark: str) -> str:
    body = "".join(
        _row(
            study.trials[place],
            number,
            ", ".join(marks_of(study, place)),
            settings_of(study.trials[place].settings),
        )
        for number, place in rows
    )
    return _table(("#", "marked", "settings", *_COLUMNS), body, name, remark)


def _references(study: Study) -> str:
    top = ceiling_of(study)
    ends = [] if top is None else [(top, "ceiling of recall")]
    ends += [(each, "floor of recall") for each in floors_of(study)]
    body = "".join(_row(each.trial, "", end, each.name) for each, end in ends)
    remark = "The same conversations without a memory: the ends of the scale."
    return _table(("#", "end", "what is sent", *_COLUMNS), body, "Ends of the scale", remark)


def _table(columns: Sequence[str], body: str, name: str, remark: str) -> str:
    words = {1, 2}
    heads = "".join(
        f'<th scope="col"{_class(place in words)}>{_text(column)}</th>'
        for place, column in enumerate(columns)
    )
    return (
        f'<p class="remark">{_text(remark)}</p>'
        f'<div class="wide" role="region" tabindex="0" aria-label="{_text(name)}">'
        f"<table><caption>{_text(name)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(trial: Trial, number: str, mark: str, name: str) -> str:
    cells = (
        dollars(trial.usd_per_1000),
        recall_of(trial),
        seconds(trial.wait_p50),
        seconds(trial.wait_p95),
        percent(trial.cached_share),
        f"{trial.tokens:,.0f}",
        f"{trial.largest:,}",
        f"{trial.summaries:,}",
        f"{trial.rejected + trial.over_budget + trial.too_large:,}",
    )
    chosen = ' class="chosen"' if "chosen" in mark else ""
    return (
        f'<tr{chosen}><td>{_text(number)}</td><td class="words">{_text(mark)}</td>'
        f'<th scope="row" class="words">{_text(name)}</th>'
        + "".join(f"<td{_interval(cell)}>{_text(cell)}</td>" for cell in cells)
        + "</tr>\n"
    )


def _method(study: Study) -> str:
    skipped = f"; {study.skipped:,} more were not tried" if study.skipped else ""
    facts = (
        ("Conversations", f"{study.conversations:,}, of {names_of(study.files)}"),
        ("Combinations", f"{len(study.trials):,}{skipped}; seed {study.seed}"),
        ("Recall is of", study.recall_of),
        ("Summaries by", study.summarizer),
        ("Model", study.model),
        ("Prices", study.prices),
        ("Chosen for", BEST[study.prefer]),
    )
    items = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts)
    return f"<dl>{items}</dl>"


def _interval(cell: str) -> str:
    return ' class="interval"' if cell.endswith(")") else ""


def _class(words: bool) -> str:  # noqa: FBT001  # one argument says it all
    return ' class="words"' if words else ""


def _data(image: bytes) -> str:
    return f"data:image/png;base64,{b64encode(image).decode('ascii')}"


def _text(text: str) -> str:
    """Return a text as HTML; half of a character, which no file can have, is replaced."""
    return escape(text.encode("utf-8", "replace").decode("utf-8"))
