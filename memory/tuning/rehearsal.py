"""One conversation sent turn by turn in one way: what it cost and what was still known.

Offline the server is a fake in this process, which answers as recorded, bills as Kimi does and
writes summaries with the offline summariser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from memory.config import Settings
from memory.errors import BudgetError
from memory.events import Event, Summarizing
from memory.messages import head_length
from memory.models import thinking
from memory.recording import Step, steps
from memory.replay import NO_THINKING, digest
from memory.testing.fake_kimi import FakeKimi
from memory.testing.kimi_models import LIVE_MODELS, model_like
from memory.tuning.bills import Asked, Bill, Requests, billed
from memory.tuning.prices import Volume
from memory.tuning.references import Recalled
from memory.tuning.ruler import Ruler

if TYPE_CHECKING:
    from openai import OpenAI

    from memory.testing import Served

__all__ = ("FULL", "LAST", "MEMORY", "Line", "Outcome", "Way", "in_process", "rehearse", "sent")

Way = Literal["memory", "full history", "last messages"]
MEMORY: Final[Way] = "memory"
FULL: Final[Way] = "full history"
LAST: Final[Way] = "last messages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one conversation.

    Attributes:
        bill: What was billed.
        found: The sum of the shares of everything wanted that the prompts had.
        wanted: How much was wanted.
        course: Prompt tokens of each turn; 0 for one that was not sent.
        over_budget: Turns larger than the budget.
        too_large: Turns that were not sent: what may not be dropped exceeds the budget.
        digest: Stands for every prompt, byte for byte and in order; hexadecimal.
    """

    bill: Bill
    found: float
    wanted: int
    course: tuple[int, ...]
    over_budget: int
    too_large: int
    digest: str

    def row(self) -> dict[str, Any]:
        """Return it as a JSON object that `read` takes."""
        return asdict(self)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Outcome:
        """Return what `row` returned, after its way through JSON."""
        bill = dict(row["bill"])
        volumes = {
            name: Volume(**bill.pop(name)) for name in ("turns", "breaks", "summaries", "merges")
        }
        requests, waits = Requests(*bill.pop("requests")), tuple(bill.pop("waits"))
        return cls(
            **{**row, "course": tuple(row["course"])}
            | {"bill": Bill(**{**bill, **volumes, "requests": requests, "waits": waits})}
        )


@dataclass(frozen=True, slots=True)
class Line:
    """Where requests go and what the server said of each.

    Attributes:
        client: Of the SDK, without memory.
        log: What was asked and answered so far, oldest first.
        expect: Called before each turn with the reply that was recorded for it.
        extra: Keys of the body that every turn has.
    """

    client: OpenAI
    log: Sequence[Served]
    expect: Callable[[Step], None]
    extra: Mapping[str, Any]


@contextmanager
def in_process(model: str) -> Iterator[Line]:
    """Yield a line to a new fake in this process.

    Args:
        model: The model that will be asked for; an unknown one is like kimi-k2.6.
    """
    from openai import DefaultHttpxClient, OpenAI  # noqa: PLC0415  # 370 ms

    models = {each.id: each for each in (*LIVE_MODELS, model_like(model))}
    waiting: list[Any] = [""]
    fake = FakeKimi(models=list(models.values()), reply=lambda _: waiting[0])

    def expect(step: Step) -> None:
        waiting[0] = step.reply or ""

    # The SDK may be on either HTTP library; its own client says on which.
    library = next(
        base.__module__.partition(".")[0]
        for base in DefaultHttpxClient.__mro__
        if base.__module__.startswith("httpx")
    )
    transport = getattr(fake, f"{library}_transport")()
    with (
        DefaultHttpxClient(transport=transport, trust_env=False) as http,
        OpenAI(
            api_key="sk-fake", base_url="http://fake/v1", max_retries=0, http_client=http
        ) as client,
    ):
        yield Line(client=client, log=fake.requests, expect=expect, extra={})


