"""tau-bench: trajectories, and the result files of tau2-bench."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from memory.formats.failures import wrong
from memory.formats.wire import Row, call, content, messages_of, object_of

__all__ = ("parts", "recognises", "row")

_RUN: Final = frozenset({"termination_reason", "task_id"})
"""Keys of a simulation run of tau2-bench, beside its `messages` or `ticks`."""


def recognises(value: Any) -> bool:
    """Return whether a value is a trajectory of tau-bench, or a run of tau2-bench."""
    return isinstance(value, dict) and ("traj" in value or value.keys() >= _RUN)


def parts(value: Any, *, place: str) -> Iterator[tuple[str, Any]]:
    """Yield the runs of a result file of tau2-bench with their places; anything else as it is.

    A run is given what the file says of all of them, under `info`.
    """
    runs = value.get("simulations") if isinstance(value, dict) else None
    if not isinstance(runs, list):
        yield place, value
        return
    if not runs:
        yield place, wrong(place, "`simulations` is empty; its runs may stand in files beside it")
    for index, run in enumerate(runs):
        inner = f"{place}:simulations[{index}]"
        info = value.get("info")
        shared = {"_info": info} if isinstance(info, dict) else {}
        yield inner, {**run, **shared} if isinstance(run, dict) else wrong(inner, "not an object")


def row(value: Mapping[str, Any], *, place: str, number: int) -> Row:
    """Return a run as a row.

    A trajectory is a list of wire messages already. A run of tau2-bench has calls of its own form
    and keeps the policy of the agent apart: that becomes the system message. What its simulated
    user does with tools of their own is no message to an agent, and is told as text in brackets.

    Args:
        value: The run.
        place: Where it stands.
        number: Its place in the file, from 0; the ids of the messages have it.

    Raises:
        TranscriptError: Something in it is not what it should be.
    """
    is_first = "traj" in value
    ident = f"{content(value.get('task_id'))}_t{content(value.get('trial')) or 0}"
    if is_first:
        found = messages_of(value["traj"], place=place)
        reward = value.get("reward")
    else:
        found = [*_messages(value, place=place)]
        told = value.get("reward_info")
        reward = told.get("reward") if isinstance(told, dict) else None
    messages = [{**each, "_id": f"{number}:{index}"} for index, each in enumerate(found)]
    return {
        "id": f"{'tau' if is_first else 'tau2'}_{ident}",
        "source": "tau-bench" if is_first else "tau2-bench",
        "lang": "en",
        "messages": messages,
        **({} if reward is None else {"reward": reward}),
    }


def _messages(run: Mapping[str, Any], *, place: str) -> Iterator[dict[str, Any]]:
    if not isinstance(run.get("messages"), list):
        kind = "a run of spoken `ticks`" if run.get("ticks") else "a run"
        raise wrong(place, f"{kind} without a list of `messages`")
    policy = run.get("policy") or _policy(run)
    if policy and not any(_is_system(each) for each in run["messages"][:1]):
        yield {"role": "system", "content": content(policy)}
    for index, each in enumerate(run["messages"]):
        message = object_of(each, place=place, what=f"message {index}")
        for inner in message.get("tool_messages") or [message]:
            yield _message(object_of(inner, place=place, what=f"message {index}"), index, place)


def _policy(run: Mapping[str, Any]) -> Any:
    info: Any = run.get("_info") or {}
    environment = info.get("environment_info")
    return environment.get("policy") if isinstance(environment, dict) else None


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "system"


def _message(message: Mapping[str, Any], index: int, place: str) -> dict[str, Any]:
    role = message.get("role")
    text = content(message.get("content"))
    if message.get("is_audio"):
        text = f"[audio] {content(message.get('audio_script_gold'))}".rstrip()
    notes = {"_time": message["timestamp"]} if message.get("timestamp") else {}
    calls = message.get("tool_calls") or []
    if role == "tool":
        if message.get("requestor") == "user":
            return {"role": "user", "content": f"[the user's tool returns: {text}]", **notes}
        ident = content(message.get("id") or message.get("tool_call_id"))
        return {"role": "tool", "tool_call_id": ident, "content": text, **notes}
    if role not in {"system", "user", "assistant"}:
        raise wrong(place, f"message {index} has the role {role!r}, not one of tau2-bench's")
    try:
        made = [
            call(content(each.get("id")), content(each["name"]), each.get("arguments"))
            for each in calls
        ]
    except (AttributeError, KeyError, TypeError):
        raise wrong(place, f"message {index} has a tool call without a `name`") from None
    if not made:
        return {"role": role, "content": text, **notes}
    if role == "assistant":
        return {"role": role, "content": text or None, "tool_calls": made, **notes}
    told = [f"[the {role} calls {c['function']['name']}{c['function']['arguments']}]" for c in made]
    return {"role": role, "content": "\n".join([*([text] if text else []), *told]), **notes}
