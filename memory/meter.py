"""A conversation -> prompt tokens, as the server will count them.

The framing is that of the K2.5/K2.6 chat template (docs: the public template of the open weights;
`4` a message, `2` for the empty thought before each assistant turn, `3` plus the thought prefix
for the reply). What the server reports corrects it: the difference is booked on the messages it
must come from, so a count after request `t` is exact for everything sent up to `t`, also after a
compaction has removed most of it.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Hashable, Mapping, Sequence
from math import ceil
from operator import add
from typing import Any, NamedTuple, cast

from memory.cache import GenerationCache, missing
from memory.counts import Counts
from memory.identity import Seen, see
from memory.messages import WireMessage, content_parts, is_partial, role_of, tool_calls
from memory.records import Usage
from memory.tokens import Counter, utf8_bound

__all__ = ("Meter", "Tools", "believed")

Tools = Sequence[Mapping[str, Any]]
"""Tool declarations as `/chat/completions` takes them."""

FRAME = 4
"""Tokens around each message: `<|im_user|>`, the role, `<|im_middle|>`, `<|im_end|>`."""
THOUGHT = 2
"""`<think></think>` before an assistant turn of the history."""
REPLY = 3
"""`<|im_assistant|>assistant<|im_middle|>`, which the reply continues."""
CALLS = 2
"""The tokens around the tool calls of a message."""
CALL = 3
"""The tokens around one tool call."""
TOOLS = 6
"""The tokens around the tool declarations."""
TOOLS_SHARE = 0.8
"""K2.5 renders tools as TypeScript: 0.75 to 0.84 of their compact JSON (measured on BFCL)."""
EOS = 1
"""`completion_tokens` counts the end of the turn, which `FRAME` holds already."""
PLAUSIBLE = (0.4, 2.5)
"""A measured cost outside these multiples of its estimate is not believed."""
MEDIA_PLAUSIBLE = (0.002, 16.0)
"""The same for messages with media: a 1x1 png costs 9 tokens (wire log of K3), a video tens of
thousands."""
RATIO_BOUNDS = (0.5, 2.0)
RATIO_PRIOR = 200.0
"""Tokens of belief in the estimator before the server's counts bend it."""


_PLAIN = 2
"""How many keys a message has that is nothing but a role and a text."""


class _Declaration(NamedTuple):
    """What is known of a list of tool declarations."""

    key: Hashable
    text: str


_NO_TOOLS = _Declaration(("tools", b""), "")


class _Share(NamedTuple):
    """Something that was never measured, and how much of a difference it may be blamed for."""

    key: Hashable
    cost: float
    weight: float
    media: int


