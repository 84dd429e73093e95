"""Bodies of any shape: the fake server refuses what it does not understand and never breaks."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.testing import FakeKimi, Request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "name", "url", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
USER = {"role": "user", "content": "Hello"}
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url"]) | JSON},
    optional={"text": st.text() | JSON, "image_url": st.just("ms://file") | JSON},
)
CALLS = st.fixed_dictionaries(
    {"id": st.just("a:0") | JSON},
    optional={"function": st.fixed_dictionaries({"arguments": st.just("{}") | JSON}) | JSON},
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]) | JSON},
    optional={
        "content": st.text() | st.lists(PARTS, max_size=2) | JSON,
        "tool_calls": st.lists(CALLS, max_size=2) | JSON,
        "tool_call_id": st.just("a:0") | JSON,
        "reasoning_content": st.just("") | JSON,
        "name": JSON,
        "partial": JSON,
    },
)
SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {"type": st.just("string") | JSON}, optional={"enum": JSON, "description": JSON}
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["object", "array"])},
        optional={
            "properties": st.dictionaries(st.text(max_size=2), inner | JSON, max_size=2),
            "items": inner | JSON,
            "anyOf": st.lists(inner, max_size=2) | JSON,
            "required": JSON,
            "$defs": st.dictionaries(st.text(max_size=2), inner, max_size=1) | JSON,
            "additionalProperties": inner | JSON,
        },
    ),
    max_leaves=4,
)
TOOLS = st.fixed_dictionaries(
    {"type": st.just("function") | JSON},
    optional={
        "function": st.fixed_dictionaries(
            {"name": st.sampled_from(["first", "second"]) | JSON},
            optional={"parameters": SCHEMAS | JSON, "description": JSON},
        )
        | JSON
    },
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(MESSAGES | JSON, max_size=4) | JSON,
        "tools": st.lists(TOOLS, max_size=2) | JSON,
        "model": JSON,
        "tool_choice": JSON,
        "thinking": st.just({"type": "disabled"}) | JSON,
        "stop": JSON,
        "response_format": JSON,
        "max_tokens": JSON,
        "stream": JSON,
        "stream_options": JSON,
        "prompt_cache_key": JSON,
    },
)


INPUT_PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "input_image"]) | JSON},
    optional={"text": st.text() | JSON, "image_url": JSON, "file_id": JSON},
)
INPUT_CONTENT = st.text() | st.lists(INPUT_PARTS, max_size=2) | JSON
ITEMS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "developer"]) | JSON},
    optional={"type": st.just("message") | JSON, "content": INPUT_CONTENT},
) | st.fixed_dictionaries(
    {"type": st.sampled_from(["function_call", "function_call_output", "reasoning"])},
    optional={
        "call_id": st.just("a:0") | JSON,
        "name": JSON,
        "arguments": st.text() | JSON,
        "output": INPUT_CONTENT,
        "content": JSON,
        "summary": JSON,
    },
)
RESPONSES = st.fixed_dictionaries(
    {},
    optional={
        "input": st.text() | st.lists(ITEMS | JSON, max_size=4) | JSON,
        "instructions": st.text() | JSON,
        "model": JSON,
        "tools": JSON,
        "tool_choice": JSON,
        "reasoning": JSON,
        "max_output_tokens": JSON,
        "previous_response_id": JSON,
        "stream": JSON,
        "store": JSON,
    },
)


# Bodies take long to invent where the machine has other things to do; that is no fault of theirs.
often = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def status_of(body: dict[str, Any], path: str = "/v1/chat/completions") -> int:
    """Send a request and return the status of the response."""
    given = {"model": "kimi-k2.6", "messages": [USER], "input": "Hello", **body}
    request = Request(
        method="POST",
        path=path,
        headers={"Authorization": "Bearer sk-test"},
        body=json.dumps(given).encode(),
    )
    return FakeKimi(count_text=len).handle(request).status


@often
@given(BODIES)
def test_no_body_breaks_the_server(body: dict[str, Any]) -> None:
    """Whatever is sent is answered or refused; nothing raises."""
    assert status_of(body) in {200, 400, 404}


@often
@given(RESPONSES)
def test_no_body_breaks_the_other_route(body: dict[str, Any]) -> None:
    """Whatever is sent in the format of Responses is answered or refused; nothing raises."""
    assert status_of(body, "/v1/responses") in {200, 400, 404}
