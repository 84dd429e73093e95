"""One request of a wrapped client on its way out, and its reply on the way back."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from memory.bodies import kind_of
from memory.events import Failed
from memory.flow import Answer, Send, answered, send
from memory.flow.searching import Round
from memory.handlers import AsyncHandler, Handler
from memory.manager import AsyncMemoryManager, Manager, MemoryManager
from memory.manager.scope import inside, is_inside
from memory.recall.tool import declaration
from memory.replies import Reply, read
from memory.responses import SkippedError
from memory.tee import Listener, apeek, atee, is_readable, peek, tee

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from memory.bodies import Body, ChatBody, ResponsesBody
    from memory.flights import Hold
    from memory.flow import Prompt
    from memory.flow.searching import Offer
    from memory.summarizers.contract import AsyncSummarizer, Summarizer

__all__ = ("Call",)

NO_CONVERSATION = "only /chat/completions goes on from a conversation"
"""Why a request of another kind is left alone in conversation mode."""


class Call:
    """One request that has messages to fit.

    Args:
        manager: Whose memory it goes through.
        options: What the SDK is about to send.
        body: The part of it that is ours to read and write.
        chosen: The options in force when the request was made.
    """

    __slots__ = ("_body", "_context", "_manager", "_offer", "_options", "_prompt")

    def __init__(
        self, manager: Manager, options: Any, body: Body, chosen: Mapping[str, Any]
    ) -> None:
        self._manager = manager
        self._options = options
        self._body = body
        self._context = manager.context(chosen)
        self._prompt = body.prompt(manager.placement(chosen))
        self._offer = self._offered()

    @classmethod
    def of(cls, manager: Manager, options: Any) -> Call | None:
        """Return the request that `options` describe, or None where it is to go out as it is."""
        kind = kind_of(options)
        if kind is None or is_inside(manager.outside):
            return None
        chosen = manager.effective()
        if chosen.get("off"):
            return None
        manager.check_alone()
        body = _read(kind, manager, options)
        if body is None:
            return None
        if chosen.get("conversation") is not None and not body.converses:
            manager.once(NO_CONVERSATION)
            return None
        return cls(manager, options, body, chosen)

    def send(self, request: Callable[[Any], Any], own: Summarizer) -> Any:
        """Send the request, fitted, and return the response of the SDK.

        Args:
            request: Sends options and returns the response.
            own: Writes summaries where the manager has nobody for that.
        """
        manager = self._manager
        mine = manager.summarizer if isinstance(manager, MemoryManager) else None
        writer = mine or own

        def ended(sent: Send, turn: Hold, reply: Reply) -> None:
            def follow() -> None:
                try:
                    Handler(manager.outside, writer).run(self._after(sent, reply))
                finally:
                    turn.release()

            manager.outside.aside(follow)

        def perform(sent: Send) -> Answer:
            with inside(manager.outside):
                response = request(self._outgoing(sent))
            reply, unread = self._reply(response)
            if unread is not None and (tool := _awaited(sent)):
                reply = peek(unread, tool, choice=self._context.choice)
            if unread is not None and reply is None:
                turn = handler.turn.hand_over()
                listener = self._listener(unread, sent, turn)
                tee(unread, listener, partial(ended, sent, turn), turn.release)
            return Answer(response=response, reply=reply)

        handler = Handler(manager.outside, writer, perform)
        return handler.run(send(self._asked_by(writer), self._context, self._offer))

    async def asend(self, request: Callable[[Any], Awaitable[Any]], own: AsyncSummarizer) -> Any:
        """Send the request, fitted, and return the response of the SDK; as `send` in all else."""
        manager = self._manager
        mine = manager.summarizer if isinstance(manager, AsyncMemoryManager) else None
        writer = mine or own

        async def ended(sent: Send, turn: Hold, reply: Reply) -> None:
            try:
                await AsyncHandler(manager.outside, writer).run(self._after(sent, reply))
            finally:
                turn.release()

        async def perform(sent: Send) -> Answer:
            with inside(manager.outside):
                response = await request(self._outgoing(sent))
            reply, unread = self._reply(response)
            if unread is not None and (tool := _awaited(sent)):
                reply = await apeek(unread, tool, choice=self._context.choice)
            if unread is not None and reply is None:
                turn = handler.turn.hand_over()
                listener = self._listener(unread, sent, turn)
                atee(unread, listener, partial(ended, sent, turn), turn.release)
            return Answer(response=response, reply=reply)

        handler = AsyncHandler(manager.outside, writer, perform)
        return await handler.run(send(self._asked_by(writer), self._context, self._offer))

    def _offered(self) -> Offer | None:
        """Offer the search tool with the request, where that is wanted; return how."""
        recall = self._context.recall
        if recall is None or recall.mode != "tool":
            return None
        try:
            offer = self._body.offer(recall)
        except SkippedError as reason:
            self._manager.once(str(reason))
            return None
        if offer is not None:
            tools = (*self._prompt.tools, declaration(offer.name))
            self._prompt = replace(self._prompt, tools=tools)
        return offer

    def _asked_by(self, writer: object) -> Prompt:
        """Return the prompt, with who is asked for summaries of it."""
        return replace(self._prompt, asker=getattr(writer, "asker", ""))

    def _listener(self, response: Any, sent: Send, turn: Hold) -> Listener:
        def settle() -> None:
            """Put a message on record that is whole, though nobody has read on to the end."""
            reply = listener.outcome("left")
            context = replace(self._context, ahead=None)
            if reply is not None:
                after = answered(sent.prompt, context, sent.fitted, reply)
                Handler(self._manager.outside, None).run(after)
            turn.release()

        choice = self._context.choice
        listener = Listener(response, choice=choice, finished=lambda: turn.settle_with(settle))
        return listener

    def _after(self, sent: Send, reply: Reply) -> Any:
        return answered(sent.prompt, self._context, sent.fitted, reply)

    def _outgoing(self, sent: Send) -> Any:
        """Return the options to send; the same object when nothing had to change."""
        changes = self._body.changes(sent)
        if not changes:
            return self._options
        options = copy.copy(self._options)
        for key, value in changes.items():
            # The SDK lays `extra_json` over `json_data`.
            where = "extra_json" if key in (options.extra_json or {}) else "json_data"
            setattr(options, where, {**getattr(options, where), key: value})
        return options

    def _reply(self, response: Any) -> tuple[Reply | None, Any]:
        """Return the reply of a response, or the HTTP response that it is still to be read from."""
        try:
            reply = self._body.parsed(response, choice=self._context.choice)
            http = None if reply is not None else _http(response)
            if http is None:
                return reply, None
            if is_readable(http):
                return None, http if self._body.converses else None
            return read(json.loads(http.content), choice=self._context.choice), None
        except Exception as error:  # noqa: BLE001  # the caller has a response; nothing may spoil it
            self._manager.emit(
                Failed(namespace=self._manager.namespace, error=type(error).__name__)
            )
            return None, None


def _read(kind: type[ChatBody | ResponsesBody], manager: Manager, options: Any) -> Body | None:
    """Return the body of a request, or None where it is to go out as it is."""
    try:
        return kind.read(options)
    except SkippedError as reason:
        manager.once(str(reason))
    except Exception as error:  # noqa: BLE001  # what is odd there, the server has to refuse
        manager.emit(Failed(namespace=manager.namespace, error=type(error).__name__))
    return None


def _awaited(sent: Send) -> str:
    """Return the tool whose calls are answered before the caller sees a reply; empty for none."""
    return sent.tool if isinstance(sent, Round) else ""


def _http(response: Any) -> Any:
    """Return the HTTP response that an object of the SDK reads from, or None."""
    for candidate in (
        response,
        getattr(response, "http_response", None),
        getattr(response, "response", None),
    ):
        if hasattr(candidate, "is_stream_consumed"):
            return candidate
    return None
