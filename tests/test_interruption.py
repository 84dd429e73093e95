"""Calls that are interrupted, by Ctrl-C or an exit: nothing is held, and others go on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from background_desk import NOTES, PATIENCE, REPLY, is_free
from fake_kimi_requests import user
from kimi_clients import BUDGET, ask, connect, is_compacted, sent, summaries, talk

from memory import MemoryManager
from memory.records import Compaction
from memory.testing import FakeKimi, SummaryJob

LONG = talk(60)
NAME = "warehouse"


class Interrupts:
    """Raises at the first request of one kind, in whatever thread that is made.

    Args:
        kind: `"summary"` or `"chat"`.
        interrupt: What is raised.
    """

    def __init__(self, kind: str, interrupt: type[BaseException]) -> None:
        self._left = {kind: interrupt}
        self.fake = FakeKimi(
            summarize=lambda _job: self._due("summary", NOTES),
            reply=lambda _body: self._due("chat", REPLY),
        )

    def _due(self, kind: str, text: str) -> str:
        interrupt = self._left.pop(kind, None)
        if interrupt is not None:
            raise interrupt
        return text


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(("kind", "kept"), [("summary", 0), ("chat", 1)])
def test_an_interrupt_ends_a_call(kind: str, kept: int, interrupt: type[BaseException]) -> None:
    """Ctrl-C while the summary is written leaves nothing; while the reply is, the summary."""
    fake = Interrupts(kind, interrupt).fake
    manager = MemoryManager(budget=BUDGET, hooks=())
    wrapped = manager.wrap(connect(fake))

    with pytest.raises(interrupt):
        ask(wrapped, LONG)
    made = [record for record in manager.log(LONG) if isinstance(record, Compaction)]
    assert kept == len(made)
    assert is_free(manager, LONG)
    ask(wrapped, LONG)
    assert is_compacted(sent(fake)[-1], LONG)


def test_an_interrupted_turn_is_not_on_record() -> None:
    """The conversation goes on as if it had not been asked."""
    fake = Interrupts("chat", KeyboardInterrupt).fake
    manager = MemoryManager(budget=BUDGET, hooks=())
    wrapped = manager.wrap(connect(fake))
    with manager.conversation(NAME) as conversation:
        with pytest.raises(KeyboardInterrupt):
            ask(wrapped, [user("How many are there?")])
        assert [] == conversation.history()
        ask(wrapped, [user("And where?")])

        said = [message["content"] for message in conversation.history()]
        assert ["And where?", REPLY] == said


def test_an_interrupt_in_a_stream_ends_the_turn() -> None:
    """Whoever stops reading by Ctrl-C can ask again at once, from another thread too."""
    fake = FakeKimi(reply=lambda _body: REPLY)
    manager = MemoryManager(budget=BUDGET, hooks=(), turn_wait=PATIENCE)
    wrapped = manager.with_options(conversation=NAME).wrap(connect(fake))
    question = [user("How many are there?")]

    def call() -> None:
        with ask(wrapped, question, stream=True) as stream:
            next(iter(stream))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask, wrapped, question).result(timeout=PATIENCE / 6)
    history = [message["content"] for message in manager.conversation(NAME).history()]
    assert [question[0]["content"], REPLY] == history


def test_an_interrupt_lets_the_others_go_on() -> None:
    """Threads that wait for the summary of one that was interrupted pay for their own."""
    asked, together = threading.Event(), threading.Event()
    left = [KeyboardInterrupt]

    def summarize(_job: SummaryJob) -> str:
        asked.set()
        assert together.wait(timeout=PATIENCE)
        if left:
            raise left.pop()
        return NOTES

    fake = FakeKimi(summarize=summarize)
    wrapped = MemoryManager(budget=BUDGET, hooks=()).wrap(connect(fake))
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, wrapped, LONG)
        assert asked.wait(timeout=PATIENCE)
        others = [pool.submit(ask, wrapped, LONG) for _ in range(3)]
        together.set()

    assert isinstance(first.exception(), KeyboardInterrupt)
    assert [None] * 3 == [each.exception() for each in others]
    # The request that was interrupted never came to be logged.
    assert (1, 3) == (len(summaries(fake)), len(sent(fake)))
