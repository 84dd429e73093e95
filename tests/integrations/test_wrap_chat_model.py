"""What `wrap_chat_model()` takes and refuses, with a model of LangChain's form and no LangChain."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from memory import AsyncMemoryManager, ConfigError, MemoryManager
from memory.client import is_wrapped, manager_of
from memory.integrations.langchain import wrap_chat_model
from memory.summary import Draft, SummaryRequest

PAIRS = {"root_client": "client", "root_async_client": "async_client"}


class Model(BaseModel):
    """A model with the fields of a `ChatOpenAI`."""

    name: str = "kimi-k2.6"
    client: Any = None
    async_client: Any = None
    root_client: Any = None
    root_async_client: Any = None


class Scribe:
    """A summariser that is asked synchronously."""

    def summarize(self, request: SummaryRequest, /) -> Draft:
        """Write nothing of use."""
        return Draft(text="", author=request.model)


def complete() -> Model:
    """Return a model as LangChain builds it."""
    roots: Any = OpenAI(api_key="sk-test"), AsyncOpenAI(api_key="sk-test")
    return Model(
        root_client=roots[0],
        client=roots[0].chat.completions,
        root_async_client=roots[1],
        async_client=roots[1].chat.completions,
    )


def test_all_four_attributes_are_replaced() -> None:
    """Both clients are wrapped, the resources are theirs, and one manager serves both."""
    given = complete()
    made = wrap_chat_model(given, budget=4_000)

    assert is_wrapped(made.root_client)
    assert is_wrapped(made.root_async_client)
    assert made.client is made.root_client.chat.completions
    assert made.async_client is made.root_async_client.chat.completions
    assert manager_of(made.root_client) is manager_of(made.root_async_client)
    assert 4_000 == manager_of(made.root_client).settings.budget


def test_the_given_model_stays_as_it_is() -> None:
    """The result is another object of the same type, equal but for the clients."""
    given = complete()
    clients = [getattr(given, name) for pair in PAIRS.items() for name in pair]
    made = wrap_chat_model(given, budget=4_000)

    assert type(given) is type(made)
    assert given.name == made.name
    assert all(a is getattr(given, n) for a, n in zip(clients, sum(PAIRS.items(), ()), strict=True))
    assert not is_wrapped(given.root_client)


@pytest.mark.parametrize("manager", [MemoryManager(), AsyncMemoryManager()])
def test_a_manager_of_either_kind_serves_both(manager: MemoryManager | AsyncMemoryManager) -> None:
    """A manager without a summariser of its own has each client ask for itself."""
    made = wrap_chat_model(complete(), manager=manager)

    assert [manager, manager] == [manager_of(getattr(made, root)) for root in PAIRS]


def test_a_manager_with_a_summarizer_is_refused() -> None:
    """The other client could never ask it."""
    manager = MemoryManager(summarizer=Scribe())

    with pytest.raises(ConfigError, match="summarizer"):
        wrap_chat_model(complete(), manager=manager)


def test_a_manager_has_its_own_settings() -> None:
    """Settings beside a manager are refused, as `wrap()` does."""
    with pytest.raises(ConfigError, match="budget"):
        wrap_chat_model(complete(), manager=MemoryManager(), budget=4_000)


@pytest.mark.parametrize(("root", "resource"), PAIRS.items())
def test_half_of_the_clients_is_enough(root: str, resource: str) -> None:
    """Where LangChain could build only one client, that one is wrapped and the other stays out."""
    half = complete().model_copy(update={root: None, resource: None})
    made = wrap_chat_model(half, budget=4_000)

    assert getattr(made, root) is None
    assert getattr(made, resource) is None
    assert 1 == sum(is_wrapped(getattr(made, each)) for each in PAIRS)


@pytest.mark.parametrize("name", [*PAIRS, *PAIRS.values()])
def test_a_pair_with_a_gap_is_refused(name: str) -> None:
    """A resource without its client, or the reverse, would be called past the memory."""
    with pytest.raises(ConfigError, match="build it with both or with neither"):
        wrap_chat_model(complete().model_copy(update={name: None}), budget=4_000)


def test_a_model_without_clients_is_refused() -> None:
    """There would be nothing to wrap."""
    with pytest.raises(ConfigError, match="no client"):
        wrap_chat_model(Model(), budget=4_000)


@pytest.mark.parametrize(
    "other", [OpenAI(api_key="sk-test"), "kimi-k2.6", None, SimpleNamespace(**vars(complete()))]
)
def test_anything_else_is_refused(other: Any) -> None:
    """The message says what is taken, and what it was given."""
    with pytest.raises(ConfigError, match=f"ChatOpenAI .* not {type(other).__name__};"):
        wrap_chat_model(other, budget=4_000)


def test_langchain_is_not_imported() -> None:
    """The module can be imported, and typed, where LangChain is not installed."""
    code = "import sys, memory.integrations.langchain; print('langchain_core' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "False" == done.stdout.strip()
