"""A wrapped client and the Responses API: its input is fitted where it is all there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from fake_kimi_requests import OFF
from kimi_clients import (
    BUDGET,
    MODEL,
    NOTES,
    Shelf,
    connect,
    connect_async,
    exactly,
    summaries,
)
from openai.types.responses import Response
from response_items import (
    FLAT_TOOL,
    Item,
    asked,
    call,
    output,
    pairs,
    said,
    shown,
    thought,
    turns,
)

from memory import BudgetError, QueueHook, wrap
from memory.events import Compacted, Counted, Event, Resent, WindowLearned
from memory.testing import FakeKimi

if TYPE_CHECKING:
    from openai import OpenAI

SAID = '{"crate": 1, "shelf": 7}'
ROOMY = 100_000


def inputs(fake: FakeKimi) -> list[Any]:
    """Return the input of each turn that reached the server."""
    return [request.body["input"] for request in fake.requests if request.kind == "chat"]


def respond(client: OpenAI, given: Any, **more: Any) -> Any:
    """Ask for a response."""
    create: Any = client.responses.create
    return create(**({"model": MODEL, "input": given, "extra_body": OFF} | more))


def of_kind(events: list[Event], kind: type[Event]) -> list[Any]:
    """Return the events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def is_fitted(actual: list[Any], given: list[Item], *, head: int = 1) -> bool:
    """Tell whether an input is a head, one item with notes and a suffix of the items given."""
    tail = actual[head + 1 :]
    return (
        len(actual) < len(given)
        and actual[:head] == given[:head]
        and actual[head].keys() == {"role", "content"}
        and NOTES in actual[head]["content"]
        and tail == given[len(given) - len(tail) :]
    )


def create(client: OpenAI) -> None:
    """Call `create`."""
    assert respond(client, turns(30)).output_text


def create_streaming(client: OpenAI) -> None:
    """Call `create(stream=True)` and read the stream."""
    kinds = [event.type for event in respond(client, turns(30), stream=True)]
    assert "response.completed" == kinds[-1]


def stream_helper(client: OpenAI) -> None:
    """Use the `stream` helper."""
    items: Any = turns(30)
    with client.responses.stream(model=MODEL, input=items) as stream:
        assert stream.get_final_response().output_text


def parse(client: OpenAI) -> None:
    """Call `parse`."""
    items: Any = turns(30)
    reply = client.responses.parse(model=MODEL, input=items, text_format=Shelf)
    assert Shelf(crate=1, shelf=7) == reply.output_parsed


def raw(client: OpenAI) -> None:
    """Ask for a raw response."""
    items: Any = turns(30)
    assert client.responses.with_raw_response.create(model=MODEL, input=items).parse().output


def unread(client: OpenAI) -> None:
    """Ask for a response that is read in the `with` block."""
    items: Any = turns(30)
    with client.responses.with_streaming_response.create(model=MODEL, input=items) as response:
        assert b"output_text" in response.read()


def post(client: OpenAI) -> None:
    """Call the bare `post`."""
    body = {"model": MODEL, "input": turns(30)}
    assert client.post("/responses", cast_to=Response, body=body).output


def extra_body(client: OpenAI) -> None:
    """Override the input in `extra_body`."""
    client.responses.create(model=MODEL, input="Hi", extra_body={"input": turns(30)})


STYLES = [create, create_streaming, stream_helper, parse, raw, unread, post, extra_body]


@pytest.mark.parametrize("style", STYLES)
def test_every_call_style_is_fitted(style: Callable[[OpenAI], None]) -> None:
    """Over the budget, the input is its head, one item with notes, and its latest items."""
    fake = FakeKimi(reply=lambda _: SAID)
    hook = QueueHook()
    style(wrap(connect(fake), budget=BUDGET, hooks=(hook,)))
    (only,) = inputs(fake)

    assert is_fitted(only, turns(30))
    assert 1 == len(summaries(fake)) == len(of_kind(hook.drain(), Compacted))
    assert BUDGET >= fake.requests[-1].prompt_tokens


def test_asynchronous_calls_are_fitted() -> None:
    """The same goes for asynchronous clients."""
    fake = FakeKimi(reply=lambda _: SAID)
    items: Any = turns(30)

    async def scenario() -> None:
        wrapped = wrap(connect_async(fake), budget=BUDGET, hooks=())
        await wrapped.responses.create(model=MODEL, input=items)
        stream = await wrapped.responses.create(model=MODEL, input=items, stream=True)
        assert [event async for event in stream]
        async with wrapped.responses.stream(model=MODEL, input=items) as helper:
            await helper.until_done()
        await wrapped.responses.parse(model=MODEL, input=items, text_format=Shelf)
        await wrapped.responses.with_raw_response.create(model=MODEL, input=items)

    asyncio.run(scenario())

    assert 5 == len(inputs(fake))
    assert all(is_fitted(each, items) for each in inputs(fake))
    assert 1 == len(summaries(fake))


