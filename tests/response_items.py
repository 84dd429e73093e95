"""Items of the Responses API, short to write, and conversations of them."""

from __future__ import annotations

from typing import Any

Item = dict[str, Any]

PNG = "data:image/png;base64," + "A" * 3_000
FLAT_TOOL: Item = {
    "type": "function",
    "name": "weigh",
    "description": "Weigh a crate and return its weight in kilograms.",
    "parameters": {
        "type": "object",
        "properties": {"crate": {"type": "integer", "description": "Its number."}},
        "required": ["crate"],
    },
    "strict": None,
}


def asked(text: str, *, role: str = "user") -> Item:
    """Return a message of the caller's."""
    return {"role": role, "content": text}


def shown(text: str) -> Item:
    """Return a question with a picture."""
    image = {"type": "input_image", "image_url": PNG, "detail": "auto"}
    return {"role": "user", "content": [{"type": "input_text", "text": text}, image]}


def said(text: str, ident: str = "msg_1") -> Item:
    """Return a message of the model's, as a response holds it."""
    part = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": ident,
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def thought(text: str, ident: str = "rs_1") -> Item:
    """Return a thought, as a response holds it."""
    content = [{"type": "reasoning_text", "text": text}]
    return {"id": ident, "type": "reasoning", "summary": [], "content": content}


def call(ident: str, arguments: str = "{}", name: str = "weigh") -> Item:
    """Return a call of a function, as a response holds it."""
    more = {"call_id": ident, "name": name, "arguments": arguments, "status": "completed"}
    return {"id": f"fc_{ident}", "type": "function_call", **more}


def output(ident: str, result: object = "12 kg") -> Item:
    """Return the result of a call."""
    return {"type": "function_call_output", "call_id": ident, "output": result}


def turn(number: int) -> list[Item]:
    """Return a question, what the model thinks, says and calls, the result, and the reply.

    They cost about 150 tokens.
    """
    code = f"{number * 7919:06d}"
    return [
        asked(f"Crate {number} came in on shelf {number * 7 % 50}, code {code}. Note it."),
        thought(f"I have to weigh crate {number} first.", f"rs_{number}"),
        said(f"I will weigh crate {number} on the large scale.", f"msg_{number}"),
        call(f"weigh:{number}", f'{{"crate": {number}}}'),
        output(f"weigh:{number}", f"{number * 3 % 100} kg, after {number} readings"),
        said(f"Noted: crate {number} with the code {code} is on its shelf.", f"msg_{number}b"),
    ]


def turns(number: int, *, head: bool = True) -> list[Item]:
    """Return a conversation of so many turns that ends with a question."""
    begun = [asked("You keep the books of a warehouse.", role="developer")] if head else []
    return [*begun, *(item for each in range(number) for item in turn(each)), asked("And all?")]


def pairs(items: list[Any]) -> tuple[set[Any], set[Any]]:
    """Return the calls and the results among items, by the ids of the calls."""
    kinds = ("function_call", "function_call_output")
    calls, results = (
        {item["call_id"] for item in items if item.get("type") == kind} for kind in kinds
    )
    return calls, results
