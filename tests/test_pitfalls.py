"""What goes wrong with objects that stand in for a client of the SDK, and must not go wrong here.

Each line names a way in which such objects fail their users; below it are the tests that keep ours
from it, in this file where no other is named.

    It is no client to isinstance, issubclass, singledispatch or pydantic.
        test_it_passes_for_a_client
        test_client.test_it_is_an_instance_of_the_same_type
    Whether it is asynchronous is guessed from a function or from a name.
        test_the_colour_is_that_of_the_class
        test_create_looks_to_inspect_as_it_does_in_the_sdk
    Derived clients lose the memory, or get one that is not theirs.
        test_client.test_derived_clients_share_the_memory
        test_client.test_azure_clients_keep_the_memory
        test_client_async.test_derived_clients_share_the_memory
        test_a_copy_of_another_type_is_left_alone
        test_an_instance_that_was_not_wrapped_has_no_memory
        test_a_shallow_copy_has_the_memory
    Derived clients are made differently from the SDK's.
        test_methods_have_the_signatures_of_the_sdk
        test_derived_clients_are_made_as_the_sdk_makes_them
        test_what_the_sdk_cannot_derive_fails_in_the_same_way
        test_deriving_a_client_for_each_call_leaves_nothing_behind
    Memories add up on one client, or one caller's reaches another.
        test_pitfalls_sharing.test_memories_of_one_client_stay_apart
        test_pitfalls_sharing.test_wrapping_changes_no_class
        test_client.test_the_original_is_untouched
        test_client.test_wrapping_twice_gives_a_new_memory
    The new client shares what is bound to the old one.
        test_pitfalls_sharing.test_what_is_bound_to_the_original_is_not_shared
        test_client.test_resources_that_were_used_before_are_not_inherited
    Nobody knows what the new client shares with the old one.
        test_pitfalls_sharing.test_what_is_set_on_the_original_later_is_its_own
        test_client.test_leaving_the_context_closes_the_connections
        test_client_async.test_leaving_the_context_closes_the_connections
    Classes of the user's react to being derived from.
        test_hooks_of_the_users_class_run_once
        test_slots_and_mixins_are_no_obstacle
        test_a_class_nobody_uses_any_more_is_let_go
        test_client.test_a_subclass_with_its_own_constructor_can_be_wrapped
        test_client.test_a_subclass_that_overrides_request_still_sees_every_request
    Raw and streaming responses, the beta resources or a bare post bypass the memory.
        test_client_compaction.test_every_call_style_is_compacted
        test_client_async.test_every_call_style_is_compacted
        test_client.test_the_module_level_client_can_be_wrapped
    Replies are wrapped, and are of another type or cannot be entered.
        test_pitfalls_calls.test_a_stream_is_a_context_manager
        test_pitfalls_calls.test_an_asynchronous_stream_is_a_context_manager
        test_pitfalls_calls.test_a_response_can_be_streamed_piece_by_piece
        test_wire_identity.test_replies_are_the_sdks_own
        test_wire_identity.test_raw_responses_are_the_sdks_own
    Arguments are looked at before the SDK has brought them into their form.
        test_pitfalls_calls.test_every_form_of_the_messages_makes_the_same_request
        test_pitfalls_calls.test_what_is_not_given_is_not_sent
        test_pitfalls_calls.test_the_model_in_extra_body_counts
        test_client_compaction.test_sdk_messages_and_their_dumps_are_the_same_history
    The memory takes arguments of its own, which other methods refuse.
        test_pitfalls_calls.test_create_takes_no_argument_of_the_memorys
        test_pitfalls_options.test_they_hold_for_every_call_style
        test_pitfalls_options.test_they_end_with_their_block
        test_pitfalls_options.test_tasks_have_their_own
        test_pitfalls_options.test_threads_have_their_own
    The caller's messages or options are changed.
        test_client_compaction.test_callers_messages_are_never_changed
        test_pitfalls_calls.test_the_options_of_a_request_are_not_changed
    Patches that a client had before are dropped, and nobody is told.
        test_pitfalls_sharing.test_a_patch_that_is_lost_is_told
        test_pitfalls_sharing.test_the_patch_stays_where_it_was
        test_pitfalls_sharing.test_a_used_client_is_not_a_patched_one
        test_pitfalls_sharing.test_patching_afterwards_is_the_other_way
        test_pitfalls_sharing.test_patches_stay_in_force
    A client that is changed in place has a layout that does not fit, or forgets what it was.
        test_pitfalls_sharing.test_it_is_the_client_that_was_given
        test_pitfalls_sharing.test_methods_taken_before_lead_through_the_memory
        test_pitfalls_sharing.test_classes_of_the_users_can_be_given_one
        test_pitfalls_sharing.test_the_last_memory_counts
        test_pitfalls_sharing.test_a_replaced_request_is_refused
    Calls at the same time each pay for the same summary.
        test_pitfalls_at_once.test_threads_share_one_summary
        test_pitfalls_at_once.test_tasks_share_one_summary
        test_pitfalls_at_once.test_loops_in_threads_share_one_summary
        test_pitfalls_at_once.test_both_colours_share_one_summary
        test_pitfalls_at_once.test_those_who_wait_hear_of_a_failure
        test_pitfalls_at_once.test_those_who_wait_outlive_a_cancelled_one
        test_pitfalls_at_once.test_other_conversations_do_not_wait
    Every retry is summarised anew.
        test_client_compaction.test_retries_of_the_turn_make_no_second_summary
        test_kimi_summarizer.test_the_clients_own_retries_are_not_used
    The summary is asked for through the memory, or with options meant for the turn.
        test_pitfalls_calls.test_a_summary_is_not_summarised
        test_client.test_derived_clients_ask_for_summaries_with_their_own_options
        test_kimi_summarizer.test_the_timeout_of_the_turn_is_not_the_summarys
    A synchronous client starts a loop of its own, or an asynchronous one holds its loop up.
        test_pitfalls_calls.test_a_synchronous_client_summarises_inside_a_running_loop
        test_pitfalls_calls.test_a_summary_does_not_hold_the_loop_up
        test_client_async.test_a_summariser_of_the_other_colour_is_refused
    The request is changed after it was signed.
        test_pitfalls_calls.test_what_is_signed_is_what_is_sent
        test_client.test_azure_clients_are_compacted
    Tracers and the user's own patches no longer see the call.
        test_pitfalls_calls.test_a_tracer_on_the_class_sees_the_call
        test_pitfalls_calls.test_a_method_put_on_the_wrapped_client_is_called
        test_client_compaction.test_hooks_see_everything_in_order
    Servers can tell by a header, the order of the body or the size that there is a memory.
        test_wire_bytes.test_the_bytes_are_the_same
        test_wire_bytes.test_the_bytes_of_asynchronous_clients_are_the_same
        test_wire_identity.test_the_user_agent_is_the_sdks
        test_client_compaction.test_everything_but_the_messages_is_as_the_caller_set_it
"""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import pickle
import weakref
from functools import singledispatch
from pathlib import Path
from typing import Any

