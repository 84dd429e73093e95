"""The drop-in client: what it is, what it shares with the client it wraps, what `wrap` refuses."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from fake_kimi_requests import OFF
from kimi_clients import (
    BUDGET,
    MODEL,
    ask,
    connect,
    gateway,
    http_client,
    httpx_library,
    is_compacted,
    sent,
    talk,
)
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

from memory import ConfigError, MemoryManager, wrap
from memory.client import is_wrapped, manager_of
from memory.testing import FakeKimi


def azure(fake: FakeKimi) -> AzureOpenAI:
    """Return a client of Azure's that talks to the server in this process."""
    http = http_client(httpx_library.MockTransport(gateway(fake)))
    where: Any = {"azure_endpoint": "http://fake", "api_version": "2024-10-21"}
    return AzureOpenAI(api_key="az", http_client=http, max_retries=0, **where)


class OwnClient(OpenAI):
    """A user's client with a constructor of its own."""

    def __init__(self, fake: FakeKimi, *, team: str) -> None:
        """Connect to the server in this process."""
        http = http_client(fake)
        super().__init__(api_key="sk-own", base_url="http://fake/v1", http_client=http)
        self.team = team


class TestIdentity:
    """What a wrapped client is."""

    @pytest.mark.parametrize(
        "client",
        [
            OpenAI(api_key="k"),
            AsyncOpenAI(api_key="k"),
            AzureOpenAI(api_key="k", azure_endpoint="http://fake", api_version="1"),
            AsyncAzureOpenAI(api_key="k", azure_endpoint="http://fake", api_version="1"),
            OwnClient(FakeKimi(), team="books"),
        ],
        ids=lambda client: type(client).__name__,
    )
    def test_it_is_an_instance_of_the_same_type(self, client: OpenAI | AsyncOpenAI) -> None:
        """A wrapped client is one of the type it was, by `isinstance` and by name."""
        wrapped = wrap(client)
        kind = type(client)

        assert isinstance(wrapped, kind)
        assert (kind.__name__, kind.__qualname__, kind.__module__, kind.__doc__) == (
            type(wrapped).__name__,
            type(wrapped).__qualname__,
            type(wrapped).__module__,
            type(wrapped).__doc__,
        )

    def test_it_shares_its_settings_and_its_connections(self) -> None:
        """Credentials, addresses, timeouts and the HTTP client are those of the original."""
        client = connect(FakeKimi(), timeout=7.0, default_headers={"x-team": "books"})
        wrapped = wrap(client)

        assert client._client is wrapped._client  # noqa: SLF001  the SDK has no public name
        assert (client.api_key, client.base_url, client.timeout, client.max_retries) == (
            wrapped.api_key,
            wrapped.base_url,
            wrapped.timeout,
            wrapped.max_retries,
        )
        assert [client.default_headers[name] for name in ("User-Agent", "x-team")] == [
            wrapped.default_headers[name] for name in ("User-Agent", "x-team")
        ]

    def test_the_original_is_untouched(self) -> None:
        """The client that was wrapped has the same type and state as before, and no memory."""
        fake = FakeKimi()
        client = connect(fake)
        messages = talk(60)
        _ = client.chat
        before = dict(vars(client))
        ask(wrap(client, budget=BUDGET), messages)
        ask(client, messages)

        assert (OpenAI, False) == (type(client), is_wrapped(client))
        assert before == vars(client)
        assert messages == sent(fake)[-1]

    def test_resources_that_were_used_before_are_not_inherited(self) -> None:
        """A client whose `chat` was used before it was wrapped compacts all the same."""
        fake = FakeKimi()
        client = connect(fake)
        ask(client, talk(1))
        ask(wrap(client, budget=BUDGET), talk(60))

        assert is_compacted(sent(fake)[-1], talk(60))

    def test_a_subclass_with_its_own_constructor_can_be_wrapped(self) -> None:
        """The constructor is not run again, and what it set is there."""
        fake = FakeKimi()
        wrapped = wrap(OwnClient(fake, team="books"), budget=BUDGET)
        ask(wrapped, talk(60))

        assert "books" == wrapped.team
        assert is_compacted(sent(fake)[-1], talk(60))

    def test_a_subclass_that_overrides_request_still_sees_every_request(self) -> None:
        """The user's own `request` is called with what is really sent."""
        seen: list[int] = []

        class Spy(OpenAI):
            def request(self, cast_to: Any, options: Any, **more: Any) -> Any:
                seen.append(len(options.json_data["messages"]))
                return super().request(cast_to, options, **more)

        fake = FakeKimi()
        http = http_client(fake)
        ask(
            wrap(Spy(api_key="k", base_url="http://fake/v1", http_client=http), budget=BUDGET),
            talk(60),
        )

        assert [len(request.body["messages"]) for request in fake.requests] == seen

    def test_azure_clients_are_compacted(self) -> None:
        """An Azure client keeps its routes, keys and deployments, for summaries as for turns."""
        fake = FakeKimi(api_key="az")
        wrapped = wrap(azure(fake), budget=BUDGET)
        ask(wrapped, talk(60))

        assert ["summary", "chat"] == [request.kind for request in fake.requests]
        assert {200} == {request.status for request in fake.requests}
        assert is_compacted(sent(fake)[0], talk(60))

    def test_wrapping_twice_gives_a_new_memory(self) -> None:
        """The second wrapping replaces the first instead of nesting in it."""
        fake = FakeKimi()
        once = wrap(connect(fake), budget=500)
        twice = wrap(once, budget=BUDGET)
        ask(twice, talk(60))

        assert manager_of(once) is not manager_of(twice)
        assert type(once) is type(twice)
        assert 1 == len(sent(fake, "summary"))

    def test_leaving_the_context_closes_the_connections(self) -> None:
        """As a context manager a wrapped client yields itself and closes what it shares."""
        client = connect(FakeKimi())
        wrapped = wrap(client)
        with wrapped as entered:
            ask(entered, talk(1))

        assert entered is wrapped
        assert client.is_closed()

    def test_the_key_may_change_later(self) -> None:
        """A key set on the wrapped client is used for its summaries too."""
        fake = FakeKimi(api_key="sk-new")
        wrapped = wrap(connect(fake, api_key="sk-old"), budget=BUDGET)
        wrapped.api_key = "sk-new"
        ask(wrapped, talk(60))

        assert [200, 200] == [request.status for request in fake.requests]

    def test_the_key_may_come_from_a_function(self) -> None:
        """A key that the SDK fetches for each request is fetched for summaries too."""
        fake = FakeKimi(api_key="sk-fetched")
        ask(wrap(connect(fake, api_key=lambda: "sk-fetched"), budget=BUDGET), talk(60))

        assert [200, 200] == [request.status for request in fake.requests]

    def test_the_module_level_client_can_be_wrapped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`openai.chat` goes through the memory once the module's own client is wrapped."""
        fake = FakeKimi()
        http = http_client(fake)
        monkeypatch.setattr(openai, "api_key", "k")
        monkeypatch.setattr(openai, "base_url", "http://fake/v1/")
        monkeypatch.setattr(openai, "http_client", http)
        monkeypatch.setattr(openai, "_client", None)
        module: Any = openai
        monkeypatch.setattr(openai, "_client", wrap(module._load_client(), budget=BUDGET))  # noqa: SLF001
        create: Any = openai.chat.completions.create
        create(model=MODEL, messages=talk(60), extra_body=OFF)

        assert is_compacted(sent(fake)[-1], talk(60))