class Meter:
    """Counts prompts, and learns from what the server reports.

    Safe to share between threads: what it keeps are bounded caches of values that are the same
    whoever computes them.

    Args:
        counter: Counts text.
        media_tokens: What one image or video part is taken to cost; Moonshot's own clients take
            2,000. The real cost is learnt from the first reply.
    """

    def __init__(self, counter: Counter, *, media_tokens: int = 2_000) -> None:
        self.counter = counter
        self._media = media_tokens
        self._dearest = media_tokens
        self._texts: GenerationCache[float] = GenerationCache(entries=65_536, weight=64_000_000)
        self._costs: GenerationCache[float] = GenerationCache(entries=65_536)
        self._declared: GenerationCache[_Declaration] = GenerationCache(entries=256)
        # What the server's count differs from ours by, for each message seen in a reply.
        self._residuals: GenerationCache[float] = GenerationCache(entries=65_536)
        self._restored: GenerationCache[bytes] = GenerationCache(entries=4_096)

    def bound(
        self,
        messages: Sequence[WireMessage],
        *,
        tools: Tools | None = None,
        seen: Sequence[Seen] | None = None,
    ) -> int:
        """Return an upper bound of the tokens of a prompt without tokenising anything.

        No byte-level vocabulary makes more tokens than a text has UTF-8 bytes, so a prompt whose
        bound is below the trigger needs no counting.

        Args:
            messages: The prompt, head included.
            tools: The tool declarations sent with it.
            seen: What `see` returned for `messages`, where it is at hand.
        """
        run = see(messages) if seen is None else seen
        media = sum([each.media for each in run])  # half the time of a map with `attrgetter`
        total = REPLY + THOUGHT + sum([each.size for each in run]) + self._dearest * media
        for message in messages:
            if len(message) > _PLAIN and (reasoning := message.get("reasoning_content")):
                total += utf8_bound(str(reasoning))
        return total + utf8_bound(self._declaration(tools).text) + TOOLS

    def text(self, text: str) -> float:
        """Return the tokens of one text; remembered."""
        known = self._texts.get(text)
        if known is None:
            known = self._texts.put(text, self.counter.count(text), weight=len(text))
        return known

    def count(
        self,
        messages: Sequence[WireMessage],
        *,
        tools: Tools | None = None,
        thinking: bool = True,
        keep_reasoning: bool = False,
        seen: Sequence[Seen] | None = None,
    ) -> Counts:
        """Return the tokens of each message and of the whole prompt.

        Args:
            messages: The prompt, head included.
            tools: The tool declarations sent with it.
            thinking: Whether the reply opens with a thought (K2.5/K2.6 unless disabled).
            keep_reasoning: Whether all `reasoning_content` is rendered (`thinking.keep = "all"`)
                and not only that of the open tool loop.
            seen: What `see` returned for `messages`, where it is at hand.
        """
        run = see(messages) if seen is None else seen
        costs, known = self._message_costs(messages, run, keep_reasoning=keep_reasoning)
        sizes, measured = self._sizes(run, costs, known)
        declared = self._declaration(tools)
        residual = self._residuals.get(declared.key)
        guessed = self._declared_cost(declared)
        tools_cost = guessed + (residual or 0.0)
        reply = _opening(messages, thinking=thinking)
        total = sum(sizes) + tools_cost + reply
        cold = guessed if residual is None else 0.0
        return Counts(
            [*map(ceil, sizes)],
            tools=ceil(tools_cost),
            reply=reply,
            total=ceil(total - 1e-3),  # residuals are shares of whole differences
            measured=max(0.0, measured + tools_cost - cold + reply) / total,
            exact=self.counter.exact,
            cold_tools=ceil(cold),
        )

    def _sizes(
        self, run: Sequence[Seen], costs: Sequence[float], known: Sequence[float | None]
    ) -> tuple[list[float], float]:
        """Return what each message costs, and how much of the sum was measured."""
        if known.count(None) == len(known):
            return [*costs], 0.0
        unknown = missing(known)
        filled = list(cast("list[float]", known))
        ratio = self._ratio(run, costs, known) if unknown else 1.0
        for index in unknown:  # texts say nothing about pictures
            filled[index] = (costs[index] - run[index].media * self._media) * (ratio - 1.0)
        sizes = [*map(add, costs, filled)]
        return sizes, sum(sizes) - sum([sizes[index] for index in unknown])

    def observe(
        self,
        messages: Sequence[WireMessage],
        *,
        usage: Usage,
        tools: Tools | None = None,
        reply: WireMessage | None = None,
        thinking: bool = True,
        keep_reasoning: bool = False,
        seen: Sequence[Seen] | None = None,
    ) -> None:
        """Learn from what the server reported for a prompt and, where given, its reply.

        The difference between the report and our count is booked on what was not measured
        before, in proportion to its size; with the exact vocabulary on the tool declarations and
        media first, since text is known.
        """
        run = see(messages) if seen is None else seen
        costs, known = self._message_costs(messages, run, keep_reasoning=keep_reasoning)
        declared = self._declaration(tools)
        tools_residual = self._residuals.get(declared.key)
        guessed = self._declared_cost(declared)
        ours = sum(costs) + sum(filter(None, known)) + guessed + (tools_residual or 0.0)
        delta = usage.prompt_tokens - ours - _opening(messages, thinking=thinking)
        unknown = [
            _Share(run[i], costs[i], self._weight(run[i], costs[i]), run[i].media)
            for i in missing(known)
        ]
        if tools and tools_residual is None:
            unknown.append(_Share(declared.key, guessed, guessed, 0))
        self._book(delta, unknown)
        if reply is not None:
            self._observe_reply(reply, usage)

    def learn(self, message: WireMessage, tokens: float) -> None:
        """Take `tokens` as what `message` costs, framing included, unless that is implausible."""
        key = see([message])[0]
        cost = self._cost(message)
        self._book(tokens - cost, [_Share(key, cost, cost, key.media)])

    def suggest(self, message: WireMessage, tokens: float) -> None:
        """Take `tokens` as what `message` costs, as `learn` does, until the server tells."""
        if self._residuals.get(see([message])[0]) is None:
            self.learn(message, tokens)

    def residuals(
        self, run: Sequence[Seen], tools: Tools | None
    ) -> tuple[list[float | None], float | None]:
        """Return what the server counted more than we did for messages and tool declarations.

        None stands for what was never measured.
        """
        return self._residuals.many(run), self._residuals.get(self._declaration(tools).key)

    def restore(self, run: Sequence[Seen], residuals: Sequence[float]) -> None:
        """Take over what another process measured, where this one has not measured for itself."""
        for key, residual in zip(run, residuals, strict=True):
            if self._residuals.get(key) is None:
                self._residuals.put(key, residual)

    def restore_tools(self, tools: Tools | None, residual: float) -> None:
        """Take over what another process measured for tool declarations; see `restore`."""
        key = self._declaration(tools).key
        if self._residuals.get(key) is None:
            self._residuals.put(key, residual)

    def is_first(self, mark: bytes) -> bool:
        """Return whether something is seen for the first time."""
        known = self._restored.get(mark)
        return known is None and self._restored.put(mark, mark) is mark

    def _observe_reply(self, reply: WireMessage, usage: Usage) -> None:
        written = usage.completion_tokens - usage.reasoning_tokens - EOS
        if written > 0:
            self.learn(reply, written + FRAME + THOUGHT)

    def _book(self, delta: float, unknown: Sequence[_Share]) -> None:
        """Spread `delta`; what occurs twice gets its share twice, the same each time."""
        whole = sum([item.weight for item in unknown])
        weights: dict[Hashable, list[float]] = {}
        for item in unknown:
            weights.setdefault(item.key, []).append(item.weight)
        for item in unknown if whole else ():
            mean = sum(weights[item.key]) / len(weights[item.key])
            share = delta * mean / whole
            low, high = MEDIA_PLAUSIBLE if item.media else PLAUSIBLE
            # A tiny cost may be wrong by more than its size: an unknown role word, a few bytes.
            least = max(FRAME, low * item.cost - FRAME)
            if least <= item.cost + share <= high * item.cost + FRAME:
                self._residuals.put(item.key, share)
                if item.media:
                    dear = ceil((item.cost + share) / item.media)
                    self._dearest = max(self._dearest, dear)

    def _weight(self, key: Seen, cost: float) -> float:
        if not self.counter.exact:
            return cost
        return key.media * self._media + cost * 1e-6

    def _ratio(
        self, run: Sequence[Seen], costs: Sequence[float], known: Sequence[float | None]
    ) -> float:
        """Return what the estimator is wrong by, on the texts that were measured."""
        if self.counter.exact:
            return 1.0
        base = RATIO_PRIOR
        seen = RATIO_PRIOR
        for item, cost, residual in zip(run, costs, known, strict=True):
            if residual is not None and not item.media:
                base += cost
                seen += cost + residual
        low, high = RATIO_BOUNDS
        return min(high, max(low, seen / base))

    def _message_costs(
        self, messages: Sequence[WireMessage], run: Sequence[Seen], *, keep_reasoning: bool
    ) -> tuple[list[float], list[float | None]]:
        found = self._costs.many(run)
        for index in missing(found):
            found[index] = self._costs.put(run[index], self._cost(messages[index]))
        costs = cast("list[float]", found)
        for index in range(0 if keep_reasoning else _loop_start(messages), len(messages)):
            if len(messages[index]) > _PLAIN:
                costs[index] += self._reasoning(messages[index])
        return costs, self._residuals.many(run)

    def _reasoning(self, message: WireMessage) -> float:
        reasoning = message.get("reasoning_content")
        return self.text(reasoning) if isinstance(reasoning, str) and reasoning else 0.0

    def _cost(self, message: WireMessage) -> float:
        texts, media = _pieces(message)
        total = float(FRAME) + sum(map(self.text, texts))
        if role_of(message) == "assistant":
            total += THOUGHT
        if name := message.get("name"):
            total += self.text(str(name)) - 1
        if calls := tool_calls(message):
            total += CALLS + CALL * len(calls)
        return total + len(media) * self._media

    def _declaration(self, tools: Tools | None) -> _Declaration:
        if not tools:
            return _NO_TOOLS
        key = ("tools", _raw(tools))
        known = self._declared.get(key)
        if known is None:
            known = self._declared.put(key, _Declaration(key, _json(tools)))
        return known

    def _declared_cost(self, declared: _Declaration) -> float:
        return TOOLS + TOOLS_SHARE * self.text(declared.text) if declared.text else 0.0


