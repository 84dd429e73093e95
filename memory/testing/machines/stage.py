"""Where the machine acts: a server in this process, two managers on one store, and real clients."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from memory.errors import KimiMemoryError
from memory.events import Counted, Event, Failed
from memory.stores import Store, VolatileStore
from memory.testing.fake_kimi import FakeKimi
from memory.testing.kimi_reply import Reply
from memory.testing.kimi_summary import SummaryJob, extract
from memory.testing.machines.outage import Clock, Flaky, Outage
from memory.testing.machines.words import TOOLS, Wire, answer, hide, on_the_wire

if TYPE_CHECKING:
    from memory.testing.kimi_wire import Served

__all__ = ("SPOILS", "Asked", "Plan", "Stage", "Writer")

T = TypeVar("T")

SPOILS = ("empty", "half", "refusal", "call", "longer", "order")
"""What a summariser may do that it should not."""
_REFUSAL = "I'm sorry, but I can't help with that request."


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a machine is made with; see `memory.testing.memory_machine`."""

    manager_factory: Callable[..., Any]
    store_factory: Callable[[], Store] | None
    asynchronous: bool
    budget: int
    tokenizer: Callable[[str], int] | None


@dataclass(slots=True, kw_only=True)
class Writer:
    """One manager and the client that it is given to wrap."""

    manager: Any
    client: Any
    handle: Any


@dataclass(slots=True, kw_only=True)
class Asked:
    """One call of a client and what came of it.

    Attributes:
        manager: The manager with the options of the call.
        before: The caller's messages on the wire, copied before the call.
        after: The same messages, looked at after it.
        requests: What reached the server.
        events: What was told.
        message: The message that came back, as an SDK object; None for a stream.
        chunks: What was read of a stream.
        error: What was raised, or None.
    """

    manager: Any
    before: list[Wire]
    after: list[Wire] = field(default_factory=list)
    requests: list[Served] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    message: Any = None
    chunks: list[Any] = field(default_factory=list)
    error: Exception | None = None

    @property
    def turns(self) -> list[Served]:
        """The requests that are no requests for notes."""
        return [each for each in self.requests if each.kind == "chat"]

    @property
    def sent(self) -> list[Wire]:
        """The messages that were sent."""
        return list(self.turns[-1].body["messages"])

    @property
    def tokens(self) -> int:
        """What the server says that the prompt cost."""
        return self.turns[-1].prompt_tokens

    @property
    def was_counted(self) -> bool:
        """Whether the prompt was counted, and so learnt from."""
        return any(isinstance(event, Counted) for event in self.events)

    @property
    def failures(self) -> list[Failed]:
        """What memory said that it failed in."""
        return [event for event in self.events if isinstance(event, Failed)]

    @property
    def beginning(self) -> Wire:
        """What was read of a streamed message."""
        message: Wire = {"role": "assistant", "content": ""}
        for chunk in self.chunks:
            for delta in (choice.delta for choice in chunk.choices):
                message["content"] += delta.content or ""
                thought = getattr(delta, "reasoning_content", None)
                if thought:
                    message["reasoning_content"] = message.get("reasoning_content", "") + thought
                for call in delta.tool_calls or ():
                    _go_on(message.setdefault("tool_calls", []), call)
        return message


def _go_on(calls: list[Wire], piece: Any) -> None:
    """Add a piece of a streamed call to the calls that have come."""
    if piece.id is None:
        calls[-1]["function"]["arguments"] += piece.function.arguments
        return
    function = {"name": piece.function.name, "arguments": piece.function.arguments}
    calls.append({"id": piece.id, "type": "function", "function": function})


