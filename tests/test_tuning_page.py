"""What a study is written to: plots, a page of its own, and the settings."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from studies import study, trial

from memory.config import Settings
from memory.tuning.page import Written, report, write
from memory.tuning.plots import PLOTS, draw
from memory.tuning.study import Reference, Study

COMMAND = "kimi-memory tune chats.jsonl --budget 16000 --budget 32000"
PNG = b"\x89PNG\r\n\x1a\n"
VOID = {"meta", "img", "source", "br"}


class Page(HTMLParser):
    """The elements of a page, and whether each is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert [] == self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last."""
        assert tag == self._open.pop()

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def text(self) -> str:
        """All texts, with single spaces."""
        return " ".join(" ".join(self.words).split())


def paged(made: Study) -> Page:
    """Return the page of a study, with plots that nobody looks at."""
    return Page(report(made, [PNG] * len(PLOTS), command=COMMAND))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Write a study once for several tests."""
    return write(study(), tmp_path_factory.mktemp("tune") / "new", command=COMMAND)


@pytest.fixture(scope="module")
def page(written: Written) -> Page:
    """Return the page of that study."""
    return Page(written.report.read_text(encoding="utf-8"))


def test_all_files_are_written(written: Written) -> None:
    """Four plots, a page and the settings, in one directory."""
    names = {path.name for path in written.report.parent.iterdir()}

    assert {"report.html", "settings.toml", *(f"{plot.name}.png" for plot in PLOTS)} == names
    assert all(path.read_bytes().startswith(PNG) for path in written.plots)


def test_the_settings_are_those_of_the_chosen_trial(written: Written) -> None:
    """A manager can be made from the file."""
    made = study()

    found = Settings.resolve({}, environ={}, file=written.settings)

    assert Settings(**made.trials[made.chosen].settings) == found


def test_the_same_study_is_the_same_bytes(written: Written, tmp_path: Path) -> None:
    """Nothing in the files depends on when, where or how often they are written."""
    again = write(study(), tmp_path, command=COMMAND)

    before = {path.name: path.read_bytes() for path in written.report.parent.iterdir()}
    assert before == {path.name: path.read_bytes() for path in again.report.parent.iterdir()}


def test_the_style_of_whoever_runs_it_changes_no_plot(written: Written) -> None:
    """Nor does a plot change the style."""
    import matplotlib as mpl  # noqa: PLC0415  # slow

    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9}):
        drawn = draw(PLOTS[0], study())
        kept = mpl.rcParams["font.size"]

    assert (30, written.plots[0].read_bytes()) == (kept, drawn)


def test_the_page_needs_nothing_else(page: Page) -> None:
    """No script, no font, no picture from elsewhere."""
    sources = [image["src"] or "" for image in page.all("img")]
    sources += [source["srcset"] or "" for source in page.all("source")]

    assert {"script", "link", "iframe"}.isdisjoint(name for name, _ in page.found)
    assert 2 * len(PLOTS) == len(sources)
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_the_page_says_what_has_to_be_known(page: Page) -> None:
    """What recall is of, who wrote summaries, prices, both ends, the file, the command."""
    for part in (
        "names, numbers and dates that come up again later",
        "written by the offline stand-in, not by a model",
        "price list of 2026-11-23",
        "ceiling of recall",
        "floor of recall",
        "target = 0.65 # default 0.45",
        COMMAND,
        "a balance of cost, recall and wait",
        "3 more were not tried",
    ):
        assert part in page.text


def test_the_page_marks_chosen_knee_and_defaults(page: Page) -> None:
    """Each in the row of its trial."""
    rows = re.findall(r"(chosen|knee|defaults) (budget \d+,\d+(?:, target [\d.]+)?)", page.text)

    assert ("chosen", "budget 16,000, target 0.65") in rows
    assert ("knee", "budget 16,000, target 0.55") in rows
    assert ("defaults", "budget 16,000") in rows


def test_the_page_can_be_read_without_seeing_it(page: Page) -> None:
    """Pictures have texts, tables have captions and heads, and the language is known."""
    tables = len(page.all("table"))

    assert all(len(image["alt"] or "") > 20 for image in page.all("img"))
    assert (3, tables) == (tables, len(page.all("caption")))
    assert {"col", "row"} == {head["scope"] for head in page.all("th")}
    assert [{"lang": "en"}] == page.all("html")


def test_a_page_of_model_summaries_says_nothing_of_a_stand_in() -> None:
    """The remark is for the offline stand-in alone."""
    assert "stand-in" not in paged(study(summarizer="kimi-k2.6, live")).text


def test_texts_of_others_stay_texts() -> None:
    """Names of files and texts among the settings are no HTML, whatever is in them."""
    nasty = "<script>alert('x')</script>&amp;\"\ud83d"
    settings = {"budget": 900, "summary_prompt": "<b>now</b>"}
    made = study(trials=[trial(settings)], pareto=[0], knee=0, chosen=0)

    found = paged(replace(made, files=(nasty,), recall_of=nasty, model=nasty))

    assert [] == found.all("script")
    assert [] == found.all("b")
    assert "<script>alert('x')</script>&amp;" in found.text
    assert "<b>now</b>" in found.text


def test_a_chosen_trial_that_others_beat_is_in_the_table() -> None:
    """It has no number."""
    found = paged(study(pareto=[3], knee=3, chosen=5))

    assert "1 knee budget 16,000, target 0.55" in found.text
    assert "chosen budget 16,000, target 0.7" in found.text


def few(**changes: Any) -> Study:
    """Return a study of one trial without turns, references or a budget."""
    alone = trial({}, recall=0.0)
    return study(trials=[alone], references=(), pareto=[0], knee=0, chosen=0, skipped=0, **changes)


def many() -> Study:
    """Return a study whose history is far larger than the budget, with a floor for each one."""
    made = study()
    trials = [*made.trials[:-1], replace(made.trials[-1], wait_p95=90.0)]
    huge = trial({}, recall=1.0, course=[0, 400_000, 900_000])
    floors = [trial({"budget": budget}, recall=0.2) for budget in (16_000, 32_000)]
    ends = [("full history", huge), *(("last messages", each) for each in floors)]
    references = [Reference(name=name, trial=each) for name, each in ends]
    return replace(made, trials=trials, references=references)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
@pytest.mark.parametrize("made", [few(), many()], ids=["few", "many"])
def test_any_study_can_be_drawn(plot: Any, made: Study) -> None:
    """With next to nothing in it, and with figures that lie far apart."""
    assert draw(plot, made).startswith(PNG)


def test_without_matplotlib_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And nothing is written."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(ImportError, match=r"pip install 'kimi-memory\[tune\]'"):
        write(study(), tmp_path / "out", command="")

    assert not (tmp_path / "out").exists()
