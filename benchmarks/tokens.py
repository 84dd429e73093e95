"""How far a predicted `prompt_tokens` is from what the server counts, request by request.

    python -m benchmarks.tokens --data ../shared/data --json

Recorded conversations are sent to `FakeKimi`, request by request. Before each the meter of a
wrapped client predicts what the server will count; afterwards it learns from the reported usage.
`FakeKimi` counts with a chat template and a tokenizer of its own and replies with the recorded
message. Each conversation has a client of its own, so request 1 is predicted by a meter that never
saw a usage. What follows a compaction is measured on a wrapped client with a budget.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Unpack
from unittest.mock import patch

from openai import OpenAI

from benchmarks._corpora import rows as corpus_rows
from benchmarks._errors import (
    AT,
    Prediction,
    checks,
    compaction_rows,
    error_rows,
    figures,
    table,
)
from benchmarks._report import Report, Row
from benchmarks._trial import HTTP
from benchmarks.fit_estimator import Chunk
from memory.client import manager_of, wrap
from memory.events import Compacted, Event
from memory.messages import WireMessage
from memory.meter import Meter
from memory.records import Usage
from memory.replay import NO_THINKING, Step, join, steps
from memory.testing import FakeKimi
from memory.vocabulary import warmup

if TYPE_CHECKING:
    from memory.manager import ManagerOptions

__all__ = ("main", "measure")

VARIABLE: Final = "KIMI_MEMORY_DATA"
MODEL: Final = "kimi-k2.6"
EXACT: Final = "exact vocabulary"
ESTIMATOR: Final = "estimator"
LANGCHAIN: Final = "langchain-core"
CORPORA: Final = (
    "tau_airline",
    "bfcl_multi_turn",
    "beam_100k",
    "zh_haystack",
    "swe_agent",
    "locomo",
    "bfcl_memory",
)

NOT_INSTALLED: Final[Row] = {
    "counter": LANGCHAIN,
    "reason": "langchain-core is not installed; it is in the dependency group `bench`",
}

Conversation = Mapping[str, Any]
Approximate = Callable[[Step], int]
"""Counts a prompt without ever learning what the server counted."""


class Compacting(NamedTuple):
    """How a corpus is made to outgrow its budget."""

    corpus: str
    conversations: int
    """How many are read."""
    chain: int
    """How many of them are joined into one."""
    budget: int
    """Tokens."""
    requests: int
    """The most requests of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is run.

    Attributes:
        corpora: Which corpora are sent as they are.
        conversations: The most conversations of each.
        requests: The most requests of each conversation.
        compacting: Which corpora are made to outgrow a budget, and how.
    """

    corpora: Sequence[str] = CORPORA
    conversations: int | None = None
    requests: int = max(AT)
    compacting: Sequence[Compacting] = (
        Compacting("tau_airline", 48, 8, 6_000, 60),
        Compacting("bfcl_multi_turn", 32, 8, 4_500, 50),
        Compacting("beam_100k", 6, 1, 8_000, 30),
        Compacting("zh_haystack", 10, 1, 1_500, 60),
        Compacting("swe_agent", 20, 5, 16_000, 50),
        Compacting("locomo", 5, 1, 2_000, 60),
    )


QUICK: Final = Scope(
    corpora=("bfcl_multi_turn", "locomo"),
    conversations=1,
    compacting=(Compacting("locomo", 1, 1, 1_000, 20),),
)
"""Enough to see that everything runs."""


class Wrap(Protocol):
    """Wraps a client, as `memory.client.wrap` does."""

    def __call__(self, client: OpenAI, /, **options: Unpack[ManagerOptions]) -> OpenAI:
        """Return a client with a memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What is compared.

    Attributes:
        clients: How the client of each counter that learns is made.
        approximations: The counters that do not learn.
    """

    clients: Mapping[str, Wrap]
    approximations: Mapping[str, Approximate] = field(default_factory=dict)


class Server:
    """A `FakeKimi` that replies what was recorded, and a client of it that is not wrapped."""

    def __init__(self) -> None:
        self._fake = FakeKimi(reply=self._reply)
        self._recorded: Mapping[str, Any] | None = None
        self.client = OpenAI(
            api_key="sk-test",
            base_url="http://fake/v1",
            http_client=HTTP.Client(transport=getattr(self._fake, f"{HTTP.__name__}_transport")()),
            max_retries=0,
        )

    def _reply(self, _body: Mapping[str, Any]) -> str | Mapping[str, Any]:
        return self._recorded or "I will keep that in mind."

    def ask(self, client: OpenAI, step: Step) -> tuple[Usage, WireMessage]:
        """Make a request by `client`; return what the server counted, and the reply.

        Raises:
            openai.APIStatusError: The server refused it.
        """
        self._recorded = step.reply
        tools: dict[str, Any] = {"tools": list(step.tools)} if step.tools else {}
        messages: Any = step.messages
        made: Any = client.chat.completions.create(
            messages=messages, model=MODEL, extra_body=NO_THINKING, **tools
        )
        usage = Usage(
            prompt_tokens=made.usage.prompt_tokens, completion_tokens=made.usage.completion_tokens
        )
        return usage, made.choices[0].message.model_dump(exclude_unset=True)


def growing(
    corpus: str, conversation: Conversation, subjects: Subjects, *, limit: int
) -> Iterator[Prediction]:
    """Yield the predictions of every counter for the first requests, sent in full."""
    server = Server()
    meters = {
        name: manager_of(wrapped(server.client, hooks=())).meter
        for name, wrapped in subjects.clients.items()
    }
    kind = kind_of(corpus, conversation)
    for number, step in enumerate(itertools.islice(steps(conversation), limit), start=1):
        guesses = {name: count(step) for name, count in subjects.approximations.items()}
        guesses |= {name: predict(meter, step) for name, meter in meters.items()}
        usage, reply = server.ask(server.client, step)
        for meter in meters.values():
            learn(meter, step, usage, reply)
        for name, guess in guesses.items():
            yield Prediction(name, corpus, number, *kind, guess, usage.prompt_tokens)


def predict(meter: Meter, step: Step) -> int:
    """Return what a meter says that a request will be counted as."""
    return meter.count(step.messages, tools=step.tools or None, thinking=False).total


def learn(meter: Meter, step: Step, usage: Usage, reply: WireMessage) -> None:
    """Let a meter learn from a reply, as a wrapped client does where counting matters."""
    meter.observe(step.messages, usage=usage, tools=step.tools or None, reply=reply, thinking=False)


def compacted(
    corpus: str, conversation: Conversation, subjects: Subjects, *, budget: int, limit: int
) -> Iterator[Prediction]:
    """Yield each counter's prediction for every request that had to be compacted first."""
    text_only, _ = kind_of(corpus, conversation)
    for name, wrapped in subjects.clients.items():
        server = Server()
        seen: list[Event] = []
        client = wrapped(server.client, hooks=(seen.append,), budget=budget, oversize="send")
        for number, step in enumerate(itertools.islice(steps(conversation), limit), start=1):
            seen.clear()
            counted = server.ask(client, step)[0].prompt_tokens
            for event in seen:
                if isinstance(event, Compacted) and event.paid:
                    yield Prediction(
                        counter=name,
                        corpus=corpus,
                        request=number,
                        text_only=text_only,
                        held_out=False,  # joined ones were partly seen
                        predicted=event.tokens_after,
                        counted=counted,
                    )


