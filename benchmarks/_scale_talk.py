"""One conversation that grows, compactions included: what its turns take, hold and cost.

It is had in both ways: by a caller who passes the whole list each time, and by one who passes what
is new and has the library keep the conversation in a store. All times are processor time of the
thread, without the server's, the SDK's and the summariser's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any, Final, Literal

from openai import OpenAI
from openai.types.chat import ChatCompletion

from benchmarks._report import Row
from benchmarks._scale_bill import MODEL, Account, Billed
from benchmarks._scale_growth import held, most_held
from benchmarks._stubs import stub
from benchmarks._synthetic import Writer
from benchmarks._trial import HTTP
from memory.client import wrap
from memory.events import Compacted, Event, Summarizing
from memory.manager import MemoryManager
from memory.meter import Meter
from memory.records import Compaction
from memory.stores.codec import encode
from memory.stores.sqlite import SqliteStore
from memory.vocabulary import warmup

__all__ = ("STYLES", "Style", "grown")

Style = Literal["whole list", "managed"]
STYLES: Final[tuple[Style, ...]] = ("whole list", "managed")
BUDGET: Final = 8_000
"""Tokens of a prompt."""
WRITES: Final = "lead"
"""The summariser: one that writes as much as it may, so that notes are as large as they get."""
QUESTION, ANSWER = 200.0, 300.0
"""Bytes of a question and of an answer."""
WINDOW: Final = 24
"""Turns before a size that are looked at."""
COMPACTIONS: Final = 3
"""How many of the latest compactions are looked at."""
NAME: Final = "scale"
HEAD: Final = {"role": "system", "content": "You help to plan. Answer in short sentences."}

Message = dict[str, Any]


class Server:
    """Answers every request at once with the next reply.

    Attributes:
        reply: What is said next.
        received: The messages of the latest request.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.reply: Message = {}
        self.received: Sequence[Message] = ()

    def client(self, kind: type[OpenAI]) -> OpenAI:
        """Return a client of this server."""
        http = HTTP.Client(transport=HTTP.MockTransport(self._answer))
        return kind(api_key="sk-test", base_url="http://scale/v1", http_client=http)

    def _answer(self, _request: Any) -> Any:
        prompt = self._meter.count(self.received).total
        written = round(self._meter.text(self.reply["content"])) + 1
        usage = {"prompt_tokens": prompt, "completion_tokens": written}
        choice = {"index": 0, "message": self.reply, "finish_reason": "stop"}
        whole = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL,
            "choices": [choice],
            "usage": {**usage, "total_tokens": prompt + written},
        }
        return HTTP.Response(200, json=whole)


