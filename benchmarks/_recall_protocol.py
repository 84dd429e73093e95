"""Every recorded conversation through a wrapped client with recall, judged by a strict server.

Each conversation is sent in each mode of recall and each style of call, request by request, at a
budget at which it has to be compacted. The server is one that refuses what Kimi refuses. With
recall as a tool it searches whenever it can, and the client runs the searches; what such a request
is judged by is the conversation with the search and its answer. The promises are those of
`memory.invariants`, judged with `memory.witness` from what arrived.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks._corpora import rows
from benchmarks._trial import MODEL, OFF, Trial, finished, read, settled
from memory import wrap
from memory.client import manager_of
from memory.errors import BudgetError
from memory.events import Event, Failed
from memory.invariants import violations
from memory.messages import text_of
from memory.recall import is_snippet
from memory.replay import Step, join, steps
from memory.testing import FakeKimi, Served
from memory.testing.transcripts import random_budget
from memory.witness import witness

__all__ = ("CORPORA", "MODES", "STYLES", "Sent", "Style", "replayed")

CORPORA: Final = (
    *("locomo", "beam_100k", "zh_haystack", "tau_airline"),
    *("bfcl_multi_turn", "swe_agent", "bfcl_memory"),
)
MODES: Final[Mapping[str, Mapping[str, Any]]] = {
    "auto": {"recall": "auto"},
    "tool": {"recall": "tool", "execute": True},
}
"""The settings of each mode, by its label."""
TOOL: Final = "search_memory"
"""How the name of the tool begins; one that the caller has already gets another ending."""
QUERY: Final = 200
"""Characters of what is searched for."""


class Style(NamedTuple):
    """How a client is called."""

    asynchronous: bool
    stream: bool

    def __str__(self) -> str:
        """Return it in words."""
        return f"{'async' if self.asynchronous else 'sync'}{', streaming' if self.stream else ''}"


STYLES: Final = tuple(Style(a, s) for a in (False, True) for s in (False, True))


@dataclass(slots=True, kw_only=True)
class Sent:
    """What came of one corpus in one mode and style.

    Attributes:
        conversations: How many there were.
        requests: Requests of the caller that were answered.
        arrived: Requests that arrived, for notes or not.
        compacted: Requests whose prompt was not the whole conversation.
        snippets: Requests with a snippet message.
        searches: Requests after a search of the model.
        rejected: Requests that the server refused.
        over: Requests with more tokens than the budget, by the server's count.
        impossible: Requests that cannot fit whatever is dropped; they were not sent.
        failed: What failed otherwise, calls and what a turn goes on without, by the type of the
            error.
        broken: Promises that were not kept, by name, with how often.
    """

    conversations: int = 0
    requests: int = 0
    arrived: int = 0
    compacted: int = 0
    snippets: int = 0
    searches: int = 0
    rejected: int = 0
    over: int = 0
    impossible: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)


def replayed(
    data: Path, corpus: str, mode: str, style: Style, *, most: int, limit: int | None = None
) -> Sent:
    """Send the conversations of a corpus.

    Args:
        data: The directory of the corpora.
        corpus: Which.
        mode: One of `MODES`.
        style: How the client is called.
        most: The most requests of a conversation, spread over it, the last among them.
        limit: The most conversations; None for all.
    """
    found = Sent()
    for conversation in join(rows(data, corpus, limit=limit), chain=1):
        _Replay(conversation, mode, style, found).run(most)
        found.conversations += 1
    return found


class _Replay:
    """One conversation on its way."""

    def __init__(
        self, conversation: Mapping[str, Any], mode: str, style: Style, found: Sent
    ) -> None:
        self._steps = list(steps(conversation))
        tools = [*self._steps[-1].tools]
        whole = {"messages": [*self._steps[-1].messages], **({"tools": tools} if tools else {})}
        self._style, self._found = style, found
        self._budget = random_budget(whole)
        self._fake = FakeKimi(reply=_reply)
        self._trial = Trial(asynchronous=style.asynchronous, memory=self._wrapped, fake=self._fake)
        self._options = MODES[mode]

    def run(self, most: int) -> None:
        """Make the requests."""
        made = self._made(most)
        if self._style.asynchronous:
            asyncio.run(made)
        else:
            finished(made)

    def _wrapped(self, client: Any, *, inplace: bool = False) -> Any:
        hooks = (self._told,)
        return wrap(client, budget=self._budget, hooks=hooks, inplace=inplace, **self._options)

    def _told(self, event: Event) -> None:
        if isinstance(event, Failed):
            self._found.failed[event.error] += 1

    async def _made(self, most: int) -> None:
        for step in _spread(self._steps, most):
            before = len(self._fake.requests)
            try:
                await self._asked(step)
            except BudgetError as error:
                self._found.impossible += error.tokens > error.limit
                self._found.failed.update([] if error.tokens > error.limit else ["BudgetError"])
            except Exception as error:  # noqa: BLE001  # which one is what is measured
                self._found.failed[type(error).__name__] += 1
            else:
                self._found.requests += 1
            self._judge(step, self._fake.requests[before:])

    async def _asked(self, step: Step) -> None:
        given: dict[str, Any] = {"model": MODEL, "messages": [*step.messages], "extra_body": OFF}
        if step.tools:
            given["tools"] = [*step.tools]
        create = self._trial.client.chat.completions.create
        if self._style.stream:
            await read(await settled(create(**given, stream=True)))
        else:
            await settled(create(**given))

    def _judge(self, step: Step, arrived: Sequence[Served]) -> None:
        found = self._found
        found.arrived += len(arrived)
        found.rejected += sum(each.status != 200 for each in arrived)
        for each in arrived:
            if each.kind == "chat" and each.status == 200:
                self._judge_turn([*step.messages], each)

    def _judge_turn(self, given: list[Any], served: Served) -> None:
        found, sent = self._found, served.body["messages"]
        given, added = _with_searches(given, sent)
        found.searches += added > 0
        found.snippets += any(map(is_snippet, sent))
        found.compacted += len(sent) < len(given)
        found.over += served.prompt_tokens > self._budget
        manager = manager_of(self._trial.client)
        sending = witness(manager, given, sent, tokens=served.prompt_tokens, limit=self._budget)
        found.broken.update(violations(sending))


def _reply(body: Mapping[str, Any]) -> str | dict[str, Any]:
    """Return what the server says: a search where it was offered one and has not just made one."""
    messages, names = body["messages"], _names(body)
    name = next((each for each in names if each.startswith(TOOL)), None)
    if name is None or str(messages[-1].get("tool_call_id", "")).startswith(TOOL):
        return "I have read it."
    said = next((text_of(m) for m in reversed(messages) if m["role"] == "user"), "")
    arguments = json.dumps({"query": said[:QUERY] or "?"}, ensure_ascii=False)
    function = {"name": name, "arguments": arguments}
    call = {"id": f"{name}:{len(messages)}", "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def _names(body: Mapping[str, Any]) -> Iterator[str]:
    for tool in body.get("tools") or ():
        yield str(tool["function"]["name"])


def _with_searches(given: list[Any], sent: Sequence[Any]) -> tuple[list[Any], int]:
    """Return a conversation with the searches behind it that what was sent ends with."""
    start = len(sent)
    while start and _is_search(sent[start - 1]) and sent[start - 1] not in given[-1:]:
        start -= 1
    return [*given, *sent[start:]], len(sent) - start


def _is_search(message: Mapping[str, Any]) -> bool:
    calls = message.get("tool_calls") or ()
    ids = [str(message.get("tool_call_id", "")), *(str(call["id"]) for call in calls)]
    return any(each.startswith(f"{TOOL}") for each in ids)


def _spread(found: Sequence[Step], most: int) -> list[Step]:
    """Return at most so many steps, as far apart as can be, the last among them."""
    stride = max(1, -(-len(found) // most))
    return [*found[len(found) - 1 :: -stride]][::-1]
