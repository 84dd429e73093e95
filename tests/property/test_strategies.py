"""Generated conversations are valid, have every feature, are cheap, and shrink to what matters."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from depth import HARD, examples
from fake_kimi_requests import OFF, send
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from kimi_clients import MODEL, connect
from pairs import unpaired

from memory.messages import role_of, tool_calls
from memory.testing import FakeKimi, strategies
from memory.testing.strategies import ENDS, FEATURES, Feature, Wire

NEVER_STRICT = {"developer", "surrogates"}
COUNTED = settings(
    HARD,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)


def sample(strategy: st.SearchStrategy[Any], *, number: int = 200) -> list[Any]:
    """Return examples of a strategy, the same ones every time."""
    made: list[Any] = []

    @settings(COUNTED, max_examples=number)
    @given(strategy)
    def collect(value: Any) -> None:
        made.append(value)

    collect()
    return made


def frequencies(conversations: Sequence[list[Wire]]) -> Counter[str]:
    """Return how many conversations have each feature."""
    return Counter(name for each in conversations for name in strategies.features(each))


def test_every_feature_occurs() -> None:
    """Among 200 conversations each feature is found at least four times."""
    found = frequencies(sample(strategies.conversations()))

    assert {*FEATURES} == {name for name, number in found.items() if number >= 4}


def test_every_feature_that_kimi_takes_occurs_in_strict_ones() -> None:
    """Strict conversations have all features but the two that Kimi refuses."""
    found = frequencies(sample(strategies.conversations(strict=True)))

    assert {*FEATURES} - NEVER_STRICT == {name for name, number in found.items() if number >= 4}


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_can_be_left_out(feature: Feature) -> None:
    """What is left out does not occur in any of the conversations."""
    found = frequencies(sample(strategies.conversations(without=[feature], most=6), number=30))

    assert feature not in found


def test_leaving_some_out_leaves_the_others() -> None:
    """Only what is left out is missing, and what cannot be without it."""
    gone = {"tools", "parts", "names"}
    found = frequencies(sample(strategies.conversations(without=gone)))

    assert {*FEATURES} - gone - {"batches", "repeated-ids", "media"} == {*found}


def test_nothing_but_plain_talk_is_left() -> None:
    """With everything left out, users and assistants say short texts in ASCII."""
    plain = strategies.conversations(without=FEATURES)
    messages = [message for each in sample(plain, number=60) for message in each]

    assert {"user", "assistant", "system"} >= {role_of(message) for message in messages}
    assert {"role", "content"} >= {key for message in messages for key in message} - {"partial"}
    assert all(message["content"].isascii() for message in messages)


def test_every_end_occurs() -> None:
    """Each way to end is drawn, and each is told by the last message."""
    conversations = sample(strategies.conversations(ends=[*ENDS, "calls"], most=2), number=100)
    last = {"partial" if "partial" in c[-1] else role_of(c[-1]) for c in conversations}

    assert {"user", "tool", "system", "partial", "assistant"} == last - {"developer"}


@pytest.mark.parametrize("end", ENDS)
def test_an_end_can_be_chosen(end: strategies.End) -> None:
    """All conversations end as they are asked to."""
    wanted = {
        "user": {"user"},
        "results": {"tool"},
        "system": {"system", "developer"},
        "partial": {"assistant"},
        "assistant": {"assistant"},
    }[end]

    assert wanted == {
        role_of(c[-1]) for c in sample(strategies.conversations(ends=[end]), number=60)
    }


@examples(50)
@given(strategies.conversations(most=8))
def test_calls_and_results_are_paired(conversation: list[Wire]) -> None:
    """No result without its call and no call without its result, in any request."""
    for request in strategies.requests(conversation):
        assert [] == unpaired(request)


@examples(30)
@given(strategies.conversations(ends=["calls"], most=4))
def test_an_exchange_can_be_left_open(conversation: list[Wire]) -> None:
    """A conversation that ends in calls lacks the result of one at least, and no other does."""
    last = max(place for place, each in enumerate(conversation) if tool_calls(each))
    asked = {call["id"] for call in tool_calls(conversation[last])}
    answered = {each["tool_call_id"] for each in conversation[last + 1 :]}
    rest = conversation[:last]

    assert answered < asked
    assert [] == unpaired(rest)


@examples(30)
@given(strategies.conversations(without=["repeated-ids"], most=8))
def test_ids_can_be_unique(conversation: list[Wire]) -> None:
    """Without repeated ids every call has one of its own, and its result has it too."""
    calls = [call["id"] for message in conversation for call in tool_calls(message)]
    results = [message["tool_call_id"] for message in conversation if role_of(message) == "tool"]

    assert len({*calls}) == len(calls)
    assert sorted(calls) == sorted(results)


@examples(30)
@given(strategies.conversations(most=8))
def test_messages_share_nothing(conversation: list[Wire]) -> None:
    """Each message can be changed without changing another one."""
    parts = [part for each in conversation for part in containers(each)]

    assert len({id(part) for part in parts}) == len(parts)


def containers(value: Any) -> list[Any]:
    """Return all lists and dicts in a value, itself included."""
    if isinstance(value, dict):
        return [value, *[each for item in value.values() for each in containers(item)]]
    if isinstance(value, list):
        return [value, *[each for item in value for each in containers(item)]]
    return []


@examples(30)
@given(strategies.conversations(most=8))
def test_conversations_survive_json(conversation: list[Wire]) -> None:
    """They are what goes over the wire: nothing that JSON would change."""
    assert conversation == json.loads(json.dumps(conversation))


@pytest.mark.parametrize("thinking", [{}, OFF], ids=["thinking", "not"])
@examples(20)
@given(conversation=strategies.conversations(strict=True, most=6))
def test_strict_conversations_are_accepted(conversation: list[Wire], thinking: Wire) -> None:
    """Kimi takes every request of a strict conversation, thinking or not."""
    for request in strategies.requests(conversation):
        status, body = send(FakeKimi(), {"model": MODEL, "messages": request, **thinking})
        assert 200 == status, body


@examples(10)
@given(strategies.conversations(strict=True, most=4))
def test_strict_conversations_go_through_the_sdk(conversation: list[Wire]) -> None:
    """The client of the SDK sends them as they are, and the server answers."""
    fake = FakeKimi()
    with connect(fake) as client:
        create: Any = client.chat.completions.create
        create(model=MODEL, messages=conversation)

    assert [200] == [request.status for request in fake.requests]
    assert conversation == fake.requests[0].body["messages"]


@examples(30)
@given(strategies.conversations(most=8))
def test_requests_grow_to_the_whole_conversation(conversation: list[Wire]) -> None:
    """Every request is a beginning of the next one, and the last one is all there is."""
    made = strategies.requests(conversation)

    assert conversation == made[-1]
    assert all(one == other[: len(one)] for one, other in pairwise(made))


def test_the_simplest_conversation_is_one_word() -> None:
    """Whatever does not matter is gone after shrinking."""
    assert [{"role": "user", "content": "hello"}] == find(
        strategies.conversations(), lambda _: True, settings=HARD
    )


def has_batch(conversation: list[Wire]) -> bool:
    """Tell whether two tools are called at once."""
    return any(len(tool_calls(message)) == 2 for message in conversation)


def test_a_batch_shrinks_to_something_readable() -> None:
    """A question and its exchange at best; how far it gets depends on what ran before."""
    found = find(strategies.conversations(), has_batch, settings=HARD)

    assert has_batch(found)
    assert len(found) <= 12
    assert len(str(found)) <= 1_500


@pytest.mark.parametrize("feature", ["head", "media", "names", "empty", "huge", "repeated-ids"])
def test_a_feature_shrinks_to_few_messages(feature: Feature) -> None:
    """The smallest conversation with a feature has a turn for it, and at most one thing more."""
    smallest = find(
        strategies.conversations(), lambda c: feature in strategies.features(c), settings=HARD
    )

    assert len(smallest) <= 6
    assert max(len(str(message.get("content")).split()) for message in smallest) <= 1_201


def test_a_script_shrinks_to_one_phrase() -> None:
    """A failure that needs Chinese text is shown with one sentence of it and no more."""
    smallest = find(strategies.texts(), lambda text: "北京" in text, settings=HARD)

    assert "我们 明天 上午 去 北京" == smallest


def test_conversations_are_cheap() -> None:
    """A message takes four choices of hypothesis at most, on average, so that many are tried."""
    choices = messages = 0

    @settings(COUNTED, max_examples=15)
    @given(st.data())
    def collect(data: Any) -> None:
        nonlocal choices, messages
        made = data.draw(strategies.conversations(least=20))
        choices += len(data.conjecture_data.nodes)
        messages += len(made)

    collect()
    assert choices < 4 * messages
    assert messages > 15 * 40


def test_sizes_are_bounded() -> None:
    """No conversation has more turns than asked for, and no text more words."""
    small = strategies.conversations(most=3, largest=5, ends=["user"], without=["huge"])
    for conversation in sample(small, number=60):
        assert sum(role_of(message) == "user" for message in conversation) <= 4
        assert len(str(conversation[-1]["content"]).split()) < 60


WRONG: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (strategies.conversations, {"most": -1}, "most=-1"),
    (strategies.conversations, {"least": 3, "most": 2}, "most=2"),
    (strategies.conversations, {"largest": 1.5}, "largest=1.5"),
    (strategies.conversations, {"largest": True}, "largest=True"),
    (strategies.conversations, {"ends": []}, "ends"),
    (strategies.conversations, {"ends": "user"}, "tuple"),
    (strategies.conversations, {"ends": ["nowhere"]}, "nowhere"),
    (strategies.conversations, {"ends": ["calls"], "strict": True}, "calls"),
    (strategies.conversations, {"ends": ["results"], "without": ["tools"]}, "ends"),
    (strategies.conversations, {"strict": 1}, "strict=1"),
    (strategies.conversations, {"without": ["noise"]}, "noise"),
    (strategies.texts, {"largest": "60"}, "largest='60'"),
    (strategies.contents, {"role": "nobody"}, "nobody"),
    (strategies.messages, {"roles": []}, "roles"),
    (strategies.exchanges, {"without": "tools"}, "tuple"),
    (strategies.turns, {"largest": None}, "largest=None"),
    (strategies.endings, {"ends": ["never"]}, "never"),
    (strategies.extras, {"without": ["colour"]}, "colour"),
    (strategies.requests, {"conversation": []}, "at least one"),
    (strategies.requests, {"conversation": "hello"}, "str"),
    (strategies.features, {"conversation": [3]}, "mapping"),
]


@pytest.mark.parametrize(("strategy", "arguments", "said"), WRONG)
def test_wrong_arguments_are_refused_at_once(
    strategy: Callable[..., Any], arguments: dict[str, Any], said: str
) -> None:
    """The call says what is wrong, not the first example."""
    with pytest.raises(InvalidArgument, match=said):
        strategy(**arguments)


def test_a_failure_shows_what_was_asked_for() -> None:
    """The text of a strategy is short enough to be printed with each failure."""
    assert "'media'" in repr(strategies.conversations(most=3, without=["media"]))
    assert len(repr(strategies.conversations())) < 200