import pytest
from kimi_clients import (
    BUDGET,
    CLIENT,
    ask,
    ask_async,
    async_http_client,
    connect,
    connect_async,
    http_client,
    is_compacted,
    sent,
    talk,
)
from openai import AsyncOpenAI, OpenAI
from pydantic import create_model

from memory import wrap
from memory.client import is_wrapped, manager_of
from memory.testing import FakeKimi

TABLE = [line.strip() for line in (__doc__ or "").splitlines() if line.startswith("        ")]


def test_the_table_is_true() -> None:
    """Every test that the table above names exists where it says."""
    here = Path(__file__).parent
    named = [line.rpartition(".")[::2] for line in TABLE]
    missing = [
        (module, name)
        for module, name in named
        if f"def {name}(" not in (here / f"{module or 'test_pitfalls'}.py").read_text("utf-8")
    ]

    assert [] == missing


class AsyncSounding(OpenAI):
    """A synchronous client with the name of an asynchronous one."""


class Sounding(AsyncOpenAI):
    """An asynchronous client with the name of a synchronous one."""


def connected(kind: type[Any], fake: FakeKimi) -> Any:
    """Return a client of a class of the user's on the server in this process."""
    http = async_http_client(fake) if issubclass(kind, AsyncOpenAI) else http_client(fake)
    return kind(http_client=http, **CLIENT)


