"""Talk to an agent that runs on Kimi, within a budget of tokens; an empty line ends it."""

import os

from openai import AsyncOpenAI
from pydantic_ai import Agent, ModelMessage
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.moonshotai import MoonshotAIProvider

from memory import wrap

kimi = AsyncOpenAI(base_url=os.environ["KIMI_BASE_URL"], api_key=os.environ["KIMI_API_KEY"])
provider = MoonshotAIProvider(openai_client=wrap(kimi, budget=32_000))
agent = Agent(OpenAIChatModel("kimi-k2.6", provider=provider), instructions="You are Kimi.")
history: list[ModelMessage] = []
while question := input("> "):
    result = agent.run_sync(question, message_history=history)
    history = result.all_messages()
    print(result.output)
