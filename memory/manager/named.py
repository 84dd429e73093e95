"""What the synchronous and the asynchronous conversation share: a name, and being entered."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memory import models
from memory.flow import Outlook, Prompt, Search, outlook
from memory.flow.conversation import whole
from memory.flow.searching import found_for
from memory.manager.scope import address, check_match, enter, leave
from memory.messages import WireMessage, clone
from memory.records import Match

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from memory.flow import Context, Flow, LogKey
    from memory.handlers import AsyncHandler, Handler
    from memory.manager.base import Manager
    from memory.redaction import Redact

__all__ = ("Named", "copied", "outlook_of", "page", "searched_for")


class Named:
    """What both kinds of conversation share: a name, and being entered.

    Attributes:
        name: Its name as it was given.
        user: Whose it is; empty for nobody in particular.
    """

    def __init__(self, manager: Manager, name: str, user: str | None) -> None:
        given = manager.effective().get("user") if user is None else user
        where = address(name, given)
        self._options: dict[str, Any] = {"conversation": where}
        self._base = manager
        self._given = given
        self.name = name
        self.user = where.user

    def __enter__(self) -> Self:
        """Have calls of the manager's clients go on from this conversation, here and now."""
        enter(self._base.outside, self._options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End that; replies that are still being read are recorded all the same."""
        leave(self._options)

    def __repr__(self) -> str:
        """Return user and name."""
        return f"{type(self).__name__}({self._key.label!r})"

    @property
    def _key(self) -> LogKey:
        return self._base.log_of(self._options["conversation"])

    @property
    def _redact(self) -> Redact | None:
        return self._base.outside.redact

    def _prompt(self, model: str) -> Prompt:
        options = {**self._base.effective(), **self._options}
        keep, place = models.keeps_reasoning(model), self._base.placement(options)
        return Prompt(messages=(), model=model, keep_reasoning=keep, **place)

    def _asked(self, model: str, handler: Handler | AsyncHandler) -> Prompt:
        """Return a prompt whose summaries are asked for by a handler."""
        return replace(self._prompt(model), asker=getattr(handler.writer, "asker", ""))

    def _other(self, name: str | None) -> str:
        return f"{self.name}~{secrets.token_hex(4)}" if name is None else name

    def _searched(self, query: str, match: Match, limit: int) -> Search:
        check_match(match)
        key = self._key
        return Search(
            namespace=key.namespace,
            query=query,
            user=key.user,
            name=key.name,
            match=match,
            limit=limit,
        )


def outlook_of(prompt: Prompt, context: Context) -> Flow[Outlook]:
    """Return what the next call of a conversation would do about the budget."""
    return (yield from outlook((yield from whole(prompt)), context))


def searched_for(prompt: Prompt, context: Context, arguments: object) -> Flow[str]:
    """Return what answers a call of `search_memory` in a conversation."""
    return (yield from found_for((yield from whole(prompt)), context, arguments))


def copied(messages: Sequence[WireMessage]) -> list[WireMessage]:
    """Return copies of messages that the caller may change."""
    return [clone(message) for message in messages]


def page(
    messages: Sequence[WireMessage], limit: int | None, before: int | None
) -> list[WireMessage]:
    """Return the last `limit` messages before a place."""
    stop = len(messages) if before is None else max(0, min(before, len(messages)))
    start = 0 if limit is None else max(0, stop - max(0, limit))
    return copied(messages[start:stop])
