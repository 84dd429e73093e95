"""Reading replies from their bytes: the same as the SDK reads, however the bytes arrive."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from fake_kimi_requests import CALL, OFF, user
from hypothesis import given, settings
from hypothesis import strategies as st
from kimi_clients import CLIENT, MODEL, http_client, httpx_library
from openai import OpenAI

from memory.records import Usage
from memory.replies import Body, Chunks, read, usage_of
from memory.testing import FakeKimi, Reply, Request

unhurried = settings(deadline=None)  # how long an example takes says nothing here
DONE = b"data: [DONE]\n\n"
QUIET: dict[str, Any] = {**OFF}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def answered(reply: Reply, *, fake: FakeKimi | None = None, **body: Any) -> bytes:
    """Return the bytes that the fake server answers a chat request with."""
    fake = fake or FakeKimi()
    fake.queue_reply(reply)
    asked = {"model": MODEL, "messages": [user("Well?")], **body}
    request = Request(
        method="POST",
        path="/v1/chat/completions",
        headers={"Authorization": "Bearer sk-test"},
        body=json.dumps(asked).encode(),
    )
    return b"".join(fake.handle(request).chunks())


def event(chunk: Any) -> bytes:
    """Return a chunk as a server-sent event."""
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def delta(**delta: Any) -> bytes:
    """Return an event that carries one delta of the first choice."""
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def piece(**piece: Any) -> bytes:
    """Return an event that carries one piece of the first tool call."""
    return delta(tool_calls=[{"index": 0, **piece}])


def heard(*data: bytes, choice: int = 0) -> Any:
    """Return the reply that pieces of a stream make."""
    chunks = Chunks(choice=choice)
    for each in data:
        chunks.feed(each)
    return chunks.reply()


def read_by_the_sdk(stream: bytes) -> Any:
    """Return the completion that the stream helper of the SDK makes of a stream."""

    def handle(_request: httpx_library.Request) -> httpx_library.Response:
        headers = {"Content-Type": "text/event-stream"}
        return httpx_library.Response(200, headers=headers, content=stream)

    http = http_client(httpx_library.MockTransport(handle))
    client = OpenAI(http_client=http, **CLIENT)
    messages: Any = [user("Well?")]
    with client.chat.completions.stream(model=MODEL, messages=messages) as opened:
        return opened.get_final_completion()


def said(message: Any) -> dict[str, Any]:
    """Return what a message of the SDK says, without what its helper adds."""
    dump: dict[str, Any] = message.model_dump(exclude_unset=True, exclude_none=True)
    for call in dump.get("tool_calls") or ():
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    return dump


def texts() -> st.SearchStrategy[str]:
    """Return texts of any length with all that may break a line or a character apart."""
    pieces = st.sampled_from(["a", " ", "\n", "\r\n", "data: [DONE]", "é", "日本", "🎉", '"', "\\"])
    return st.lists(pieces, max_size=80).map("".join)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """Return replies with a text, a thought and up to three calls, or with some of these."""
    calls = [
        {"id": f"look:{index}", "type": "function", "function": {"name": "look", "arguments": text}}
        for index, text in enumerate(draw(st.lists(texts(), max_size=3)))
    ]
    return Reply(content=draw(texts()), reasoning_content=draw(texts()) or None, tool_calls=calls)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Return streams as the fake server sends them, with line ends of either kind."""
    stream = answered(
        draw(replies()),
        fake=FakeKimi(null_usage=draw(st.booleans())),
        stream=True,
        stream_options={"include_usage": draw(st.booleans())},
        **draw(st.sampled_from([{}, QUIET])),
    )
    return stream.replace(b"\n", draw(st.sampled_from([b"\n", b"\r\n"])))


