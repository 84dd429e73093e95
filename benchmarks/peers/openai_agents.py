"""Sessions with a limit, prepared and converted by the functions that `Runner.run` calls.

The limit holds where a run begins, which is at a user message. What its model calls and gets back
until the run is over is sent behind that, and is in the session at the next run.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import groupby
from typing import Any

from benchmarks.peers.clients import MODEL, SPARE, Loop
from benchmarks.peers.contract import Setting
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage, role_of, text_of

__all__ = ("Limited",)


class Limited:
    """One session, and the run that is open.

    Args:
        setting: Of the conversation.
    """

    events: Sequence[Event] = ()

    def __init__(self, setting: Setting) -> None:
        agents = import_module("agents")
        self._setting, self._loop = setting, Loop()
        self._settings = agents.SessionSettings
        self._session = agents.SQLiteSession("conversation")
        self._converter = import_module("agents.models.chatcmpl_converter").Converter
        self._response = agents.ModelResponse
        self._usage = agents.Usage
        self._reply = import_module("openai.types.chat").ChatCompletionMessage
        internal = "agents.run_internal"
        self._prepare = import_module(f"{internal}.session_persistence").prepare_input_with_session
        self._continue = import_module(f"{internal}.items").prepare_model_input_items
        self._given: list[WireMessage] = []
        self._stored = 0
        self._begun: list[Any] = []
        self._run: list[Any] = []

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Begin a run where a user speaks, go on with it otherwise, and send its input."""
        rest = list(given[len(self._setting.head) :])
        before = self._back(self._items(rest))
        new, self._given = rest[len(self._given) :], rest
        for is_asked, part in groupby(new, key=lambda message: role_of(message) == "user"):
            items = self._items(list(part))
            if is_asked:
                self._store(self._run)
                self._run = []
                self._begin(items)
            else:
                self._run += items
        return Sending(
            given=self._back(self._items(rest)),
            sent=self._back(self._continue(self._begun, self._run)),
            before=before,
            log=None,
            notes=[],
        )

    def _begin(self, asked: Sequence[Any]) -> None:
        """Take from the session what goes before the user's message, and put that into it.

        Where the limit of this benchmark has to hold, most items are taken with which it does.
        """
        if self._setting.own:
            self._begun = self._input(asked, None)
        else:
            tools = any(role_of(message) == "tool" for message in self._given)
            room = (1 - SPARE * tools) * self._setting.limit
            least, most = 0, self._stored
            self._begun = self._input(asked, 0)
            while least < most:
                number = (least + most + 1) // 2
                begun = self._input(asked, number)
                if self._setting.count(self._back(begun)) < room:
                    least, self._begun = number, begun
                else:
                    most = number - 1
        self._store(asked)

    def _input(self, asked: Sequence[Any], limit: int | None) -> list[Any]:
        settings = self._settings(limit=limit)
        prepared, _ = self._loop.run(self._prepare(list(asked), self._session, None, settings))
        return list(prepared)

    def _store(self, items: Sequence[Any]) -> None:
        self._loop.run(self._session.add_items(list(items)))
        self._stored += len(items)

    def _items(self, wire: Sequence[WireMessage]) -> list[Any]:
        """Return the items that a run keeps of its messages."""
        return [item for message in wire for item in self._item(message)]

    def _item(self, message: WireMessage) -> list[Any]:
        if role_of(message) == "assistant":
            reply = self._reply.model_validate({**message, "content": message.get("content")})
            output = self._converter.message_to_output_items(reply)
            response = self._response(output=output, usage=self._usage(), response_id=None)
            return list(response.to_input_items())
        if role_of(message) == "tool":
            call, output = message["tool_call_id"], text_of(message)
            return [{"type": "function_call_output", "call_id": call, "output": output}]
        return [{"role": role_of(message), "content": message["content"]}]

    def _back(self, items: Sequence[Any]) -> list[dict[str, Any]]:
        """Return wire messages, the agent's instructions first, as its model sends them."""
        instructions = [dict(message) for message in self._setting.head]
        return [*instructions, *self._converter.items_to_messages(list(items), model=MODEL)]
