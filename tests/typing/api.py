"""The public API as users write it; type checkers read this file, nothing runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_type

from openai import AsyncAzureOpenAI, AsyncOpenAI, AsyncStream, AzureOpenAI, OpenAI, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam

import memory
from memory import (
    AsyncConversation,
    AsyncMemoryManager,
    BudgetError,
    ConfigError,
    Conversation,
    Counts,
    Event,
    HistoryError,
    Hook,
    KimiMemoryError,
    LogHook,
    MemoryManager,
    Outlook,
    Plan,
    QueueHook,
    Settings,
    Usage,
    VolatileStore,
    wrap,
)
from memory.client import is_wrapped, manager_of
from memory.demo import load
from memory.errors import ConflictError, StoreError, SummaryError
from memory.events import Compacted, FellBack, ResultsCleared, SummarizerPaused
from memory.manager import Manager
from memory.messages import WireMessage
from memory.records import Compaction, Identifier, Logged, Segment, Standing
from memory.replay import Report, Step, Turn, join, replay, steps
from memory.stores import Store
from memory.summarizers.contract import AsyncSummarizer, Summarizer
from memory.summary import Draft, SummaryRequest
from memory.testing import FakeKimi, Fault, serve


def use(*values: object) -> None:
    """Take values of any type."""


class OwnClient(OpenAI):
    team: str = "books"


def wrapping(own: OwnClient) -> None:
    assert_type(wrap(OpenAI()), OpenAI)
    assert_type(wrap(AsyncOpenAI(), budget=32_000), AsyncOpenAI)
    assert_type(wrap(AzureOpenAI(api_version="1", azure_endpoint="x"), target=0.4), AzureOpenAI)
    assert_type(wrap(AsyncAzureOpenAI(api_version="1", azure_endpoint="x")), AsyncAzureOpenAI)
    assert_type(wrap(own), OwnClient)
    assert_type(wrap(own).team, str)
    assert_type(wrap(own).with_options(timeout=1.0), OwnClient)
    assert_type(memory.wrap(own, manager=MemoryManager()), OwnClient)
    assert_type(is_wrapped(own), bool)
    assert_type(manager_of(own), Manager)


def every_option(store: Store, hook: Hook) -> OpenAI:
    return wrap(
        OpenAI(),
        budget=32_000,
        target=0.5,
        notes=0.2,
        oversize="shorten-tool-results",
        notes_role="system",
        summarizer_model="kimi-k2.6",
        summary_deadline=30.0,
        media_tokens=1_000,
        reply_reserve=4_096,
        store=store,
        hooks=[hook, LogHook(), QueueHook(size=10)],
        tokenizer=len,
        namespace="books",
        settings_file="memory.toml",
    )


def wrong_options() -> None:
    wrap("not a client")  # type: ignore[type-var]
    wrap(OpenAI(), budgte=1)  # type: ignore[call-arg]
    wrap(OpenAI(), oversize="cut")  # type: ignore[arg-type]
    MemoryManager(budget="1")  # type: ignore[arg-type]


def calling(client: OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
    completions = wrap(client).chat.completions
    assert_type(completions.create(model="kimi-k2.6", messages=messages), ChatCompletion)
    stream = completions.create(model="kimi-k2.6", messages=messages, stream=True)
    assert_type(stream, Stream[ChatCompletionChunk])


async def calling_async(client: AsyncOpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
    completions = wrap(client).chat.completions
    assert_type(await completions.create(model="kimi-k2.6", messages=messages), ChatCompletion)
    stream = await completions.create(model="kimi-k2.6", messages=messages, stream=True)
    assert_type(stream, AsyncStream[ChatCompletionChunk])


def counting(manager: MemoryManager, messages: list[dict[str, Any]]) -> list[int]:
    counts = manager.count(messages, tools=[{"type": "function"}], model="kimi-k3")
    assert_type(counts, Counts)
    assert_type(counts[0], int)
    assert_type(counts.total, int)
    assert_type(counts.measured, float)
    assert_type(sum(counts) + counts.tools + counts.reply, int)
    usage = Usage(prompt_tokens=10, completion_tokens=2)
    manager.observe(messages, usage=usage, reply={"role": "assistant", "content": "Hi"})
    return counts


def fitting(manager: MemoryManager, messages: list[dict[str, Any]]) -> None:
    view = manager.fit(messages, max_completion_tokens=1_000)
    assert_type(view, Sequence[Mapping[str, Any]])
    again: Sequence[WireMessage] = manager.fit([*view, {"role": "user", "content": "Hi"}])
    outlook = manager.plan(again, model="kimi-k3", tools=())
    assert_type(outlook, Outlook)
    assert_type(outlook.plan, Plan)
    assert_type(outlook.counts, Counts)
    assert_type(outlook.record, Compaction | None)
    assert_type(outlook.dropped, tuple[int, ...])
    assert_type(manager.wrap(OpenAI()), OpenAI)
    assert_type(manager.store, Store)
    assert_type(manager.settings, Settings)
    for record in manager.log(messages):
        assert_type(record, Compaction | Logged)
        text: Any = record.message["content"] if isinstance(record, Logged) else record.synthetic
        use(text)


async def fitting_async(manager: AsyncMemoryManager, messages: list[dict[str, Any]]) -> None:
    assert_type(await manager.fit(messages), Sequence[Mapping[str, Any]])
    assert_type(await manager.plan(messages), Outlook)
    assert_type(manager.count(messages), Counts)
    assert_type(manager.wrap(AsyncOpenAI()), AsyncOpenAI)


def errors(manager: MemoryManager) -> None:
    try:
        manager.fit([])
    except BudgetError as error:
        assert_type(error.tokens, int)
        assert_type(error.limit, int)
        assert_type(error.culprits, dict[str, int])
    except HistoryError as error:
        assert_type(error.index, int)
    except SummaryError as error:
        assert_type(error.retryable, bool)
        assert_type(error.retry_after, float | None)
    except ConflictError as error:
        assert_type(error.expected + error.actual, int)
    except (ConfigError, StoreError, KimiMemoryError) as error:
        assert_type(str(error), str)


def seen(event: Event, /) -> None:
    match event:
        case Compacted(messages=messages, tokens_before=before, tokens_after=after):
            assert_type(messages + before - after, int)
        case FellBack(reason=reason):
            assert_type(reason, str)
        case _:
            assert_type(event.namespace, str)


def by_keyword(event: Event) -> None:
    use(event)


def hooks() -> None:
    kept: list[Event] = []
    queue = QueueHook()
    hook: Hook = seen
    MemoryManager(hooks=[hook, by_keyword, kept.append, queue, lambda event: use(event, kept)])
    MemoryManager(hooks=())
    assert_type(queue.drain(), list[Event])


class Own:
    def summarize(self, request: SummaryRequest) -> Draft:
        return Draft(text=f"{len(request.slice)} messages", author="own")


class OwnAsync:
    async def summarize(self, request: SummaryRequest) -> Draft:
        await asyncio.sleep(0)
        return Draft(text=f"{len(request.slice)} messages", author="own")


def extending() -> None:
    summarizer: Summarizer = Own()
    async_summarizer: AsyncSummarizer = OwnAsync()
    store: Store = VolatileStore(conversations=10)
    MemoryManager(summarizer=summarizer, store=store, budget=1_000)
    AsyncMemoryManager(summarizer=async_summarizer, store=store, budget=1_000)
    MemoryManager(summarizer=OwnAsync())  # type: ignore[arg-type]


def tokenizers(count: Callable[[str], int]) -> None:
    MemoryManager(tokenizer=count)
    MemoryManager(tokenizer="tiktoken.model")
    MemoryManager(tokenizer=None)


def replaying(client: OpenAI) -> None:
    def before(step: Step) -> None:
        use(step.messages[-1], step.tools, step.reply)

    def after(step: Step, turn: Turn) -> None:
        use(step, turn.full - turn.sent, turn.compacted)

    conversation = join([load()], chain=1)[0]
    assert_type(next(steps(conversation)), Step)
    report = replay(conversation, client=client, before=before, after=after, budget=6_000)
    assert_type(report, Report)
    assert_type(report.smallest_view_share, float | None)
    assert_type(report.cached_share, float)


def controlling(conversation: Conversation) -> None:
    assert_type(conversation.compact(), Compaction | None)
    record = conversation.compact(upto=12, summary="We booked it.", model="kimi-k3")
    if record is not None:
        segment = record.segments[0]
        assert_type(segment, Segment)
        assert_type(
            (segment.first, segment.dates, segment.prompt), tuple[int, tuple[str, str], str]
        )
        assert_type(record.standing, tuple[Standing, ...])
        assert_type(record.identifiers, tuple[Identifier, ...])
        assert_type(conversation.expand(segment), list[WireMessage])
    assert_type(conversation.expand("3-17"), list[WireMessage])
    assert_type(conversation.segment_of(3, model="kimi-k3"), Segment | None)
    assert_type(conversation.undo(), Compaction | None)
    assert_type(conversation.plan().plan.cap, int)
    conversation.pin(3)
    conversation.pin("Always use metres.")
    conversation.unpin("Always use metres.")


async def controlling_later(conversation: AsyncConversation) -> None:
    assert_type(await conversation.compact(upto=12, summary="We booked it."), Compaction | None)
    assert_type(await conversation.expand("3-17"), list[WireMessage])
    assert_type(await conversation.segment_of(3), Segment | None)
    assert_type(await conversation.undo(), Compaction | None)
    await conversation.pin(3)
    await conversation.unpin(3)


def keeping(redact: Callable[[str], str]) -> None:
    manager = MemoryManager(
        redact=redact,
        standing=0.05,
        identifiers=0,
        clear_tool_results="only",
        summary_prompt="Only {facts}.",
        summary_pause=10.0,
    )
    wrap(OpenAI(), redact=redact, clear_tool_results="before-summary")
    MemoryManager(clear_tool_results="always")  # type: ignore[arg-type]
    MemoryManager(redact="[key]")  # type: ignore[arg-type]
    use(manager)


def hearing(event: Event) -> None:
    if isinstance(event, SummarizerPaused):
        assert_type((event.model, event.seconds), tuple[str, float])
    if isinstance(event, ResultsCleared):
        assert_type((event.messages, event.tokens), tuple[int, int])


def testing() -> None:
    fake = FakeKimi(faults=[Fault.RPM], reply=lambda body: str(body["model"]))
    fake.fail_next(Fault.SERVER_ERROR, times=2, only="summary")
    with serve(fake) as url:
        assert_type(url, str)
