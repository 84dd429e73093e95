"""The suite finds what is wrong with a store, and nothing else; it reports and tidies up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent
from unittest import SkipTest

import broken_capabilities as capable
import broken_recall as recall
import broken_stores as broken
import pytest
from hypothesis import given

from memory.records import Log, LogKey, Record
from memory.stores import VolatileStore
from memory.stores.codec import decode, encode
from memory.testing import conformance
from memory.testing.conformance import CAPABILITIES, CHECKS, Check, Report, check_store, checks
from memory.testing.conformance.strategies import records

BY_CHANCE = (
    "any_calls_do_what_they_should",
    "any_conversation_comes_back",
    "any_search_finds_what_it_should",
    "forgetting_meets_writers",
    "logs_of_their_own_do_not_disturb",
    "one_of_many_begins_a_log",
    "writers_at_once_lose_nothing",
)
"""Checks whose outcome on a broken store depends on threads, or on which examples there are."""

WRONG: dict[type[VolatileStore], str] = {
    broken.IgnoresVersions: """
        forgotten_log_begins_anew new_log_begins_at_zero other_version_is_a_conflict""",
    broken.ForgetsOnConflict: "other_version_is_a_conflict",
    broken.WritesByHalves: "append_is_all_or_nothing",
    broken.Reorders: """
        append_is_all_or_nothing conversations_are_listed_with_their_state
        forgetting_a_user_spares_others forgotten_log_begins_anew hits_tell_what_was_said
        large_append_comes_back messages_are_those_there_are_now order_is_kept
        replaced_messages_are_not_found shared_hashes_find_all""",
    broken.SortsKeys: """
        alike_keys_have_logs_of_their_own forgetting_a_user_spares_others
        forgetting_spares_what_is_alike forgetting_users_spares_those_alike
        large_append_comes_back odd_messages_come_back order_is_kept other_version_is_a_conflict
        records_of_every_kind_come_back what_one_handle_writes_another_reads""",
    broken.LosesSurrogates: "odd_messages_come_back",
    broken.FindsNewestFirst: """
        alike_users_find_their_own found_oldest_first shared_hashes_find_all
        thousands_of_hashes_at_once""",
    broken.FindsForEverybody: "alike_users_find_their_own found_for_one_user_only",
    broken.BoundsHashes: "thousands_of_hashes_at_once",
    broken.KnowsNothing: """
        alike_users_find_their_own found_for_one_user_only shortest_input_is_known""",
    broken.CountsWrong: "forgetting_a_user_spares_others forgetting_tells_what_was_removed",
    broken.LeavesTheIndex: """
        forgetting_many_hashes forgetting_spares_other_logs forgotten_compactions_are_not_found""",
    broken.FoldsUsers: """
        alike_conversations_are_listed_apart alike_keys_have_logs_of_their_own
        alike_users_find_their_own alike_users_search_their_own forgetting_spares_what_is_alike
        forgetting_users_spares_those_alike""",
    capable.ListsTwice: "pages_are_complete pages_of_one_user_are_theirs",
    capable.ListsAsJavaSorts: """
        alike_conversations_are_listed_apart conversations_are_in_code_point_order""",
    capable.ListsWhatWasSaid: "messages_are_those_there_are_now",
    capable.HalfListing: "capabilities_are_whole",
    capable.SearchesEverybody: "alike_users_search_their_own searches_stay_within_their_scope",
    capable.SearchesAnyTerm: """
        all_terms_or_any chinese_is_found_wherever_it_stands identifiers_are_found_whole
        queries_have_no_operators
        ranking_is_that_of_the_contract thousands_of_matches_are_cut_alike""",
    recall.LooksAside: """
        any_course_is_looked_up forgotten_messages_are_not_looked_up
        lookups_see_one_conversation""",
    recall.LooksBack: """
        any_course_is_looked_up long_conversations_are_indexed
        replaced_messages_are_not_looked_up""",
    recall.LooksLate: """
        any_course_is_looked_up forgotten_messages_are_not_looked_up
        long_conversations_are_indexed lookups_rank_as_the_contract lookups_see_one_conversation
        odd_messages_are_looked_up replaced_messages_are_not_looked_up
        turns_are_looked_up_at_once""",
    recall.LooksAtUnnamed: "lookups_need_a_conversation",
    recall.CountsTwice: "indexers_at_once_share_the_work long_conversations_are_indexed",
    capable.SharesLeases: """
        coroutines_lease lease_is_had_by_one lease_is_renewed_by_its_owner lease_runs_out
        lease_that_ran_out_is_taken_unasked of_many_at_once_one_gets_it""",
    capable.LetsAnybodyRelease: "lease_is_released_by_its_owner_only lease_runs_out",
    capable.NeverRenews: "lease_is_renewed_by_its_owner",
    capable.KeepsLeases: """
        alike_keys_have_leases_of_their_own forgetting_a_user_removes_leases
        forgetting_removes_leases""",
    capable.TellsItsPassword: "health_tells_what_it_is",
    capable.FirstLoopOnly: """
        cancelled_append_is_all_or_nothing coroutines_find_and_forget coroutines_lease
        coroutines_list coroutines_look_up coroutines_meet_conflicts coroutines_search
        coroutines_tell_health loops_come_and_go tasks_at_once_lose_nothing""",
    capable.CancelledByHalves: "cancelled_append_is_all_or_nothing",
}
"""For each store that is wrong in one way, the checks that have to find it."""


class Remembering(VolatileStore):
    """A store in memory that knows which logs and records it ever had."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[LogKey] = set()
        self.appended: list[Record] = []

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records and remember them."""
        self.appended += records
        return super().append(key, records, expected=expected)

    def load(self, key: LogKey) -> Log:
        """Return a log and remember that it was asked for."""
        self.seen.add(key)
        return super().load(key)


class Closing(VolatileStore):
    """A store in memory that counts how often it was closed."""

    closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


def check(
    kind: type[VolatileStore],
    *,
    only: list[str] | None = None,
    exclude: tuple[str, ...] = (),
    seed: int = 0,
) -> Report:
    """Return the report on a store in one object."""
    store = kind()
    return check_store(lambda: store, only=only, exclude=exclude, seed=seed)


def failed(report: Report) -> list[str]:
    """Return the names of the checks that failed, sorted."""
    return sorted(result.name for result in report.failures)


def named(name: str) -> Check:
    """Return a check."""
    return next(each for each in CHECKS if each.name == name)


def test_a_store_that_offers_everything_passes() -> None:
    """Only what outlives the process is absent from a store in memory."""
    report = check(capable.Complete)

    report.raise_for_failures()
    assert report.passed
    assert {"durable"} == {result.capability for result in report.absent}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_found(kind: type[VolatileStore]) -> None:
    """Exactly the checks fail that look at what a store does wrong."""
    assert sorted(WRONG[kind].split()) == failed(check(kind, exclude=BY_CHANCE))


def test_handles_that_look_once_are_found() -> None:
    """A handle that never reads again is caught by those who use two."""
    inner = VolatileStore()
    report = check_store(lambda: broken.StaleHandle(inner), exclude=BY_CHANCE)

    expected = "other_version_is_a_conflict versions_grow what_one_handle_writes_another_reads"
    assert expected.split() == failed(report)


@pytest.mark.parametrize("name", ["one_of_many_begins_a_log"])
def test_races_are_found(name: str) -> None:
    """A version that is looked at before the lock is taken lets several begin one log."""
    assert [name] == failed(check(broken.Racy, only=[name]))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (broken.Reorders, "any_conversation_comes_back"),
        (broken.IgnoresVersions, "any_calls_do_what_they_should"),
        (capable.ListsWhatWasSaid, "any_calls_do_what_they_should"),
        (capable.SearchesAnyTerm, "any_search_finds_what_it_should"),
    ],
)
def test_examples_find_what_is_wrong(kind: type[VolatileStore], name: str) -> None:
    """Checks over many examples fail as well, and show one of them."""
    reports = (check(kind, only=[name], seed=seed) for seed in range(6))
    report = next(each for each in reports if failed(each))

    assert [name] == failed(report)
    assert "for example" in report.failures[0].message


def test_the_same_seed_makes_the_same_examples() -> None:
    """A run can be repeated, and another seed makes another one."""
    written = []
    for seed in (7, 7, 8):
        store = Remembering()
        check_store(lambda: store, only=["any_conversation_comes_back"], seed=seed)  # noqa: B023
        written.append([encode(record) for record in store.appended])

    assert written[0] == written[1] != written[2]


def test_what_is_refused_is_absent() -> None:
    """A store that has a verb and says that it cannot do it neither passes nor fails."""
    report = check(capable.CannotSearch, only=["searching", "alike_users_search_their_own"])

    assert {"absent"} == {result.outcome for result in report.results}
    assert {"this store cannot search"} == {result.message for result in report.results}


def test_what_is_not_offered_is_absent() -> None:
    """A capability that a store lacks is reported as such, never as passed."""
    report = check(VolatileStore, only=["leasing", "checking", "durable", "asynchronous"])

    assert {"absent"} == {result.outcome for result in report.results}
    assert report.passed


def test_nothing_is_left_behind() -> None:
    """Every log that a check wrote is forgotten in the end, where it failed as well."""
    store = Remembering()
    check_store(lambda: store, exclude=BY_CHANCE)

    assert len(store.seen) > 500
    assert [] == [key for key in store.seen if store.load(key).records]


def test_no_log_is_shared_between_checks() -> None:
    """Each check has a namespace that nobody else has."""
    store = Remembering()
    names = ["order_is_kept", "versions_grow"]
    spaces = []
    for name in names:
        store.seen.clear()
        check_store(lambda: store, only=[name])
        spaces.append({key.namespace for key in store.seen})

    assert not spaces[0] & spaces[1]


def test_handles_are_closed() -> None:
    """Each handle that the factory made is closed once."""
    made: list[Closing] = []

    def factory() -> Closing:
        made.append(Closing())
        return made[-1]

    check_store(factory, only=["unknown_log_is_empty"])

    assert [1, 1] == [handle.closed for handle in made]


def test_a_store_in_one_object_stays_open() -> None:
    """It is its owner's to close."""
    store = Closing()
    named("unknown_log_is_empty")(lambda: store)

    assert 0 == store.closed


