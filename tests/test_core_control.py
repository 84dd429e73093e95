"""What a user does to a conversation: where a range ends, what is refused and in which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from talks import NAME, Talk
from workbench import Workbench, assistant, context, user, words

from memory import events
from memory.errors import BudgetError, ConfigError, HistoryError
from memory.flow import Flow, LogKey
from memory.flow.control import compact, covering_segment, expand, forget, forget_user, pin
from memory.flow.conversation import standing
from memory.policy import NOTES_FRAME, SEGMENT_FRAME
from memory.records import Segment

TURNS = 6
WORDS = "We spoke about words."


def spoken(*, turns: int = TURNS, budget: int = 1_000, size: int = 20) -> Talk:
    """Return a conversation of so many turns, each a question and an answer of so many words."""
    talk = Talk(bench=Workbench(budget))
    for turn in range(turns):
        talk.add(user(words(size, f"q{turn}-")), assistant(words(size, f"a{turn}-")))
    return talk


def compacted(talk: Talk, **how: Any) -> Any:
    """Compact a conversation by hand."""
    given = {"upto": None, "summary": None, **how}
    return talk.run(compact(talk.join(), talk.bench.context, **given))


def refusal(flow: Callable[[], Flow[Any]]) -> tuple[str, int]:
    """Return why a conversation of twelve messages refuses something, and the place it means."""
    talk = spoken()
    before = talk.messages
    with pytest.raises(HistoryError) as caught:
        talk.run(flow())
    assert before == talk.messages
    return str(caught.value), caught.value.index


KEY = Talk().key
NO_SEGMENT = 'is no segment: give one of compactions(), or its range such as "3-17"'


class TestExpand:
    """From a range to the messages."""

    @pytest.mark.parametrize(
        ("text", "places"),
        [
            ("3", [2]),
            ("1-2", [0, 1]),
            (" 3 - 5 ", [2, 3, 4]),
            ("12", [11]),
            ("1-12", list(range(12))),
            ("5,1-2", [0, 1, 4]),
            ("1-3,2-4", [0, 1, 2, 3]),
            ("2, 2", [1]),
        ],
    )
    def test_a_range_means_these(self, text: str, places: list[int]) -> None:
        """Counted from 1, ends included, each once and in order."""
        talk = spoken()

        assert [talk.messages[place] for place in places] == list(talk.run(expand(KEY, text)))

    @pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1,", "1;2", "1-2-3", "1234567890"])
    def test_what_is_no_range_is_shown_one(self, text: str) -> None:
        """The refusal says what it was given and what it takes."""
        assert (f"{text!r} {NO_SEGMENT}", 0) == refusal(lambda: expand(KEY, text))

    def test_a_range_without_end_is_none(self) -> None:
        """Nobody has more than a million messages, and a list of more numbers takes the memory."""
        expected = "1-1000001 is no run of messages of a conversation of 12", 0
        too_long = "1-1000002"

        assert expected == refusal(lambda: expand(KEY, "1-1000001"))
        assert (f"{too_long!r} {NO_SEGMENT}", 0) == refusal(lambda: expand(KEY, too_long))

    @pytest.mark.parametrize(
        ("text", "index"), [("0", 0), ("0-2", 0), ("13", 12), ("12-13", 11), ("5-3", 0), ("40", 39)]
    )
    def test_a_range_of_other_messages_is_told(self, text: str, index: int) -> None:
        """With the first place that it begins at, and how many messages there are."""
        expected = f"{text} is no run of messages of a conversation of 12", index

        assert expected == refusal(lambda: expand(KEY, text))

    def test_a_segment_of_another_conversation_is_told_by_its_range(self) -> None:
        """It names messages that are not there."""
        segment = Segment(text="a", first=11, last=13, tokens=1, author="a")
        expected = "11-13 is no run of messages of a conversation of 12", 10

        assert expected == refusal(lambda: expand(KEY, segment))


class TestCompacting:
    """Compacting by hand."""

    @pytest.mark.parametrize("summary", ["", " \n"])
    def test_a_blank_summary_is_refused(self, summary: str) -> None:
        """Nothing would stand for the messages."""
        with pytest.raises(ConfigError) as caught:
            compacted(spoken(), upto=4, summary=summary)

        assert (
            "summary is blank: say what is to stand for the messages, or leave it to be written"
            == str(caught.value)
        )

    def test_the_whole_conversation_may_go(self) -> None:
        """All but the last question; the end is a place."""
        record = compacted(spoken(), upto=12)

        assert (12, (10,)) == (record.covered, record.kept)
        with pytest.raises(HistoryError, match="13 is no place in a conversation of 12 messages"):
            compacted(spoken(), upto=13)

    @pytest.mark.parametrize(("upto", "covered"), [(1, 1), (2, 2), (3, 3)])
    def test_a_place_is_where_the_rest_begins(self, upto: int, covered: int) -> None:
        """The message at the place stays."""
        talk = spoken()
        record = compacted(talk, upto=upto, summary=WORDS)

        assert (covered, covered) == (record.covered, record.segments[0].last)
        assert talk.messages[upto] in talk.run(standing(talk.join(), talk.bench.context))

    def test_before_the_first_message_there_is_nothing(self) -> None:
        """Nothing is compacted, nothing is asked for and nothing written."""
        talk = spoken()

        assert compacted(talk, upto=0) is None
        assert compacted(talk, upto=0, summary=WORDS) is None
        assert ([], []) == (talk.bench.scribe.requests, talk.bench.events)

    def test_ones_own_words_are_a_segment_of_ones_own(self) -> None:
        """Who wrote it, what it covers and what it costs; nobody's instruction."""
        (segment,) = compacted(spoken(), upto=4, summary=f" {WORDS}\n").segments
        expected = Segment(
            text=WORDS, first=1, last=4, tokens=4, author="caller", own=True, dates=("", "")
        )

        assert expected == segment

    def test_words_that_do_not_fit_are_told_by_their_size(self) -> None:
        """What they need, what there is, and what the rest of the request takes."""
        talk = spoken(budget=400)
        with pytest.raises(BudgetError) as caught:
            compacted(talk, upto=4, summary=words(500))
        error = caught.value

        assert (400, 500) == (error.limit, error.culprits["your summary"])
        assert error.tokens == 500 + error.culprits["everything else"]
        assert 8 * 25 + 4 + NOTES_FRAME + SEGMENT_FRAME == error.culprits["everything else"]
        assert {"your summary", "everything else"} == set(error.culprits)

    def test_later_words_take_the_place_of_those_before(self) -> None:
        """What they stand for is theirs alone; what comes later keeps its own summary."""
        talk = spoken()
        compacted(talk, upto=2, summary="The first two.")
        compacted(talk, upto=4, summary="Up to four.")
        segments = compacted(talk, upto=8, summary="Up to eight.").segments

        assert [("Up to eight.", 1, 8)] == [(s.text, s.first, s.last) for s in segments]

    def test_words_up_to_the_end_of_a_summary_replace_it(self) -> None:
        """The place behind its last message is behind all of it."""
        talk = spoken()
        compacted(talk, upto=4, summary="The first four.")
        segments = compacted(talk, upto=4, summary="Better words.").segments

        assert [("Better words.", 1, 4)] == [(s.text, s.first, s.last) for s in segments]

    def test_words_up_to_the_middle_of_a_summary_change_nothing(self) -> None:
        """It stands for more than they do."""
        talk = spoken()
        compacted(talk, upto=4, summary="The first four.")

        assert compacted(talk, upto=3, summary="Three.") is None

    def test_what_is_compacted_is_told(self) -> None:
        """What it cost before, what it is to cost, and how many messages go."""
        talk = spoken()
        before = talk.bench.tokens(talk.messages)
        record = compacted(talk, upto=4)
        (planned,) = [each for each in talk.bench.events if isinstance(each, events.Planned)]
        (done,) = [each for each in talk.bench.events if isinstance(each, events.Compacted)]

        assert (before, 4, NAME) == (planned.tokens, planned.dropped, planned.conversation)
        assert (4, before, record.tokens_after, True) == (
            done.messages,
            done.tokens_before,
            done.tokens_after,
            done.paid,
        )
        assert record.tokens_after <= planned.projected
        assert record.tokens_before == before


