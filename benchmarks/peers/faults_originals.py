"""What a library still shows of a conversation beside the view, where it keeps what it was told.

That is what an application gets from the library by a documented call. The list that a caller keeps
by itself is none of a library's doing, and so is not counted for anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

__all__ = ("originals",)


def originals(name: str, peer: Any) -> list[str]:
    """Return the texts that a peer still shows; of those that keep nothing, none.

    Args:
        name: Which peer.
        peer: A conversation with it.
    """
    shown = _SHOWN.get(name)
    return [] if shown is None else list(shown(peer))


def _ours(peer: Any) -> Iterator[str]:
    """Yield what a look behind the notes shows."""
    yield from peer.originals()


def _session(peer: Any) -> Iterator[str]:
    """Yield what `Session.get_items` returns."""
    for item in peer._loop.run(peer._session.get_items(limit=None)):  # noqa: SLF001
        content = item.get("content") or item.get("output") or ""
        if isinstance(content, str):
            yield content
        else:
            yield from (str(part.get("text", "")) for part in content)


def _runs(peer: Any) -> Iterator[str]:
    """Yield what the runs of a session have in its database."""
    session = peer._agent.get_session()  # noqa: SLF001
    for run in session.runs or ():
        yield from (str(message.content or "") for message in run.messages or ())


_SHOWN: Final[Mapping[str, Callable[[Any], Iterator[str]]]] = {
    "memory": _ours,
    "openai_agents": _session,
    "agno": _runs,
}
