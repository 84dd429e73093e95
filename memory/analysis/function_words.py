"""Words that say nothing about what is asked: questions have them, and everything that is said."""

from __future__ import annotations

__all__ = ("CHINESE", "ENGLISH")

_ENGLISH = (
    "a about all also am an and any are as at be because been being but by can could d did do does"
    " doing done for from get got had has have having he her here hers him his how i if in into is"
    " it its just ll m many me might mine more most much must my no not of on or our ours out own"
    " re s shall she should so some such t than that the their theirs them then there these they"
    " this those to too up us ve very was we were what when where which while who whom whose why"
    " will with would you your yours"
)
_CHINESE = (
    "什么 什麼 哪里 哪儿 哪个 哪些"
    " 怎么 怎麼 怎样 多少 为何 如何 是否 请问 可以 能否 一下 告诉 知道 记得 来着"
    " 一个 没有 有没 还有 以及"
    " 的 了 吗 呢 吧 啊 呀 嘛 么 是 我 你 您 他 她 它 们 或 也 又 很 被 哪 谁 这 那"
    " 嗎 麼 您 們 誰 這"
)

ENGLISH = frozenset(_ENGLISH.split())
"""English ones, folded, as the analyser parts them: "don't" is `don` and `t`; May is a month."""
CHINESE = tuple(_CHINESE.split())
"""Chinese ones, the longer ones first; no character that is often part of a word with content."""
