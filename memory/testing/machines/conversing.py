"""The machine of conversations with a name: the caller sends what is new, memory keeps the rest."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import precondition

from memory.errors import BudgetError, ConversationBusy, StoreError
from memory.testing.kimi_faults import Fault
from memory.testing.kimi_reply import Reply
from memory.testing.machines.judge import demand
from memory.testing.machines.model import Talk, marks_in
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
from memory.testing.machines.words import NAME, Wire, begun, heads, recorded, results

__all__ = ("Conversing",)

IDLE = precondition(lambda self: not self.talk.open)
WAITING = precondition(lambda self: self.talk.open)
BEGUN = precondition(lambda self: self.talk.said)
LAST = st.sampled_from([0, 0, 1, 4])
"""How many of the last messages a caller sends again."""
FORKS = 3
"""How many conversations are begun as forks before those there are are gone on with."""
PINS = 2
"""How many messages, and how many sentences, are pinned at most: pins may not fill the budget."""


class Conversing(Machine):
    """Conversations, and lists of what should be in them."""

    def start(self, said: list[Wire], *, head: bool) -> None:
        """Begin a conversation with what was said elsewhere."""
        self.gone: set[str] = set()
        self.talks = [Talk(f"{NAME}-0")]
        self.talk = self.talks[0]
        opening = heads(1) if head else []
        if opening or said:
            self.run(self.on_record(0).add([*opening, *said]))
        self.talk.head, self.talk.said = self.kept(opening), self.kept(said)

    def named(self, writer: int, talk: Talk) -> Any:
        """Return a conversation of a manager."""
        return self.stage.writers[writer].manager.conversation(talk.name)

    def on_record(self, writer: int) -> Any:
        """Return the conversation that is going on."""
        return self.named(writer, self.talk)

    def turn(self, writer: int, given: list[Wire], new: list[Wire], **how: Any) -> Asked:
        """Make a call in the conversation, of what is given again and what is new."""
        head = how.pop("head", [])
        return self.ask(writer, [*head, *given, *new], conversation=self.talk.name, **how)

    def say(
        self, writer: int, new: list[Wire], reply: Reply, *, again: int = 0, **how: Any
    ) -> Asked:
        """Take a turn that goes well, and put it into the model."""
        if self.talk.broken:
            again = 0
        self.talk.drop()
        asked = self.turn(writer, self.talk.last(again), new, reply=reply, **how)
        self.demand_answer(asked)
        self.judged(asked, new, how.get("head"))
        self.talk.head = self.kept(how.get("head") or self.talk.head)
        said = recorded(reply) if not isinstance(how.get("reading"), int) else asked.beginning
        self.talk.said += self.kept([*new, said])
        self.talk.open = [call["id"] for call in reply.tool_calls]
        self.check()
        return asked

    def judged(
        self, asked: Asked, new: list[Wire], head: list[Wire] | None, *, recorded: bool = True
    ) -> None:
        """Have the request of a turn checked."""
        self.judge.request(
            asked,
            [*(head or self.talk.head), *self.talk.said, *new],
            model=self.model,
            limit=self.budget,
            tools=True,
            conversation=self.talk.name,
            quoted=[*self.talk.quoted],
            pinned={*self.talk.pinned},
            recorded=recorded,
        )

    @IDLE
    @act(turns=TURNS, size=SIZES, again=LAST, reading=READINGS, writer=WRITERS)
    def ask_something(
        self, *, turns: int, size: int, again: int, reading: str, writer: int
    ) -> None:
        """Ask a few times, each time sending nothing or some of what was said before."""
        for turn in range(turns):
            by = (writer + turn) % 2
            self.say(by, [self.question(size)], self.answer(size), again=again, reading=reading)

    @IDLE
    @act(turns=LONG, tools=st.booleans(), head=st.none() | st.integers(0, 2), writer=WRITERS)
    def talk_on(self, *, turns: int, tools: bool, head: int | None, writer: int) -> None:
        """Go on for a while, with tools or without, and perhaps with another system message."""
        opening = [] if head is None else heads(head)
        for turn in range(turns):
            new = [self.question(3)]
            if tools:
                self.say(writer, new, self.answer(0, BATCH[turn % 3 :]), head=opening)
                new = results(self.talk.open, self.next(), 3)
            self.say(writer, new, self.answer(4), head=opening)

    @IDLE
    @act(pieces=st.integers(1, 4), calling=st.booleans(), writer=WRITERS)
    def break_off(self, *, pieces: int, calling: bool, writer: int) -> None:
        """Ask, and close the stream of the reply, or of a call, before its end."""
        reply = self.answer(3, BATCH[:1] if calling else ())
        self.say(writer, [self.question(0)], reply, reading=pieces)
        self.talk.broken, self.talk.open = True, []

    @IDLE
    @act(size=LARGE, writer=WRITERS)
    def begin_the_reply(self, *, size: int, writer: int) -> None:
        """Ask with the beginning of the reply, which the model goes on from."""
        self.talk.drop()
        new = [self.question(size), begun(self.next(), size // 3)]
        reply = self.answer(1)
        asked = self.turn(writer, [], new, reply=reply)
        self.demand_answer(asked)
        self.judged(asked, new, None)
        said = {**recorded(reply), "content": new[1]["content"] + reply.content}
        self.talk.said += self.kept([new[0], said])

    @precondition(lambda self: self.talk.broken)
    @act(writer=WRITERS, reading=READINGS)
    def ask_again(self, *, writer: int, reading: str) -> None:
        """Ask the same again after a reply that broke off."""
        self.talk.said.pop()
        self.talk.broken = False
        reply, same = self.answer(1), self.talk.said[-1:]
        asked = self.turn(writer, same, [], reply=reply, reading=reading)
        self.demand_answer(asked)
        self.judged(asked, [], None)
        self.talk.said += self.kept([recorded(reply)])

    @IDLE
    @act(calls=st.integers(1, 3), writer=WRITERS, reading=READINGS)
    def call(self, *, calls: int, writer: int, reading: str) -> None:
        """Ask something that the model needs tools for."""
        names = BATCH[:calls]
        self.say(writer, [self.question(0)], self.answer(0, names), reading=reading)

    @WAITING
    @act(size=SIZES, more=st.booleans(), again=LAST, writer=WRITERS)
    def bring_results(self, *, size: int, more: bool, again: int, writer: int) -> None:
        """Bring the results of calls; the model answers, or calls tools again."""
        new = results(self.talk.open, self.next(), min(size, 2))
        names = BATCH[1:] if more else ()
        self.say(writer, new, self.answer(size, names), again=again)

    @WAITING
    @act(adding=st.booleans(), writer=WRITERS)
    def be_refused(self, *, adding: bool, writer: int) -> None:
        """Say something else while results are awaited: nothing is sent, and nothing recorded."""
        new = [self.question(1)]
        if adding:
            error = self.raised(lambda: self.on_record(writer).add(new))
        else:
            asked = self.turn(writer, [], new, reply=self.answer(1))
            demand(not asked.requests, "a request went out amid an exchange")
            error = asked.error
        demand(isinstance(error, ConversationBusy), f"ConversationBusy is due, and not {error!r}")

    def raised(self, call: Any) -> Exception | None:
        """Return what a call raises."""
        try:
            self.run(call())
        except Exception as error:  # noqa: BLE001  # whatever it is, it is looked at
            return error
        return None

    @IDLE
    @act(turns=TURNS, size=SIZES, writer=WRITERS)
    def add(self, *, turns: int, size: int, writer: int) -> None:
        """Add turns that were made elsewhere."""
        self.talk.drop()
        new = []
        for _ in range(turns):
            new += [self.question(size), recorded(self.answer(size))]
        held = self.run(self.on_record(writer).add(new))
        self.talk.said += self.kept(new)
        demand(held == len(self.talk.said), f"{held} messages are told after adding some")

    @act(fault=st.sampled_from(REFUSALS), writer=WRITERS)
    def be_let_down(self, *, fault: Fault, writer: int) -> None:
        """Have the server refuse a turn, or break it off: nothing is recorded."""
        waits = bool(self.talk.open)
        number = self.next()
        new = results(self.talk.open, number, 1) if waits else [self.question(1)]
        self.stage.fake.fail_next(fault, only="chat")
        asked = self.turn(writer, [], new, reply=self.answer(1))
        demand(asked.error is not None, "the error of the server did not reach the caller")
        demand(not asked.failures, f"memory failed: {asked.failures}")

    @IDLE
    @act(broken=st.sampled_from(["reads", "writes"]), writer=WRITERS, turns=st.integers(1, 2))
    def lose_the_store(self, *, broken: Broken, writer: int, turns: int) -> None:
        """Ask while the store fails: without reads a typed error, without writes a lost turn."""
        for _ in range(turns):
            ending = Talk("", self.talk.head, [*self.talk.said], broken=self.talk.broken)
            ending.drop()
            new = [self.question(1)]
            with self.stage.outage.of(broken):
                asked = self.turn(writer, [], new, reply=self.answer(1))
            if broken == "reads":
                typed = isinstance(asked.error, StoreError)
                told = "nothing" if asked.error is None else repr(asked.error)
                demand(typed, f"reads of the store it was given fail, and the turn raised {told}")
                demand(not asked.requests, "a request went out without its conversation")
                continue
            demand(asked.error is None, f"a turn failed with its store: {asked.error!r}")
            demand(any(each.unrecorded for each in asked.failures), "a turn was lost silently")

    @act(writer=WRITERS)
    def ask_aside(self, *, writer: int) -> None:
        """Make a side call, which sees the conversation and leaves no trace in it."""
        if self.talk.open or self.talk.broken or self.talk.pinned:
            return
        new = [self.question(1)]
        asked = self.turn(writer, [], new, reply=self.answer(1), record=False)
        self.demand_answer(asked)
        self.judged(asked, new, None, recorded=False)

    @BEGUN
    @act(back=st.integers(1, 4), writer=WRITERS)
    def rewind(self, *, back: int, writer: int) -> None:
        """Go back to before a question."""
        places = self.talk.places("user")
        place = places[-min(back, len(places))]
        left = self.run(self.on_record(writer).rewind(place))
        demand(left == len(self.talk.said) - place, f"{left} messages are told as left behind")
        self.talk.rewind(place)

    @IDLE
    @act(back=st.integers(0, 4), writer=WRITERS)
    def go_on_in_a_fork(self, *, back: int, writer: int) -> None:
        """Leave the conversation for one that begins like it, or for another one there is."""
        self.talk.drop()
        self.judge.before = None
        if len(self.talks) > FORKS:
            self.talk = self.talks[back % len(self.talks)]
            return
        at = ([*self.talk.places("user"), len(self.talk.said)])[-1 - back :][0]
        name = f"{NAME}-{len(self.talks)}"
        self.run(self.on_record(writer).fork(at, name=name))
        self.talk = self.talk.fork(name, at)
        self.talks.append(self.talk)

    @act(writer=WRITERS)
    def undo(self, *, writer: int) -> None:
        """Do without the latest compaction."""
        in_use = self.run(self.on_record(writer).compactions())
        undone = self.run(self.on_record(writer).undo())
        demand((undone is None) == (not in_use), "undo did not take the latest compaction")
        left = [each.content for each in self.run(self.on_record(writer).compactions())]
        demand(undone is None or undone.content not in left, "what was undone is still in use")
        self.judge.before = None

    @IDLE
    @act(back=st.none() | st.integers(0, 6), own=st.booleans(), writer=WRITERS)
    def compact(self, *, back: int | None, own: bool, writer: int) -> None:
        """Compact by hand: as far as it goes, or up to a place; with a summary of one's own."""
        upto = None if back is None else max(0, len(self.talk.said) - back)
        words = f"In short, number {self.next()}." if own else None
        conversation = self.on_record(writer)
        try:
            made = self.run(conversation.compact(upto=upto, summary=words, model=self.model))
        except BudgetError as error:
            demand(own and error.tokens > error.limit, f"a needless {error}")
            return
        if words is not None and made is not None:
            kept = any(words in each.text for each in made.segments)
            demand(kept, "the caller's words are gone")
        for segment in made.segments if made is not None else ():
            said = [self.talk.said[number - 1] for number in segment.numbers]
            found = self.run(conversation.expand(segment))
            demand(found == said, f"messages {segment.first} to {segment.last} are not expanded")
        self.judge.before = None

    @BEGUN
    @act(back=st.none() | st.integers(1, 12), writer=WRITERS)
    def pin(self, *, back: int | None, writer: int) -> None:
        """Pin a message, or a sentence; unpin one where there are enough."""
        if back is None:
            self.pin_a_sentence(writer)
        else:
            self.pin_a_message(max(0, len(self.talk.said) - back), writer)
        self.judge.before = None

    def pin_a_sentence(self, writer: int) -> None:
        """Pin a sentence, or unpin the oldest."""
        if len(self.talk.quoted) < PINS:
            text = f"Mind number {self.next()}."
            self.run(self.on_record(writer).pin(text))
            self.talk.quoted.append(text)
        else:
            self.run(self.on_record(writer).unpin(self.talk.quoted.pop(0)))

    def pin_a_message(self, place: int, writer: int) -> None:
        """Pin a message and its exchange, or take back what may not have been pinned."""
        if self.talk.open or self.talk.broken:
            return
        if len(self.talk.pinned) < PINS:
            self.run(self.on_record(writer).pin(place))
            self.talk.pin(place)
        else:
            self.run(self.on_record(writer).unpin(place))
            self.talk.unpin(place)

    @act(number=st.integers(1, 4), writer=WRITERS)
    def forget(self, *, number: int, writer: int) -> None:
        """Forget a conversation: nothing of it is found any more, and another one has its name."""
        talk = self.talks[number % len(self.talks)]
        marks = marks_in(talk.said)
        self.run(self.named(writer, talk).forget())
        talk.begin_anew()
        elsewhere = {mark for each in self.talks for mark in marks_in(each.said)}
        self.gone |= marks - elsewhere
        self.judge.before = None
        for mark in sorted(marks - elsewhere)[-2:]:
            self.nothing_is_found_of(mark, writer)

    def nothing_is_found_of(self, mark: str, writer: int) -> None:
        """Check that a word is in no conversation and in no view."""
        manager = self.stage.writers[writer].manager
        if hasattr(manager.store, "search"):
            hits = self.run(manager.search(mark))
            demand(not hits, f"what was forgotten is found: {mark}")
        for talk in self.talks:
            shown = self.run(manager.conversation(talk.name).messages(model=self.model))
            demand(mark not in str(shown), f"what was forgotten is sent: {mark}")

    @BEGUN
    @act(writer=WRITERS, back=st.integers(1, 20))
    def look(self, *, writer: int, back: int) -> None:
        """Look at the plan, the view, the export, and search for a message."""
        conversation = self.on_record(writer)
        self.run(conversation.plan(model=self.model))
        self.run(conversation.messages(model=self.model))
        exported = self.run(conversation.export())
        demand(exported["messages"] == self.talk.said, "the export is not what was said")
        place = max(0, len(self.talk.said) - back)
        marks = sorted(marks_in([self.talk.said[place]]))
        if marks and hasattr(self.stage.writers[writer].manager.store, "search"):
            found = {hit.place for hit in self.run(conversation.search(marks[0], limit=50))}
            wanted = {i for i, m in enumerate(self.talk.said) if marks[0] in marks_in([m])}
            demand(found == wanted, f"{marks[0]} is found at {found} and stands at {wanted}")

    def check(self) -> None:
        """Check that the history is what was said."""
        history = self.run(self.on_record(self.number % 2).history())
        demand(history == self.talk.said, f"on record is not what was said: {history}")
        self.talk.said = history  # equal, with the keys of each message in the order on record
        self.secrets_are_hidden([str(message) for message in history])
