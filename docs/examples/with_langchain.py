"""Talk to Kimi through LangChain, within a budget of tokens; an empty line ends it."""

import os

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from memory.integrations.langchain import wrap_chat_model

kimi = ChatOpenAI(
    model="kimi-k2.6",
    base_url=os.environ["KIMI_BASE_URL"],
    api_key=SecretStr(os.environ["KIMI_API_KEY"]),
)
model = wrap_chat_model(kimi, budget=32_000)
messages: list[BaseMessage] = [SystemMessage("You are Kimi.")]
while question := input("> "):
    messages.append(HumanMessage(question))
    reply = model.invoke(messages)
    messages.append(reply)
    print(reply.text)
