"""A wrapped client in front of a server that takes smaller bodies than its pictures make."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from fake_kimi_requests import assistant, user
from kimi_clients import HEAD, ask, ask_async, connect, connect_async, is_compacted, sent, summaries
from small_servers import ROOMY, of_kind, quarters, refusals, remembering, server

from memory import MemoryManager, QueueHook, wrap
from memory.events import Resent

PNG = "data:image/png;base64," + "A" * 3_000
TAKEN = 10_000
"""Bytes that the server takes: three pictures are too many."""


def picture(text: str) -> dict[str, Any]:
    """Return a question about a picture that is sent with it."""
    image = {"type": "image_url", "image_url": {"url": PNG}}
    return {"role": "user", "content": [{"type": "text", "text": text}, image]}


def album(pictures: int) -> list[dict[str, Any]]:
    """Return a conversation with a picture in each question, which ends with one without."""
    messages = [dict(HEAD)]
    for number in range(pictures):
        messages += [picture(f"What is in crate {number}?"), assistant(f"Crate {number}: tea.")]
    return [*messages, user("And all together?")]


def pictures_in(messages: Any) -> int:
    """Return how many pictures messages hold."""
    return str(messages).count("image_url': {")


def test_pictures_that_may_be_dropped_are_compacted() -> None:
    """What holds them is summarised, and the request sent once more."""
    fake = server(max_body=TAKEN)
    hook = QueueHook()
    reply = ask(remembering(fake, hooks=(hook,)), album(5))
    first, second = sent(fake)

    assert reply.choices
    assert [413] == refusals(fake)
    assert (5, 0) == (pictures_in(first), pictures_in(second))
    assert is_compacted(second, album(5))
    assert ["media"] == [event.change for event in of_kind(hook.drain(), Resent)]


def test_a_single_picture_is_enough() -> None:
    """One message gives way to one message."""
    fake = server(max_body=3_000)
    ask(remembering(fake), album(1))

    assert [413] == refusals(fake)
    assert 0 == pictures_in(sent(fake)[-1])


def test_the_summary_is_asked_for_without_them() -> None:
    """It would be refused for the same reason."""
    fake = server(max_body=TAKEN)
    ask(remembering(fake), album(5))
    (summary,) = summaries(fake)

    assert PNG not in str(summary)


@pytest.mark.parametrize("before", [0, 1, 4])
def test_the_picture_of_the_last_question_is_never_stripped(before: int) -> None:
    """It is what the caller asks about."""
    fake = server(max_body=TAKEN)
    messages = [*album(before)[:-1], picture("And this?")]
    ask(remembering(fake), messages)

    assert messages[-1] == sent(fake)[-1][-1]


def test_pictures_that_may_not_be_dropped_leave_the_refusal() -> None:
    """The error of the server is the caller's; nothing is summarised or sent again."""
    fake = server(max_body=3_000)
    wrapped = remembering(fake)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(wrapped, [HEAD, user("Hello"), assistant("Hello"), picture("What is this?")])

    assert 413 == caught.value.status_code
    assert ["chat"] == [request.kind for request in fake.requests]


def test_it_is_sent_once_more_and_not_for_ever() -> None:
    """What is too large without them is refused."""
    fake = server(max_body=3_000)
    wrapped = remembering(fake)
    with pytest.raises(openai.APIStatusError, match="413"):
        ask(wrapped, [*album(3)[:-1], picture("And this?")])

    assert [413, 413] == refusals(fake)


def test_pinned_pictures_stay() -> None:
    """What the caller pinned is not dropped for its size."""
    fake = server(max_body=TAKEN)
    manager = MemoryManager(budget=ROOMY, tokenizer=quarters, hooks=())
    messages = album(5)
    ask(manager.with_options(pinned=[messages[1]]).wrap(connect(fake)), messages)

    assert messages[1] in sent(fake)[-1]
    assert 1 == pictures_in(sent(fake)[-1])


def test_later_calls_stay_small() -> None:
    """The compaction is on record, so the next call is not refused."""
    fake = server(max_body=TAKEN)
    wrapped = remembering(fake)
    messages = album(5)
    ask(wrapped, messages)
    compacted = sent(fake)[-1]
    messages += [assistant("Tea."), picture("And this?")]
    ask(wrapped, messages)

    assert [413] == refusals(fake)
    assert [*compacted, *messages[-2:]] == sent(fake)[-1]
    assert 1 == len(summaries(fake))


@pytest.mark.parametrize("stream", [False, True])
def test_a_long_album_is_looked_through(*, stream: bool) -> None:
    """Whenever there are too many pictures, those before the last question are compacted."""
    fake = server(max_body=TAKEN)
    wrapped = remembering(fake)
    messages = [dict(HEAD)]
    for number in range(12):
        messages.append(picture(f"What is in crate {number}?"))
        reply = ask(wrapped, messages, stream=stream)
        assert not stream or list(reply)
        messages.append(assistant("Tea."))

    assert 1 <= len(refusals(fake)) <= 6
    assert len(refusals(fake)) == len(summaries(fake))


def test_asynchronous_clients_are_mended() -> None:
    """The same goes for them."""
    fake = server(max_body=TAKEN)

    async def scenario() -> None:
        await ask_async(wrap(connect_async(fake), budget=ROOMY, tokenizer=quarters), album(5))

    asyncio.run(scenario())

    assert [413] == refusals(fake)
    assert is_compacted(sent(fake)[-1], album(5))