class Probe:
    """A wrapped client that tells how long the memory took.

    Args:
        server: Who answers.
        manager: The memory.
        conversation: Which one it goes on from; None for a caller who passes everything.
    """

    def __init__(self, server: Server, manager: MemoryManager, conversation: str | None) -> None:
        bare = [0.0]

        class Timed(OpenAI):
            """A client that notes what the SDK's own `request()` takes."""

            def request(self, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
                """Make a request, as `OpenAI` does."""
                begun = thread_time()
                server.received = options.json_data["messages"]
                answer: Any = super().request(cast_to, options, *args, **kwargs)
                bare[0] = thread_time() - begun
                return answer

        client = wrap(server.client(Timed), manager=manager, conversation=conversation)
        kind: Any = type(client)
        inner, whole = kind.request, [0.0]

        def request(*args: Any, **kwargs: Any) -> Any:
            begun = thread_time()
            answer = inner(*args, **kwargs)
            whole[0] = thread_time() - begun
            return answer

        kind.request = request
        self._client, self._bare, self._whole = client, bare, whole

    def seconds(self, messages: Sequence[Message]) -> float:
        """Make a call and return what the memory took of it.

        `create()` comes to this too, after it has looked at every message once more.
        """
        body = {"messages": messages, "model": MODEL}
        self._client.post("/chat/completions", cast_to=ChatCompletion, body=body)
        return self._whole[0] - self._bare[0]


@dataclass(slots=True)
class Seen:
    """What was seen of a conversation so far.

    Attributes:
        plain: Seconds of the latest turns without a compaction.
        compacting: Seconds of the latest turns with one.
        compactions: How many there were.
        purposes: What summaries were asked for.
    """

    plain: list[float] = field(default_factory=list)
    compacting: list[float] = field(default_factory=list)
    compactions: int = 0
    purposes: list[str] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self.compactions += isinstance(event, Compacted) and event.paid
        if isinstance(event, Summarizing):
            self.purposes.append(event.purpose)


class Talk:
    """A conversation that grows by a turn at a time.

    Args:
        style: How it is had.
        manager: The memory.
        seen: What hears its events.
        writer: Its summariser.
        account: Its bill.
    """

    def __init__(
        self, style: Style, manager: MemoryManager, seen: Seen, writer: Billed, account: Account
    ) -> None:
        self._managed = style == "managed"
        self._manager, self._seen = manager, seen
        self._writer, self._account = writer, account
        self._server = Server(account.meter)
        self._probe = Probe(self._server, manager, NAME if self._managed else None)
        self._chance = Writer(NAME)
        self._said: list[Message] = [HEAD]
        self._bytes = 0

    @property
    def messages(self) -> int:
        """How many there are, without the head."""
        return len(self._account.turns) * 2

    def turn(self) -> None:
        """Have a turn."""
        question = {"role": "user", "content": self._chance.text(QUESTION)}
        reply = {"role": "assistant", "content": self._chance.text(ANSWER)}
        self._bytes += sum(len(each["content"].encode()) for each in (question, reply))
        self._server.reply = reply
        new = [HEAD, question] if self._managed or not self.messages else [question]
        given = new if self._managed else self._said
        if not self._managed:
            given.append(question)
        before, other = self._seen.compactions, self._writer.seconds
        seconds = self._probe.seconds(given)
        compacting = self._seen.compactions > before
        place = self._seen.compacting if compacting else self._seen.plain
        place.append(seconds - (self._writer.seconds - other))
        del place[: -(COMPACTIONS if compacting else WINDOW)]
        first = not self._account.turns
        self._account.turn(self._server.received, [HEAD, question] if first else [question], reply)
        if not self._managed:
            given.append(reply)

    def row(self, style: Style, begun: float) -> Row:
        """Return the figures as they stand."""
        seen, (paid, full, tokens) = self._seen, self._account.latest()
        record = self._record()
        return {
            "style": style,
            "messages": self.messages,
            "turn ms": median(seen.plain) * 1e3,
            "compaction ms": median(seen.compacting) * 1e3 if seen.compacting else None,
            "prompt tokens": tokens,
            "$ a 1,000 turns": paid * 1e3,
            "$ with full history": full * 1e3,
            "$ so far": sum(self._account.turns),
            "$ so far with full history": sum(self._account.full),
            "compactions": seen.compactions,
            "summaries": seen.purposes.count("new"),
            "merges": seen.purposes.count("merge"),
            "segments": len(record.segments) if record else 0,
            "record bytes": len(encode(record)[1].encode()) if record else None,
            "said MiB": self._bytes / 2**20,
            "held MiB": held() - begun,
            "peak MiB": most_held() - begun,
        }

    def _record(self) -> Compaction | None:
        if self._managed:
            found: Sequence[Any] = self._manager.conversation(NAME).compactions()
        else:
            found = self._manager.log(self._said)
        return next((each for each in reversed(found) if isinstance(each, Compaction)), None)


def grown(style: Style, sizes: Sequence[int]) -> list[Row]:
    """Return a row for each size, in messages, of a conversation that grows through all of them.

    To be called in a process of its own: what that holds is part of the figures. A turn has two
    messages, so the size 1 is the first turn.
    """
    counter = warmup()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="kimi-memory-bench-") as folder, _store(folder) as kept:
        account, seen = Account(Meter(counter)), Seen()
        writer = Billed(stub(WRITES), account)
        manager = MemoryManager(
            summarizer=writer,
            budget=BUDGET,
            hooks=(seen,),
            store=kept if style == "managed" else None,
        )
        talk = Talk(style, manager, seen, writer, account)
        begun = held()
        for size in sizes:
            while talk.messages < size:
                talk.turn()
            rows.append(talk.row(style, begun))
    return rows


@contextmanager
def _store(folder: str) -> Iterator[SqliteStore]:
    with SqliteStore(Path(folder) / "scale.db") as store:
        yield store