def believed(reported: float, counted: float) -> float:
    """Return the tokens that were reported, or those counted where the report cannot be true."""
    low, high = PLAUSIBLE
    return reported if low * counted <= reported <= high * counted else counted


def _pieces(message: WireMessage) -> tuple[list[str], list[Mapping[str, Any]]]:
    """Return the runs of text that the template renders for a message, and its media parts."""
    texts: list[str] = []
    media: list[Mapping[str, Any]] = []
    run = ""
    if role_of(message) == "tool":
        run = f"## Return of {message.get('tool_call_id') or ''}\n"
    for part in content_parts(message):
        if isinstance(part, str):
            run += part
        else:
            media.append(part)
            texts.append(run)
            run = ""
    texts.append(run)
    for call in tool_calls(message):
        texts.extend(_call_texts(call))
    return [text for text in texts if text], media


def _call_texts(call: Mapping[str, Any]) -> tuple[str, str]:
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    text = arguments if isinstance(arguments, str) else _json(arguments)
    return str(call.get("id") or ""), text


def _loop_start(messages: Sequence[WireMessage]) -> int:
    """Return where the open tool loop begins: after the last assistant turn without tool calls."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if role_of(message) == "assistant" and not message.get("tool_calls"):
            return index + 1
    return 0


def _opening(messages: Sequence[WireMessage], *, thinking: bool) -> int:
    """Return the tokens that open the reply; a `partial` message does, and is not closed."""
    return -1 if is_partial(messages) else REPLY + (1 if thinking else THOUGHT)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _raw(tools: Tools) -> bytes:
    """Return a key for exactly these declarations; ten times quicker than JSON."""
    try:
        return marshal.dumps(cast("Any", list(tools)), 2)
    except ValueError:
        return _json(tools).encode("utf-8", "surrogatepass")
