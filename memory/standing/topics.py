"""What an instruction is about, and whether two are about the same.

Content words in English, pairs of characters in Chinese; words that ask, time or negate say nothing
of the matter and are left out.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple

__all__ = ("Topic", "everything", "topic")

_HALF: Final = 0.5  # of what a retraction speaks of, to be found in the instruction
_MOST: Final = 0.6  # of an instruction, found in a retraction that gives reasons as well
_SIMPLE: Final = 5  # words; an instruction with more says something else besides
_CJK: Final = "\u3400-\u9fff"
_WORD: Final = re.compile(rf"[^\W_{_CJK}]+(?:'[^\W_{_CJK}]+)*|[{_CJK}]+")
_ENDING: Final = re.compile(r"(?<=\w{3})(?:'s|ing|ed|es|s|e)$")
_NOTHING: Final = frozenset(
    """a about above above-mentioned actual actually add after again all also always am an and
    another answer answers any anymore anything applies apply are as ask asked at back ban bans be
    because been before begin but by call can cancel cancelled care change changed could did
    disregard do does doesn't doing don't done drop each earlier else end ever every everything
    explicitly far fine follow for forget from future give go going good had has have having
    henceforth how however i i'd i'll i'm i've if ignore in include instead instruct instruction
    instructions into is it it's its just keep kind let's lift lifted longer lot make matter
    matters may me mention mentioned mind mine more moving must my necessary need needed needs
    never nevermind no not nothing now of off ok okay old on once one only or other our out over
    please preference preferences previous previously prior provide put quit really relevant
    remember replies reply request requests required respond response responses restriction
    restrictions rule rules said same say scrap scratch should so some speak standing start
    started starting still stop stopped such sure switch take tell than thank thanks that that's
    the them then there there's these they thing things this those time to told too undo unless
    until up us use used using want wanted was way we well were what whatever when whenever which
    while will wish with withdraw without would write wrote yes yet you
    you'd you'll you're your""".split()  # noqa: SIM905  # a list is a page
)
_SAYS_NOTHING: Final = re.compile(
    "从现在(?:起|开始)?|从今(?:以后|往后|天起|天开始|后)?|任何时候|接下来|的时候|情况下|不需要"
    "|没必要|当我没说|不作数|不用管|以后|今后|往后|日后|之前|以前|前面|刚才|刚刚|先前|上面|早前"
    "|原来|此前|上次|现在|永远|总是|始终|一直|一律|务必|必须|一定|千万|绝对|每次|每当|只要|凡是"
    "|不要|不用|不必|无需|不许|不准|不得|不能|不可|禁止|切勿|请勿|可以|重新|继续|恢复|取消|撤销"
    "|撤回|收回|作废|作罢|解除|忘掉|忘记|忘了|忽略|无视|废除|不算|失效|要求|规则|指令|规定|约定"
    "|说法|说的|限制|那个|那条|这条|这个|关于|所有|全部|一切|统统|通通|记住|记得|回答|回复|使用"
    "|希望|麻烦|事情|不再|我们|你们|的话|时候|请|你|您|我|他|她|的|了|再|都|别|要|吧|啊|呢|也|还|就"
    "|得|把|给|对|用|说|叫|和|跟|在|是|有|去|来|那|这|会|里|中|时|先|不|每|让|所|为|啦|呀|哦|嗯|好"
)
_BANS: Final = re.compile(
    r"\b(?:never|not|no|don't|can't|cannot|mustn't|shouldn't|stop|quit|avoid|refrain|without"
    r"|leave out)\b|不要|别|不许|不准|不得|不能|不可|禁止|严禁|切勿|切忌|请勿|勿|不用|停止"
)
_EVERYTHING: Final = re.compile(
    r"\b(?:all|everything|every|any)\b|所有|全部|一切|都|统统|通通", re.IGNORECASE
)
_SCOPED: Final = re.compile(
    r"\b(?:when|whenever|if|unless|every time|each time|for (?!me\b|the rest|now on|all)|about"
    r"|to (?!me\b))"
    r"|的时候|时[，,候]|如果|要是|每当|只要|除非|给(?!我)"
)
_TONGUE: Final = (
    r"(?:english|french|german|spanish|italian|portuguese|dutch|chinese|mandarin|cantonese|japanese"
    r"|korean|russian|ukrainian|polish|turkish|arabic|hebrew|hindi|thai|vietnamese|swedish|greek)"
)
_SLOTS: Final = (
    (
        "language",
        (
            rf"\b(?:answer|reply|respond|speak|talk|write|communicate)(?: to me| me| back"
            rf"| with me)?"
            rf"(?: only| always)? in (?:\w+ )?{_TONGUE}\b"
            r"|用\w{1,4}[文语话](?:来|跟我|和我|与我)*(?:回答|回复|答复|交流|沟通|对话|聊|作答|说)"
        ),
    ),
    ("address", r"\b(?:call|address|refer to) me\b|(?:叫|称呼|喊)我"),
    (
        "length",
        (
            r"\b(?:answer|repl|respon|message|explanation)\w*\b.*\b(?:short|shorter|brief|briefly"
            r"|concise"
            r"|concisely|terse|detailed|detail|long|longer|thorough|sentences?|words)\b"
            r"|\b(?:short|brief|concise|detailed|long|thorough) (?:answer|repl|respon|explanation)"
            r"|(?:回答|回复|答案|答复).*(?:简短|简洁|精简|简单|详细|具体|长|短|[字句])"
        ),
    ),
)


class Topic(NamedTuple):
    """What an instruction or a retraction is about."""

    words: frozenset[str]
    bans: bool
    """Whether it forbids something."""
    slots: frozenset[str] = frozenset()
    """What can only be in one way at a time, and is settled here in general."""

    def likeness(self, other: Topic) -> float:
        """Return how much a retraction about this is about `other`: 0 (not at all) to 1."""
        shared = len(self.words & other.words)
        if not shared:
            return 0.0
        spoken = shared / len(self.words) >= _HALF
        meant = shared > 1 and shared / len(other.words) >= _MOST
        return 2 * shared / (len(self.words) + len(other.words)) if spoken or meant else 0.0

    def replaces(self, older: Topic) -> bool:
        """Tell whether an instruction about this plainly contradicts an `older` one.

        The same in the contrary, or another language to answer in, form of address or length
        where the older one settled nothing but that.
        """
        if self.words and self.words == older.words:
            return self.bans != older.bans
        simple = len(older.words) <= _SIMPLE and not older.bans and not self.bans
        return simple and bool(older.slots) and older.slots <= self.slots


def topic(text: str) -> Topic:
    """Return what a sentence is about."""
    text = text.casefold().replace("’", "'")
    slots = frozenset(name for name, rule in _SLOTS if re.search(rule, text))
    bans = bool(_BANS.search(text))
    return Topic(_words(text), bans, frozenset() if _SCOPED.search(text) else slots)


def everything(text: str) -> bool:
    """Tell whether a retraction that names no matter means all that was asked before."""
    return bool(_EVERYTHING.search(text))


def _words(text: str) -> frozenset[str]:
    found: set[str] = set()
    for run in _WORD.findall(_SAYS_NOTHING.sub(" ", text)):
        if re.match(rf"[{_CJK}]", run):
            found.update(map("".join, pairwise(run)) if len(run) > 1 else run)
        elif run not in _NOTHING:
            found.add(_stem(run))
    return frozenset(found)


def _stem(word: str) -> str:
    """Return a word without its ending, so that `replying`, `replies` and `reply` are one."""
    word = re.sub(r"ies$", "y", word)
    return re.sub(r"is$", "iz", _ENDING.sub("", word))
