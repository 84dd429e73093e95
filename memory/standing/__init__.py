"""Standing instructions: what users want to hold from now on, quoted until they take it back.

`said` finds what a user says himself, `english` and `chinese` the marker rules, `wishes` both
together, `topics` what a wish is about, `held` what holds when messages leave the view.
"""

from __future__ import annotations

from memory.standing.held import standing
from memory.standing.wishes import instructions, retracts

__all__ = ("instructions", "retracts", "standing")
