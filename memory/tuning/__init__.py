"""Finding the settings that suit somebody's own conversations: replay them over a grid, and choose.

The command `kimi-memory tune` is made of this: `tune` measures, a `Study` is what comes of it.
"""

from __future__ import annotations

from memory.tuning.bench import Job
from memory.tuning.live import SpendError
from memory.tuning.running import tune
from memory.tuning.study import Prefer, Reference, Study, Trial

__all__ = ("Job", "Prefer", "Reference", "SpendError", "Study", "Trial", "tune")
