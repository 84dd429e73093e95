"""What the tests of the core share: counters, short ways to write messages, and a place to fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from memory.drive import run
from memory.events import Event, Purpose, Summarizing
from memory.flow import (
    Append,
    Context,
    Effect,
    Emit,
    Extract,
    Find,
    Fitted,
    Flow,
    Known,
    Load,
    Log,
    Now,
    Outlook,
    Prompt,
    Severity,
    Summarize,
    fit,
    log_key,
    outlook,
)
from memory.handlers import Handler
from memory.invariants import Sending, violations
from memory.meter import Meter
from memory.outside import Outside
from memory.policy import Policy
from memory.records import Compaction, Record
from memory.stores import VolatileStore
from memory.summary import Draft, SummaryRequest
from memory.tokens import Counter
from memory.view import Thread

E = TypeVar("E", bound=Event)
T = TypeVar("T")
Wire = dict[str, Any]
Messages = Sequence[Mapping[str, Any]]
Write = Callable[[SummaryRequest], Draft]

MODEL = "kimi-k2.6"
SPACE = "tests"


class WordCounter:
    """Counts words: exact by definition, and easy to reckon with."""

    name = "words"
    exact = True

    def count(self, text: str) -> float:
        """Return the number of words."""
        return float(len(text.split()))


class RoughCounter(WordCounter):
    """Counts words and says that it only estimates."""

    name = "about a word"
    exact = False


class ByteCounter:
    """Counts bytes: the most tokens that any byte-level vocabulary can make of a text."""

    name = "bytes"
    exact = True

    def count(self, text: str) -> float:
        """Return the number of UTF-8 bytes."""
        return float(len(text.encode("utf-8", "surrogatepass")))


def words(number: int, tag: str = "w") -> str:
    """Return a text of so many different words."""
    return " ".join(f"{tag}{index}" for index in range(number))


def system(text: str) -> Wire:
    """Return a system message."""
    return {"role": "system", "content": text}


def user(text: str) -> Wire:
    """Return a user message."""
    return {"role": "user", "content": text}


def assistant(text: str) -> Wire:
    """Return a plain assistant message."""
    return {"role": "assistant", "content": text}


def call(identifier: str, arguments: str = "{}") -> Wire:
    """Return a tool call."""
    function = {"name": "look", "arguments": arguments}
    return {"id": identifier, "type": "function", "function": function}


def exchange(*identifiers: str, result: str = "found", content: str | None = "") -> list[Wire]:
    """Return an assistant message with a batch of calls, and a result for each."""
    calls = [call(each) for each in identifiers]
    results = [{"role": "tool", "tool_call_id": each, "content": result} for each in identifiers]
    return [{"role": "assistant", "content": content, "tool_calls": calls}, *results]


def chat(turns: int, *, head: int = 50, size: int = 20, tag: str = "") -> list[Wire]:
    """Return a chat of so many turns that ends with a question of ten words."""
    messages = [system(words(head, "head"))] if head else []
    for turn in range(turns):
        messages.append(user(words(size, f"{tag}u{turn}-")))
        messages.append(assistant(words(size, f"{tag}a{turn}-")))
    return [*messages, user(words(10, f"{tag}last"))]


def picture(name: str) -> Wire:
    """Return a content part that is an image."""
    return {"type": "image_url", "image_url": {"url": f"ms://{name}"}}


def notes(request: SummaryRequest) -> Draft:
    """Return a summary that is three quarters as long as it may be."""
    size = max(1, min(request.cap, request.source_tokens - 1) * 3 // 4)
    return Draft(text=words(size, "note"), author=request.model)


LONG = chat(40)
"""2,072 words in 82 messages; at a budget of 1,000 the oldest are summarised."""
PARTIAL: Wire = {"role": "assistant", "content": "So the", "partial": True}
SUMMARY = Draft(text="It was about words.", author=MODEL)
OFFLINE = Draft(text="- user: words", author="extractive")


class Scribe:
    """A summariser that answers by a function and remembers what it was asked."""

    def __init__(self, write: Write = notes) -> None:
        self.write = write
        self.requests: list[SummaryRequest] = []

    def summarize(self, request: SummaryRequest, /) -> Draft:
        """Answer, or raise what the function raises."""
        self.requests.append(request)
        return self.write(request)


class Workbench:
    """Fits prompts with everything real but the model: store, handlers, meter and events.

    Args:
        budget: Tokens, by default words.
        write: Writes the summaries.
        counter: Counts text.
        role: The role of the synthetic message.
        store: Where records are kept; None for one of its own.
        check: Whether the guard is on duty.
        **policy: What else the policy takes.

    Attributes:
        now: What the clock says, in seconds; it stands still.
    """

    def __init__(
        self,
        budget: int,
        *,
        write: Write = notes,
        counter: Counter | None = None,
        role: Any = "user",
        store: VolatileStore | None = None,
        check: Severity = "off",
        **policy: Any,
    ) -> None:
        self.policy = Policy(budget=budget, **policy)
        self.meter = Meter(counter or WordCounter())
        self.context = Context(meter=self.meter, policy=self.policy, role=role, check=check)
        self.store = VolatileStore() if store is None else store
        self.events: list[Event] = []
        self.scribe = Scribe(write)
        self.now = 0.0
        outside = Outside(
            store=self.store,
            hooks=(self.events.append,),
            count=self.meter.text,
            clock=lambda: self.now,
        )
        self.handler = Handler(outside, self.scribe)

    @property
    def asked(self) -> int:
        """How many summaries were asked for, merges and second attempts included."""
        return len(self.scribe.requests)

    def purposes(self, purpose: Purpose) -> int:
        """Return how many texts were wanted for a purpose."""
        started = (event for event in self.events if isinstance(event, Summarizing))
        return sum(event.purpose == purpose for event in started)

    def fit(self, messages: Messages, **others: Any) -> Fitted:
        """Fit a prompt."""
        return self.handler.run(fit(prompt(messages, **others), self.context))

    def outlook(self, messages: Messages, **others: Any) -> Outlook:
        """Look at what `fit` would do."""
        return self.handler.run(outlook(prompt(messages, **others), self.context))

    def tokens(self, messages: Messages, **others: Any) -> int:
        """Return what a prompt costs."""
        return self.meter.count(messages, **others).total

    def limit(self) -> int:
        """Return what a prompt may cost."""
        return self.policy.limit(model=MODEL)

    def log(self, messages: Messages) -> tuple[Record, ...]:
        """Return what is on record for a conversation."""
        return self.store.load(log_key(SPACE, Thread.of(messages))).records

    def compactions(self, messages: Messages) -> list[Compaction]:
        """Return the compactions on record for a conversation."""
        return [record for record in self.log(messages) if isinstance(record, Compaction)]

    def wrong(self, given: Messages, fitted: Fitted) -> dict[str, str]:
        """Return what is wrong with what `fit` made of these messages, by check."""
        sending = Sending(
            given=given,
            sent=fitted.messages,
            record=fitted.record,
            log=self.log(given),
            tokens=self.tokens(fitted.messages),
            limit=self.limit(),
        )
        return violations(sending)


def play(
    flow: Flow[T], answers: Mapping[type[Effect[Any]], Sequence[Any]]
) -> tuple[T, list[Effect[Any]]]:
    """Run a flow on a table of answers; return its result and the effects it asked for.

    Each kind of effect is answered from its own list, one entry a time, the last one for good; a
    kind without a list gets None. An entry that is an exception is thrown into the flow.
    """
    asked: list[Effect[Any]] = []
    left = {kind: list(values) for kind, values in answers.items()}

    def answer(effect: Effect[Any]) -> Any:
        asked.append(effect)
        queue = left.get(type(effect), [None])
        value = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(value, Exception):
            raise value
        return value

    return run(flow, answer), asked


def prompt(messages: Messages, **others: Any) -> Prompt:
    """Return a prompt for these messages."""
    return Prompt(messages=messages, **{"model": MODEL, "namespace": SPACE, **others})


def context(budget: int = 1_000, **policy: Any) -> Context:
    """Return a context that counts words."""
    return Context(meter=Meter(WordCounter()), policy=Policy(budget=budget, **policy))


def answers(**given: Sequence[Any]) -> dict[Any, Sequence[Any]]:
    """Return answers for an empty store and a summariser that works, with changes by name."""
    table: dict[Any, Sequence[Any]] = {
        Known: [0],
        Find: [()],
        Load: [Log()],
        Append: [1],
        Summarize: [SUMMARY],
        Extract: [OFFLINE],
        Now: [0.0],
    }
    return {kind: given.get(kind.__name__.lower(), usual) for kind, usual in table.items()}


def kinds_of(effects: Sequence[Effect[Any]]) -> list[str]:
    """Return the names of effects, of events by their own."""
    return [type(each.event if isinstance(each, Emit) else each).__name__ for each in effects]


def appended(effects: Sequence[Effect[Any]]) -> list[Append]:
    """Return the effects that write."""
    return [each for each in effects if isinstance(each, Append)]


def told(effects: Sequence[Effect[Any]], kind: type[E]) -> list[E]:
    """Return the events of one kind."""
    emitted = [each.event for each in effects if isinstance(each, Emit)]
    return [event for event in emitted if isinstance(event, kind)]


def talk(bench: Workbench, messages: Messages, turns: int) -> tuple[list[Any], Fitted]:
    """Fit a conversation after each of some more turns; return it, and the last outcome.

    Every outcome is checked against the invariants.
    """
    said: list[Any] = [*messages]
    fitted = bench.fit(said)
    for turn in range(turns):
        said += [assistant(words(20, f"b{turn}-")), user(words(20, f"v{turn}-"))]
        fitted = bench.fit(said)
        assert {} == bench.wrong(said, fitted)
    return said, fitted
