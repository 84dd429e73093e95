"""`SummarizationMiddleware`, called as an agent calls it before each call of its model."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from benchmarks.peers.contract import Setting, Teller, noted
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage
from memory.models import DEFAULT_MODEL

__all__ = ("Middleware", "Spoken", "chat_model")

SOURCE = "summarization"
"""What the middleware writes into `lc_source` of its notes."""


def chat_model(url: str, **more: Any) -> Any:
    """Return LangChain's own client of a server, which does not have the model think.

    Args:
        url: The base URL.
        **more: What else `ChatOpenAI` takes.
    """
    return import_module("langchain_openai").ChatOpenAI(
        model=DEFAULT_MODEL,
        base_url=url,
        api_key="sk-match",
        max_retries=0,
        extra_body={"thinking": {"type": "disabled"}},
        **more,
    )


class Spoken:
    """LangChain's own conversions, there and back."""

    def __init__(self) -> None:
        self._messages: Any = import_module("langchain_core.messages")

    def there(self, wire: Sequence[WireMessage]) -> list[Any]:
        """Return LangChain messages."""
        return list(self._messages.convert_to_messages([dict(message) for message in wire]))

    def back(self, messages: Sequence[Any]) -> list[dict[str, Any]]:
        """Return wire messages."""
        return list(self._messages.convert_to_openai_messages(list(messages)))

    def text(self, messages: Sequence[Any]) -> str:
        """Return what messages say, as LangChain shows them to a summariser."""
        return str(self._messages.get_buffer_string(list(messages)))


class Middleware:
    """One agent with one thread of messages.

    Args:
        setting: Of the conversation.
    """

    def __init__(self, setting: Setting) -> None:
        self._spoken, self._teller, self._setting = Spoken(), Teller(setting), setting
        self._head = self._spoken.there(setting.head)
        self._given: list[Any] = []
        self._state: list[Any] = []
        self._add = import_module("langgraph.graph.message").add_messages
        middleware = import_module("langchain.agents.middleware").SummarizationMiddleware
        self._middleware = middleware(**self._options())

    def _kept(self) -> int:
        """Return the tokens that stay verbatim: before a server less, where the head is large.

        Else head, summary and tail fill the budget, and it summarises at nearly every turn.
        """
        setting = self._setting
        usual = 0.45 * setting.limit
        if setting.url is None:
            return int(usual)
        left = 0.75 * (0.65 * setting.limit - setting.cost(setting.head))
        return max(1, int(min(usual, left)))

    def _options(self) -> dict[str, Any]:
        setting = self._setting
        if setting.url is not None and setting.own:
            return {"model": chat_model(setting.url), "trigger": ("tokens", setting.limit)}
        options = {
            "trigger": ("tokens", max(1, setting.limit - setting.cost(setting.head))),
            "keep": ("tokens", self._kept()),
            "token_counter": lambda messages: setting.count(self._spoken.back(list(messages))),
            "trim_tokens_to_summarize": None,
        }
        if setting.url is not None:
            return {"model": chat_model(setting.url), **options}
        models = import_module("langchain_core.language_models")
        return {
            "model": models.FakeListChatModel(responses=["It is asked for nothing."]),
            "summarizer": lambda messages: self._teller.write(self._spoken.text(messages)),
            **options,
        }

    @property
    def events(self) -> Sequence[Event]:
        """The summaries that it asked for."""
        return self._teller.events

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Add what is new to the state, let the middleware change it, and send what it holds."""
        new = self._spoken.there(given[len(self._head) + len(self._given) :])
        self._given += new
        before = self._spoken.back([*self._head, *self._given])
        self._state = self._add(self._state, new)
        update = self._middleware.before_model({"messages": self._state}, None)
        self._state = self._add(self._state, update["messages"]) if update else self._state
        sent = [*self._head, *self._state]
        sending = Sending(
            given=self._spoken.back([*self._head, *self._given]),
            sent=self._spoken.back(sent),
            before=before,
            log=None,
            notes=[i for i, m in enumerate(sent) if m.additional_kwargs.get("lc_source") == SOURCE],
        )
        texts = self._teller.texts
        return noted(
            sending,
            text=texts[-1] if texts else "",
            depth=len(texts),
            count=self._setting.count,
        )
