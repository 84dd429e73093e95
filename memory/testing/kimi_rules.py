"""The rules on the parameters of a chat request, each a small function, in the order checked.

A rule looks at a call and returns the message of the refusal, or `None`. Messages are verbatim
from recorded traffic, official documents or quoted reports where such a source exists
(`_INFERRED` marks the wording of ours that stands in for an unknown one).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from memory.testing.kimi_call import Call
from memory.testing.kimi_schema import schema_faults
from memory.testing.kimi_wire import ApiError

__all__ = (
    "MAX_STOPS",
    "MAX_STOP_BYTES",
    "MAX_TOOLS",
    "PARAMETER_RULES",
    "Rule",
    "check",
    "illegal",
)

Rule = Callable[[Call], str | None]
"""Looks at a call; returns why it is refused, or `None`."""

MAX_TOOLS = 128
MAX_STOPS = 5
MAX_STOP_BYTES = 32

_RANGES = {
    "temperature": (0, 1),
    "top_p": (0, 1),
    "n": (1, 5),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
"""What the models that leave sampling to the caller accept, bounds included."""
_FIELD_TYPES = {
    "messages": "array",
    "tools": "array",
    "temperature": "number",
    "top_p": "number",
    "n": "number",
    "presence_penalty": "number",
    "frequency_penalty": "number",
    "max_tokens": "number",
    "max_completion_tokens": "number",
    "stream": "bool",
    "stream_options": "object",
    "response_format": "object",
    "thinking": "object",
    "reasoning_effort": "string",
    "prompt_cache_key": "string",
}
_JSON_TYPES = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}

# Documented as 3 to 64 characters; names of two (`ls`) are accepted on the wire, and so is a
# leading underscore, in spite of what the message says.
_TOOL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")
_TOOL_NAME_REFUSED = (
    "Invalid request: function name is invalid, must start with a letter and can contain "
    "letters, numbers, underscores, and dashes"
)
_INFERRED = "Invalid request: "


def check(call: Call, rules: tuple[Rule, ...]) -> None:
    """Apply rules in order.

    Raises:
        ApiError: With the message of the first rule that refuses the call.
    """
    for rule in rules:
        if (message := rule(call)) is not None:
            raise ApiError(message)


def illegal(field: str, expected: str, value: Any) -> str:
    """Word the refusal of a value of the wrong JSON type."""
    found = _JSON_TYPES.get(type(value), "object")
    return (
        f"Invalid request: the `{field}` field in the request (expected type {expected}) "
        f"is illegal, and {found} is not acceptable"
    )


def _field_types(call: Call) -> str | None:
    for field, expected in _FIELD_TYPES.items():
        value = call.body.get(field)
        if value is not None and _JSON_TYPES.get(type(value), "object") != expected:
            return illegal(field, expected, value)
    return None


def _some_messages(call: Call) -> str | None:
    return None if call.body.get("messages") else "Invalid request: messages must not be empty"


def _sampling(call: Call) -> str | None:
    return _fixed_sampling(call) if call.model.can_think else _free_sampling(call)


def _free_sampling(call: Call) -> str | None:
    for name, (low, high) in _RANGES.items():
        value = call.body.get(name)
        if value is None:
            continue
        if not low <= value <= high:
            return f"{_INFERRED}{name} must be between {low} and {high}"
        if name == "n" and value != int(value):
            return f"{_INFERRED}n must be an integer"
    return None


def _fixed_sampling(call: Call) -> str | None:
    fixed = {
        "temperature": 1 if call.thinking else 0.6,
        "top_p": 0.95,
        "n": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
    }
    for name, only in fixed.items():
        if call.body.get(name) not in {None, only}:
            return f"invalid {name}: only {only} is allowed for this model"
    return None


def _logprobs(call: Call) -> str | None:
    if call.body.get("logprobs"):
        return "invalid logprobs: only false is allowed for this model"
    if call.body.get("top_logprobs") is not None:
        return "Invalid request: logprobs must be set to true if top_logprobs is used"
    return None


def _logit_bias(call: Call) -> str | None:
    if call.body.get("logit_bias") is None:
        return None
    return "Invalid request: logit_bias is not supported yet"


def _completion_cap(call: Call) -> str | None:
    if call.cap is None or call.cap > 0:
        return None
    return f"{_INFERRED}max_completion_tokens must be at least 1"


def _stop(call: Call) -> str | None:
    stop = call.body.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stops, list) or not all(isinstance(one, str) for one in stops):
        return illegal("stop", "string", stop)
    if len(stops) > MAX_STOPS:
        return f"{_INFERRED}at most {MAX_STOPS} stop sequences are allowed"
    if any(len(one.encode("utf-8", "surrogatepass")) > MAX_STOP_BYTES for one in stops):
        return f"{_INFERRED}a stop sequence is at most {MAX_STOP_BYTES} bytes long"
    return None


def _thinking(call: Call) -> str | None:
    thinking, family = call.body.get("thinking"), call.model.family
    # k3 ignores the field (observed 2026-08), and so does what cannot think, as any unknown one.
    if thinking is None or family == "k3" or not call.model.can_think:
        return None
    if family == "k2.7-code" and thinking.get("type") != "enabled":
        return "invalid thinking: only type=enabled is allowed for this model"
    if thinking.get("type") not in ("enabled", "disabled"):
        return "invalid thinking: only type=enabled,disabled is allowed for this model"
    known = {"type"} if family == "k2.5" else {"type", "keep"}
    if unknown := sorted(thinking.keys() - known):
        return f"invalid thinking: {unknown[0]} is not allowed for this model"
    if thinking.get("keep") not in (None, "all"):
        return "invalid thinking: only keep=all is allowed for this model"
    return None


def _effort_and_thinking(call: Call) -> str | None:
    both = call.body.get("thinking") and call.body.get("reasoning_effort")
    if not both or call.model.family == "k3" or not call.model.can_think:
        return None
    return "cannot specify both 'thinking' and 'reasoning_effort'"


def _tool_number(call: Call) -> str | None:
    return None if len(call.tools) <= MAX_TOOLS else f"{_INFERRED}at most {MAX_TOOLS} tools"


def _tool_types(call: Call) -> str | None:
    for tool in call.tools:
        if not isinstance(tool, dict):
            return illegal("tools", "object", tool)
        if tool.get("type") not in ("function", "builtin_function"):
            return (
                f"Invalid request: unknown tool type: {tool.get('type') or ''}, "
                "currently only function and plugin are supported"
            )
        if not isinstance(tool.get("function"), dict):
            return illegal("tools.function", "object", tool.get("function"))
    return None


def _tool_names(call: Call) -> str | None:
    seen = set[str]()
    for tool in call.tools:
        name = tool["function"].get("name") or ""
        if not isinstance(name, str):
            return illegal("tools.function.name", "string", name)
        plain = name.removeprefix("$") if tool["type"] == "builtin_function" else name
        if not _TOOL_NAME.fullmatch(plain):
            return _TOOL_NAME_REFUSED
        if name in seen:
            return f"function name {name} is duplicated"
        seen.add(name)
    return None


def _tool_schemas(call: Call) -> str | None:
    for tool in call.tools:
        function = tool["function"]
        if not isinstance(function.get("description"), str | None):
            return illegal("tools.function.description", "string", function["description"])
        parameters = function.get("parameters")
        fault = next(schema_faults({} if parameters is None else parameters), None)
        if fault is not None:
            return (
                "Invalid request: tools.function.parameters is not a valid moonshot flavored "
                f"json schema, details: <{fault}>"
            )
    return None


def _web_search(call: Call) -> str | None:
    builtin = any(tool["type"] == "builtin_function" for tool in call.tools)
    if builtin and call.thinking and call.model.family in {"k2.5", "k2.6"}:
        return f"{_INFERRED}builtin_function is incompatible with thinking enabled"
    return None


def _tool_choice(call: Call) -> str | None:
    choice = call.body.get("tool_choice")
    if choice in ("auto", "none", None):
        return None
    if isinstance(choice, dict):
        how = "specified"
    elif choice == "required":
        how = "required"
    else:
        return f"{_INFERRED}unknown tool_choice: {choice}"
    free = not call.thinking or (how == "required" and call.model.family == "k3")
    return None if free else f"tool_choice '{how}' is incompatible with thinking enabled"


def _partial(call: Call) -> str | None:
    partial = [m for m in call.messages if isinstance(m, dict) and m.get("partial")]
    if not partial:
        return None
    if partial != [call.messages[-1]] or partial[0].get("role") != "assistant":
        return f"{_INFERRED}partial is only allowed on a last message of role 'assistant'"
    if (call.body.get("response_format") or {}).get("type") == "json_object":
        return f"{_INFERRED}partial is incompatible with response_format json_object"
    return None


PARAMETER_RULES: tuple[Rule, ...] = (
    _field_types,
    _some_messages,
    _thinking,
    _effort_and_thinking,
    _sampling,
    _logprobs,
    _logit_bias,
    _completion_cap,
    _stop,
    _tool_number,
    _tool_types,
    _tool_names,
    _tool_schemas,
    _web_search,
    _tool_choice,
    _partial,
)
"""What is checked before the messages are looked at; parameters not named here are ignored."""
