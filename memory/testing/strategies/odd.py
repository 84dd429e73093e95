"""What no endpoint would take, and nothing may break on."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from memory.testing.strategies.drawing import Wire

__all__ = ("oddities", "scalars", "values")


def scalars() -> st.SearchStrategy[Any]:
    """Return values that JSON knows, from so small a set that equal ones meet."""
    return st.sampled_from([None, True, False, 0, 1, 1.0, "", "1", "int", "a", "user"])


def values() -> st.SearchStrategy[Any]:
    """Return nested JSON values from a small set."""
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2),
            st.dictionaries(st.sampled_from(["a", "index", "name"]), inner, max_size=2),
        ),
        max_leaves=4,
    )


def oddities() -> st.SearchStrategy[Wire]:
    """Return messages that no endpoint would take; nothing may break on them."""
    calls: st.SearchStrategy[Any] = st.sampled_from(
        [
            None,
            "calls",
            [],
            [None],
            [{}],
            [{"id": None, "function": None}],
            [{"id": 7, "function": {"arguments": {"a": 1}}}],
            [{"id": ["x"], "function": "f"}],
            [{"id": "a", "function": {"name": "f", "arguments": '{"a":1}'}}],
            [{"id": "a", "function": {"name": "f", "arguments": '{"a": 1}'}}],
            [{"id": "b", "function": {"name": "f", "arguments": '{"a":1.0}'}}],
        ]
    )
    roles = st.sampled_from(["user", "assistant", "system", "tool", "", None, 3, ["user"]])
    return st.fixed_dictionaries(
        {},
        optional={
            "role": roles,
            "content": st.one_of(values(), st.sampled_from([b"raw", "\ud800", 1e400])),
            "tool_calls": calls,
            "tool_call_id": scalars(),
            "name": scalars(),
            "partial": scalars(),
            "reasoning_content": scalars(),
            "vendor": values(),
        },
    )
