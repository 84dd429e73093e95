"""One of the shared rows of the fault matrix, played by a library in a process of its own.

What the library would send goes to a strict server as a turn of the conversation, and is answered
as the conversation says. Its requests for summaries go to another server, over HTTP, where all of
the faults are. That summariser writes down every fact that it is shown, whatever the prompt. After
a turn that fails the caller goes on with the next one: the message stays where it is, without a
reply.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from benchmarks._faults_cases import BIG, BIG_TURN
from benchmarks._faults_facts import BUDGET, floor, notes, ordered, stands
from benchmarks._faults_run import MODEL
from benchmarks._faults_shared import WELL_OVER, Shared
from benchmarks._faults_talk import Language, Message, Talk, talk
from benchmarks._report import Row
from memory.messages import role_of, text_of
from memory.testing import FakeKimi, SummaryJob, serve
from memory.testing.kimi_wire import Request, dumps

__all__ = ("Answer", "Play", "Player")

SLOW: Final = 1.0
"""Seconds that a slow summariser takes."""
ROOM: Final = 64
"""Tokens of a cap on summaries that are left for what the model thinks."""
ERRORS: Final = 3
"""How many different errors of a conversation are kept."""
_HEADERS: Final = {"authorization": "Bearer sk-fake", "content-type": "application/json"}
_WELL: Final = 200

Answer = Mapping[str, Any]


class Player(Protocol):
    """Who is told to play: a library in a process."""

    def tell(self, operation: str, **more: Any) -> Answer:
        """Return the answer to an order; see `benchmarks.peers.faults_child`."""


@dataclass(slots=True, kw_only=True)
class Play:
    """A row in one language with one seed, and what came of it.

    Attributes:
        shared: The row.
        language: In which the conversation is held.
        seed: What determines the conversation.
        turns: How many have a fact.
        talk: The conversation.
        chats: The server of the turns.
        summaries: The server of the summaries.
        failed: What was raised.
        sent: What was sent, by turn.
        missing: Requests without the last message of the user.
        waits: Seconds for which each turn kept its caller waiting.
    """

    shared: Shared
    language: Language
    seed: int
    turns: int
    talk: Talk = field(init=False)
    chats: FakeKimi = field(init=False)
    summaries: FakeKimi = field(init=False)
    failed: list[str] = field(default_factory=list)
    sent: list[Sequence[Message]] = field(default_factory=list)
    missing: int = 0
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write the conversation and make the servers."""
        place = min(BIG_TURN, self.turns // 2)
        self.talk = talk(
            self.language,
            self.seed,
            turns=self.turns,
            large={place: BIG} if self.shared.large else None,
            silent=int(self.shared.together),
        )
        self.chats = FakeKimi()
        self.summaries = FakeKimi(reply=self._write, summarize=self._summarize, slow_seconds=SLOW)

    def play(self, player: Player) -> Row:
        """Have the conversation and return what came of it."""
        begun = time.perf_counter()
        with serve(self.summaries) as url:
            head = [{"role": "system", "content": self.talk.system}]
            ours = dict(self.shared.ours)
            answer = player.tell("begin", limit=BUDGET, head=head, url=url, ours=ours)
            new: Sequence[Message] = ()
            for places in self._rounds():
                self._strike(places[0])
                new = self._take(player, new, places)
            originals = player.tell("originals").get("texts", [])
        row = self._row(originals, time.perf_counter() - begun)
        return {"version": answer.get("version"), **row}

    def _rounds(self) -> Iterator[Sequence[int]]:
        """Yield the places of the turns that come at once."""
        step = 1 + self.shared.together
        places = range(len(self.talk.turns))
        return (places[start : start + step] for start in range(0, len(places), step))

    def _strike(self, place: int) -> None:
        fault, span = self.shared.fault, self.shared.span or (0, len(self.talk.turns))
        if fault is not None and place == span[0]:
            self.summaries.fail_always(fault)
        elif place == span[1]:
            self.summaries.recover()

    def _take(self, player: Player, new: Sequence[Message], places: Sequence[int]) -> list[Message]:
        """Have the turns of a round, and return what is new by the next one."""
        turns = [self.talk.turns[place] for place in places]
        users = [{"role": "user", "content": turn.user} for turn in turns]
        operation = "both" if len(users) > 1 else "send"
        begun = time.perf_counter()
        answer = player.tell(operation, new=[*new], users=users)
        self.waits.append(time.perf_counter() - begun)
        added = [[user] for user in users] if operation == "both" else [[]]
        if "error" in answer:
            self.failed += [answer["error"]] * len(users)
        for each, turn, sent in zip(added, turns, answer.get("sent", ()), strict=False):
            if self._post(sent, turn.user):
                each.append({"role": "assistant", "content": turn.reply})
        return [message for each in added for message in each]

    def _post(self, sent: Sequence[Message], asked: str) -> bool:
        """Return whether the strict server takes a request."""
        self.sent.append(sent)
        users = [text_of(message) for message in sent if role_of(message) == "user"]
        self.missing += not any(asked in text for text in users)
        body = dumps({"model": MODEL, "messages": sent})
        path = "/v1/chat/completions"
        request = Request(method="POST", path=path, headers=_HEADERS, body=body)
        return self.chats.handle(request).status == _WELL

    def _write(self, body: Mapping[str, Any]) -> str:
        """Write a summary for who asks in their own words."""
        cap = body.get("max_completion_tokens") or body.get("max_tokens")
        shown = [text_of(message) for message in body["messages"]]
        return notes(self.talk, shown, room=None if cap is None else max(0, cap - ROOM))

    def _summarize(self, job: SummaryJob) -> str:
        """Write a summary for who asks in the words of this library."""
        return notes(self.talk, [text_of(message) for message in job.messages], room=job.budget)

    def _row(self, originals: Sequence[str], seconds: float) -> Row:
        made, chats = self.talk, self.chats.requests
        view = [text_of(message) for message in self.sent[-1]] if self.sent else []
        prompts = [each.prompt_tokens for each in chats]
        return {
            "facts": len(made.facts),
            "sliding window": floor(made),
            "turns": len(made.turns),
            "turns failed": len(self.failed),
            "largest request": max(prompts, default=0),
            "over budget": sum(tokens > BUDGET for tokens in prompts),
            WELL_OVER: sum(tokens > 1.01 * BUDGET for tokens in prompts),
            "over budget allowed": int(self.shared.large),
            "rejected": sum(each.status != _WELL for each in chats),
            "in view": sum(stands(fact, view) for fact in made.facts),
            "in reach": sum(stands(fact, [*view, *originals]) for fact in made.facts),
            "last user message missing": self.missing,
            "orders sent": sum(ordered(messages) for messages in self.sent),
            "requests to the summariser": len(self.summaries.requests),
            "seconds": seconds,
            "slowest turn": max(self.waits),
            "failures": sorted(set(self.failed))[:ERRORS],
            "rejections": sorted({str(each.error) for each in chats if each.error})[:ERRORS],
        }