def test_checks_can_be_called() -> None:
    """A check called with a factory raises what test runners understand."""
    complete, wrong = capable.Complete(), broken.IgnoresVersions()

    named("order_is_kept")(lambda: complete)
    with pytest.raises(SkipTest, match="does not offer durable"):
        named("logs_outlive_handles")(lambda: complete)
    with pytest.raises(AssertionError, match="is not refused with a ConflictError"):
        named("other_version_is_a_conflict")(lambda: wrong)


def test_checks_are_named_and_described() -> None:
    """Names are unique, and each check says in a sentence what it looks at."""
    names = [each.name for each in CHECKS]

    assert len(set(names)) == len(names)
    assert [] == [each.name for each in CHECKS if not re.fullmatch(r"[A-Z].+\.", each.description)]
    assert set(CAPABILITIES) == {each.capability for each in CHECKS}


def test_checks_can_be_chosen() -> None:
    """By name and by capability, with exceptions, in the order in which they run."""
    leasing = tuple(each for each in CHECKS if each.capability == "leasing")

    assert CHECKS == checks()
    assert leasing == checks(only=["leasing"])
    assert leasing[1:] == checks(only=["leasing"], exclude=[leasing[0].name])
    assert (leasing[2],) == checks(only=[leasing[2].name])


@pytest.mark.parametrize("options", [{"only": ["lesing"]}, {"exclude": ["lesing"]}])
def test_names_that_are_none_are_refused(options: dict[str, list[str]]) -> None:
    """A misspelt name does not leave a check out in silence."""
    with pytest.raises(ValueError, match="is called lesing"):
        checks(**options)


