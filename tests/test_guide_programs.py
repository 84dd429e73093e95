"""The two chat programs of Moonshot's guide to multi-turn chats, with a memory and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from kimi_clients import NOTES, sent, summaries

from memory.testing import FakeKimi, serve

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
PROGRAMS = ["guide_chat_a", "guide_chat_b"]
BUDGET = 8_000
TURNS = 200
FACT = "My flight to Lisbon leaves on 12 March at 07:25 from gate B17."
QUESTION = "Which gate does my flight to Lisbon leave from?"


@contextmanager
def running(name: str, fake: FakeKimi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run a program against the fake server, and yield it as a module."""
    with serve(fake) as url:
        monkeypatch.setenv("KIMI_BASE_URL", url)
        monkeypatch.setenv("KIMI_API_KEY", "sk-test")
        spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        program = module_from_spec(spec)
        spec.loader.exec_module(program)
        with program.client:
            yield program


def remark(turn: int) -> str:
    """Return what the user says in a turn: about fifty tokens on crates."""
    return (
        f"Crate {turn} came in on shelf {turn * 7 % 50} with the code {turn * 7919:06d}; it was "
        f"weighed at {turn * 13 % 97} kilograms, signed for by clerk {turn % 5}, and put away."
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_fact_of_the_first_turn_is_known_in_the_last(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two hundred turns it is long out of the prompt, and still answered from the notes."""
    fake = FakeKimi()
    with running(name, fake, monkeypatch) as program:
        program.chat(f"Hello. {FACT}")
        for turn in range(TURNS):
            program.chat(remark(turn))
        reply = program.chat(QUESTION)
    last = sent(fake)[-1]
    billed = [request.prompt_tokens for request in fake.requests if request.kind == "chat"]
    (notes,) = [each["content"] for each in last if NOTES in each["content"]]

    assert FACT in reply
    assert FACT in notes
    assert f"Hello. {FACT}" not in [each["content"] for each in last]
    assert len(last) < TURNS
    assert max(billed) <= BUDGET
    assert {200} == {request.status for request in fake.requests}
    assert 3 <= len(summaries(fake)) <= 8