class TestIdentity:
    """What a wrapped client is taken for."""

    @pytest.mark.parametrize("make", [connect, connect_async])
    def test_it_passes_for_a_client(self, make: Any) -> None:
        """Dispatch on its class, a field of that class and `issubclass` take it for one."""
        plain = make(FakeKimi())
        wrapped, kind = wrap(plain), type(plain)
        settings: Any = create_model(
            "Settings", __config__={"arbitrary_types_allowed": True}, client=kind
        )
        dispatch = singledispatch(lambda _: "object")
        dispatch.register(kind, lambda _: "client")

        assert "client" == dispatch(wrapped)
        assert wrapped is settings(client=wrapped).client
        assert (kind,) == type(wrapped).__bases__

    def test_the_colour_is_that_of_the_class(self) -> None:
        """What a client derives from decides how it is asked, and not what it is called."""
        plain, waiting = FakeKimi(), FakeKimi()
        ask(wrap(connected(AsyncSounding, plain), budget=BUDGET), talk(60))
        asyncio.run(ask_async(wrap(connected(Sounding, waiting), budget=BUDGET), talk(60)))

        for fake in (plain, waiting):
            assert ["summary", "chat"] == [request.kind for request in fake.requests]

    @pytest.mark.parametrize("make", [connect, connect_async])
    def test_create_looks_to_inspect_as_it_does_in_the_sdk(self, make: Any) -> None:
        """Who asks whether `create` is a coroutine function is told what the SDK tells."""
        plain = make(FakeKimi())
        expected, actual = (each.chat.completions.create for each in (plain, wrap(plain)))

        assert inspect.iscoroutinefunction(expected) == inspect.iscoroutinefunction(actual)
        assert inspect.signature(expected) == inspect.signature(actual)

    @pytest.mark.parametrize("make", [connect, connect_async])
    @pytest.mark.parametrize("name", ["copy", "with_options", "request", "post"])
    def test_methods_have_the_signatures_of_the_sdk(self, make: Any, name: str) -> None:
        """What `inspect` tells of a method that the memory overrides is what it told before."""
        plain = make(FakeKimi())
        expected, actual = (getattr(each, name) for each in (plain, wrap(plain)))

        assert inspect.signature(expected) == inspect.signature(actual)
        assert (expected.__name__, expected.__doc__) == (actual.__name__, actual.__doc__)
        assert inspect.iscoroutinefunction(expected) == inspect.iscoroutinefunction(actual)

    def test_it_cannot_be_pickled(self) -> None:
        """No client of the SDK can be pickled, and a wrapped one is no better."""
        plain = connect(FakeKimi())
        for client in (plain, wrap(plain)):
            with pytest.raises((TypeError, pickle.PicklingError), match="pickle"):
                pickle.dumps(client)

    def test_a_shallow_copy_has_the_memory(self) -> None:
        """`copy.copy`, which asks nobody, makes one more client with the same memory."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        ask(copy.copy(wrapped), talk(60))

        assert manager_of(wrapped) is manager_of(copy.copy(wrapped))
        assert is_compacted(sent(fake)[-1], talk(60))


def texts(headers: Any) -> dict[str, str]:
    """Return the headers that have a value."""
    return {name: value for name, value in headers.items() if isinstance(value, str)}


class TestDerived:
    """Clients that are made from a wrapped client by its own methods."""

    def test_a_copy_of_another_type_is_left_alone(self) -> None:
        """A `copy` of the user's that returns what it likes returns just that."""

        class Downgrading(OpenAI):
            def copy(self, **_: Any) -> Any:
                return connect(FakeKimi())

        copied = wrap(connected(Downgrading, FakeKimi())).copy()

        assert (OpenAI, False) == (type(copied), is_wrapped(copied))

    def test_an_instance_that_was_not_wrapped_has_no_memory(self) -> None:
        """Whoever calls the class of a wrapped client gets a client that changes nothing."""
        fake = FakeKimi()
        kind: Any = type(wrap(connect(FakeKimi()), budget=BUDGET))
        made = connected(kind, fake)
        ask(made, talk(60))
        ask(made.with_options(timeout=1.0), talk(60))

        assert not is_wrapped(made)
        assert [talk(60), talk(60)] == sent(fake)

    @pytest.mark.parametrize("strict", [True, False])
    def test_derived_clients_are_made_as_the_sdk_makes_them(self, *, strict: bool) -> None:
        """What a copy keeps, takes from its arguments or forgets is up to the SDK."""
        more = {"_strict_response_validation": strict, "default_headers": {"x-team": "books"}}
        plain = connect(FakeKimi(), **more)
        options: dict[str, Any] = {"timeout": 3.0, "default_query": {"a": "b"}, "max_retries": 5}
        expected, actual = (each.with_options(**options) for each in (plain, wrap(plain)))
        bare = {name: value for name, value in vars(actual).items() if "memory" not in name}

        assert vars(expected).keys() == bare.keys()
        assert texts(expected.default_headers) == texts(actual.default_headers)
        for name in ("timeout", "max_retries", "default_query", "_strict_response_validation"):
            assert getattr(expected, name) == getattr(actual, name)

    def test_what_the_sdk_cannot_derive_fails_in_the_same_way(self) -> None:
        """A class whose constructor takes other arguments cannot be copied, wrapped or not."""

        class Branch(OpenAI):
            def __init__(self, *, branch: str, http: Any) -> None:
                super().__init__(http_client=http, api_key="k", base_url="http://fake/v1")
                self.branch = branch

        plain = Branch(branch="books", http=http_client(FakeKimi()))
        with pytest.raises(TypeError) as expected:
            plain.copy()
        with pytest.raises(TypeError) as actual:
            wrap(plain).copy()

        assert str(expected.value) == str(actual.value)

    def test_deriving_a_client_for_each_call_leaves_nothing_behind(self) -> None:
        """Options for each call cost no class and no manager of their own."""
        wrapped = wrap(connect(FakeKimi()))
        derived = [wrapped.with_options(timeout=float(number)) for number in range(1, 100)]
        bases = len(OpenAI.__subclasses__())
        gc.collect()

        assert {type(wrapped)} == {type(each) for each in derived}
        assert {id(manager_of(wrapped))} == {id(manager_of(each)) for each in derived}
        assert bases >= len(OpenAI.__subclasses__())


