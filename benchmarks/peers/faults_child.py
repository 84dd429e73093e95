"""Runs one peer, in its own environment, for the fault matrix, which tells it what to do.

    python -m benchmarks.peers.faults_child NAME

Every line of stdin is a JSON object, answered by one on stdout: `begin` makes a new conversation,
`send` adds messages to it and returns what the peer would send, `both` returns it for each of two
messages that come at once, `originals` returns what the peer can show beside its view. What raises
in the peer is an answer too, with the class of the exception and what it says.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

from benchmarks.peers import COMPARED
from benchmarks.peers.contract import Peer, Setting
from benchmarks.peers.faults_originals import originals
from memory.messages import WireMessage
from memory.meter import Meter
from memory.vocabulary import resolve

__all__ = ("OURS", "Conversation", "Desk", "main")

OURS: Final = "memory"
SHORT: Final = 300
"""Characters of what an exception says that are passed on."""
_METER: Final = Meter(resolve())

Answer = dict[str, Any]


class Conversation:
    """One conversation with a peer.

    Args:
        name: Which peer.
        begun: What `begin` said: `limit`, `head`, `url`, and `ours`, settings of this library.
    """

    def __init__(self, name: str, begun: Mapping[str, Any]) -> None:
        self._name, self._url = name, str(begun["url"])
        head: Sequence[WireMessage] = begun["head"]
        setting = Setting(
            limit=begun["limit"], head=head, write=self._write, count=_count, url=self._url
        )
        self._given: list[WireMessage] = list(head)
        self._peer = _peer(name, setting, begun["ours"])

    def send(self, new: Sequence[WireMessage]) -> list[WireMessage]:
        """Return what the peer sends once messages were added."""
        self._given += new
        return list(self._peer.send(list(self._given)).sent)

    def both(
        self, new: Sequence[WireMessage], users: Sequence[WireMessage]
    ) -> list[list[WireMessage]]:
        """Return what the peer sends for each of several messages that come at once.

        Args:
            new: What was said meanwhile, which is added; those who come at once are not.
            users: Their messages.
        """
        self._given += new
        with ThreadPoolExecutor(max_workers=len(users)) as pool:
            waiting = [pool.submit(self._peer.send, [*self._given, each]) for each in users]
            return [list(each.result().sent) for each in waiting]

    def originals(self) -> list[str]:
        """Return the texts that the peer can still show, as far as it offers that."""
        return originals(self._name, self._peer)

    def _write(self, source: str) -> str:
        """Ask the server for a summary, for a peer that brings no client of its own.

        Raises:
            RuntimeError: It did not give one.
        """
        at = urlsplit(self._url)
        body = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": source}]}
        connection = http.client.HTTPConnection(str(at.hostname), at.port)
        head = {"Authorization": "Bearer sk-fake", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"{at.path}/chat/completions", json.dumps(body), head)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        if "choices" not in said:
            msg = f"the summariser answered {answer.status}"
            raise RuntimeError(msg)
        return str(said["choices"][0]["message"].get("content") or "")


def _peer(name: str, setting: Setting, ours: Mapping[str, Any]) -> Peer:
    if name == OURS:
        from benchmarks.peers.faults_memory import Served  # noqa: PLC0415  # only it needs openai

        return Served(setting, ours)
    return COMPARED[name].make(setting)


def _count(messages: Sequence[WireMessage]) -> int:
    return _METER.count(messages).total


class Desk:
    """Carries orders out, one by one.

    Args:
        name: Which peer.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._conversation: Conversation

    def answer(self, order: Answer) -> Answer:
        """Return what became of an order, whatever is raised."""
        try:
            return self._carried_out(order)
        except Exception as error:  # noqa: BLE001  # whatever reaches a caller is told
            return {"error": f"{type(error).__name__}: {error}"[:SHORT]}

    def _carried_out(self, order: Answer) -> Answer:
        if order["op"] == "begin":
            self._conversation = Conversation(self._name, order)
            return {"version": version(COMPARED[self._name].distribution)}
        if order["op"] == "originals":
            return {"texts": self._conversation.originals()}
        if order["op"] == "both":
            return {"sent": self._conversation.both(order["new"], order["users"])}
        return {"sent": [self._conversation.send([*order["new"], *order["users"]])]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer orders until there are none."""
    (name,) = sys.argv[1:] if arguments is None else arguments
    warnings.simplefilter("ignore")  # what peers warn of is not what is judged
    logging.disable()
    desk = Desk(name)
    with _answers() as answers:
        for line in sys.stdin:
            print(json.dumps(desk.answer(json.loads(line))), file=answers, flush=True)
    return 0


def _answers() -> TextIO:
    """Return stdout, and let what peers print go to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


if __name__ == "__main__":
    sys.exit(main())
