"""The figures of mutation testing: samples, scores and their width, and which changes are meant."""

from __future__ import annotations

import random

import pytest

from scripts.mutation import Trial, changed_lines, estimate, sampled, spelled

DIFF = """\
--- memory/tokens.py
+++ memory/tokens.py
@@ -1,3 +1,3 @@
 def x() -> int:
-    return 1
+    return 2
"""


def trials(module: str, caught: int, survived: int) -> list[Trial]:
    """Return trials of a module."""
    states = ["killed"] * caught + ["survived"] * survived
    return [Trial(name=f"{module}{i}", module=module, status=s) for i, s in enumerate(states)]


def test_a_change_is_known_by_its_lines() -> None:
    """Without the names of the files, and wherever it stands."""
    assert ("return 1", "return 2") == changed_lines(DIFF)


@pytest.mark.parametrize(
    ("mutant", "name"),
    [
        ("memory.tokens.x_features__mutmut_3", "memory.tokens.features"),
        ("memory.tokens.x__floor__mutmut_12", "memory.tokens._floor"),
        ("memory.meter.xǁMeterǁ_book__mutmut_1", "memory.meter.Meter._book"),
        ("memory.meter.xǁMeterǁ__init____mutmut_1", "memory.meter.Meter.__init__"),
    ],
)
def test_functions_are_named_as_in_the_source(mutant: str, name: str) -> None:
    """Functions and methods, private ones too."""
    assert name == spelled(mutant)


def test_each_module_has_its_share_of_a_sample() -> None:
    """At least one; the same seed chooses the same."""
    names = {"a": [f"a{n}" for n in range(900)], "b": [f"b{n}" for n in range(90)], "c": ["c0"]}
    chosen = sampled(names, 100, seed=1)

    assert [91, 9, 1] == [sum(name[0] == module for name in chosen) for module in names]
    assert chosen == sampled(names, 100, seed=1) != sampled(names, 100, seed=2)
    assert len(chosen) == len(set(chosen))


def test_what_was_tried_as_a_whole_is_certain() -> None:
    """Its score has no width."""
    found = [*trials("a", 8, 2), *trials("b", 10, 0)]

    score, width = estimate(found, {"a": 10, "b": 10, "c": 5})

    assert pytest.approx(0.9) == score
    assert 0.0 == width


def test_a_module_counts_by_its_size() -> None:
    """And not by how much of it was tried."""
    found = [*trials("a", 5, 5), *trials("b", 10, 0)]
    score, width = estimate(found, {"a": 10, "b": 990})

    assert pytest.approx(0.995) == score
    assert 0.0 == width


def test_the_interval_holds_the_score_nineteen_times_of_twenty() -> None:
    """Of many samples of mutants whose fate is known."""
    fates = {f"a{n}": "killed" if n % 8 else "survived" for n in range(2_000)}
    fates |= {f"b{n}": "killed" if n % 3 else "survived" for n in range(400)}
    names = {module: [name for name in fates if name[0] == module] for module in "ab"}
    sizes = {module: len(each) for module, each in names.items()}
    truth = sum(fate == "killed" for fate in fates.values()) / len(fates)
    held = 0
    for seed in random.Random(1).sample(range(10**6), 400):  # noqa: S311
        chosen = sampled(names, 300, seed)
        score, width = estimate(
            [Trial(name=n, module=n[0], status=fates[n]) for n in chosen], sizes
        )
        held += abs(score - truth) <= width

    assert 0.92 < held / 400 < 0.98
