"""`SummarizationProcessor` as the history processor of an agent, run for every request.

The agent goes on from the history that its last run left, processed as it was, with the reply and
what came after it; so a user of `message_history` would.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import groupby
from typing import Any, Final

from benchmarks.peers.clients import (
    KEY,
    MODEL,
    NOWHERE,
    UNTHINKING,
    Loop,
    Recorder,
    Summaries,
    notes_room,
)
from benchmarks.peers.contract import Setting, noted
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage, role_of, text_of, tool_calls

__all__ = ("Processed",)

HTTP: Final = "httpx2"
KEEP: Final = 0.45
"""The share of the limit that stays verbatim, at most."""
ROOM: Final = 0.75
"""The share that stays verbatim of what the system prompt and a summary leave; the rest is new."""


class Processed:
    """One agent and its message history.

    Args:
        setting: Of the conversation.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting, self._loop = setting, Loop()
        self._summaries, self._recorder = Summaries(setting, HTTP), Recorder(HTTP)
        self._types: Any = import_module("pydantic_ai.messages")
        self._parameters: Any = import_module("pydantic_ai.models").ModelRequestParameters
        self._model = self._chat(self._recorder.async_client(), NOWHERE)
        processor = self._processor(import_module("pydantic_ai_summarization"))
        processed = import_module("pydantic_ai.capabilities").ProcessHistory(processor)
        self._agent: Any = import_module("pydantic_ai").Agent(self._model, capabilities=[processed])
        self._opening = str(
            import_module("pydantic_ai_summarization.processor").DEFAULT_CONTINUATION_PROMPT
        )
        self._given: list[WireMessage] = []
        self._history: list[Any] = []
        self._names: dict[str, str] = {}

    @property
    def events(self) -> Sequence[Event]:
        """The summaries that it asked for."""
        return self._summaries.events

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Run the agent on its history and what is new, and keep what it sends."""
        new, self._given = given[len(self._given) :], list(given)
        self._names |= {call["id"]: call["function"]["name"] for m in new for call in tool_calls(m)}
        before = self._spoken(given)
        self._history += self._there(new)
        result = self._loop.run(self._agent.run(message_history=self._history))
        self._history = result.all_messages()[:-1]
        sent = self._recorder.messages
        place = len(self._setting.head)
        text = text_of(sent[place]) if len(sent) > place else ""
        sending = Sending(
            given=self._spoken(given),
            sent=sent,
            before=before,
            log=None,
            notes=[place] if text.startswith(self._opening) else [],
        )
        depth = len(self._summaries.events)
        return noted(sending, text=text, depth=depth, count=self._setting.count)

    def _processor(self, library: Any) -> Any:
        setting = self._setting
        notes = {} if setting.own else {"max_tokens": notes_room(setting)}
        model = self._chat(self._summaries.async_client(), self._summaries.url, **notes)
        if setting.own:
            return library.SummarizationProcessor(model=model, trigger=("tokens", setting.limit))
        left = setting.limit - notes_room(setting) - setting.count(setting.head)
        return library.SummarizationProcessor(
            model=model,
            trigger=("tokens", setting.limit),
            keep=("tokens", max(1, int(min(KEEP * setting.limit, ROOM * left)))),
            token_counter=self._count,
            trim_tokens_to_summarize=None,
        )

    async def _count(self, messages: Sequence[Any]) -> int:
        return self._setting.count(await self._back(messages))

    def _chat(self, client: Any, url: str, **more: Any) -> Any:
        """Return its class for the chat completions of OpenAI."""
        openai = import_module("openai").AsyncOpenAI(
            base_url=url, api_key=KEY, max_retries=0, http_client=client
        )
        provider = import_module("pydantic_ai.providers.openai").OpenAIProvider
        chat = import_module("pydantic_ai.models.openai").OpenAIChatModel
        settings = {"extra_body": UNTHINKING, **more}
        return chat(MODEL, provider=provider(openai_client=openai), settings=settings)

    def _there(self, wire: Sequence[WireMessage]) -> list[Any]:
        """Return its messages: what its agent makes of prompts, replies and results of tools."""
        types, made = self._types, []
        for is_reply, part in groupby(wire, key=lambda message: role_of(message) == "assistant"):
            if is_reply:
                made += [types.ModelResponse(parts=self._replied(message)) for message in part]
            else:
                made.append(types.ModelRequest(parts=[self._asked(m) for m in part]))
        return made

    def _replied(self, message: WireMessage) -> list[Any]:
        types, text = self._types, text_of(message)
        called = [(call["function"], call["id"]) for call in tool_calls(message)]
        calls = [types.ToolCallPart(call["name"], call["arguments"], i) for call, i in called]
        return [*([types.TextPart(text)] if text else []), *calls]

    def _asked(self, message: WireMessage) -> Any:
        text = text_of(message)
        if role_of(message) == "tool":
            answers = message["tool_call_id"]
            return self._types.ToolReturnPart(self._names[answers], text, answers)
        if role_of(message) == "system":
            return self._types.SystemPromptPart(text)
        return self._types.UserPromptPart(text)

    def _spoken(self, wire: Sequence[WireMessage]) -> list[dict[str, Any]]:
        """Return wire messages as its conversions there and back make them."""
        repaired = self._types.repair_messages(self._there(wire), repair_last_response=False)
        return list(self._loop.run(self._back(repaired)))

    async def _back(self, messages: Sequence[Any]) -> list[dict[str, Any]]:
        """Return wire messages, as its model sends them."""
        wire = await self._model._map_messages(list(messages), self._parameters())  # noqa: SLF001
        return list(wire)
