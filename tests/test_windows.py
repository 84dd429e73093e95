"""What is known of the windows of models, and what a window that was learnt leaves for a prompt."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import models
from memory.policy import Policy
from memory.windows import Windows

MODEL = "kimi-k2.6"
UNKNOWN = "someone-elses"
RESERVE = 8_192


def test_nothing_is_known_at_first() -> None:
    """What the table says is not learnt."""
    assert Windows().of(MODEL) is None


def test_what_was_learnt_is_known() -> None:
    """A window is kept for its model, and for no other."""
    windows = Windows()
    windows.learn(MODEL, 4_000)

    assert (4_000, None) == (windows.of(MODEL), windows.of("kimi-k3"))


def test_news_are_told_from_what_is_known() -> None:
    """The same window again is no news; another one is, also a larger one."""
    windows = Windows()
    told = [windows.learn(MODEL, tokens) for tokens in (4_000, 4_000, 3_000, 8_000, 8_000)]

    assert [True, False, True, True, False] == told
    assert 8_000 == windows.of(MODEL)


@pytest.mark.parametrize("tokens", [0, -1, -(10**9)])
def test_an_impossible_window_is_not_believed(tokens: int) -> None:
    """No model has a window without tokens."""
    windows = Windows()

    assert not windows.learn(MODEL, tokens)
    assert windows.of(MODEL) is None


def test_threads_may_share_it() -> None:
    """Whatever is known afterwards is something that was learnt."""
    windows = Windows()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda tokens: windows.learn(MODEL, tokens), range(1, 400)))

    assert windows.of(MODEL) in range(1, 400)


@pytest.mark.parametrize(
    ("policy", "completion", "limit"),
    [
        (Policy(), None, 100_000 - RESERVE),
        (Policy(), 1_000, 99_000),
        (Policy(), 50_000, 100_000 - RESERVE),
        (Policy(), 100_000, 100_000 - RESERVE),
        (Policy(), 10**9, 100_000 - RESERVE),
        (Policy(budget=2_000), None, 2_000),
        (Policy(budget=2_000), 99_999, 2_000),
        (Policy(budget=200_000), None, 100_000 - RESERVE),
        (Policy(reply_reserve=0), None, 100_000),
    ],
)
def test_a_reply_gives_way_to_the_prompt(
    policy: Policy, completion: int | None, limit: int
) -> None:
    """In a window that the server told, no more is kept for the reply than the reserve."""
    assert limit == policy.limit(model=MODEL, completion=completion, window=100_000)


def test_a_small_window_keeps_half_for_the_reply() -> None:
    """The reserve is no more than that."""
    assert 2_000 == Policy().limit(model=MODEL, window=4_000)


def test_an_unknown_model_has_the_budget_it_was_given_until_the_server_tells() -> None:
    """The guess of the table is none to act on, what the server said is."""
    policy = Policy(budget=500_000)

    assert 500_000 == policy.limit(model=UNKNOWN)
    assert 160_000 - RESERVE == policy.limit(model=UNKNOWN, window=160_000)
    assert models.UNKNOWN_WINDOW < 160_000 - RESERVE


@given(
    window=st.integers(1, 10**7),
    budget=st.none() | st.integers(1, 10**7),
    completion=st.none() | st.integers(1, 10**7),
)
def test_a_limit_leaves_room_for_a_reply(
    window: int, budget: int | None, completion: int | None
) -> None:
    """It is never beyond the budget, and in a window for two it leaves at least one token."""
    limit = Policy(budget=budget).limit(model=MODEL, completion=completion, window=window)

    assert 1 <= limit <= max(1, window - min(1, window // 2))
    assert budget is None or limit <= budget
