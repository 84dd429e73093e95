"""Reading what a client reads, at the same time, without being noticed.

The bytes are taken at the public `stream` of an HTTP response, below everything the SDK does with
them, so that whatever reads the response, a stream, a helper or the user, makes us read it too.
The response's own types are derived from, so neither httpx nor httpx2 is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary, finalize

from memory.replies import Body, Chunks, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

__all__ = ("Listener", "atee", "is_readable", "tee")

_kinds: WeakValueDictionary[type, type] = WeakValueDictionary()


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
        self._encoding = str(response.headers.get("content-encoding") or "identity")
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