class Stage:
    """Everything that is real: the server, the stores, the managers and their clients.

    Args:
        plan: What the machine is made with.
        redact: Whether secrets are taken out of what is stored.
    """

    def __init__(self, plan: Plan, *, redact: bool) -> None:
        self.plan = plan
        self.redact = redact
        self.clock, self.outage = Clock(), Outage()
        self.events: list[Event] = []
        self.reply: Reply = answer(0, 0)
        self.spoils: list[str] = []
        self.unusable: list[str] = []
        self.fake = FakeKimi(
            reply=lambda _body: self.reply,
            summarize=self._summary,
            count_text=plan.tokenizer,
            sleep=self.clock.advance,
            slow_seconds=40.0,
        )
        self._namespace = f"machine-{uuid4().hex}"
        self._loop = asyncio.new_event_loop() if plan.asynchronous else None
        self._store = VolatileStore()
        self._handles: list[Any] = []
        self._clients: list[Any] = []
        self.writers = [self.open(), self.open()]

    def open(self) -> Writer:
        """Return a manager on one more handle of the store, with a client for it."""
        factory = self.plan.store_factory
        handle = self._store if factory is None else factory()
        options: dict[str, Any] = {
            "hooks": (self.events.append,),
            "namespace": self._namespace,
            "budget": self.plan.budget,
            "turn_wait": 0.0,
            "redact": hide if self.redact else None,
        }
        if self.plan.tokenizer is not None:
            options["tokenizer"] = self.plan.tokenizer
        manager = self.plan.manager_factory(Flaky(handle, self.outage), **options)
        if any(each.name == "clock" for each in fields(manager.outside)):
            manager.outside = replace(manager.outside, clock=self.clock, wall=self.clock)
        client = self._connected()
        self._handles.append(handle)
        self._clients.append(client)
        return Writer(manager=manager, client=client, handle=handle)

    def crash(self, place: int) -> None:
        """Drop a manager with all that it knows, and open another one on the same store."""
        self.flush()
        self.writers[place] = self.open()

    def run(self, value: Any) -> Any:
        """Return a value, or what a coroutine comes to."""
        if self._loop is None or not inspect.isawaitable(value):
            return value

        async def awaited() -> Any:
            return await value

        return self._loop.run_until_complete(awaited())

    def flush(self) -> None:
        """Wait for what runs in the background."""
        for writer in self.writers:
            self.run(writer.manager.flush())

    def ask(
        self,
        place: int,
        messages: Sequence[Any],
        *,
        model: str,
        reply: Reply,
        reading: str | int = "whole",
        tools: bool = True,
        **options: Any,
    ) -> Asked:
        """Ask for a completion with one of the clients, and read the reply.

        Args:
            place: Whose client.
            messages: What to send.
            model: The model.
            reply: What the model says.
            reading: How to read: `"whole"`, as a `"stream"`, as one that is left after its
                `"finish"` reason, or so many pieces of one.
            tools: Whether tools are declared.
            **options: Options of the call; see `memory.manager.CallOptions`.
        """
        writer, self.reply = self.writers[place], reply
        manager = writer.manager.with_options(**options)
        asked = Asked(manager=manager, before=on_the_wire(messages))
        seen, told = len(self.fake.requests), len(self.events)
        try:
            self._asked(asked, manager.wrap(writer.client), messages, model, reading, tools=tools)
        except Exception as error:
            if not _is_expected(error):
                raise
            asked.error = error
        self.flush()
        asked.after = on_the_wire(messages)
        asked.requests, asked.events = self.fake.requests[seen:], self.events[told:]
        return asked

    def close(self) -> None:
        """Close everything that was opened."""
        try:
            self.flush()
            for client in self._clients:
                self.run(client.close())
            own = self.plan.store_factory is None
            handles = {id(each): each for each in ([] if own else self._handles)}
            for handle in handles.values():
                name = "close" if self._loop is None else "aclose"
                close = getattr(handle, name, None) or getattr(handle, "close", None)
                if close is not None and len(handles) > 1:
                    self.run(close())
        finally:
            if self._loop is not None:
                self._loop.close()

    def _asked(
        self,
        asked: Asked,
        client: Any,
        messages: Sequence[Any],
        model: str,
        reading: str | int,
        *,
        tools: bool,
    ) -> None:
        body: dict[str, Any] = {"model": model, "messages": messages}
        if tools:
            body["tools"] = TOOLS
        if reading == "stream":
            body["stream_options"] = {"include_usage": True}
        answer = self.run(_made(client, body, stream=reading != "whole"))
        if reading == "whole":
            asked.message = answer.choices[0].message
        elif self._loop is None:
            _read(answer, asked.chunks, reading)
        else:
            self.run(_aread(answer, asked.chunks, reading))

    def _summary(self, job: SummaryJob) -> str | Reply:
        text = extract(job, self.plan.tokenizer or len)
        spoil = self.spoils.pop(0) if self.spoils else ""
        match spoil:
            case "empty":
                return ""
            case "half":
                text = text[: len(text) // 2]
                self.unusable.append(text)
                return Reply(content=text, finish_reason="length")
            case "refusal":
                self.unusable.append(_REFUSAL)
                return _REFUSAL
            case "call":
                return answer(0, 0, ["weigh:9"])
            case "longer":
                text = "\n".join([text or "More and more."] * 400)
                self.unusable.append(text)
        return text

    def _connected(self) -> Any:
        """Return a client of the SDK that talks to the server in this process."""
        import openai

        library = import_module((openai.DefaultHttpxClient.__base__ or object).__module__)
        kind = "" if self._loop is None else "async_"
        transport = getattr(self.fake, f"{kind}{library.__name__.partition('.')[0]}_transport")()
        given: dict[str, Any] = {
            "api_key": "sk-machine",
            "base_url": "http://fake/v1",
            "max_retries": 0,
        }
        if self._loop is None:
            return openai.OpenAI(http_client=library.Client(transport=transport), **given)
        return openai.AsyncOpenAI(http_client=library.AsyncClient(transport=transport), **given)


def _made(client: Any, body: dict[str, Any], *, stream: bool) -> Any:
    """Make a request: by `create` where there are SDK objects to dump, else by the bare `post`.

    `create` looks at every key of every message, which takes ten times as long as all the rest.
    """
    if not all(isinstance(message, dict) for message in body["messages"]):
        return client.chat.completions.create(**body, stream=stream)
    import openai
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    where: Any = {"cast_to": ChatCompletion, "body": {**body, "stream": stream}}
    if stream:
        kind = openai.Stream if isinstance(client, openai.OpenAI) else openai.AsyncStream
        where |= {"stream": True, "stream_cls": kind[ChatCompletionChunk]}
    return client.post("/chat/completions", **where)


def _is_expected(error: Exception) -> bool:
    """Return whether an error is one that callers can be told: the server's or a typed one."""
    import openai

    return isinstance(error, (openai.OpenAIError, KimiMemoryError))


def _is_enough(chunks: Sequence[Any], reading: str | int) -> bool:
    if isinstance(reading, int):
        return len(chunks) >= reading
    last = chunks[-1].choices
    return reading == "finish" and bool(last) and last[0].finish_reason is not None


def _read(stream: Any, chunks: list[Any], reading: str | int) -> None:
    with stream:
        for chunk in stream:
            chunks.append(chunk)
            if _is_enough(chunks, reading):
                return


async def _aread(stream: Any, chunks: list[Any], reading: str | int) -> None:
    async with stream:
        async for chunk in stream:
            chunks.append(chunk)
            if _is_enough(chunks, reading):
                break
    with suppress(StopAsyncIteration):  # let what follows from leaving it run
        await asyncio.sleep(0)
