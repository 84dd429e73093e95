"""A fake Kimi on a socket, and what every library is made to say to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from memory.testing import FakeKimi, Served

ROOT: Final = Path(__file__).parents[2]
HOW: Final = "`python -m benchmarks.integrations` runs these tests in an environment of their own"
MODEL: Final = "kimi-k2.6"
KEY: Final = "sk-test"
BUDGET: Final = 2_000
EXAMPLES_BUDGET: Final = 32_000
NOTES: Final = "<conversation-notes>"
SYSTEM: Final = "You keep the books of a warehouse and answer briefly."
QUESTION: Final = "Which crate came first?"
ANSWER: Final = "Crate 0 came first."
SHELF: Final = '{"crate": 3, "shelf": 21}'
WEIGHT: Final = "It weighs 300 kilograms."
OFF: Final = {"thinking": {"type": "disabled"}}
"""What switches thinking off."""

Wire = Mapping[str, Any]


def turns(number: int = 60) -> list[tuple[str, str]]:
    """Return past turns of about 75 tokens each: what the user and what the assistant said."""
    return [(_noting(turn), _noted(turn)) for turn in range(number)]


def _noting(turn: int) -> str:
    return f"Crate {turn} came in on shelf {turn * 7 % 50}, code {turn * 7919:06d}. Note it."


def _noted(turn: int) -> str:
    return (
        f"Noted: crate {turn} stands on shelf {turn * 7 % 50} with the code {turn * 7919:06d}; "
        f"it was signed for at the gate, and nothing was broken."
    )


def conversation() -> list[dict[str, Any]]:
    """Return wire messages of twice the budget: a head, past turns, and a question."""
    said = [
        {"role": role, "content": text}
        for turn in turns()
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]
    return [
        {"role": "system", "content": SYSTEM},
        *said,
        {"role": "user", "content": QUESTION},
    ]


def tool_call(name: str = "weigh", arguments: str = '{"crate": 3}') -> dict[str, Any]:
    """Return a reply that calls a tool."""
    function = {"name": name, "arguments": arguments}
    call = {"id": f"{name}:0", "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


@dataclass(slots=True)
class Service:
    """A server that is running, and what it was asked.

    Attributes:
        fake: The server.
        url: Its base URL.
        budget: What clients were told to keep prompts within, in tokens.
    """

    fake: FakeKimi
    url: str
    budget: int = BUDGET

    def says(self, *replies: str | Wire) -> None:
        """Queue the next replies."""
        for reply in replies:
            self.fake.queue_reply(reply)

    def asked(self, kind: str = "chat") -> list[Served]:
        """Return the requests of a kind that reached the server."""
        return [request for request in self.fake.requests if request.kind == kind]

    def verdicts(self) -> list[bool]:
        """Return for each turn that reached the server whether it was compacted and accepted."""
        return [is_compacted(request, self.budget) for request in self.asked()]

    def summaries(self) -> int:
        """Return how many summaries were asked for."""
        return len(self.asked("summary"))


def view(request: Served) -> list[Wire]:
    """Return the prompt of a request to either route as messages, the head first."""
    if "messages" in request.body:
        return list(request.body["messages"])
    instructions = request.body.get("instructions")
    head = [{"role": "system", "content": instructions}] if instructions else []
    return [*head, *request.body["input"]]


def is_compacted(request: Served, budget: int) -> bool:
    """Tell whether a request was answered, within the budget, and has notes behind its head."""
    head, notes, *rest = (str(message.get("content")) for message in view(request)[:3])
    return (
        request.status == 200
        and request.prompt_tokens <= budget
        and view(request)[0]["role"] == "system"
        and [False, True, False] == [NOTES in text for text in (head, notes, *rest)]
    )


def is_view(sent: Served, plain: Served) -> bool:
    """Tell whether a request is that of a plain client, with fewer messages and the same end."""
    left_out = {"messages": 0, "input": 0}
    # The server names the items of a response; no two have the same name.
    given, messages = ([{**each, "id": 0} for each in view(one)] for one in (plain, sent))
    tail = messages[2:]
    return (
        {**plain.body, **left_out} == {**sent.body, **left_out}
        and len(messages) < len(given)
        and messages[0] == given[0]
        and tail == given[len(given) - len(tail) :]
    )


def ask_example(name: str, service: Service, questions: Sequence[str]) -> list[str]:
    """Run a program of the documentation, ask it, and return the lines it answers."""
    service.budget = EXAMPLES_BUDGET
    done = subprocess.run(
        [sys.executable, f"docs/examples/{name}.py"],
        cwd=ROOT,
        env={**os.environ, "KIMI_BASE_URL": service.url, "KIMI_API_KEY": KEY},
        input="".join(f"{question}\n" for question in (*questions, "")),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return [line for line in done.stdout.replace("> ", "\n").splitlines() if line.strip()]


def long_questions(number: int = 8) -> list[str]:
    """Return questions of about 5,000 tokens each: together they exceed the budget of examples."""
    clauses = [f"item {index} lies on shelf {index * 7 % 50}" for index in range(500)]
    return [f"This is list {each}: {', '.join(clauses)}. Noted?" for each in range(number)]


Style = Callable[[Any, Service], Any]
"""A way to call a library; it checks what the library returns."""
