"""SQL as values: statements, transactions of them, and what differs between two databases.

A store program is written once: a generator that yields transactions, each of which is made of
steps, a generator that yields statements and is sent their rows. Executors know a driver and
nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from memory.flow import Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from memory.records import Match
    from memory.stores.search import Query

__all__ = ("CHUNK", "Dialect", "Row", "Statement", "Steps", "Transaction", "insert", "scripts_of")

T = TypeVar("T")
R = TypeVar("R")

Row: TypeAlias = "tuple[Any, ...]"
"""What a statement returns, column by column."""

CHUNK = 200
"""Rows in one statement: databases bound the parameters of a statement."""
_OURS = re.compile(r"\bmemory_(?=[a-z])")
_MARK = re.compile(r"\?")
_NUMBERED = re.compile(r"(\d{3})_\w+\.sql")


class Statement(NamedTuple):
    """One statement, with `?` for parameters.

    The reply are its rows; of one that has none, a single row with the number of rows it changed.
    """

    sql: str
    parameters: Sequence[Any] = ()


Steps: TypeAlias = "Generator[Statement, list[Row], T]"
"""What happens within one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction(Effect[R]):
    """Steps that happen together or not at all; the reply is what they return.

    Attributes:
        steps: Begins the steps; called again where the transaction is tried again.
        write: Whether anything is changed; without it there is one statement.
    """

    steps: Callable[[], Steps[R]]
    write: bool = False


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What differs between databases.

    Attributes:
        name: Which folder of schema files is meant.
        now: An expression for the seconds since 1970.
        members: A query for the texts of a JSON list, its parameter, as `value`.
        numbers: A query for the numbers of a JSON list, its parameter.
        matches: A condition for documents that match a query, its parameter.
        scoped: Makes that query of a scope, what is looked for in it, and how.
        shared: What keeps the row of a conversation from being removed until the transaction ends.
        preceded: A condition for the record before a new one to be there still, its place the
            parameter.
        mark: The mark of a parameter.
        tables: What stands before the names of tables: a schema and a dot, or nothing.
    """

    name: str
    now: str
    members: str
    numbers: str
    matches: str
    scoped: Callable[[str, Query, Match], str]
    shared: str = ""
    preceded: str = "? > 0"
    mark: str = "?"
    tables: str = ""
    _known: dict[str, str] = field(default_factory=dict)

    def sql(self, text: str) -> str:
        """Return the text of a statement as this database reads it."""
        known = self._known.get(text)
        if known is None:
            filled = text.replace("{now}", self.now).replace("{members}", self.members)
            filled = filled.replace("{matches}", self.matches).replace("{shared}", self.shared)
            filled = filled.replace("{preceded}", self.preceded).replace("{numbers}", self.numbers)
            known = self._known[text] = _MARK.sub(self.mark, self.qualified(filled))
        return known

    def qualified(self, text: str) -> str:
        """Return a text in which the names of our tables say in which schema they are."""
        return _OURS.sub(f"{self.tables}memory_", text) if self.tables else text

    @property
    def scripts(self) -> tuple[tuple[int, str, str], ...]:
        """Number, name and text of the schema files, in order."""
        return scripts_of(self.name)

    @property
    def latest(self) -> int:
        """The version of the schema that this library reads and writes."""
        return self.scripts[-1][0]


@cache
def scripts_of(kind: str) -> tuple[tuple[int, str, str], ...]:
    """Return number, name and text of the schema files of a kind of database, in order."""
    folder = Path(__file__).with_name("schema") / kind
    found = ((path, _NUMBERED.fullmatch(path.name)) for path in sorted(folder.iterdir()))
    return tuple(
        (int(name[1]), path.name, path.read_text(encoding="utf-8"))
        for path, name in found
        if name is not None
    )


def insert(table: str, columns: str, rows: Sequence[Row]) -> Iterator[Statement]:
    """Yield the statements that insert rows: many at a time.

    `{now}` among the columns is no parameter: `"a, b, created_at={now}"` takes two values a row.
    """
    names, values = [], []
    for column in columns.split(", "):
        name, fixed, value = column.partition("=")
        names.append(name)
        values.append(value if fixed else "?")
    head = f"INSERT INTO {table} ({', '.join(names)}) VALUES "  # noqa: S608  # no text of users
    one = f"({', '.join(values)})"
    for place in range(0, len(rows), CHUNK):
        chunk = rows[place : place + CHUNK]
        yield Statement(head + ", ".join([one] * len(chunk)), [v for row in chunk for v in row])
