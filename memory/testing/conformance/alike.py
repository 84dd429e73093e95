"""Keys that are alike in every way in which a store may take one for another."""

from __future__ import annotations

from random import Random

from memory.records import LogKey
from memory.testing.conformance.bench import Bench

__all__ = ("NAMES", "SPACES", "USERS", "alike")

_LONG = "".join(Random(4).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=4_096))
"""4 KB that no compression makes shorter by much: some indexes bound the size of a key."""

NAMES = (
    *("a", "A", " a", "a ", "aa", "b", "c", "0", "None", "a/b", "b/c", "a//b", "a%2Fb", "a%2fb"),
    *("a:b", "a.b", "a_b", "{}", "{a}", "%s", "%", "_", "?", "*", "a*", "[a]", "$1", "#", "+", "="),
    *("'", '"', "'; DROP TABLE memory; --", "\\", "\\\\", "\\u0000", "\\ud800"),
    *("é", "e\u0301", "ß", "ss", "İ", "i", "ı", "ﬁ", "fi", "ａ", "Å", "\u212b", "К", "K"),
    *("שלום", "مرحبا", "你好", "妳好", "こんにちは", "コンニチハ", "ｺﾝﾆﾁﾊ"),
    *("😀", "👍", "👍🏽", "❤", "❤\ufe0f", _LONG, _LONG + "x", _LONG + "y", _LONG.upper()),
)
"""Names of conversations: what people write."""

USERS = (
    *("a", "A", " a", "a ", "aa", "a/b", "a%2Fb", "a//b", "{}", "*", "a*", "%", "\\", "\\u0000"),
    *("'; DROP TABLE memory; --", "é", "e\u0301", "ß", "ss", "ａ", "שלום", "你好", "😀"),
    *(
        "\0",
        "a\0",
        "\0a",
        "a\0b",
        "\x01",
        "a\nb",
        "\u202ea",
        "\u200ba",
        "\ud800",
        "\udc00",
        "a\ud800",
    ),
    *("👩‍👩‍👧", "👩👩👧", _LONG + "x", _LONG + "y", _LONG + "\0"),
)
"""User ids: any text at all. They are fewer, since some stores rewrite a file to forget one."""

SPACES = ("", "/", "//", "/a", "a", "%2Fa", "\0", "\0a", " ", "*", "\\")
"""What follows our namespace in those beside it."""


def alike(bench: Bench) -> list[LogKey]:
    """Return keys that differ in a little of one part, or in where one part ends."""
    keys = [
        *(bench.key("c", user=user) for user in USERS),
        *(bench.key(root="aa", user=user) for user in USERS[::2]),
        *(bench.key(name, user="a") for name in NAMES),
        *(bench.key("c", beside=beside) for beside in SPACES),
        *(bench.key(root="aa", user="b", beside=beside) for beside in SPACES),
        *(bench.key(root=root) for root in ("a", "aa", "aaa", "ab", "ba", "0", "00")),
        *(bench.key("b", user="a", beside=beside) for beside in SPACES if beside),
        *(bench.key(name) for name in ("a", "aa", "a/c", "a/b/c", "/", "//", "a//c")),
    ]
    return list(dict.fromkeys(keys))