def test_a_report_is_a_table() -> None:
    """Columns are aligned, and what was wrong stands below."""
    report = check(broken.KnowsNothing, only=["shortest_input_is_known", "order_is_kept"])
    lines = str(report).splitlines()
    starts = {line.index(word) for line, word in zip(lines[4:6], ("passed", "failed"), strict=True)}

    assert lines[0].startswith("KnowsNothing: 1 passed, 1 failed, 0 absent in ")
    assert {lines[2].index("outcome")} == starts
    assert lines[-1].startswith("    known for user ''")


def test_a_report_has_rows() -> None:
    """They are objects for JSON, one for each result."""
    report = check(broken.KnowsNothing, only=["shortest_input_is_known"])
    (row,) = json.loads(json.dumps(report.rows()))

    assert ("shortest_input_is_known", "store", "failed") == (
        row["name"],
        row["capability"],
        row["outcome"],
    )
    assert named(row["name"]).description == row["description"]


def test_failures_are_raised_together() -> None:
    """The error lists every check that failed, with what was wrong."""
    report = check(capable.ListsTwice, only=["listing"])

    with pytest.raises(AssertionError) as caught:
        report.raise_for_failures()
    assert all(result.name in str(caught.value) for result in report.failures)
    assert 2 == len(report.failures)


def test_errors_of_a_store_are_failures() -> None:
    """Whatever it raises is told with its type and where it came from, and the others run."""
    report = check(broken.BoundsHashes, only=["thousands_of_hashes_at_once", "order_is_kept"])

    (result,) = report.failures
    assert result.message.startswith("StoreError: too many SQL variables (")
    assert "broken_stores.py:" in result.message
    assert 2 == len(report.results)


@given(records())
def test_strategies_make_what_can_be_stored(record: Record) -> None:
    """Every record that is drawn comes back from its text."""
    assert record == decode(*encode(record), where="here")


def test_the_suite_needs_neither_pytest_nor_hypothesis_to_be_imported() -> None:
    """They are loaded when they are used."""
    code = (
        "import sys, memory.testing.conformance; print({'pytest', 'hypothesis'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert "set()" == done.stdout.strip()


def test_the_example_for_pytest_runs(tmp_path: Path) -> None:
    """The file that the documentation shows passes as it is, one test for each check."""
    shown = dedent((conformance.__doc__ or "").partition("::\n")[2].partition("\nWithout")[0])
    store = "from memory.stores.sqlite import SqliteStore as MyStore"
    program = shown.replace("from my_stores import MyStore", store)
    (tmp_path / "test_my_store.py").write_text(program, encoding="utf-8")
    options = (
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "unknown or versions or conflict",
        str(tmp_path),
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=tmp_path,
    )

    assert 0 == done.returncode, done.stdout
    assert re.search(r"^\d+ passed.* deselected", done.stdout, re.MULTILINE)
