"""What both kinds of machine share: the stage, the judge, and what happens to anybody."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ClassVar

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from memory.errors import BudgetError
from memory.testing.kimi_faults import Fault
from memory.testing.kimi_reply import Reply
from memory.testing.machines.judge import Judge, demand
from memory.testing.machines.stage import SPOILS, Asked, Plan, Stage
from memory.testing.machines.words import MODELS, Wire, answer, hide, question, recorded, stored

__all__ = (
    "BATCH",
    "LARGE",
    "LONG",
    "READINGS",
    "REFUSALS",
    "SIZES",
    "TURNS",
    "WRITERS",
    "Machine",
    "act",
)

SIZES = st.sampled_from([2, 0, 3, 5])
"""How many lines a text has; each is about 20 tokens."""
WRITERS = st.integers(0, 1)
"""Which of the two managers does it."""
TURNS = st.integers(1, 4)
"""How many turns are taken at a stretch."""
LARGE = st.sampled_from([2, 20])
"""How many lines a question has whose reply is begun: many leave no room but for that."""
LONG = st.integers(4, 10)
"""How many turns are taken in a long stretch."""
READINGS = st.sampled_from(["whole", "stream", "finish"])
"""How a reply is read that is read to its end."""
BATCH = ("weigh:0", "weigh:1", "weigh:2")
"""The ids of calls made at once; they come again in other exchanges."""
REFUSALS = (
    Fault.OVERLOADED,
    Fault.WRONG_KEY,
    Fault.SERVER_ERROR,
    Fault.CONTENT_FILTER,
    Fault.RESET,
)
"""What the server may answer a turn with: nothing goes on record then."""
_SUMMARY_FAULTS = (
    Fault.CONTENT_FILTER,
    Fault.WRONG_KEY,
    Fault.QUOTA,
    Fault.RETIRED,
    Fault.INJECTED,
    Fault.REASONING_ONLY,
    Fault.SLOW,
)
"""What a request for a summary may suffer, beside the texts of `SPOILS`: nothing that is retried
after a while, so that nobody sleeps."""
_OPENINGS = (0, 4, 8, 12)
"""How many turns there are before the machine begins; eight are about half of the budget."""
_BUDGETS = (1.0, 1.5, 2.0, 0.85)
"""Budgets, as shares of the one that the machine began with."""


def act(**given: Any) -> Callable[[Callable[..., None]], Any]:
    """Return what makes a rule of a method: a step after which everything is looked at."""

    def made(function: Callable[..., None]) -> Any:
        @wraps(function)
        def stepped(self: Machine, **drawn: Any) -> None:
            function(self, **drawn)
            self.check()

        step: Any = rule(**given)
        return step(stepped)

    return made


class Machine(RuleBasedStateMachine):
    """What both kinds share."""

    plan: ClassVar[Plan]

    def __init__(self) -> None:
        super().__init__()
        self.judge = Judge()
        self.number = 0
        self.model = MODELS[0]
        self.share = _BUDGETS[0]
        self._opened: list[Stage] = []

    @initialize(redact=st.booleans(), turns=st.sampled_from(_OPENINGS), head=st.booleans())
    def begin(self, *, redact: bool, turns: int, head: bool) -> None:
        """Open two managers on one store, and begin with turns that were made elsewhere."""
        self._opened.append(Stage(self.plan, redact=redact))
        said: list[Wire] = []
        for turn in range(turns):
            said += [self.question(turn % 4), recorded(answer(self.next(), 2))]
            said[-1].pop("reasoning_content")
        self.start(said, head=head)

    @property
    def stage(self) -> Stage:
        """Where it acts; there is none before `begin`."""
        return self._opened[0]

    def start(self, said: list[Wire], *, head: bool) -> None:
        """Begin with messages."""
        raise NotImplementedError

    def check(self) -> None:
        """Look at what has to hold after every step."""
        raise NotImplementedError

    def next(self) -> int:
        """Return a number that no message has yet."""
        self.number += 1
        return self.number

    def question(self, size: int) -> Wire:
        """Return a new user message."""
        return question(self.next(), size)

    def answer(self, size: int, calls: Sequence[str] = ()) -> Reply:
        """Return a new reply."""
        return answer(self.next(), size, calls)

    def kept(self, messages: Sequence[Wire]) -> list[Wire]:
        """Return messages as they are on record: without secrets, where those are taken out."""
        return stored(messages) if self.stage.redact else [*messages]

    @property
    def budget(self) -> int:
        """The budget of the next call, in tokens."""
        return int(self.plan.budget * self.share)

    @property
    def options(self) -> dict[str, Any]:
        """The options of the next call."""
        return {} if self.share == _BUDGETS[0] else {"budget": self.budget}

    def run(self, value: Any) -> Any:
        """Return a value, or what a coroutine comes to."""
        return self.stage.run(value)

    def ask(self, writer: int, messages: Sequence[Any], **how: Any) -> Asked:
        """Ask with one of the clients, under the options of now."""
        return self.stage.ask(writer, messages, model=self.model, **(self.options | how))

    def demand_answer(self, asked: Asked) -> None:
        """Check that the server took the request, and that nothing failed."""
        if isinstance(asked.error, BudgetError):
            demand(asked.error.tokens > asked.error.limit, f"a needless {asked.error}")
        refused = [each.error for each in asked.turns if each.status != 200]  # noqa: PLR2004
        demand(not refused, f"the server refused what it should have taken: {refused}")
        demand(asked.error is None, f"a turn failed: {asked.error!r}")
        demand(asked.turns, "nothing reached the server")
        demand(not asked.failures, f"memory failed: {asked.failures}")

    @act(trouble=st.sampled_from([None, *SPOILS, *_SUMMARY_FAULTS]), times=st.integers(1, 2))
    def trouble_the_summariser(self, *, trouble: str | Fault | None, times: int) -> None:
        """Have the next summaries spoilt, refused or late; None to have none of that any more."""
        if trouble is None:
            self.stage.fake.recover()
            self.stage.spoils.clear()
        elif isinstance(trouble, Fault):
            self.stage.fake.fail_next(trouble, only="summary")
        else:
            self.stage.spoils += [trouble] * times

    @act(writer=WRITERS)
    def crash(self, *, writer: int) -> None:
        """Drop a manager and open another one on the same store."""
        self.stage.crash(writer)

    @act(share=st.sampled_from(_BUDGETS), model=st.sampled_from(MODELS))
    def change(self, *, share: float, model: str) -> None:
        """Have calls from now on made under another budget, and sent to another model."""
        self.share, self.model = share, model

    @act(seconds=st.sampled_from([0.5, 31.0, 100.0, 3_600.0]))
    def jump(self, *, seconds: float) -> None:
        """Let time pass."""
        self.stage.clock.advance(seconds)

    def secrets_are_hidden(self, texts: Sequence[str]) -> None:
        """Check that no secret is in what is stored."""
        if self.stage.redact:
            demand(all(hide(text) == text for text in texts), "a secret is on record")

    def teardown(self) -> None:
        """Look at all that happened, and close everything."""
        if not self._opened:
            return
        try:
            if sys.exc_info()[0] is None:  # else what is wrong is told already
                self.judge.run(self.stage.events, self.stage.unusable)
        finally:
            self.stage.close()
