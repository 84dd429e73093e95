"""Chat completions of the fake server: from a decoded body to what goes on the wire."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from memory.testing.kimi_answer import answer
from memory.testing.kimi_call import Call
from memory.testing.kimi_prompt import PrefixCache, Prompts
from memory.testing.kimi_reply import Reply, break_off, chunks, completion, transmit, usage
from memory.testing.kimi_rules import PARAMETER_RULES, check
from memory.testing.kimi_spoiled import spoken
from memory.testing.kimi_structure import MESSAGE_RULES, STRUCTURE_RULES
from memory.testing.kimi_summary import extract, summary_job
from memory.testing.kimi_wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from memory.testing.kimi_faults import Effect, Faults
    from memory.testing.kimi_models import Model
    from memory.testing.kimi_reply import Spoken
    from memory.testing.kimi_summary import SummaryJob
    from memory.testing.kimi_wire import Kind, Wire

__all__ = (
    "Chat",
    "Outcome",
    "Overflow",
    "Said",
)

Overflow = Literal["requested", "limit", "too-long"]
"""How a request over the window is refused: the three wordings that are known.

`requested` is what k2.5 was reported to say, with both figures; `limit` and `too-long` are those
of the documentation, with one figure and with none.
"""

_OVERFLOW: dict[Overflow, str] = {
    "requested": "Invalid request: Your request exceeded model token limit: {limit} "
    "(requested: {requested})",
    "limit": "Your request exceeded model token limit : {limit}",
    "too-long": "Input token length too long",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model says to a request, before a route encodes it.

    Attributes:
        call: The request.
        choices: The replies, as many as were asked for.
        effect: What a fault does to their transmission.
        prompt_tokens: As billed.
        cached_tokens: The part of the prompt that was cached.
    """

    call: Call
    choices: tuple[Spoken, ...]
    effect: Effect
    prompt_tokens: int
    cached_tokens: int

    @property
    def usage(self) -> dict[str, Any]:
        """The usage block of a chat completion."""
        return usage(self.choices, prompt=self.prompt_tokens, cached=self.cached_tokens)

    def outcome(self, body: bytes | Iterator[bytes]) -> Outcome:
        """Return the answer of a route whose encoding is given."""
        cached = self.cached_tokens
        return Outcome(
            body=body,
            headers={"Msh-Context-Cache-Token-Saved": str(cached)} if cached else {},
            stream=self.call.stream,
            slow=self.effect.slow,
            hang=self.effect.hang,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=sum(one.completion_tokens for one in self.choices),
            cached_tokens=cached,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a route answers, before it is dressed as an HTTP response and logged."""

    body: bytes | Iterator[bytes]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: bool = False
    slow: bool = False
    hang: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    error: str | None = None


class Chat:
    """The chat endpoint: rules, tokens, faults, replies.

    Safe to share between threads; nothing is locked while a reply is written or streamed.

    Args:
        models: The models served, by their id.
        faults: The faults still to come.
        count_text: Counts the tokens of a text.
        summarize: Writes notes, instead of the library's offline summariser.
        reply: Answers turns, instead of quoting what was sent.
        overflow: How a request over the window is refused.
        null_usage: Whether chunks before the usage say, where it was asked for, that it is null.

    Attributes:
        prompts: Where prompts are rendered and counted.
    """

    def __init__(
        self,
        *,
        models: Mapping[str, Model],
        faults: Faults,
        count_text: Callable[[str], int],
        summarize: Callable[[SummaryJob], str | Wire | Reply] | None,
        reply: Callable[[Wire], str | Wire | Reply] | None,
        overflow: Overflow = "requested",
        null_usage: bool = False,
    ) -> None:
        self.prompts = Prompts(count_text)
        self._models = models
        self._faults = faults
        self._count_text = count_text
        self._summarize = summarize or (lambda job: extract(job, count_text))
        self._reply = reply or (lambda body: answer(body["messages"]))
        self._overflow = _OVERFLOW[overflow]
        self._null_usage = null_usage
        self._recorded: deque[Reply] = deque()
        self._cache = PrefixCache()
        self._lock = Lock()

    def record(self, reply: Reply) -> None:
        """Add a reply to the queue of those to be given next to chat requests."""
        self._recorded.append(reply)

    def complete(self, body: Wire, kind: Kind, envelope: Wire) -> Outcome:
        """Answer a chat request.

        Raises:
            ApiError: If the request is refused, or a fault is due.
        """
        said = self.say(body, kind)
        return said.outcome(self._encoded(said, {**envelope, "model": said.call.model.id}))

    def say(self, body: Wire, kind: Kind) -> Said:
        """Return what the model says to the body of a chat request.

        Raises:
            ApiError: If the request is refused, or a fault is due.
        """
        call = self.call(body)
        check(call, PARAMETER_RULES)
        check(call, STRUCTURE_RULES)
        parts = self.prompts.prompt(call)
        prompt = sum(part.tokens for part in parts)
        room = self._room(call, prompt)
        effect = self._suffer(call, kind)
        choices = tuple(
            spoken(reply, effect, call=call, cap=room, count=self._count_text)
            for reply in self._drafts(call, kind, effect)
        )
        scope = (call.model.id, call.body.get("prompt_cache_key"))
        return Said(
            call=call,
            choices=choices,
            effect=effect,
            prompt_tokens=prompt,
            cached_tokens=self._cache.cached_tokens(scope, parts),
        )

    def estimate(self, body: Wire) -> int:
        """Answer a request for an estimate of tokens; its messages obey the same rules.

        Raises:
            ApiError: If the request is refused.
        """
        call = self.call({key: body.get(key) for key in ("model", "messages")})
        check(call, PARAMETER_RULES)
        check(call, MESSAGE_RULES)
        return self.prompts.estimate(call.messages)

    def call(self, body: Wire) -> Call:
        """Read a body.

        Raises:
            ApiError: If it names no model that is served.
        """
        name = body.get("model")
        model = self._models.get(name) if isinstance(name, str) else None
        if model is None:
            msg = f"Not found the model {name or ''} or Permission denied"
            raise ApiError(msg, status=404, kind="resource_not_found_error")
        return Call(body=body, model=model)

    def _room(self, call: Call, prompt: int) -> int:
        """Return how many tokens the completion may have.

        Raises:
            ApiError: If prompt and explicit cap exceed the window; a default cap never does.
        """
        limit = call.model.context_length
        requested = prompt + (call.cap or 0)
        if requested > limit:
            raise ApiError(self._overflow.format(limit=limit, requested=requested))
        return min(call.cap or call.model.default_completion, max(1, limit - prompt))

    def _suffer(self, call: Call, kind: Kind) -> Effect:
        """Return what the request suffers from the fault that is due.

        Raises:
            ApiError: If the fault is a refusal.
        """
        effect = self._faults.take(kind)
        if (error := effect.error(call.model.id)) is not None:
            raise error
        return effect

    def _drafts(self, call: Call, kind: Kind, effect: Effect) -> list[Reply]:
        """Return the replies asked for: the first may be recorded, the others are numbered."""
        # A reply that will not arrive is left in the queue: a retry is given the same one.
        keep = effect.ending == "reset" or effect.hang
        recorded = None if kind == "summary" else self._next_recorded(keep=keep)
        first = recorded or self._own(call, kind)
        if call.choices == 1:
            return [_obedient(call, kind, first)]
        own = self._own(call, kind) if recorded else first
        others = (
            replace(own, content=f"{own.content} ({number})")
            for number in range(2, call.choices + 1)
        )
        return [_obedient(call, kind, reply) for reply in (first, *others)]

    def _own(self, call: Call, kind: Kind) -> Reply:
        if kind == "summary":
            return Reply.of(self._summarize(summary_job(call.messages)))
        return Reply.of(self._reply(call.body))

    def _next_recorded(self, *, keep: bool) -> Reply | None:
        with self._lock:
            if not self._recorded:
                return None
            return self._recorded[0] if keep else self._recorded.popleft()

    def _encoded(self, said: Said, envelope: Wire) -> bytes | Iterator[bytes]:
        if said.call.stream:
            events = chunks(
                said.choices,
                envelope,
                said.usage,
                include_usage=said.call.include_usage,
                null_usage=self._null_usage,
            )
            return transmit(events, said.effect.ending)
        body = completion(said.choices, envelope, said.usage)
        return break_off(body) if said.effect.ending == "reset" else body


def _obedient(call: Call, kind: Kind, reply: Reply) -> Reply:
    """Return the reply without calls where a turn asked for none; notes may disobey."""
    if kind == "summary" or not reply.tool_calls or call.body.get("tool_choice") != "none":
        return reply
    return replace(reply, tool_calls=(), content=reply.content or answer(call.messages))
