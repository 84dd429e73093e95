"""Frameworks that hold more than one client, each in a module of its own.

A framework that takes a client needs nothing from here: give it `memory.wrap(client)`.
"""

from __future__ import annotations

__all__ = ()
