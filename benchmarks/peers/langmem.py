"""`summarize_messages`, with the running summary passed back as its documentation shows."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from benchmarks.peers.contract import Setting, Teller, noted
from benchmarks.peers.langchain import Spoken, chat_model
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage

__all__ = ("Running",)

NOTES = "Summary of the conversation so far: "
"""How the notes of its default prompt begin."""
SHARE = 0.35
"""The share of the limit that its summary may have before a server."""
DEFAULT_SUMMARY = 256
"""Its default for `max_summary_tokens`, which the caller has to tell the model as well."""


class Running:
    """One thread of messages and its running summary.

    Args:
        setting: Of the conversation.
    """

    def __init__(self, setting: Setting) -> None:
        self._spoken, self._teller, self._setting = Spoken(), Teller(setting), setting
        self._messages: list[Any] = []
        self._running: Any = None
        self._core: Any = import_module("langchain_core.messages")
        self._summarize = import_module("langmem.short_term").summarize_messages
        self._model = self._asked()

    def _asked(self) -> Any:
        """Return the model that writes summaries."""
        setting = self._setting
        if setting.url is None:
            return import_module("langchain_core.runnables").RunnableLambda(self._answer)
        most = DEFAULT_SUMMARY if setting.own else int(SHARE * setting.limit)
        return chat_model(setting.url).bind(max_tokens=most)

    def _options(self) -> dict[str, Any]:
        """Return how much there may be of what, and who counts it."""
        setting = self._setting
        if setting.url is not None and setting.own:
            return {"max_tokens": setting.limit}
        room = setting.limit - setting.count(())
        most = setting.limit // 5 if setting.url is None else int(SHARE * setting.limit)
        return {
            "max_tokens": room,
            "max_tokens_before_summary": max(1, room - most - setting.cost(setting.head)),
            "max_summary_tokens": most,
            "token_counter": lambda messages: setting.cost(self._spoken.back(list(messages))),
        }

    @property
    def events(self) -> Sequence[Event]:
        """The summaries that it asked for."""
        return self._teller.events

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Give it all messages and the summary that it returned last."""
        for message in self._spoken.there(given[len(self._messages) :]):
            message.id = f"m{len(self._messages)}"  # it wants one of every message
            self._messages.append(message)
        before, setting = self._spoken.back(self._messages), self._setting
        result = self._summarize(
            self._messages,
            running_summary=self._running,
            model=self._model,
            **self._options(),
        )
        self._running = result.running_summary or self._running
        sending = Sending(
            given=self._spoken.back(self._messages),
            sent=self._spoken.back(result.messages),
            before=before,
            log=None,
            notes=self._notes(result.messages),
        )
        text = self._running.summary if self._running else ""
        return noted(sending, text=text, depth=len(self._teller.texts), count=setting.count)

    def _answer(self, prompt: Sequence[Any]) -> Any:
        return self._core.AIMessage(content=self._teller.write(self._spoken.text(prompt)))

    def _notes(self, messages: Sequence[Any]) -> list[int]:
        """Return the place of the system message that holds the running summary."""
        if self._running is None:
            return []
        text = NOTES + self._running.summary
        return [i for i, m in enumerate(messages) if m.type == "system" and m.content == text]
