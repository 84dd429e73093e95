"""What `chat` shows: replies as they come, compactions as they happen, a gauge of tokens."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from openai import OpenAI
from rich.markup import escape
from rich.panel import Panel
from rich.status import Status
from rich.text import Text

from memory import events
from memory.cli.endpoint import Endpoint
from memory.cli.forecast import gauge, render
from memory.cli.output import CommandError, Output
from memory.cli.talk import Said, Talk

__all__ = ("Chat", "find_endpoint")

COMMANDS = ("/plan", "/tokens", "/notes", "/quit")


def find_endpoint(out: Output, base_url: str | None) -> Endpoint | None:
    """Return the real API if there is a key for it; else say so, and return None for the fake.

    Raises:
        CommandError: There is no key for the base URL that was asked for.
    """
    try:
        return Endpoint.find(base_url)
    except CommandError:
        if base_url is not None:
            raise
        out.aside.print("[yellow]no key: a fake Kimi on this machine answers[/]")
        return None


class Watch:
    """A hook that shows what the memory does.

    Attributes:
        compactions: How many there were.
    """

    def __init__(self, out: Output) -> None:
        self.compactions = 0
        self.status = Status("…", console=out.aside)
        self._out = out
        self._messages = 0
        self._tokens = 0

    def __call__(self, event: events.Event) -> None:
        """Show an event, where it is one that people want to see."""
        match event:
            case events.Summarizing(messages=messages, tokens=tokens):
                self._messages = messages
                self.status.update(f"compacting… {messages} messages of {tokens:,} tokens")
            case events.Accepted(tokens=tokens):
                self._tokens = tokens
            case events.FellBack(reason=reason):
                self._print(f"[yellow]written offline: {escape(reason)}[/]")
            case events.Compacted(paid=True, tokens_before=before, tokens_after=after):
                self.compactions += 1
                self._print(
                    f"[yellow]compacting… {self._messages} messages → {self._tokens:,} tokens[/] "
                    f"[dim](prompt {before:,} → {after:,})[/]"
                )
            case events.CounterChosen(exact=False, name=name):
                self._print(f"[dim]tokens are estimated: {escape(name)}[/]")
            case events.Failed(error=error):
                self._print(f"[red]the memory failed: {error}[/]")

    def _print(self, text: str) -> None:
        self.status.stop()  # two consoles, one terminal
        self._out.console.print(text)
        self.status.start()


class Chat:
    """The loop of a chat.

    Args:
        out: Where to show it.
        client: Whom to ask; without memory.
        budget: Prompt tokens allowed; None for the window.
        model: The model to ask for.
        system: The system prompt, or None.
        settings: A file of settings, or None.
    """

    def __init__(
        self,
        out: Output,
        client: OpenAI,
        *,
        budget: int | None,
        model: str,
        system: str | None,
        settings: Path | None = None,
    ) -> None:
        self.failed = 0
        self._turns = 0
        self._out = out
        self._watch = Watch(out)
        self._talk = Talk(
            client,
            model=model,
            budget=budget,
            system=system,
            hooks=(self._watch,),
            settings=settings,
        )

    def converse(self) -> None:
        """Take turns until `/quit` or the end of input."""
        self._out.console.print(f"[dim]{self._talk.model} · {' '.join(COMMANDS)}[/]")
        for line in _lines(self._out):
            if line == "/quit":
                break
            if line.startswith("/"):
                self._command(line)
            else:
                self._turn(line)
        figures = self._figures()
        turns = {"turns": figures.pop("turn"), "failed": self.failed, "model": self._talk.model}
        self._out.result(turns | figures)

    def _turn(self, line: str) -> None:
        self._turns += 1
        self._watch.status.update("…")
        self._watch.status.start()
        try:
            said = self._talk.say(line, on_text=self._printer())
        except CommandError as error:
            self._fail(str(error))
        else:
            self._close(said)
        finally:
            self._watch.status.stop()

    def _printer(self) -> Callable[[str], None]:
        """Return what prints the pieces of one reply, the first after a label."""
        console, status = self._out.console, self._watch.status
        labels = iter(["kimi ›"])

        def on_text(text: str) -> None:
            for label in labels:
                status.stop()
                console.print(f"[bold cyan]{label}[/] ", end="")
            console.print(Text(text), end="", soft_wrap=True)

        return on_text

    def _close(self, said: Said) -> None:
        """End a reply: say what became of it, and how full the prompt is."""
        self._watch.status.stop()
        console = self._out.console
        console.print("" if said.finish_reason else " [red]✗ broken off[/]")
        if not said.text:
            console.print("[yellow]no reply; your message is not part of the conversation[/]")
        self._gauge()
        self._out.result({**self._figures(), **_reply(said)})

    def _fail(self, message: str) -> None:
        self.failed += 1
        self._out.aside.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
        self._out.result({"turn": self._turns, "error": message})

    def _figures(self) -> dict[str, Any]:
        forecast = self._talk.forecast()
        return {
            "turn": self._turns,
            "tokens": forecast.outlook.plan.tokens,
            "limit": forecast.budget.limit,
            "compactions": self._watch.compactions,
            "messages": len(self._talk.messages),
        }

    def _gauge(self) -> None:
        forecast = self._talk.forecast()
        due = " · the next turn compacts" if forecast.outlook.plan.action == "compact" else ""
        self._out.console.print(gauge(forecast).append(due, style="yellow"))

    def _command(self, line: str) -> None:
        result: dict[str, Any] = {"command": line}
        forecast = self._talk.forecast()
        if line == "/plan":
            render(self._out.console, forecast)
            result |= forecast.row()
        elif line == "/tokens":
            self._gauge()
            result |= self._figures()
        elif line == "/notes":
            result["notes"] = notes = self._talk.notes()
            self._out.console.print(_panel(notes))
        else:
            result["error"] = f"no such command; there are {' '.join(COMMANDS)}"
            self._out.aside.print(f"[yellow]{result['error']}[/]")
        self._out.result(result)


def _reply(said: Said) -> dict[str, Any]:
    return {
        "reply": said.text,
        "finish_reason": said.finish_reason,
        "prompt_tokens": said.prompt_tokens,
    }


def _panel(notes: str | None) -> Panel | str:
    if notes is None:
        return "[dim]nothing has been left out yet[/]"
    return Panel(Text(notes), border_style="dim", title="stands for what is no longer sent")


def _lines(out: Output) -> Iterator[str]:
    """Yield what the user enters, without blank lines, until the end of input."""
    interactive = sys.stdin.isatty() and not out.as_json
    if interactive:
        with suppress(ImportError):
            importlib.import_module("readline")  # gives `input` editing and history
    while True:
        try:
            line = input("\nyou › " if interactive else "").strip()
        except EOFError:
            if interactive:
                out.console.print()
            return
        except KeyboardInterrupt:
            out.aside.print("\n[dim]/quit or the end of input ends[/]")
            continue
        if line:
            if not interactive:
                out.console.print(f"\n[bold]you ›[/] {escape(line)}", soft_wrap=True)
            yield line
