"""One conversation, one library, one setting: every request goes to a strict server over HTTP.

The library's summariser and the turns of the conversation go to the same `FakeKimi`, which bills
both and refuses what Kimi refuses. What comes between the call of the adapter and its return is
the summariser; what the match posts afterwards is the turn, answered as recorded.

Where an adapter raises, there is no request for that turn: it counts as failed, its view as
empty, and the conversation goes on with the recorded reply. Where the server refuses a turn, it
counts as rejected; its view is judged like any other, and costs nothing.
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.peers import Entry
from benchmarks.peers.contract import Peer, Setting
from benchmarks.peers.scribe import Scribe
from benchmarks.peers.talks import Talk
from benchmarks.peers.views import METHODS, Judge
from memory.messages import WireMessage, head_length
from memory.meter import Meter
from memory.models import DEFAULT_MODEL
from memory.replay import Step, steps
from memory.testing import FakeKimi, SummaryJob, serve
from memory.testing.kimi_wire import Wire, dumps
from memory.tuning.bills import Bill, billed
from memory.tuning.recall import shown
from memory.tuning.ruler import Ruler
from memory.vocabulary import resolve

__all__ = ("LATE", "STRIDE", "Line", "Match")

LATE: Final = 100
"""Messages at the end whose views are averaged."""
STRIDE: Final = 5
"""Requests from one of those views to the next."""
ERRORS: Final = 3
"""How many errors of a conversation are kept, for people."""
_OFF: Final = {"type": "disabled"}
_METER: Final = Meter(resolve())


@dataclass(slots=True, kw_only=True)
class Line:
    """What came of one conversation.

    Attributes:
        id: Which.
        sizes: Tokens of each request that was made, the refused ones too.
        failed: Turns for which there was no request, as the library raised.
        rejected: Turns that the server refused.
        refused: Requests for summaries that the server refused.
        calls: Requests for summaries.
        errors: The first few errors, in words.
        last: The recall of each probe at the last view, by method and reading.
        late: The same over the views of the last messages.
        references: For each value that a tool was called with whether it was there, by method.
        bill: What was billed.
    """

    id: str
    sizes: list[int] = field(default_factory=list)
    failed: int = 0
    rejected: int = 0
    refused: int = 0
    calls: int = 0
    errors: list[str] = field(default_factory=list)
    last: dict[str, list[float]] = field(default_factory=dict)
    late: dict[str, list[float]] = field(default_factory=dict)
    references: dict[str, list[float]] = field(default_factory=dict)
    bill: Bill = field(default_factory=Bill)

    def row(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def _something(sent: Sequence[WireMessage] | None) -> Sequence[WireMessage]:
    """Return what was sent; some return nothing where they fail."""
    if not sent:
        msg = "it returned no messages"
        raise ValueError(msg)
    return sent


class Match:
    """One conversation with a library.

    Args:
        entry: The library.
        talk: The conversation.
        budget: Tokens that a request may have.
        own: Whether its own defaults stand for what it can do without.
    """

    def __init__(self, entry: Entry, talk: Talk, *, budget: int, own: bool = False) -> None:
        self.line = Line(id=talk.recording.id)
        self._entry, self._talk, self._budget, self._own = entry, talk, budget, own
        self._judge, self._ruler = Judge(talk), Ruler(DEFAULT_MODEL)
        self._scribe = Scribe(talk, budget=budget)
        self._reply: Wire | None = None
        self._fake = FakeKimi(reply=self._answer, summarize=self._notes)
        self._kinds: list[tuple[int, int]] = []
        self._place = ""

    def play(self) -> Line:
        """Make every request of the conversation, and return what came of them."""
        every = list(steps(self._talk.conversation))
        with serve(self._fake) as url:
            peer = self._entry.make(self._setting(url))
            self._place = urlsplit(url).netloc
            for number, step in enumerate(every, start=1):
                view = self._view(peer, step)
                tokens = self._post(step, view) if view is not None else 0
                self._look(step, view, tokens, left=len(every) - number)
        self._close()
        return self.line

    def _setting(self, url: str) -> Setting:
        messages = self._talk.recording.messages
        return Setting(
            limit=self._budget,
            head=messages[: head_length(messages)],
            write=self._scribe.write,
            count=lambda some: _METER.count(some, thinking=False).total,
            url=url,
            own=self._own,
        )

    def _view(self, peer: Peer, step: Step) -> Sequence[WireMessage] | None:
        """Return what a library makes of a request, None where it raises."""
        before = len(self._fake.requests)
        try:
            return _something(peer.send(step.messages).sent)
        except Exception as error:  # noqa: BLE001  # whatever reaches a caller is a failed turn
            self.line.failed += 1
            self._note(f"{type(error).__name__}: {error}")
            return None
        finally:
            self._kinds.append((before, len(self._fake.requests)))

    def _post(self, step: Step, view: Sequence[WireMessage]) -> int:
        """Send a turn, and return what it costs in tokens."""
        more = {"tools": list(step.tools)} if step.tools else {}
        body = {"model": DEFAULT_MODEL, "messages": list(view), "thinking": _OFF, **more}
        self._reply = step.reply or {"role": "assistant", "content": "So be it."}
        head = {"Authorization": "Bearer sk-match", "Content-Type": "application/json"}
        # A new one each time: a server hangs up on those that say nothing for a while.
        line = http.client.HTTPConnection(self._place)
        line.request("POST", "/v1/chat/completions", dumps(body), head)
        line.getresponse().read()
        line.close()
        self._reply = None
        served = self._fake.requests[-1]
        if served.error is not None:
            self.line.rejected += 1
            self._note(f"the server: {served.error}")
        tokens = served.prompt_tokens or self._ruler.tokens(step, list(view))
        self.line.sizes.append(tokens)
        return tokens

    def _look(
        self, step: Step, view: Sequence[WireMessage] | None, tokens: int, *, left: int
    ) -> None:
        """Judge a view; those that answers are looked up in are the last one and the late ones."""
        found = self._judge.references(view, step, tokens)
        for method in METHODS:
            self.line.references.setdefault(method, []).extend(found[method])
        stop = len(step.messages)
        late = len(self._talk.recording.messages) - stop < LATE and left % STRIDE == 0
        if not self._talk.probes or not late:
            return
        scores = self._judge.recall(view, stop, tokens)
        for name, values in scores.items():
            self.line.late.setdefault(name, []).extend(values)
        if not left:
            self.line.last = scores

    def _close(self) -> None:
        """Write the bill."""
        log = [*self._fake.requests]
        for start, stop in self._kinds:
            log[start:stop] = [replace(each, kind="summary") for each in log[start:stop]]
        notes = [each for each in log if each.kind == "summary"]
        self.line.calls = len(notes)
        self.line.refused = sum(each.error is not None for each in notes)
        for each in notes:
            if each.error is not None:
                self._note(f"the server, of a summary: {each.error}")
        self.line.bill = billed(log)

    def _note(self, error: str) -> None:
        if len(self.line.errors) < ERRORS and error not in self.line.errors:
            self.line.errors.append(error)

    def _answer(self, body: Wire) -> str | Wire:
        """Answer a turn as recorded, and what comes between turns as the summariser."""
        return self._scribe.answer(body) if self._reply is None else self._reply

    def _notes(self, job: SummaryJob) -> str:
        """Answer this library's own summariser, whose requests the server knows."""
        task = job.text.partition("<conversation>")[0]
        return self._scribe.write(f"{shown(job.messages)}\n{task}")
