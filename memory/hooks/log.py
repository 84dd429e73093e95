"""Events as log lines: by structlog where it is configured, else by `logging`."""

from __future__ import annotations

import logging
import sys
from dataclasses import asdict

from memory import events

__all__ = ("LogHook",)

_LEVELS: dict[type[events.Event], str] = {
    events.Compacted: "info",
    events.Summarizing: "info",
    events.FellBack: "warning",
    events.SummarizerPaused: "warning",
    events.ResultsCleared: "info",
    events.Overflowed: "warning",
    events.StandingCapped: "warning",
    events.PrefixDiverged: "warning",
    events.InvariantBroken: "error",
    events.Evicted: "warning",
    events.WindowLearned: "warning",
    events.Skipped: "warning",
    events.Unaligned: "warning",
    events.Failed: "error",
    events.MemorySearched: "debug",
    events.Recalled: "debug",
}


class LogHook:
    """Writes one line for each event to the logger `"memory"`; contents of messages never.

    Structlog is used when the application has configured it: unconfigured it prints to standard
    output, which belongs to the application. Compactions are `info`, what a user should look
    into `warning`, everything else `debug`. An estimated instead of an exact count of tokens is
    one warning a manager.
    """

    def __call__(self, event: events.Event) -> None:
        """Log `event`."""
        level, name = _level(event), type(event).__name__
        structlog = sys.modules.get("structlog")  # one that nobody imported is not configured
        if structlog is not None and structlog.is_configured():
            getattr(structlog.get_logger("memory"), level)(name, **asdict(event))
            return
        logger, number = logging.getLogger("memory"), getattr(logging, level.upper())
        if logger.isEnabledFor(number):
            fields = " ".join(f"{key}={value!r}" for key, value in asdict(event).items())
            logger.log(number, "%s %s", name, fields)


def _level(event: events.Event) -> str:
    if isinstance(event, events.CounterChosen):
        return "debug" if event.exact else "warning"
    return _LEVELS.get(type(event), "debug")