class TestOptions:
    """Derived clients, and what `wrap` refuses."""

    @pytest.mark.parametrize("verb", ["with_options", "copy"])
    def test_derived_clients_share_the_memory(self, verb: str) -> None:
        """A client made by `with_options` or `copy` has the same manager and its summaries."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        derived = getattr(wrapped, verb)(timeout=3.0)
        ask(wrapped, talk(60))
        ask(derived, talk(60))

        assert (type(wrapped), 3.0) == (type(derived), derived.timeout)
        assert manager_of(wrapped) is manager_of(derived)
        assert 1 == len(sent(fake, "summary"))
        assert sent(fake)[0] == sent(fake)[1]

    def test_derived_clients_ask_for_summaries_with_their_own_options(self) -> None:
        """The headers that `with_options` adds are those of the summary request too."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        ask(wrapped.with_options(default_headers={"x-team": "books"}), talk(60))

        assert ["books", "books"] == [request.headers.get("x-team") for request in fake.requests]

    def test_derived_clients_of_derived_clients_keep_the_memory(self) -> None:
        """Options can be changed any number of times."""
        wrapped = wrap(connect(FakeKimi()), budget=BUDGET)
        derived = wrapped.with_options(max_retries=1).copy(timeout=2.0).with_options(timeout=1.0)

        assert manager_of(wrapped) is manager_of(derived)

    def test_azure_clients_keep_the_memory(self) -> None:
        """Azure has a `copy` of its own; it keeps the memory as well."""
        wrapped = wrap(azure(FakeKimi()), budget=BUDGET)

        assert manager_of(wrapped) is manager_of(wrapped.with_options(timeout=1.0))

    def test_a_manager_serves_several_clients(self) -> None:
        """Clients wrapped with one manager share its summaries."""
        fake = FakeKimi()
        manager = MemoryManager(budget=BUDGET)
        for client in (manager.wrap(connect(fake)), wrap(connect(fake), manager=manager)):
            ask(client, talk(60))

        assert 1 == len(sent(fake, "summary"))

    @pytest.mark.parametrize("client", [None, object(), OpenAI, "http://fake/v1"])
    def test_other_things_cannot_be_wrapped(self, client: Any) -> None:
        """Anything but a client is a `ConfigError` that says what it is."""
        with pytest.raises(ConfigError, match=type(client).__name__):
            wrap(client)

    def test_a_manager_takes_no_settings(self) -> None:
        """A manager together with settings is a `ConfigError` that names the settings."""
        with pytest.raises(ConfigError, match="budget, target"):
            wrap(connect(FakeKimi()), manager=MemoryManager(), budget=1, target=0.3)

    def test_unknown_settings_are_named(self) -> None:
        """A misspelt setting is a `ConfigError` that names it and what there is."""
        misspelt: Any = {"budgte": 1}
        with pytest.raises(ConfigError, match=r"unknown setting budgte.*budget"):
            wrap(connect(FakeKimi()), **misspelt)

    @pytest.mark.parametrize("setting", [{"budget": 0}, {"target": 2.0}, {"notes_role": "tool"}])
    def test_wrong_settings_are_named(self, setting: Any) -> None:
        """A setting out of range is a `ConfigError` that names it."""
        with pytest.raises(ConfigError, match=next(iter(setting))):
            wrap(connect(FakeKimi()), **setting)

    def test_a_client_without_memory_has_no_manager(self) -> None:
        """Asking for the manager of a plain client is a `ConfigError`."""
        with pytest.raises(ConfigError, match="wrap"):
            manager_of(connect(FakeKimi()))
