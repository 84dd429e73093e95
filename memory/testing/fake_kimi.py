"""A fake of the Moonshot Kimi API, as strict and as odd as the real one, without a socket.

`FakeKimi.handle` takes a request and returns a response; the transports, the ASGI application
and the server around it only carry them. Requests are checked in this order: size, route, key,
model, parameters, messages, token limit, then the faults it was told to have.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from memory.testing import transports
from memory.testing.kimi_chat import Chat, Outcome
from memory.testing.kimi_count import count_text as kimi_tokens
from memory.testing.kimi_encoding import accepts, compressed
from memory.testing.kimi_faults import Fault, Faults
from memory.testing.kimi_ids import Ids, IdSource
from memory.testing.kimi_models import LEGACY_MODELS, LIVE_MODELS
from memory.testing.kimi_reply import Reply
from memory.testing.kimi_responses import Responses, asks_for_notes
from memory.testing.kimi_summary import is_summary
from memory.testing.kimi_wire import ApiError, Request, Response, Served, UnknownRouteError, dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import httpx
    import httpx2

    from memory.testing.kimi_chat import Overflow
    from memory.testing.kimi_encoding import Coding
    from memory.testing.kimi_models import Model
    from memory.testing.kimi_summary import SummaryJob
    from memory.testing.kimi_wire import Kind, Wire

__all__ = (
    "MAX_BODY",
    "FakeKimi",
)

MAX_BODY = 100 * 1024 * 1024
"""Largest body in bytes the API takes."""

_CHAT = ("POST", "/chat/completions")
_ESTIMATE = ("POST", "/tokenizers/estimate-token-count")
_MODELS = ("GET", "/models")
_BALANCE = ("GET", "/users/me/balance")
_RESPONSES = ("POST", "/responses")
_ROUTES = {_CHAT, _RESPONSES, _ESTIMATE, _MODELS, _BALANCE}

_TOO_LARGE = "Request exceeds the maximum size"
_NO_KEY = "Invalid Authentication"
_WRONG_KEY = "Incorrect API key provided"
_NOT_JSON = "Invalid request: the body is not a JSON object"
_FUNDS = {"available_balance": 49.58894, "voucher_balance": 46.58893, "cash_balance": 3.00001}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """A request, read as far as it can be; `body` is `None` where it is no JSON object."""

    request: Request
    route: tuple[str, str]
    body: Wire | None
    kind: Kind


class FakeKimi:
    """A Moonshot Kimi server in one object, safe to share between threads and event loops.

    It validates, counts and bills as api.moonshot.ai does, answers from what it was sent, writes
    notes when asked for them, and logs every request. Given to a client as
    `OpenAI(http_client=httpx2.Client(transport=fake.httpx2_transport()), …)` it needs no socket.

    Chat completions are as documented and recorded. `POST /v1/responses`, which the API lists
    without a description, is inferred: OpenAI's format, read as a chat request, with the same
    counts, rules, faults and queue of replies. The last 1,024 stored responses can be continued.

    Args:
        context_length: The window of every model in tokens; without it each has its own.
        api_key: The only key accepted; without it any is.
        models: The models that are served.
        legacy: Whether models that were retired are served too: kimi-k2.5, kimi-k2 and
            moonshot-v1. The last two do not think and leave sampling to the caller; asked for
            `n` choices, 1 to 5, they give as many, the first one as queued and each different.
        summarize: Writes notes: a text, an assistant message or a `Reply`. What it returns is
            sent as it is, calls in spite of `tool_choice: none` included, so that a disobedient
            model can be played.
        reply: Answers turns, given the body (of a chat request, whichever the route): a text, an
            assistant message or a `Reply`.
        faults: Faults queued for the first chat requests.
        count_text: Counts the tokens of a text.
        clock: Tells the seconds of `created`.
        sleep: Waits for slow replies; without it `time.sleep` or `asyncio.sleep`.
        slow_seconds: How long slow replies take; a fraction of a second will do.
        delay: How many seconds any answer takes, by the kind of request, refusals included; a
            slow reply takes `slow_seconds` more. Carriers wait without holding a loop up.
        overflow: How a request over the window is refused: with the limit and what was requested
            (as reported of k2.5), with the limit alone, or with no figure (as documented).
        max_body: Largest body in bytes that is taken; beyond it the answer is a 413. Such a
            request is in the log with its body and kind, up to `MAX_BODY`.
        compress: How bodies are compressed, streams event by event, where the request accepts
            that; without it never.
        null_usage: Whether streams that end with the usage, as `include_usage` asks for, say in
            every chunk before it that it is null, as documented and never recorded.
        seed: Determines every identifier.

    Attributes:
        models: The models served, by their id.
        requests: What was asked and answered, in order.
        sleep: As given.
    """

    def __init__(
        self,
        *,
        context_length: int | None = None,
        api_key: str | None = None,
        models: Sequence[Model] = LIVE_MODELS,
        legacy: bool = False,
        summarize: Callable[[SummaryJob], str | Wire | Reply] | None = None,
        reply: Callable[[Wire], str | Wire | Reply] | None = None,
        faults: Iterable[Fault] = (),
        count_text: Callable[[str], int] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] | None = None,
        slow_seconds: float = 5.0,
        delay: Callable[[Kind], float] | None = None,
        overflow: Overflow = "requested",
        max_body: int = MAX_BODY,
        compress: Coding | None = None,
        null_usage: bool = False,
        seed: str = "fake-kimi",
    ) -> None:
        served = (*models, *(LEGACY_MODELS if legacy else ()))
        self.models = {model.id: _sized(model, context_length) for model in served}
        self.requests: list[Served] = []
        self.sleep = sleep
        self._faults = Faults(faults)
        self._chat = Chat(
            models=self.models,
            faults=self._faults,
            count_text=count_text or kimi_tokens,
            summarize=summarize,
            reply=reply,
            overflow=overflow,
            null_usage=null_usage,
        )
        self._responses = Responses(self._chat)
        self._api_key = api_key
        self._clock = clock
        self._slow_seconds = slow_seconds
        self._delay = delay
        self._max_body = max_body
        self._compress = compress
        self._ids = IdSource(seed)

    def queue_reply(self, message: str | Wire | Reply) -> None:
        """Queue what the next chat request is answered with: a text or an assistant message.

        Replies are given in the order queued, to chat requests only; afterwards the server
        answers by itself again. A reply that breaks off (`Fault.RESET`) stays in the queue.
        """
        self._chat.record(Reply.of(message))

    def fail_next(self, fault: Fault, *, times: int = 1, only: Kind | None = None) -> None:
        """Let the next chat requests fail; `only` limits it to turns or to requests for notes.

        Faults strike after validation: a request that is refused leaves them in the queue.
        """
        self._faults.queue(fault, times=times, only=only)

    def fail_always(self, fault: Fault, *, only: Kind | None = None) -> None:
        """Let chat requests fail until `recover`; queued faults come first."""
        self._faults.keep(fault, only=only)

    def recover(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def handle(self, request: Request) -> Response:
        """Answer a request. Refusals are responses; only a defect of a given stub raises."""
        ids = self._ids.draw()
        visit = self._read(request)
        try:
            self._admit(visit)
            outcome = self._routed(visit, ids)
        except ApiError as error:
            outcome = _refusal(error)
        self.requests.append(_served(visit, outcome))
        coding = self._coding(request)
        return Response(
            status=outcome.status,
            headers=_headers(outcome, ids, coding),
            body=outcome.body if coding is None else compressed(outcome.body, coding),
            delay=self._wait(visit.kind, outcome),
        )

    def httpx2_transport(self) -> httpx2.BaseTransport:
        """Return a transport for `httpx2.Client`: requests are answered in this process."""
        return transports.httpx2_transport(self)

    def async_httpx2_transport(self) -> httpx2.AsyncBaseTransport:
        """Return a transport for `httpx2.AsyncClient`."""
        return transports.async_httpx2_transport(self)

    def httpx_transport(self) -> httpx.BaseTransport:
        """Return a transport for `httpx.Client`, as openai before 3.0 uses it."""
        return transports.httpx_transport(self)

    def async_httpx_transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport for `httpx.AsyncClient`, as openai before 3.0 uses it."""
        return transports.async_httpx_transport(self)

    def _read(self, request: Request) -> _Visit:
        path = request.path.partition("?")[0].rstrip("/")
        route = (request.method, path.removeprefix("/v1"))
        body = _decoded(request.body)
        kind: Kind = "other"
        if body is not None:
            body = self._chat.prompts.shared(body)
            if route == _CHAT:
                kind = "summary" if is_summary(body.get("messages")) else "chat"
            elif route == _RESPONSES:
                kind = "summary" if asks_for_notes(body) else "chat"
        return _Visit(request=request, route=route, body=body, kind=kind)

    def _coding(self, request: Request) -> Coding | None:
        coding = self._compress
        accepted = coding is not None and accepts(request.header("accept-encoding"), coding)
        return coding if accepted else None

    def _wait(self, kind: Kind, outcome: Outcome) -> float:
        if outcome.hang:
            return math.inf
        usual = 0.0 if self._delay is None else self._delay(kind)
        return usual + self._slow_seconds if outcome.slow else usual

    def _admit(self, visit: _Visit) -> None:
        if len(visit.request.body) > self._max_body:
            raise ApiError(_TOO_LARGE, status=413)
        if visit.route not in _ROUTES:
            raise UnknownRouteError(visit.request)
        scheme, _, key = visit.request.header("authorization").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise ApiError(_NO_KEY, status=401, kind="invalid_authentication_error")
        if self._api_key not in {None, key.strip()}:
            raise ApiError(_WRONG_KEY, status=401, kind="incorrect_api_key_error")

    def _routed(self, visit: _Visit, ids: Ids) -> Outcome:
        if visit.route == _MODELS:
            cards = [model.card() for model in self.models.values()]
            return Outcome(body=dumps({"object": "list", "data": cards}))
        if visit.route == _BALANCE:
            return Outcome(body=dumps({"code": 0, "data": _FUNDS, "scode": "0x0", "status": True}))
        if visit.body is None:
            raise ApiError(_NOT_JSON)
        if visit.route == _ESTIMATE:
            total = self._chat.estimate(visit.body)
            return Outcome(body=dumps({"data": {"total_tokens": total}}))
        created = int(self._clock())
        if visit.route == _RESPONSES:
            key = ids.completion.removeprefix("chatcmpl-")
            return self._responses.respond(visit.body, visit.kind, key=key, created=created)
        envelope = {"id": ids.completion, "object": "", "created": created}
        return self._chat.complete(visit.body, visit.kind, envelope)


