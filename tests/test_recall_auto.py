"""Recall without being asked: what comes back, where it stands, what it costs, and what fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from fake_kimi_requests import user
from kimi_clients import BUDGET, HEAD, ask, connect, sent, talk

from memory import MemoryManager, wrap
from memory.client import manager_of
from memory.events import Event, Failed, Recalled
from memory.messages import text_of
from memory.recall import Found, Passages, Question, Ranking, is_snippet
from memory.recall.rendering import cited
from memory.stores import VolatileStore
from memory.testing import FakeKimi

Wire = dict[str, Any]
QUESTION = user("What is the code of crate 7?")
LONG: list[Any] = [*talk(60)[:-1], QUESTION]


class Finding:
    """A retriever that finds these messages."""

    def __init__(self, *places: int) -> None:
        self.places = places

    def retrieve(self, question: Question, passages: Passages, *, limit: int) -> Ranking:
        """Return them, all equally good."""
        assert question.text, passages
        return [Found(place, 1.0) for place in self.places[:limit]]


class Failing:
    """A retriever that fails."""

    def retrieve(self, question: Question, passages: Passages, *, limit: int) -> Ranking:
        """Fail."""
        msg = f"{question.text} {len(passages)} {limit}"
        raise RuntimeError(msg)


class Later:
    """A retriever that is asynchronous."""

    async def retrieve(self, question: Question, passages: Passages, *, limit: int) -> Ranking:
        """Find the second message."""
        assert question.text, passages
        return [Found(1, 1.0)][:limit]


def manager(told: list[Event] | None = None, **options: Any) -> MemoryManager:
    """Return a manager that recalls whatever is found."""
    hooks = () if told is None else (told.append,)
    usual: Wire = {"budget": BUDGET, "recall": "auto", "recall_floor": 0.0, "hooks": hooks}
    return MemoryManager(**(usual | options))


def shown(messages: Sequence[Any]) -> list[int]:
    """Return the numbers of the messages that are shown again."""
    return [number for each in messages if is_snippet(each) for number in cited(each)]


def of(kind: type[Event], told: list[Event]) -> list[Any]:
    """Return the events of a kind."""
    return [event for event in told if isinstance(event, kind)]


def test_it_stands_before_the_last_user_message() -> None:
    """As a message of its own."""
    view = manager().fit(LONG)
    assert [True, False] == [*map(is_snippet, view[-2:])]


def test_it_is_a_message_of_the_user() -> None:
    """A record that is quoted and no instruction."""
    assert "user" == manager().fit(LONG)[-2]["role"]


def test_the_prompt_up_to_it_is_the_same_as_without() -> None:
    """So that the server has it cached already."""
    store = VolatileStore()
    view = manager(store=store, namespace="one").fit(LONG)
    blank = manager(store=store, namespace="one", recall_floor=99.0).fit(LONG)
    assert [*view[:-2], view[-1]] == [*blank]


def test_it_is_not_on_record() -> None:
    """Neither in a list's log nor in its records."""
    mine = manager()
    mine.fit(LONG)
    assert "<recalled-messages>" not in str(mine.log(LONG))


def test_a_conversation_does_not_keep_it() -> None:
    """The history is what was said."""
    fake = FakeKimi(reply=lambda _body: "Noted.")
    client = wrap(connect(fake), budget=BUDGET, recall="auto", recall_floor=0.0, hooks=())
    made: Any = manager_of(client)
    mine = made.conversation("trip")
    mine.add(LONG[:-1])
    with mine:
        ask(client, [QUESTION])
    assert (1, 0) == (
        sum(map(is_snippet, sent(fake)[-1])),
        sum(map(is_snippet, mine.history())),
    )


def test_nothing_is_repeated_that_is_in_the_view() -> None:
    """What is shown verbatim is not shown again."""
    view = manager().fit(LONG)
    verbatim = {text_of(each) for each in view if not is_snippet(each)}
    rest = LONG[1:] if LONG[0] == HEAD else LONG
    again = {text_of(rest[number - 1]) for number in shown(view)}
    assert (True, set()) == (bool(again), again & verbatim)


