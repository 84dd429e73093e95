"""The ways in which one comes by a client and its `create`, each written once for both colours."""

from __future__ import annotations

from functools import partial
from typing import Any, Final
from unittest.mock import patch

import openai
from openai import AsyncOpenAI, OpenAI

from benchmarks._trial import KEY, Style, Trial, entered, settled

__all__ = ("CLIENT_STYLES",)

LATER_KEY: Final = "sk-later"
NO_MODULE: Final = "the module's own client is synchronous"


class Branch(OpenAI):
    """A user's client with a constructor of its own."""

    def __init__(self, http: Any, *, branch: str) -> None:
        super().__init__(api_key=KEY, base_url="http://fake/v1", http_client=http)
        self.branch = branch


class AsyncBranch(AsyncOpenAI):
    """As `Branch`, asynchronous."""

    def __init__(self, http: Any, *, branch: str) -> None:
        super().__init__(api_key=KEY, base_url="http://fake/v1", http_client=http)
        self.branch = branch


async def _asked(client: Any, trial: Trial) -> list[Any]:
    return [await settled(client.chat.completions.create(**trial.given))]


async def with_timeout(trial: Trial) -> list[Any]:
    """Call with a timeout of its own."""
    client = trial.client.with_options(timeout=7.0)
    return [*await _asked(client, trial), client.timeout]


async def with_retries(trial: Trial) -> list[Any]:
    """Call with retries of its own."""
    client = trial.client.with_options(max_retries=3)
    return [*await _asked(client, trial), client.max_retries]


async def copied(trial: Trial) -> list[Any]:
    """Call a copy."""
    return await _asked(trial.client.copy(), trial)


async def context_manager(trial: Trial) -> list[Any]:
    """Enter the client, and see it closed afterwards."""
    async with entered(trial.client) as client:
        replies = await _asked(client, trial)
    return [*replies, client.is_closed()]


async def subclass(trial: Trial) -> list[Any]:
    """Call an instance of a class of one's own."""
    kind = AsyncBranch if trial.asynchronous else Branch
    client = trial.memory(kind(trial.http(), branch="books"))
    return [*await _asked(client, trial), client.branch]


async def azure(trial: Trial) -> list[Any]:
    """Call Azure."""
    return await _asked(trial.memory(trial.connect_azure()), trial)


async def module(trial: Trial) -> list[Any]:
    """Call the client that the module `openai` keeps."""
    if trial.asynchronous:
        raise NotImplementedError(NO_MODULE)
    own: Any = openai
    settings = {"api_key": KEY, "base_url": "http://fake/v1/", "http_client": trial.http()}
    with patch.multiple(openai, **settings, _client=None):
        own._client = trial.memory(own._load_client())  # noqa: SLF001  # it has no public name
        return await _asked(openai, trial)


async def wrapped_twice(trial: Trial) -> list[Any]:
    """Put the same around a client again."""
    return await _asked(trial.memory(trial.client), trial)


async def key_assigned(trial: Trial) -> list[Any]:
    """Assign the key that the server wants only now."""
    trial.client.api_key = LATER_KEY
    return await _asked(trial.client, trial)


async def partly_applied(trial: Trial) -> list[Any]:
    """Call what `functools.partial` made of `create`."""
    given = trial.given
    model = given.pop("model")
    create = partial(trial.client.chat.completions.create, model=model)
    return [await settled(create(**given))]


async def method_taken_before(trial: Trial) -> list[Any]:
    """Call a method that was taken from the client before it got its memory."""
    client = trial.connect()
    create = client.chat.completions.create
    trial.memory(client, inplace=True)
    return [await settled(create(**trial.given))]


async def method_kept(trial: Trial) -> list[Any]:
    """Call a method that was taken from the client before it got other options."""
    create = trial.client.chat.completions.create
    trial.client.timeout = 7.0
    trial.client.with_options(timeout=3.0)
    return [await settled(create(**trial.given))]


CLIENT_STYLES: Final = (
    Style("with_options(timeout=…)", with_timeout),
    Style("with_options(max_retries=…)", with_retries),
    Style("copy()", copied),
    Style("with client:", context_manager),
    Style("a subclass with its own constructor", subclass),
    Style("AzureOpenAI", azure),
    Style("openai.chat.completions.create()", module, lacking={"async": NO_MODULE}),
    Style("a client wrapped twice", wrapped_twice),
    Style("client.api_key = … afterwards", key_assigned, server={"api_key": LATER_KEY}),
    Style("functools.partial(create)", partly_applied),
    Style("a bound method taken before wrap(inplace=True)", method_taken_before),
    Style("a bound method taken before with_options()", method_kept),
)
