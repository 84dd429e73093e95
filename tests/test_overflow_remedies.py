"""What a turn does about a refusal for its size: each remedy once, and what it learns from it."""

from __future__ import annotations

import pytest
from refusals import (
    LENGTH,
    LIMIT,
    PICTURES,
    REQUESTED,
    RESPONSE,
    ROOMY,
    SENT,
    WINDOW,
    deliver,
    refused,
    replied,
    sends,
    status_error,
    tokens_of,
)
from workbench import (
    LONG,
    MODEL,
    answers,
    assistant,
    chat,
    context,
    kinds_of,
    play,
    prompt,
    told,
    user,
    words,
)

from memory import events
from memory.flow import Send, send
from memory.records import LogKey


class TestLearning:
    """What a refusal teaches about the window."""

    @pytest.mark.parametrize(
        ("wording", "window", "stated"), [(REQUESTED, WINDOW, True), (LIMIT, WINDOW, True)]
    )
    def test_a_stated_window_is_told(self, wording: str, window: int, *, stated: bool) -> None:
        """The hooks hear which window was learnt, and that the server named it."""
        given = context(budget=ROOMY)
        _, effects = deliver(LONG, refused(5_000, wording=wording), SENT, given=given)
        (learned,) = told(effects, events.WindowLearned)

        assert (MODEL, window, stated) == (learned.model, learned.window, learned.stated)
        assert window == given.windows.of(MODEL)

    def test_what_was_refused_bounds_a_window_that_is_not_stated(self) -> None:
        """Without a number the window is below the prompt that was refused."""
        given = context(budget=ROOMY)
        _, effects = deliver(LONG, refused(0, wording=LENGTH), SENT, given=given)
        (learned,) = told(effects, events.WindowLearned)

        assert not learned.stated
        assert tokens_of(LONG, given) == learned.window == given.windows.of(MODEL)

    def test_news_is_told_once(self) -> None:
        """A window that is known is not told again."""
        given = context(budget=ROOMY)
        _, first = deliver(LONG, refused(5_000), SENT, given=given)
        _, second = deliver(chat(100), refused(5_000), SENT, given=given)

        assert [1, 0] == [len(told(each, events.WindowLearned)) for each in (first, second)]

    def test_it_holds_for_later_calls(self) -> None:
        """The next prompt over the window is compacted before it is sent."""
        given = context(budget=ROOMY)
        deliver(LONG, refused(5_000, limit=1_500), SENT, given=given)
        _, effects = deliver(chat(50), SENT, given=given)
        (only,) = sends(effects)

        assert len(only.fitted.messages) < len(chat(50))
        assert only.fitted.tokens < 1_500

    def test_it_holds_for_that_model_only(self) -> None:
        """Another model is sent what it can take."""
        given = context(budget=ROOMY)
        deliver(LONG, refused(5_000, limit=1_500), SENT, given=given)
        _, effects = deliver(LONG, SENT, given=given, model="kimi-k3")

        assert [False] == [each.fitted.changed for each in sends(effects)]

    @pytest.mark.parametrize("completion", [WINDOW - 1, WINDOW, WINDOW + 1, 32_768, 10**9])
    def test_a_reply_larger_than_the_room_is_lowered_at_once(self, completion: int) -> None:
        """A `max_completion_tokens` that cannot fit is not left to the server to refuse again."""
        given = context(budget=ROOMY)
        deliver(LONG, refused(5_000), SENT, given=given)
        _, effects = deliver(chat(3), SENT, given=given, completion=completion)
        (only,) = sends(effects)

        assert not only.fitted.changed
        assert only.completion is not None
        assert 0.9 * WINDOW < tokens_of(chat(3), given) + only.completion < WINDOW

    @pytest.mark.parametrize("completion", [None, 1, WINDOW // 4])
    def test_a_reply_within_the_window_is_the_callers(self, completion: int | None) -> None:
        """What fits is not touched."""
        given = context(budget=ROOMY)
        deliver(LONG, refused(5_000), SENT, given=given)
        _, effects = deliver(chat(3), SENT, given=given, completion=completion)

        assert [None] == [each.completion for each in sends(effects)]

    @pytest.mark.parametrize("completion", [3_000, 3_600, 3_990, WINDOW - 1])
    def test_what_was_mended_is_not_refused_by_memory(self, completion: int) -> None:
        """A call that went through with less room for its reply goes through again."""
        given = context(budget=ROOMY)
        first, _ = deliver(LONG, refused(6_000), SENT, given=given, completion=completion)
        second, _ = deliver(LONG, SENT, given=given, completion=completion)

        assert [RESPONSE, RESPONSE] == [first, second]

    def test_the_table_does_not_bound_what_the_server_states(self) -> None:
        """A model that the table does not know may have a larger window than it is taken to."""
        given = context(budget=ROOMY * 10)
        messages = [user(words(150_000)), assistant(words(20_000)), user("q")]
        refusal = refused(170_050, limit=160_000)
        _, effects = deliver(messages, refusal, SENT, given=given, model="someone-elses")
        (learned,) = told(effects, events.WindowLearned)

        assert 160_000 == learned.window == given.windows.of("someone-elses")


class TestRemedies:
    """What is sent instead of what was refused."""

    def test_less_room_for_the_reply_comes_first(self) -> None:
        """Where the prompt alone fits, `max_completion_tokens` gives way and nothing is dropped."""
        given = context(budget=ROOMY)
        tokens = tokens_of(LONG, given)
        response, effects = deliver(
            LONG, refused(tokens + 3_000), SENT, given=given, completion=3_000
        )
        first, second = sends(effects)
        (resent,) = told(effects, events.Resent)

        assert response is RESPONSE
        assert first.completion is None
        assert second.completion is not None
        assert 0.9 * WINDOW < tokens + second.completion < WINDOW
        assert second.fitted.messages is LONG
        assert ("completion", tokens) == (resent.change, resent.tokens)
        assert "Summarize" not in kinds_of(effects)

    def test_a_compaction_follows_where_the_prompt_is_too_large(self) -> None:
        """It is compacted once and sent once more."""
        response, effects = deliver(LONG, refused(2_200, limit=2_000), SENT)
        first, second = sends(effects)
        (resent,) = told(effects, events.Resent)

        assert response is RESPONSE
        assert first.fitted.messages is LONG
        assert second.fitted.changed
        assert len(second.fitted.messages) < len(LONG)
        assert (LONG[0], LONG[-1]) == (second.fitted.messages[0], second.fitted.messages[-1])
        assert ("compaction", second.fitted.tokens) == (resent.change, resent.tokens)
        assert 1 == kinds_of(effects).count("Summarize")
        assert 1 == kinds_of(effects).count("Compacted")

    def test_a_compaction_follows_less_room_that_was_not_enough(self) -> None:
        """The remedies are tried in their order, each once."""
        refusals = [refused(5_000), refused(5_000)]
        response, effects = deliver(LONG, *refusals, SENT, completion=3_000)

        assert response is RESPONSE
        assert ["completion", "compaction"] == [
            each.change for each in told(effects, events.Resent)
        ]
        assert 3 == len(sends(effects))

    def test_a_larger_reply_than_the_window_is_lowered_beside_the_compaction(self) -> None:
        """Neither alone would do."""
        _, effects = deliver(LONG, refused(40_000, limit=2_000), SENT, completion=32_768)
        _, second = sends(effects)

        assert second.completion is not None
        assert second.fitted.tokens + second.completion <= 2_000

    def test_what_the_server_counts_has_to_fit(self) -> None:
        """Where it counts more than we do, the prompt is made smaller by as much."""
        given = context(budget=ROOMY)
        factor = 1.5
        requested = int(factor * tokens_of(LONG, given))
        _, effects = deliver(LONG, refused(requested, limit=3_000), SENT, given=given)
        _, second = sends(effects)

        assert factor * second.fitted.tokens <= given.limit(prompt(LONG))

    def test_what_was_refused_is_made_smaller_without_a_number(self) -> None:
        """A refusal that names no figure still says that this was too much."""
        _, effects = deliver(LONG, refused(0, wording=LENGTH), SENT)
        first, second = sends(effects)

        assert len(second.fitted.messages) < len(first.fitted.messages)

    def test_a_view_that_was_refused_is_compacted_further(self) -> None:
        """A prompt that had been compacted before it was sent gives way as well."""
        given = context(budget=2_000)
        _, effects = deliver(LONG, refused(0, wording=LENGTH), SENT, given=given)
        first, second = sends(effects)

        assert first.fitted.changed
        assert second.fitted.tokens < first.fitted.tokens

    def test_the_reply_teaches_what_was_sent_at_last(self) -> None:
        """The usage of the reply is booked on the prompt that it speaks of."""
        given = context(budget=ROOMY, identifiers=0)
        refusal = refused(2_200, limit=2_000)
        _, effects = deliver(LONG, refusal, replied(prompt_tokens=700), given=given)

        assert 700 == tokens_of(sends(effects)[-1].fitted.messages, given)

    def test_what_holds_pictures_is_compacted_when_the_body_is_too_large(self) -> None:
        """The last picture that may be dropped goes, and all before it; the rest is untouched."""
        response, effects = deliver(PICTURES, status_error("", 413), SENT)
        _, second = sends(effects)
        (resent,) = told(effects, events.Resent)

        assert response is RESPONSE
        assert PICTURES[0] == second.fitted.messages[0]
        assert PICTURES[4:] == list(second.fitted.messages[2:])
        assert ("media", second.fitted.tokens) == (resent.change, resent.tokens)

    def test_a_single_message_with_a_picture_is_enough(self) -> None:
        """Notes in place of one message are a change too, though the number stays the same."""
        messages = [PICTURES[0], *PICTURES[3:5], user("q")]
        response, effects = deliver(messages, status_error("", 413), SENT)

        assert response is RESPONSE
        assert messages[2:] == list(sends(effects)[-1].fitted.messages[2:])


class TestConversation:
    """A prompt that is sent again in a conversation that memory keeps."""

    def test_a_turn_is_put_on_record_once(self) -> None:
        """However often it was sent, it is one turn."""
        named = prompt(LONG, conversation="trip", log=LogKey(namespace="tests", name="trip"))
        outcomes = [refused(2_200, limit=2_000), replied(prompt_tokens=350)]
        _, effects = play(send(named, context(budget=ROOMY)), {**answers(), Send: outcomes})

        assert 1 == len(told(effects, events.Recorded))
        assert 1 == kinds_of(effects).count("Summarize")
