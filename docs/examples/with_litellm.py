"""Talk to Kimi through LiteLLM, within a budget of tokens; an empty line ends it."""

import os

from litellm import completion
from openai import OpenAI

from memory import wrap

kimi = OpenAI(base_url=os.environ["KIMI_BASE_URL"], api_key=os.environ["KIMI_API_KEY"])
client = wrap(kimi, budget=32_000)
messages = [{"role": "system", "content": "You are Kimi."}]
while question := input("> "):
    messages.append({"role": "user", "content": question})
    reply = completion(model="openai/kimi-k2.6", messages=messages, client=client)
    messages.append(reply.choices[0].message)
    print(reply.choices[0].message.content)
