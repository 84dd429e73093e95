"""Streams in a conversation: recorded at `[DONE]`, and incomplete turns where they end before."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import pytest
from chats import NAME, TURN, calling, contents, kept, last_sent, result
from fake_kimi_requests import OFF, assistant, user
from kimi_clients import (
    CLIENT,
    MODEL,
    STREAM_ERRORS,
    TOOLS,
    ask,
    connect,
    http_client,
    httpx_library,
    sent,
)
from openai import OpenAI, Stream
from openai.types.chat import ChatCompletionChunk

from memory import Conversation, MemoryManager, QueueHook, wrap
from memory.client import manager_of
from memory.events import Failed, Recorded
from memory.testing import FakeKimi, Fault, Reply

LONG = "Crate 1 stands on shelf 7, and nobody has touched it since the day it came in. " * 3


def opened(client: OpenAI, *messages: Any, **more: Any) -> Any:
    """Return a stream that answers messages."""
    return ask(client, list(messages), stream=True, **more)


def text_of(stream: Any) -> str:
    """Return the text of what a stream still holds."""
    return "".join(each.choices[0].delta.content or "" for each in stream if each.choices)


def break_off(stream: Any, pieces: int = 3) -> str:
    """Read some pieces of a stream and close it; return the text that was read."""
    text = text_of(next(stream) for _ in range(pieces))
    stream.close()
    return text


def close(stream: Any) -> None:
    """Close a stream."""
    stream.close()


def leave(stream: Any) -> None:
    """Leave the context of a stream."""
    with stream:
        pass


def leave_by_an_error(stream: Any) -> None:
    """Leave the context of a stream because something failed."""
    with pytest.raises(ZeroDivisionError), stream:
        raise ZeroDivisionError


def served(kind: str, *pieces: bytes) -> tuple[OpenAI, Conversation]:
    """Return a client of one conversation whose server always answers with these bytes."""

    def handle(_request: httpx_library.Request) -> httpx_library.Response:
        return httpx_library.Response(200, headers={"Content-Type": kind}, content=iter(pieces))

    http = http_client(httpx_library.MockTransport(handle))
    client = wrap(OpenAI(http_client=http, **CLIENT), conversation=NAME, hooks=())
    manager = manager_of(client)
    assert isinstance(manager, MemoryManager)
    return client, manager.conversation(NAME)


class TestComplete:
    """Streams that are read to their end."""

    def test_a_stream_is_recorded_when_done_has_passed(self) -> None:
        """Not when it is opened, and before its reader has asked for more."""
        client, conversation = kept(FakeKimi(reply=lambda _: LONG))
        stream = opened(client, user("One"))
        assert [] == conversation.history()

        text = text_of(stream)
        assert (["One", LONG], LONG) == (contents(conversation.history()), text)

    def test_the_reader_of_a_stream_sees_what_was_sent(self) -> None:
        """Every chunk is that of the plain client, in its order."""
        plain = FakeKimi(reply=lambda _: LONG, clock=lambda: 0.0)
        memory = FakeKimi(reply=lambda _: LONG, clock=lambda: 0.0)
        client, _ = kept(memory)
        expected, actual = opened(connect(plain), user("One")), opened(client, user("One"))

        assert isinstance(actual, Stream)
        assert [each.to_dict() for each in expected] == [each.to_dict() for each in actual]

    def test_usage_in_a_chunk_of_its_own_changes_nothing(self) -> None:
        """A caller who asks for the usage gets it, and the turn is on record once."""
        hook = QueueHook()
        client, conversation = kept(FakeKimi(reply=lambda _: LONG), hooks=(hook,))
        chunks = list(opened(client, user("One"), stream_options={"include_usage": True}))

        assert chunks[-1].usage is not None
        assert ["One", LONG] == contents(conversation.history())
        assert 1 == sum(isinstance(each, Recorded) for each in hook.drain())

    def test_streamed_calls_are_recorded(self) -> None:
        """They arrive in pieces and are sent whole with their results."""
        fake = FakeKimi()
        fake.queue_reply(Reply(tool_calls=calling("weigh:0", "weigh:1")["tool_calls"]))
        client, conversation = kept(fake)
        list(opened(client, user("Weigh."), tools=TOOLS))
        ask(client, [result("weigh:0"), result("weigh:1")], tools=TOOLS)

        assert calling("weigh:0", "weigh:1") == conversation.history()[1]
        assert calling("weigh:0", "weigh:1") == sent(fake)[-1][1]

    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    def test_compressed_streams_are_recorded(self, coding: Any) -> None:
        """What the server sends compressed is read as the SDK reads it."""
        client, conversation = kept(FakeKimi(reply=lambda _: LONG, compress=coding))

        assert LONG == text_of(opened(client, user("One")))
        assert ["One", LONG] == contents(conversation.history())

    @pytest.mark.parametrize("end", ["\n\n", "\n", "", "\r\n\r\n"])
    def test_the_last_line_may_end_in_any_way(self, end: str) -> None:
        """Where the SDK sees the end of the reply, so does the record."""
        chunk = '{"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi."}}]}'
        stream = f"data: {chunk}\n\ndata: [DONE]{end}".encode()
        client, conversation = served("text/event-stream", stream)
        text = text_of(opened(client, user("One")))
        export = conversation.export()

        assert "Hi." == text
        assert (["One", "Hi."], True) == (contents(export["messages"]), export["complete"])

    def test_a_stream_belongs_to_where_it_was_asked_for(self) -> None:
        """Opened in one conversation and read in another, it is recorded in the first."""
        manager = MemoryManager(hooks=())
        client = manager.wrap(connect(FakeKimi(reply=lambda _: LONG)))
        first, second = manager.conversation("first"), manager.conversation("second")
        with first:
            stream = opened(client, user("One"))
        with second:
            text_of(stream)

        assert ["One", LONG] == contents(first.history())
        assert [] == second.history()

    def test_what_was_sent_is_recorded(self) -> None:
        """Changing the messages while the reply is under way changes nothing on record."""
        client, conversation = kept(FakeKimi(reply=lambda _: LONG))
        messages: Any = [{"role": "user", "content": [{"type": "text", "text": "One"}]}]
        stream: Any = client.post(
            "/chat/completions",
            cast_to=ChatCompletionChunk,
            body={"model": MODEL, "messages": messages, "stream": True, **OFF},
            stream=True,
            stream_cls=Stream[ChatCompletionChunk],
        )
        messages[0]["content"][0]["text"] = "Changed"
        text_of(stream)

        assert "One" == conversation.history()[0]["content"][0]["text"]

    def test_streams_may_overlap(self) -> None:
        """Each is recorded with its own question, in the order in which they end."""
        fake = FakeKimi(reply=lambda body: f"Reply to {body['messages'][-1]['content']}")
        client, conversation = kept(fake)
        first, second = opened(client, user("One")), opened(client, user("Two"))
        text_of(second)
        text_of(first)

        assert ["Two", "Reply to Two", "One", "Reply to One"] == contents(conversation.history())


class TestBrokenOff:
    """Streams that end before their end."""

    @pytest.mark.parametrize("end", [close, leave, leave_by_an_error])
    def test_a_stream_that_is_closed_is_an_incomplete_turn(
        self, end: Callable[[Any], None]
    ) -> None:
        """However its reader gives it up, the text there is stays on record as a beginning."""
        client, conversation = kept(FakeKimi(reply=lambda _: LONG))
        stream = opened(client, user("One"))
        text = text_of(next(stream) for _ in range(3))
        end(stream)
        export = conversation.export()

        assert LONG.startswith(text)
        assert ["One", text] == contents(export["messages"])
        assert not export["complete"]

    def test_a_stream_that_is_dropped_is_an_incomplete_turn(self) -> None:
        """A reader who forgets to close it leaves the same behind."""
        client, conversation = kept(FakeKimi(reply=lambda _: LONG))
        stream = opened(client, user("One"))
        next(stream)
        del stream
        gc.collect()

        assert ["One", ""] == contents(conversation.history())

    @pytest.mark.parametrize("fault", [Fault.RESET, Fault.CUT, Fault.NO_DONE])
    def test_a_stream_that_breaks_is_an_incomplete_turn(self, fault: Fault) -> None:
        """Whatever the server or the network did, without its `[DONE]` a reply is not whole."""
        fake, hook = FakeKimi(faults=[fault]), QueueHook()
        fake.queue_reply(LONG)
        client, conversation = kept(fake, hooks=(hook,))
        stream, text = opened(client, user("One")), ""
        try:
            for chunk in stream:
                text += chunk.choices[0].delta.content or ""
        except STREAM_ERRORS:
            assert Fault.RESET is fault
        told = [each for each in hook.drain() if isinstance(each, (Failed, Recorded))]

        assert ["One", text] == contents(conversation.history())
        assert [False] == [each.complete for each in told if isinstance(each, Recorded)]

    def test_a_stream_closed_before_anything_came_has_no_reply(self) -> None:
        """The question alone is on record, and can be asked again."""
        client, conversation = kept(FakeKimi(reply=lambda _: LONG))
        opened(client, user("One")).close()
        assert ["One"] == contents(conversation.history())

        ask(client, [user("One")])
        assert ["One", LONG] == contents(conversation.history())

    def test_asking_the_same_again_is_another_try(self) -> None:
        """The beginning is not sent, and the whole reply takes its place."""
        fake = FakeKimi(reply=lambda _: LONG)
        client, conversation = kept(fake)
        break_off(opened(client, user("One")))
        text = text_of(opened(client, user("One")))

        assert (["One"], LONG) == (last_sent(fake), text)
        assert (["One", LONG], True) == (
            contents(conversation.history()),
            conversation.export()["complete"],
        )

    def test_something_else_goes_on_after_the_text(self) -> None:
        """The model sees how far it had come."""
        fake = FakeKimi(reply=lambda _: LONG)
        client, conversation = kept(fake)
        text = break_off(opened(client, user("One")))
        ask(client, [user("Go on.")])

        assert ["One", text, "Go on."] == last_sent(fake)
        assert ["One", text, "Go on.", LONG] == contents(conversation.history())

    def test_something_else_goes_on_without_a_blank_text(self) -> None:
        """Where nothing was said yet, nothing is sent of it."""
        fake = FakeKimi(reply=lambda _: LONG)
        client, conversation = kept(fake)
        break_off(opened(client, user("One")), pieces=1)
        ask(client, [user("Go on.")])

        assert ["One", "Go on."] == last_sent(fake)
        assert ["One", "Go on.", LONG] == contents(conversation.history())

    @pytest.mark.parametrize("again", [True, False])
    def test_half_a_call_is_never_sent(self, *, again: bool) -> None:
        """Its arguments are not whole, so the question is all that is left of the turn."""
        fake = FakeKimi(faults=[Fault.CUT])
        fake.queue_reply(Reply(tool_calls=calling("weigh:0")["tool_calls"]))
        client, _ = kept(fake)
        list(opened(client, user("Weigh."), tools=TOOLS))
        question = user("Weigh." if again else "Never mind.")
        ask(client, [question], tools=TOOLS)

        assert ["Weigh.", question["content"]][: 1 if again else 2] == last_sent(fake)

    def test_results_whose_answer_broke_off_can_be_sent_again(self) -> None:
        """The exchange stays whole, and the second answer takes the place of the first."""
        fake = FakeKimi()
        fake.queue_reply(calling("weigh:0"))
        fake.queue_reply(LONG)
        client, conversation = kept(fake)
        ask(client, [user("Weigh.")], tools=TOOLS)
        fake.fail_next(Fault.CUT)
        list(opened(client, result("weigh:0"), tools=TOOLS))
        fake.queue_reply("It has 12 kg.")
        ask(client, [result("weigh:0")], tools=TOOLS)

        expected = [user("Weigh."), calling("weigh:0"), result("weigh:0")]
        assert expected == sent(fake)[-1]
        assert [*expected, assistant("It has 12 kg.")] == conversation.history()

    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    def test_compressed_streams_break_off_too(self, coding: Any) -> None:
        """What was read of them can be retried; nothing of it reaches the reader as an error."""
        fake, hook = FakeKimi(reply=lambda _: LONG, compress=coding), QueueHook()
        client, conversation = kept(fake, hooks=(hook,))
        break_off(opened(client, user("One")))
        ask(client, [user("One")])

        assert ["One", LONG] == contents(conversation.history())
        assert [] == [each for each in hook.drain() if isinstance(each, Failed)]

    def test_a_refused_stream_records_nothing(self) -> None:
        """A request that is refused before its stream begins is as if it had not been made."""
        fake = FakeKimi(faults=[Fault.SERVER_ERROR], reply=lambda _: LONG)
        client, conversation = kept(fake)
        with pytest.raises(Exception, match="invalid state transition"):
            opened(client, user("One"))
        assert [] == conversation.history()


@pytest.mark.parametrize("pieces", [0, 1])
def test_a_body_that_is_not_read_to_its_end_is_an_incomplete_turn(pieces: int) -> None:
    """A reply that is not streamed, of which only some was read, can be asked for again."""
    body = json.dumps({"choices": [{"index": 0, "message": TURN[1]}]}).encode()
    client, conversation = served("application/json", body[:20], body[20:])
    create = client.chat.completions.with_streaming_response.create
    messages: Any = TURN[:1]
    with create(model=MODEL, messages=messages, extra_body=OFF) as response:
        for _, _piece in zip(range(pieces), response.iter_bytes(), strict=False):
            pass

    assert TURN[:1] == conversation.history()
    assert not conversation.export()["complete"]
