"""Recall: which of the originals that a view leaves out are shown again, and how.

Everything here is pure: texts and sizes in, a choice and a message out. `memory.retrievers` search,
`memory.flow` asks them, and decides when.
"""

from __future__ import annotations

from memory.recall.contract import Found, Passage, Passages, Question, Ranking
from memory.recall.fusion import fuse
from memory.recall.rendering import cited, is_snippet
from memory.recall.settings import Recall, RecallMode

__all__ = (
    "Found",
    "Passage",
    "Passages",
    "Question",
    "Ranking",
    "Recall",
    "RecallMode",
    "cited",
    "fuse",
    "is_snippet",
)
