"""Leaving a failing summariser alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from memory.breaker import FAILURES, LONGEST, PAUSE, Breaker

MODEL, OTHER = "kimi-k2.6", "kimi-k3"
times = st.floats(0, 1e6)


def opened(pause: float = 30.0, *, now: float = 0.0) -> Breaker:
    """Return a breaker that has just been opened."""
    breaker = Breaker(pause)
    breaker.failed(MODEL, now, final=True)
    return breaker


@given(times)
def test_who_never_failed_may_be_asked(now: float) -> None:
    """At any time."""
    assert 0 == Breaker().wait(MODEL, now)


def test_some_failures_in_a_row_open_it() -> None:
    """The third begins a pause of the length that was set, and says so."""
    breaker = Breaker(30.0)
    begun = [breaker.failed(MODEL, 100.0) for _ in range(FAILURES)]

    assert [0.0, 0.0, 30.0] == begun
    assert [30.0, 20.0] == [breaker.wait(MODEL, now) for now in (100.0, 110.0)]


def test_without_anything_else_the_pause_is_half_a_minute() -> None:
    """Long enough for a server to recover, short enough not to be noticed."""
    breaker = Breaker()

    assert 30.0 == PAUSE == breaker.failed(MODEL, 0.0, final=True)


def test_a_success_in_between_counts_from_the_beginning() -> None:
    """Two failures, a success and two more do not open it."""
    breaker = Breaker()
    for _ in range(2):
        begun = [breaker.failed(MODEL, 0.0) for _ in range(FAILURES - 1)]
        breaker.worked(MODEL)
        assert [0.0, 0.0] == begun

    assert 0 == breaker.wait(MODEL, 0.0)


def test_a_final_failure_opens_it_at_once() -> None:
    """What no retry mends need not be tried three times."""
    assert 30.0 == opened(now=7.0).wait(MODEL, 7.0)


def test_after_the_pause_one_may_try() -> None:
    """Whoever asks next in the length of another pause is told to wait."""
    breaker = opened(30.0)

    assert 0 == breaker.wait(MODEL, 30.0)
    assert [30.0, 25.0] == [breaker.wait(MODEL, now) for now in (30.0, 35.0)]


def test_who_tries_and_says_nothing_blocks_no_one_for_ever() -> None:
    """A probe may be cancelled: after another pause the next one may try."""
    breaker = opened(30.0)

    assert [0, 0, 0] == [breaker.wait(MODEL, now) for now in (30.0, 60.0, 90.0)]


def test_a_failed_probe_begins_a_longer_pause() -> None:
    """Twice as long each time, up to a bound; one failure is enough now."""
    breaker, now, begun = Breaker(10.0), 0.0, list[float]()
    for _ in range(7):
        length = breaker.failed(MODEL, now, final=not begun)
        begun.append(length)
        now += length
        assert 0 == breaker.wait(MODEL, now)

    assert [10.0, 20.0, 40.0, 80.0, 160.0, 160.0, 160.0] == begun
    assert 10.0 * LONGEST == begun[-1]


def test_a_probe_that_works_closes_it() -> None:
    """The next failure is the first one again, and so is the next pause."""
    breaker = opened(30.0)
    assert 0 == breaker.wait(MODEL, 30.0)
    breaker.worked(MODEL)

    assert [0, 0] == [breaker.wait(MODEL, 30.0) for _ in range(2)]
    assert [0.0, 0.0, 30.0] == [breaker.failed(MODEL, 40.0) for _ in range(FAILURES)]


def test_who_was_asked_before_the_pause_does_not_prolong_it() -> None:
    """Several requests that were under way fail one after the other: one pause."""
    breaker = opened(30.0)

    assert [0.0, 0.0] == [breaker.failed(MODEL, 1.0, final=final) for final in (False, True)]
    assert 29.0 == breaker.wait(MODEL, 1.0)
    assert 0 == breaker.wait(MODEL, 30.0)


def test_each_model_is_on_its_own() -> None:
    """That one is down says nothing of another."""
    breaker = opened()
    breaker.failed(OTHER, 0.0)

    assert 0 == breaker.wait(OTHER, 0.0)
    breaker.worked(OTHER)
    assert 30.0 == breaker.wait(MODEL, 0.0)


@pytest.mark.parametrize("failures", range(1, 6))
def test_without_a_pause_it_never_keeps_anybody_waiting(failures: int) -> None:
    """A pause of 0 seconds switches it off."""
    breaker = Breaker(0.0)
    begun = [breaker.failed(MODEL, 5.0, final=True) for _ in range(failures)]

    assert [0.0] * failures == begun
    assert 0 == breaker.wait(MODEL, 5.0)


@settings(deadline=None)
@given(st.floats(0.1, 100), st.lists(st.floats(0, 50), min_size=1, max_size=60))
def test_a_dead_summariser_is_asked_seldom(pause: float, steps: list[float]) -> None:
    """Three times before the first pause, and then once a pause, whoever keeps asking."""
    breaker, now, asked = Breaker(pause), 0.0, list[float]()
    for step in steps:
        now += step
        if breaker.wait(MODEL, now) == 0:
            asked.append(now)
            breaker.failed(MODEL, now)

    later = asked[FAILURES - 1 :]
    gaps = [after - before for before, after in pairwise(later)]
    lengths = [pause * min(LONGEST, 2**number) for number in range(len(gaps))]
    assert all(gap >= length * 0.999 for gap, length in zip(gaps, lengths, strict=True))


class Breaking(RuleBasedStateMachine):
    """A breaker in any order of questions and answers, beside what it should know."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now = Breaker(10.0), 0.0
        self.failures, self.open, self.probing = 0, False, False
        self.until = 0.0

    @rule(seconds=st.floats(0, 200))
    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @rule(final=st.booleans())
    def fails(self, *, final: bool) -> None:
        """Fail; a pause begins at the third, at a final one, and after a try that it let through.

        Who was asked before a pause says nothing new amid it.
        """
        late = self.open and not self.probing and self.now < self.until
        self.failures += not late
        self.open = self.open or final or self.failures >= FAILURES
        begun = self.breaker.failed(MODEL, self.now, final=final)

        assert bool(begun) == (self.open and not late)
        assert begun in {0.0, *(10.0 * 2**number for number in range(5))}
        if begun:
            self.until, self.probing = self.now + begun, False
            assert begun == pytest.approx(self.breaker.wait(MODEL, self.now))

    @rule()
    def works(self) -> None:
        """Succeed."""
        self.breaker.worked(MODEL)
        self.failures, self.open, self.probing = 0, False, False

        assert 0 == self.breaker.wait(MODEL, self.now)

    @rule()
    def asks(self) -> None:
        """Ask; two at once are never both let through while it is open."""
        waits = [self.breaker.wait(MODEL, self.now) for _ in range(2)]
        if self.open and not waits[0]:
            self.probing, self.until = True, self.now + waits[1]

        assert not self.open or waits[1] > 0

    @invariant()
    def waits_make_sense(self) -> None:
        """Another model is not concerned."""
        assert 0 == self.breaker.wait(OTHER, self.now)


TestBreaking = Breaking.TestCase
TestBreaking.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
