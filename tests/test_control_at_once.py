"""What must not be lost when a conversation is compacted: beside turns, pins, merges and undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from workbench import assistant, call, notes, user, words

from memory import Conversation, MemoryManager
from memory.records import LogKey
from memory.summary import Draft, SummaryRequest

Write = Callable[[SummaryRequest], Draft]
NAME = "trip"
SPACE = "desk"
CODE = "4711"
WISH = "Always answer in metric units."


def _words(text: str) -> int:
    return len(text.split())


class Writer:
    """A summariser that answers by a function, and counts."""

    def __init__(self, write: Write) -> None:
        self.write = write
        self.asked = 0

    def summarize(self, request: SummaryRequest, /) -> Draft:
        """Answer."""
        self.asked += 1
        return self.write(request)


def begun(
    write: Write = notes, *, budget: int = 6_000, store: Any = None, **options: Any
) -> tuple[MemoryManager, Conversation, Writer]:
    """Return a manager, a conversation of it, and who writes its summaries."""
    writer = Writer(write)
    manager = MemoryManager(
        summarizer=writer,
        tokenizer=_words,
        budget=budget,
        hooks=(),
        namespace=SPACE,
        store=store,
        **{"identifiers": 0.0, **options},
    )
    return manager, manager.conversation(NAME), writer


def said(conversation: Conversation, turns: int, tag: str = "") -> None:
    """Add so many turns."""
    for turn in range(turns):
        about = f"{tag}{turn}-"
        conversation.add([user(words(20, f"q{about}")), assistant(words(20, f"a{about}"))])


def worked(conversation: Conversation, calls: int, tag: str) -> None:
    """Add so many turns with a call whose result is long."""
    for number in range(calls):
        name = f"{tag}:{number}"
        result = {"role": "tool", "tool_call_id": name, "content": words(300, f"r{name}-")}
        asked = {"role": "assistant", "content": "", "tool_calls": [call(name)]}
        conversation.add([user(f"q {name}"), asked, result, assistant("ok")])


def stored(manager: MemoryManager) -> str:
    """Return all that is on record, as Python shows it."""
    return repr(manager.store.load(LogKey(namespace=SPACE, name=NAME)).records)


def keeping(request: SummaryRequest) -> Draft:
    """Return notes that hold the code if anything that was read does."""
    draft = notes(request)
    read = f"{request.slice}{request.prefix}{[each.text for each in request.previous]}"
    return Draft(text=f"{CODE} {draft.text}" if CODE in read else draft.text, author=draft.author)


def test_one_undo_takes_back_one_clearing() -> None:
    """Two of them have no notes to tell them apart by."""
    _, conversation, _ = begun()
    shortened = []
    for tag in "ab":
        worked(conversation, 10, tag)
        record = conversation.compact()
        assert record is not None
        shortened.append(len(record.shortened))
    conversation.undo()

    assert shortened[:1] == [len(each.shortened) for each in conversation.compactions()]


def test_undoing_a_clearing_leaves_the_summary_before_it() -> None:
    """Both carry the same notes."""
    _, conversation, _ = begun()
    said(conversation, 8)
    first = conversation.compact(upto=8, summary="We settled on Lisbon.")
    worked(conversation, 10, "a")
    conversation.compact()
    conversation.undo()

    assert [first] == conversation.compactions()


def test_a_turn_that_is_added_meanwhile_does_not_undo_it() -> None:
    """The summary was paid for, and is used."""

    def write(request: SummaryRequest) -> Draft:
        conversation.add([user("meanwhile"), assistant("yes")])
        return notes(request)

    _, conversation, writer = begun(write)
    said(conversation, 10)
    record = conversation.compact(upto=10)

    assert [record] == conversation.compactions()
    assert (1, 22) == (writer.asked, len(conversation.history()))


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_what_is_forgotten_meanwhile_is_not_written_again(turns: int) -> None:
    """Whatever others have said under that name since."""

    def write(_: SummaryRequest) -> Draft:
        conversation.forget()
        said(conversation, turns, "new")
        return Draft(text="The safe stands open.", author="kimi-k2.6")

    manager, conversation, _ = begun(write)
    said(conversation, 20)
    conversation.compact(upto=20)

    assert "The safe" not in stored(manager) + str(conversation.messages())


def test_ones_own_words_survive_every_merge() -> None:
    """They may say more than the messages that they stand for."""
    _, conversation, _ = begun(keeping, notes=0.04, target=0.6)
    said(conversation, 10)
    conversation.compact(upto=12, summary=f"The door code is {CODE}. {words(60, 'mine')}")
    for again in range(10):
        said(conversation, 20, f"{again}.")
        conversation.compact()

    assert CODE in str(conversation.messages()[0])
    assert 0 < max(each.level for each in conversation.compactions()[-1].segments)


def test_what_a_user_asked_for_outlives_its_pin() -> None:
    """Unpinning a sentence takes back the pin, not the wish."""
    _, conversation, _ = begun()
    conversation.add([user(WISH)])
    for turn in range(10):
        conversation.add([assistant(words(60, f"a{turn}-")), user(words(60, f"q{turn}-"))])
    conversation.compact(upto=10)
    conversation.pin(WISH)
    conversation.compact(upto=14)
    conversation.unpin(WISH)

    assert 1 == str(conversation.messages()[0]).count(WISH)


def test_pins_without_room_cost_nothing_again() -> None:
    """The same input has the same view, and is not paid for twice."""
    manager, conversation, writer = begun(budget=1_000, standing=0.3)
    said(conversation, 6)
    for number in range(6):
        conversation.pin(f"Pinned {number} {words(42, f'p{number}-')}")
    conversation.add([user(words(480, "big"))])
    head = [*conversation.history()]
    views = [list(manager.fit(head)) for _ in range(3)]
    asked = writer.asked

    assert views[0] == views[1] == views[2]
    assert asked == writer.asked <= 2


def test_a_kept_question_is_read_when_it_goes() -> None:
    """Also by a merge of the same compaction."""
    _, conversation, _ = begun(
        keeping, budget=1_000, target=0.7, notes=0.1, clear_tool_results="off"
    )
    conversation.add([user(f"What is behind door {CODE}? {words(30, 'q')}")])
    for number in range(40):
        name = f"c:{number}"
        result = {"role": "tool", "tool_call_id": name, "content": words(30, f"r{number}-")}
        asked = {"role": "assistant", "content": "", "tool_calls": [call(name)]}
        conversation.add([asked, result])
        conversation.compact()
    conversation.add([assistant("done")])
    for again in range(10):
        said(conversation, 3, f"{again}.")
        conversation.compact()
        assert CODE in str(conversation.messages())


@dataclass
class Terms:
    """Redacts some words; it cannot be hashed."""

    words: list[str]

    def __call__(self, text: str) -> str:
        """Return a text without them."""
        for word in self.words:
            text = text.replace(word, "***")
        return text


@pytest.mark.parametrize(
    "redact",
    [lambda text: text.replace("w1", "[w1 removed]"), Terms(["w1"])],
    ids=["not idempotent", "without a hash"],
)
def test_redacted_summaries_are_found_again(redact: Callable[[str], str]) -> None:
    """Whatever the function is like."""
    counted = []
    for each in (None, redact):
        _, conversation, writer = begun(budget=1_500, redact=each)
        for turn in range(20):
            said(conversation, 2, f"w{turn}.")
            conversation.compact()
        counted.append(writer.asked)
        assert conversation.compactions()

    assert counted[0] == pytest.approx(counted[1], abs=4)


def test_compactions_of_pins_alone_are_none() -> None:
    """Nothing is covered, and there is nothing to undo."""
    _, conversation, _ = begun()
    said(conversation, 4)
    conversation.pin(WISH)

    assert WISH in str(conversation.messages()[0])
    assert [] == conversation.compactions()
    assert conversation.undo() is None
