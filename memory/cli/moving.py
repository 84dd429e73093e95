"""What `export` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from memory.cli.files import written
from memory.cli.output import CommandError, NothingError, Output, plain
from memory.cli.stored import found, label
from memory.errors import StoreError
from memory.manager import MemoryManager
from memory.records import Entry

__all__ = ("Export",)

PAGE = 100
"""Conversations that are looked up at once."""


class Export:
    """One run of `export`.

    Args:
        out: Where to tell of it.
        manager: In whose store.
        messages_only: Whether summaries are left out.
        output: Where to write; None, or `-`, for standard output.
        force: Whether that file may be replaced.

    Attributes:
        failed: The conversations that could not be read.
    """

    def __init__(
        self,
        out: Output,
        manager: MemoryManager,
        *,
        messages_only: bool,
        output: Path | None,
        force: bool,
    ) -> None:
        self.failed: list[dict[str, str]] = []
        self._out = out
        self._manager = manager
        self._messages_only = messages_only
        self._output = None if output is None or str(output) == "-" else output
        self._force = force
        self._exported: list[Any] = []
        self._conversations = 0
        self._messages = 0

    def one(self, name: str | None, user: str | None) -> None:
        """Export one conversation.

        Raises:
            CommandError: None is named, or the file is there already.
            NothingError: There is none of that name.
            StoreError: It cannot be read.
        """
        if name is None:
            raise CommandError("name a conversation, or give --all")
        exported = found(self._manager, name, user).talk.export()
        with self._sink() as put:
            put(self._counted(exported, self._form(exported)))
        self._report()

    def all(self, name: str | None, user: str | None) -> None:
        """Export all conversations, of one user where one is given.

        Raises:
            CommandError: A conversation is named as well, or the file is there already.
            NothingError: There are none.
            StoreError: They cannot be listed.
        """
        if name is not None:
            raise CommandError(f"either --all or {plain(name)}")
        with self._sink() as put:
            for entry in self._entries(user):
                self._try(entry, put)
            if not self._conversations and not self.failed:
                raise NothingError("there is no conversation")
        self._report()

    def _try(self, entry: Entry, put: Callable[[Any], None]) -> None:
        try:
            exported = self._manager.conversation(entry.name, user=entry.user or None).export()
        except StoreError as error:
            self.failed.append({"user": entry.user, "name": entry.name, "error": str(error)})
            text = escape(plain(f"{label(entry.user, entry.name)}: {error}"))
            self._out.aside.print(f"[bold red]left out:[/] {text}", soft_wrap=True)
            return
        form = self._form(exported)
        put(self._counted(exported, {"messages": form} if self._messages_only else form))

    def _entries(self, user: str | None) -> Iterator[Entry]:
        last: Entry | None = None
        while True:
            page = self._manager.conversations(user=user, after=last, limit=PAGE)
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1]

    def _form(self, exported: dict[str, Any]) -> Any:
        return [*exported["head"], *exported["messages"]] if self._messages_only else exported

    def _counted(self, exported: dict[str, Any], form: Any) -> Any:
        self._conversations += 1
        self._messages += len(exported["messages"])
        return form

    @contextmanager
    def _sink(self) -> Generator[Callable[[Any], None], None, None]:
        """Yield what takes one value after the other."""
        if self._output is not None:
            with written(self._output, force=self._force) as file:
                yield lambda value: _ignored(file.write(_line(value)))
        elif self._out.as_json:
            yield self._exported.append
        else:
            yield lambda value: typer.echo(_line(value), nl=False)

    def _report(self) -> None:
        result = {
            "format": "openai" if self._messages_only else "memory",
            "conversations": self._conversations,
            "messages": self._messages,
            "failed": self.failed,
        }
        if self._output is None:
            self._out.result(result | {"exported": self._exported})
            return
        figures = f"{self._conversations:,} conversations with {self._messages:,} messages"
        self._out.show(escape(f"{figures} → {plain(str(self._output))}"), soft_wrap=True)
        self._out.result(result | {"output": str(self._output)})


def _line(value: Any) -> bytes:
    """Return a value as one line of JSON; half of a surrogate pair is escaped as JSON does it."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _ignored(_: object) -> None:
    """Return nothing."""
