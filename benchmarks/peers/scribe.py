"""The summariser of a comparison: the same for all, whatever the prompt looks like that asks it.

Every library words its prompt in its own way, and writes the conversation into it in its own way:
as messages, as lines, as XML, as JSON. So the scribe reads only two things in a prompt: which
messages of the conversation stand in it, and which of the texts that it wrote before. Letters and
digits alone are compared, after escapes of JSON and of XML are undone. A message that was cut
counts with the part that is there. One that is short, or stands in the conversation more than
once, counts where a neighbour of it stands there too.

What it then writes is what the summarisers of `benchmarks._stubs` write of these messages. Where
a model's own summaries of the sessions are known: those of the sessions that end among the
messages, and the extract of the rest, after the leading sentences of its earlier texts
(`Recorded`). Elsewhere the extract, in which the lines of its earlier texts compete (`Extractive`).

The length is the smallest of three: `max_completion_tokens` or `max_tokens` of the request, the
tokens or words that the prompt asks for in words, and a cap that is the same for all, `SHARE` of
the budget. So nobody has longer notes than another for want of saying how long they may be.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from benchmarks._measures import count, shown
from benchmarks._stubs import Extractive, Recorded, Stub
from benchmarks.peers.talks import Talk
from memory.messages import WireMessage, head_length
from memory.records import Segment
from memory.summary import SummaryRequest
from memory.testing.kimi_reply import REASONING

__all__ = ("SHARE", "Scribe", "asked_for", "letters")

SHARE: Final = 0.35
"""The share of the budget that a summary may have: what this library gives its notes."""
WORD: Final = 1.5
"""Tokens to a word, where a prompt counts in words."""
SHORT: Final = 24
"""Letters and digits below which a text may stand in a prompt by chance."""
CUT: Final = 120
"""Letters and digits of a message that was cut that have to be there."""
NOTHING: Final = "Nothing was said yet."
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})|\\[nrt]")
_BETWEEN: Final = re.compile(r"[\W_]+")
_LENGTH: Final = re.compile(
    r"(?:at most|up to|no more than|under|within|below|less than|maximum(?: of)?|limit(?: of)?)"
    r"[ ~]+([\d,]+)[ -](token|word)s?",
    re.IGNORECASE,
)
_AROUND: Final = 30
"""Characters beside a length in words by which it is told from one in the conversation."""
_GAP: Final = "\n"
"""Stands where something was taken out; no letter."""


def letters(text: str) -> str:
    """Return the letters and digits of a text, escapes of JSON and XML undone."""
    plain = _ESCAPED.sub(_unescaped, html.unescape(html.unescape(text)))
    return _BETWEEN.sub("", plain)


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else " "


def asked_for(prompt: str, *, said: str = "") -> int | None:
    """Return the tokens that a prompt asks for in words, or None.

    Args:
        prompt: The prompt.
        said: The letters of the conversation; a length that somebody names there is none.
    """
    found = [
        int(match[1].replace(",", "")) * (WORD if match[2].lower() == "word" else 1)
        for match in _LENGTH.finditer(prompt)
        if _context(prompt, match) not in said
    ]
    return int(min(found)) if found else None


def _context(prompt: str, match: re.Match[str]) -> str:
    before = prompt[max(0, match.start() - _AROUND) : match.start()].rpartition("\n")[2]
    after = prompt[match.end() : match.end() + _AROUND].partition("\n")[0]
    return letters(f"{before}{match[0]}{after}")


class Scribe:
    """Writes the summaries of one conversation.

    Args:
        talk: The conversation.
        budget: Tokens that a request may have.

    Attributes:
        calls: How often it was asked.
        texts: What it wrote.
    """

    def __init__(self, talk: Talk, *, budget: int) -> None:
        self.calls = 0
        self.texts: list[str] = []
        self._cap = max(1, int(SHARE * budget))
        self._messages = talk.recording.messages
        self._head = head_length(self._messages)
        self._letters = [letters(shown([message])) for message in self._messages]
        self._said = _GAP.join(self._letters)
        times = Counter(self._letters)
        self._sure = [len(each) >= SHORT and times[each] == 1 for each in self._letters]
        self._stub: Stub = Extractive()
        if talk.summaries:
            self._stub = Recorded(talk.recording, talk.summaries)

    def answer(self, body: Mapping[str, Any]) -> str:
        """Return the answer to the body of a chat request that asks for a summary."""
        most = body.get("max_completion_tokens") or body.get("max_tokens")
        if most is not None:
            thinks = (body.get("thinking") or {}).get("type") != "disabled"
            most = int(most) - 1 - (count(REASONING) if thinks else 0)
        return self.write(shown(body["messages"]), most=most)

    def write(self, prompt: str, *, most: int | None = None) -> str:
        """Return a summary of what stands in a prompt.

        Args:
            prompt: The whole of it.
            most: Tokens that the answer may have, or None.
        """
        self.calls += 1
        wanted = (self._cap, most, asked_for(prompt, said=self._said))
        cap = max(1, min(each for each in wanted if each is not None))
        earlier, left = self._earlier(letters(prompt))
        request = SummaryRequest(
            form="rendered",
            model="",
            slice=tuple(self.standing(left)),
            previous=tuple(map(_segment, earlier)),
            cap=cap,
            source_tokens=cap,
        )
        self.texts.append(self._stub.summarize(request).text or NOTHING)
        return self.texts[-1]

    def standing(self, prompt: str) -> list[WireMessage]:
        """Return the messages of the conversation that stand in a prompt, given its letters."""
        whole = [bool(each) and each in prompt for each in self._letters]
        there = [w and sure for w, sure in zip(whole, self._sure, strict=True)]
        for order in (range(len(there)), reversed(range(len(there)))):
            for place in order:
                beside = there[max(0, place - 1)] or there[min(len(there) - 1, place + 1)]
                there[place] = there[place] or (whole[place] and beside)
        found: list[WireMessage] = []
        for place in range(self._head, len(there)):
            if there[place]:
                found.append(self._messages[place])
            elif not whole[place] and (text := self._part(place, prompt)):
                found.append({**self._messages[place], "content": text})
        return found

    def _part(self, place: int, prompt: str) -> str:
        """Return what stands in a prompt of a message that was cut."""
        key = self._letters[place]
        if len(key) <= CUT or (key[:CUT] not in prompt and key[-CUT:] not in prompt):
            return ""
        text = shown([self._messages[place]])
        first = int(len(text) * _longest(key, prompt) / len(key))
        last = int(len(text) * _longest(key, prompt, end=True) / len(key))
        return " … ".join(part for part in (text[:first], text[len(text) - last :]) if part)

    def _earlier(self, prompt: str) -> tuple[list[str], str]:
        """Return its own texts that stand in a prompt, in their order there, and what is left."""
        found: list[tuple[int, str]] = []
        for text in sorted(dict.fromkeys(self.texts), key=len, reverse=True):
            key = letters(text)
            if len(key) < SHORT:
                continue
            size = len(key) if key in prompt else _longest(key, prompt)
            if size < min(CUT, len(key)):
                continue
            place = prompt.index(key[:size])
            found.append((place, text[: len(text) * size // len(key)]))
            prompt = prompt.replace(key[:size], _GAP * size)
        return [text for _, text in sorted(found)], prompt


def _longest(key: str, prompt: str, *, end: bool = False) -> int:
    """Return how much of the beginning of a text stands in a prompt, or of its end; 0 of little."""
    low, high = 0, len(key)
    while low < high:
        size = (low + high + 1) // 2
        part = key[len(key) - size :] if end else key[:size]
        low, high = (size, high) if part in prompt else (low, size - 1)
    return low if low >= CUT else 0


def _segment(text: str) -> Segment:
    return Segment(text=text, first=1, last=1, tokens=count(text), author="scribe", depth=1)