def kind_of(corpus: str, conversation: Conversation) -> tuple[bool, bool]:
    """Return whether a conversation is of text only, and whether the estimator never saw it."""
    declared = any(tools for _, tools in conversation["pieces"])
    called = any(message.get("tool_calls") for message in conversation["messages"])
    return not declared and not called, Chunk("", f"{corpus} {conversation['id']}", ()).held_out


def load(data: Path, corpus: str, *, limit: int | None, chain: int = 1) -> list[Conversation]:
    """Return the conversations of a corpus, at most `limit` before they are joined.

    Raises:
        OSError: The file cannot be read.
    """
    return list(join(corpus_rows(data, corpus, limit=limit), chain=chain))


def measure(
    data: Path, subjects: Subjects, scope: Scope
) -> tuple[list[Prediction], list[Prediction]]:
    """Return all predictions: for growing conversations, and after compactions.

    Raises:
        OSError: A corpus cannot be read.
    """
    plain = [
        prediction
        for corpus in scope.corpora
        for each in load(data, corpus, limit=scope.conversations)
        for prediction in growing(corpus, each, subjects, limit=scope.requests)
    ]
    after = [
        prediction
        for how in scope.compacting
        for each in load(data, how.corpus, limit=how.conversations, chain=how.chain)
        for prediction in compacted(
            how.corpus, each, subjects, budget=how.budget, limit=how.requests
        )
    ]
    return plain, after


def without_extra(client: OpenAI, /, **options: Unpack[ManagerOptions]) -> OpenAI:
    """Wrap a client as for somebody who did not install the `[exact]` extra."""
    with patch.dict(sys.modules, {"splintr": None}):
        return wrap(client, **options)


def langchain() -> Approximate | None:
    """Return the counter of langchain-core, or None where that is not installed."""
    try:
        from langchain_core.messages.utils import (  # noqa: PLC0415  # optional, and slow
            count_tokens_approximately,
        )
    except ImportError:
        return None

    def approximate(step: Step) -> int:
        messages: Any = step.messages
        tools: Any = list(step.tools) or None
        return count_tokens_approximately(messages, tools=tools)

    return approximate


def report(data: Path, subjects: Subjects, scope: Scope) -> Report:
    """Run everything and return what came of it.

    Raises:
        OSError: A corpus cannot be read.
    """
    start = time.perf_counter()
    plain, after = measure(data, subjects, scope)
    errors, compactions = error_rows(plain), compaction_rows(after)
    used = {
        corpus: {
            "conversations": sum(p.request == 1 for p in plain if (p.counter, p.corpus) == key),
            "requests": sum((p.counter, p.corpus) == key for p in plain),
        }
        for corpus in scope.corpora
        for key in [(next(iter(subjects.clients)), corpus)]
    }
    skipped = [] if LANGCHAIN in subjects.approximations else [NOT_INSTALLED]
    return Report(
        benchmark="tokens",
        settings={
            "model": MODEL,
            "used": used,
            "compacting": [how._asdict() for how in scope.compacting],
            "seconds": round(time.perf_counter() - start, 1),
        },
        rows={"errors": errors, "after a compaction": compactions, "skipped": skipped},
        tables={
            "|error| in % before request #, p50 / p95": table(errors),
            "error in % of the first request after a compaction": compactions,
            "skipped": skipped,
        },
        checks=checks(plain, exact=EXACT, estimator=ESTIMATOR),
        figures=figures(errors, floor=LANGCHAIN),
        quick=scope is QUICK,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="compare predicted with counted prompt tokens")
    default = os.environ.get(VARIABLE) or Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="directory of the corpora")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        parser.error(f"no directory {options.data}; --data or {VARIABLE} can name another")
    if not warmup().exact:
        parser.error("the truth needs the vocabulary: install the [exact] extra")
    approximate = langchain()
    subjects = Subjects(
        clients={EXACT: wrap, ESTIMATOR: without_extra},
        approximations={LANGCHAIN: approximate} if approximate else {},
    )
    scope = QUICK if options.quick else Scope()
    return report(options.data, subjects, scope).finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
