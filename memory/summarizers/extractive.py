"""Offline summaries: the sentences of a conversation that say most for their tokens.

The last resort of a compaction when no model answers, and the summary that the fake endpoint
writes. Pure Python, English and Chinese, deterministic: no clock, no randomness, no hash order.

How it chooses: messages are split into sentences; every content word (of Chinese: every pair of
characters) has a weight, higher for what is rare and yet spoken of more than once, for numbers and
for names (in Chinese: for characters that are not common); a sentence is worth the weights of its
words, more if it is a standing wish, a decision, or says something of the user or names somebody.
Sentences are taken greedily by worth per token, and each one taken lowers the worth of the words
that it has covered: weighted coverage under a budget (Khuller, Moss and Naor 1999), kept current
in time linear in the text.
"""

from __future__ import annotations

import heapq
import re
from itertools import chain, pairwise
from math import log
from typing import TYPE_CHECKING, Final

from memory.summarizers._sentences import CJK, Line, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ("extract",)

# Tuned on one half of the conversations of `benchmarks/extractive.py`, which reports the other,
# and on those of `benchmarks/faults.py` with other seeds than it draws.
_SPREAD: Final = 0.15  # exponent of the number of lines a word stands in
_SPREAD_CJK: Final = 0.0  # of a pair of characters: those that recur are grammar
_RARITY: Final = 1.5  # exponent of its inverse document frequency
_NUMBER: Final = 3.0
_HANZI: Final = (0.5, 1.0, 1.2)  # of a pair of characters, by how many of them are uncommon
_NAME: Final = 3.0
_SHARES: Final = (1.0, 0.3, 0.1, 0.0)  # what a word is worth once it was covered 0, 1, 2, … times
_PRICE: Final = 1.2  # exponent of the estimated tokens of a line
_LABEL: Final = 2.0  # estimated tokens of `- user: ` beyond its bytes
_FULL: Final = 7.0  # content words, and a half, from which a line is a statement and no nod
_WORTHLESS: Final = 0.01  # a line without content words is still better than an empty page

_NEAR: Final = 0.1  # share of new pairs of words up to which a line repeats what was taken
_PAIR: Final = 2  # characters of a term in Chinese
_WORD: Final = 64  # characters; a longer word is a blob and says nothing
_MISSES: Final = 32  # lines that do not fit before the best of them is clipped to the room left
_CRUMB: Final = 12.0  # tokens; less room than this is left empty
_ROUNDS: Final = 4
_TRIES: Final = 6

_TERM: Final = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
_UNIT: Final = re.compile(rf"[{CJK}]|[^\s{CJK}]+")
_IS_CJK: Final = re.compile(rf"[{CJK}]")
_STOP: Final = frozenset(
    """a about above after again all also am an and any are as at be because been before being but
    by can could d did do does doing don down during each few for from further get go going good
    got great had has have having he hello her here hers hey hi him his how i if in into is it its
    just know let like ll lot m make me more most much my nor of off oh ok okay on once only or
    other our out over own re really s same she should so some such sure t than thank thanks that
    the their them then there these they thing things this those through to too under until up ve
    very was way we well were what when where which while who whom why will with would wow yeah yes
    you your yours""".split()  # noqa: SIM905  # a list would be a page
)
_STOP_CJK: Final = frozenset("的了是我你他她它们这那在有和就也都吗呢吧啊呀嗯哦好请您能可以么什个一")
# The characters that make up three quarters of running text: names and things have others.
_COMMON: Final = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发"
    "后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但"
    "因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手"
    "应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教"
    "儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目"
    "太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却"
    "界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清"
    "今切院让识候带导争运笔早晚吃喝睡玩爱喜欢快慢热冷红黑雨风花草饭菜茶吧吗呢啊哦嗯谁哪怎每份找买卖钱"
    "岁半午昨星周店站坐"
)
_NEGATIONS: Final = frozenset(
    ("no", "not", "never", "none", "nothing", "nor", "neither", "without", "cannot", "don", "t")
)
_NEGATIONS_CJK: Final = frozenset("不没无未别非")


def extract(
    messages: Sequence[Mapping[str, object]],
    *,
    budget: int,
    count: Callable[[str], float],
    previous: str = "",
) -> str:
    """Return the most telling sentences of `messages`, in their order, one line each.

    Lines read `- user: …`, `- assistant: …`, `- tool NAME: …` and `- assistant called NAME(…)`;
    what was cut is marked `…`. A time marker such as `[1:56 pm on 8 May, 2023]` at the start of a
    message stands on the first line taken from there on. The lines of `previous`, an earlier
    summary, compete with the sentences. Nothing is escaped or fenced.

    `count(result) <= budget` holds for any `count` (in tokens), which is called about once for
    every line of the result. At least one line is returned where there is any text and the budget
    is 8 tokens or more; `""` where there is none. Messages of any shape are taken: what has no
    text is passed over.
    """
    if budget <= 0:
        return ""
    page, cover = _Page(), _Cover(lines(messages, previous))
    for _ in range(_ROUNDS):
        room = budget - (count(page.text()) if page.lines else 0.0)
        if not _fill(page, cover, count, room=room, least=min(_CRUMB, budget / 5)):
            break
    drop = 1
    while page.lines and count(page.text()) > budget:
        page.drop(drop)
        drop *= 2
    return page.text()


