"""What is done at once, in every order in which its effects can come: deterministic, no sleeping.

Every operation of this library is a flow, a generator that yields effects. So several of them can
be held in one thread, and one effect of one of them performed at a time. `schedules` runs a
scenario from the start again for each order there is, with your store and your summariser if you
like, and each schedule says what is wrong with its end::

    from memory import MemoryManager
    from memory.testing.interleavings import Stage, schedules

    def two_turns(stage):
        stage.run(stage.add("trip", [{"role": "user", "content": "We go to Lisbon."}]))
        return stage.turn("trip", "When?"), stage.turn("trip", "How long?")

    def stage(impatient):
        return Stage(MemoryManager(store=MyStore(), budget=1_000), impatient=impatient)

    for impatient in (False, True):  # turns wait for each other, or meet in the store
        for schedule in schedules(two_turns, stage=stage, impatient=impatient):
            assert not schedule.violations(), schedule

What nobody else can notice takes no turn of its own: an event, the summariser, the server, the
clock. Leases between processes are left out, as all actors are in one. `SCENARIOS` are those that
this library is tested with.
"""

from __future__ import annotations

from memory.testing._scenes import SCENARIOS, Scenario
from memory.testing._schedules import Actor, Cast, Schedule, schedules
from memory.testing._stage import Act, Notes, Stage, talk, usual, words

__all__ = (
    "SCENARIOS",
    "Act",
    "Actor",
    "Cast",
    "Notes",
    "Scenario",
    "Schedule",
    "Stage",
    "schedules",
    "talk",
    "usual",
    "words",
)
