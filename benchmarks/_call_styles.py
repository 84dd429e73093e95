"""The ways in which the SDK can be asked for a chat completion, each written once for both colours.

Every style makes one call and returns all that its caller gets: replies, streams and what they
yield, events of the stream helper, raw responses and what they are parsed to.
"""

from __future__ import annotations

from typing import Any, Final

from openai import AsyncStream, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from pydantic import BaseModel

from benchmarks._trial import HTTP, MODEL, OFF, Message, Style, Trial, entered, read, settled

__all__ = ("CALL_STYLES", "Shelf")

LEGACY: Final = "moonshot-v1-128k"
"""The model that is asked for two replies at once: newer ones refuse."""
SCHEMA: Final = {
    "type": "object",
    "properties": {"crate": {"type": "integer"}, "shelf": {"type": "integer"}},
    "required": ["crate", "shelf"],
    "additionalProperties": False,
}
TOOL: Final = {
    "type": "function",
    "function": {
        "name": "weigh",
        "description": "Weigh a crate.",
        "parameters": {"type": "object", "properties": {"crate": {"type": "integer"}}},
    },
}


class Shelf(BaseModel):
    """What `parse` is asked for."""

    crate: int
    shelf: int


async def create(trial: Trial) -> list[Any]:
    """Ask for a reply."""
    return [await settled(trial.client.chat.completions.create(**trial.given))]


async def create_stream(trial: Trial) -> list[Any]:
    """Ask for a stream and read it."""
    stream = await settled(trial.client.chat.completions.create(**trial.given, stream=True))
    return [stream, *await read(stream)]


async def create_stream_entered(trial: Trial) -> list[Any]:
    """Read a stream as a context manager."""
    made = await settled(trial.client.chat.completions.create(**trial.given, stream=True))
    async with entered(made) as stream:
        return [made, stream, *await read(stream), stream.response.is_closed]


async def create_stream_usage(trial: Trial) -> list[Any]:
    """Ask a stream for its usage."""
    more = {"stream": True, "stream_options": {"include_usage": True}}
    stream = await settled(trial.client.chat.completions.create(**trial.given, **more))
    chunks = await read(stream)
    return [stream, *chunks, type(chunks[-1].usage).__name__]


async def _helped(helper: Any) -> list[Any]:
    async with entered(helper) as stream:
        events = await read(stream)
        return [helper, stream, *events, await settled(stream.get_final_completion())]


async def stream_helper(trial: Trial) -> list[Any]:
    """Use the stream helper."""
    return await _helped(trial.client.chat.completions.stream(**trial.given))


async def stream_helper_parsing(trial: Trial) -> list[Any]:
    """Use the stream helper for a structure."""
    helper = trial.client.chat.completions.stream(**trial.given, response_format=Shelf)
    return await _helped(helper)


async def parse(trial: Trial) -> list[Any]:
    """Ask for a structure."""
    method = trial.client.chat.completions.parse
    reply = await settled(method(**trial.given, response_format=Shelf))
    return [reply, reply.choices[0].message.parsed]


async def _unwrapped(raw: Any) -> list[Any]:
    parsed = await settled(raw.parse())
    return [raw, raw.status_code, raw.http_response, parsed]


async def raw_create(trial: Trial) -> list[Any]:
    """Ask for the raw response of a resource."""
    method = trial.client.chat.completions.with_raw_response.create
    return await _unwrapped(await settled(method(**trial.given)))


async def raw_create_stream(trial: Trial) -> list[Any]:
    """Ask for the raw response of a stream."""
    method = trial.client.chat.completions.with_raw_response.create
    raw = await settled(method(**trial.given, stream=True))
    stream = await settled(raw.parse())
    return [raw, raw.status_code, stream, *await read(stream)]


async def raw_parse(trial: Trial) -> list[Any]:
    """Ask for the raw response of a structure."""
    method = trial.client.chat.completions.with_raw_response.parse
    return await _unwrapped(await settled(method(**trial.given, response_format=Shelf)))


async def raw_client(trial: Trial) -> list[Any]:
    """Ask for the raw response of the client."""
    method = trial.client.with_raw_response.chat.completions.create
    return await _unwrapped(await settled(method(**trial.given)))


async def _streamed(manager: Any) -> list[Any]:
    async with entered(manager) as response:
        content = await settled(response.read())
        return [response, response.status_code, type(content), await settled(response.parse())]


async def streaming_create(trial: Trial) -> list[Any]:
    """Ask for the streaming response of a resource."""
    method = trial.client.chat.completions.with_streaming_response.create
    return await _streamed(method(**trial.given))


async def streaming_create_lines(trial: Trial) -> list[Any]:
    """Read a stream line by line."""
    method = trial.client.chat.completions.with_streaming_response.create
    async with entered(method(**trial.given, stream=True)) as response:
        return [response, *map(type, await read(response.iter_lines()))]


async def streaming_client(trial: Trial) -> list[Any]:
    """Ask for the streaming response of the client."""
    method = trial.client.with_streaming_response.chat.completions.create
    return await _streamed(method(**trial.given))


async def beta_create(trial: Trial) -> list[Any]:
    """Ask the beta resource for a reply."""
    return [await settled(trial.client.beta.chat.completions.create(**trial.given))]


