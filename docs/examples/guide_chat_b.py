"""A chat that sends its last twenty messages, and forgets nothing."""
# ruff: noqa: A002

import os
from typing import Any

from openai import OpenAI

from memory import wrap

kimi = OpenAI(base_url=os.environ["KIMI_BASE_URL"], api_key=os.environ["KIMI_API_KEY"])
client = wrap(kimi, conversation="u/1", budget=8_000)

system_messages: list[Any] = [{"role": "system", "content": "You are Kimi. You answer briefly."}]
messages: list[Any] = []


def make_messages(input: str, n: int = 20) -> list[Any]:
    """Return what to send: the system messages, and the last `n` of all others."""
    messages.append({"role": "user", "content": input})
    del messages[:-n]
    return [*system_messages, *messages]


def chat(input: str) -> str | None:
    """Return the answer to one more message of the user."""
    completion = client.chat.completions.create(model="kimi-k2.6", messages=make_messages(input))
    message = completion.choices[0].message
    messages.append(message)
    return message.content


if __name__ == "__main__":
    while question := input("> "):
        print(chat(question))
