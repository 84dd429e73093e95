"""What a refusal for size says, and what the caller gets where nothing can be done about it."""

from __future__ import annotations

import openai
import pytest
from refusals import (
    LENGTH,
    LIMIT,
    PICTURES,
    REQUESTED,
    ROOMY,
    SENT,
    deliver,
    fail,
    refused,
    sends,
    status_error,
)
from workbench import LONG, context, kinds_of, system, told, user, words

from memory import events
from memory.errors import StoreError
from memory.flow import Find
from memory.overflow import Overflow, body_too_large, overflow_of


class TestReading:
    """What an error says."""

    @pytest.mark.parametrize(
        ("message", "read"),
        [
            (
                REQUESTED.format(limit=8_192, requested=9_000),
                Overflow(window=8_192, requested=9_000),
            ),
            (REQUESTED.removeprefix("Invalid request: ").format(limit=7, requested=8), (7, 8)),
            (LIMIT.format(limit=8_192), Overflow(window=8_192)),
            (LENGTH, Overflow()),
            (LENGTH.upper(), Overflow()),
        ],
    )
    def test_the_known_wordings_are_understood(self, message: str, read: object) -> None:
        """The window and what was asked for are read where they are stated."""
        if isinstance(read, tuple):
            read = Overflow(window=read[0], requested=read[1])

        assert read == overflow_of(status_error(message))

    @pytest.mark.parametrize("body", ["", [], {"message": 3}, {"message": None}, {}])
    def test_an_odd_body_is_no_obstacle(self, body: object) -> None:
        """Where the body holds no message, the text of the error is read."""
        error = status_error(LENGTH, body=body)
        error.args = (LENGTH,)

        assert Overflow() == overflow_of(error)

    @pytest.mark.parametrize(
        "error",
        [
            ValueError(LENGTH),
            openai.OpenAIError(LENGTH),
            status_error(LENGTH, 429),
            status_error(LENGTH, 500),
            status_error("invalid temperature: only 1 is allowed for this model"),
            status_error("The request was rejected because it was considered high risk"),
            status_error("Request exceeds the maximum size", 413),
            status_error("total message size 3000000 exceeds limit 2097152"),
        ],
    )
    def test_other_errors_are_none(self, error: Exception) -> None:
        """Another status or another text is about something else."""
        assert overflow_of(error) is None

    @pytest.mark.parametrize(
        ("error", "too_large"),
        [
            (status_error("Request exceeds the maximum size", 413), True),
            (status_error("Request exceeds the maximum size", 400), False),
            (ValueError("413"), False),
        ],
    )
    def test_a_body_is_too_large_by_its_status(self, error: Exception, *, too_large: bool) -> None:
        """The wording of a 413 is not known for certain, so it does not matter."""
        assert too_large == body_too_large(error)


class TestRefusal:
    """What the caller gets where no remedy helps."""

    @pytest.mark.parametrize(
        "error",
        [
            ValueError("no"),
            openai.OpenAIError("no"),
            status_error("invalid temperature: only 1 is allowed for this model"),
            status_error(LENGTH, 429),
            status_error("invalid state transition", 500),
            status_error("Not found the model kimi-k2.5 or Permission denied", 404),
        ],
    )
    def test_an_error_about_something_else_is_the_callers(self, error: Exception) -> None:
        """It is the same object, and nothing is sent again."""
        raised, effects = fail(LONG, error)

        assert raised is error
        assert 1 == len(sends(effects))
        assert [] == told(effects, events.WindowLearned) + told(effects, events.Resent)
        assert not hasattr(error, "__notes__")

    @pytest.mark.parametrize("completion", [None, 3_000])
    def test_an_error_after_a_remedy_is_the_callers(self, completion: int | None) -> None:
        """What goes wrong the second time has nothing to do with size."""
        error = status_error("invalid state transition", 500)
        raised, effects = fail(LONG, refused(5_000), error, completion=completion)

        assert raised is error
        assert 2 == len(sends(effects))

    @pytest.mark.parametrize(
        ("completion", "wording", "changes"),
        [
            (None, REQUESTED, ["compaction"]),
            (None, LIMIT, ["compaction"]),
            (None, LENGTH, ["compaction"]),
            (3_000, REQUESTED, ["completion", "compaction"]),
            (3_000, LIMIT, ["completion", "compaction"]),
            (50_000, LIMIT, ["completion", "compaction"]),
        ],
    )
    def test_no_remedy_is_tried_twice(
        self, completion: int | None, wording: str, changes: list[str]
    ) -> None:
        """A server that refuses everything is asked once more for each remedy."""
        refusals = [refused(5_000, wording=wording) for _ in range(9)]
        raised, effects = fail(LONG, *refusals, completion=completion)

        assert changes == [each.change for each in told(effects, events.Resent)]
        assert 1 + len(changes) == len(sends(effects))
        assert raised is refusals[len(changes)]

    def test_a_body_that_stays_too_large_is_not_sent_for_ever(self) -> None:
        """Pictures are compacted once."""
        refusals = [status_error("", 413) for _ in range(9)]
        raised, effects = fail(PICTURES, *refusals)

        assert raised is refusals[1]
        assert 2 == len(sends(effects))

    def test_a_budget_error_behind_it_is_a_note(self) -> None:
        """The refusal is raised, and says what may not be dropped."""
        messages = [system(words(3_000)), user(words(2_000))]
        refusal = refused(5_050)
        raised, effects = fail(messages, refusal)
        (note,) = refusal.__notes__

        assert raised is refusal
        assert 1 == len(sends(effects))
        assert "the messages that may not be dropped need" in note
        assert "system prompt 3,004" in note

    def test_without_anything_to_drop_it_is_raised_as_it_is(self) -> None:
        """Where too large a prompt may be sent, nothing is wrong but the size."""
        messages = [system(words(3_000)), user(words(2_000))]
        refusal = refused(5_050)
        raised, effects = fail(messages, refusal, given=context(budget=ROOMY, oversize="send"))

        assert raised is refusal
        assert not hasattr(refusal, "__notes__")
        assert 1 == len(sends(effects))

    def test_a_picture_in_the_last_question_stays(self) -> None:
        """It is what the caller asks about, so the refusal is theirs to mend."""
        refusal = status_error("", 413)
        raised, effects = fail([*PICTURES[:3], PICTURES[-1]], refusal)

        assert raised is refusal
        assert 1 == len(sends(effects))
        assert "Summarize" not in kinds_of(effects)

    def test_a_store_that_fails_leaves_the_refusal(self) -> None:
        """What failed is told to the hooks; the caller hears what the server said."""
        refusal = status_error("", 413)
        table = {Find: [(), StoreError("gone")]}
        raised, effects = fail(PICTURES, refusal, table=table)

        assert raised is refusal
        assert ["StoreError"] == [each.error for each in told(effects, events.Failed)]

    def test_a_refusal_says_nothing_of_the_conversation_in_events(self) -> None:
        """Events carry numbers, and no text of a message."""
        _, effects = deliver(LONG, refused(2_200, limit=2_000), SENT)

        assert not any("u0-" in repr(each) for each in told(effects, events.Event))
