"""Where requests go: the real API with a key from the environment, or a fake on this machine."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory.cli.output import CommandError

if TYPE_CHECKING:
    from openai import OpenAI

    from memory.testing import FakeKimi

__all__ = ("KEYS", "OPENAI_KEY", "URLS", "Endpoint", "fake_client", "fake_kimi")

DEFAULT_URL = "https://api.moonshot.ai/v1"
URLS = ("KIMI_BASE_URL", "OPENAI_BASE_URL")
"""The variables a base URL is looked up in, in this order."""
KEYS = ("MOONSHOT_API_KEY", "KIMI_API_KEY")
"""The variables a key is looked up in, in this order."""
OPENAI_KEY = "OPENAI_API_KEY"
"""Looked up last, and only with an explicit base URL: Moonshot is not to see OpenAI's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible API.

    Attributes:
        base_url: Where it is.
        variable: The environment variable that the key is from.
        key: The key; in no representation.
    """

    base_url: str
    variable: str
    key: str = field(repr=False)

    @classmethod
    def find(cls, given: str | None, *, environ: Mapping[str, str] | None = None) -> Endpoint:
        """Return the endpoint that an option and the environment name.

        Args:
            given: The base URL of the option, or None.
            environ: The environment; None for that of the process.

        Raises:
            CommandError: There is no key.
        """
        variables = os.environ if environ is None else environ
        url = given or next((variables[name] for name in URLS if variables.get(name)), None)
        names = (*KEYS, OPENAI_KEY) if url else KEYS
        for name in names:
            if variables.get(name):
                return cls(base_url=url or DEFAULT_URL, variable=name, key=variables[name])
        raise CommandError(
            f"no key: set {' or '.join(KEYS)} ({OPENAI_KEY} counts only with a base URL, "
            f"from --base-url, {' or '.join(URLS)})"
        )

    def client(self) -> OpenAI:
        """Return a client of it, without memory."""
        from openai import OpenAI  # noqa: PLC0415  # 370 ms that `--help` must not cost

        return OpenAI(api_key=self.key, base_url=self.base_url)

    def check(self) -> None:
        """Ask for the list of models, to find out for free whether the key is good.

        Raises:
            CommandError: It is not, or nobody answers.
        """
        import openai  # noqa: PLC0415  # as above

        try:
            with self.client() as client:
                client.models.list()
        except openai.NotFoundError:
            return  # Not every server has that list.
        except openai.OpenAIError as error:
            raise CommandError(
                f"{self.base_url} with the key in {self.variable}: {error}"
            ) from error


def fake_kimi(model: str, *, context_length: int | None = None) -> FakeKimi:
    """Return a fake server that has `model`, whatever it is; an unknown one is like kimi-k2.6.

    Args:
        model: The model that will be asked for.
        context_length: The window of every model in tokens; None for the real ones.
    """
    from memory.testing import FakeKimi  # noqa: PLC0415  # only when a fake is needed
    from memory.testing.kimi_models import LIVE_MODELS, model_like  # noqa: PLC0415

    known = {each.id: each for each in (*LIVE_MODELS, model_like(model))}
    return FakeKimi(models=list(known.values()), context_length=context_length)


@contextmanager
def fake_client(fake: FakeKimi) -> Generator[OpenAI, None, None]:
    """Serve a fake over HTTP and yield a client of it, without memory."""
    from openai import DefaultHttpxClient, OpenAI  # noqa: PLC0415  # as above

    from memory.testing import serve  # noqa: PLC0415  # needs uvicorn

    # A proxy from the environment has no way to this machine's own loopback.
    with (
        serve(fake) as url,
        DefaultHttpxClient(trust_env=False) as http,
        OpenAI(api_key="sk-fake", base_url=url, max_retries=0, http_client=http) as client,
    ):
        yield client