def test_nothing_below_the_floor_is_shown() -> None:
    """However much room there is."""
    told: list[Event] = []
    view = manager(told, recall_floor=99.0).fit(LONG)
    assert ([], ()) == (shown(view), of(Recalled, told)[0].passages)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.4])
def test_there_is_never_more_than_the_share(share: float) -> None:
    """The share is one of the limit, frame and all, and the whole is within the limit."""
    told: list[Event] = []
    mine = manager(told, recall_share=share)
    view = mine.fit(LONG)
    event = of(Recalled, told)[0]
    assert event.tokens <= event.room <= share * BUDGET
    assert mine.count(view).total <= BUDGET


def test_the_event_has_numbers_and_no_text() -> None:
    """What was said is nobody's business who listens."""
    told: list[Event] = []
    view = manager(told).fit(LONG)
    (event,) = of(Recalled, told)
    numbers = sorted(number for number, _, _ in event.passages)
    assert (numbers, False) == (shown(view), "crate" in str(event))


def test_it_stays_the_same_while_tools_are_called() -> None:
    """The next prompt of a turn begins with the one before it."""
    mine = manager()
    first = mine.fit(LONG)
    call = {"id": "a:0", "type": "function", "function": {"name": "weigh", "arguments": "{}"}}
    asks = {"role": "assistant", "content": "", "tool_calls": [call]}
    answer = {"role": "tool", "tool_call_id": "a:0", "content": "8 kilograms"}
    assert [*first, asks, answer] == [*mine.fit([*LONG, asks, answer])]


def test_it_is_the_same_after_a_restart() -> None:
    """Another manager on the store recalls the same."""
    store = VolatileStore()
    first = manager(store=store, namespace="one").fit(LONG)
    assert first == manager(store=store, namespace="one").fit(LONG)


def test_a_view_that_is_fitted_again_is_returned() -> None:
    """With what is recalled, once."""
    mine = manager()
    view = mine.fit(LONG)
    assert [*view] == [*mine.fit(view)]


def test_a_view_that_is_short_keeps_what_is_recalled() -> None:
    """Also where nobody has to look at what is on record, since it is far below the limit."""
    mine = manager(target=0.1, notes=0.05, recall_share=0.1)
    view = mine.fit(LONG)
    assert [*view] == [*mine.fit(view)]


def test_a_retriever_that_fails_is_told_and_left_out() -> None:
    """The others are asked all the same."""
    told: list[Event] = []
    view = manager(told, retrievers=[Failing(), Finding(12)]).fit(LONG)
    assert (["RuntimeError"], True) == (
        [event.error for event in of(Failed, told)],
        13 in shown(view),
    )


def test_where_all_retrievers_fail_the_turn_goes_on() -> None:
    """Without anything recalled."""
    assert [] == shown(manager(retrievers=[Failing()]).fit(LONG))


def test_what_several_retrievers_find_is_fused() -> None:
    """Each has its say."""
    view = manager(retrievers=[Finding(12), Finding(30)]).fit(LONG)
    assert {13, 31} <= {*shown(view)}


def test_an_asynchronous_retriever_of_a_plain_manager_is_told() -> None:
    """It cannot be waited for; the turn goes on without it."""
    told: list[Event] = []
    view = manager(told, retrievers=[Later()]).fit(LONG)
    assert ([], True) == (shown(view), bool(of(Failed, told)))


def test_what_a_retriever_invents_is_not_shown() -> None:
    """Places that are none, and numbers that are none."""

    class Odd(Finding):
        def retrieve(self, question: Question, passages: Passages, *, limit: int) -> Ranking:
            wrong = [Found(-1, 1.0), Found(10_000, 1.0), Found(12, float("nan"))]
            return [*wrong, *super().retrieve(question, passages, limit=limit)]

    view = manager(retrievers=[Odd(30)]).fit(LONG)
    assert (True, False) == (31 in shown(view), 13 in shown(view))
