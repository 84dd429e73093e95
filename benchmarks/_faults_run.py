"""One row of the fault matrix: a conversation over HTTP with a summariser that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from openai import OpenAI

from benchmarks._faults_cases import BIG, BIG_TURN, SMALL, Case, Way
from benchmarks._faults_facts import BUDGET, notes, ordered, stands
from benchmarks._faults_talk import Language, Message, Talk, Turn, talk, text_of
from benchmarks._report import Row
from memory import BudgetError, wrap
from memory.client import manager_of
from memory.config import Settings
from memory.events import Accepted, Event, FellBack
from memory.records import Logged
from memory.testing import FakeKimi, Model, SummaryJob, serve
from memory.testing.kimi_models import LIVE_MODELS
from memory.testing.kimi_wire import ApiError

__all__ = ("FACTS", "MODEL", "Run")

FACTS: Final = 40
"""Turns, each with a fact."""
MODEL: Final = "kimi-k2.6"
OFF: Final = {"thinking": {"type": "disabled"}}
NAME: Final = "faults"
OFFLINE: Final = "extractive"
"""The author of summaries that no model wrote."""
_LOOK: Final = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}
_KNOWN: Final = frozenset(each.name for each in fields(Settings))


@dataclass(slots=True)
class Run:
    """A case in one language with one seed, and what came of it.

    Attributes:
        case: What is wrong.
        language: In which the conversation is held.
        seed: What determines the conversation.
        way: How the client is used.
        turns: How many turns have a fact.
    """

    case: Case
    language: Language
    seed: int
    way: Way = "transparent"
    turns: int = FACTS
    talk: Talk = field(init=False)
    fake: FakeKimi = field(init=False)
    client: Any = field(init=False, default=None)
    failed: list[str] = field(default_factory=list)
    refused: int = 0
    accepted: int = 0
    extracted: int = 0
    away: int = 0
    _said: list[Message] = field(default_factory=list)
    _replies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the conversation and put up the server."""
        case = self.case
        question = case.large == "question"
        self.talk = talk(
            self.language,
            self.seed,
            turns=self.turns,
            size=case.size,
            large={min(BIG_TURN, self.turns // 2): BIG} if question else None,
            silent=case.silent,
        )
        self._replies = {turn.user: turn.reply for turn in self.talk.turns}
        models = [*LIVE_MODELS]
        if case.window is not None:
            models.append(Model(id=SMALL, family="moonshot-v1", context_length=case.window))
        self.fake = FakeKimi(models=models, summarize=self._summarize, reply=self._reply)

    def play(self) -> Row:
        """Have the conversation and return its row."""
        begun = time.perf_counter()
        with serve(self.fake) as url:
            inner = OpenAI(base_url=url, api_key="sk-faults")
            self.client = wrap(inner, **self._options())
            self._said = [{"role": "system", "content": self.talk.system}]
            for place, turn in enumerate(self.talk.turns):
                self._take(place, turn)
        return self._row(time.perf_counter() - begun)

    def _options(self) -> dict[str, Any]:
        case = self.case
        options = {k: v for k, v in case.options.items() if k in _KNOWN}
        if case.store is not None:
            options["store"] = case.store()
        if self.way == "conversation":
            options["conversation"] = NAME
        return {"budget": BUDGET, "hooks": (self._hear,), **options}

    def _take(self, place: int, turn: Turn) -> None:
        """Have one turn; those that the caller brings along are only taken note of."""
        if place < self.case.joins:
            self._said += [_user(turn.user), _assistant(turn.reply)]
            return
        self._strike(place)
        new = [*self._said[:1], _user(turn.user)]
        self._said.append(new[-1])
        if self.case.large == "tool result" and place == min(BIG_TURN, self.turns // 2):
            self._said += self._exchange()
        asked = sum(each.kind == "summary" for each in self.fake.requests)
        sent = self._said if self.way == "transparent" else new
        self._send(sent)
        if self.case.span and self.case.span[0] <= place < self.case.span[1]:
            self.away += sum(each.kind == "summary" for each in self.fake.requests) - asked

    def _send(self, messages: Sequence[Message]) -> None:
        tools = {"tools": [_LOOK]} if self.case.large == "tool result" else {}
        try:
            reply = self.client.chat.completions.create(
                model=MODEL, messages=[*messages], extra_body=OFF, **tools
            )
        except BudgetError as error:
            # The caller leaves the message where it is and goes on; it has no reply.
            named = next(iter(error.culprits), "") == "last user message"
            self.refused += named
            if not named:
                self.failed.append(str(error))
        except Exception as error:  # noqa: BLE001  # whatever it is, the turn failed by it
            self.failed.append(f"{type(error).__name__}: {error}")
        else:
            self._said.append(_assistant(reply.choices[0].message.content))

    def _strike(self, place: int) -> None:
        fault = self.case.fault
        if fault is None:
            return
        start, end = self.case.span or (0, len(self.talk.turns))
        if place == start:
            self.fake.fail_always(fault, only="summary")
        elif place == end:
            self.fake.recover()

    def _exchange(self) -> list[Message]:
        """Return a call of a tool, and a result of 9,000 tokens."""
        function = {"name": "look_up", "arguments": "{}"}
        call = {"id": "look_up:0", "type": "function", "function": function}
        other = talk(self.language, self.seed + 1, turns=1, large={0: BIG})
        return [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "look_up:0", "content": other.turns[0].user},
        ]

    def _reply(self, body: Mapping[str, Any]) -> str:
        users = (text_of(m) for m in reversed(body["messages"]) if m["role"] == "user")
        return self._replies.get(next(users, ""), "I see.")

    def _summarize(self, job: SummaryJob) -> str:
        """Write down every fact that was shown, as many as there is room for.

        Raises:
            ApiError: What was shown holds what the filter refuses.
        """
        shown = [text_of(message) for message in job.messages]
        filtered = self.case.filtered
        if filtered is not None and stands(self.talk.facts[filtered], shown):
            msg = "The request was rejected because it was considered high risk"
            raise ApiError(msg, status=400, kind="content_filter")
        return notes(self.talk, shown, room=job.budget)

    def _hear(self, event: Event) -> None:
        self.accepted += isinstance(event, Accepted) and event.author != OFFLINE
        self.extracted += isinstance(event, FellBack)

    def _row(self, seconds: float) -> Row:
        chats = [each for each in self.fake.requests if each.kind == "chat"]
        prompts = [each.prompt_tokens for each in chats]
        view = [text_of(message) for message in chats[-1].body["messages"]] if chats else []
        reach = [*view, *map(text_of, self._originals())]
        facts = self.talk.facts
        return {
            "row": self.case.name,
            "language": self.language,
            "seed": self.seed,
            "way": self.way,
            "turns": len(self.talk.turns) - self.case.joins,
            "turns failed": len(self.failed),
            "refused by name": self.refused,
            "largest request": max(prompts, default=0),
            "over budget": sum(tokens > BUDGET for tokens in prompts),
            "in view": sum(stands(fact, view) for fact in facts),
            "in reach": sum(stands(fact, reach) for fact in facts),
            "facts": len(facts),
            "requests to the summariser": sum(
                each.kind == "summary" for each in self.fake.requests
            ),
            "while it was down": self.away if self.case.span else None,
            "summaries accepted": self.accepted,
            "extracted instead": self.extracted,
            "orders sent": sum(ordered(each.body["messages"]) for each in chats),
            "seconds": seconds,
            "failures": sorted(set(self.failed)),
        }

    def _originals(self) -> Iterator[Mapping[str, Any]]:
        """Yield what a look behind the notes shows: the originals on record."""
        manager = manager_of(self.client)
        if self.way == "conversation":
            conversation = manager.conversation(NAME)  # type: ignore[attr-defined]
            for record in conversation.compactions()[-1:]:
                for segment in record.segments:
                    yield from conversation.expand(segment)
            return
        yield from (r.message for r in manager.log(self._said) if isinstance(r, Logged))


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}
