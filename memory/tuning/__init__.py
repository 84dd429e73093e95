"""Finding the settings that suit somebody's own conversations: replay them over a grid, and choose.

The command `kimi-memory tune` is made of this; `study` describes what comes of it.
"""

from __future__ import annotations

from memory.tuning.study import Prefer, Study, Trial

__all__ = ("Prefer", "Study", "Trial")