class TestClassesOfTheUser:
    """Classes that mind being derived from."""

    def test_hooks_of_the_users_class_run_once(self) -> None:
        """`__init_subclass__` and a metaclass hear of one derived class, of many clients."""
        heard: list[str] = []

        class Meta(type):
            def __init__(cls, name: str, *more: Any) -> None:
                super().__init__(name, *more)
                heard.append(f"meta {name}")

        class Listening(OpenAI, metaclass=Meta):
            def __init_subclass__(cls, **more: Any) -> None:
                super().__init_subclass__(**more)
                heard.append(f"init {cls.__name__}")

        heard.clear()
        made = [wrap(connected(Listening, FakeKimi())) for _ in range(3)]
        made.append(wrap(made[0]))

        assert ["init Listening", "meta Listening"] == heard
        assert [Meta] * 4 == [type(type(each)) for each in made]

    def test_slots_and_mixins_are_no_obstacle(self) -> None:
        """A class with several bases and with slots beside its `__dict__` can be wrapped."""

        class Labelled:
            __slots__ = ()

            @property
            def label(self) -> str:
                return f"label of {type(self).__name__}"

        class Marked(Labelled, OpenAI):
            __slots__ = ("mark",)
            mark: str

        fake = FakeKimi()
        client = connected(Marked, fake)
        client.mark = "blue"
        wrapped = wrap(client, budget=BUDGET)
        ask(wrapped, talk(60))

        assert ("blue", "label of Marked") == (wrapped.mark, wrapped.label)
        assert is_compacted(sent(fake)[-1], talk(60))

    def test_a_class_nobody_uses_any_more_is_let_go(self) -> None:
        """The class derived for a class of the user's lives no longer than that one."""

        def wrapped_once() -> weakref.ref[type]:
            class Passing(OpenAI):
                pass

            wrap(connected(Passing, FakeKimi()))
            return weakref.ref(Passing)

        passing = wrapped_once()
        gc.collect()  # the derived class goes first,
        gc.collect()  # and only then what it was derived from

        assert passing() is None
