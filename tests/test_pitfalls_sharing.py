"""What goes wrong where several tools, callers or settings share a client, and must not go wrong.

The table in `test_pitfalls` says which test holds what off.
"""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest
from fake_kimi_requests import OFF
from kimi_clients import (
    BUDGET,
    CLIENT,
    MODEL,
    ask,
    connect,
    connect_async,
    http_client,
    httpx_library,
    is_compacted,
    sent,
    talk,
)
from openai import AsyncOpenAI, OpenAI, Stream
from openai.resources.chat import Completions

from memory import ConfigError, wrap
from memory.client import is_wrapped, manager_of
from memory.errors import PatchedClientWarning
from memory.testing import FakeKimi

CALLERS = 20


class Traced:
    """A patch on the methods of one client, as tracers make it: it closes over the original."""

    def __init__(self, client: Any, path: str = "chat.completions.create") -> None:
        """Replace the method at the end of a path."""
        *names, method = path.split(".")
        place = client
        for name in names:
            place = getattr(place, name)
        original = getattr(place, method)
        self.seen: list[int] = []

        def traced(*given: Any, **named: Any) -> Any:
            self.seen.append(len(named.get("messages", ())))
            return original(*given, **named)

        setattr(place, method, traced)


class TestPatches:
    """A client that something else has patched before."""

    @pytest.mark.parametrize(
        "path",
        [
            "chat.completions.create",
            "chat.completions.parse",
            "chat.completions.stream",
            "beta.chat.completions.parse",
            "responses.create",
            "post",
        ],
    )
    def test_a_patch_that_is_lost_is_told(self, path: str) -> None:
        """Wrapping a patched client warns, and names what the new one does not have."""
        client = connect(FakeKimi())
        Traced(client, path)

        with pytest.warns(PatchedClientWarning, match=path) as told:
            wrap(client, budget=BUDGET)
        assert [__file__] == [each.filename for each in told]

    def test_the_patch_stays_where_it_was(self) -> None:
        """The original keeps the patch, and the new client compacts without it."""
        fake = FakeKimi()
        client = connect(fake)
        tracer = Traced(client)
        with pytest.warns(PatchedClientWarning):
            wrapped = wrap(client, budget=BUDGET)
        ask(wrapped, talk(60))
        ask(client, talk(3))

        assert [len(talk(3))] == tracer.seen
        assert is_compacted(sent(fake)[0], talk(60))

    def test_a_used_client_is_not_a_patched_one(self) -> None:
        """A client whose resources were used, derived or wrapped before is wrapped in silence."""
        client = connect(FakeKimi())
        ask(client, talk(1))
        _ = client.beta.chat.completions, client.with_raw_response.chat, client.responses
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wrapped = wrap(wrap(client.with_options(timeout=3.0)))

        assert is_wrapped(wrapped)

    def test_patching_afterwards_is_the_other_way(self) -> None:
        """A patch on the wrapped client sees what the caller gave, and the memory works."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        tracer = Traced(wrapped)
        ask(wrapped, talk(60))

        assert [len(talk(60))] == tracer.seen
        assert is_compacted(sent(fake)[0], talk(60))


class TestInPlace:
    """A memory given to the client itself."""

    def test_it_is_the_client_that_was_given(self) -> None:
        """What is returned is the same object, and still a client of its type."""
        fake = FakeKimi()
        client = connect(fake)
        wrapped = wrap(client, budget=BUDGET, inplace=True)
        ask(client, talk(60))

        assert client is wrapped
        assert ("OpenAI", True) == (type(client).__name__, isinstance(client, OpenAI))
        assert is_compacted(sent(fake)[0], talk(60))

    def test_patches_stay_in_force(self) -> None:
        """What was patched before sees the call, nobody is warned, and the memory works."""
        fake = FakeKimi()
        client = connect(fake)
        tracer = Traced(client)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wrap(client, budget=BUDGET, inplace=True)
        ask(client, talk(60))

        assert [len(talk(60))] == tracer.seen
        assert is_compacted(sent(fake)[0], talk(60))

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_methods_taken_before_lead_through_the_memory(self, *, asynchronous: bool) -> None:
        """Resources and bound methods that somebody holds already are compacted too."""
        fake = FakeKimi()
        client: Any = connect_async(fake) if asynchronous else connect(fake)
        create = client.chat.completions.create
        wrap(client, budget=BUDGET, inplace=True)
        given = {"model": MODEL, "messages": talk(60), "extra_body": OFF}
        if asynchronous:
            asyncio.run(create(**given))
        else:
            create(**given)

        assert ["summary", "chat"] == [request.kind for request in fake.requests]
        assert is_compacted(sent(fake)[0], talk(60))

    def test_the_last_memory_counts(self) -> None:
        """A second memory in place replaces the first instead of nesting in it."""
        fake = FakeKimi()
        client = connect(fake)
        first = manager_of(wrap(client, budget=500, inplace=True))
        kind = type(client)
        second = manager_of(wrap(client, budget=BUDGET, inplace=True))
        ask(client, talk(60))

        assert first is not second
        assert kind is type(client)
        assert 1 == len(sent(fake, "summary"))

    def test_derived_clients_share_the_memory(self) -> None:
        """Options for one call keep the memory that was given in place."""
        client = connect(FakeKimi())
        wrap(client, budget=BUDGET, inplace=True)
        derived = client.with_options(timeout=3.0).copy()

        assert type(client) is type(derived)
        assert manager_of(client) is manager_of(derived)

    def test_a_copy_does_not_undo_it(self) -> None:
        """Wrapping a client in place once more, but as a copy, leaves the first memory be."""
        client = connect(FakeKimi())
        first = manager_of(wrap(client, budget=BUDGET, inplace=True))
        other = wrap(client, budget=500)

        assert first is manager_of(client)
        assert first is not manager_of(other)

    def test_classes_of_the_users_can_be_given_one(self) -> None:
        """A class with mixins, slots and a constructor of its own has a layout that fits."""

        class Labelled:
            __slots__ = ()

        class Branch(Labelled, OpenAI):
            __slots__ = ("branch",)

            def __init__(self, fake: FakeKimi, *, branch: str) -> None:
                super().__init__(http_client=http_client(fake), **CLIENT)
                self.branch = branch

        fake = FakeKimi()
        client = Branch(fake, branch="books")
        ask(wrap(client, budget=BUDGET, inplace=True), talk(60))

        assert "books" == client.branch
        assert is_compacted(sent(fake)[0], talk(60))

    def test_a_replaced_request_is_refused(self) -> None:
        """Where `request` itself was replaced a memory could not be reached, and that is said."""
        client = connect(FakeKimi())
        Traced(client, "request")

        with pytest.raises(ConfigError, match="request"):
            wrap(client, inplace=True)
        assert not is_wrapped(client)


class TestOriginal:
    """What a wrapped client has in common with the client that was wrapped, and what not."""

    def test_memories_of_one_client_stay_apart(self) -> None:
        """Two memories of one client neither nest nor know of each other's conversations."""
        fake = FakeKimi()
        client = connect(fake)
        small, large = wrap(client, budget=BUDGET), wrap(client, budget=2 * BUDGET)
        for asking in (small, large, client):
            ask(asking, talk(90))
        first, second, third = sent(fake)

        assert 2 == len(sent(fake, "summary"))
        assert len(first) < len(second) < len(third) == len(talk(90))

    def test_wrapping_changes_no_class(self) -> None:
        """The classes of clients, resources and responses are touched by no call."""
        classes = (
            *(OpenAI, AsyncOpenAI, Completions, Stream),
            *(httpx_library.Client, httpx_library.Response),
        )
        before = [dict(vars(each)) for each in classes]
        wrapped = wrap(connect(FakeKimi()), budget=BUDGET)
        assert list(ask(wrapped, talk(60), stream=True))

        assert before == [dict(vars(each)) for each in classes]

    @pytest.mark.parametrize(
        "use",
        [
            lambda client: client.chat.completions,
            lambda client: client.chat.completions.with_raw_response,
            lambda client: client.with_raw_response.chat.completions,
            lambda client: client.beta.chat.completions,
        ],
        ids=["chat", "raw", "raw client", "beta"],
    )
    def test_what_is_bound_to_the_original_is_not_shared(self, use: Any) -> None:
        """Resources that the original has made are made anew, and lead through the memory."""
        fake = FakeKimi()
        client = connect(fake)
        kept = use(client)
        fresh = use(wrap(client, budget=BUDGET))
        fresh.create(model="kimi-k2.6", messages=talk(60))
        kept.create(model="kimi-k2.6", messages=talk(60))

        assert is_compacted(sent(fake)[0], talk(60))
        assert talk(60) == sent(fake)[1]

    def test_what_is_set_on_the_original_later_is_its_own(self) -> None:
        """A wrapped client is a copy: what happens to the original afterwards is not seen."""
        fake = FakeKimi(api_key="sk-test")
        client = connect(fake)
        wrapped = wrap(client, budget=BUDGET)
        client.api_key, client.timeout = "sk-other", 1.0
        ask(wrapped, talk(60))

        assert [200, 200] == [request.status for request in fake.requests]
        assert ("sk-test", False) == (wrapped.api_key, 1.0 == wrapped.timeout)
