"""What `fit` would do with a conversation, message by message, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from memory.cli.output import short
from memory.counts import Counts
from memory.events import Hook
from memory.flow import Outlook
from memory.manager import ManagerOptions, MemoryManager
from memory.messages import WireMessage, head_length, split, text_of, tool_calls
from memory.meter import Tools
from memory.policy import Budget

__all__ = ("Fate", "Forecast", "Line", "gauge", "manager", "render")

TEXT = 40
"""Characters of a message that are shown where texts are asked for."""
OTHER_COLUMNS = 42
"""Columns that the other cells of a row take."""
GAUGE = 30
"""Columns of the gauge."""

Fate = Literal["head", "summarised", "dropped", "kept", "tail"]
"""What becomes of a message: it is in the head; a summary stands for it already; one would be
made for it now; it would be kept although older ones after it go; it is at the end and stays."""

_COLOURS: dict[str, str] = {
    "head": "cyan",
    "summarised": "dim",
    "dropped": "red",
    "kept": "yellow",
    "tail": "green",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One message of a forecast.

    Attributes:
        index: Its place, from 0.
        part: The part it belongs to, from 1; parts are kept or dropped whole. 0 in the head.
        role: Its role.
        tokens: What it costs.
        fate: What becomes of it.
    """

    index: int
    part: int
    role: str
    tokens: int
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What `fit` would do with a prompt.

    Attributes:
        messages: The conversation.
        model: The model it would be sent to.
        outlook: The decision.
        counts: The tokens of every message, those a summary stands for included.
        budget: The thresholds that hold for it.
        counter: What counted.
        oversize: What is done where the rest would still be too large.
    """

    messages: Sequence[WireMessage]
    model: str
    outlook: Outlook
    counts: Counts
    budget: Budget
    counter: str
    oversize: str

    @classmethod
    def of(
        cls,
        manager: MemoryManager,
        messages: Sequence[WireMessage],
        *,
        tools: Tools = (),
        model: str,
    ) -> Forecast:
        """Ask a manager.

        Raises:
            HistoryError: One of `messages` is not a mapping.
        """
        outlook = manager.plan(messages, model=model, tools=tools)
        counts = outlook.counts
        budget = manager.context().policy.thresholds(
            limit=outlook.plan.limit,
            measured=counts.measured,
            exact=counts.exact,
            cold_tools=counts.cold_tools,
        )
        return cls(
            messages=messages,
            model=model,
            outlook=outlook,
            counts=manager.count(messages, tools=tools, model=model),
            budget=budget,
            counter=manager.counter.name,
            oversize=manager.settings.oversize,
        )

    @property
    def impossible(self) -> bool:
        """Whether `fit` would raise a `BudgetError`."""
        return self.outlook.plan.missing > 0 and self.oversize == "raise"

    def lines(self) -> Iterator[Line]:
        """Yield the messages in order."""
        head = head_length(self.messages)
        parts = split(self.messages, start=head)
        numbers = {i: n for n, part in enumerate(parts, 1) for i in range(part.start, part.stop)}
        for index, message in enumerate(self.messages):
            yield Line(
                index=index,
                part=numbers.get(index, 0),
                role=str(message.get("role")),
                tokens=self.counts[index],
                fate=self._fate(index, head),
            )

    def _fate(self, index: int, head: int) -> Fate:
        record, dropped = self.outlook.record, self.outlook.dropped
        if index < head:
            return "head"
        if index in dropped:
            return "dropped"
        covered = record is not None and index - head < record.covered
        if record is not None and covered and index - head not in record.kept:
            return "summarised"
        return "kept" if covered or index < max(dropped, default=0) else "tail"

    def row(self) -> dict[str, Any]:
        """Return the forecast as a JSON object; without texts."""
        todo = self.outlook.plan
        return {
            "action": todo.action,
            "reason": todo.reason,
            "tokens": todo.tokens,
            "projected": todo.projected,
            "limit": self.budget.limit,
            "trigger": self.budget.trigger,
            "target": self.budget.target,
            "tools": self.counts.tools,
            "reply": self.counts.reply,
            "cap": todo.cap,
            "missing": todo.missing,
            "model": self.model,
            "counter": self.counter,
            "exact": self.counts.exact,
            "messages": [
                {
                    "index": line.index,
                    "part": line.part,
                    "role": line.role,
                    "tokens": line.tokens,
                    "fate": line.fate,
                }
                for line in self.lines()
            ],
        }


def manager(
    budget: int | None, *, settings: Path | None = None, hooks: Sequence[Hook] = ()
) -> MemoryManager:
    """Return a manager with this budget; with None it is that of the environment or the file.

    Args:
        budget: Prompt tokens allowed, or None.
        settings: A file of settings, or None.
        hooks: Who is told of events.

    Raises:
        ConfigError: A setting in the environment or the file is wrong.
    """
    options: ManagerOptions = {"hooks": hooks, "settings_file": settings}
    if budget is not None:
        options["budget"] = budget
    return MemoryManager(**options)


def render(console: Console, forecast: Forecast, *, show_text: bool = False) -> None:
    """Print a forecast: its messages, the thresholds, and the decision with its reason."""
    console.print(_messages(forecast, show_text=show_text, width=console.width))
    console.print(_totals(forecast))
    console.print()
    console.print(gauge(forecast))
    console.print(_decision(forecast))


def _messages(forecast: Forecast, *, show_text: bool, width: int) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("#", "part"):
        table.add_column(name, justify="right", style="dim", no_wrap=True)
    table.add_column("role", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("fate", no_wrap=True)
    if show_text:
        table.add_column("text", no_wrap=True)
    for line in forecast.lines():
        cells = [str(line.index), str(line.part or ""), escape(line.role), f"{line.tokens:,}"]
        cells.append(f"[{_COLOURS[line.fate]}]{line.fate}[/]")
        if show_text:
            text = Text(_beginning(forecast.messages[line.index]))
            text.truncate(max(10, width - OTHER_COLUMNS), overflow="ellipsis")
            table.add_row(*cells, text)
        else:
            table.add_row(*cells)
    return table


def _beginning(message: WireMessage) -> str:
    calls = (call.get("function") for call in tool_calls(message))
    names = (str(each.get("name")) for each in calls if isinstance(each, dict))
    called = "".join(f" → {name}()" for name in names)
    return short(f"{text_of(message)}{called}", TEXT)


def _totals(forecast: Forecast) -> str:
    counts = forecast.counts
    known = "exact" if counts.exact else "estimated"
    return (
        f"\n[dim]tools {counts.tools:,} · opening of the reply {counts.reply} · {known}: "
        f"{escape(forecast.counter)} · {escape(forecast.model)}[/]"
    )


def _decision(forecast: Forecast) -> str:
    todo, budget = forecast.outlook.plan, forecast.budget
    facts = f"limit {budget.limit:,} · trigger {budget.trigger:,} · target {budget.target:,}"
    if forecast.impossible:
        what = f"[bold red]impossible[/]: {todo.missing:,} tokens too many that may not be dropped"
    elif todo.action == "send":
        what = f"[bold green]send as it is[/]: {todo.reason}"
    else:
        what = (
            f"[bold yellow]compact[/]: {todo.reason}; {len(forecast.outlook.dropped)} messages "
            f"become at most {todo.cap:,} tokens, the prompt about {todo.projected:,}"
        )
    return f"{what}\n[dim]{facts}[/]"


def gauge(forecast: Forecast) -> Text:
    """Return a bar of the tokens of the next prompt against its limit, with the figures."""
    tokens, limit = forecast.outlook.plan.tokens, forecast.budget.limit
    share = tokens / limit
    filled = min(GAUGE, round(share * GAUGE))
    full = tokens > forecast.budget.trigger
    colour = "red" if tokens > limit else "yellow" if full else "green"
    bar = Text("█" * filled, style=colour).append("░" * (GAUGE - filled), style="dim")
    bar.append(f" {tokens:,} of {limit:,} tokens, {share:.0%}", style="default")
    return bar
