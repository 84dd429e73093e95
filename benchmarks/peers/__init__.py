"""Other libraries that keep a conversation under a budget, each behind the same small adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, cast

from benchmarks.peers.contract import Peer, Setting

__all__ = ("COMPARED", "PEERS", "Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of a peer before it is run.

    Attributes:
        name: The name of its adapter and of its requirements.
        title: What people call it.
        distribution: What it is installed as; its version is told.
        adapter: The class in the module of that name.
        settings: With which settings it is run, for the page.
        summarises: Whether it asks somebody for summaries.
        not_offered: Why it cannot be judged by an invariant that it keeps as far as can be seen.
        unjudged: What the table says there.
        module: Where the adapter is, in this package; empty for the name.
        judged: Whether `benchmarks.violations` judges it by our promises.
        matched: With which settings `benchmarks.peers` runs it at a budget of B tokens; empty
            where it does not.
        own: What that gives it with its own defaults; empty where it has none.
        bound: Whether what it sends with its own defaults depends on the budget.
        most: In how many conversations of a corpus it is run at most, where it takes too long.
    """

    name: str
    title: str
    distribution: str
    adapter: str
    settings: str = ""
    summarises: bool = True
    not_offered: Mapping[int, str] = field(default_factory=dict)
    unjudged: str = "not offered"
    module: str = ""
    judged: bool = True
    matched: str = ""
    own: str = ""
    bound: bool = True
    most: int | None = None

    def make(self, setting: Setting) -> Peer:
        """Return a new one for one conversation; its library is imported here."""
        module = import_module(f"benchmarks.peers.{self.module or self.name}")
        return cast("Peer", getattr(module, self.adapter)(setting))


_ALONE: Final = "the runner is one caller, with one conversation"
_NO_LOG: Final = "its notes say that messages are gone; there is no log to find them in"
_NO_STORE: Final = "it leaves to its framework, or to its caller, what two callers would share"
_NO_SUMMARY: Final = "it asks for no summaries"