class TestLooking:
    """From a message to what stands for it."""

    def test_each_place_has_its_segment(self) -> None:
        """None where the message is sent itself; the last one is a place, the end is none."""
        talk = spoken()
        (segment,) = compacted(talk, upto=4, summary=WORDS).segments
        places = range(len(talk.messages))
        bench = talk.bench
        found = [talk.run(covering_segment(talk.join(), bench.context, each)) for each in places]

        assert [segment] * 4 + [None] * 8 == found
        with pytest.raises(HistoryError, match="use 0 to 11"):
            talk.run(covering_segment(talk.join(), bench.context, 12))


class TestPinning:
    """What stays in the view."""

    @pytest.mark.parametrize("blank", ["", " \n"])
    def test_a_blank_sentence_is_refused(self, blank: str) -> None:
        """It would quote nothing."""
        talk = spoken()
        with pytest.raises(ConfigError) as caught:
            talk.run(pin(talk.join(), talk.key, blank, held=True))

        assert "the sentence to pin is blank: say what is to be quoted" == str(caught.value)

    def test_only_changes_are_written(self) -> None:
        """Pinning what is pinned and letting go what is not are nothing."""
        talk = spoken()

        def version(what: int | str, *, held: bool) -> int:
            talk.run(pin(talk.join(), talk.key, what, held=held))
            return talk.bench.store.load(talk.key).version

        before = talk.bench.store.load(talk.key).version
        assert [before, before] == [version(3, held=False), version("No pork.", held=False)]
        assert before < (first := version(3, held=True)) == version(3, held=True)
        assert (
            first < (second := version(" No pork. ", held=True)) == version("No pork.", held=True)
        )
        assert ("No pork.",) == talk.past.quoted
        assert second < version("No pork.", held=False)
        assert not talk.past.quoted

    def test_the_end_is_no_message(self) -> None:
        """There is nothing to pin behind the last one."""
        talk = spoken()
        with pytest.raises(HistoryError, match="use 0 to 11"):
            talk.run(pin(talk.join(), talk.key, 12, held=True))


class TestForgetting:
    """What is kept in the process because the store refused it goes too."""

    def test_only_the_conversation_that_is_meant(self) -> None:
        """Another one of the same user stays."""
        talk = spoken()
        other = LogKey(namespace="tests", name="other")
        record = compacted(talk, upto=4, summary=WORDS)
        here = context()
        for key in (talk.key, other):
            here.unsaved.keep(key, record)
        talk.run(forget(here, talk.key))

        assert [(), (record,)] == [tuple(here.unsaved.of(key)) for key in (talk.key, other)]
        assert [] == talk.messages

    def test_only_the_user_that_is_meant(self) -> None:
        """In that namespace; others of the name in another one are other people."""
        talk = spoken()
        record = compacted(talk, upto=4, summary=WORDS)
        keys = [
            LogKey(namespace="tests", user="ann", name="a"),
            LogKey(namespace="tests", user="ann", name="b"),
            LogKey(namespace="tests", user="bob", name="a"),
            LogKey(namespace="others", user="ann", name="a"),
        ]
        here = context()
        for key in keys:
            here.unsaved.keep(key, record)
        talk.run(forget_user(here, "tests", "ann"))

        assert [(), (), (record,), (record,)] == [tuple(here.unsaved.of(key)) for key in keys]
