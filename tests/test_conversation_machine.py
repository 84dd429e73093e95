"""Whatever is done with a conversation, in any order: the server takes it and nothing is lost."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from chats import calling, kept, result
from fake_kimi_requests import assistant, user
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from kimi_clients import HEAD, TOOLS, ask, sent
from talks import is_paired

from memory import ConversationBusy, QueueHook
from memory.events import Failed
from memory.testing import FakeKimi, Reply

BUDGET = 1_200
PADDING = " It was weighed at the gate, signed for by the clerk of the day, and put away." * 3


class Conversing(RuleBasedStateMachine):
    """One conversation, and a list of what should be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.fake, self.hook = FakeKimi(reply=self.reply), QueueHook()
        self.client, self.conversation = kept(self.fake, budget=BUDGET, hooks=(self.hook,))
        self.said: list[Any] = []
        self.open: list[str] = []
        self.broken = False
        self.number = 0

    def reply(self, _body: Any) -> str:
        """Answer with something new."""
        return f"Answer {self.number}.{PADDING}"

    def question(self) -> dict[str, Any]:
        """Return a new message."""
        self.number += 1
        return user(f"Question {self.number}?{PADDING}")

    def drop(self) -> None:
        """Forget the beginning of a reply that cannot be sent."""
        if self.broken and (
            self.said[-1].get("tool_calls") or not (self.said[-1]["content"] or "").strip()
        ):
            self.said.pop()
        self.broken = False

    def given(self, last: int, *new: Any) -> list[Any]:
        """Return the last messages of the conversation and new ones."""
        return [*self.said[max(0, len(self.said) - last) :], *new]

    @initialize(head=st.booleans(), turns=st.integers(0, 12))
    def begin(self, head: bool, turns: int) -> None:  # noqa: FBT001  # hypothesis names it
        """Begin with or without a head, and with some turns that were made elsewhere."""
        for _ in range(turns):
            self.said += [self.question(), assistant(self.reply(None))]
        self.conversation.add([*([HEAD] if head else []), *self.said])

    @precondition(lambda self: not self.open)
    @rule(last=st.sampled_from([0, 0, 1, 4]), stream=st.booleans())
    def ask(self, last: int, stream: bool) -> None:  # noqa: FBT001
        """Ask, sending nothing or some of what was said before."""
        if self.broken:
            last = 0
        self.drop()
        messages = self.given(last, self.question())
        reply = ask(self.client, messages, stream=stream)
        if stream:
            assert list(reply)
        self.said += [messages[-1], assistant(self.reply(None))]

    @precondition(lambda self: not self.open)
    @rule(pieces=st.integers(1, 5))
    def break_off(self, pieces: int) -> None:
        """Ask, and close the stream of the reply before its end."""
        self.drop()
        question, text = self.question(), ""
        stream = ask(self.client, [question], stream=True)
        for _ in range(pieces):
            text += next(stream).choices[0].delta.content or ""
        stream.close()
        self.said += [question, assistant(text)]
        self.broken = True

    @precondition(lambda self: not self.open)
    @rule()
    def break_off_a_call(self) -> None:
        """Ask, and close the stream of a reply that calls a tool before its end."""
        self.drop()
        question = self.question()
        self.fake.queue_reply(Reply(tool_calls=calling("weigh:0")["tool_calls"]))
        stream = ask(self.client, [question], stream=True, tools=TOOLS)
        next(stream)
        next(stream)
        stream.close()
        half = calling("weigh:0")
        half["tool_calls"][0]["function"] = {"name": "weigh", "arguments": ""}
        self.said += [question, half]
        self.broken = True

    @precondition(lambda self: self.broken)
    @rule(stream=st.booleans())
    def ask_again(self, stream: bool) -> None:  # noqa: FBT001
        """Ask the same again after a reply that broke off."""
        self.said.pop()
        reply = ask(self.client, self.said[-1:], stream=stream)
        if stream:
            assert list(reply)
        self.said.append(assistant(self.reply(None)))
        self.broken = False

    @precondition(lambda self: not self.open)
    @rule(calls=st.integers(1, 2))
    def call(self, calls: int) -> None:
        """Ask something that the model needs tools for."""
        self.drop()
        question, names = self.question(), [f"weigh:{index}" for index in range(calls)]
        self.fake.queue_reply(calling(*names))
        ask(self.client, [question], tools=TOOLS)
        self.said += [question, calling(*names)]
        self.open = names

    @precondition(lambda self: self.open)
    @rule(again=st.integers(0, 2))
    def answer(self, again: int) -> None:
        """Bring the results of calls."""
        results = [result(name, f"{self.number} kg.{PADDING}") for name in self.open]
        ask(self.client, self.given(again, *results), tools=TOOLS)
        self.said += [*results, assistant(self.reply(None))]
        self.open = []

    @precondition(lambda self: self.open)
    @rule(adding=st.booleans())
    def be_refused(self, adding: bool) -> None:  # noqa: FBT001
        """Say something else while results are awaited."""
        say = self.conversation.add if adding else partial(ask, self.client)
        with pytest.raises(ConversationBusy):
            say([self.question()])

    @precondition(lambda self: not self.open)
    @rule()
    def add(self) -> None:
        """Add a turn that was made elsewhere."""
        self.drop()
        new = [self.question(), assistant(f"Noted.{PADDING}")]
        self.conversation.add(new)
        self.said += new

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        """Go back to before some question."""
        places = [place for place, each in enumerate(self.said) if each["role"] == "user"]
        place = data.draw(st.sampled_from(places[-4:]))
        self.conversation.rewind(place)
        del self.said[place:]
        self.open, self.broken = [], False

    @precondition(lambda self: not self.open)
    @rule()
    def go_on_in_a_fork(self) -> None:
        """Leave this conversation for one that begins like it."""
        self.drop()
        self.conversation = self.conversation.fork()
        with self.conversation:
            pass
        self.client = self.conversation._manager.with_options(  # noqa: SLF001
            conversation=self.conversation.name
        ).wrap(self.client)

    @rule()
    def undo(self) -> None:
        """Do without the latest compaction."""
        self.conversation.undo()

    @precondition(lambda self: self.said)
    @rule()
    def look(self) -> None:
        """Look at the view, the plan and the export."""
        self.conversation.plan()
        assert is_paired(self.conversation.messages()) or self.broken
        assert json.loads(json.dumps(self.conversation.export()))["messages"] == self.said

    @invariant()
    def everything_is_on_record(self) -> None:
        """The history is what was said, and memory itself did not fail."""
        assert self.said == self.conversation.history()
        assert [] == [each for each in self.hook.drain() if isinstance(each, Failed)]

    @invariant()
    def the_server_takes_it(self) -> None:
        """No request was refused, none was too large, and the last message was always sent."""
        turns = [each for each in self.fake.requests if each.kind == "chat"]
        assert {200} >= {each.status for each in turns}
        assert all(each.prompt_tokens <= BUDGET for each in turns)
        assert all(is_paired(messages) for messages in sent(self.fake)[-1:])


TestConversing = Conversing.TestCase
TestConversing.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
