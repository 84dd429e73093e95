"""Requests by chance, with most of what the SDK and the API take, and some of what they refuse."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

from hypothesis import strategies as st

from memory.testing import Model
from memory.testing.kimi_models import LIVE_MODELS

SERVED = (
    *LIVE_MODELS,
    Model(id="moonshotai/kimi-k2.6", family="k2.6"),
    Model(id="some-other-model", family="k2.6"),
)
MODELS = tuple(model.id for model in SERVED)

texts = st.text(st.characters(codec="utf-8"), max_size=40)
# Mostly what the API takes; the refusals of the rest have to be the same too.
words = texts.map("x{}".format)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
arguments = st.dictionaries(names, json_values, max_size=2).map(json.dumps) | texts
parts = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": words}),
    st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}),
)
contents = words | st.lists(parts, min_size=1, max_size=3)


@st.composite
def exchanges(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw an assistant message with calls of tools, and their results."""
    calls = [
        {
            "id": f"call:{number}",
            "type": "function",
            "function": {"name": draw(names), "arguments": draw(arguments)},
        }
        for number in range(draw(st.integers(1, 3)))
    ]
    results = [{"role": "tool", "tool_call_id": c["id"], "content": draw(words)} for c in calls]
    said = {"content": draw(st.none() | texts), "reasoning_content": draw(texts)}
    return [{"role": "assistant", **said, "tool_calls": calls}, *results]


turns = st.one_of(
    contents.map(lambda content: [{"role": "user", "content": content}]),
    words.map(lambda text: [{"role": "assistant", "content": text}]),
    st.tuples(words, names, json_values).map(
        lambda drawn: [{"role": "user", "content": drawn[0], f"x_{drawn[1]}": drawn[2]}]
    ),
    words.map(lambda text: [{"role": "system", "content": text}]),
    exchanges(),
)


def joined(drawn: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the messages of some turns, in order."""
    return [*chain(*drawn)]


histories = st.lists(turns, min_size=1, max_size=8).map(joined)
tools = st.lists(names, min_size=1, max_size=3, unique=True).map(
    lambda drawn: [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in drawn
    ]
)
requests = st.fixed_dictionaries(
    {"model": st.sampled_from(MODELS), "messages": histories},
    optional={
        "tools": tools,
        "temperature": st.sampled_from([None, 1]),
        "max_tokens": st.integers(1, 4_000),
        "max_completion_tokens": st.integers(1, 4_000),
        "seed": st.integers(0, 9),
        "stop": names,
        "prompt_cache_key": names,
        "metadata": st.dictionaries(names, texts, max_size=2),
        "extra_headers": st.dictionaries(names.map("x-{}".format), names, max_size=2),
        "extra_query": st.dictionaries(names, names, max_size=2),
        "extra_body": st.dictionaries(names.map("x_{}".format), json_values, max_size=2),
        "timeout": st.integers(1, 900),
    },
)