class TestInput:
    """What an input becomes."""

    @pytest.mark.parametrize("budget", range(600, 3_000, 300))
    def test_calls_and_results_stay_together(self, budget: int) -> None:
        """Wherever the cut is, no call is without its result and no result without its call."""
        fake = FakeKimi()
        respond(wrap(connect(fake), budget=budget, hooks=()), turns(30))
        calls, results = pairs(inputs(fake)[-1])

        assert calls == results
        assert is_fitted(inputs(fake)[-1], turns(30))

    @pytest.mark.parametrize("budget", range(600, 3_000, 300))
    def test_a_call_keeps_its_thought(self, budget: int) -> None:
        """What a model says in one go is kept or dropped as one; some servers insist on it."""
        fake = FakeKimi()
        respond(wrap(connect(fake), budget=budget, hooks=()), turns(30))
        kept = inputs(fake)[-1]
        thoughts = {item["id"].removeprefix("rs_") for item in kept if "rs_" in item.get("id", "")}

        assert {ident.removeprefix("weigh:") for ident in pairs(kept)[0]} == thoughts

    @pytest.mark.parametrize("budget", range(600, 2_400, 300))
    def test_a_message_may_stand_between_a_call_and_its_result(self, budget: int) -> None:
        """A response may end with a message, and its results come after."""
        items = [asked("Be brief.", role="developer")]
        for number in range(30):
            speech = [call(f"a:{number}"), call(f"b:{number}"), said("I weigh it now. " * 5)]
            items += [asked(f"Crate {number}?"), thought("Hm."), *speech]
            items += [output(f"a:{number}"), said("One more."), output(f"b:{number}")]
        items.append(asked("And all?"))
        fake = FakeKimi()
        respond(wrap(connect(fake), budget=budget, hooks=()), items)

        assert is_fitted(inputs(fake)[-1], items)

    def test_ids_may_come_again(self) -> None:
        """Calls are matched with the results that follow them."""
        items = [asked("Be brief.", role="developer")]
        for number in range(40):
            items += [asked(f"Crate {number} came in. Weigh it and note its weight.")]
            items += [call(f"weigh:{number % 2}"), output(f"weigh:{number % 2}", "12 kg " * 9)]
            items += [said(f"Noted: crate {number} weighs 12 kg. " * 3)]
        items.append(asked("And all?"))
        fake = FakeKimi()
        respond(wrap(connect(fake), budget=BUDGET, hooks=()), items)
        kept = inputs(fake)[-1]

        assert is_fitted(kept, items)
        assert fake.requests[-1].prompt_tokens > 0.3 * BUDGET

    @pytest.mark.parametrize("head", [0, 1, 3])
    def test_notes_follow_the_head(self, head: int) -> None:
        """Right after the leading system and developer items, however many."""
        roles = ["system", "developer", "system"][:head]
        items = [*(asked("Be brief.", role=role) for role in roles), *turns(30, head=False)]
        fake = FakeKimi()
        respond(wrap(connect(fake), budget=BUDGET, hooks=()), items)

        assert is_fitted(inputs(fake)[-1], items, head=head)

    def test_instructions_are_not_part_of_it(self) -> None:
        """They stay where they are, and are counted."""
        fake = FakeKimi()
        instructions = "Answer in one sentence. " * 60
        items = turns(30, head=False)
        wrapped = wrap(connect(fake), budget=BUDGET, hooks=())
        respond(wrapped, items, instructions=instructions)
        body = fake.requests[-1].body

        assert instructions == body["instructions"]
        assert is_fitted(body["input"], items, head=0)
        assert BUDGET >= fake.requests[-1].prompt_tokens

    def test_too_large_instructions_are_named(self) -> None:
        """They are the system prompt."""
        with pytest.raises(BudgetError) as caught:
            respond(
                wrap(connect(FakeKimi()), budget=BUDGET, hooks=()),
                turns(30, head=False),
                instructions="word " * 3_000,
            )

        assert "system prompt" == next(iter(caught.value.culprits))

    @exactly
    def test_tools_are_counted(self) -> None:
        """What they cost is known exactly from the first reply on."""
        fake = FakeKimi()
        hook = QueueHook()
        wrapped = wrap(connect(fake), budget=BUDGET, hooks=(hook,))
        for _ in range(2):
            respond(wrapped, turns(9), tools=[FLAT_TOOL], instructions="Hm.", extra_body=None)
        *_, counted = of_kind(hook.drain(), Counted)

        assert fake.requests[-1].prompt_tokens == counted.tokens
        assert counted.measured > 0.95

    @pytest.mark.parametrize("model", ["kimi-k3", "kimi-k2.6"])
    def test_thoughts_are_counted(self, model: str) -> None:
        """A long thought before an open call is part of the prompt; of some models all are."""
        items = []
        for number in range(24):
            items += [asked(f"Crate {number}?"), thought("Hm. " * 100), said("Noted. " * 20)]
        items += [asked("Weigh."), thought("Hm. " * 500), call("a:0"), output("a:0")]
        fake = FakeKimi()
        respond(wrap(connect(fake), budget=BUDGET, hooks=()), items, model=model, extra_body=None)

        assert BUDGET >= fake.requests[-1].prompt_tokens

    def test_pictures_are_kept_or_dropped_whole(self) -> None:
        """They are counted as such, and those that stay are the very items."""
        items = []
        for number in range(8):
            items += [shown(f"What is in crate {number}?"), said(f"Crate {number} holds tea.")]
        items.append(asked("And all?"))
        fake = FakeKimi()
        respond(wrap(connect(fake), budget=9_000, hooks=()), items)
        kept = inputs(fake)[-1]

        assert is_fitted(kept, items, head=0)
        assert any("input_image" in str(item) for item in kept)

    def test_the_objects_of_the_sdk_can_be_sent_back(self) -> None:
        """A conversation grows by what `response.output` holds."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=1_200, hooks=())
        items: list[Any] = [asked("Be brief.", role="system")]
        for number in range(40):
            items.append(asked(f"Crate {number} came in on shelf {number * 7}. Note it, please."))
            items += respond(wrapped, items, extra_body=None).output

        assert NOTES in str(inputs(fake)[-1][1])
        assert 1_200 >= max(request.prompt_tokens for request in fake.requests)
        assert 1 <= len(summaries(fake)) <= 4

    def test_a_shortened_result_is_of_the_kind_it_was(self) -> None:
        """All keys but its text are those of the caller."""
        items = [asked("Weigh."), call("a:0"), {**output("a:0", "word " * 3_000), "id": "fo_1"}]
        fake = FakeKimi()
        options: Any = {"budget": BUDGET, "oversize": "shorten-tool-results", "hooks": ()}
        respond(wrap(connect(fake), **options), items)
        *same, shortened = inputs(fake)[-1]

        assert items[:2] == same
        assert {**items[2], "output": ""} == {**shortened, "output": ""}
        assert len(shortened["output"]) < len(items[2]["output"])


class TestRefusals:
    """The server takes less than the budget says."""

    def test_the_input_is_made_smaller(self) -> None:
        """The window is learnt, and the request sent once more."""
        fake = FakeKimi(context_length=2_000)
        hook = QueueHook()
        respond(wrap(connect(fake), budget=ROOMY, hooks=(hook,)), turns(30))
        events = hook.drain()

        assert [2_000] == [event.window for event in of_kind(events, WindowLearned)]
        assert ["compaction"] == [event.change for event in of_kind(events, Resent)]
        assert is_fitted(inputs(fake)[-1], turns(30))

    def test_less_room_for_the_reply_comes_first(self) -> None:
        """`max_output_tokens` gives way where the prompt alone fits."""
        fake = FakeKimi(context_length=3_000)
        respond(wrap(connect(fake), budget=ROOMY), turns(12), max_output_tokens=2_500)
        first, second = (request.body for request in fake.requests)

        assert 2_500 == first["max_output_tokens"] > second["max_output_tokens"] > 256
        assert turns(12) == second["input"]

    def test_pictures_give_way_when_the_body_is_too_large(self) -> None:
        """Those before the last question are compacted."""
        items = [shown("What is this?"), said("Tea."), shown("And this?"), said("Salt.")]
        fake = FakeKimi(max_body=5_000)
        respond(wrap(connect(fake), budget=ROOMY), [*items, asked("And all?")])

        assert [413, 200, 200] == [request.status for request in fake.requests]
        assert is_fitted(inputs(fake)[-1], [*items, asked("And all?")], head=0)
