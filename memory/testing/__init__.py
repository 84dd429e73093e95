"""Test doubles to develop and test against without a key, a network or a model.

Names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memory.testing._store_machine import store_machine
    from memory.testing.asgi import asgi_app
    from memory.testing.conformance import check_store
    from memory.testing.fake_kimi import FakeKimi
    from memory.testing.interleavings import Stage, schedules
    from memory.testing.kimi_faults import Fault
    from memory.testing.kimi_models import Model
    from memory.testing.kimi_reply import Reply
    from memory.testing.kimi_summary import SummaryJob
    from memory.testing.kimi_wire import Request, Response, Served
    from memory.testing.machines import memory_machine
    from memory.testing.server import run, serve

__all__ = (
    "FakeKimi",
    "Fault",
    "Model",
    "Reply",
    "Request",
    "Response",
    "Served",
    "Stage",
    "SummaryJob",
    "asgi_app",
    "check_store",
    "memory_machine",
    "run",
    "schedules",
    "serve",
    "store_machine",
)

_HOMES = {
    "FakeKimi": "fake_kimi",
    "Fault": "kimi_faults",
    "Model": "kimi_models",
    "Reply": "kimi_reply",
    "Request": "kimi_wire",
    "Response": "kimi_wire",
    "Served": "kimi_wire",
    "Stage": "interleavings",
    "SummaryJob": "kimi_summary",
    "asgi_app": "asgi",
    "check_store": "conformance",
    "memory_machine": "machines",
    "run": "server",
    "schedules": "interleavings",
    "serve": "server",
    "store_machine": "_store_machine",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
