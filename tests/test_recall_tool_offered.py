"""The search tool is offered with every chat completion, beside the caller's own tools."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from fake_kimi_requests import OFF, user
from kimi_clients import MODEL, TOOLS, ask, sent, summaries, talk
from remembering import LONG, a_call, asking, bodies, offered, remembering, server

from memory import MemoryManager
from memory.events import Counted, Skipped
from memory.recall.tool import MOST, NAME, declaration
from memory.testing import FakeKimi

SHORT = talk(2)


def quiet() -> FakeKimi:
    """Return a server whose model never searches."""
    return server(lambda _: "Noted.")


def tool(name: str) -> dict[str, Any]:
    """Return a declaration."""
    parameters = {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def test_it_is_offered_before_anything_was_compacted() -> None:
    """Tools stand first in a prompt: offered later it would cost the cache."""
    fake = quiet()
    ask(remembering(fake)[0], SHORT)
    assert [declaration()] == bodies(fake)[0]["tools"]


@pytest.mark.parametrize("execute", [True, False])
def test_it_is_offered_whoever_answers(execute: bool) -> None:  # noqa: FBT001
    """The caller has to be able to call what the model calls."""
    fake = quiet()
    ask(remembering(fake, execute=execute)[0], SHORT)
    assert [NAME] == offered(bodies(fake)[0])


@pytest.mark.parametrize("recall", ["off", "auto"])
def test_it_is_offered_in_tool_mode_only(recall: str) -> None:
    """A request is left as it is otherwise."""
    fake = quiet()
    ask(remembering(fake, recall=recall, execute=False)[0], SHORT)
    assert "tools" not in bodies(fake)[0]


def test_it_stands_after_the_tools_of_the_caller() -> None:
    """Theirs stay as they are and where they are."""
    fake = quiet()
    ask(remembering(fake)[0], SHORT, tools=TOOLS)
    assert [*TOOLS, declaration()] == bodies(fake)[0]["tools"]


def test_the_list_of_the_caller_is_not_changed() -> None:
    """It is theirs."""
    mine = copy.deepcopy(TOOLS)
    ask(remembering(quiet())[0], SHORT, tools=mine)
    assert TOOLS == mine


def test_tools_in_the_extra_body_are_theirs_too() -> None:
    """The SDK lays them over those of the body."""
    fake = quiet()
    ask(remembering(fake)[0], SHORT, extra_body={**OFF, "tools": TOOLS})
    assert ["weigh", NAME] == offered(bodies(fake)[0])


def test_its_name_collides_with_no_other() -> None:
    """A caller's tool of that name stays theirs."""
    fake = quiet()
    ask(remembering(fake)[0], SHORT, tools=[tool(NAME)])
    assert [NAME, f"{NAME}_2"] == offered(bodies(fake)[0])


def test_a_call_of_a_tool_of_that_name_is_the_callers() -> None:
    """It is not answered here."""
    fake = server(lambda _: asking(a_call("{}", name=NAME)))
    reply = ask(remembering(fake)[0], SHORT, tools=[tool(NAME)])
    assert NAME == reply.choices[0].message.tool_calls[0].function.name


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_the_choice_of_the_caller_stays(choice: str) -> None:
    """The tool is offered all the same, so that all prompts begin alike."""
    fake = quiet()
    ask(remembering(fake)[0], SHORT, tools=TOOLS, tool_choice=choice)
    body = bodies(fake)[0]
    assert (choice, ["weigh", NAME]) == (body["tool_choice"], offered(body))


def test_a_demand_without_tools_goes_out_as_it_is() -> None:
    """The server refuses it, as it would without memory; ours must not be what is called."""
    fake = quiet()
    ask(remembering(fake)[0], SHORT, model="kimi-k3", extra_body={}, tool_choice="required")
    assert "tools" not in bodies(fake)[0]


def test_there_may_be_too_many_tools() -> None:
    """One more than Kimi takes would have the request refused."""
    fake = quiet()
    many = [tool(f"tool_{number}") for number in range(MOST)]
    ask(remembering(fake, budget=20_000)[0], SHORT, tools=many)
    assert MOST == len(offered(bodies(fake)[0]))


def test_why_it_is_not_offered_is_told_once() -> None:
    """However many requests there are."""
    client, hook = remembering(quiet(), budget=20_000)
    many = [tool(f"tool_{number}") for number in range(MOST)]
    for _ in range(2):
        ask(client, SHORT, tools=many)
    assert 1 == sum(isinstance(event, Skipped) for event in hook.drain())


def test_it_is_not_offered_with_several_choices() -> None:
    """Each could search for something else, and there is one reply to send."""
    fake = server(lambda _: "Noted.", legacy=True)
    ask(remembering(fake)[0], SHORT, model="moonshot-v1-32k", n=2, extra_body={})
    assert "tools" not in bodies(fake)[0]


def test_callers_who_answer_themselves_may_have_several_choices() -> None:
    """They see all of them."""
    fake = server(lambda _: "Noted.", legacy=True)
    client, _ = remembering(fake, execute=False)
    ask(client, SHORT, model="moonshot-v1-32k", n=2, extra_body={})
    assert [NAME] == offered(bodies(fake)[0])


def test_the_responses_api_is_left_alone() -> None:
    """The tool is a function of chat completions."""
    fake = quiet()
    create: Any = remembering(fake)[0].responses.create
    create(model=MODEL, input=[user("Where is crate 1?")])
    assert [] == offered(fake.requests[-1].body)


def test_a_summary_is_asked_for_with_it() -> None:
    """The request for it begins as the prompt did, which the server has in its cache."""
    fake = quiet()
    ask(remembering(fake)[0], LONG)
    assert [declaration()] == summaries(fake)[0]["tools"]


def test_it_is_part_of_what_is_counted() -> None:
    """The budget holds with it."""
    counted = []
    for recall in ("tool", "off"):
        client, hook = remembering(quiet(), recall=recall, execute=False)
        ask(client, LONG)
        counted.append(next(e.tokens for e in hook.drain() if isinstance(e, Counted)))
    cost = MemoryManager(hooks=()).count([], tools=[declaration()]).tools
    assert cost == counted[0] - counted[1]


def test_all_prompts_of_a_conversation_begin_alike() -> None:
    """Before a compaction and after it."""
    fake = quiet()
    client, _ = remembering(fake)
    for turns in (2, 20, 40, 60):
        ask(client, talk(turns))
    assert [[declaration()]] * len(sent(fake)) == [body["tools"] for body in bodies(fake)]
