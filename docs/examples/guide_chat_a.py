"""A chat that keeps all its messages in one list, and sends no more of it than the budget."""
# ruff: noqa: A002

import os
from typing import Any

from openai import OpenAI

from memory import wrap

kimi = OpenAI(base_url=os.environ["KIMI_BASE_URL"], api_key=os.environ["KIMI_API_KEY"])
client = wrap(kimi, budget=8_000)

messages: list[Any] = [{"role": "system", "content": "You are Kimi. You answer briefly."}]


def chat(input: str) -> str | None:
    """Return the answer to one more message of the user."""
    messages.append({"role": "user", "content": input})
    completion = client.chat.completions.create(model="kimi-k2.6", messages=messages)
    message = completion.choices[0].message
    messages.append(message)
    return message.content


if __name__ == "__main__":
    while question := input("> "):
        print(chat(question))
