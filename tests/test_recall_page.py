"""The page on recall: its programs run as they stand, one after the other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kimi_clients import BUDGET, talk
from remembering import FACT, searching

from memory import MemoryManager
from memory.recall import is_snippet
from memory.testing import FakeKimi, serve

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "recall.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ASKED = [*talk(60)[:-1], {"role": "user", "content": "Which code has crate 7?"}]


class Vectors:
    """Another provider, whose vectors are the lengths of texts."""

    def create(self, *, model: str, input: list[str]) -> Any:  # noqa: A002  # as the SDK has it
        """Return an answer as the SDK does."""
        del model
        return SimpleNamespace(data=[SimpleNamespace(embedding=[len(each), 1.0]) for each in input])


class AsyncVectors:
    """The same, asynchronously."""

    async def create(self, **given: Any) -> Any:
        """Return an answer as the SDK does."""
        await asyncio.sleep(0)
        return Vectors().create(**given)


@pytest.fixture(scope="module")
def shown() -> Iterator[dict[str, Any]]:
    """Yield what the programs of the page define, with a small budget so that it is used up."""
    fake, names = FakeKimi(reply=searching()), dict[str, Any]()
    with serve(fake) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", url)
        patch.setenv("OPENAI_API_KEY", "sk-test")
        for program in PROGRAMS:
            exec(program.replace("32_000", str(BUDGET)), names)  # noqa: S102
            if "messages = [" in program:
                names["messages"] = [*ASKED]
            for client in ("others", "async_others"):
                if client in names:
                    made = Vectors() if client == "others" else AsyncVectors()
                    names[client] = SimpleNamespace(embeddings=made)
        yield names | {"fake": fake}


def test_the_page_has_the_programs_that_are_run() -> None:
    """Each has a part to play."""
    assert 9 == len(PROGRAMS)


def test_what_is_planned_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The text of the passages, and why."""
    manager = MemoryManager(budget=BUDGET, recall="auto", hooks=())
    manager.fit(ASKED)
    exec(PROGRAMS[2], {"manager": manager, "messages": ASKED})  # noqa: S102
    assert FACT in capsys.readouterr().out


def test_a_client_that_executes_hides_the_search(shown: dict[str, Any]) -> None:
    """The reply is the one that follows it."""
    assert not shown["reply"].choices[0].message.tool_calls


def test_the_calls_are_answered_by_hand(shown: dict[str, Any]) -> None:
    """The tool result of the loop has what was left out."""
    assert FACT in shown["messages"][-2]["content"]


def test_a_retriever_of_ones_own_is_asked(shown: dict[str, Any]) -> None:
    """Beside the lexical one."""
    manager = MemoryManager(budget=BUDGET, recall="auto", hooks=(), retrievers=[shown["Latest"]()])
    messages = [*talk(60)[:-1], {"role": "user", "content": "code 055433"}]
    assert [True] == [FACT in each["content"] for each in manager.fit(messages) if is_snippet(each)]


def test_the_function_embeds(shown: dict[str, Any]) -> None:
    """It returns a vector for each text."""
    assert [[1, 1.0], [2, 1.0]] == shown["embed"](("a", "bc"))


def test_the_coroutine_embeds(shown: dict[str, Any]) -> None:
    """It returns the same."""
    assert shown["embed"](("a", "bc")) == asyncio.run(shown["aembed"](("a", "bc")))