class _Page:
    """The lines taken so far."""

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self._scopes: set[int] = set()

    def cost(self, line: Line, count: Callable[[str], float]) -> float:
        return count(line.rendered(dated=line.scope not in self._scopes) + "\n")

    def add(self, index: int, line: Line) -> None:
        self.lines[index] = line
        if line.marker:
            self._scopes.add(line.scope)

    def drop(self, number: int) -> None:
        """Take back the last lines taken: those that say least."""
        for index in list(self.lines)[-number:]:
            del self.lines[index]

    def text(self) -> str:
        written = []
        shown: int | None = None
        for _, line in sorted(self.lines.items()):
            written.append(line.rendered(dated=line.scope != shown))
            shown = line.scope if line.marker else shown
        return "\n".join(written)


def _fill(
    page: _Page, cover: _Cover, count: Callable[[str], float], *, room: float, least: float
) -> bool:
    """Take the best lines that fit into `room`, the best that does not clipped; tell if any."""
    before, missed = len(page.lines), list[int]()
    while room >= least and len(missed) < _MISSES and (best := cover.pop()) is not None:
        line = cover.lines[best]
        cost = page.cost(line, count)
        if cost > room:
            missed.append(best)
            continue
        page.add(best, line)
        cover.take(best)
        room -= cost
    if missed and room >= least and (clipped := _squeezed(page, cover, missed[0], room, count)):
        page.add(missed.pop(0), clipped)
    for index in missed:
        cover.put_back(index)
    return len(page.lines) > before


def _squeezed(
    page: _Page, cover: _Cover, index: int, room: float, count: Callable[[str], float]
) -> Line | None:
    """Return a line clipped until it fits, in the last resort without its date and its label."""
    line = cover.lines[index]
    undated = line._replace(marker="")
    for form in (line, undated, undated._replace(head="- ", tail="")):
        size = len(form.text) * room / max(room, page.cost(form, count))
        for _ in range(_TRIES if size >= 1 else 0):
            clipped = form._replace(text=_clipped(form.text, size, cover.weigh))
            if page.cost(clipped, count) <= room:
                return clipped
            size = max(1.0, size * 0.7)
    return None


def _clipped(text: str, size: float, weigh: Callable[[str], float]) -> str:
    """Return the run of whole words of at most `size` characters that weighs most."""
    if len(text) <= size:
        return text
    units = _units(text, weigh)
    begin, stop, most = 0, int(size), 0.0  # no word is that short: the first letters
    total, left = 0.0, 0
    for right, (_, end, weight) in enumerate(units):
        total += weight
        while left <= right and end - units[left][0] > size:
            total -= units[left][2]
            left += 1
        if total > most and left <= right:
            begin, stop, most = units[left][0], end, total
    before, after = "…" if begin else "", "…" if stop < len(text) else ""
    return f"{before}{text[begin:stop]}{after}"


