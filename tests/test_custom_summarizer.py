"""The programs that the guide to custom summarisers shows run, and do what it says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from depth import examples
from hypothesis.stateful import run_state_machine_as_test

from memory import MemoryManager, QueueHook
from memory.errors import SummaryError
from memory.events import Accepted, FellBack, Rejected
from memory.messages import WireMessage
from memory.summary import SummaryRequest

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "custom-summarizers.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TALK: list[WireMessage] = [
    {"role": role, "content": f"{role} {number}: the crate was weighed at the gate. " * 12}
    for number in range(30)
    for role in ("user", "assistant")
]


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """Return what the page defines when it is run from its beginning to its machine."""
    names: dict[str, Any] = {}
    for program in PROGRAMS[:-1]:
        exec(program, names)  # noqa: S102  # a page of ours
    return names


def asked(shown: dict[str, Any], ask: Callable[..., str]) -> list[Any]:
    """Return the events of one compaction with a summariser that asks this."""
    hook = QueueHook()
    summarizer = shown["TextModelSummarizer"](ask, author="my-model")
    manager = MemoryManager(summarizer=summarizer, budget=2_000, check="raise", hooks=(hook,))
    manager.fit([*TALK, {"role": "user", "content": "Where is it now?"}])
    return hook.drain()


def failing(error: Exception) -> Callable[..., str]:
    """Return a model that fails."""

    def ask(_prompt: str, *, timeout: float) -> str:
        assert timeout > 0
        raise error

    return ask


def test_a_summary_is_by_the_summariser_of_the_guide(shown: dict[str, Any]) -> None:
    """Its text is accepted, and the manager does not fall back."""
    events = asked(shown, shown["ask"])

    assert {"my-model"} == {each.author for each in events if isinstance(each, Accepted)}
    assert [] == [each for each in events if isinstance(each, FellBack)]


@pytest.mark.parametrize("error", [TimeoutError(), PermissionError(), OSError("gone")])
def test_its_failures_reach_no_caller(shown: dict[str, Any], error: Exception) -> None:
    """Whatever the model raises, the offline extractor writes the summary."""
    events = asked(shown, failing(error))

    assert {"extractive"} == {each.author for each in events if isinstance(each, Accepted)}


def test_its_errors_say_whether_to_ask_again(shown: dict[str, Any]) -> None:
    """Being late may pass, a wrong key does not, as the table of the page has it."""
    told = []
    for error in (TimeoutError(), PermissionError()):
        summarizer = shown["TextModelSummarizer"](failing(error), author="my-model")
        with pytest.raises(SummaryError) as caught:
            summarizer.summarize(shown["request"])
        told.append((caught.value.retryable, caught.value.final))

    assert [(True, False), (False, True)] == told


def test_what_is_refused_is_asked_for_again_with_the_reason(shown: dict[str, Any]) -> None:
    """The second prompt says why the first answer could not be used."""
    prompts: list[str] = []

    def ask(prompt: str, *, timeout: float) -> str:
        prompts.append(prompt)
        return "I'm sorry, but I can't help with that." if timeout else ""

    rejected = [each for each in asked(shown, ask) if isinstance(each, Rejected)]

    assert rejected[0].reason not in prompts[0]
    assert rejected[0].reason in prompts[1]


def test_earlier_summaries_and_numbers_are_in_the_prompt(shown: dict[str, Any]) -> None:
    """Messages stand under the numbers that they have in the conversation."""
    prompts: list[str] = []

    def ask(prompt: str, *, timeout: float) -> str:
        prompts.append(prompt)
        return f"- a flight, told within {timeout:.0f} s"

    summarizer = shown["TextModelSummarizer"](ask, author="my-model")
    request: SummaryRequest = replace(shown["request"], numbers=(17,))
    summarizer.summarize(request)

    assert '17 user: "Book the 7:40' in prompts[0]


async def drafted(shown: dict[str, Any]) -> str:
    """Return what the asynchronous summariser of the page writes."""
    summarizer = shown["AsyncTextModelSummarizer"](shown["aask"], author="my-model")
    return str((await summarizer.summarize(shown["request"])).text)


def test_the_coroutine_writes_the_same(shown: dict[str, Any]) -> None:
    """The asynchronous summariser of the page has the same prompt and the same text."""
    assert asyncio.run(drafted(shown)) == shown["draft"].text


def test_conversations_are_kept_with_it(shown: dict[str, Any]) -> None:
    """The machine of the page finds nothing."""
    exec(PROGRAMS[-1], shown)  # noqa: S102
    run_state_machine_as_test(shown["MemoryMachine"], settings=examples(2, steps=12))