def rehearse(
    conversation: Mapping[str, Any],
    *,
    way: Way,
    model: str,
    settings: Mapping[str, Any],
    recalled: Recalled,
) -> Outcome:
    """Send a conversation to a fake.

    Args:
        conversation: One made by `memory.replay.join`; for a model that always thinks, with
            thoughts.
        way: How it is sent.
        model: The model that is asked for.
        settings: Those of the memory; the window of `"last messages"` has their `budget`.
        recalled: Asks every prompt.
    """
    with in_process(model) as line:
        return sent(
            conversation, line=line, way=way, model=model, settings=settings, recalled=recalled
        )


def sent(
    conversation: Mapping[str, Any],
    *,
    line: Line,
    way: Way,
    model: str,
    settings: Mapping[str, Any],
    recalled: Recalled,
) -> Outcome:
    """Send a conversation turn by turn; a turn that cannot be sent is left out and counted.

    Args:
        conversation: As for `rehearse`.
        line: Where it is sent.
        way: How.
        model: The model.
        settings: Those of the memory.
        recalled: Asks every prompt.
    """
    drive = _Drive(line, way, model, settings)
    shares = list[float]()
    for step in steps(conversation):
        shares += recalled.ask(step, drive.prompt(step))
    return Outcome(
        bill=billed(line.log, drive.asked, shared=False),
        found=sum(shares),
        wanted=len(shares),
        course=tuple(drive.course),
        over_budget=sum(tokens > drive.budget for tokens in drive.course) if drive.budget else 0,
        too_large=drive.too_large,
        digest=digest(each.body for each in line.log if each.kind == "chat").hex(),
    )


class _Drive:
    """Sends turns, one after the other.

    Args:
        line: Where to.
        way: How.
        model: The model.
        settings: Those of the memory.
    """

    def __init__(self, line: Line, way: Way, model: str, settings: Mapping[str, Any]) -> None:
        from memory.client import wrap  # noqa: PLC0415  # imports the SDK

        self.asked: list[Asked] = []
        self.course: list[int] = []
        self.too_large = 0
        self.budget: int | None = None if way == FULL else settings["budget"]
        self._line, self._way, self._model = line, way, model
        self._ruler = Ruler(model)
        self._extra = {**(NO_THINKING if thinking(model) == "switchable" else {}), **line.extra}
        self._client = line.client
        if way == MEMORY:
            # All of them are given: none is to come from the environment of whoever measures.
            self._client = wrap(self._client, hooks=(self._hear,), **asdict(Settings(**settings)))

    def _hear(self, event: Event) -> None:
        if isinstance(event, Summarizing):
            self.asked.append(Asked(len(self._line.log), event.purpose))

    def prompt(self, step: Step) -> Sequence[Any]:
        """Send a turn and return what was sent; nothing where it could not be."""
        from openai import APIError  # noqa: PLC0415  # as above
        from openai.types.chat import ChatCompletion  # noqa: PLC0415

        messages: Sequence[Any] = step.messages
        if self._way == LAST and self.budget is not None:
            messages = self._ruler.window(step, self.budget)
            if len(messages) == head_length(step.messages):  # and nothing to answer
                self.too_large += 1
                self.course.append(0)
                return ()
        tools = {"tools": list(step.tools)} if step.tools else {}
        body = {"model": self._model, "messages": list(messages), **tools, **self._extra}
        self._line.expect(step)
        seen = len(self._line.log)
        try:
            # `create` would look into every message for keys to rename: most of the time it takes.
            self._client.post("/chat/completions", body=body, cast_to=ChatCompletion)
        except BudgetError:
            self.too_large += 1
        except APIError:
            pass  # the log has it
        served = next((e for e in reversed(self._line.log[seen:]) if e.kind == "chat"), None)
        self.course.append(served.prompt_tokens if served else 0)
        if served is None or served.error:
            return ()
        prompt: Sequence[Any] = served.body["messages"]
        return prompt
