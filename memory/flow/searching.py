"""Searches of the model, run before its reply reaches the caller.

A reply that calls the search tool is answered here, in the same call: the assistant message and a
result for each of its calls are appended to what was sent, and the request goes out again. These
rounds are no turns: none of them is put on record, and only the last reply is the caller's.

A batch is answered whole, as the protocol demands. Calls of the caller's own that came together
with a search are answered with the request to call again with what was found: the caller's tools
are run by nobody but the caller, who never sees half of a batch.

When the rounds are used up the tool stays declared, so that the server's cache holds, and
`tool_choice: "none"`, which thinking models take too, makes the model reply. Where the caller has
tools, that would forbid these as well: there the model is told with the last result that it was
the last, and if it searches all the same, the request goes out once more without the search tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from memory import events, models
from memory.flow.effects import Answer, Emit, Flow, Send
from memory.flow.log import failed
from memory.flow.recall import searched
from memory.flow.resend import reply_room
from memory.flow.resume import best, find
from memory.flow.state import Context, Fitted, Prompt
from memory.identity import see
from memory.messages import WireMessage, is_partial, tool_calls
from memory.overflow import overflow_of
from memory.recall.settings import Recall
from memory.recall.tool import (
    FAILED,
    LAST,
    NO_ROOM,
    WAITING,
    Asked,
    calls_of,
    is_search,
    listing,
    read,
)
from memory.replies import Reply
from memory.view import View

__all__ = ("Offer", "Round", "found_for", "learnt", "search")


PARTS = (1.0, 0.5)
"""What is tried of the room: what was reckoned in texts may cost more as a message."""
LEAST = 24
"""Tokens below which no message that is found could be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """How the tool is offered with a request.

    Attributes:
        name: What it is called there.
        alone: Whether the caller has no other tools.
        execute: Whether its calls are answered before the caller sees the reply.
    """

    name: str
    alone: bool = True
    execute: bool = False

    def is_for(self, prompt: Prompt) -> bool:
        """Return whether calls in the reply to a prompt are answered here.

        The reply to a `partial` message is the rest of that message, which nothing can follow.
        """
        return self.execute and not is_partial(prompt.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round(Send):
    """One request whose reply may be a search.

    Attributes:
        tool: What the tool is called whose calls are answered; empty where none are.
        last: Whether the model has to reply, and may not call any tool.
    """

    tool: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class _Loop:
    """What all rounds of one call share."""

    prompt: Prompt
    context: Context
    offer: Offer
    completion: int | None

    @property
    def recall(self) -> Recall:
        return self.context.recall or Recall(mode="tool")


@dataclass(slots=True)
class _Bill:
    """What the rounds have come to so far."""

    rounds: int = 0
    results: int = 0
    tokens: int = 0

    def add(self, reply: Reply, results: int) -> None:
        usage = reply.usage
        self.rounds += 1
        self.results += results
        self.tokens += usage.prompt_tokens + usage.completion_tokens if usage else 0


def search(
    prompt: Prompt, context: Context, offer: Offer, fitted: Fitted, answer: Answer
) -> Flow[tuple[Prompt, Fitted, Answer]]:
    """Answer the searches of a reply, and of those that follow; return what came of it.

    Args:
        prompt: The request, after its conversation, with the tool among its own.
        context: How it is judged.
        offer: How the tool is offered.
        fitted: What was sent.
        answer: What came back.

    Returns:
        The prompt, the messages of the last request, and the answer to it.
    """
    if not offer.is_for(prompt) or _asking(answer, offer) is None:
        return prompt, fitted, answer
    loop = _Loop(prompt, context, offer, reply_room(prompt, context, fitted))
    bill = _Bill()
    try:
        done = yield from _rounds(loop, bill, fitted, answer)
    except Exception:
        yield from _told(prompt, bill).perform()
        raise
    yield from _told(prompt, bill).perform()
    return done


def _rounds(
    loop: _Loop, bill: _Bill, fitted: Fitted, answer: Answer
) -> Flow[tuple[Prompt, Fitted, Answer]]:
    most = loop.recall.rounds
    while (reply := _asking(answer, loop.offer)) is not None:
        over = bill.rounds + 1 >= most
        following, results = None, 0
        try:
            learnt(loop.prompt, loop.context, fitted, reply)
            if bill.rounds < most:
                following, results = yield from _answered(loop, fitted, reply, over=over)
        except Exception as error:  # noqa: BLE001  # no turn fails because of memory
            yield from failed(loop.prompt, error).perform()
        bill.add(reply, results)
        if following is None or (over and loop.offer.alone):
            return (yield from _last(loop, following or fitted))
        try:
            answer = yield from _sent(loop, following)
        except Exception as error:
            if overflow_of(error) is None:
                raise
            return (yield from _last(loop, fitted))  # what was found is too much for the server
        fitted = following
    return loop.prompt, fitted, answer


def _asking(answer: Answer, offer: Offer) -> Reply | None:
    """Return a reply that asks for a search that can be answered; None where it does not."""
    reply = answer.reply
    return reply if reply is not None and is_search(reply, offer.name) else None


def _sent(loop: _Loop, fitted: Fitted) -> Flow[Answer]:
    room, tool = _completion(loop, fitted), loop.offer.name
    request = Round(prompt=loop.prompt, fitted=fitted, completion=room, tool=tool)
    return (yield from request.perform())


def _last(loop: _Loop, fitted: Fitted) -> Flow[tuple[Prompt, Fitted, Answer]]:
    """Send what was found so that the model cannot search any more."""
    prompt, alone = loop.prompt, loop.offer.alone
    if not alone:
        prompt = replace(prompt, tools=prompt.tools[:-1])
    request = Round(prompt=prompt, fitted=fitted, completion=_completion(loop, fitted), last=alone)
    return prompt, fitted, (yield from request.perform())


def _completion(loop: _Loop, fitted: Fitted) -> int | None:
    return reply_room(loop.prompt, loop.context, fitted) or loop.completion


def learnt(prompt: Prompt, context: Context, fitted: Fitted, reply: Reply) -> None:
    """Learn what a request cost from what the server reported for it.

    What was sent without being counted is not learnt from: most conversations stay that short,
    and need no vocabulary as long as they do.
    """
    usage = reply.usage
    if usage is None:
        return
    context.windows.accepted(prompt.model, usage.prompt_tokens)
    if fitted.counted:
        context.meter.observe(
            fitted.messages,
            usage=usage,
            tools=prompt.tools,
            reply=reply.message if reply.measured else None,
            thinking=prompt.thinking,
            keep_reasoning=prompt.keep_reasoning,
            seen=fitted.seen,
        )


def _answered(
    loop: _Loop, fitted: Fitted, reply: Reply, *, over: bool
) -> Flow[tuple[Fitted | None, int]]:
    """Return what was sent with a reply and the results of its calls, and how many were found.

    None where there is no room even for results that say so.
    """
    message = _repeated(loop.prompt, reply.message or {})
    without = _with(loop, fitted, message, {})
    limit = loop.context.limit(loop.prompt)
    if without.tokens > limit:
        return None, 0
    room = min(loop.recall.share * limit, limit - without.tokens)
    for part in PARTS:
        results, found = yield from _results(loop, message, part * room, over=over)
        following = _with(loop, fitted, message, results)
        if following.tokens <= limit:
            return following, found
    return without, 0


def _results(
    loop: _Loop, message: WireMessage, room: float, *, over: bool
) -> Flow[tuple[dict[str, str], int]]:
    """Return the results of the searches of a message by their ids, and how many were found."""
    asked = calls_of(message, loop.offer.name)
    results, found = dict[str, str](), 0
    for call in asked:
        query = read(call["function"].get("arguments"))
        text, number = yield from _looked_up(loop.prompt, loop.context, query, room / len(asked))
        results[call["id"]] = f"{text}\n{LAST}" if over and not loop.offer.alone else text
        found += number
    return results, found


def _repeated(prompt: Prompt, message: WireMessage) -> WireMessage:
    """Return a reply as it is sent back: a thinking model wants a thought with its calls."""
    lacks = prompt.thinking and not isinstance(message.get("reasoning_content"), str)
    thought = {"reasoning_content": ""} if lacks and models.is_known(prompt.model) else {}
    return {"role": "assistant", **message, **thought}


def _with(loop: _Loop, fitted: Fitted, message: WireMessage, results: Mapping[str, str]) -> Fitted:
    """Return what was sent with a reply and a result for each of its calls, counted."""
    ours = {call["id"] for call in calls_of(message, loop.offer.name)}
    ids = [call["id"] for call in tool_calls(message)]
    texts = (results.get(each, NO_ROOM) if each in ours else WAITING for each in ids)
    added = [message, *map(_result, ids, texts)]
    sent = [*fitted.messages, *added]
    seen = [*(fitted.seen or see(fitted.messages)), *see(added)]
    total = loop.context.count(loop.prompt, sent, seen=seen).total
    return replace(
        fitted,
        messages=sent,
        seen=seen,
        changed=True,
        counted=True,
        tokens=total,
        recalled=max(0, total - (fitted.tokens - fitted.recalled)),
    )


def _result(call: str, text: str) -> WireMessage:
    return {"role": "tool", "tool_call_id": call, "content": text}


def found_for(prompt: Prompt, context: Context, arguments: object) -> Flow[str]:
    """Return the result for a call of the search tool, that the caller has got.

    Args:
        prompt: The conversation as the caller has it.
        context: How it is judged.
        arguments: Those of the call.
    """
    recall = context.recall or Recall(mode="tool")
    room = recall.share * context.limit(prompt)
    text, _ = yield from _looked_up(prompt, context, read(arguments), room)
    return text


def _looked_up(
    prompt: Prompt, context: Context, asked: Asked, room: float
) -> Flow[tuple[str, int]]:
    """Return what the model reads for a search, and how many messages that are."""
    if asked.problem:
        return asked.problem, 0
    try:
        view = yield from _view(prompt, context)
        room -= context.meter.text(listing(" ")) + context.meter.text(LAST)
        if room < LEAST:
            return NO_ROOM, 0
        found = yield from searched(prompt, context, view, asked.query, room=room)
    except Exception as error:  # noqa: BLE001  # no turn fails because of memory
        yield from failed(prompt, error).perform()
        return FAILED, 0
    return FAILED if found.failed else listing(found.text), len(found.choices)


def _view(prompt: Prompt, context: Context) -> Flow[View]:
    """Return what the model sees of a conversation, without paying for anything."""
    thread, records = yield from find(prompt, context, prompt.thread())
    return best(prompt, context, thread, records).view


def _told(prompt: Prompt, bill: _Bill) -> Emit:
    event = events.MemorySearched(
        namespace=prompt.namespace, rounds=bill.rounds, results=bill.results, tokens=bill.tokens
    )
    return Emit(event=event)
