"""The summariser that asks Kimi, or whatever OpenAI-compatible server the client talks to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from memory.errors import ConfigError, SummaryError
from memory.summary import Draft, request_body

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI
    from openai.types.chat import ChatCompletion

    from memory.summary import SummaryRequest

__all__ = ("AsyncKimiSummarizer", "KimiSummarizer")

PATH = "/chat/completions"
EOS = 1
"""`completion_tokens` counts the end of the turn."""
RETRYABLE = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""The statuses Moonshot's own client asks again after; not with the errors of `_NO_QUOTA`."""
FINAL = frozenset({401, 402, 403, 404, 405})
"""The statuses that no other request to the same model gets around."""
_NO_QUOTA = re.compile(
    r"exceeded.current.(token.)?quota|account balance|insufficient balance|recharge|in arrears",
    re.IGNORECASE,
)


class KimiSummarizer:
    """Asks for summaries with an `openai.OpenAI` client.

    The client lends its credentials and base URL; retries and time limit are this library's own.

    Args:
        client: The client to ask with, not a wrapped one.

    Raises:
        ConfigError: The client has a memory, which would summarise its own requests.
    """

    def __init__(self, client: OpenAI) -> None:
        _check_plain(client)
        self._client = client

    def summarize(self, request: SummaryRequest) -> Draft:
        """Ask once.

        Raises:
            SummaryError: There was no answer.
        """
        from openai import OpenAIError  # noqa: PLC0415  # heavy
        from openai.types.chat import ChatCompletion  # noqa: PLC0415

        try:
            answer = self._client.post(
                PATH,
                cast_to=ChatCompletion,
                body=request_body(request),
                options={"max_retries": 0, "timeout": request.deadline},
            )
        except OpenAIError as error:
            raise _summary_error(error) from error
        return _draft(answer, request)


class AsyncKimiSummarizer:
    """Asks for summaries with an `openai.AsyncOpenAI` client; as `KimiSummarizer` in all else."""

    def __init__(self, client: AsyncOpenAI) -> None:
        _check_plain(client)
        self._client = client

    async def summarize(self, request: SummaryRequest) -> Draft:
        """Ask once.

        Raises:
            SummaryError: There was no answer.
        """
        import anyio  # noqa: PLC0415  # comes with openai
        from openai import OpenAIError  # noqa: PLC0415  # heavy
        from openai.types.chat import ChatCompletion  # noqa: PLC0415

        try:
            with anyio.fail_after(request.deadline):
                answer = await self._client.post(
                    PATH,
                    cast_to=ChatCompletion,
                    body=request_body(request),
                    options={"max_retries": 0, "timeout": request.deadline},
                )
        except OpenAIError as error:
            raise _summary_error(error) from error
        except TimeoutError as error:  # a byte now and then keeps a read from timing out
            msg = "the summariser did not answer in time"
            raise SummaryError(msg, retryable=True) from error
        return _draft(answer, request)


def _check_plain(client: object) -> None:
    if getattr(client, "_kimi_memory", None) is not None:
        msg = "a summariser needs a client without a memory: memory.client.unwrap(client)"
        raise ConfigError(msg)


def _draft(answer: ChatCompletion, request: SummaryRequest) -> Draft:
    if not getattr(answer, "choices", None):  # a proxy's page, with status 200
        msg = "the reply has no choices"
        raise SummaryError(msg, retryable=True)
    choice = answer.choices[0]
    return Draft(
        text=choice.message.content or "",
        author=request.model,
        finish_reason=choice.finish_reason,
        tool_calls=bool(choice.message.tool_calls),
        tokens=_text_tokens(answer),
    )


def _text_tokens(answer: ChatCompletion) -> int | None:
    usage = answer.usage
    if usage is None:
        return None
    details = usage.completion_tokens_details
    reasoning = (details.reasoning_tokens if details else None) or 0
    return max(0, usage.completion_tokens - reasoning - EOS)


def _summary_error(error: Exception) -> SummaryError:
    """Classify by status and error type; Moonshot sends no `code` (wire logs of 2026-09)."""
    import openai  # noqa: PLC0415  # heavy

    if isinstance(error, openai.APIStatusError):
        body: Any = error.body
        kind = body.get("type") if isinstance(body, dict) else None
        message = str(body.get("message")) if isinstance(body, dict) else ""
        quota = _NO_QUOTA.search(f"{kind} {message}") is not None
        return SummaryError(
            f"the summariser answered {error.status_code} {kind or ''}".strip(),
            retryable=error.status_code in RETRYABLE and not quota,
            retry_after=_seconds(error.response.headers.get("retry-after")),
            final=error.status_code in FINAL or quota,
            filtered=kind == "content_filter",
        )
    retryable = isinstance(error, openai.APIConnectionError)
    return SummaryError(f"the summariser failed: {type(error).__name__}", retryable=retryable)


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
