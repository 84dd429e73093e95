"""A conversation with a model through a wrapped client, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import OpenAI, Stream
from openai.types.chat import ChatCompletionChunk

from memory.cli.endpoint import Endpoint, fake_client, fake_kimi
from memory.cli.forecast import Forecast, manager
from memory.cli.output import CommandError
from memory.events import Hook
from memory.messages import text_of

__all__ = ("Said", "Talk", "opened")


def opened(endpoint: Endpoint | None, *, model: str) -> AbstractContextManager[OpenAI]:
    """Return a client of an endpoint, without memory; of a fake server where there is none."""
    return fake_client(fake_kimi(model)) if endpoint is None else endpoint.client()


@dataclass(slots=True)
class Said:
    """A reply, as far as it came.

    Attributes:
        text: The text.
        finish_reason: Why it ended; None where it was broken off.
        prompt_tokens: Tokens of the prompt as the server counted them; 0 where it did not say.
    """

    text: str = ""
    finish_reason: str | None = None
    prompt_tokens: int = 0


class Talk:
    """A conversation: its messages, a client with a memory, and what that would do next.

    Args:
        client: Whom to ask; without memory.
        model: The model to ask for.
        budget: Prompt tokens allowed; None for the window of the model.
        system: The system prompt, or None.
        hooks: Who is told of events.
        settings: A file of settings, or None.
    """

    def __init__(
        self,
        client: OpenAI,
        *,
        model: str,
        budget: int | None,
        system: str | None,
        hooks: Sequence[Hook],
        settings: Path | None = None,
    ) -> None:
        self.manager = manager(budget, settings=settings, hooks=hooks)
        self.model = model
        self.messages: list[Any] = [{"role": "system", "content": system}] if system else []
        self._client = self.manager.wrap(client)

    def say(self, text: str, *, on_text: Callable[[str], None]) -> Said:
        """Add a user message and have it answered.

        A reply that is broken off by Ctrl-C stays as far as it came. One without any text, and
        one that fails, leave the conversation as it was.

        Args:
            text: The user message.
            on_text: Called with each piece of the reply as it comes.

        Raises:
            CommandError: There is no reply.
        """
        self.messages.append({"role": "user", "content": text})
        said = Said()
        try:
            with closing(self._stream()) as stream:
                for chunk in stream:
                    _take(said, chunk, on_text)
        except KeyboardInterrupt:
            said.finish_reason = None
        except Exception as error:  # a stream breaks with the errors of whichever HTTP library
            self.messages.pop()
            raise CommandError(f"{type(error).__name__}: {error}") from error
        if said.text:
            self.messages.append({"role": "assistant", "content": said.text})
        else:
            self.messages.pop()
        return said

    def _stream(self) -> Stream[ChatCompletionChunk]:
        return self._client.chat.completions.create(
            model=self.model,
            messages=list(self.messages),
            stream=True,
            stream_options={"include_usage": True},
        )

    def forecast(self) -> Forecast:
        """Return what would become of the messages in the next request."""
        return Forecast.of(self.manager, self.messages, model=self.model)

    def notes(self) -> str | None:
        """Return the text that stands for what is no longer sent, if there is one."""
        record = self.manager.plan(self.messages, model=self.model).record
        return text_of(record.synthetic) if record is not None and record.synthetic else None


def _take(said: Said, chunk: ChatCompletionChunk, on_text: Callable[[str], None]) -> None:
    if chunk.usage is not None:
        said.prompt_tokens = chunk.usage.prompt_tokens
    for choice in chunk.choices:
        if choice.delta.content:
            said.text += choice.delta.content
            on_text(choice.delta.content)
        said.finish_reason = choice.finish_reason or said.finish_reason
