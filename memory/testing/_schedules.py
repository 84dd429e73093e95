"""Several flows held at once, and run in every order; see `memory.testing.interleavings`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from memory.errors import ConflictError
from memory.events import Failed
from memory.flights import Hold
from memory.flow import (
    Append,
    Await,
    Claim,
    Clock,
    Effect,
    Emit,
    Enter,
    Extract,
    Flow,
    Forget,
    Load,
    LogKey,
    Now,
    Opened,
    Release,
    Send,
    Spawn,
    Summarize,
)
from memory.handlers import WHOLE
from memory.invariants import Run, run_violations
from memory.testing._stage import Act, Stage, is_turn

__all__ = ("Actor", "Cast", "Schedule", "schedules")

Cast: TypeAlias = Callable[[Stage], Sequence[Act | Sequence[Act]]]
"""A scenario: sets a stage and returns what is done at once, for each actor one act or several."""

_UNNOTICED = (Emit, Summarize, Extract, Send, Clock, Now, Opened, Spawn)
_HOLDING = (Claim, Enter, Release)


class Actor:
    """Somebody who does one thing, or several in a row, held between two effects.

    Args:
        stage: Where.
        acts: What they do, in order; the rest is left undone when one fails.
        team: All actors; what is spawned is added.

    Attributes:
        results: What the acts returned, in order.
        error: What one of them raised, or None.
        asked: The effects that were performed, in order.
    """

    def __init__(self, stage: Stage, acts: Sequence[Act], team: list[Actor]) -> None:
        self.results: list[Any] = []
        self.error: Exception | None = None
        self.asked: list[Effect[Any]] = []
        self._stage = stage
        self._acts = list(acts)
        self._team = team
        self._next: Effect[Any] | None = None
        self._begin()

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self._next is None

    @property
    def can_go_on(self) -> bool:
        """Whether the next effect does not have to wait for another actor."""
        effect, stage = self._next, self._stage
        if effect is None or stage.impatient:
            return effect is not None
        if isinstance(effect, Await):
            return stage.manager.store.load(effect.key).version != effect.version
        if not isinstance(effect, Claim | Enter) or not effect.patience:
            return True
        free = self._take(effect)
        self._holds[type(effect)].release()
        return free

    def go_on(self) -> None:
        """Perform the next effect, and what follows from it without the others noticing."""
        self._step()
        unnoticed = _UNNOTICED + (_HOLDING if self._stage.impatient else ())
        while isinstance(self._next, unnoticed):
            self._step()

    def give_up(self) -> bool:
        """Wait no longer for somebody else's exchange; return whether that was waited for."""
        waits = isinstance(self._next, Await)
        if waits:
            self._next = None
            self._resume(lambda: self._flow.send(0.0))
        return waits

    def close(self) -> None:
        """End where it stands, as a cancellation does."""
        self._flow.close()
        self._acts, self._next = [], None
        self._let_go()

    def _begin(self) -> None:
        """Begin the next act; without one all is done."""
        if not self._acts:
            return
        self.act, self._flow = self._acts[0], self._acts[0].flow()
        del self._acts[0]
        outside = self._stage.outside
        self._holds = {Claim: Hold(outside.flights), Enter: Hold(outside.turns)}
        self._handler = self._stage.handler(self.act)
        self._joined: int | None = None
        self._wrote: int | None = None
        self._unrecorded = False
        self._resume(lambda: next(self._flow))

    def _step(self) -> None:
        effect, self._next = self._next, None
        assert effect is not None
        self.asked.append(effect)
        try:
            reply = self._reply(effect)
        except Exception as error:  # noqa: BLE001  # as the drivers do
            raised = error
            self._stage.conflicts += isinstance(error, ConflictError)
            self._resume(lambda: self._flow.throw(raised))
        else:
            self._note(effect)
            self._resume(lambda: self._flow.send(reply))

    def _reply(self, effect: Effect[Any]) -> Any:
        match effect:
            case Claim() | Enter():
                return self._take(effect)
            case Await(patience=patience):
                return 0.0 if self._stage.impatient else patience
            case Release():
                return self._holds[Claim].release()
            case Opened():
                return None
            case Spawn(flow=flow):
                return self._spawn(flow)
        return self._handler.perform(effect)

    def _note(self, effect: Effect[Any]) -> None:
        """Remember what decides on whether this act has to be on record in the end."""
        now = self._stage.ticks()
        match effect:
            case Enter():
                self._joined = None
            case Load() if self._joined is None:
                self._joined = now
            case Append(key=key, records=records) if key == self.act.key and is_turn(records):
                self._wrote = now
            case Emit(event=Failed(unrecorded=True)):
                self._unrecorded = True
        if self.act.clears and isinstance(effect, Append | Forget):
            self._stage.cleared(self.act, now)

    def _spawn(self, flow: Flow[None]) -> None:
        act = Act(name="background", flow=lambda: flow)
        self._team.append(Actor(self._stage, [act], self._team))

    def _take(self, effect: Claim | Enter) -> bool:
        links = effect.links if isinstance(effect, Claim) else WHOLE
        return self._holds[type(effect)].take(effect.key.scope, links, patience=0.0)

    def _let_go(self) -> None:
        for hold in self._holds.values():
            hold.release()

    def _resume(self, step: Callable[[], Effect[Any]]) -> None:
        try:
            self._next = step()
        except StopIteration as stop:
            self._let_go()
            self._end(stop.value)
            self._begin()
        except Exception as error:  # noqa: BLE001  # for whoever looks at the schedule
            self._let_go()
            self.error = error
            self._acts = []
            self._stage.errors.append(error)
        else:
            if isinstance(self._next, Await):  # it gives up the turn first
                self._holds[Enter].release()

    def _end(self, result: Any) -> None:
        stage, act = self._stage, self.act
        self.results.append(result)
        if act.prompt is not None:
            stage.sendings.append(stage.sending(act.prompt, result, act.before))
        if act.said and act.key is not None and not self._unrecorded:
            stage.acknowledge(act, joined=self._joined or 0, wrote=self._wrote)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One order of the effects of a scenario, carried out.

    Attributes:
        stage: What came of it.
        actors: Who took part, those that were spawned included.
        order: Who went on at each step, by place in `actors`: running them so again does the same.
        alike: Whether one summary has to do for all of them.
        stuck: Whether the actors waited for each other in the end.
    """

    stage: Stage
    actors: Sequence[Actor]
    order: Sequence[int]
    alike: bool = False
    stuck: bool = False

    def __str__(self) -> str:
        """Return who did what, one line a step."""
        left = [list(actor.asked) for actor in self.actors]
        lines = []
        for place in self.order:
            lines += [f"{place} {self.actors[place].act.name}: {type(left[place].pop(0)).__name__}"]
            while left[place] and isinstance(left[place][0], _UNNOTICED):
                lines += [f"    {type(left[place].pop(0)).__name__}"]
        return "\n".join(lines)

    def runs(self) -> dict[LogKey | None, Run]:
        """Return what came of it for each conversation, and for the calls without one under None.

        All requests, events and errors are in the last.
        """
        stage = self.stage
        keys = list(dict.fromkeys(key for key, _ in stage.appended if key.name))
        named: dict[LogKey | None, Run] = {
            key: Run(said=stage.acknowledged(key), history=stage.history(key)) for key in keys
        }
        whole = Run(
            sendings=stage.sendings, events=stage.events, errors=stage.errors, alike=self.alike
        )
        return {**named, None: whole}

    def violations(self) -> dict[str, str]:
        """Return what is wrong with its end, by the name of the check; empty when all is well.

        These are the checks of `memory.invariants`, and two of its own: that actors do not wait for
        each other for ever, and that every write is in its log, in order.
        """
        found = {
            name: said if key is None else f"{key.label}: {said}"
            for key, run in self.runs().items()
            for name, said in run_violations(run).items()
        }
        if self.stuck:
            found["somebody_can_go_on"] = "they wait for each other"
        for key in dict.fromkeys(key for key, _ in self.stage.appended):
            if list(self.stage.manager.store.load(key).records) != self.stage.written(key):
                found["no_version_is_overwritten"] = f"{key.label}: the log is not what was written"
        return found


def schedules(
    cast: Cast,
    *,
    stage: Callable[[bool], Stage] | None = None,
    switches: int | None = None,
    impatient: bool = False,
    alike: bool = False,
) -> Iterator[Schedule]:
    """Run a scenario in every order of its effects, each time from the start.

    Args:
        cast: The scenario; it has to do the same each time.
        stage: Makes a fresh stage, with an empty store, given `impatient`; None for a usual one.
        switches: How often at most an actor stops although it could go on; None for any number.
            A few find nearly all that can go wrong, and three actors have too many orders.
        impatient: Whether nobody waits for anybody: a claim that is taken is refused at once.
        alike: Whether one summary has to do for all of them: see `Run.alike`.

    Yields:
        One schedule for each order, as soon as it was carried out.
    """
    order: list[int] | None = []
    while order is not None:
        here = Stage(impatient=impatient) if stage is None else stage(impatient)
        schedule, choices = _carried_out(cast, here, order, switches, alike=alike)
        yield schedule
        order = _after([*order, *[0] * (len(choices) - len(order))], choices)


def _carried_out(
    cast: Cast, stage: Stage, order: Sequence[int], switches: int | None, *, alike: bool
) -> tuple[Schedule, list[int]]:
    """Run a scenario once; return it, and how many actors could go on at each step.

    At the end of `order` whoever went on last goes on.
    """
    team: list[Actor] = []
    acts = [[act] if isinstance(act, Act) else act for act in cast(stage)]
    team += [Actor(stage, each, team) for each in acts]
    choices: list[int] = []
    went: list[int] = []
    last: Actor | None = None
    while ready := _ready(team):
        ready.sort(key=lambda actor: actor is not last)
        bound = last is ready[0] and switches is not None and switches <= 0
        chosen = order[len(choices)] if len(choices) < len(order) else 0
        choices.append(1 if bound else len(ready))
        if switches is not None and last is ready[0] and chosen:
            switches -= 1
        last = ready[chosen]
        went.append(team.index(last))
        last.go_on()
    stuck = not all(actor.is_done for actor in team)
    return Schedule(stage=stage, actors=team, order=went, alike=alike, stuck=stuck), choices


def _ready(team: Sequence[Actor]) -> list[Actor]:
    """Return who can go on; where nobody can, those who wait for an exchange wait no longer."""
    while True:
        ready = [actor for actor in team if actor.can_go_on]
        gave_up = [] if ready else [actor for actor in team if actor.give_up()]
        if not gave_up:
            return ready


def _after(order: Sequence[int], choices: Sequence[int]) -> list[int] | None:
    """Return the order that comes after one, as an odometer counts."""
    for step in range(len(order) - 1, -1, -1):
        if order[step] + 1 < choices[step]:
            return [*order[:step], order[step] + 1]
    return None
