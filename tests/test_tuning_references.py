"""What is wanted of a prompt: what later turns take from the history, or what is asked of it."""

from __future__ import annotations

from typing import Any

from tuning import talk, with_calls

from memory.recording import join, steps
from memory.tuning.references import Questions, References, asked_of, wanted


def asked(conversation: dict[str, Any], *, prompt: slice) -> list[float]:
    """Return what all prompts have, each with only a part of the history."""
    recalled = wanted(conversation)
    return [
        share for step in steps(conversation) for share in recalled.ask(step, step.messages[prompt])
    ]


def test_a_whole_history_has_all_that_is_referred_to() -> None:
    """It is the ceiling."""
    shares = asked(talk(), prompt=slice(None))

    assert [1.0] * 8 == shares


def test_the_latest_messages_have_only_what_stands_there() -> None:
    """Each reply names a code of four turns before."""
    assert [0.0] * 8 == asked(talk(), prompt=slice(-3, None))
    assert [1.0] * 8 == asked(talk(), prompt=slice(-9, None))


def test_what_stands_in_the_last_exchange_is_no_reference() -> None:
    """It is there whatever is dropped."""
    messages = [
        {"role": "user", "content": "The word is quixotic."},
        {"role": "assistant", "content": "Noted: quixotic."},
    ]
    (conversation,) = join([{"id": "one", "messages": messages}], chain=1)

    assert [] == asked(conversation, prompt=slice(None))


def test_a_common_word_is_no_reference() -> None:
    """One that stands in many messages says nothing of any of them."""
    messages = [
        {"role": role, "content": "zebra"} for _ in range(6) for role in ("user", "assistant")
    ]
    (conversation,) = join([{"id": "one", "messages": messages}], chain=1)
    late = [*steps(conversation)][-1]

    recalled = References(conversation)

    assert [] == recalled.ask(late, late.messages)


def test_values_of_calls_are_references() -> None:
    """The booking is passed with every call."""
    shares = asked(with_calls(turns=3), prompt=slice(None))

    assert [1.0] * 3 == shares


def test_a_prompt_that_was_not_sent_has_nothing() -> None:
    """What is wanted all the same counts."""
    assert [0.0] * 3 == asked(with_calls(turns=3), prompt=slice(0, 0))


def questioned() -> dict[str, Any]:
    """Return a conversation with two questions, of which one has a wrong answer."""
    conversation = talk(turns=10)
    ids = [f"m{place}" for place in range(len(conversation["messages"]))]
    probes = [
        {"qid": "a", "question": "?", "answers": ["zeta3"], "evidence": ["m7"]},
        {"qid": "b", "question": "?", "answers": ["x"], "evidence": [], "flags": ["audit:WRONG"]},
    ]
    return {**conversation, "ids": ids, "probes": probes}


def test_questions_are_asked_once_their_evidence_was_said() -> None:
    """Of every fifth prompt: the fifth has nine messages, the tenth all."""
    conversation = questioned()

    assert [1.0, 1.0] == asked(conversation, prompt=slice(None))
    assert [1.0, 0.0] == asked(conversation, prompt=slice(-3, None))


def test_questions_of_one_conversation_are_what_counts_for_all() -> None:
    """Recall of two kinds cannot be averaged."""
    conversations = [talk(), questioned()]

    assert isinstance(wanted(conversations[0], [conversations[0]]), References)
    assert isinstance(wanted(conversations[1], conversations), Questions)
    assert "answers" in asked_of(conversations)
    assert "later replies" in asked_of(conversations[:1])


def test_one_without_questions_beside_one_with_them_is_asked_nothing() -> None:
    """It is paid for, and says nothing of recall."""
    conversations = [talk(), questioned()]
    recalled = wanted(conversations[0], conversations)

    assert [] == [s for step in steps(conversations[0]) for s in recalled.ask(step, step.messages)]
