"""Replaying a recorded conversation through a wrapped client, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

from memory import models
from memory.client import manager_of, wrap
from memory.events import Compacted, Event
from memory.invariants import violations
from memory.messages import WireMessage
from memory.recording import Step, join, steps, with_thoughts
from memory.summary import MARK
from memory.witness import witness

if TYPE_CHECKING:
    from openai import OpenAI

    from memory.manager import Manager, ManagerOptions

__all__ = (
    "Report",
    "Step",
    "Tap",
    "Turn",
    "digest",
    "join",
    "joint",
    "replay",
    "steps",
    "total",
    "with_thoughts",
)

C = TypeVar("C")
NO_THINKING = {"thinking": {"type": "disabled"}}
"""Recorded tool turns carry no `reasoning_content`, which Kimi demands while thinking is on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one request cost.

    Attributes:
        full: Tokens had the whole conversation been sent.
        sent: Tokens of what was sent, as the server counted.
        cached: Tokens of it that the server had cached.
        compacted: Whether a compaction was made for it.
    """

    full: int
    sent: int
    cached: int
    compacted: bool


@dataclass(slots=True, kw_only=True)
class Report:
    """What a replay came to; counts are of requests unless they say tokens.

    Attributes:
        id: Which conversation.
        requests: Chat requests, without those for summaries.
        compactions: Compactions recorded, those that adopted a known summary left out.
        summarizer_calls: Requests for summaries.
        tokens_full: Tokens had every request carried the whole conversation.
        tokens_sent: Prompt tokens of the chat requests.
        tokens_summaries: Prompt and completion tokens of the requests for summaries.
        largest_request: Tokens of the largest chat prompt.
        cached_share: The share of `tokens_sent` that the server had cached.
        over_budget: Chat prompts larger than the budget.
        rejected: Requests that the server refused, those for summaries included.
        summary_position_ok: Whether the synthetic message always stood right after the head.
        input_mutated: Whether the caller's messages were ever changed.
        covered: Whether every message not sent was in a summary and in the log.
        tail_exact: Whether the rest was always sent verbatim and in order.
        smallest_view_share: The smallest prompt after a compaction, as a share of the budget;
            None without a compaction.
        problems: The first few violations, in words.
        turns: Every request, in order.
        synthetic: The synthetic message it ended with, or None.
        digest: BLAKE2b of the bodies of all chat requests, in order; 16 bytes.
    """

    id: str
    requests: int = 0
    compactions: int = 0
    summarizer_calls: int = 0
    tokens_full: int = 0
    tokens_sent: int = 0
    tokens_summaries: int = 0
    tokens_cached: int = 0
    largest_request: int = 0
    over_budget: int = 0
    rejected: int = 0
    summary_position_ok: bool = True
    input_mutated: bool = False
    covered: bool = True
    tail_exact: bool = True
    smallest_view_share: float | None = None
    problems: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    synthetic: WireMessage | None = None
    digest: bytes = b""

    @property
    def cached_share(self) -> float:
        """The share of the tokens sent that the server had cached, 0 to 1."""
        return round(self.tokens_cached / self.tokens_sent, 4) if self.tokens_sent else 0.0

    def row(self) -> dict[str, Any]:
        """Return the figures as a JSON object, without turns and texts."""
        left_out = {"turns", "synthetic", "tokens_cached", "digest"}
        row = {key: value for key, value in asdict(self).items() if key not in left_out}
        return row | {"cached_share": self.cached_share}


class Tap:
    """Remembers what leaves a client, below the memory.

    Attributes:
        chats: The bodies of chat requests, oldest first.
        summaries: The bodies of requests for summaries.
        usages: What the server reported for each request for a summary.
        refused: How many requests of either kind failed.
    """

    def __init__(self) -> None:
        self.chats: list[Mapping[str, Any]] = []
        self.summaries: list[Mapping[str, Any]] = []
        self.tokens_summaries = 0
        self.refused = 0

    def on(self, client: C) -> C:
        """Return a client of the same type whose requests are remembered."""
        base: Any = type(client)
        tap = self

        def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
            is_summary = tap.note(options)
            try:
                response = base.request(self, cast_to, options, *args, **kwargs)
            except Exception as error:
                tap.failed(error, is_summary=is_summary)
                raise
            tap.answered(response, is_summary=is_summary)
            return response

        tapped: Any = object.__new__(type(base.__name__, (base,), {"request": request}))
        tapped.__dict__.update(vars(client))
        return cast("C", tapped)

    def note(self, options: Any) -> bool:
        """Remember a request; return whether it asks for a summary."""
        body = {**options.json_data, **(options.extra_json or {})}
        is_summary = f"[{MARK}" in str(body["messages"][-1].get("content"))[:80]
        (self.summaries if is_summary else self.chats).append(body)
        return is_summary

    def failed(self, error: Exception, *, is_summary: bool) -> None:  # noqa: ARG002
        """Remember that the latest request failed."""
        self.refused += 1

    def answered(self, response: Any, *, is_summary: bool) -> None:
        """Remember what the answer to the latest request cost."""
        if is_summary:
            self.tokens_summaries += response.usage.total_tokens

    def digest(self) -> bytes:
        """Return 16 bytes that stand for the chat requests, byte for byte and in order."""
        return digest(self.chats)


def joint(digests: Iterable[bytes]) -> bytes:
    """Return 16 bytes that stand for several digests in their order; of one, that one."""
    known = list(digests)
    return known[0] if len(known) == 1 else blake2b(b"".join(known), digest_size=16).digest()


def digest(bodies: Iterable[Mapping[str, Any]]) -> bytes:
    """Return 16 bytes that stand for the bodies of requests, byte for byte and in order."""
    found = blake2b(digest_size=16)
    for body in bodies:
        found.update(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return found.digest()


def replay(
    conversation: Mapping[str, Any],
    *,
    client: OpenAI,
    model: str = models.DEFAULT_MODEL,
    before: Callable[[Step], None] | None = None,
    after: Callable[[Step, Turn], None] | None = None,
    measure: Callable[[Step], int] | None = None,
    **options: Unpack[ManagerOptions],
) -> Report:
    """Send every request of a conversation through a wrapped client and check what was sent.

    Args:
        conversation: One made by `join`.
        client: Where to send the requests; not wrapped.
        model: The model.
        before: Called before each request, for instance to tell a fake what to answer.
        after: Called after each request.
        measure: What a prompt costs in tokens if sent in full; None for the manager's count.
        **options: How to make the manager: `budget` and everything else.

    Raises:
        BudgetError: What may not be dropped is larger than the budget.
    """
    thinks = models.thinking(model) != "switchable"
    conversation = with_thoughts(conversation) if thinks else conversation
    tap = Tap()
    made: list[Event] = []
    options["hooks"] = (*(options.get("hooks") or ()), made.append)
    wrapped = wrap(tap.on(client), **options)
    manager = manager_of(wrapped)
    report = Report(id=conversation["id"])
    for step in steps(conversation):
        if before:
            before(step)
        pristine, seen = _fingerprint(step), len(made)
        completion = _ask(wrapped, step, model, tap, thinks=thinks)
        report.input_mutated |= _fingerprint(step) != pristine
        compacted = [e for e in made[seen:] if isinstance(e, Compacted)]
        report.compactions += sum(event.paid for event in compacted)
        turn = Turn(
            full=measure(step) if measure else _full(manager, step, thinks=thinks),
            sent=completion.usage.prompt_tokens if completion else 0,
            cached=_cached(completion),
            compacted=bool(compacted),
        )
        _book(report, turn)
        _check(report, step, tap.chats[-1]["messages"], turn, manager)
        if after:
            after(step, turn)
    report.summarizer_calls = len(tap.summaries)
    report.tokens_summaries = tap.tokens_summaries
    report.rejected = tap.refused
    report.digest = tap.digest()
    return report


def _full(manager: Manager, step: Step, *, thinks: bool) -> int:
    return manager.count(step.messages, tools=step.tools, thinking=thinks).total


def _ask(wrapped: OpenAI, step: Step, model: str, tap: Tap, *, thinks: bool) -> Any:
    from openai import APIError  # noqa: PLC0415  # heavy

    given: dict[str, Any] = {"messages": step.messages, "model": model}
    if step.tools:
        given["tools"] = list(step.tools)
    if not thinks:
        given["extra_body"] = NO_THINKING
    refused = tap.refused
    try:
        return wrapped.chat.completions.create(**given)
    except APIError:
        if tap.refused == refused:
            raise
        return None


def _fingerprint(step: Step) -> str:
    return json.dumps(step.messages, ensure_ascii=False, sort_keys=True)


def _cached(completion: Any) -> int:
    details = getattr(getattr(completion, "usage", None), "prompt_tokens_details", None)
    return getattr(details, "cached_tokens", None) or 0


def _book(report: Report, turn: Turn) -> None:
    report.requests += 1
    report.tokens_full += turn.full
    report.tokens_sent += turn.sent
    report.tokens_cached += turn.cached
    report.largest_request = max(report.largest_request, turn.sent)
    report.turns.append(turn)


def _check(
    report: Report, step: Step, sent: Sequence[WireMessage], turn: Turn, manager: Manager
) -> None:
    budget = manager.settings.budget
    sending = witness(manager, step.messages, sent, tokens=turn.sent, limit=budget)
    record, found = sending.record, violations(sending)
    report.over_budget += "prompt_is_within_limit" in found
    report.summary_position_ok &= not {"head_is_first", "one_synthetic_message"} & set(found)
    report.covered &= "absent_messages_are_covered" not in found
    report.tail_exact &= not {"kept_messages_are_verbatim", "tail_is_a_suffix"} & set(found)
    place = f"request {report.requests}"
    report.problems += [f"{place}: {name}: {text}" for name, text in found.items()]
    del report.problems[8:]
    if record is not None and budget and turn.sent:
        share = round(turn.sent / budget, 4)
        smallest = report.smallest_view_share
        report.smallest_view_share = share if smallest is None else min(smallest, share)
        report.synthetic = record.synthetic


def total(reports: Sequence[Report]) -> Report:
    """Return the sum of several reports, with the worst of what cannot be summed."""
    summed = Report(id="total")
    for report in reports:
        for name in _SUMMED:
            setattr(summed, name, getattr(summed, name) + getattr(report, name))
        summed.largest_request = max(summed.largest_request, report.largest_request)
        summed.summary_position_ok &= report.summary_position_ok
        summed.input_mutated |= report.input_mutated
        summed.covered &= report.covered
        summed.tail_exact &= report.tail_exact
        summed.problems += report.problems
    shares = [r.smallest_view_share for r in reports if r.smallest_view_share is not None]
    summed.smallest_view_share = min(shares, default=None)
    return summed


_SUMMED = (
    "requests",
    "compactions",
    "summarizer_calls",
    "tokens_full",
    "tokens_sent",
    "tokens_summaries",
    "tokens_cached",
    "over_budget",
    "rejected",
)
