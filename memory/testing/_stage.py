"""Where flows are held between two effects: one manager, what is done with it, and what came of it.

Shared by `memory.testing.interleavings` and `memory.testing.effect_faults`.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from memory import models
from memory.events import Event
from memory.flow import (
    Answer,
    Append,
    Context,
    Effect,
    Fitted,
    Flow,
    Forget,
    LogKey,
    Past,
    Prompt,
    Send,
    fit,
    send,
)
from memory.flow.ahead import summarize_ahead
from memory.flow.control import compact, forget, pin
from memory.flow.conversation import add, fork, rewind, undo
from memory.flow.log import key_of
from memory.handlers import Handler
from memory.invariants import Sending
from memory.manager import MemoryManager
from memory.messages import WireMessage, head_length, tool_calls, wire
from memory.records import Record, Turn
from memory.replies import Reply
from memory.stores import VolatileStore
from memory.summary import Draft, SummaryRequest

__all__ = ("BUDGET", "REPLY", "Act", "Notes", "Stage", "talk", "usual", "words")

BUDGET = 400
"""Tokens, here words, that the prompts of a usual stage may have."""
REPLY: WireMessage = {
    "role": "assistant",
    "content": "Reply follows here as it is said in so many words.",
}
"""What the server answers where an act says nothing else."""


def words(number: int, tag: str = "w") -> str:
    """Return a text of so many different words, without anything that looks like an identifier."""
    return " ".join(tag + _letters(index) for index in range(number))


def _letters(number: int) -> str:
    more, last = divmod(number, 26)
    return (_letters(more - 1) if more else "") + chr(ord("a") + last)


def talk(turns: int, *, head: int = 10, size: int = 20, tag: str = "") -> list[WireMessage]:
    """Return a conversation of so many turns that ends with a question of ten words.

    Args:
        turns: Turns of a user message and a reply.
        head: Words of the system message.
        size: Words of each message.
        tag: What all words begin with, so that conversations differ.
    """
    said: list[WireMessage] = [{"role": "system", "content": words(head, f"{tag}head")}]
    for turn in range(turns):
        said.append({"role": "user", "content": words(size, f"{tag}user{_letters(turn)}")})
        said.append({"role": "assistant", "content": words(size, f"{tag}said{_letters(turn)}")})
    return [*said, {"role": "user", "content": words(10, f"{tag}last")}]


class Notes:
    """A summariser that writes three quarters of what it may, at once."""

    asker = "notes"

    def summarize(self, request: SummaryRequest, /) -> Draft:
        """Return words, fewer than there were."""
        size = max(1, min(request.cap, request.source_tokens - 1) * 3 // 4)
        return Draft(text=words(size, "note"), author=request.model)


def _count(text: str) -> int:
    return len(text.split())


def usual(store: Any = None) -> MemoryManager:
    """Return a manager that counts words and may send 400, with summaries in the background.

    Args:
        store: Where it keeps its logs; None for memory.
    """
    return MemoryManager(
        store=VolatileStore() if store is None else store,
        summarizer=Notes(),
        tokenizer=_count,
        hooks=(),
        budget=BUDGET,
        namespace="stage",
        compaction="background",
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Act:
    """One thing that somebody does.

    Attributes:
        name: What it is, as in a sentence: `"turn"`, `"rewind"`.
        flow: Makes the flow of it.
        key: The log that it is about; None where that is not known before.
        said: What it puts on record, reply included, if it succeeds.
        reply: What the server answers.
        clears: Whether what was on record may be gone after it, by request.
        prompt: What is to be fitted, for those that send nothing.
        before: A copy of what the caller passed.
    """

    name: str
    flow: Callable[[], Flow[Any]]
    key: LogKey | None = None
    said: tuple[WireMessage, ...] = ()
    reply: WireMessage = field(default_factory=lambda: REPLY)
    clears: bool = False
    prompt: Prompt | None = None
    before: Sequence[WireMessage] | None = None


class Stage:
    """A manager, the acts that can be done with it, and a record of what they did.

    Args:
        manager: Whose store, summariser and settings are on trial, fresh; None for a usual one.
        impatient: Whether nobody waits for anybody.

    Attributes:
        manager: The manager.
        impatient: Whether nobody waits for anybody.
        outside: What performs effects: the manager's, with ears.
        events: What was told.
        appended: What was put on record, one entry a write, in order.
        sendings: The requests, with what was on record when they went out.
        errors: What reached callers.
        conflicts: How many writes came too late.
    """

    def __init__(self, manager: MemoryManager | None = None, *, impatient: bool = False) -> None:
        self.manager = usual() if manager is None else manager
        self.impatient = impatient
        self.events: list[Event] = []
        self.appended: list[tuple[LogKey, tuple[Record, ...]]] = []
        self.sendings: list[Sending] = []
        self.errors: list[Exception] = []
        self.conflicts = 0
        self.outside = replace(
            self.manager.outside, hooks=(*self.manager.outside.hooks, self.events.append)
        )
        self._forgotten: dict[LogKey, int] = defaultdict(int)
        self._tick = 0
        self._said: list[_Said] = []
        self._clears: list[tuple[Act, int]] = []

    @property
    def context(self) -> Context:
        """How prompts are judged."""
        return self.manager.context()

    def key(self, name: str) -> LogKey:
        """Return the log of a conversation."""
        return self.manager.log_of(name)

    def history(self, key: LogKey) -> tuple[WireMessage, ...]:
        """Return what is on record under a key now, in order and without the head."""
        return Past.of(self.manager.store.load(key)).messages

    def written(self, key: LogKey) -> list[Record]:
        """Return what was put on record under a key since it was forgotten, if it was."""
        kept = self.appended[self._forgotten[key] :]
        return [record for other, records in kept if other == key for record in records]

    def ever(self, key: LogKey) -> list[Record]:
        """Return all that was ever put on record under a key."""
        return [record for other, records in self.appended if other == key for record in records]

    def run(self, act: Act) -> Any:
        """Do something from beginning to end, and return what it returns."""
        return self.handler(act).run(act.flow())

    def handler(self, act: Act) -> Handler:
        """Return who performs the effects of an act, and takes notes."""
        return _Witness(self, act)

    def fit(self, messages: Sequence[WireMessage]) -> Act:
        """Return the act of fitting a whole list, as `MemoryManager.fit` does."""
        prompt = self.prompt(messages, None)
        return Act(
            name="fit",
            flow=lambda: fit(prompt, self.context),
            prompt=prompt,
            before=copy.deepcopy(prompt.messages),
        )

    def call(self, messages: Sequence[WireMessage]) -> Act:
        """Return the act of sending a whole list, as a wrapped client does."""
        prompt = self.prompt(messages, None)
        return Act(name="call", flow=lambda: send(prompt, self.context))

    def turn(self, name: str, said: Sequence[WireMessage] | str, reply: WireMessage = REPLY) -> Act:
        """Return the act of a turn of a conversation.

        Args:
            name: Which conversation.
            said: What is new, or the text of a user message.
            reply: What the server answers.
        """
        new = [{"role": "user", "content": said}] if isinstance(said, str) else said
        prompt = self.prompt(new, name)
        return Act(
            name="turn",
            flow=lambda: send(prompt, self.context),
            key=prompt.log,
            said=(*prompt.messages, reply),
            reply=reply,
        )

    def ahead(self, messages: Sequence[WireMessage], name: str | None = None) -> Act:
        """Return the act of summarising messages before they reach the limit.

        Args:
            messages: All of them, those on record included.
            name: Whose they are; None for those of a caller who sends everything.
        """
        prompt = self.prompt(messages, name)
        return Act(name="ahead", flow=lambda: summarize_ahead(prompt, self.context, Reply()))

    def add(self, name: str, messages: Sequence[WireMessage]) -> Act:
        """Return the act of adding messages to a conversation without a reply."""
        key, said = self.key(name), wire(messages)
        rest = tuple(said[head_length(said) :])
        return Act(name="add", flow=lambda: add(key, said), key=key, said=rest)

    def compact(self, name: str, *, upto: int | None = None, summary: str | None = None) -> Act:
        """Return the act of compacting a conversation by hand."""
        prompt = self.prompt((), name)
        return Act(
            name="compact",
            flow=lambda: compact(prompt, self.context, upto=upto, summary=summary),
            key=prompt.log,
        )

    def undo(self, name: str) -> Act:
        """Return the act of taking the latest compaction back."""
        return Act(name="undo", flow=lambda: undo(self.key(name)), key=self.key(name))

    def rewind(self, name: str, to: int) -> Act:
        """Return the act of going back to where there were `to` messages."""
        key = self.key(name)
        return Act(name="rewind", flow=lambda: rewind(key, to), key=key, clears=True)

    def pin(self, name: str, what: int | str, *, held: bool = True) -> Act:
        """Return the act of pinning something, or of unpinning it."""
        key, prompt = self.key(name), self.prompt((), name)
        verb = "pin" if held else "unpin"
        return Act(name=verb, flow=lambda: pin(prompt, key, what, held=held), key=key)

    def forget(self, name: str) -> Act:
        """Return the act of forgetting a conversation."""
        key = self.key(name)
        return Act(name="forget", flow=lambda: forget(self.context, key), key=key, clears=True)

    def fork(self, name: str, other: str, at: int | None = None) -> Act:
        """Return the act of beginning another conversation with the messages of one."""
        key, fresh = self.key(name), self.key(other)
        return Act(name="fork", flow=lambda: fork(key, fresh, at), key=key)

    def sending(
        self, prompt: Prompt, fitted: Fitted, before: Sequence[WireMessage] | None = None
    ) -> Sending:
        """Return a request with what was on record about it, also if that is forgotten by now.

        Args:
            prompt: What was given.
            fitted: What was made of it.
            before: A copy of what was given from before; None for none.
        """
        key = key_of(prompt, prompt.thread())
        logs = self.ever(key), self.manager.store.load(key).records
        return Sending(
            given=prompt.messages,
            sent=fitted.view,
            record=fitted.record,
            recalled=fitted.shown,
            log=max(logs, key=len),
            tokens=self.context.count(prompt, fitted.messages).total,
            limit=self.context.limit(prompt),
            before=before,
            pending=len(prompt.joined.new) if prompt.joined else 0,
            pinned=prompt.pinned,
            quoted=prompt.quoted or (),
        )

    def ticks(self) -> int:
        """Return the number of one more step."""
        self._tick += 1
        return self._tick

    def acknowledge(self, act: Act, *, joined: int, wrote: int | None) -> None:
        """Note that an act came to a good end, so that what it said has to be on record.

        Args:
            act: The act.
            joined: When it read what was on record.
            wrote: When it put itself on record, or None.
        """
        self._said.append(_Said(act=act, joined=joined, wrote=wrote))

    def cleared(self, act: Act, when: int) -> None:
        """Note that an act removed what was on record, as it was asked to."""
        self._clears.append((act, when))

    def acknowledged(self, key: LogKey) -> list[tuple[WireMessage, ...]]:
        """Return what has to be on record under a key now, one entry a turn.

        What was rewound or forgotten later is not, nor what was going on when it was forgotten.
        """
        clears = [(act.name, when) for act, when in self._clears if act.key == key]
        return [
            each.act.said
            for each in self._said
            if each.act.key == key and not any(each.is_gone(name, when) for name, when in clears)
        ]

    def took(self, effect: Effect[Any]) -> None:
        """Note what an effect did that was performed."""
        if isinstance(effect, Append):
            self.appended.append((effect.key, effect.records))
        elif isinstance(effect, Forget):
            self._forgotten[effect.key] = len(self.appended)

    def answered(self, act: Act, sent: Send) -> Answer:
        """Answer a request as the server of an act does."""
        self.sendings.append(self.sending(sent.prompt, sent.fitted))
        reason = "tool_calls" if tool_calls(act.reply) else "stop"
        return Answer(response=act.reply, reply=Reply(message=act.reply, finish_reason=reason))

    def prompt(self, messages: Sequence[WireMessage], name: str | None = None) -> Prompt:
        """Return a prompt for messages, in a conversation or without one."""
        model = models.DEFAULT_MODEL
        options = {**self.manager.effective(), "conversation": name}
        return Prompt(
            messages=wire(messages),
            model=model,
            keep_reasoning=models.keeps_reasoning(model),
            **self.manager.placement(options),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What somebody was told is on record, and when it was read and written."""

    act: Act
    joined: int
    wrote: int | None

    def is_gone(self, verb: str, when: int) -> bool:
        """Return whether it need not be on record after somebody removed what was there."""
        if self.wrote is None:
            return verb == "forget" and self.joined < when
        return self.wrote < when


class _Witness(Handler):
    """Performs the effects of one act, and notes what they did."""

    def __init__(self, stage: Stage, act: Act) -> None:
        self._stage = stage
        super().__init__(
            stage.outside, stage.manager.summarizer, lambda sent: stage.answered(act, sent)
        )

    def perform(self, effect: Effect[Any]) -> Any:
        """Perform an effect and return the reply."""
        reply = super().perform(effect)
        self._stage.took(effect)
        return reply


def is_turn(records: Sequence[Record]) -> bool:
    """Return whether a write puts a turn on record."""
    return any(isinstance(record, Turn) for record in records)