def _units(text: str, weigh: Callable[[str], float]) -> list[tuple[int, int, float]]:
    """Return what clipping may not divide, with its weight: words, and single characters of CJK."""
    units = []
    for match in _UNIT.finditer(text):
        start, end = match.span()
        weight = sum(weigh(match[0][a:b]) for a, b in _spans(match[0]))
        if end - start == 1:
            weight += weigh(text[start : start + 2])
        units.append((start, end, weight))
    return units


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the terms of a text lie: words, and in Chinese each two neighbours."""
    for match in _TERM.finditer(text):
        start, end = match.span()
        if end - start > _PAIR and _IS_CJK.match(text, start):
            yield from ((i, i + _PAIR) for i in range(start, end - 1))
        else:
            yield start, end


class _Cover:
    """What the lines are worth, given those taken so far."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self._ids: dict[str, int] = {}
        self._capitals: list[int] = []
        self._sequences = [self._read(line.text) for line in lines]
        self._postings: list[list[int]] = [[] for _ in self._ids]
        for index, sequence in enumerate(self._sequences):
            for term in dict.fromkeys(sequence):
                self._postings[term].append(index)
        self._weights = [self._weight(word, term) for word, term in self._ids.items()]
        self._numeric = [_has_digit(word) for word in self._ids]
        self._negates = [_is_negation(word) for word in self._ids]
        self._telling = [self._numeric[term] or self._is_name(term) for term in self._ids.values()]
        self._times = [0] * len(self._ids)
        self._taken: set[tuple[int, int, bool]] = set()
        self._worth = [
            _WORTHLESS + sum(self._weights[term] for term in dict.fromkeys(sequence))
            for sequence in self._sequences
        ]
        self._rates = [
            _rate(line) * self._substance(sequence)
            for line, sequence in zip(lines, self._sequences, strict=True)
        ]
        self._heap = [self._entry(index) for index in range(len(lines))]
        heapq.heapify(self._heap)

    def _read(self, text: str) -> list[int]:
        """Return the terms of a line by number, new ones numbered."""
        sequence: list[int] = []
        for start, end in _spans(text):
            word = text[start:end]
            term = self._ids.setdefault(word.lower(), len(self._ids))
            if term == len(self._capitals):
                self._capitals.append(0)
            if sequence and word[0].isupper():
                self._capitals[term] += 1
            sequence.append(term)
        return sequence

    def _weight(self, word: str, term: int) -> float:
        if (
            len(word) > _WORD
            or word in _STOP
            or (len(word) <= _PAIR and _STOP_CJK.issuperset(word))
        ):
            return 0.0
        among = len(self._postings[term])
        spread = _SPREAD_CJK if _IS_CJK.match(word) else _SPREAD
        weight: float = among**spread * log(1 + len(self.lines) / among) ** _RARITY
        if _IS_CJK.match(word):
            weight *= _HANZI[min(_PAIR, sum(character not in _COMMON for character in word))]
        if _has_digit(word):
            return weight * _NUMBER
        return weight * _NAME if self._is_name(term) else weight

    def _is_name(self, term: int) -> bool:
        return self._capitals[term] * 2 >= len(self._postings[term])

    def _substance(self, sequence: Sequence[int]) -> float:
        """Return the share of a statement that a line is, by its content words less numbers."""
        terms = dict.fromkeys(sequence)
        words = sum(self._weights[term] > 0 and not self._numeric[term] for term in terms)
        return min(1.0, (words + 0.5) / _FULL)

    def weigh(self, word: str) -> float:
        """Return the weight of a word; 0 for one that is in no line."""
        term = self._ids.get(word.lower())
        return 0.0 if term is None else self._weights[term]

    def pop(self) -> int | None:
        """Remove and return the line of most worth for its price, None where none is left."""
        while self._heap:
            _, index, worth = self._heap[0]
            if worth != self._worth[index]:
                heapq.heapreplace(self._heap, self._entry(index))
                continue
            heapq.heappop(self._heap)
            if not self._repeats(index):
                return index
        return None

    def put_back(self, index: int) -> None:
        """Offer a popped line again."""
        heapq.heappush(self._heap, self._entry(index))

    def take(self, index: int) -> None:
        """Lower the worth of every line by what this one says already."""
        sequence = self._sequences[index]
        self._taken |= self._pairs(index)
        for term in dict.fromkeys(sequence):
            times = self._times[term]
            if self._weights[term] and times < len(_SHARES) - 1:
                self._times[term] = times + 1
                loss = self._weights[term] * (_SHARES[times] - _SHARES[times + 1])
                for other in self._postings[term]:
                    self._worth[other] -= loss

    def _repeats(self, index: int) -> bool:
        """Tell whether a line brings no content word and hardly a pair of them not taken yet."""
        if any(self._weights[t] and not self._times[t] for t in self._sequences[index]):
            return False
        pairs = self._pairs(index)
        fresh = pairs - self._taken
        telling = any(self._telling[a] or self._telling[b] for a, b, _ in fresh)
        return bool(pairs) and not telling and len(fresh) <= _NEAR * len(pairs)

    def _pairs(self, index: int) -> set[tuple[int, int, bool]]:
        """Return the neighbours among the content words of a line, and whether it is negated."""
        sequence = self._sequences[index]
        negated = any(self._negates[term] for term in sequence)
        gist = [term for term in sequence if self._weights[term]]
        return {(a, b, negated) for a, b in chain(pairwise(gist), zip(gist, gist, strict=True))}

    def _entry(self, index: int) -> tuple[float, int, float]:
        return -self._worth[index] * self._rates[index], index, self._worth[index]


def _rate(line: Line) -> float:
    # Four bytes a token hold for English and, within a fifth, for Chinese.
    tokens = len((line.head + line.text).encode()) / 4 + _LABEL
    price: float = tokens**_PRICE
    return line.boost / price


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _is_negation(word: str) -> bool:
    return word in _NEGATIONS or not _NEGATIONS_CJK.isdisjoint(word)
