"""What `search` prints: the messages found, each with what stands around the words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from rich.text import Text

from memory.analysis.stems import stem_of
from memory.analysis.terms import WHOLE
from memory.cli.browsing import table
from memory.cli.output import CommandError, NothingError, Output, plain
from memory.cli.stored import Named, label
from memory.manager import MemoryManager
from memory.records import Hit, Match
from memory.stores.search import Query, Term

__all__ = ("WINDOW", "look_for", "snippet")

WINDOW = 80
"""Characters of a message that are shown."""
BEFORE = 20
"""Characters of them before the first word that was found."""
READ = 500_000
"""Characters of a message that are looked at, as the search does."""
SPANS = 200
"""Places of a word that are looked at."""
_WORD = re.compile(r"[^\W_]+")


class _Span(NamedTuple):
    """Where a term stands in a text."""

    start: int
    stop: int
    term: Term


def look_for(
    out: Output,
    manager: MemoryManager,
    query: str,
    *,
    user: str | None,
    conversation: str | None,
    match: Match,
    limit: int,
) -> None:
    """Show the messages that match.

    Args:
        out: Where to show them.
        manager: In whose store.
        query: What to look for.
        user: Whose conversations; None for those of nobody in particular.
        conversation: The name of the only one that is searched; None for all.
        match: Whether all terms have to be there.
        limit: How many at most.

    Raises:
        CommandError: There is nothing to look for.
        NothingError: No message matches.
        StoreError: The store cannot be read, or has no search.
    """
    parsed = Query.parse(query)
    if not parsed:
        raise CommandError("there is no word in that to look for")
    hits = _hits(manager, query, user=user, conversation=conversation, match=match, limit=limit)
    if not hits:
        raise NothingError("nothing found")
    shown = [(hit, snippet(hit.text, parsed)) for hit in hits]
    rows = table("score", "conversation", "#", "role", "text", right=("score", "#"))
    for hit, text in shown:
        cells = (
            Text(plain(label(hit.user, hit.name))),
            str(hit.place),
            Text(plain(hit.role)),
            text,
        )
        rows.add_row(f"{hit.score:.2f}", *cells)
    out.show(rows)
    out.result({"query": query, "match": match, "hits": [_row(*each) for each in shown]})


def _hits(
    manager: MemoryManager,
    query: str,
    *,
    user: str | None,
    conversation: str | None,
    match: Match,
    limit: int,
) -> Sequence[Hit]:
    if conversation is None:
        return manager.search(query, user=user or "", match=match, limit=limit)
    talk = Named.of(manager, conversation, user).talk
    return talk.search(query, match=match, limit=limit)


def _row(hit: Hit, text: Text) -> dict[str, object]:
    return {
        "score": hit.score,
        "user": hit.user,
        "name": hit.name,
        "place": hit.place,
        "role": hit.role,
        "text": hit.text,
        "snippet": text.plain,
    }


def snippet(text: str, query: Query) -> Text:
    """Return a piece of a message on one line, in which what was found is bold.

    It is the one that has the most of the words; its beginning where none can be seen, as in
    arguments that are escaped.

    Args:
        text: What the message says.
        query: What was looked for.
    """
    line = " ".join(plain(text[:READ], prose=True).split())
    spans = _spans(line, query)
    start = max(0, _best(spans) - BEFORE)
    stop = start + WINDOW
    piece = Text("…" if start else "")
    begun = len(piece) - start
    piece.append(line[start:stop] + ("…" if stop < len(line) else ""))
    for span in spans:
        if start <= span.start < stop:
            piece.stylize("bold", span.start + begun, min(span.stop, stop) + begun)
    return piece


def _best(spans: Sequence[_Span]) -> int:
    """Return where the stretch begins in which most terms stand, the first of several."""
    room = WINDOW - BEFORE

    def terms(span: _Span) -> int:
        near = (s.term for s in spans if span.start <= s.start and s.stop <= span.start + room)
        return len({*near, span.term})

    return max(spans, key=terms).start if spans else 0


def _spans(line: str, query: Query) -> list[_Span]:
    """Return where the terms of a query stand, in order."""
    folded, places = _folded(line)
    found = [
        _Span(places[start], places[stop - 1] + 1, term)
        for term in query.terms
        for start, stop in _matches(folded, term)
    ]
    return sorted(found, key=lambda span: span[:2])[:SPANS]


def _matches(folded: str, term: Term) -> list[tuple[int, int]]:
    """Return where a term stands: as a word, else within one; anywhere in letters without case.

    A word that is searched by its stem stands as it was written. An identifier is not looked for:
    its pieces are terms as well.
    """
    if term.text.startswith(WHOLE):
        return []
    text = re.escape(term.text)
    if any(unicodedata.category(c) == "Lo" for c in term.text):
        return _spans_of(re.finditer(text, folded))
    begun = rf"(?<![^\W_]){text}"
    words = re.finditer(begun, folded) if term.prefix else _words_of(folded, term.text)
    return _spans_of(words) or _spans_of(re.finditer(text, folded))


def _words_of(folded: str, stem: str) -> Iterator[re.Match[str]]:
    """Yield the words with a stem."""
    return (each for each in _WORD.finditer(folded) if stem_of(each[0]) == stem)


def _spans_of(found: Iterable[re.Match[str]]) -> list[tuple[int, int]]:
    return [each.span() for each in islice(found, SPANS)]


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """Return a text as terms are folded, and of which character each of its characters is."""
    if text.isascii():
        return text.lower(), range(len(text))
    known = {c: unicodedata.normalize("NFKC", c).casefold() for c in set(text)}
    pieces = [known[c] for c in text]
    return "".join(pieces), [place for place, piece in enumerate(pieces) for _ in piece]
