"""A prompt, how to judge it, and a view of it with its cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from memory.breaker import Breaker
from memory.counts import Counts
from memory.fences import quoted
from memory.flow.unsaved import Unsaved
from memory.identity import Seen, link, see
from memory.messages import WireMessage, head_length
from memory.meter import Meter
from memory.notes import Role
from memory.policy import (
    NO_NOTES,
    SEGMENT_FRAME,
    Budget,
    Notes,
    Plan,
    Policy,
    Sized,
    plan,
    plan_cut,
)
from memory.recall.settings import Recall
from memory.records import SEPARATOR, Compaction, LogKey
from memory.redaction import Redact, redacted
from memory.view import Thread, View
from memory.windows import Windows

__all__ = ("Context", "Fitted", "Joined", "Prompt", "Severity", "State", "measured")

Severity = Literal["off", "event", "raise"]
"""What happens when a promise is broken: nothing looks, an event tells, or an error is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """How a prompt goes on from a conversation on record.

    Attributes:
        conversation: The name of the conversation.
        new: The messages of the caller that are not on record yet.
        start: Where they begin, counted without the head.
        head: The head of the caller, where it is another than the one on record.
        turns: How many turns were on record.
        before: The digest of the message before what is new, or None.
        answers: Whether it answers tool calls that are on record.
    """

    conversation: str
    new: tuple[WireMessage, ...]
    start: int
    head: tuple[WireMessage, ...] | None
    turns: int
    before: bytes | None = None
    answers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One request as the caller makes it.

    Attributes:
        messages: All messages, head included.
        tools: The tool declarations.
        model: The model.
        completion: `max_completion_tokens`, or None.
        thinking: Whether the reply opens with a thought.
        keep_reasoning: Whether the thoughts of all turns are rendered.
        cache_key: `prompt_cache_key`, or None.
        namespace: The scope that claims and events go by; see `LogKey.scope`.
        user: Whose records they are, within the namespace; empty for nobody in particular.
        log: The log of the conversation; None for that of all inputs with the same beginning.
        conversation: The name of the conversation, or None.
        joined: How it goes on from that conversation, once that was read.
        record: Whether anything of it may be put on record.
        blind: Whether to do without the store, because it failed.
        pinned: The digests of messages that stay verbatim.
        lasting: Those of them that are pinned in the conversation, and not for this call only.
        quoted: The sentences that the notes have to quote; None where nobody said which.
        redact: What is done to texts before they are stored or sent to a summariser.
        known: How many of the messages after the head came from the record, and are redacted.
        asker: Whose key summaries are asked for with; one that fails says nothing of another.
        shareable: Whether a request for a summary can repeat the prompt as it was sent.
        said: When each of the messages after the head was put on record, in seconds since 1970;
            None for what is not, or at an unknown time. Empty where nothing came from a record.
    """

    messages: Sequence[WireMessage]
    tools: tuple[WireMessage, ...] = ()
    model: str
    completion: int | None = None
    thinking: bool = True
    keep_reasoning: bool = False
    cache_key: str | None = None
    namespace: str = ""
    user: str = ""
    log: LogKey | None = None
    conversation: str | None = None
    joined: Joined | None = None
    record: bool = True
    blind: bool = False
    pinned: frozenset[bytes] = frozenset()
    lasting: frozenset[bytes] = frozenset()
    quoted: tuple[str, ...] | None = None
    redact: Redact | None = None
    known: int = 0
    asker: str = ""
    shareable: bool = True
    said: Sequence[float | None] = ()

    @property
    def space(self) -> str:
        """The namespace that records are kept in and looked for."""
        return self.namespace.partition(SEPARATOR)[0]

    def clean(self, message: WireMessage, index: int) -> WireMessage:
        """Return a message as it is put on record.

        Args:
            message: The message.
            index: Its place, counted from 0 without the head.
        """
        return message if 0 <= index < self.known else redacted(message, self.redact)

    def thread(self, *, seen: Sequence[Seen] | None = None, linked: bool = True) -> Thread:
        """Return the messages as head and rest."""
        stored = None
        if self.redact is not None:
            start = head_length(self.messages)
            stored = see([self.clean(m, i - start) for i, m in enumerate(self.messages)])
        return Thread.of(self.messages, seen=seen, linked=linked, pinned=self.pinned, stored=stored)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a flow is given beside the prompt: how to count, what to keep, how to write.

    Attributes:
        meter: Counts prompts.
        policy: What to keep.
        role: The role of the synthetic message.
        summarizer_model: Who writes summaries; None for the model of the request.
        deadline: Seconds that the summaries of one compaction may take together.
        until: When they have to be there, by the clock of `Now`.
        windows: What servers told about the windows of models.
        ahead: The share of the trigger from which a summary is written ahead, after a reply;
            None for never.
        choice: Which choice of a reply is the one that counts.
        patience: Seconds to wait for the turn before in a conversation.
        stands_in: Whether the offline summariser stands in for one that fails.
        task: The instruction for summaries; empty for the library's.
        breaker: Which summarisers are left alone because they failed.
        unsaved: What the store did not take.
        check: Whether what is about to be sent is judged by the invariants, and how a broken one
            is told.
        recall: How originals come back; None for not at all.
    """

    meter: Meter
    policy: Policy
    role: Role = "user"
    summarizer_model: str | None = None
    deadline: float = 60.0
    until: float = math.inf
    windows: Windows = field(default_factory=Windows)
    ahead: float | None = None
    choice: int = 0
    patience: float = 60.0
    stands_in: bool = True
    task: str = ""
    breaker: Breaker = field(default_factory=Breaker)
    unsaved: Unsaved = field(default_factory=Unsaved)
    check: Severity = "off"
    recall: Recall | None = None

    def limit(self, prompt: Prompt) -> int:
        """Return the tokens a prompt may have."""
        return self.policy.limit(
            model=prompt.model,
            completion=prompt.completion,
            window=self.windows.of(prompt.model),
        )

    def count(
        self,
        prompt: Prompt,
        messages: Sequence[WireMessage],
        *,
        seen: Sequence[Seen] | None = None,
    ) -> Counts:
        """Return what messages cost when they are sent for a prompt."""
        return self.meter.count(
            messages,
            seen=seen,
            tools=prompt.tools,
            thinking=prompt.thinking,
            keep_reasoning=prompt.keep_reasoning,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The outcome of `fit`.

    Attributes:
        messages: What to send; the caller's own object where nothing had to change.
        changed: Whether it differs from what the caller passed.
        record: The record it follows, or None.
        seen: What is known of each of `messages`.
        counted: Whether it was counted; its bytes may have shown already that it fits.
        tokens: What it costs in tokens, or an upper bound of that.
        snippet: Where in `messages` the message stands that shows originals again, or None.
        recalled: What that costs in tokens; part of `tokens`.
    """

    messages: Sequence[WireMessage]
    seen: Sequence[Seen] = ()
    changed: bool = False
    counted: bool = False
    record: Compaction | None = None
    tokens: int = 0
    snippet: int | None = None
    recalled: int = 0

    @property
    def shown(self) -> tuple[WireMessage, int] | None:
        """The message that shows originals again, and its place; None for none."""
        return None if self.snippet is None else (self.messages[self.snippet], self.snippet)

    @property
    def view(self) -> Sequence[WireMessage]:
        """The messages without what is recalled."""
        if self.snippet is None:
            return self.messages
        return [*self.messages[: self.snippet], *self.messages[self.snippet + 1 :]]


@dataclass(frozen=True, slots=True)
class State:
    """A view of a prompt with its cost and the thresholds that hold for it.

    Attributes:
        view: The view.
        messages: Its messages.
        seen: What is known of each.
        counts: Their tokens.
        budget: Limit, trigger and target.
        held: Tokens of the sentences that are pinned, as far as notes may quote.
    """

    view: View
    messages: Sequence[WireMessage]
    seen: Sequence[Seen]
    counts: Counts
    budget: Budget
    held: int = 0

    @classmethod
    def of(cls, prompt: Prompt, context: Context, view: View) -> State:
        """Count a view of a prompt."""
        messages, seen = view.compose()
        if view.record is not None:
            _remember(prompt, context, view.thread, view.record)
        counts = context.count(prompt, messages, seen=seen)
        policy = context.policy
        budget = policy.thresholds(
            limit=context.limit(prompt),
            measured=counts.measured,
            exact=counts.exact,
            cold_tools=counts.cold_tools,
        )
        pinned = sum(context.meter.text(quoted(text)) + 2 for text in prompt.quoted or ())
        held = min(int(pinned), int(policy.standing * budget.limit))
        return cls(view, messages, seen, counts, budget, held)

    @property
    def fits(self) -> bool:
        """Whether the view is under the trigger."""
        return self.counts.total <= self.budget.trigger

    @property
    def prefix(self) -> int:
        """How many messages of the view stand before the verbatim ones."""
        return self.view.thread.start + len(self.view.synthetic)

    @property
    def sizes(self) -> list[int]:
        """The tokens of the verbatim messages after the head, in order."""
        return self.counts[self.prefix :]

    @property
    def notes(self) -> Notes:
        """The tokens of the synthetic message."""
        total = sum(self.counts[self.view.thread.start : self.prefix])
        if self.view.record is None or not total:
            return NO_NOTES._replace(held=self.held)
        segments = sum(each.tokens + SEGMENT_FRAME for each in self.view.record.segments)
        return Notes(total, min(segments, total), self.held)

    @property
    def fixed(self) -> int:
        """The tokens of what is always sent: head, tools, opening of the reply."""
        head = sum(self.counts[: self.view.thread.start])
        return head + self.counts.tools + self.counts.reply

    def plan(self, policy: Policy, *, due: bool = False) -> Plan:
        """Return what to do with the view; if `due`, how to compact it although it fits."""
        return plan(
            self.sized,
            fixed=self.fixed,
            notes=self.notes,
            budget=self.budget,
            policy=policy,
            due=due,
        )

    def plan_cut(self, policy: Policy, *, place: int) -> Plan:
        """Return how to drop the parts before `place`, whatever that saves."""
        return plan_cut(
            self.sized,
            place=place,
            fixed=self.fixed,
            notes=self.notes,
            budget=self.budget,
            policy=policy,
        )

    @property
    def sized(self) -> list[Sized]:
        """The parts after the synthetic message with their costs."""
        sizes, place, parts = self.sizes, 0, []
        for indexes, protected in self.view.parts():
            stop = place + len(indexes)
            parts.append(Sized(sum(sizes[place:stop]), protected))
            place = stop
        return parts

    def dropped(self, todo: Plan) -> list[int]:
        """Return the messages that a plan drops, by index without the head."""
        if todo.action == "send":
            return []
        parts = self.view.parts()[: todo.cut]
        return [index for indexes, protected in parts if not protected for index in indexes]


def measured(prompt: Prompt, context: Context, thread: Thread, record: Compaction) -> Compaction:
    """Return a record with what the server told about the messages that stay in its view."""
    start, run = thread.start, thread.seen
    places = [*range(-start, 0), *record.kept, *range(record.covered, record.adopted)]
    costs, tools = context.meter.residuals([run[start + i] for i in places], prompt.tools)
    known = zip(places, costs, strict=True)
    return replace(
        record,
        measured=tuple((place, round(cost, 3)) for place, cost in known if cost is not None),
        tools=tools,
        head=link(run[:start])[-1],
    )


def _remember(prompt: Prompt, context: Context, thread: Thread, record: Compaction) -> None:
    """Take over what was measured before a compaction, perhaps by another process."""
    meter, start, run = context.meter, thread.start, thread.seen
    if record.synthetic and record.cost is not None:
        meter.suggest(record.synthetic, record.cost)
    if record.mark is None or not record.measured or not meter.is_first(record.mark):
        return
    least = 0 if link(run[:start])[-1] != record.head else -start
    found = [(start + i, cost) for i, cost in record.measured if least <= i < len(run) - start]
    meter.restore([run[place] for place, _ in found], [cost for _, cost in found])
    if record.tools is not None:
        meter.restore_tools(prompt.tools, record.tools)
