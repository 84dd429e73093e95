"""Conversations by chance with one fact a turn, and how to tell whether a text still has a fact."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Literal, NamedTuple

from benchmarks import _faults_chinese, _faults_english
from memory.testing.kimi_count import count_text

__all__ = ("LANGUAGES", "NEAR", "Fact", "Language", "Message", "Talk", "Turn", "talk", "text_of")

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
Message = dict[str, Any]

NEAR: Final = 160
"""Characters within which all words of a fact have to stand."""
_ASKED: Final = 0.6
"""Share of a turn that is the user's, in turns of usual size."""
_REPLY: Final = 112
"""Tokens of a reply at most: in large turns it is the user who says much."""
_LED: Final = 0.5
"""Share of the assistant's sentences that begin with a few words of their own."""
_DRAWS: Final = 200
"""How often a sentence that was not used yet is looked for."""
_SLOT: Final = re.compile(r"{([^{}]+)}")
_NUMBERS: Final[Mapping[str, Sequence[str]]] = {
    "small": [str(n) for n in range(2, 20)],
    "price": [str(n) for n in range(115, 990, 5)],
    "rent": [str(n) for n in range(605, 2_400, 15)],
    "code": [str(n) for n in range(1_013, 9_990, 17)],
    "badge": [f"{letter}-{n}" for letter in "HKRT" for n in range(2_011, 9_990, 97)],
    "milligrams": ["25", "40", "75", "125", "150"],
}
_SOURCES: Final[Mapping[Language, Any]] = {"en": _faults_english, "zh": _faults_chinese}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that a user says of themselves.

    Attributes:
        text: The sentence.
        words: What is particular about it; whoever has all of them has the fact.
    """

    text: str
    words: tuple[str, ...]

    def stands_in(self, text: str) -> bool:
        """Return whether all words of the fact stand in a text, near each other."""
        lower = text.casefold()
        places = [_places(word.casefold(), lower) for word in self.words]
        if not all(places):
            return False
        ends = sorted((place, index) for index, found in enumerate(places) for place in found)
        latest: dict[int, int] = {}
        for place, index in ends:
            latest[index] = place
            if len(latest) == len(places) and place - min(latest.values()) <= NEAR:
                return True
        return False


class Turn(NamedTuple):
    """What the user says, with the fact in it if there is one, and what is said to it."""

    user: str
    reply: str
    fact: Fact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A conversation, and everything that is to be kept of it.

    Attributes:
        language: Of everything that is said.
        system: The head.
        turns: In order; each message is unlike all others.
    """

    language: Language
    system: str
    turns: tuple[Turn, ...]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts in the order in which they are told."""
        return tuple(turn.fact for turn in self.turns if turn.fact is not None)

    def messages(self) -> list[Message]:
        """Return all that is said, with the head."""
        said = chain.from_iterable(
            ({"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.reply})
            for turn in self.turns
        )
        return [{"role": "system", "content": self.system}, *said]


def talk(
    language: Language,
    seed: int,
    *,
    turns: int,
    size: int = 280,
    large: Mapping[int, int] | None = None,
    silent: int = 0,
) -> Talk:
    """Return the conversation of a seed.

    Args:
        language: In which it is held.
        seed: Determines everything.
        turns: How many turns have a fact.
        size: Tokens of a turn, question and reply together.
        large: Tokens of the user's message in turns, from 0, that are larger than others.
        silent: How many turns without a fact follow.
    """
    writer = _Writer(language, random.Random(f"{language}/{seed}/{turns}/{size}"))
    facts = writer.facts(turns)
    reply = min(size - int(size * _ASKED), _REPLY)
    sizes = dict.fromkeys(range(turns + silent), size - reply) | dict(large or {})
    made = tuple(
        Turn(writer.question(sizes[i], fact), writer.reply(reply), fact)
        for i, fact in enumerate([*facts, *[None] * silent])
    )
    return Talk(language=language, system=str(_SOURCES[language].SYSTEM), turns=made)


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message."""
    return str(message.get("content") or "")


def _places(word: str, text: str) -> list[int]:
    places, at = [], text.find(word)
    while at >= 0:
        # A name or a number within another one is another word; Chinese has no spaces.
        if not (
            _joined(text[at - 1 : at], word[0]) or _joined(text[at + len(word) :][:1], word[-1])
        ):
            places.append(at)
        at = text.find(word, at + 1)
    return places


def _joined(one: str, other: str) -> bool:
    return (one + other).isascii() and one.isalnum() and other.isalnum()


class _Writer:
    """Writes sentences by chance, none of them twice as long as there are others."""

    def __init__(self, language: Language, chance: random.Random) -> None:
        source = _SOURCES[language]
        self._chance = chance
        self._blank = " " if language == "en" else ""
        self._facts = source.FACTS.splitlines()
        self._filler = source.FILLER.splitlines()
        self._answers = source.ANSWERS.splitlines()
        self._leads = source.LEADS.split("|")
        named = {kind: text.split() for kind, text in source.POOLS.items()}
        words = {kind: [w.replace("-", " ") for w in words] for kind, words in named.items()}
        self._pools: Mapping[str, Sequence[str]] = {**words, **_NUMBERS}
        self._left: dict[str, list[str]] = {}
        self._used = set[str]()

    def facts(self, number: int) -> list[Fact]:
        """Return facts that can be told apart, each of another form while there are forms."""
        facts: list[Fact] = []
        for _ in range(number):
            form = self._next("facts", self._facts)
            fact = self._fact(form)
            while any(fact.stands_in(f.text) or f.stands_in(fact.text) for f in facts):
                fact = self._fact(form)
            facts.append(fact)
        return facts

    def question(self, tokens: int, fact: Fact | None) -> str:
        """Return so many tokens of talk, with a fact anywhere in it."""
        room = tokens - (count_text(fact.text) if fact else 0)
        said = list(self._until(room, self._filler))
        if fact:
            said.insert(self._chance.randint(0, len(said)), fact.text)
        return self._blank.join(said)

    def reply(self, tokens: int) -> str:
        """Return so many tokens of general knowledge."""
        return self._blank.join(self._until(tokens, self._answers, leads=True))

    def _until(self, tokens: int, forms: Sequence[str], *, leads: bool = False) -> Iterator[str]:
        left = float(tokens)
        while left > 0:
            sentence = self._fresh(forms, leads=leads)
            left -= count_text(sentence)
            if left > -tokens / 10 or left == tokens:
                yield sentence

    def _fresh(self, forms: Sequence[str], *, leads: bool) -> str:
        sentence = ""
        for _ in range(_DRAWS):
            sentence = _SLOT.sub(self._any, self._next(f"forms {forms[0]}", forms))
            if leads and self._chance.random() < _LED:
                sentence = self._chance.choice(self._leads) + sentence
            if sentence not in self._used:
                break
        self._used.add(sentence)
        return sentence

    def _any(self, slot: re.Match[str]) -> str:
        forms: list[str] = str(slot[1]).split("|")
        return self._chance.choice(forms)

    def _fact(self, form: str) -> Fact:
        words: list[str] = []

        def fill(slot: re.Match[str]) -> str:
            name = slot[1]
            options = name.split("|") if "|" in name else self._pools[name]
            words.append(self._next(name, options))
            return words[-1]

        text = _SLOT.sub(fill, form)
        return Fact(text=text, words=tuple(words))

    def _next(self, name: str, options: Sequence[str]) -> str:
        """Return an option that was not used lately: all of them come before any comes again."""
        left = self._left.setdefault(name, [])
        if not left:
            left += options
            self._chance.shuffle(left)
        return left.pop()
