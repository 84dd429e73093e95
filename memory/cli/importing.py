"""What `import` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rich.text import Text

from memory.cli.browsing import table
from memory.cli.output import CommandError, Output, plain
from memory.cli.stored import Named, opened, place_of
from memory.errors import HistoryError
from memory.manager import Conversation, MemoryManager
from memory.messages import head_length
from memory.stores import VolatileStore
from memory.testing.transcript_files import messages_of, values, without_notes

__all__ = ("Import", "Outcome")

Fate = Literal["imported", "would be imported", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one conversation of a file.

    Attributes:
        user: Whose it is here.
        name: What it is called here.
        messages: How many messages it came with, without the head.
        fate: What was done.
    """

    user: str
    name: str
    messages: int
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """One conversation of a file.

    Attributes:
        place: Where in the file it stands.
        body: What `export` made, or a list of messages.
        messages: How many messages it has, without the head.
        name: What it is to be called.
        user: Whose it is to be; None for what the name says.
    """

    place: str
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    messages: int
    name: str
    user: str | None


class Import:
    """One run of `import`.

    Args:
        out: Where to tell of it.
        store: The URL of the store.
        namespace: The namespace.
        dry_run: Whether nothing is written.
    """

    def __init__(self, out: Output, store: str, namespace: str, *, dry_run: bool) -> None:
        self._out = out
        self._store = store
        self._namespace = namespace
        self._dry_run = dry_run

    def run(self, file: Path, *, name: str | None, user: str | None) -> list[Outcome]:
        """Import the conversations of a file and return what became of each.

        Args:
            file: The file; `-` is standard input.
            name: What its only conversation is called here, or what the names of those begin with
                that have none there; None for what the file says.
            user: Whose they are; None for what `name` or the file says.

        Raises:
            CommandError: The file has a mistake; nothing was written.
            TranscriptError: It holds something else; nothing was written.
            ConfigError: A name cannot be one; nothing was written.
            OSError: The file cannot be read.
            StoreError: The store cannot be read or written.
        """
        given = [*_given(file, name, user)]
        path = place_of(self._store)
        outcomes = self._rehearsed(given)
        if not self._dry_run or path is None or path.exists():
            with opened(self._store, self._namespace, make=True) as manager:
                outcomes = [*_imported(manager, given, write=not self._dry_run)]
        self._report(outcomes)
        return outcomes

    def _rehearsed(self, given: Sequence[_Given]) -> list[Outcome]:
        """Import everything into memory, to find mistakes before anything is written."""
        with MemoryManager(store=VolatileStore(), namespace=self._namespace, hooks=()) as manager:
            outcomes = [*_imported(manager, given, write=True)]
        return [replace(each, fate=_WOULD.get(each.fate, each.fate)) for each in outcomes]

    def _report(self, outcomes: Sequence[Outcome]) -> None:
        rows = table("name", "user", "messages", "fate", right=("messages",))
        for outcome in outcomes:
            names = (Text(plain(outcome.name)), Text(plain(outcome.user)))
            rows.add_row(*names, f"{outcome.messages:,}", _MEANINGS.get(outcome.fate, outcome.fate))
        self._out.show(rows)
        conversations = [asdict(outcome) for outcome in outcomes]
        self._out.result({"dry_run": self._dry_run, "conversations": conversations})


_WOULD: Mapping[Fate, Fate] = {"imported": "would be imported"}
_MEANINGS = {"refused": "refused: it has messages already"}


def _imported(manager: MemoryManager, given: Sequence[_Given], *, write: bool) -> Iterator[Outcome]:
    """Import one after the other, without those that are there, and yield what became of each."""
    seen = set[str]()
    for each in given:
        named = Named.of(manager, each.name, each.user)
        fate: Fate = "imported" if write else "would be imported"
        if named.label in seen or named.talk.history(limit=1):
            fate = "refused"
        elif write:
            _import(named.talk, each)
        seen.add(named.label)
        yield Outcome(user=named.user, name=named.name, messages=each.messages, fate=fate)


def _import(conversation: Conversation, given: _Given) -> None:
    try:
        conversation.import_(given.body)
    except HistoryError as error:
        raise CommandError(f"{given.place}: {error}") from error


def _given(file: Path, name: str | None, user: str | None) -> Iterator[_Given]:
    found = [*values(file)]
    if not found:
        raise CommandError(f"{file}: no conversation in it")
    if name is not None and len(found) > 1 and all(_own_name(value) for _, value in found):
        raise CommandError(f"{file}: its conversations have names of their own: leave --name out")
    for number, (place, value) in enumerate(found, 1):
        if name is None or len(found) == 1:
            yield _one(place, value, name, user)
        else:
            yield _one(place, value, None if _own_name(value) else f"{name}-{number}", user)


def _own_name(value: Any) -> str | None:
    """Return what a conversation of a file is called there."""
    whole: Mapping[str, Any] = value if isinstance(value, dict) else {}
    own = whole.get("conversation" if "format" in whole else "id")
    return own if isinstance(own, str) and own else None


def _one(place: str, value: Any, name: str | None, user: str | None) -> _Given:
    """Return one conversation of a file, with the name and the user it is to have."""
    said = messages_of(value, place=place)
    whole: Mapping[str, Any] = value if isinstance(value, dict) else {}
    is_export = "format" in whole
    owner = whole.get("user") if is_export else None
    chosen = _own_name(value) if name is None else name
    if chosen is None or not isinstance(owner, str | None):
        raise CommandError(f"{place}: it does not say what it is called: give a --name")
    if user is None and (name is None or "/" not in name):
        user = owner or None
    plainly = [without_notes(message) for message in said]
    return _Given(
        place=place,
        body=whole if is_export else plainly,
        messages=len(said) - (0 if whole.get("head") else head_length(said)),
        name=chosen,
        user=user,
    )
