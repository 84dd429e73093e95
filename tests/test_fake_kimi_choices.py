"""The models that were retired, which do not think and give several choices when asked to."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kimi_requests import CALL, assistant, chat, send, user
from kimi_clients import connect, exactly

from memory.testing import FakeKimi, Fault

OLD = "moonshot-v1-32k"
HELLO: Any = [user("Hello")]
TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}


def legacy(**settings: Any) -> FakeKimi:
    """Return a server that serves the retired models and says what it is told."""
    return FakeKimi(legacy=True, **({"reply": lambda _: "Hi."} | settings))


def contents(reply: Any) -> list[str]:
    """Return the texts of a reply, by their index."""
    return [choice.message.content for choice in sorted(reply.choices, key=lambda c: c.index)]


def streamed(fake: FakeKimi, **more: Any) -> list[Any]:
    """Return the chunks of a streamed reply with three choices."""
    create: Any = connect(fake).chat.completions.create
    return list(create(model=OLD, messages=HELLO, n=3, stream=True, **more))


def test_as_many_choices_are_given_as_asked_for() -> None:
    """Each choice says something of its own."""
    reply = connect(legacy()).chat.completions.create(model=OLD, messages=HELLO, n=3)

    assert ["Hi.", "Hi. (2)", "Hi. (3)"] == contents(reply)
    assert [0, 1, 2] == [choice.index for choice in reply.choices]


def test_the_usage_counts_all_choices_together() -> None:
    """The prompt is billed once, and every completion."""
    fake = legacy(count_text=len)
    reply = connect(fake).chat.completions.create(model=OLD, messages=HELLO, n=2)
    usage = reply.usage

    assert usage is not None
    assert (12, 4 + 8, 24) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    assert 12 == fake.requests[0].completion_tokens


def test_a_recorded_reply_is_the_first_choice() -> None:
    """The others are the server's own, and only one reply leaves the queue."""
    fake = legacy()
    fake.queue_reply("one")
    fake.queue_reply("two")
    create: Any = connect(fake).chat.completions.create
    replies = [create(model=OLD, messages=HELLO, n=2) for _ in range(2)]

    assert [["one", "Hi. (2)"], ["two", "Hi. (2)"]] == [contents(reply) for reply in replies]


def test_recorded_calls_are_made_in_the_first_choice() -> None:
    """A choice that calls ends for that reason, one that speaks for another."""
    fake = legacy()
    fake.queue_reply({"role": "assistant", "content": None, "tool_calls": [CALL]})
    reply = connect(fake).chat.completions.create(model=OLD, messages=HELLO, n=2)

    assert ["tool_calls", "stop"] == [choice.finish_reason for choice in reply.choices]


def test_choices_are_streamed_side_by_side() -> None:
    """Every chunk has one choice and names its index; each of them finishes."""
    chunks = [chunk.choices[0] for chunk in streamed(legacy())]
    texts = [""] * 3
    for choice in chunks:
        texts[choice.index] += choice.delta.content or ""

    assert ["Hi.", "Hi. (2)", "Hi. (3)"] == texts
    assert [0, 1, 2, 0, 1, 2] == [choice.index for choice in chunks[:6]]
    assert [0, 1, 2] == [choice.index for choice in chunks if choice.finish_reason]


def test_the_sdk_puts_streamed_choices_together() -> None:
    """The stream of the SDK ends with the same choices as a whole reply."""
    with connect(legacy()).chat.completions.stream(model=OLD, messages=HELLO, n=3) as events:
        reply = events.get_final_completion()

    assert ["Hi.", "Hi. (2)", "Hi. (3)"] == contents(reply)


def test_the_usage_of_streamed_choices_stands_in_the_last_one() -> None:
    """It is told once within the choices, for all of them, and once more if asked for."""
    fake = legacy()
    *chunks, last = streamed(fake, stream_options={"include_usage": True})
    within = [chunk for chunk in chunks if hasattr(chunk.choices[0], "usage")]

    assert ([chunks[-1]], []) == (within, last.choices)
    assert last.usage.to_dict() == chunks[-1].choices[0].usage
    assert fake.requests[0].completion_tokens == last.usage.completion_tokens


def test_a_fault_spoils_every_choice() -> None:
    """Truncated choices are all truncated."""
    fake = legacy(reply=lambda _: "0123456789", faults=[Fault.TRUNCATED])
    reply = connect(fake).chat.completions.create(model=OLD, messages=HELLO, n=2)

    assert ["01234", "0123456"] == contents(reply)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n": 0}, "n must be between 1 and 5"),
        ({"n": 6}, "n must be between 1 and 5"),
        ({"n": 1.5}, "n must be an integer"),
        ({"temperature": 1.5}, "temperature must be between 0 and 1"),
        ({"presence_penalty": -3}, "presence_penalty must be between -2 and 2"),
    ],
)
def test_free_sampling_has_bounds(given: dict[str, Any], words: str) -> None:
    """Old models take any value within the documented bounds and none outside."""
    status, body = send(legacy(), {"model": OLD, "messages": HELLO, **given})

    assert (400, f"Invalid request: {words}") == (status, body["error"]["message"])


@pytest.mark.parametrize("model", [OLD, "kimi-k2-0905-preview"])
def test_old_models_leave_sampling_to_the_caller(model: str) -> None:
    """What newer models fix is free, and thinking is a field they do not know."""
    free = {"temperature": 0.3, "top_p": 0.5, "frequency_penalty": 1, "n": 2}
    reply = chat(legacy(), user("Hello"), model=model, thinking={"type": "disabled"}, **free)

    assert 2 == len(reply["choices"])
    assert "reasoning_content" not in reply["choices"][0]["message"]


def test_newer_models_give_one_choice() -> None:
    """There the number is fixed."""
    status, body = send(FakeKimi(), {"model": "kimi-k2.6", "messages": HELLO, "n": 2})

    assert (400, "invalid n: only 1 is allowed for this model") == (
        status,
        body["error"]["message"],
    )


@exactly
def test_old_models_have_no_place_for_thoughts() -> None:
    """The prompt is 4 tokens a message around its content, and 3 for the reply."""
    reply = chat(legacy(), user("Hello"), assistant("Hello"), user("Hello"), model=OLD)

    assert 3 * (4 + 1) + 3 == reply["usage"]["prompt_tokens"]


def test_old_models_see_tools_as_json() -> None:
    """A declaration costs something else than the namespace newer models see."""
    prompts = [
        chat(legacy(), user("Hello"), model=model, tools=[TOOL])["usage"]["prompt_tokens"]
        for model in (OLD, "kimi-k2.5")
    ]

    assert prompts[0] != prompts[1]


def test_old_models_have_their_own_windows() -> None:
    """The windows are in the names; thinking and images are not offered."""
    cards = {card["id"]: card for card in send(legacy(), path="/v1/models")[1]["data"]}
    windows = [cards[f"moonshot-v1-{size}k"]["context_length"] for size in (8, 32, 128)]

    assert [8_192, 32_768, 131_072] == windows
    assert not cards[OLD]["supports_reasoning"]
    assert cards["kimi-k2.5"]["supports_reasoning"]
