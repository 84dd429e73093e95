"""What the page about benchmarks says of each: what was asked, and what floor and ceiling mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import (
    _report_plots,
    _report_plots_defaults,
    _report_plots_peers,
    _report_plots_recall,
)

__all__ = ("SECTIONS", "Plot", "Rows", "Section")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One plot of a benchmark.

    Attributes:
        name: Of its file, without the ending.
        alternative: What it shows, for those who do not see it.
        draw: Makes the SVG from the report.
        needs: The heading of the rows that it is drawn from; without those it is left out.
    """

    name: str
    alternative: str
    draw: Callable[[Mapping[str, Any]], str]
    needs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a benchmark that the page shows as a table.

    Attributes:
        heading: Of the rows.
        columns: Which columns, as they are called there.
    """

    heading: str
    columns: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One benchmark on the page.

    Attributes:
        benchmark: Its name.
        title: The heading.
        introduction: What was asked, how, and what the references are.
        plots: What is drawn.
        rows: What is shown row by row.
    """

    benchmark: str
    title: str
    introduction: str
    plots: Sequence[Plot] = ()
    rows: Sequence[Rows] = ()


SECTIONS: Final = (
    Section(
        benchmark="peers",
        title="Beside other libraries",
        introduction="""\
What does a conversation cost, and what is still known of it, if another library does the same?
Every peer gets the same conversations, the same budget, the same summaries and the same server, \
and counts with the same vocabulary where it lets us.
The floor is what the last messages alone have, the ceiling is full history.""",
        plots=(
            Plot(
                name="peers",
                alternative="Recall against cost of each library, by corpus and budget",
                draw=_report_plots_peers.frontier,
                needs="peers",
            ),
        ),
        rows=(
            Rows(
                heading="peers",
                columns=(
                    *("corpus", "budget", "row", "peer", "conversations", "recall", "late recall"),
                    *("references", "usd", "cached share", "summary calls", "rejected"),
                    *("over budget", "failed", "ahead", "ahead low", "ahead high"),
                ),
            ),
            Rows(heading="settings", columns=("peer", "version", "matched", "defaults")),
        ),
    ),
    Section(
        benchmark="quality",
        title="Quality",
        introduction="""\
What does the model still see of what it will be asked, of the wishes it was given, and of the \
values it has to pass to tools?
Real conversations run at the defaults with deterministic summarisers.
The floor is a window of the last messages with the same budget, the ceiling is full history.""",
        plots=(
            Plot(
                name="quality",
                alternative="Recall between the floor and the ceiling, with intervals",
                draw=_report_plots.ranges,
                needs="recall, LoCoMo",
            ),
        ),
    ),
    Section(
        benchmark="recall",
        title="Recall",
        introduction="""\
What comes back of what was compacted, and what does it cost?
Recorded conversations run with `recall="auto"`, and every question about them is appended as the \
last message; what is sent for it is searched for its answer or its evidence.
The floor is the latest messages that the budget has room for, the ceiling the full text; random \
snippets are as many tokens of other originals in the place of those recalled.
The share of the budget is measured on a part of the conversations.""",
        plots=(
            Plot(
                name="recall",
                alternative="What is found with recall, beside chance, floor and ceiling",
                draw=_report_plots_recall.beside,
                needs="recall",
            ),
            Plot(
                name="recall-share",
                alternative="What is found by the share of the budget, one line a corpus",
                draw=_report_plots_recall.shares,
                needs="share of the budget",
            ),
        ),
        rows=(
            Rows(
                heading="recall",
                columns=(
                    *("corpus", "budget", "settings", "reading", "sent", "last n"),
                    *("random turns", "random snippets", "full", "probes"),
                ),
            ),
            Rows(
                heading="kinds of questions",
                columns=(
                    *("corpus", "settings", "kind", "sent", "last n", "random snippets"),
                    *("full", "probes"),
                ),
            ),
            Rows(
                heading="what was sent",
                columns=(
                    *("corpus", "settings", "conversations", "with snippets", "compactions"),
                    *("questions", "questions with snippets", "tokens", "of them snippets"),
                    *("passages", "questions that compact"),
                ),
            ),
            Rows(
                heading="cost",
                columns=(
                    *("recall", "requests", "USD / 1,000", "cached", "with a snippet"),
                    *("tokens of a snippet", "compactions", "summaries"),
                ),
            ),
        ),
    ),
    Section(
        benchmark="cost",
        title="Cost",
        introduction="""\
What does a long conversation with tools cost, summaries included?
Recorded runs are sent turn by turn to a server that bills as Kimi does, cached tokens too.
The floor is full history, which anybody can send.
For cached tokens the floor is a sliding window and the ceiling full history.""",
        plots=(
            Plot(
                name="cost",
                alternative="Cost of each way to send a conversation, as a share of full history",
                draw=_report_plots.cost,
                needs="cost",
            ),
        ),
    ),
    Section(
        benchmark="latency",
        title="Hidden latency",
        introduction="""\
How long does a turn wait for a summary?
The same conversation is sent with summaries inline and in the background, to a server that takes \
ten times as long for a summary as for a reply.
The figures are of the background; the floor is the same inline, the ceiling is no wait.""",
        plots=(
            Plot(
                name="latency",
                alternative="Added wait of turns, inline and in the background",
                draw=_report_plots.latency,
                needs="turns",
            ),
        ),
    ),
    Section(
        benchmark="faults",
        title="Faults",
        introduction="""\
What is lost when the summariser, the store or the caller fails?
Each row is a conversation in which one thing is wrong and every turn states a fact.
*In view* are the facts that the last request shows; *in reach* are those and what the originals \
behind the notes show.
The floor is a sliding window, the ceiling is every fact.""",
        plots=(
            Plot(
                name="faults",
                alternative="Share of facts left in each failure",
                draw=_report_plots_peers.faults,
                needs="faults",
            ),
        ),
        rows=(
            Rows(
                heading="standings", columns=("peer", "version", "rows passed", "of", "not passed")
            ),
            Rows(
                heading="peers",
                columns=(
                    *("row", "language", "peer", "passed", "turns failed", "largest request"),
                    *("over budget", "rejected", "in view", "in reach"),
                    *("last user message missing", "requests to the summariser"),
                ),
            ),
        ),
    ),
    Section(
        benchmark="drift",
        title="Drift",
        introduction="""\
How much of the beginning does each further compaction take away?
Chats are compacted ten times, and what is asked of their first tenth is looked for each time.
The floor of the loss is a rolling summary, that of the recall an empty one; the ceiling is the \
full text.""",
        plots=(
            Plot(
                name="drift",
                alternative="Recall of early facts after each compaction",
                draw=_report_plots.drift,
                needs="recall of early facts",
            ),
        ),
    ),
    Section(
        benchmark="tokens",
        title="Counting",
        introduction="""\
How far is a predicted number of prompt tokens from what the server counts?
Real conversations are sent request by request; the errors are those made before each.
The floor is a counter that never learns, the ceiling is no error.
In the plot a panel shows the worst of its corpora.""",
        plots=(
            Plot(
                name="tokens",
                alternative="Error of predicted tokens by request and language",
                draw=_report_plots.tokens,
                needs="errors",
            ),
        ),
    ),
    Section(
        benchmark="overhead",
        title="Overhead",
        introduction="""\
How much time does the library itself add to a call?
The server answers at once, so a bare call is what the SDK needs.
Where a floor stands, it is that bare call.""",
        plots=(
            Plot(
                name="overhead",
                alternative="Milliseconds of a call by messages, with and without a memory",
                draw=_report_plots.overhead,
                needs="calls",
            ),
        ),
        rows=(
            Rows(
                heading="a turn beside others",
                columns=(
                    *("messages", "library", "function", "budget", "turn ms", "first ms"),
                    *("error absolute p50 %", "error absolute p95 %"),
                ),
            ),
            Rows(
                heading="errors of whole prompts in %",
                columns=(
                    *("library", "corpus", "requests", "signed p50", "signed p95"),
                    *("absolute p50", "absolute p95"),
                ),
            ),
        ),
    ),
    Section(
        benchmark="stores",
        title="Stores",
        introduction="""\
What does an append cost, and what the load of a long conversation?
The floor of an append is a bare insert of the same rows by the same driver, that of a load is \
parsing the same data.""",
    ),
    Section(
        benchmark="scale",
        title="Scale",
        introduction="""\
How do time and memory grow with the number of messages, conversations and users?""",
        plots=(
            Plot(
                name="scale",
                alternative="Cost and time of a turn by the messages of its conversation",
                draw=_report_plots_peers.growth,
                needs="talks",
            ),
        ),
    ),
    Section(
        benchmark="defaults",
        title="Defaults",
        introduction="""\
Which settings know most for their price, and how far is the best from the defaults?
Four corpora are replayed at the same points, with summaries by the offline extractor; \
[why the defaults are what they are](defaults.md) follows from it.
Recall is an average over all turns.
The floor is the latest messages alone, the ceiling is full history.
In the plot a number is the target in percent; points of one target differ in another setting.""",
        plots=(
            Plot(
                name="defaults",
                alternative="Recall against cost at every point, one panel a corpus",
                draw=_report_plots_defaults.knees,
                needs="points",
            ),
        ),
        rows=(
            Rows(
                heading="knees",
                columns=(
                    *("corpus", "knee", "USD of full history", "way to the ceiling"),
                    *("defaults, USD of full history", "defaults, way to the ceiling"),
                ),
            ),
        ),
    ),
    Section(
        benchmark="injection",
        title="Injection",
        introduction="""\
Can anything in a conversation pass itself off as an instruction in its own notes?
Hostile transcripts are compacted several times, and a strict reader takes every request apart.
The floor is the same text without escapes and without a gate, the ceiling is none.""",
    ),
    Section(
        benchmark="extractive",
        title="The offline summary",
        introduction="""\
How much of what is asked later is in a summary that no model wrote?
The floor is the best of what costs nothing, of the same size: first, last or random sentences.
The ceiling is the full text.""",
        plots=(
            Plot(
                name="extractive",
                alternative="Recall of offline summaries between the floor and the ceiling",
                draw=_report_plots.ranges,
                needs="recall",
            ),
        ),
    ),
    Section(
        benchmark="violations",
        title="Promises elsewhere",
        introduction="""\
Which of [our promises](promises-elsewhere.md) do other libraries keep?
That page has the figures; here is only when it was measured.""",
    ),
)
"""In the order of the page."""