async def beta_parse(trial: Trial) -> list[Any]:
    """Ask the beta resource for a structure."""
    method = trial.client.beta.chat.completions.parse
    return [await settled(method(**trial.given, response_format=Shelf))]


async def beta_stream(trial: Trial) -> list[Any]:
    """Use the stream helper of the beta resource."""
    return await _helped(trial.client.beta.chat.completions.stream(**trial.given))


async def _posted(trial: Trial, kind: Any) -> list[Any]:
    method = trial.client.post
    return [await settled(method("/chat/completions", cast_to=kind, body=trial.body))]


async def post_completion(trial: Trial) -> list[Any]:
    """Post a body, for a completion."""
    return await _posted(trial, ChatCompletion)


async def post_response(trial: Trial) -> list[Any]:
    """Post a body, for the response of the HTTP library."""
    return await _posted(trial, HTTP.Response)


async def post_object(trial: Trial) -> list[Any]:
    """Post a body, for whatever the JSON holds."""
    return await _posted(trial, object)


async def post_stream(trial: Trial) -> list[Any]:
    """Post a body, for a stream."""
    kind: Any = AsyncStream if trial.asynchronous else Stream
    more = {"stream": True, "stream_cls": kind[ChatCompletionChunk]}
    body = {**trial.body, "stream": True}
    post = trial.client.post
    stream = await settled(post("/chat/completions", cast_to=ChatCompletion, body=body, **more))
    return [stream, *await read(stream)]


async def _with_messages(trial: Trial, messages: Any, **more: Any) -> list[Any]:
    given = {**trial.given, "messages": messages, **more}
    return [await settled(trial.client.chat.completions.create(**given))]


async def extra_body_messages(trial: Trial) -> list[Any]:
    """Override the messages in `extra_body`."""
    return await _with_messages(trial, [], extra_body={**OFF, "messages": trial.messages})


async def extra_body_model(trial: Trial) -> list[Any]:
    """Override the model in `extra_body`."""
    more = {"model": "unheard-of", "extra_body": {**OFF, "model": MODEL}}
    return await _with_messages(trial, trial.messages, **more)


async def pydantic_messages(trial: Trial) -> list[Any]:
    """Send the SDK's own message objects back."""
    messages = [
        ChatCompletionMessage.model_validate(each) if each["role"] == "assistant" else each
        for each in trial.messages
    ]
    return await _with_messages(trial, messages)


async def generator_of_messages(trial: Trial) -> list[Any]:
    """Send what a generator yields."""
    return await _with_messages(trial, (each for each in trial.messages))


async def tuple_of_messages(trial: Trial) -> list[Any]:
    """Send a tuple."""
    return await _with_messages(trial, tuple(trial.messages))


async def several_choices(trial: Trial) -> list[Any]:
    """Ask for two replies at once."""
    return await _with_messages(trial, trial.messages, model=LEGACY, n=2, extra_body={})


async def tools(trial: Trial) -> list[Any]:
    """Send tools, their calls and their results, the last of them still unanswered."""
    function = {"name": "weigh", "arguments": '{"crate": 1}'}
    exchange: list[Message] = [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "weigh:0", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "weigh:0", "content": "17 kg"},
    ]
    trial.messages[3:3] = exchange
    trial.messages.extend(exchange)
    return await _with_messages(trial, trial.messages, tools=[TOOL])


async def json_schema(trial: Trial) -> list[Any]:
    """Ask for a structure by its schema."""
    schema = {"name": "shelf", "schema": SCHEMA, "strict": True}
    form = {"type": "json_schema", "json_schema": schema}
    return await _with_messages(trial, trial.messages, response_format=form)


CALL_STYLES: Final = (
    Style("create()", create),
    Style("create(stream=True)", create_stream),
    Style("with create(stream=True)", create_stream_entered),
    Style("create(stream=True, stream_options=…)", create_stream_usage),
    Style("stream()", stream_helper),
    Style("stream(response_format=…)", stream_helper_parsing),
    Style("parse()", parse),
    Style("with_raw_response.create()", raw_create),
    Style("with_raw_response.create(stream=True)", raw_create_stream),
    Style("with_raw_response.parse()", raw_parse),
    Style("with_streaming_response.create()", streaming_create),
    Style("with_streaming_response.create(stream=True)", streaming_create_lines),
    Style("client.with_raw_response.….create()", raw_client),
    Style("client.with_streaming_response.….create()", streaming_client),
    Style("beta.….create()", beta_create),
    Style("beta.….parse()", beta_parse),
    Style("beta.….stream()", beta_stream),
    Style("post(cast_to=ChatCompletion)", post_completion),
    Style("post(cast_to=Response)", post_response),
    Style("post(cast_to=object)", post_object),
    Style("post(stream=True)", post_stream),
    Style('extra_body={"messages": …}', extra_body_messages),
    Style('extra_body={"model": …}', extra_body_model),
    Style("messages: objects of the SDK", pydantic_messages),
    Style("messages: a generator", generator_of_messages),
    Style("messages: a tuple", tuple_of_messages),
    Style("create(n=2)", several_choices, server={"legacy": True}),
    Style("create(tools=…) in a tool loop", tools),
    Style('create(response_format={"type": "json_schema"})', json_schema),
)
