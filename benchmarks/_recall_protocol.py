"""Every recorded conversation through a wrapped client with recall, judged by a strict server.

Each conversation is sent in each mode of recall and each style of call, request by request, at a
budget at which it has to be compacted. The server is one that refuses what Kimi refuses. With
recall as a tool it searches whenever it can, and the client runs the searches; what such a request
is judged by is the conversation with the search and its answer. The promises are those of
`memory.invariants`, judged with `memory.witness` from what arrived. Those that take several
requests, such as that the same input makes the same view again, are judged by the harness that
`kimi-memory check` is made of, without a client: it makes each request again, goes back, edits, and
opens the memory anew.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from openai import AsyncStream, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from benchmarks._corpora import rows as corpus_rows
from benchmarks._report import Check, Row
from benchmarks._trial import MODEL, OFF, Trial, finished, read, settled
from memory import MemoryManager, wrap
from memory.client import manager_of
from memory.errors import BudgetError
from memory.events import Event, Failed, Recalled
from memory.invariants import violations
from memory.messages import text_of
from memory.recall import is_snippet
from memory.replay import Step, join, steps
from memory.testing import FakeKimi, Served
from memory.testing.transcripts import check_transcript, random_budget
from memory.witness import witness

__all__ = (
    "CORPORA",
    "MODES",
    "STYLES",
    "Key",
    "Sent",
    "Style",
    "checks",
    "harnessed",
    "replayed",
    "rows",
)

CORPORA: Final = (
    *("locomo", "beam_100k", "zh_haystack", "tau_airline"),
    *("bfcl_multi_turn", "swe_agent", "bfcl_memory"),
)
MODES: Final[Mapping[str, Mapping[str, Any]]] = {
    "auto": {"recall": "auto", "recall_floor": 0.0},
    "tool": {"recall": "tool", "execute": True},
}
"""The settings of each mode, by its label; with the floor at 0 something comes back most times."""
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


Key = tuple[str, str, Style]
"""Corpus, mode and style."""


def rows(found: Mapping[Key, Sent], harness: Mapping[str, Sent]) -> list[Row]:
    """Return what came of each corpus, mode and style, and of each corpus in the harness."""
    return [
        *(_row(corpus, mode, str(style), sent) for (corpus, mode, style), sent in found.items()),
        *(_row(corpus, "auto", "harness", sent) for corpus, sent in harness.items()),
    ]


def _row(corpus: str, mode: str, style: str, sent: Sent) -> Row:
    return {
        "corpus": corpus,
        "recall": mode,
        "style": style,
        **{name: getattr(sent, name) for name in _SHOWN},
        "failed": sent.failed.total(),
        "promises broken": sent.broken.total(),
        "which": ", ".join(sorted({*sent.failed, *sent.broken})),
    }


_SHOWN: Final = (
    *("conversations", "requests", "arrived", "compacted", "snippets", "searches"),
    *("rejected", "over", "impossible"),
)


def checks(found: Mapping[Key, Sent], harness: Mapping[str, Sent]) -> list[Check]:
    """Return what has to hold: nothing is refused, and every mode and style was put to the test."""
    sent, judged = list(found.values()), list(harness.values())
    bad = {
        "requests rejected": sum(each.rejected for each in sent),
        "requests over budget": sum(each.over for each in sent),
        "promises broken": sum(each.broken.total() for each in sent),
        "calls and searches that failed": sum(each.failed.total() for each in sent),
    }
    name = "all recorded conversations, recall on"
    return [
        *(Check(name=f"{name}: {k}", value=v, op="==", bound=0) for k, v in bad.items()),
        *(_tested(found, mode, style) for mode in MODES for style in STYLES),
        Check(
            name=f"{name}, harness: promises broken",
            value=sum(each.broken.total() for each in judged),
            op="==",
            bound=0,
        ),
        Check(
            name=f"{name}, harness: requests in which something came back",
            value=sum(each.snippets for each in judged),
            op=">=",
            bound=1,
        ),
    ]


def _tested(found: Mapping[Key, Sent], mode: str, style: Style) -> Check:
    mine = [sent for (_, other, how), sent in found.items() if (other, how) == (mode, style)]
    recalled = sum(each.snippets + each.searches for each in mine)
    text = f"recall {mode}, {style}: requests in which something came back"
    return Check(name=text, value=recalled, op=">=", bound=1)


def harnessed(data: Path, corpus: str, *, cuts: int, limit: int | None = None) -> Sent:
    """Judge the conversations of a corpus by the harness, with recall on.

    Args:
        data: The directory of the corpora.
        corpus: Which.
        cuts: How many requests of a conversation are made, before edits.
        limit: The most conversations; None for all.
    """
    found = Sent()
    for conversation in join(corpus_rows(data, corpus, limit=limit), chain=1):
        whole = _whole(conversation, list(steps(conversation)))
        made = partial(_manager, found)
        report = check_transcript(
            whole, budget=random_budget(whole), cuts=cuts, manager_factory=made
        )
        found.conversations += report.conversations
        found.requests += report.requests
        found.impossible += report.too_large
        found.compacted += report.compactions
        found.broken.update(each.check for each in report.violations)
    return found


def _manager(found: Sent, **options: Any) -> MemoryManager:
    """Return a manager with recall whose snippets are counted."""

    def told(event: Event) -> None:
        found.snippets += isinstance(event, Recalled) and event.tokens > 0

    return MemoryManager(**{**options, **MODES["auto"], "hooks": (*options["hooks"], told)})


def _whole(conversation: Mapping[str, Any], found: Sequence[Step]) -> dict[str, Any]:
    tools = [*found[-1].tools]
    return {"id": conversation["id"], "messages": [*found[-1].messages], "tools": tools}


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
    for conversation in join(corpus_rows(data, corpus, limit=limit), chain=1):
        _Replay(conversation, mode, style, found).run(most)
        found.conversations += 1
    return found


class _Replay:
    """One conversation on its way."""

    def __init__(
        self, conversation: Mapping[str, Any], mode: str, style: Style, found: Sent
    ) -> None:
        self._steps = list(steps(conversation))
        self._style, self._found = style, found
        self._budget = random_budget(_whole(conversation, self._steps))
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
        given = {"model": MODEL, "messages": [*step.messages], **OFF}
        if step.tools:
            given["tools"] = [*step.tools]
        # `create` would look into every message for keys to rename: most of the time it takes.
        post = partial(self._trial.client.post, "/chat/completions", cast_to=ChatCompletion)
        if self._style.stream:
            kind: Any = AsyncStream if self._style.asynchronous else Stream
            body = {**given, "stream": True}
            reply = post(body=body, stream=True, stream_cls=kind[ChatCompletionChunk])
            await read(await settled(reply))
        else:
            await settled(post(body=given))

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
        found.broken.update(violations(sending).keys())


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
