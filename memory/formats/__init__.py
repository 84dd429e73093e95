"""Conversations in the formats that others publish them in."""

from __future__ import annotations

__all__ = ()
