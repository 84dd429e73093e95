"""Everything that a user can ask for, as operations to inject faults into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from memory.flow import Fitted, Flow, Past, log_key, outlook
from memory.flow.control import expand
from memory.flow.conversation import in_use, join, past, standing, whole
from memory.flow.exporting import exported, restore
from memory.flow.turn import answered
from memory.messages import WireMessage
from memory.records import Compaction
from memory.replies import Reply
from memory.testing._scenes import ASKS, EARLY, RESULTS, SHORT, TRIP, WHOLE
from memory.testing._stage import REPLY, Act, Stage, words

__all__ = ("OPERATIONS", "Operation", "State", "state")

FORK: Final = f"{TRIP}~2"
SENTENCE: Final = "Always give prices in euros."


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that a user asks for, as one flow.

    Attributes:
        name: What they call.
        act: What it does on a stage.
        begun: What is on record before.
    """

    name: str
    act: Callable[[Stage], Act]
    begun: Callable[[Stage], object] = lambda _stage: None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is on record.

    Attributes:
        said: The conversations there are, as they are exported, without their compactions.
        compactions: How many of these are in use.
    """

    said: dict[str, Any]
    compactions: int


def state(stage: Stage) -> State:
    """Return what is on record."""
    said, compactions = {}, 0
    for name in (TRIP, FORK):
        key = stage.key(name)
        known = Past.of(stage.manager.store.load(key))
        compactions += len(in_use(known))
        said[name] = {**exported(key, known), "compactions": None}
    key = log_key(stage.manager.namespace, stage.prompt(WHOLE).thread())
    records = stage.manager.store.load(key).records
    contents = {record.content for record in records if isinstance(record, Compaction)}
    return State(said=said, compactions=compactions + len(contents))


def _begun(said: Sequence[WireMessage]) -> Callable[[Stage], object]:
    return lambda stage: stage.run(stage.add(TRIP, said))


def _compacted(stage: Stage) -> None:
    stage.run(stage.add(TRIP, EARLY[:-1]))
    stage.run(stage.compact(TRIP))


def _pinned(stage: Stage) -> None:
    stage.run(stage.add(TRIP, SHORT))
    stage.run(stage.pin(TRIP, SENTENCE))


def _asked(stage: Stage) -> None:
    stage.run(stage.add(TRIP, [*SHORT, ASKS]))


def _after_a_stream(stage: Stage) -> Act:
    """The end of a streamed reply: what is learnt from it, and the turn on record."""
    prompt = stage.prompt([{"role": "user", "content": "this"}], TRIP)
    joined = stage.run(Act(name="join", flow=lambda: join(prompt)))
    fitted, reply = Fitted(messages=joined.messages), Reply(message=REPLY, finish_reason="stop")
    said = (*prompt.messages, REPLY)
    return Act(
        name="answered",
        flow=lambda: answered(joined, stage.context, fitted, reply),
        key=prompt.log,
        said=said,
    )


def _export(stage: Stage) -> Act:
    key = stage.key(TRIP)

    def flow() -> Flow[Any]:
        return exported(key, (yield from past(key)))

    return Act(name="export", flow=flow, key=key)


def _import(stage: Stage) -> Act:
    key = stage.key(FORK)
    return Act(name="import", flow=lambda: restore(key, list(SHORT)), key=key)


def _messages(stage: Stage) -> Act:
    prompt = stage.prompt((), TRIP)
    return Act(name="messages", flow=lambda: standing(prompt, stage.context), key=prompt.log)


def _plan(stage: Stage) -> Act:
    prompt = stage.prompt((), TRIP)

    def flow() -> Flow[Any]:
        return (yield from outlook((yield from whole(prompt)), stage.context)).plan

    return Act(name="plan", flow=flow, key=prompt.log)


def _expand(stage: Stage) -> Act:
    return Act(name="expand", flow=lambda: expand(stage.key(TRIP), "1-3"), key=stage.key(TRIP))


OPERATIONS: Final[Sequence[Operation]] = (
    Operation(name="fit(messages)", act=lambda stage: stage.fit(WHOLE)),
    Operation(name="call of a wrapped client", act=lambda stage: stage.call(WHOLE)),
    Operation(
        name="turn of a conversation",
        act=lambda stage: stage.turn(TRIP, words(60, "more")),
        begun=_begun(EARLY[:-1]),
    ),
    Operation(
        name="turn that calls tools",
        act=lambda stage: stage.turn(TRIP, "look", ASKS),
        begun=_begun(SHORT[:-1]),
    ),
    Operation(
        name="turn with tool results", act=lambda stage: stage.turn(TRIP, RESULTS), begun=_asked
    ),
    Operation(name="end of a streamed reply", act=_after_a_stream, begun=_begun(EARLY[:-1])),
    Operation(name="summary in the background", act=lambda stage: stage.ahead(EARLY)),
    Operation(
        name="add(messages)",
        act=lambda stage: stage.add(TRIP, [{"role": "user", "content": "by the way"}]),
        begun=_begun(SHORT),
    ),
    Operation(name="compact()", act=lambda stage: stage.compact(TRIP), begun=_begun(EARLY)),
    Operation(
        name="compact(summary=…)",
        act=lambda stage: stage.compact(TRIP, upto=6, summary="We spoke of Lisbon."),
        begun=_begun(EARLY),
    ),
    Operation(name="undo()", act=lambda stage: stage.undo(TRIP), begun=_compacted),
    Operation(name="rewind(to)", act=lambda stage: stage.rewind(TRIP, 2), begun=_begun(SHORT)),
    Operation(name="fork()", act=lambda stage: stage.fork(TRIP, FORK), begun=_compacted),
    Operation(name="pin(…)", act=lambda stage: stage.pin(TRIP, SENTENCE), begun=_begun(SHORT)),
    Operation(
        name="unpin(…)",
        act=lambda stage: stage.pin(TRIP, SENTENCE, held=False),
        begun=_pinned,
    ),
    Operation(name="expand(segment)", act=_expand, begun=_compacted),
    Operation(name="messages()", act=_messages, begun=_compacted),
    Operation(name="plan()", act=_plan, begun=_begun(EARLY)),
    Operation(name="export()", act=_export, begun=_compacted),
    Operation(name="import_(…)", act=_import),
    Operation(name="forget()", act=lambda stage: stage.forget(TRIP), begun=_compacted),
)
"""What is tested, in the order of the table in the documentation."""
