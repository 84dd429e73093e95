"""Get answers of one type from Kimi, within a budget of tokens; an empty line ends it."""

import os

import instructor
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from memory import wrap


class Answer(BaseModel):
    text: str
    confident: bool


kimi = OpenAI(base_url=os.environ["KIMI_BASE_URL"], api_key=os.environ["KIMI_API_KEY"])
client = instructor.from_openai(wrap(kimi, budget=32_000), mode=instructor.Mode.JSON_SCHEMA)
messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": "You are Kimi."}]
while question := input("> "):
    messages.append({"role": "user", "content": question})
    answer = client.create(model="kimi-k2.6", messages=messages, response_model=Answer)
    messages.append({"role": "assistant", "content": answer.model_dump_json()})
    print(answer.text if answer.confident else f"{answer.text} (not sure)")
