"""Other libraries that keep a conversation under a budget, each behind the same small adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

from benchmarks.peers.contract import Peer, Setting

__all__ = ("PEERS", "Entry")


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
    """

    name: str
    title: str
    distribution: str
    adapter: str
    settings: str
    summarises: bool = True
    not_offered: Mapping[int, str]
    unjudged: str = "not offered"

    def make(self, setting: Setting) -> Peer:
        """Return a new one for one conversation; its library is imported here."""
        module = import_module(f"benchmarks.peers.{self.name}")
        return cast("Peer", getattr(module, self.adapter)(setting))


_ALONE: Final = "the runner is one caller, with one conversation"
_NO_LOG: Final = "its notes say that messages are gone; there is no log to find them in"
_NO_STORE: Final = "it leaves to its framework, or to its caller, what two callers would share"
_NO_SUMMARY: Final = "it asks for no summaries"

PEERS: Final[Mapping[str, Entry]] = {
    entry.name: entry
    for entry in (
        Entry(
            name="memory",
            title="memory",
            distribution="kimi-memory",
            adapter="Memory",
            settings="`MemoryManager(budget=L)`, the whole list passed to `fit` each time",
            not_offered={10: _ALONE},
            unjudged="not run",
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
        ),
    )
}
"""By name; ours goes first."""
