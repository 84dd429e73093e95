"""The scenarios that this library is tested with; each promises something about every order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from memory.messages import WireMessage
from memory.testing._schedules import Cast, Schedule, schedules
from memory.testing._stage import Act, Stage, talk, words

__all__ = ("SCENARIOS", "Scenario")

WHOLE: Final = talk(10, size=15)
"""Over the limit of 400 tokens."""
OTHER: Final = [*WHOLE[:-1], {"role": "user", "content": words(10, "other")}]
STRANGE: Final = talk(10, size=15, tag="strange")
EARLY: Final = talk(8, size=15)
"""Over the mark of four fifths, and under the limit."""
SHORT: Final = talk(2)
REPLY: Final = {"role": "assistant", "content": words(20, "answer")}
NEXT: Final = [*EARLY, REPLY, {"role": "user", "content": words(20, "next")}]
"""Over the limit: the turn after the one that passed the mark."""
TRIP: Final = "ann/trip"
_FUNCTION: Final = {"name": "look", "arguments": "{}"}
ASKS: Final[WireMessage] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {"id": name, "type": "function", "function": _FUNCTION} for name in ("one", "two")
    ],
}
RESULTS: Final[Sequence[WireMessage]] = [
    {"role": "tool", "tool_call_id": name, "content": f"{name} was found"}
    for name in ("one", "two")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Something that is done at once, and what it promises.

    Attributes:
        name: What happens, for people.
        cast: Sets the stage.
        pays_once: Whether one summary has to do for all.
        switches: How often an actor stops although it could go on; None for any number.
        impatient: Whether nobody waits for anybody.
    """

    name: str
    cast: Cast
    pays_once: bool = False
    switches: int | None = None
    impatient: bool = False

    def schedules(self, stage: Callable[[bool], Stage] | None = None) -> Iterator[Schedule]:
        """Run it in every order; see `memory.testing.interleavings.schedules`."""
        return schedules(
            self.cast,
            stage=stage,
            switches=self.switches,
            impatient=self.impatient,
            alike=self.pays_once,
        )


def _fits(*inputs: Sequence[WireMessage]) -> Cast:
    return lambda stage: [stage.fit(each) for each in inputs]


def _begun(stage: Stage, said: Sequence[WireMessage] = EARLY[:-1]) -> None:
    stage.run(stage.add(TRIP, said))


def _compacted(stage: Stage) -> None:
    """A conversation with a compaction, so that it can be undone."""
    _begun(stage)
    stage.run(stage.compact(TRIP))


def _beside(act: Callable[[Stage], Act], begun: Callable[[Stage], None] = _begun) -> Cast:
    """Return the scenario of a turn beside something that is done by hand."""

    def cast(stage: Stage) -> Sequence[Act]:
        begun(stage)
        return stage.turn(TRIP, "this"), act(stage)

    return cast


def _turns(*texts: str) -> Cast:
    def cast(stage: Stage) -> Sequence[Act]:
        _begun(stage)
        return [stage.turn(TRIP, text) for text in texts]

    return cast


def _summarised_meanwhile(stage: Stage) -> Sequence[Act]:
    """The next turn, beside the summary that the turn before asked for in the background."""
    _begun(stage)
    whole = [*EARLY[:-1], {"role": "user", "content": "this"}, REPLY]
    return stage.turn(TRIP, "that"), stage.ahead(whole, name=TRIP)


def _tools(stage: Stage) -> Sequence[Act | Sequence[Act]]:
    """A turn that asks for two tools and is given their results, beside a plain turn."""
    _begun(stage, SHORT[:-1])
    with_tools = [stage.turn(TRIP, "look", ASKS), stage.turn(TRIP, RESULTS, REPLY)]
    return with_tools, stage.turn(TRIP, "meanwhile")


SCENARIOS: Final[Sequence[Scenario]] = (
    Scenario(name="two identical fits", cast=_fits(WHOLE, WHOLE), pays_once=True),
    Scenario(name="two fits with one history", cast=_fits(WHOLE, OTHER), pays_once=True),
    Scenario(name="two fits of strangers", cast=_fits(WHOLE, STRANGE), switches=3),
    Scenario(
        name="two fits without patience", cast=_fits(WHOLE, OTHER), switches=4, impatient=True
    ),
    Scenario(
        name="three fits with one history",
        cast=_fits(WHOLE, OTHER, WHOLE),
        pays_once=True,
        switches=2,
    ),
    Scenario(
        name="fit beside a background summary",
        cast=lambda stage: (stage.ahead(EARLY), stage.fit(NEXT)),
        pays_once=True,
    ),
    Scenario(
        name="two background summaries",
        cast=lambda stage: (stage.ahead(EARLY), stage.ahead(EARLY)),
        pays_once=True,
    ),
    Scenario(name="two turns", cast=_turns("this", "that"), pays_once=True, switches=2),
    Scenario(
        name="two turns without patience",
        cast=_turns("this", "that"),
        switches=2,
        impatient=True,
    ),
    Scenario(name="three turns", cast=_turns("this", "that", "also"), switches=1),
    Scenario(
        name="turn beside a background summary",
        cast=_summarised_meanwhile,
        pays_once=True,
        switches=3,
    ),
    Scenario(name="turn with tool calls beside a turn", cast=_tools, switches=4),
    Scenario(
        name="turn with tool calls beside a turn, without patience",
        cast=_tools,
        switches=3,
        impatient=True,
    ),
    Scenario(
        name="turn beside add()",
        cast=_beside(lambda stage: stage.add(TRIP, [{"role": "user", "content": "by the way"}])),
        switches=4,
    ),
    Scenario(
        name="turn beside compact()",
        cast=_beside(lambda stage: stage.compact(TRIP)),
        switches=3,
    ),
    Scenario(
        name="turn beside undo()",
        cast=_beside(lambda stage: stage.undo(TRIP), _compacted),
        switches=4,
    ),
    Scenario(
        name="turn beside rewind()",
        cast=_beside(lambda stage: stage.rewind(TRIP, 10)),
        switches=4,
    ),
    Scenario(
        name="turn beside pin()",
        cast=_beside(lambda stage: stage.pin(TRIP, "Always give prices in euros.")),
        switches=4,
    ),
    Scenario(name="turn beside forget()", cast=_beside(lambda stage: stage.forget(TRIP))),
    Scenario(
        name="turn beside fork()",
        cast=_beside(lambda stage: stage.fork(TRIP, f"{TRIP}~2")),
        switches=4,
    ),
)
"""What is tested: every order of each, or all orders with so few switches."""
