"""What holds when the same is asked again, and with pins: over generated conversations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from depth import examples
from hypothesis import given
from hypothesis import strategies as st
from workbench import RoughCounter, Wire, WordCounter, Workbench, assistant, user, words

from memory.errors import BudgetError
from memory.flow import Fitted
from memory.identity import digest
from memory.invariants import Run, Sending, counts_are_as_reported, run_violations
from memory.meter import Meter
from memory.records import Usage
from memory.stores import VolatileStore
from memory.summary import Draft, SummaryRequest
from memory.testing import strategies
from memory.tokens import ByteClassEstimator

pytestmark = pytest.mark.timeout(400)
BUDGETS = st.sampled_from([500, 1_000, 2_000])


def fitted(bench: Workbench, request: list[Any], **others: Any) -> Fitted | None:
    """Fit a prompt under the guard; None where what may not be dropped is too large."""
    try:
        return bench.fit(request, **others)
    except BudgetError:
        return None


def seen(bench: Workbench, request: list[Any]) -> Sending | None:
    """Fit a prompt; return what that came to."""
    made = fitted(bench, request)
    if made is None:
        return None
    return Sending(given=request, sent=made.messages, record=made.record, log=bench.log(request))


@examples(20)
@given(BUDGETS, strategies.conversations(), st.booleans())
def test_a_second_run_sends_what_the_first_one_sent(
    budget: int,
    conversation: list[Wire],
    reopened: bool,  # noqa: FBT001  # drawn
) -> None:
    """Request by request and free of charge, by the same manager or a new one on its store."""
    store = VolatileStore()
    first = Workbench(budget, store=store, check="raise")
    requests = strategies.requests(conversation)
    before = [seen(first, request) for request in requests]
    second = Workbench(budget, store=store, check="raise") if reopened else first
    asked = second.asked
    after = [seen(second, request) for request in requests]
    pairs = [(one, other) for one, other in zip(before, after, strict=True) if one and other]

    assert {} == run_violations(Run(repeats=pairs))
    assert [one is None for one in before] == [other is None for other in after]
    assert asked == second.asked


@examples(20)
@given(BUDGETS, strategies.conversations(most=12), st.data())
def test_pins_stay_on_every_path(
    budget: int, conversation: list[Wire], data: st.DataObject
) -> None:
    """Messages pinned for a call are in its view, whatever the calls before had pinned."""
    bench = Workbench(budget, check="raise")
    for request in strategies.requests(conversation):
        held = data.draw(st.lists(st.sampled_from(request), max_size=3))
        pinned = frozenset(map(digest, held))
        made = fitted(bench, request, pinned=pinned)

        assert made is None or all(message in made.messages for message in held)


@examples(15)
@given(BUDGETS, strategies.conversations(most=12), st.lists(st.integers(1, 9), max_size=3))
def test_sentences_that_are_pinned_are_quoted(
    budget: int, conversation: list[Wire], sizes: list[int]
) -> None:
    """In the notes of every view, from the first one on, and in the order they were pinned in."""
    bench = Workbench(budget, check="raise")
    quoted = tuple(words(size, f"pin{size}-{place}-") for place, size in enumerate(sizes))
    for request in strategies.requests(conversation):
        made = fitted(bench, request, quoted=quoted)
        if made is not None and made.record is not None and made.record.synthetic:
            said = [wish.text for wish in made.record.standing if wish.source == "pinned"]
            assert [*quoted] == said


@examples(15)
@given(
    st.sampled_from([WordCounter(), ByteClassEstimator()]),
    strategies.conversations(most=12),
    st.sampled_from(["user", "system", "assistant"]),
)
def test_promises_hold_in_every_role(counter: Any, conversation: list[Wire], role: str) -> None:
    """Whatever the role of the notes, also for a caller who goes on from what was sent."""
    bench = Workbench(3_000, counter=counter, role=role, check="raise")
    view: list[Any] = []
    done = 0
    for request in strategies.requests(conversation):
        view, done = [*view, *request[done:]], len(request)
        for messages in (request, view):
            made = fitted(bench, messages)
            if made is not None:
                view = [*made.messages]
                assert view == list(bench.fit(view).messages)


@examples(25)
@given(
    BUDGETS,
    strategies.conversations(least=6, most=15),
    st.lists(st.sampled_from(strategies.BEHAVIOURS), min_size=1, max_size=4),
)
def test_failed_summaries_stand_for_nothing(
    budget: int, conversation: list[Wire], behaviours: list[strategies.Behaviour]
) -> None:
    """Whatever a summariser does, in whatever order, nothing of it that failed is in use."""
    good, spoilt = set[str](), set[str]()

    def write(request: SummaryRequest) -> Draft:
        behaviour = behaviours[bench.asked % len(behaviours)]
        draft = strategies.play(behaviour, request, count=WordCounter().count)
        (good if behaviour in strategies.GOOD else spoilt).add(draft.text)
        return draft

    bench = Workbench(budget, write=write, check="raise")
    made = []
    for request in strategies.requests(conversation):
        bench.now += 10_000.0  # nobody is left alone for having failed
        sending = seen(bench, request)
        if sending is not None:
            sizes = [*bench.meter.count(request)]
            made.append(replace(sending, sizes=sizes))

    run = Run(sendings=made, events=bench.events, unusable=[*(spoilt - good)])
    assert {} == run_violations(run)


@examples(15)
@given(BUDGETS, strategies.conversations(most=15), st.integers(0, 300))
def test_tools_are_part_of_a_prompt(budget: int, conversation: list[Wire], size: int) -> None:
    """What is sent is within the limit with them, by a count of one's own."""
    about = words(size, "about")
    tools = ({"type": "function", "function": {"name": "look", "description": about}},)
    bench, judge = Workbench(budget, check="raise"), Meter(WordCounter())
    for request in strategies.requests(conversation):
        made = fitted(bench, request, tools=tools)

        assert made is None or judge.count(made.messages, tools=tools).total <= budget


def plain_talks() -> st.SearchStrategy[list[Wire]]:
    """Return talks of which every text is long enough to be estimated, and none is left out."""
    sizes = st.lists(st.integers(8, 60), min_size=2, max_size=40)
    return sizes.map(lambda all_sizes: [*map(_spoken, all_sizes, range(len(all_sizes)))])


def _spoken(size: int, place: int) -> Wire:
    return (assistant if place % 2 else user)(words(size, f"t{place}-"))


class Server:
    """Counts as the server does: words, each of which has a few tokens."""

    name = "server"
    exact = True

    def __init__(self, times: float) -> None:
        self.times = times

    def count(self, text: str) -> float:
        """Return what a text costs there."""
        return round(len(text.split()) * self.times)


@examples(20)
@given(plain_talks(), st.sampled_from([0.8, 1.0, 1.3]))
def test_what_the_server_reported_is_believed(conversation: list[Wire], times: float) -> None:
    """Once it told what a prompt cost, that prompt costs the same here, as it grows."""
    bench, server = Workbench(100_000, counter=RoughCounter()), Meter(Server(times))
    for request in strategies.requests(conversation):
        made = fitted(bench, request)
        if made is not None:
            reported = server.count(made.messages).total
            usage = Usage(prompt_tokens=reported, completion_tokens=1)
            bench.meter.observe(made.messages, usage=usage)
            counted = bench.meter.count(made.messages).total
            told = Sending(given=made.messages, sent=made.messages, tokens=reported)
            assert counts_are_as_reported(replace(told, counted=counted)) is None
