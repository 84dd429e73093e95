"""`Compaction` in an agent with a database, which is run at every user message.

The agent compacts where a run begins. What its model calls and gets back until the run is over is
sent behind that. What the run's model says is not known when its request is recorded; it is put
into the session before the next run begins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.peers.clients import (
    KEY,
    MODEL,
    NOWHERE,
    SPARE,
    UNTHINKING,
    Recorder,
    Summaries,
    notes_room,
)
from benchmarks.peers.contract import Setting, noted
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage, role_of, text_of

__all__ = ("Compacting",)

HTTP: Final = "httpx"
SESSION: Final = "conversation"
TRIGGER: Final = 0.95
"""The share of the limit at which it compacts; it does not count what the user says then."""
KEEP: Final = 0.45
"""The share of the limit that stays verbatim, as far as it lets it."""


class Compacting:
    """One agent with one session, and the run that is open.

    Args:
        setting: Of the conversation.
    """

    def __init__(self, setting: Setting) -> None:
        _offline()
        self._setting = setting
        self._summaries, self._recorder = Summaries(setting, HTTP), Recorder(HTTP)
        self._opening = str(import_module("agno.compaction.prompts").SUMMARY_PREFIX)
        self._message: Any = import_module("agno.models.message").Message
        self._model = self._like(self._recorder.client(), NOWHERE)
        self._directory = TemporaryDirectory()
        database = import_module("agno.db.sqlite").SqliteDb(db_file=f"{self._directory.name}/db")
        self._compaction = import_module("agno.compaction").Compaction(
            model=self._like(self._summaries.client(), self._summaries.url), **self._options()
        )
        self._agent: Any = import_module("agno.agent").Agent(
            model=self._model,
            db=database,
            session_id=SESSION,
            system_message="\n\n".join(map(text_of, setting.head)) or None,
            add_history_to_context=True,
            compaction=self._compaction,
            telemetry=False,
        )
        self._given: list[Any] = []
        self._begun: list[WireMessage] = []
        self._run: list[Any] = []

    @property
    def events(self) -> Sequence[Event]:
        """The summaries that it asked for."""
        return self._summaries.events

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Begin a run where a user speaks, go on with it otherwise, and send its messages."""
        head = list(self._setting.head)
        new = [self._there(message) for message in given[len(head) + len(self._given) :]]
        self._given += new
        before = [*head, *self._back(self._given)]
        for is_asked, part in groupby(new, key=lambda message: message.role == "user"):
            if is_asked:
                self._begin([*self._close(), *part])
            else:
                self._add(list(part))
        sent = [*self._begun, *self._back(self._run)]
        text = self._summary(sent)
        sending = Sending(
            given=[*head, *self._back(self._given)],
            sent=sent,
            before=before,
            log=None,
            notes=[len(head)] if text else [],
        )
        depth = len(self._summaries.events)
        return noted(sending, text=text, depth=depth, count=self._setting.count)

    def _begin(self, asked: Sequence[Any]) -> None:
        """Run the agent with the messages of a user, and keep what it sends.

        Raises:
            RuntimeError: It sends nothing; the next run says again what this one was given.
        """
        self._begun = self._recorder.messages = []
        self._run = list(asked)
        answered = self._agent.run([message.model_copy() for message in asked])
        if not self._recorder.messages:
            raise RuntimeError(answered.content)
        self._begun, self._run = self._recorder.messages, []

    def _add(self, said: Sequence[Any]) -> None:
        """Add to the open run; where there are tools, room is left for what a run adds."""
        self._run += said
        if not self._setting.own and any(message.role == "tool" for message in said):
            room = (TRIGGER - SPARE) * self._setting.limit
            self._compaction.compact_at_tokens = max(2, int(room))

    def _close(self) -> list[Any]:
        """Put what was said in the open run into the session; return what was said before any."""
        said, self._run = self._run, []
        if not self._begun:
            return said
        session = self._agent.get_session(SESSION)
        messages = session.runs[-1].messages
        messages[-1:] = said
        self._agent.save_session(session)
        return []

    def _summary(self, sent: Sequence[WireMessage]) -> str:
        """Return the message that holds the summary, or nothing."""
        place = len(self._setting.head)
        text = text_of(sent[place]) if len(sent) > place else ""
        return text if text.startswith(self._opening) else ""

    def _like(self, client: Any, url: str) -> Any:
        """Return its class for servers that speak as OpenAI's."""
        kind: Any = import_module("agno.models.openai.like").OpenAILike
        return kind(
            id=MODEL,
            base_url=url,
            api_key=KEY,
            max_retries=0,
            http_client=client,
            extra_body=UNTHINKING,
        )

    def _options(self) -> Mapping[str, Any]:
        setting = self._setting
        if setting.own:
            return {}
        return {
            "compact_at_tokens": max(2, int(TRIGGER * setting.limit)),
            "uncompacted_tokens": max(1, int(KEEP * setting.limit)),
            "compacted_token_budget": notes_room(setting),
            "token_counter": lambda messages, _: setting.count(self._back(messages)),
        }

    def _there(self, message: WireMessage) -> Any:
        """Return its message, as its model makes it of a reply, or its agent of a result."""
        keys = ("role", "content", "tool_calls", "tool_call_id")
        said = {key: message[key] for key in keys if message.get(key) is not None}
        if role_of(message) == "tool":
            said["tool_name"] = message.get("name")
        return self._message(**said)

    def _back(self, messages: Sequence[Any]) -> list[dict[str, Any]]:
        """Return wire messages, as its model sends them."""
        return list(self._model._format_all_messages(messages))  # noqa: SLF001


def _offline() -> None:
    """Keep it from the network: what it reports, and the vocabulary that it would download.

    It measures what to keep with a vocabulary of OpenAI's, whatever counter it is given.
    """
    os.environ["AGNO_TELEMETRY"] = "false"
    found = find_spec("litellm")
    if found is not None and found.origin is not None:
        vocabularies = Path(found.origin).parent / "litellm_core_utils" / "tokenizers"
        os.environ["TIKTOKEN_CACHE_DIR"] = str(vocabularies)
