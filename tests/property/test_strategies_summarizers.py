"""Scripted summarisers do what they are told, and memory survives all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from depth import HARD, examples
from hypothesis import find, given, settings
from hypothesis.errors import InvalidArgument
from workbench import LONG, WordCounter, Workbench, user, words

from memory import AsyncMemoryManager, MemoryManager
from memory.acceptance import refusal
from memory.errors import SummaryError
from memory.summary import Draft, SummaryRequest
from memory.testing import strategies
from memory.testing.strategies import (
    BEHAVIOURS,
    GOOD,
    AsyncScriptedSummarizer,
    Behaviour,
    ScriptedSummarizer,
)

RAISING = ("retryable", "filtered", "final", "raising")
DRAFTS = tuple(b for b in BEHAVIOURS if b not in {*RAISING, "not-a-draft"})
REQUEST = SummaryRequest(
    form="rendered", model="kimi-k2.6", slice=(user(words(300)),), cap=120, source_tokens=304
)


def in_words(text: str) -> float:
    """Count words."""
    return WordCounter().count(text)


def judged(draft: Draft, count: Callable[[str], float]) -> str | None:
    """Return why a draft is refused, or None when it is accepted."""
    return refusal(
        draft, cap=REQUEST.cap, source_tokens=REQUEST.source_tokens, tokens=count(draft.text)
    )


@pytest.mark.parametrize("behaviour", DRAFTS)
@pytest.mark.parametrize("count", [None, in_words], ids=["any", "words"])
def test_only_good_summaries_are_accepted(
    behaviour: Behaviour, count: Callable[[str], float] | None
) -> None:
    """What is called good is accepted however tokens are counted, and nothing else is."""
    draft = strategies.play(behaviour, REQUEST, count=count)

    assert (behaviour in GOOD) == (judged(draft, count or in_words) is None)


def test_summaries_have_several_lengths() -> None:
    """Short, good and long ones differ, and a long one takes all the room there is."""
    short, good, long = (
        in_words(strategies.play(each, REQUEST, count=in_words).text)
        for each in ("short", "good", "long")
    )

    assert (12.0, 60.0, 120.0) == (short, good, long)


@pytest.mark.parametrize("behaviour", RAISING)
def test_failures_are_raised(behaviour: Behaviour) -> None:
    """Each failure is an exception of its kind."""
    kind = Exception if behaviour == "raising" else SummaryError
    with pytest.raises(kind) as caught:
        strategies.play(behaviour, REQUEST)

    said = {name: getattr(caught.value, name, False) for name in ("retryable", "filtered", "final")}
    assert {name: name == behaviour for name in said} == said


@pytest.mark.parametrize("behaviour", DRAFTS)
def test_the_same_request_gets_the_same_text(behaviour: Behaviour) -> None:
    """A text depends on what is to be summarised, not on the time that is left for it."""
    later = replace(REQUEST, deadline=1.5, cache_key="other")

    assert strategies.play(behaviour, REQUEST) == strategies.play(behaviour, later)


def test_other_requests_get_other_texts() -> None:
    """What is said of one slice is not said of another."""
    other = replace(REQUEST, slice=(user(words(300, "v")),))

    assert strategies.play("good", REQUEST).text != strategies.play("good", other).text


def test_behaviours_come_one_after_another() -> None:
    """Each request has its turn, and the last behaviour is for all that follow."""
    summarizer = ScriptedSummarizer("empty", "blank", "good")
    texts = [summarizer.summarize(REQUEST).text for _ in range(4)]

    assert ["", " \n"] == texts[:2]
    assert texts[2] == texts[3] == strategies.play("good", REQUEST).text
    assert [REQUEST] * 4 == summarizer.requests


def test_the_asynchronous_twin_behaves_alike() -> None:
    """Both return the same drafts for the same script."""
    behaviours: tuple[Behaviour, ...] = ("long", "refusing", "calling")
    twin = AsyncScriptedSummarizer(*behaviours)

    async def ask() -> list[Draft]:
        return [await twin.summarize(REQUEST) for _ in range(3)]

    plain = ScriptedSummarizer(*behaviours)
    assert [plain.summarize(REQUEST) for _ in range(3)] == asyncio.run(ask())


@examples(40)
@given(
    strategies.summarizers(count=in_words),
    strategies.conversations(least=6, most=12, largest=20, without=["huge"]),
)
def test_no_behaviour_breaks_a_promise(
    summarizer: ScriptedSummarizer, conversation: list[strategies.Wire]
) -> None:
    """Whatever the summariser does, each request keeps the promises and no turn fails."""
    bench = Workbench(400, write=summarizer.summarize, oversize="send")
    for request in strategies.requests(conversation)[-3:]:
        wrong = bench.wrong(request, bench.fit(request))
        assert {} == {name: said for name, said in wrong.items() if "limit" not in name}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_each_behaviour_reaches_a_manager(behaviour: Behaviour) -> None:
    """A manager asks, survives the answer, and has notes by the summariser only if it is good."""
    summarizer = ScriptedSummarizer(behaviour, count=in_words)
    with MemoryManager(
        budget=1_000, tokenizer=lambda text: len(text.split()), hooks=(), summarizer=summarizer
    ) as manager:
        sent = manager.fit(LONG)

    assert summarizer.requests
    assert (behaviour in GOOD) == ("kimi-k2.6" in str(sent[1]["content"]))


@examples(15)
@given(strategies.async_summarizers(count=in_words))
def test_asynchronous_managers_take_them(summarizer: AsyncScriptedSummarizer) -> None:
    """An asynchronous manager survives them as well."""

    async def fit() -> int:
        count = lambda text: len(text.split())  # noqa: E731  # a function the tokenizer takes
        async with AsyncMemoryManager(
            budget=1_000, tokenizer=count, hooks=(), summarizer=summarizer
        ) as manager:
            return len(await manager.fit(LONG))

    assert asyncio.run(fit()) < len(LONG)
    assert summarizer.requests


@examples(40)
@given(strategies.summarizers(recovers=True, most=3))
def test_some_recover(summarizer: ScriptedSummarizer) -> None:
    """The last behaviour of those that recover is good, and there are no more than asked for."""
    assert summarizer.behaviours[-1] in GOOD
    assert len(summarizer.behaviours) <= 3


def test_every_behaviour_occurs() -> None:
    """Among 100 summarisers each behaviour is found."""
    seen = set[str]()

    @settings(HARD, max_examples=100)
    @given(strategies.summarizers())
    def collect(summarizer: ScriptedSummarizer) -> None:
        seen.update(summarizer.behaviours)

    collect()
    assert {*BEHAVIOURS} == seen


def test_a_summarizer_shrinks_to_the_failure() -> None:
    """What does not matter is gone, and the text says how to make it again."""
    smallest = find(
        strategies.summarizers(), lambda each: "filtered" in each.behaviours, settings=HARD
    )

    assert "ScriptedSummarizer('filtered')" == repr(smallest)


WRONG: list[tuple[Any, list[Any], dict[str, Any], str]] = [
    (strategies.summarizers, [], {"behaviours": []}, "behaviours"),
    (strategies.summarizers, [], {"behaviours": ["lazy"]}, "lazy"),
    (strategies.summarizers, [], {"most": 0}, "most=0"),
    (strategies.async_summarizers, [], {"recovers": 1}, "recovers=1"),
    (ScriptedSummarizer, [], {}, "behaviours"),
    (AsyncScriptedSummarizer, ["lazy"], {}, "lazy"),
]


@pytest.mark.parametrize(("make", "given", "named", "said"), WRONG)
def test_wrong_arguments_are_refused_at_once(
    make: Any, given: list[Any], named: dict[str, Any], said: str
) -> None:
    """The call says what is wrong, not the first example."""
    with pytest.raises(InvalidArgument, match=said):
        make(*given, **named)
