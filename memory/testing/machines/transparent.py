"""The machine of callers who send their whole list each time: memory reuses what it knows of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import precondition

from memory.identity import digest
from memory.invariants import Sending
from memory.invariants.recalled import parted, whole
from memory.messages import WireMessage
from memory.records import Compaction
from memory.testing.kimi_faults import Fault
from memory.testing.kimi_reply import Reply
from memory.testing.kimi_summary import NOTES
from memory.testing.machines.judge import demand
from memory.testing.machines.outage import Broken
from memory.testing.machines.shared import (
    BATCH,
    LARGE,
    LONG,
    READINGS,
    REFUSALS,
    SIZES,
    TURNS,
    WRITERS,
    Machine,
    act,
)
from memory.testing.machines.stage import Asked
from memory.testing.machines.words import (
    TOOLS,
    Wire,
    begun,
    hand_made,
    heads,
    on_the_wire,
    question,
    recorded,
    results,
)

__all__ = ("Transparent",)

IDLE = precondition(lambda self: not self.open)
WAITING = precondition(lambda self: self.open)
ASKED = precondition(lambda self: self.asked)
RENDERINGS = st.sampled_from(["hand-made", "object", "dump"])
REMEMBERED = 12
"""How many requests are remembered, to be made again or gone on from."""
SURE = 0.9
"""The share of a limit below which no prompt is compacted, whatever is known of its count, but for
what is kept free for what is recalled."""
RECALLED = 0.4
"""The share of a limit that there may be room for in addition, for what is recalled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A request as it was made, to be made again.

    Attributes:
        given: The caller's list.
        sending: What was sent.
        model: The model.
        options: The options of the call.
        known: What was on record of that list right after it.
    """

    given: list[Any]
    sending: Sending
    model: str
    options: dict[str, Any]
    known: list[tuple[int, bytes]]


class Transparent(Machine):
    """A list of messages that grows, is edited, and goes back to where it was before."""

    def start(self, said: list[Wire], *, head: bool) -> None:
        """Begin with a list of what was said elsewhere."""
        self.given: list[Any] = [*(heads(1) if head else []), *said]
        self.open: list[str] = []
        self.pinned: list[Wire] = []
        self.asked: list[Before] = []

    def check(self) -> None:
        """Nothing holds between two requests that was not looked at with them."""

    @property
    def options(self) -> dict[str, Any]:
        """The options of the next call."""
        pinned = {"pinned": [*self.pinned]} if self.pinned else {}
        return super().options | pinned

    def say(
        self,
        writer: int,
        new: list[Wire],
        reply: Reply,
        *,
        rendering: str = "hand-made",
        **how: Any,
    ) -> Asked:
        """Take a turn that goes well, and append what was new and the reply."""
        self.given = [*self.given, *new]
        asked = self.ask(writer, self.given, reply=reply, **how)
        self.demand_answer(asked)
        self.judged(asked, writer)
        if isinstance(how.get("reading"), int):
            said: Any = asked.beginning
        elif rendering == "hand-made" or asked.message is None:
            said = recorded(reply) if asked.message is None else hand_made(asked.message)
        else:
            said = asked.message if rendering == "object" else asked.message.model_dump()
        self.given = [*self.given, said]
        self.open = [call["id"] for call in reply.tool_calls]
        return asked

    def judged(self, asked: Asked, writer: int, *, recorded: bool = True) -> Sending:
        """Have a request checked, and remember it."""
        # What a call pins leaves no trace.
        sending = self.judge_aside(asked, recorded=recorded and not self.pinned)
        if recorded:
            before = Before(
                given=self.given,
                sending=sending,
                model=self.model,
                options=self.options,
                known=self.known(writer, self.given),
            )
            self.asked = [*self.asked, before][-REMEMBERED:]
        return sending

    def known(self, writer: int, given: list[Any]) -> list[tuple[int, bytes]]:
        """Return what is on record for a list and its beginnings."""
        log = self.stage.writers[writer].manager.log(given)
        return [(each.adopted, each.content) for each in log if isinstance(each, Compaction)]

    @IDLE
    @act(turns=TURNS, size=SIZES, reading=READINGS, rendering=RENDERINGS, writer=WRITERS)
    def ask_something(
        self, *, turns: int, size: int, reading: str, rendering: str, writer: int
    ) -> None:
        """Ask a few times, and keep the replies in one of the forms they have."""
        for turn in range(turns):
            by = (writer + turn) % 2
            new, reply = [self.question(size)], self.answer(size)
            self.say(by, new, reply, reading=reading, rendering=rendering)

    @IDLE
    @act(turns=LONG, tools=st.booleans(), head=st.none() | st.integers(0, 2), writer=WRITERS)
    def talk_on(self, *, turns: int, tools: bool, head: int | None, writer: int) -> None:
        """Go on for a while, with tools or without, and perhaps with another system message."""
        if head is not None:
            wired = on_the_wire(self.given)
            start = next((i for i, m in enumerate(wired) if m["role"] != "system"), len(wired))
            self.given = [*heads(head), *self.given[start:]]
        for turn in range(turns):
            new = [self.question(3)]
            if tools:
                self.say(writer, new, self.answer(0, BATCH[turn % 3 :]))
                new = results(self.open, self.next(), 3)
            self.say(writer, new, self.answer(4))

    @IDLE
    @act(calls=st.integers(1, 3), reading=READINGS, rendering=RENDERINGS, writer=WRITERS)
    def call(self, *, calls: int, reading: str, rendering: str, writer: int) -> None:
        """Ask something that the model needs tools for."""
        names = BATCH[:calls]
        reply = self.answer(0, names)
        self.say(writer, [self.question(0)], reply, reading=reading, rendering=rendering)

    @WAITING
    @act(size=SIZES, more=st.booleans(), rendering=RENDERINGS, writer=WRITERS)
    def bring_results(self, *, size: int, more: bool, rendering: str, writer: int) -> None:
        """Bring the results of calls; the model answers, or calls tools again."""
        new = results(self.open, self.next(), min(size, 3))
        names = BATCH[1:] if more else ()
        self.say(writer, new, self.answer(size, names), rendering=rendering)

    @IDLE
    @act(pieces=st.integers(3, 6), writer=WRITERS)
    def break_off(self, *, pieces: int, writer: int) -> None:
        """Ask, close the stream of the reply before its end, and keep its beginning."""
        self.say(writer, [self.question(0)], self.answer(3), reading=pieces)

    @IDLE
    @act(size=LARGE, writer=WRITERS)
    def begin_the_reply(self, *, size: int, writer: int) -> None:
        """Ask with the beginning of the reply, which the model goes on from."""
        reply, self.given = self.answer(1), [*self.given, self.question(size)]
        beginning = begun(self.next(), size // 3)
        asked = self.ask(writer, [*self.given, beginning], reply=reply)
        self.demand_answer(asked)
        self.judge_aside(asked, recorded=not self.pinned)
        said = {**recorded(reply), "content": beginning["content"] + reply.content}
        self.given = [*self.given, said]

    @IDLE
    @act(back=st.integers(1, 20), in_place=st.booleans())
    def edit(self, *, back: int, in_place: bool) -> None:
        """Say something else in an earlier message, in a new list or in that very message."""
        places = [
            place
            for place, message in enumerate(self.given)
            if isinstance(message, dict) and message["role"] == "user"
        ]
        if not places:
            return
        place = places[-min(back, len(places))]
        other = question(self.next(), 1)
        if in_place:
            self.given[place] = copy.deepcopy(self.given[place])
            self.given[place]["content"] = other["content"]
            self.asked.clear()  # they hold the same list
        else:
            self.given = [*self.given[:place], other, *self.given[place + 1 :]]

    @ASKED
    @act(back=st.integers(1, REMEMBERED), writer=WRITERS)
    def go_back(self, *, back: int, writer: int) -> None:
        """Go back to an earlier request and go on from there with another question."""
        before = self.asked[-min(back, len(self.asked))]
        stop = max(i for i, m in enumerate(on_the_wire(before.given)) if m["role"] == "user")
        self.given, self.open = [*before.given[:stop]], []
        self.say(writer, [self.question(2)], self.answer(2))

    @ASKED
    @act(back=st.sampled_from([3, REMEMBERED]), writer=WRITERS)
    def repeat(self, *, back: int, writer: int) -> None:
        """Make earlier requests again: what was found out for each is used as it was then."""
        for before in self.asked[-back:]:
            self.make_again(before, writer)

    def make_again(self, before: Before, writer: int) -> None:
        """Make an earlier request again, unless more is on record for it now."""
        if self.known(writer, before.given) != before.known:
            return
        manager = self.stage.writers[writer].manager.with_options(**before.options)
        again = self.run(manager.fit(before.given, model=before.model, tools=TOOLS))
        tokens, limit = before.sending.tokens, before.sending.limit or 0
        reserved = manager.context().policy.reserved
        sure = tokens is not None and tokens <= (SURE - reserved) * limit
        if sure or self.known(writer, before.given) == before.known:
            recalling = tokens is not None and tokens <= (SURE - RECALLED) * limit
            self.judge.again(
                before.sending, on_the_wire(again), "the same request again", recalling=recalling
            )

    @ASKED
    @act(writer=WRITERS, on=st.booleans())
    def fit_the_view(self, *, writer: int, on: bool) -> None:
        """Fit what fitting returned: it is returned; the caller may go on from it."""
        manager = self.stage.writers[writer].manager.with_options(**self.options)
        given = [*self.given, self.question(0)] if not self.open else self.given
        view = self.run(manager.fit(given, model=self.model, tools=TOOLS))
        again = self.run(manager.fit(view, model=self.model, tools=TOOLS))
        shown, same = on_the_wire(view), on_the_wire(again)
        sent, recalled = parted(on_the_wire(given), shown)
        before = Sending(given=sent, sent=sent, recalled=recalled)
        self.judge.again(before, same, "a view that is fitted again")
        if on and not self.open:
            self.go_on_from(view, recalled, writer)

    def go_on_from(
        self, view: Sequence[Any], recalled: tuple[WireMessage, int] | None, writer: int
    ) -> None:
        """Go on from a view: what it recalls goes along, and is not kept."""
        self.given = [*view]
        asked = self.say(writer, [], self.answer(1))
        if recalled is not None:
            message, place = recalled
            demand(
                sum(each == message for each in asked.sent) == 1,
                "what was recalled did not go along",
            )
            self.given = [*self.given[:place], *self.given[place + 1 :]]
            self.asked.pop()  # another process takes what was recalled for the caller's

    @IDLE
    @act(writer=WRITERS)
    def ask_aside(self, *, writer: int) -> None:
        """Make a side call, which leaves nothing on record."""
        given = [*self.given, self.question(1)]
        known = self.known(writer, given)
        asked = self.ask(writer, given, reply=self.answer(1), record=False)
        self.demand_answer(asked)
        self.judge_aside(asked)
        demand(known == self.known(writer, given), "a side call put something on record")

    def judge_aside(self, asked: Asked, *, recorded: bool = False) -> Sending:
        """Have a request checked that goes on from no other one."""
        return self.judge.request(
            asked,
            asked.before,
            model=self.model,
            limit=self.budget,
            tools=True,
            pinned={digest(message) for message in self.pinned},
            recorded=recorded,
        )

    @act(fault=st.sampled_from(REFUSALS), writer=WRITERS)
    def be_let_down(self, *, fault: Fault, writer: int) -> None:
        """Have the server refuse a turn: its error is the caller's, and nothing else happens."""
        new = results(self.open, self.next(), 1) if self.open else [self.question(1)]
        self.stage.fake.fail_next(fault, only="chat")
        asked = self.ask(writer, [*self.given, *new], reply=self.answer(1))
        demand(asked.error is not None, "the error of the server did not reach the caller")
        demand(not asked.failures, f"memory failed: {asked.failures}")

    @IDLE
    @act(broken=st.sampled_from(["reads", "writes"]), writer=WRITERS, turns=st.integers(1, 2))
    def lose_the_store(self, *, broken: Broken, writer: int, turns: int) -> None:
        """Ask while the store fails: requests go out within the limit all the same."""
        for _ in range(turns):
            self.given = [*self.given, self.question(2)]
            reply = self.answer(2)
            with self.stage.outage.of(broken):
                asked = self.ask(writer, self.given, reply=reply)
            demand(asked.error is None, f"a turn failed with its store: {asked.error!r}")
            self.judge_aside(asked)
            self.given = [*self.given, recorded(reply)]

    @IDLE
    @act(back=st.integers(1, 12))
    def pin(self, *, back: int) -> None:
        """Have a message stay verbatim in calls from now on, or none where there are two."""
        users = [m for m in on_the_wire(self.given) if m["role"] == "user" and NOTES not in str(m)]
        full = len(self.pinned) > 1
        self.pinned = [] if full else [*self.pinned, *users[-back:][:1]]

    @ASKED
    @act(writer=WRITERS)
    def observe(self, *, writer: int) -> None:
        """Tell once more what the server reported: it is believed once."""
        from memory.records import Usage

        before = self.asked[-1]
        tokens = before.sending.tokens
        if tokens is None or not self.stage.writers[writer].manager.counter.exact:
            return
        manager, sent = self.stage.writers[writer].manager, whole(before.sending)
        usage = Usage(prompt_tokens=tokens, completion_tokens=1)
        for _ in range(2):
            manager.observe(sent, usage=usage, tools=TOOLS, model=before.model)
        total = manager.count(sent, tools=TOOLS, model=before.model).total
        demand(total == tokens, f"{total} tokens are counted, and {tokens} were reported twice")
