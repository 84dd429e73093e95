"""`ChatSummaryMemoryBuffer`, filled and asked as `FunctionAgent` does it.

What follows the last user message, calls and results of tools, the agent keeps beside the memory
until the turn is over, and sends behind what the memory gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from benchmarks.peers.clients import KEY, MODEL, SPARE, UNTHINKING, Summaries, notes_room
from benchmarks.peers.contract import Setting, noted
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage, role_of

__all__ = ("Buffer",)
FRAMES: Final = 0.03
"""The share of the limit left free for what is around the texts that it counts."""


class Buffer:
    """One memory, and the turn that is open.

    Args:
        setting: Of the conversation.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._summaries = Summaries(setting, "httpx")
        self._types: Any = import_module("llama_index.core.base.llms.types")
        self._spoken: Any = import_module("llama_index.llms.openai.utils")
        self._reply: Any = import_module("openai.types.chat").ChatCompletionMessage
        self._head = self._there(setting.head)
        self._given: list[Any] = []
        self._turn: list[Any] = []
        self._texts: list[str] = []
        buffer: Any = import_module("llama_index.core.memory").ChatSummaryMemoryBuffer
        self._memory = buffer.from_defaults(llm=self._model(), **self._options())

    @property
    def events(self) -> Sequence[Event]:
        """The summaries that it asked for."""
        return self._summaries.events

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Put what is new where the agent puts it, ask the memory, and send what it gives."""
        new = self._there(given[len(self._head) + len(self._given) :])
        self._given += new
        before = self._back([*self._head, *self._given])
        for message in new:
            self._turn.append(message)
            if message.role == "tool" and not self._setting.own:
                self._memory.token_limit = self._room(SPARE)
            if message.role == "user":
                self._memory.put_messages(self._turn)
                self._turn = []
        kept = self._memory.get(**self._counted())
        first = len(self._head)
        notes = [first] if kept and kept[0].role == "system" else []
        sending = Sending(
            given=self._back([*self._head, *self._given]),
            sent=self._back([*self._head, *kept, *self._turn]),
            before=before,
            log=None,
            notes=notes,
        )
        text = str(kept[0].content) if notes else ""
        if text not in self._texts[-1:]:
            self._texts.append(text)
        return noted(sending, text=text, depth=len(self._texts), count=self._setting.count)

    def _model(self) -> Any:
        """Return its model, which always sends a temperature: the one that Kimi takes."""
        setting = self._setting
        cap = {} if setting.own else {"max_tokens": notes_room(setting)}
        return import_module("llama_index.llms.openai_like").OpenAILike(
            model=MODEL,
            api_base=self._summaries.url,
            api_key=KEY,
            is_chat_model=True,
            context_window=setting.limit,
            temperature=0.6,
            additional_kwargs={"extra_body": UNTHINKING},
            max_retries=0,
            http_client=self._summaries.client(),
            **cap,
        )

    def _options(self) -> Mapping[str, Any]:
        setting = self._setting
        if setting.own:
            return {}
        return {
            "token_limit": self._room(0),
            "tokenizer_fn": lambda text: range(self._cost(text)),
            "count_initial_tokens": True,
        }

    def _room(self, spare: float) -> int:
        """Return what texts and the system prompt may have beside a summary, in tokens."""
        setting = self._setting
        free = int((spare + FRAMES) * setting.limit) + notes_room(setting) + setting.count(())
        return max(1, setting.limit - free)

    def _counted(self) -> Mapping[str, int]:
        """Return what its chat engines tell the memory of the system prompt."""
        setting = self._setting
        return {} if setting.own else {"initial_token_count": setting.cost(setting.head)}

    def _cost(self, text: str) -> int:
        return self._setting.cost([{"role": "user", "content": text}])

    def _there(self, wire: Sequence[WireMessage]) -> list[Any]:
        """Return its messages: those that its model and its agent make."""
        return [self._message(message) for message in wire]

    def _message(self, message: WireMessage) -> Any:
        if role_of(message) == "assistant":
            reply = self._reply.model_validate({**message, "content": message.get("content")})
            return self._spoken.from_openai_message(reply, ["text"])
        extra = {"tool_call_id": message["tool_call_id"]} if role_of(message) == "tool" else {}
        return self._types.ChatMessage(
            role=role_of(message), content=message["content"], additional_kwargs=extra
        )

    def _back(self, messages: Sequence[Any]) -> list[dict[str, Any]]:
        """Return wire messages, as its model sends them."""
        return list(self._spoken.to_openai_message_dicts(messages, model=MODEL))
