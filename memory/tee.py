"""Reading what a client reads, at the same time, without being noticed.

The bytes are taken at the public `stream` of an HTTP response, below everything the SDK does with
them, so that whatever reads the response, a stream, a helper or the user, makes us read it too.
The response's own types are derived from, so neither httpx nor httpx2 is imported.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary, finalize

from memory.messages import text_of, tool_calls
from memory.recall.tool import is_search
from memory.replies import Body, Chunks, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from memory.messages import WireMessage

__all__ = ("Listener", "apeek", "atee", "is_readable", "peek", "tee")

_kinds: WeakValueDictionary[type, type] = WeakValueDictionary()


PREAMBLE = 160
"""Characters of text that are held back of a stream, since models announce a search before they
call for it; what has more is an answer, and goes on as it comes."""

Ending = Literal["read", "left", "broken"]
"""How reading a response ended: at its end, by the reader, or by an error."""


def _ignore() -> None:
    return None


class Listener:
    """Takes the bytes of one response and says once, at its end, what the reply was.

    Nothing it does can fail the reader: what cannot be read is a reply that did not arrive.

    Args:
        response: An HTTP response that was not read yet.
        choice: Which choice of the reply counts.
        finished: Called once the message is whole, which may be before the end of the stream.
    """

    def __init__(
        self, response: Any, *, choice: int = 0, finished: Callable[[], object] = _ignore
    ) -> None:
        kind = str(response.headers.get("content-type") or "")
        self._reader = (Chunks if "text/event-stream" in kind else Body)(choice=choice)
        self._encoding = str(response.headers.get("content-encoding") or "identity").lower()
        self._kind: type = type(response)
        self._held = bytearray()
        self._broken = False
        self._finished = [finished]
        self._outcomes = [True]  # who takes it is the one that tells

    def hear(self, data: bytes) -> bool:
        """Take bytes as they were sent; return whether the reply is complete with them."""
        if self._encoding != "identity":
            self._held += data
            return False
        self._feed(data)
        if self._reader.finished and self._finished:
            self._finished.pop()()
        return self._reader.done

    @property
    def message(self) -> WireMessage | None:
        """What has come of the message; None where that is not known before the end."""
        return self._reader.message if isinstance(self._reader, Chunks) else None

    @property
    def is_finished(self) -> bool:
        """Whether the message is whole, though more may follow."""
        return self._reader.finished

    def outcome(self, ending: Ending) -> Reply | None:
        """Return the reply, the first time; None from then on.

        Args:
            ending: How reading ended.
        """
        try:
            self._outcomes.pop()
        except IndexError:
            return None
        try:
            if self._held:
                self._feed(_decoded(self._kind, self._encoding, bytes(self._held)))
            if ending == "read":
                self._reader.end()
            reply = None if self._broken else self._reader.reply(left=ending == "left")
        except Exception:  # noqa: BLE001  # whatever is wrong with it, the caller reads on
            reply = None
        whole = ending == "read" or isinstance(self._reader, Chunks)
        return reply if reply is not None and whole else Reply(complete=False)

    def _feed(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except Exception:  # noqa: BLE001  # as above
            self._broken = True


def is_readable(response: Any) -> bool:
    """Return whether a response is still to be read, from a stream that can be listened to."""
    return not (response.is_closed or response.is_stream_consumed)


def tee(
    response: Any,
    listener: Listener,
    ended: Callable[[Reply], object],
    dropped: Callable[[], object] = _ignore,
) -> None:
    """Have `ended` called with the reply once a response is read, or is closed before.

    A streamed reply is complete before its reader has seen the end of it.

    Args:
        response: An HTTP response that was not read yet.
        listener: Takes its bytes.
        ended: Called once, with the reply or the beginning of one.
        dropped: Called when nobody can read the response any more, in whatever thread notices.
    """

    def end(ending: Ending) -> None:
        reply = listener.outcome(ending)
        if reply is not None:
            ended(reply)

    source = response.stream

    def chunks(_self: Any) -> Iterator[bytes]:
        try:
            for chunk in source:
                if listener.hear(chunk):
                    end("read")
                yield chunk
        except GeneratorExit:
            end("left")
            raise
        except BaseException:
            end("broken")
            raise
        end("read")

    def close(_self: Any) -> None:
        try:
            source.close()
        finally:
            end("left")

    response.stream = _standing_for(source, {"__iter__": chunks, "close": close})
    finalize(response.stream, dropped)


def atee(
    response: Any,
    listener: Listener,
    ended: Callable[[Reply], Awaitable[object]],
    dropped: Callable[[], object] = _ignore,
) -> None:
    """Have `ended` awaited with the reply once a response is read, or is closed; see `tee`."""

    async def end(ending: Ending) -> None:
        reply = listener.outcome(ending)
        if reply is not None:
            await ended(reply)

    source = response.stream

    async def chunks(_self: Any) -> AsyncIterator[bytes]:
        try:
            async for chunk in source:
                if listener.hear(chunk):
                    await end("read")
                yield chunk
        except GeneratorExit:
            await end("left")
            raise
        except BaseException:
            await end("broken")
            raise
        await end("read")

    async def aclose(_self: Any) -> None:
        try:
            await source.aclose()
        finally:
            await end("left")

    response.stream = _standing_for(source, {"__aiter__": chunks, "aclose": aclose})
    finalize(response.stream, dropped)


def peek(response: Any, tool: str, *, choice: int = 0) -> Reply | None:
    """Read as far as it takes to know whether a reply calls a tool; return one that does.

    It is read to its end and closed then. Any other can be read as if nobody had touched it: what
    was read comes once more, in the same pieces, an error where it came, and the rest as it comes.
    Of a compressed response, and of one that is no stream, nothing is known before its end.

    Args:
        response: An HTTP response that was not read yet.
        tool: What the tool is called.
        choice: Which choice of the reply counts.
    """
    source, glance, held = response.stream, _Glance(response, tool, choice), _Held()
    rest = iter(source)
    try:
        for chunk in rest:
            held.chunks.append(chunk)
            if glance.is_decided(chunk):
                break
    except Exception as error:  # noqa: BLE001  # the reader is to get it
        held.error = error
    except BaseException:
        response.close()  # nobody will read it
        raise
    reply = None if held.error else glance.reply()
    if reply is not None:
        response.close()
        return reply

    def chunks(_self: Any) -> Iterator[bytes]:
        yield from held.again()
        yield from rest

    response.stream = _standing_for(source, {"__iter__": chunks, "close": lambda _: source.close()})
    return None


async def apeek(response: Any, tool: str, *, choice: int = 0) -> Reply | None:
    """Read as far as it takes to know whether a reply calls a tool; see `peek`."""
    source, glance, held = response.stream, _Glance(response, tool, choice), _Held()
    rest = aiter(source)
    try:
        async for chunk in rest:
            held.chunks.append(chunk)
            if glance.is_decided(chunk):
                break
    except Exception as error:  # noqa: BLE001  # the reader is to get it
        held.error = error
    except BaseException:
        await response.aclose()  # nobody will read it
        raise
    reply = None if held.error else glance.reply()
    if reply is not None:
        await response.aclose()
        return reply

    async def chunks(_self: Any) -> AsyncIterator[bytes]:
        for chunk in held.again():
            yield chunk
        async for chunk in rest:
            yield chunk

    methods = {"__aiter__": chunks, "aclose": lambda _: source.aclose()}
    response.stream = _standing_for(source, methods)
    return None


class _Held:
    """What was read of a stream by somebody who is not its reader."""

    def __init__(self) -> None:
        self.chunks = deque[bytes]()
        self.error: Exception | None = None

    def again(self) -> Iterator[bytes]:
        """Yield it, once."""
        while self.chunks:
            yield self.chunks.popleft()
        if self.error is not None:
            raise self.error


class _Glance:
    """Takes the bytes of a response until it is known whether they are a call of a tool."""

    def __init__(self, response: Any, tool: str, choice: int) -> None:
        self._listener = Listener(response, choice=choice)
        self._tool = tool

    def is_decided(self, data: bytes) -> bool:
        """Take bytes as they were sent; return whether they are no such call, whatever follows.

        A batch of calls has to be known to its end: any of them may be one of the tool.
        """
        done = self._listener.hear(data)
        message = self._listener.message
        if done or message is None or tool_calls(message):
            return False
        return self._listener.is_finished or len(text_of(message)) > PREAMBLE

    def reply(self) -> Reply | None:
        """Return the reply if it is complete and calls the tool."""
        reply = self._listener.outcome("read")
        return reply if reply is not None and is_search(reply, self._tool) else None


def _standing_for(source: Any, methods: dict[str, Any]) -> Any:
    """Return an object of the kind of `source` that does what it does but for some methods."""
    kind = _kinds.get(type(source))
    if kind is None:
        kind = _kinds[type(source)] = _derived(type(source))
    made: Any = object.__new__(kind)
    made.__dict__.update(source=source, methods=methods)
    return made


def _derived(base: type) -> type:
    def method(name: str) -> Any:
        def call(self: Any) -> Any:
            return self.__dict__["methods"][name](self)

        return call

    def getattribute(self: Any, name: str) -> Any:
        return getattr(self.__dict__["source"], name)

    names = ("__iter__", "close", "__aiter__", "aclose")
    members = {name: method(name) for name in names if hasattr(base, name)}
    return type(base.__name__, (base,), {**members, "__getattr__": getattribute})


def _decoded(kind: type, encoding: str, data: bytes) -> bytes:
    """Return a body without its content encoding, as responses of this kind decode it."""
    body: bytes = kind(200, headers={"content-encoding": encoding}, content=data).content
    return body
