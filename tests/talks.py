"""A conversation with a name on a store, gone through flow by flow, without a client."""

from __future__ import annotations

from typing import Any, TypeVar

from workbench import Wire, Workbench, assistant, call, prompt

from memory.flow import Flow, LogKey, Past, Prompt
from memory.flow.conversation import add, commit, join, past
from memory.invariants import Sending, tool_calls_are_paired
from memory.replies import Reply

T = TypeVar("T")

NAME = "user-42/trip"


def calling(*identifiers: str) -> Wire:
    """Return a reply that calls tools."""
    return {"role": "assistant", "content": "", "tool_calls": [call(each) for each in identifiers]}


def result(identifier: str, text: str = "found") -> Wire:
    """Return the result of a call."""
    return {"role": "tool", "tool_call_id": identifier, "content": text}


class Talk:
    """One conversation.

    Args:
        bench: Where its store is; None for one of its own.
        name: Its name.
    """

    def __init__(self, *, bench: Workbench | None = None, name: str = NAME) -> None:
        self.bench = bench or Workbench(10_000)
        self.name = name
        self.key = LogKey(namespace="tests", name=name)

    def run(self, flow: Flow[T]) -> T:
        """Run a flow on the store."""
        return self.bench.handler.run(flow)

    @property
    def past(self) -> Past:
        """What the conversation has come to."""
        return self.run(past(self.key))

    @property
    def messages(self) -> list[Any]:
        """Everything said."""
        return list(self.past.messages)

    def join(self, *messages: Any, **others: Any) -> Prompt:
        """Return a prompt of new messages after the conversation."""
        space = self.key.scope
        mine = {"log": self.key, "conversation": self.name, "namespace": space}
        return self.run(join(prompt(list(messages), **mine, **others)))

    def commit(self, joined: Prompt, reply: str | Wire | Reply | None) -> None:
        """Put a turn on record with a reply: a text, a message, a `Reply`, or None for none."""
        message = assistant(reply) if isinstance(reply, str) else reply
        if not isinstance(message, Reply):
            message = Reply(message=message)
        self.run(commit(joined, message))

    def turn(self, *messages: Any, reply: str | Wire | Reply | None = "Yes.") -> Prompt:
        """Go through a turn from its messages to its reply; return what would have been sent."""
        joined = self.join(*messages)
        self.commit(joined, reply)
        return joined

    def broken(self, *messages: Any, begun: Wire | None) -> None:
        """Go through a turn whose reply breaks off after its beginning."""
        self.turn(*messages, reply=Reply(message=begun, complete=False))

    def add(self, *messages: Any) -> int:
        """Add messages without a reply."""
        return self.run(add(self.key, list(messages)))


def is_paired(messages: Any) -> bool:
    """Tell whether the server would take the tool calls of messages, the last ones aside."""
    # A view is compared with what was given: nothing given is paired.
    return tool_calls_are_paired(Sending(given=[], sent=messages)) is None
