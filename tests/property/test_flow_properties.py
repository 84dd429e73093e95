"""What holds for every conversation: the invariants, request by request, over generated ones."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import ceil
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench import (
    RoughCounter,
    Wire,
    WordCounter,
    Workbench,
    assistant,
    chat,
    exchange,
    notes,
    system,
    user,
    words,
)

from memory import events
from memory.errors import BudgetError, SummaryError
from memory.flow import Fitted
from memory.records import Usage
from memory.summary import Draft, SummaryRequest
from memory.testing import strategies
from memory.tokens import ByteClassEstimator

Messages = Sequence[Any]

budgets = st.sampled_from([400, 700, 1_000, 1_500, 2_500])
counters = st.sampled_from([WordCounter(), RoughCounter(), ByteClassEstimator()])
roles = st.sampled_from(["user", "assistant"])
# A failure is shrunk to a small conversation, which takes minutes.
pytestmark = pytest.mark.timeout(400)
several = settings(max_examples=20, deadline=None)
few = settings(max_examples=10, deadline=None)


def benches(**others: Any) -> st.SearchStrategy[Workbench]:
    """Return workbenches with any budget, counter and role of the notes."""
    fixed = {name: st.just(value) for name, value in {"check": "raise", **others}.items()}
    return st.builds(Workbench, budgets, counter=counters, role=roles, **fixed)


def attempt(bench: Workbench, messages: Messages) -> Fitted | None:
    """Fit a prompt and check the outcome; None when what may not be dropped is too large."""
    try:
        fitted = bench.fit(messages)
    except BudgetError as error:
        assert error.tokens > error.limit == bench.limit()  # noqa: PT017
        assert error.limit < sum(error.culprits.values()) + 300  # noqa: PT017
        return None
    assert {} == bench.wrong(messages, fitted)
    return fitted


@several
@given(benches(), strategies.conversations())
def test_every_request_keeps_the_promises(bench: Workbench, conversation: list[Wire]) -> None:
    """Limit, head, one synthetic message, pairing, coverage, tail: at each request of a caller."""
    for request in strategies.requests(conversation):
        attempt(bench, request)


@several
@given(benches(), strategies.conversations(), st.sampled_from([0.9, 1.0, 1.1]))
def test_promises_hold_while_the_meter_learns(
    bench: Workbench, conversation: list[Wire], factor: float
) -> None:
    """Also when every reply reports what the server counted."""
    for request in strategies.requests(conversation):
        fitted = attempt(bench, request)
        if fitted is not None:
            reported = round(bench.tokens(fitted.messages) * factor)
            usage = Usage(prompt_tokens=reported, completion_tokens=1)
            bench.meter.observe(fitted.messages, usage=usage)


@several
@given(benches(), strategies.conversations(), st.data())
def test_promises_hold_on_every_branch(
    bench: Workbench, conversation: list[Wire], data: st.DataObject
) -> None:
    """A caller may go back to any request, or change the last message of one."""
    made = strategies.requests(conversation)
    for _ in range(8):
        request = data.draw(st.sampled_from(made))
        if data.draw(st.booleans()):
            request = [*request, user(data.draw(strategies.texts()))]
        attempt(bench, request)


@several
@given(benches(), strategies.conversations())
def test_fitting_is_idempotent(bench: Workbench, conversation: list[Wire]) -> None:
    """What was sent is sent again for itself, and for the input it was made of, free of charge."""
    for request in strategies.requests(conversation):
        fitted = attempt(bench, request)
        if fitted is not None:
            asked = bench.asked
            assert list(fitted.messages) == list(bench.fit(fitted.messages).messages)
            assert list(fitted.messages) == list(bench.fit(request).messages)
            assert asked == bench.asked


@several
@given(benches(), strategies.conversations(ends=["user", "results", "assistant"]))
def test_views_only_grow_between_records(bench: Workbench, conversation: list[Wire]) -> None:
    """While nothing is recorded the next view begins with the one before."""
    before: Messages = []
    known = -1
    for request in strategies.requests(conversation):
        fitted = attempt(bench, request)
        if fitted is None:
            known = -1
            continue
        recorded = sum(isinstance(event, events.Compacted) for event in bench.events)
        if recorded == known:
            assert list(before) == list(fitted.messages[: len(before)])
        before, known = fitted.messages, recorded


@several
@given(budgets, counters, strategies.conversations())
def test_the_same_input_makes_the_same_bytes(
    budget: int, counter: Any, conversation: list[Wire]
) -> None:
    """Two managers that see the same requests send, record and tell the same."""
    here, there = (Workbench(budget, counter=counter) for _ in range(2))
    for request in strategies.requests(conversation):
        assert attempt(here, request) == attempt(there, copy.deepcopy(request))
        assert here.log(request) == there.log(request)

    assert here.events == there.events


@several
@given(budgets, counters, strategies.conversations())
def test_what_is_on_record_is_enough(budget: int, counter: Any, conversation: list[Wire]) -> None:
    """A manager that starts with the store of another sends what that would send."""
    here = Workbench(budget, counter=counter)
    for request in strategies.requests(conversation):
        fitted = attempt(here, request)
        if fitted is not None:
            there = Workbench(budget, counter=counter, store=here.store)
            assert list(fitted.messages) == list(there.fit(request).messages)
            assert 0 == there.asked


@several
@given(benches(), strategies.conversations())
def test_the_input_is_never_changed(bench: Workbench, conversation: list[Wire]) -> None:
    """Not one message of it, at any request."""
    before = copy.deepcopy(conversation)
    for request in strategies.requests(conversation):
        attempt(bench, request)

    assert before == conversation


@several
@given(benches(), strategies.conversations(most=30))
def test_a_caller_may_go_on_from_what_was_sent(bench: Workbench, conversation: list[Wire]) -> None:
    """Who appends to the view instead of the whole history keeps all promises too."""
    view: list[Any] = []
    done = 0
    for request in strategies.requests(conversation):
        view, done = [*view, *request[done:]], len(request)
        fitted = attempt(bench, view)
        if fitted is not None:
            view = [*fitted.messages]


@several
@given(benches(oversize="shorten-tool-results"), strategies.conversations(largest=300, most=8))
def test_promises_hold_with_shortened_results(bench: Workbench, conversation: list[Wire]) -> None:
    """What cannot be dropped is shortened, or said to be too large."""
    for request in strategies.requests(conversation):
        attempt(bench, request)


@several
@given(benches(oversize="send"), strategies.conversations(largest=300, most=8))
def test_what_is_too_large_can_always_be_sent(bench: Workbench, conversation: list[Wire]) -> None:
    """Every promise but the limit holds, and nothing is raised."""
    for request in strategies.requests(conversation):
        fitted = bench.fit(request)
        assert not set(bench.wrong(request, fitted)) - {"prompt_is_within_limit"}


def failing(request: SummaryRequest) -> Draft:
    """Fail in a way that depends on what is asked."""
    draft = notes(request)
    ways = [
        Draft(text="", author="stub"),
        Draft(text=draft.text * 9, author="stub"),
        Draft(text="I can't", author="stub", finish_reason="content_filter"),
        Draft(text="", author="stub", tool_calls=True, finish_reason="tool_calls"),
        draft,
    ]
    way = request.source_tokens % (len(ways) + 1)
    if way == len(ways):
        text = "down"
        raise SummaryError(text)
    return ways[way]


@several
@given(benches(write=failing), strategies.conversations())
def test_promises_hold_when_summaries_fail(bench: Workbench, conversation: list[Wire]) -> None:
    """The offline summariser stands in, within the same limits."""
    for request in strategies.requests(conversation):
        attempt(bench, request)


@st.composite
def workloads(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """Return a limit, and the words of each question and answer; some answers are huge."""
    limit = draw(st.sampled_from([1_000, 3_000]))
    small = st.integers(limit // 200, limit // 30)
    large = st.integers(limit // 4, limit * 7 // 10)
    answers = st.one_of(small, small, large)
    return limit, draw(st.lists(st.tuples(small, answers), min_size=20, max_size=60))


@few
@given(workloads(), st.sampled_from([0.02, 0.1, 0.25]))
def test_summaries_are_few(workload: tuple[int, list[tuple[int, int]]], head: float) -> None:
    """Where the target can be reached, at most ceil(tokens / (trigger - target)) + 1 are made."""
    limit, turns = workload
    bench, messages = Workbench(limit), [system(words(int(limit * head)))]
    for number, (question, answer) in enumerate(turns):
        messages.append(user(words(question, f"u{number}-")))
        assert attempt(bench, messages) is not None
        messages.append(assistant(words(answer, f"a{number}-")))
    budget = bench.policy.thresholds(limit=limit, measured=0, exact=True)
    new = bench.tokens(messages)

    assert bench.purposes("new") <= ceil(new / (budget.trigger - budget.target)) + 1
    assert bench.purposes("merge") <= bench.purposes("new")
    assert 0 == bench.purposes("again")


@few
@given(benches(), strategies.conversations())
def test_every_summary_is_worth_it(bench: Workbench, conversation: list[Wire]) -> None:
    """Within the limit one saves a tenth of the way to the target; over it, something."""
    for request in strategies.requests(conversation):
        attempt(bench, request)
    budget = bench.policy.thresholds(limit=bench.limit(), measured=0, exact=False)
    worth = (budget.trigger - budget.target) // 10
    for event in bench.events:
        if isinstance(event, events.Planned):
            within = event.tokens <= bench.limit()
            assert event.tokens - event.projected >= (worth if within else 1)


@several
@given(benches(), strategies.conversations())
def test_nothing_is_asked_for_twice(bench: Workbench, conversation: list[Wire]) -> None:
    """A request wants one first-level summary at most; what is paid for is recorded.

    No text is asked for more than twice: once more where the first could not be used.
    """
    for request in strategies.requests(conversation):
        new = bench.purposes("new")
        attempt(bench, request)
        assert bench.purposes("new") - new <= 1
    paid = [event for event in bench.events if isinstance(event, events.Compacted) and event.paid]
    planned = [event for event in bench.events if isinstance(event, events.Planned)]

    assert bench.purposes("new") <= len(planned) == len(paid)
    wanted = bench.purposes("new") + bench.purposes("merge")
    rejected = any(isinstance(event, events.Rejected) for event in bench.events)
    assert bench.asked <= 2 * wanted
    assert rejected or bench.asked == wanted


@several
@given(benches(), strategies.conversations())
def test_projections_are_kept(bench: Workbench, conversation: list[Wire]) -> None:
    """A compaction never leaves more than the trigger where it was projected to reach it."""
    projected = 0
    for request in strategies.requests(conversation):
        attempt(bench, request)
    for event in bench.events:
        if isinstance(event, events.Planned):
            projected = event.projected
        if isinstance(event, events.Compacted) and event.paid:
            assert event.tokens_after <= max(projected, bench.limit() * 0.98)


SECRET = "xylophone-hush-71"


@several
@given(strategies.conversations(most=10), st.data())
def test_events_say_nothing_of_what_was_said(conversation: list[Wire], data: st.DataObject) -> None:
    """No event holds a word of a message, whatever happens to it."""
    place = data.draw(st.integers(0, len(conversation) - 1))
    spoken = {**conversation[place], "content": f"{SECRET} {words(300)}"}
    messages = [*conversation[:place], spoken, *conversation[place + 1 :]]
    write = data.draw(st.sampled_from([notes, failing]))
    bench = Workbench(700, write=write, oversize=data.draw(st.sampled_from(["send", "raise"])))
    for request in strategies.requests(messages):
        try:
            bench.fit(request)
        except BudgetError as error:
            assert SECRET not in str(error)  # noqa: PT017

    assert [] == [event for event in bench.events if SECRET in repr(event)]


@pytest.mark.parametrize(("identifiers", "times"), [(0.0, 1), (0.1, 2)])
def test_two_hundred_calls_for_one_question(identifiers: float, times: int) -> None:
    """A long agent run is compacted while it runs, at any size of its results.

    A long list of identifiers puts the target out of reach, and that doubles the summaries.
    """
    bench = Workbench(1_500, identifiers=identifiers)
    messages = [system(words(60)), user("Find every broken link.")]
    for number in range(200):
        size = (number * 37) % 90
        messages += exchange(f"a:{number}", f"b:{number}", result=words(size, f"{number}-"))
        fitted = attempt(bench, messages)
        assert fitted is not None
        assert messages[1] in fitted.messages
    budget = bench.policy.thresholds(limit=1_500, measured=0, exact=True)
    bound = ceil(bench.tokens(messages) / (budget.trigger - budget.target)) + 1

    assert 5 < bench.purposes("new") <= times * bound
    assert bench.purposes("merge") <= bench.purposes("new")


@pytest.mark.parametrize("same", [True, False], ids=["one conversation", "many"])
def test_threads_share_a_store(*, same: bool) -> None:
    """Nothing is lost or raised when several fit at once, in one log or with a common beginning."""
    shared = Workbench(1_000)
    failed: list[Any] = []

    def work(number: int) -> None:
        bench = Workbench(1_000, store=shared.store)
        tag = "" if same else f"t{number}"
        messages = [*chat(1), *chat(60, head=0, tag=tag)]
        try:
            failed.extend(
                problem
                for stop in range(3, len(messages) + 1, 2)
                for problem in bench.wrong(messages[:stop], bench.fit(messages[:stop]))
            )
        except Exception as error:  # noqa: BLE001  # shown below
            failed.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failed
