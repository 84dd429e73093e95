"""Which benchmarks there are, what they read, and what they need to be run with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks._corpora import source

__all__ = ("BENCHMARKS", "Benchmark", "present")


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One entry: `python -m benchmarks.NAME`.

    Attributes:
        name: Its module in `benchmarks`, and the name of its results.
        corpora: What it cannot run without, by file name without the ending; it takes `--data`.
        timed: Whether it measures time, so that nothing else may run beside it.
        arguments: What it is run with, apart from `--json`.
        quick: What makes it a small version.
    """

    name: str
    corpora: Sequence[str] = ()
    timed: bool = False
    arguments: Sequence[str] = ()
    quick: Sequence[str] = ("--quick",)

    @property
    def module(self) -> str:
        """The module that is run."""
        return f"benchmarks.{self.name}"

    def command(self, data: Path, *, quick: bool) -> tuple[str, ...]:
        """Return the arguments after `python`."""
        more = (*self.arguments, *(self.quick if quick else ()))
        return (
            "-m",
            self.module,
            "--json",
            *(("--data", str(data)) if self.corpora else ()),
            *more,
        )

    def missing(self, data: Path) -> list[str]:
        """Return the corpora that cannot be read."""
        return [each for each in self.corpora if not os.access(source(data, each), os.R_OK)]


def _tabled(*entries: Benchmark) -> Mapping[str, Benchmark]:
    return {each.name: each for each in entries}


BENCHMARKS: Final = _tabled(
    Benchmark(name="quality", corpora=("locomo", "locomo_recorded_summaries", "tau_airline")),
    Benchmark(name="cost", corpora=("tau_airline",)),
    Benchmark(name="latency", timed=True),
    Benchmark(name="faults", timed=True, arguments=("--peers",)),
    Benchmark(name="drift", corpora=("locomo", "locomo_recorded_summaries")),
    Benchmark(
        name="tokens",
        corpora=(
            *("tau_airline", "bfcl_multi_turn", "beam_100k"),
            *("zh_haystack", "swe_agent", "locomo", "bfcl_memory"),
        ),
    ),
    Benchmark(
        name="recall",
        corpora=(
            *("locomo", "locomo_recorded_summaries", "beam_100k", "zh_haystack", "tau_airline"),
            *("bfcl_multi_turn", "swe_agent", "bfcl_memory"),
        ),
        timed=True,
    ),
    Benchmark(name="overhead", timed=True),
    Benchmark(name="stores", timed=True),
    Benchmark(name="scale", timed=True),
    Benchmark(name="peers", corpora=("locomo", "beam_100k", "zh_haystack", "tau_airline")),
    Benchmark(name="defaults", corpora=("locomo", "beam_100k", "zh_haystack", "tau_airline")),
    Benchmark(name="injection"),
    Benchmark(name="extractive", corpora=("locomo", "zh_haystack", "beam_100k"), timed=True),
    Benchmark(name="violations", quick=("--conversations", "2")),
)
"""Every benchmark whose results are published, by name, in the order in which they run."""


def present() -> Iterator[Benchmark]:
    """Yield the benchmarks that this checkout has."""
    for each in BENCHMARKS.values():
        spec = find_spec(each.module)
        package = spec is not None and spec.submodule_search_locations is not None
        if spec is not None and (not package or find_spec(f"{each.module}.__main__") is not None):
            yield each