_ENTRIES: Final = (
    Entry(
        name="memory",
        title="memory",
        distribution="kimi-memory",
        adapter="Memory",
        settings="`MemoryManager(budget=L)`, the whole list passed to `fit` each time",
        not_offered={10: _ALONE},
        unjudged="not run",
        matched='`MemoryManager(budget=B, oversize="shorten-tool-results")`, which only matters '
        "where a tool result has no room; `KimiSummarizer` asks for the summaries",
        own="`MemoryManager(budget=B)` and nothing else",
    ),
    Entry(
        name="langchain",
        title="LangChain `SummarizationMiddleware`",
        distribution="langchain",
        adapter="Middleware",
        settings='`trigger=("tokens", L - system prompt)`, which it does not count; '
        '`keep=("tokens", 0.45 L)`; `trim_tokens_to_summarize=None`, so that the summariser '
        "reads everything; `summarizer` and `token_counter` are ours; the state goes through "
        "`add_messages` as in a graph",
        not_offered={5: _NO_LOG, 10: _NO_STORE},
        matched='`trigger=("tokens", B - system prompt)`, which it does not count; '
        '`keep=("tokens", 0.45 B)`, or three quarters of what system prompt and summary leave, '
        "where that is less; `trim_tokens_to_summarize=None`, so that the summariser "
        "reads everything; an exact `token_counter`; `ChatOpenAI` asks with its own prompt",
        own='`trigger=("tokens", B)`, without which it never summarises, and nothing else: it '
        "keeps 20 messages, and its summariser reads the latest 4,000 tokens",
    ),
    Entry(
        name="langmem",
        title="langmem `summarize_messages`",
        distribution="langmem",
        adapter="Running",
        settings="`max_tokens=L`; `max_summary_tokens=0.2 L`; `max_tokens_before_summary` is "
        "what is left of L beside the system prompt and that; `model` and `token_counter` are "
        "ours; `running_summary` is passed back each time, with the whole list of messages",
        not_offered={5: _NO_LOG, 10: _NO_STORE},
        matched="`max_tokens=B`; `max_summary_tokens=0.35 B`, which `ChatOpenAI` is told as well "
        "by `bind`; `max_tokens_before_summary` is what is left of B beside the system prompt and "
        "that; an exact `token_counter`; its own prompt",
        own="`max_tokens=B`, which it wants, and nothing else; `ChatOpenAI` is told its default "
        "`max_summary_tokens=256`, as its documentation says",
    ),
    Entry(
        name="litellm",
        title="litellm `trim_messages`",
        distribution="litellm",
        adapter="Trimmed",
        settings='`model="gpt-4o"`, whose vocabulary it brings; `max_tokens=0.75 L`, its '
        "default ratio; the whole list each time",
        summarises=False,
        not_offered={8: _NO_SUMMARY, 9: _NO_SUMMARY, 10: _NO_STORE},
        matched='`model="gpt-4o"`, whose vocabulary it brings; `max_tokens=0.9 B`, so that what '
        "that vocabulary counts otherwise does not exceed B; what it counts is remembered, which "
        "changes nothing but how long it takes",
        own='`model="gpt-4o"` and nothing else: three quarters of the window of that model',
        bound=False,
    ),
    Entry(
        name="llamaindex",
        title="LlamaIndex `ChatSummaryMemoryBuffer`",
        distribution="llama-index-core",
        adapter="Buffer",
        judged=False,
        matched="`OpenAILike(max_tokens=0.35 B)` asks with its own prompt; `token_limit=0.62 B`, "
        "as it does not count a new summary, and 0.42 B once tools are called, as it counts "
        "neither calls nor the open turn, which `FunctionAgent` keeps beside the memory; "
        "`count_initial_tokens=True`; an exact `tokenizer_fn`",
        own="`from_defaults(llm=OpenAILike(context_window=B))` and nothing else: 0.75 B for texts, "
        "the system prompt beside them, counted as OpenAI counts",
    ),
    Entry(
        name="openai_agents",
        title="openai-agents `SessionSettings`",
        distribution="openai-agents",
        adapter="Limited",
        summarises=False,
        judged=False,
        matched="`SQLiteSession`; it counts items and no tokens, so each run is given by "
        "`RunConfig` the largest `limit` with which its first request holds B, or 0.8 B once tools "
        "are called, as what a run adds is sent beside that; calls and results without their "
        "other half are dropped, and so is all but the last of those with the same id",
        own="`SQLiteSession` and nothing else: no limit",
        bound=False,
    ),
    Entry(
        name="agno",
        title="agno `Compaction`",
        distribution="agno",
        adapter="Compacting",
        judged=False,
        matched="`SqliteDb`; `compact_at_tokens=0.95 B`, as it does not count what the user says "
        "then, and 0.75 B once tools are called, as it does not count what a run adds; "
        "`uncompacted_tokens=0.45 B`, of which it keeps half of what the summary leaves, counted "
        "as OpenAI counts; `compacted_token_budget=0.35 B`; an exact `token_counter`; "
        "`OpenAILike` asks with its own prompt",
        own="`SqliteDb` and `Compaction(model=…)` and nothing else: it compacts at 150,000 tokens",
        bound=False,
    ),
    Entry(
        name="pydantic_ai",
        title="summarization-pydantic-ai `SummarizationProcessor`",
        distribution="summarization-pydantic-ai",
        adapter="Processed",
        judged=False,
        matched='`trigger=("tokens", B)`; `keep=("tokens", 0.45 B)`, or three quarters of what '
        "the system prompt and a summary of 0.35 B leave where that is less; "
        "`trim_tokens_to_summarize=None`, so that the summariser reads everything; an exact "
        "`token_counter`; `OpenAIChatModel` asks with its own prompt; `ProcessHistory` of an "
        "agent, which goes on from the history that its last run left",
        own='`trigger=("tokens", B)`, without which it never summarises, and nothing else: it '
        "keeps 20 messages, and its summariser reads the last 16,000 characters",
    ),
    Entry(
        name="last-n",
        title="last n",
        distribution="kimi-memory",
        adapter="Latest",
        module="bare",
        summarises=False,
        judged=False,
        matched="the system prompt, and as many of the latest messages as B tokens have room for",
    ),
    Entry(
        name="full",
        title="full history",
        distribution="kimi-memory",
        adapter="Full",
        module="bare",
        summarises=False,
        judged=False,
        own="everything, every time; what is known cannot be more",
        bound=False,
    ),
)

PEERS: Final[Mapping[str, Entry]] = {each.name: each for each in _ENTRIES if each.judged}
"""Those that are judged by our promises, by name; ours goes first."""

COMPARED: Final[Mapping[str, Entry]] = {
    each.name: each for each in _ENTRIES if each.matched or each.own
}
"""Those that are compared by what they keep and cost, by name; ours goes first."""