class TestStreams:
    """Replies that come in chunks."""

    @unhurried
    @given(stream=streams(), places=st.lists(st.integers(0, 10**4), max_size=30))
    def test_any_split_gives_the_same_reply(self, stream: bytes, places: list[int]) -> None:
        """Wherever the network cuts the bytes, in a line or in a character, the reply is one."""
        cuts = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
        parts = [stream[start:stop] for start, stop in pairwise(cuts)]

        assert heard(stream) == heard(*parts)
        assert heard(stream).complete

    @unhurried
    @given(reply=replies(), include=st.booleans(), null=st.booleans())
    def test_the_message_is_the_one_the_sdk_makes(
        self, reply: Reply, *, include: bool, null: bool
    ) -> None:
        """Text, thought, calls, usage and the reason are what its own helper accumulates."""
        stream = answered(
            reply,
            fake=FakeKimi(null_usage=null),
            stream=True,
            stream_options={"include_usage": include},
        )
        expected, actual = read_by_the_sdk(stream), heard(stream)

        assert said(expected.choices[0].message) == actual.message
        assert expected.choices[0].finish_reason == actual.finish_reason
        assert actual.usage is not None
        assert not include or expected.usage.completion_tokens == actual.usage.completion_tokens

    @unhurried
    @given(data=st.data(), stream=streams())
    def test_a_broken_stream_is_the_beginning_of_the_reply(
        self, data: st.DataObject, stream: bytes
    ) -> None:
        """Without its `[DONE]` nothing is complete, and no usage is believed."""
        end = stream.rindex(b"data: [DONE]")
        broken = heard(stream[: data.draw(st.integers(0, end))])
        whole = heard(stream)

        assert (False, None) == (broken.complete, broken.usage)
        assert broken.message is None or whole.message["content"].startswith(
            broken.message.get("content", "")
        )

    @pytest.mark.parametrize(
        "end", [b"data: [DONE]\n\n", b"data: [DONE]\n", b"data:[DONE]\r\n\r\n"]
    )
    def test_done_ends_a_reply(self, end: bytes) -> None:
        """With `[DONE]` a reply is complete, however the line that says so is ended."""
        assert heard(delta(role="assistant", content="Hi."), end).complete

    def test_usage_is_taken_once(self) -> None:
        """The usage of the last choice and that of the chunk after it are the same one."""
        stream = answered(Reply(content="Hi."), stream=True, stream_options={"include_usage": True})
        reply = heard(stream)

        assert 2 == stream.count(b'"prompt_tokens"')
        assert usage_of(json.loads(stream.split(b"\n\n")[-3][6:])["usage"]) == reply.usage

    def test_the_usage_may_stand_in_a_choice(self) -> None:
        """Where the caller asked for none, Moonshot still states it in the choice that finishes."""
        stream = answered(Reply(content="Hi."), stream=True)
        assert heard(stream).usage is not None

    def test_usage_that_is_null_is_none(self) -> None:
        """Chunks that say their usage is null neither set it nor take it away."""
        finish = {"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}
        last = event({"choices": [], "usage": None})
        reply = heard(delta(content="Hi."), event({"choices": [finish], "usage": None}), last, DONE)

        assert Usage(prompt_tokens=9, completion_tokens=4) == reply.usage

    @pytest.mark.parametrize("before", [{"tool_calls": None}, {}, {"tool_calls": []}])
    def test_a_list_may_be_null_at_first(self, before: dict[str, Any]) -> None:
        """Gateways open with `tool_calls: null`; calls that follow are read all the same."""
        call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        opening = delta(role="assistant", content="", **before)

        assert [call] == heard(opening, piece(**call), DONE).message["tool_calls"]

    def test_an_object_may_be_null_at_first(self) -> None:
        """What is null in one delta may be an object in the next."""
        opening = delta(role="assistant", content=None, vendor=None)
        reply = heard(opening, delta(vendor={"trace": "a"}), delta(vendor={"trace": "b"}), DONE)

        assert {"trace": "ab"} == reply.message["vendor"]

    def test_names_that_come_twice_are_one(self) -> None:
        """A server that repeats id, type and name in every piece of a call means one call."""
        function = {"name": "f", "arguments": "{}"}
        first = piece(id="a", type="function", function={**function, "arguments": "{"})
        second = piece(id="a", type="function", function={**function, "arguments": "}"})
        call = {"id": "a", "type": "function", "function": function}

        assert [call] == heard(first, second, DONE).message["tool_calls"]

    @pytest.mark.parametrize("noise", [b": ping\n\n", b"event: message\n", b"data: {\n\n", b"\n\n"])
    def test_what_is_no_chunk_is_passed_over(self, noise: bytes) -> None:
        """Comments, names of events and what is no JSON change nothing."""
        reply = heard(noise, delta(content="a"), noise, delta(content="b"), DONE)
        assert ("ab", True) == (reply.message["content"], reply.complete)

    @unhurried
    @given(places=st.lists(st.integers(0, 60), max_size=6))
    def test_an_event_may_have_several_lines(self, places: list[int]) -> None:
        """Lines of data are joined, also where a line end of two characters is split."""
        chunk = event({"choices": [{"index": 0, "delta": {"content": "a"}}]})
        stream = chunk.replace(b', "', b',\ndata: "').replace(b"\n", b"\r\n")
        cuts = sorted({0, len(stream), *(place % len(stream) for place in places)})
        parts = [stream[start:stop] for start, stop in pairwise(cuts)]

        assert {"content": "a"} == heard(*parts).message

    def test_the_choice_asked_for_counts(self) -> None:
        """Of several choices only that one is read, and the usage is not that of it alone."""
        stream = answered(
            Reply(content="Hi."),
            fake=FakeKimi(legacy=True),
            model="moonshot-v1-8k",
            n=2,
            stream=True,
        )
        first, second = heard(stream), heard(stream, choice=1)

        assert "Hi." == first.message["content"]
        assert second.message["content"].endswith("(2)")
        assert (False, False) == (first.measured, second.measured)

    def test_a_choice_that_is_not_there_is_the_last_one(self) -> None:
        """As in a reply that is not streamed, whoever counts on the second of one gets that."""
        whole = answered(Reply(content="Hi."), **QUIET)
        stream = answered(Reply(content="Hi."), stream=True, **QUIET)
        expected = read(json.loads(whole), choice=1)

        assert expected is not None
        assert expected.message == heard(stream, choice=1).message


class TestBodies:
    """Replies that come whole."""

    @unhurried
    @given(reply=replies(), cut=st.integers(0, 10**4))
    def test_any_split_gives_the_same_reply(self, reply: Reply, cut: int) -> None:
        """The bytes of a body may come in pieces."""
        data = answered(reply)
        place = cut % len(data)
        body = Body()
        body.feed(data[:place])
        body.feed(data[place:])

        assert read(json.loads(data)) == body.reply()

    @unhurried
    @given(reply=replies())
    def test_a_streamed_message_is_the_whole_one(self, reply: Reply) -> None:
        """A reply is the same message on record whichever way it was asked for."""
        whole = read(json.loads(answered(reply)))
        streamed = heard(answered(reply, stream=True))

        assert whole is not None
        assert (whole.message, whole.finish_reason) == (streamed.message, streamed.finish_reason)
        assert whole.usage == streamed.usage

    @pytest.mark.parametrize(
        "body",
        [
            None,
            [],
            {},
            {"choices": None},
            {"choices": []},
            {"choices": [None]},
            {"object": "list", "data": []},
        ],
    )
    def test_what_is_no_completion_is_no_reply(self, body: Any) -> None:
        """Other bodies are nothing to learn from."""
        assert read(body) is None

    @pytest.mark.parametrize("data", [b"", b'{"choices": [{"mess', b"not json", b"\xff"])
    def test_what_is_no_json_is_no_reply(self, data: bytes) -> None:
        """Half a body, or an error page of a gateway, is nothing to learn from."""
        body = Body()
        body.feed(data)
        assert body.reply() is None

    @pytest.mark.parametrize("block", [None, {}, [], {"prompt_tokens": 1}, {"prompt_tokens": "1"}])
    def test_a_usage_without_its_numbers_is_none(self, block: Any) -> None:
        """Only a block that states prompt and completion says what was paid."""
        assert usage_of(block) is None

    def test_the_usage_tells_what_was_cached_and_thought(self) -> None:
        """Cached tokens stand at the top or among the details; thoughts among the details."""
        details = {"completion_tokens_details": {"reasoning_tokens": 2}}
        top = {**USAGE, "cached_tokens": 5, **details}
        inner = {**USAGE, "prompt_tokens_details": {"cached_tokens": 5}, **details}
        expected = Usage(prompt_tokens=9, completion_tokens=4, cached_tokens=5, reasoning_tokens=2)

        assert [expected, expected] == [usage_of(top), usage_of(inner)]

    @pytest.mark.parametrize(
        ("reason", "expected"),
        [("stop", True), ("tool_calls", True), ("length", False), (None, False), ("odd", False)],
    )
    def test_only_a_finished_reply_is_measured(self, reason: str | None, *, expected: bool) -> None:
        """What was cut off does not cost what its completion tokens say."""
        choice = {"index": 0, "message": {"role": "assistant"}, "finish_reason": reason}
        reply = read({"choices": [choice]})

        assert reply is not None
        assert expected is reply.measured

    def test_calls_are_kept_without_their_index(self) -> None:
        """The place of a call in a stream is no part of the message."""
        assert CALL in heard(answered(Reply(tool_calls=[CALL]), stream=True)).message["tool_calls"]
