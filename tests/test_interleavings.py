"""Two flows at once, in every order in which their effects can come: one summary, nothing lost.

Flows are generators, so a test can hold several of them and perform one effect of one of them at a
time. Each test runs one scenario in all orders there are, again from the start for each. What has
no effect on the other flow, an event, takes no turn of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from workbench import SPACE, Wire, Workbench, assistant, chat, prompt, user, words

from memory.errors import ConflictError
from memory.flights import Hold
from memory.flow import (
    Answer,
    Append,
    Claim,
    Context,
    Effect,
    Emit,
    Enter,
    Flow,
    LogKey,
    Release,
    Send,
    Spawn,
    Summarize,
    fit,
    send,
)
from memory.flow.ahead import summarize_ahead
from memory.flow.conversation import add
from memory.flow.past import Past
from memory.handlers import WHOLE as TURNS
from memory.handlers import Handler
from memory.outside import Outside
from memory.records import Compaction, Record
from memory.replies import Reply

BUDGET = 1_000
WHOLE = chat(20, head=10, size=20)
"""1,032 tokens: over the limit."""
OTHER = [*WHOLE[:-1], user(words(10, "other"))]
EARLY = chat(18, head=10, size=20)
"""932 tokens: over the mark of four fifths, and under the limit."""
REPLY = assistant(words(20, "reply"))
NEXT = [*EARLY, REPLY, user(words(32, "next"))]
"""Over the limit: the next turn of the same conversation."""
NAMED = LogKey(namespace=SPACE, name="trip")


class Place:
    """Where the flows of one run meet: a workbench, and what they did there.

    Args:
        impatient: Whether nobody waits for anybody.

    Attributes:
        unnoticed: The effects that change nothing for anybody else, and so take no turn.
        bench: Store, meter, policy, summariser and events.
        appended: What was put on record, one entry a write.
        conflicts: How many writes came too late.
    """

    def __init__(self, *, impatient: bool = False) -> None:
        self.impatient = impatient
        self.unnoticed = (Emit, Summarize, *((Claim, Enter, Release) if impatient else ()))
        self.bench = Workbench(BUDGET)
        self.appended: list[tuple[Record, ...]] = []
        self.conflicts = 0
        self.outside = Outside(
            store=self.bench.store,
            hooks=(self.bench.events.append,),
            count=self.bench.meter.text,
        )

    @property
    def context(self) -> Context:
        """How prompts are judged: with summaries in the background."""
        return replace(self.bench.context, ahead=0.8)

    @property
    def compactions(self) -> list[Compaction]:
        """All compactions of the store, oldest first."""
        return [record for record in self.records if isinstance(record, Compaction)]

    @property
    def records(self) -> list[Record]:
        """All records of the store, oldest first."""
        return [record for log in self.bench.store._logs.values() for record in log.records]  # noqa: SLF001

    def handler(self) -> Handler:
        """Return who performs the effects of one flow."""
        return Handler(self.outside, self.bench.scribe, _answer)


class Actor:
    """One flow, held between two of its effects.

    Args:
        place: Where it runs.
        flow: The flow.
        team: The actors of the run; what it spawns is added.
    """

    def __init__(self, place: Place, flow: Flow[Any], team: list[Actor]) -> None:
        self._place = place
        self._flow = flow
        self._team = team
        self._holds = {Claim: Hold(place.outside.flights), Enter: Hold(place.outside.turns)}
        self._handler = place.handler()
        self.result: Any = None
        self.error: Exception | None = None
        self.asked: list[Effect[Any]] = []
        self._next: Effect[Any] | None = None
        self._resume(lambda: next(self._flow))

    @property
    def is_done(self) -> bool:
        """Whether the flow has ended."""
        return self._next is None

    @property
    def can_go_on(self) -> bool:
        """Whether it has an effect that does not have to wait for another actor."""
        effect = self._next
        if not isinstance(effect, Claim | Enter) or not effect.patience or self._place.impatient:
            return effect is not None
        free = self._take(effect)
        self._holds[type(effect)].release()
        return free

    def go_on(self) -> None:
        """Perform the next effect, and what follows from it without the others noticing."""
        self._step()
        while isinstance(self._next, self._place.unnoticed):
            self._step()

    def close(self) -> None:
        """End the flow where it stands, as a cancellation does."""
        self._flow.close()
        self._next = None
        self._let_go()

    def _take(self, effect: Claim | Enter) -> bool:
        links = effect.links if isinstance(effect, Claim) else TURNS
        return self._holds[type(effect)].take(effect.key.scope, links, patience=0.0)

    def _let_go(self) -> None:
        for hold in self._holds.values():
            hold.release()

    def _step(self) -> None:
        effect, self._next = self._next, None
        assert effect is not None
        self._perform(effect)

    def _perform(self, effect: Effect[Any]) -> None:
        self.asked.append(effect)
        try:
            reply = self._reply(effect)
        except Exception as error:  # noqa: BLE001  # as the drivers do
            raised = error
            self._resume(lambda: self._flow.throw(raised))
        else:
            self._resume(lambda: self._flow.send(reply))

    def _reply(self, effect: Effect[Any]) -> Any:
        match effect:
            case Claim() | Enter():
                return self._take(effect)
            case Release():
                return self._holds[Claim].release()
            case Spawn(flow=flow):
                return self._team.append(Actor(self._place, flow, self._team))
            case Append(records=records):
                try:
                    version = self._handler.perform(effect)
                except ConflictError:
                    self._place.conflicts += 1
                    raise
                self._place.appended.append(records)
                return version
        return self._handler.perform(effect)

    def _resume(self, step: Callable[[], Effect[Any]]) -> None:
        try:
            self._next = step()
        except StopIteration as stop:
            self.result = stop.value
            self._let_go()
        except Exception as error:  # noqa: BLE001  # for the test to look at
            self.error = error
            self._let_go()


Scenario = Callable[[Place], list["Actor"]]
"""Sets the stage, and returns the actors."""


def _answer(_sent: Send) -> Answer:
    return Answer(response="a response", reply=Reply(message=REPLY, finish_reason="stop"))


def play(
    scenario: Scenario, place: Place, order: list[int], *, switches: int
) -> tuple[list[Actor], list[int]]:
    """Run a scenario; return the actors, and how many of them could go on at each step.

    Args:
        scenario: Sets the stage.
        place: Where.
        order: Which of those that can go on does, by step; at the end of it, whoever did last.
        switches: How often one may have to stop for another.
    """
    team = scenario(place)
    choices: list[int] = []
    last: Actor | None = None
    while ready := [actor for actor in team if actor.can_go_on]:
        ready.sort(key=lambda actor: actor is not last)
        bound = last is ready[0] and not switches
        chosen = order[len(choices)] if len(choices) < len(order) else 0
        choices.append(1 if bound else len(ready))
        switches -= last is ready[0] and chosen > 0
        last = ready[chosen]
        last.go_on()
    assert all(actor.is_done for actor in team), "they wait for each other"
    return team, choices


def orders(
    scenario: Scenario, *, impatient: bool = False, switches: int = 1_000
) -> Iterator[tuple[Place, list[Actor]]]:
    """Run a scenario in all orders, or in those with so few switches."""
    order: list[int] | None = []
    while order is not None:
        place = Place(impatient=impatient)
        team, choices = play(scenario, place, order, switches=switches)
        yield place, team
        order = _after([*order, *[0] * (len(choices) - len(order))], choices)


def _after(order: list[int], choices: list[int]) -> list[int] | None:
    """Return the order that comes after one, as an odometer counts."""
    for step in range(len(order) - 1, -1, -1):
        if order[step] + 1 < choices[step]:
            return [*order[:step], order[step] + 1]
    return None


def troupe(place: Place, *flows: Flow[Any]) -> list[Actor]:
    """Return one actor for each flow."""
    team: list[Actor] = []
    team += [Actor(place, flow, team) for flow in flows]
    return team


def fitting(*inputs: list[Wire]) -> Scenario:
    """Return the scenario in which these inputs are fitted at once."""
    return lambda place: troupe(place, *(fit(prompt(each), place.context) for each in inputs))


def ahead(place: Place) -> Flow[None]:
    """Return the flow that summarises the conversation before it reaches the limit."""
    return summarize_ahead(prompt(EARLY), place.context, Reply())


def turn(place: Place, text: str) -> Flow[Any]:
    """Return the flow of one turn of a conversation with a name."""
    said = prompt([user(text)], log=NAMED, conversation="trip", namespace=NAMED.scope)
    return send(said, place.context)


def past(place: Place) -> Past:
    """Return what the conversation with a name has come to."""
    return Past.of(place.bench.store.load(NAMED))


def errors(team: list[Actor]) -> list[Exception]:
    """Return what the flows raised."""
    return [actor.error for actor in team if actor.error is not None]


def test_identical_calls_pay_once() -> None:
    """In every order there is one summary, one record, and one view for both."""
    for place, team in orders(fitting(WHOLE, WHOLE)):
        first, second = (actor.result for actor in team)

        assert (1, 0) == (place.bench.asked, place.conflicts)
        assert list(first.messages) == list(second.messages)
        assert 1 == len(place.compactions)


def test_calls_with_the_same_history_pay_once() -> None:
    """Each ends with its own question, and none is wrong."""
    for place, team in orders(fitting(WHOLE, OTHER)):
        assert 1 == place.bench.asked
        for given, actor in zip((WHOLE, OTHER), team, strict=True):
            assert {} == place.bench.wrong(given, actor.result)


def test_other_conversations_are_not_waited_for() -> None:
    """Whoever summarises, the other always has something to do."""
    strangers = [{**message, "content": f"{message['content']} too"} for message in WHOLE]
    for place, team in orders(fitting(WHOLE, strangers), switches=3):
        assert 2 == place.bench.asked
        assert 2 == len(place.compactions)
        assert [] == errors(team)


def test_without_patience_nothing_is_lost() -> None:
    """Both may pay then; what each put on record stays there, and both views are right."""
    for place, team in orders(fitting(WHOLE, OTHER), impatient=True, switches=4):
        assert place.bench.asked in (1, 2)
        assert place.records == [record for records in place.appended for record in records]
        for given, actor in zip((WHOLE, OTHER), team, strict=True):
            assert {} == place.bench.wrong(given, actor.result)


def test_a_turn_and_the_background_pay_once() -> None:
    """The turn that reaches the limit waits for the summary in flight, or is first."""
    for place, team in orders(
        lambda place: troupe(place, ahead(place), fit(prompt(NEXT), place.context))
    ):
        assert 1 == place.bench.asked
        assert {} == place.bench.wrong(NEXT, team[1].result)


def test_two_in_the_background_pay_once() -> None:
    """Twenty identical replies ask for one summary."""
    for place, team in orders(lambda place: troupe(place, ahead(place), ahead(place))):
        assert 1 == place.bench.asked
        assert 1 == len(place.compactions)
        assert [] == errors(team)


def of_a_conversation(place: Place) -> list[Actor]:
    """Two turns of a conversation that has passed the mark, and is under the limit."""
    place.handler().run(add(NAMED, EARLY[:-1]))
    return troupe(place, turn(place, "this"), turn(place, "that"))


@pytest.mark.parametrize("impatient", [False, True])
def test_turns_of_a_conversation_are_all_recorded(*, impatient: bool) -> None:
    """With their replies next to them, in one order or the other, and one summary at most."""
    begun = [message["content"] for message in EARLY[1:-1]]
    reply = REPLY["content"]
    both = ([*begun, "this", reply, "that", reply], [*begun, "that", reply, "this", reply])
    for place, team in orders(of_a_conversation, impatient=impatient, switches=2):
        assert [] == errors(team)
        assert [message["content"] for message in past(place).messages] in both
        assert place.bench.asked <= 1 + impatient


def summarised_meanwhile(place: Place) -> list[Actor]:
    """The next turn of a conversation, while its summary is written in the background."""
    place.handler().run(add(NAMED, EARLY[:-1]))
    (first,) = team = troupe(place, turn(place, "this"))
    while not first.is_done:
        first.go_on()
    (_, _) = team  # one was spawned
    return [*team[1:], *troupe(place, turn(place, "that"))]


def test_a_turn_does_not_undo_the_summary_in_the_background() -> None:
    """Whoever writes first, the turn and the summary are both on record in the end."""
    for place, team in orders(summarised_meanwhile, switches=4):
        assert [] == errors(team)
        assert 1 == place.bench.asked
        assert 1 == len(past(place).compactions)
        assert ["this", "that"] == [
            message["content"]
            for message in past(place).messages[len(EARLY) - 2 :]
            if message["role"] == "user"
        ]


def test_whoever_is_stopped_leaves_nothing_half_done() -> None:
    """After any of its effects: all of a compaction is on record or nothing, and others go on."""
    alone = Place()
    (actor,) = fitting(WHOLE)(alone)
    steps = 0
    while not actor.is_done:
        actor.go_on()
        steps += 1
    for stop in range(steps):
        place = Place()
        stopped, other = fitting(WHOLE, WHOLE)(place)
        for _ in range(stop):
            stopped.go_on()
        stopped.close()

        assert place.records in ([], alone.records)
        while not other.is_done:
            assert other.can_go_on
            other.go_on()
        assert alone.records == place.records
        assert list(actor.result.messages) == list(other.result.messages)
