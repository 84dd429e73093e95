"""Talk to an agent that runs on Kimi, within a budget of tokens; an empty line ends it."""

import os

from agents import Agent, OpenAIChatCompletionsModel, Runner, SQLiteSession, set_tracing_disabled
from openai import AsyncOpenAI

from memory import wrap

set_tracing_disabled(True)
kimi = AsyncOpenAI(base_url=os.environ["KIMI_BASE_URL"], api_key=os.environ["KIMI_API_KEY"])
client = wrap(kimi, budget=32_000)
model = OpenAIChatCompletionsModel(model="kimi-k2.6", openai_client=client)
agent = Agent(name="Kimi", instructions="You are Kimi.", model=model)
session = SQLiteSession("a conversation")
while question := input("> "):
    result = Runner.run_sync(agent, question, session=session)
    print(result.final_output)