def _sized(model: Model, context_length: int | None) -> Model:
    return model if context_length is None else replace(model, context_length=context_length)


def _decoded(body: bytes) -> dict[str, Any] | None:
    if len(body) > MAX_BODY:
        return None
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _refusal(error: ApiError) -> Outcome:
    return Outcome(
        body=dumps(error.body()),
        status=error.status,
        headers=error.headers,
        error=error.message,
    )


def _served(visit: _Visit, outcome: Outcome) -> Served:
    return Served(
        kind=visit.kind,
        method=visit.request.method,
        path=visit.request.path,
        body=visit.body or {},
        headers={name.lower(): value for name, value in visit.request.headers.items()},
        status=outcome.status,
        stream=outcome.stream,
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
        cached_tokens=outcome.cached_tokens,
        error=outcome.error,
    )


def _headers(outcome: Outcome, ids: Ids, coding: Coding | None) -> Mapping[str, str]:
    """Return the headers of a response; there is no `x-request-id` and no `X-RateLimit-*`."""
    kind = "text/event-stream" if outcome.stream else "application/json; charset=utf-8"
    return {
        "Content-Type": kind,
        "Msh-Request-Id": ids.request,
        "Msh-Trace-Mode": "on",
        "X-Msh-Trace-Id": ids.trace,
        "Vary": "Origin",
        "Server": "cloudflare",
        **({"Content-Encoding": coding} if coding else {}),
        **outcome.headers,
    }
