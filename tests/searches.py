"""Texts and queries for tests of the search."""

from __future__ import annotations

from hypothesis import strategies as st

from memory.records import Match
from memory.testing.strategies import texts

__all__ = ("MATCHES", "typed")

MATCHES: tuple[Match, ...] = ("all", "any")
SNIPPETS = (
    *(
        "靠窗",
        "座位",
        "窗",
        "靠",
        "减少Token",
        "Token",
        "tok",
        "tok*",
        "东京タワー",
        "한국어",
        "café",
    ),
    *("हिन्दी", "مرحبا", "ภาษาไทย", "2024年", "snake_case", "it's", "ﬁne", "ＡＢＣ", "Straße", "İ"),
    *(" ", " ", " ", "*", '"', "'", "\\", "(", ")", ":", "^", "&", "|", "!", "<->", "-", "%", "?"),
    *("AND", "OR", "NOT", "NEAR(", "\0", "\ud800", "\u0301", "\u200d", "👩‍👩‍👧", "e\u0301", "\n"),
)


def typed() -> st.SearchStrategy[str]:
    """Return texts that have something in common with each other, and others."""
    near = st.lists(st.sampled_from(SNIPPETS), max_size=8).map("".join)
    anything = st.text(st.characters(exclude_categories=()), max_size=20)
    return st.one_of(near, near, near, anything, texts(largest=3))
