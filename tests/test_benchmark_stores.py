"""The benchmark of stores says what it measured, and is able to fail."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from services import postgres_url, redis_url

from benchmarks import stores
from benchmarks._stores_places import SqlitePlace
from benchmarks._stores_rows import Group, key_of, source, steps, turns
from memory.stores.sqlite import SqliteStore

FIGURES = {"name", "value", "op", "bound", "holds"}
GROUPS: list[Group] = [
    ({"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "北京 “there”"}),
    ({"role": "tool", "content": "{}", "tool_call_id": "a"}, {"role": "assistant", "content": "."}),
]
PRAGMAS = (
    *("journal_mode", "synchronous", "secure_delete", "temp_store", "page_size", "cache_size"),
    *("wal_autocheckpoint", "mmap_size", "locking_mode", "foreign_keys"),
)
COLUMNS = "conversation_id, seq, kind, messages, total, body"
WRITTEN = f"SELECT {COLUMNS} FROM memory_records ORDER BY conversation_id, seq"  # noqa: S608


def appended(**changes: Any) -> dict[str, Any]:
    """Return a row of figures that pass every check, with changes."""
    good = {"store": "sqlite", "processes": 1, "ratio": 1.5, "ratio with indexing": 1.9}
    return {**good, **changes}


def failing(*rows: dict[str, Any], kinds: tuple[str, ...] = ("sqlite",)) -> list[str]:
    """Return the names of the checks that do not hold."""
    return [check.name for check in stores.checks(rows, kinds) if not check.holds]


def run(capsys: pytest.CaptureFixture[str], *kinds: str) -> dict[str, Any]:
    """Return what the benchmark prints at the end for some kinds of store."""
    stores.main(["--quick", "--json", "--data", "nowhere", "--stores", *kinds])
    read: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return read


def rows_in(path: Path) -> list[Any]:
    """Return what stands in a file, but for when and by which append it came."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(WRITTEN).fetchall()


def test_embedded_stores_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with one JSON object: rows for one process and for several, loads, and checks."""
    read = run(capsys, "volatile", "sqlite", "sealed")
    appends = read["rows"]["appends"]

    assert [FIGURES] * 2 == [set(check) for check in read["checks"]]
    assert [("sqlite", 1), ("sqlite", 10), ("sealed", 1), ("sealed", 10)] == [
        (row["store"], row["conversations"]) for row in appends if row["processes"] == 2
    ]
    assert ["volatile", "sqlite", "sealed"] == [row["store"] for row in read["rows"]["loads"]]
    assert all(row["appends/s"] > 0 and row["p99 ms"] > 0 for row in appends)
    assert "turns of synthetic" == read["settings"]["rows"]


def test_servers_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """PostgreSQL has both ratios for one process; Redis has no search, and so one."""
    postgres_url()
    redis_url()
    read = run(capsys, "postgres", "redis")
    alone = [row for row in read["rows"]["appends"] if row["processes"] == 1]

    assert [] == read["rows"]["left out"]
    assert [True, True, False, False] == [row["ratio with indexing"] is not None for row in alone]
    assert all(row["ratio"] > 0 for row in alone)
    assert all(row["messages"] >= 100 for row in read["rows"]["loads"])


def test_absent_servers_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store whose server does not answer is left out, with the variable that names another."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("KIMI_MEMORY_TEST_REDIS", "redis://127.0.0.1:1/0")
    read = run(capsys, "volatile", "redis")
    (absent,) = read["rows"]["left out"]

    assert {"volatile"} == {row["store"] for row in read["rows"]["appends"]}
    assert "redis" == absent["store"]
    assert "KIMI_MEMORY_TEST_REDIS" in absent["reason"]


def test_absent_servers_fail_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where servers are promised, one that does not answer is a failure."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("KIMI_MEMORY_TEST_REDIS", "redis://127.0.0.1:1/0")

    with pytest.raises(SystemExit, match="2"):
        stores.main(["--quick", "--json", "--stores", "redis"])


def test_good_figures_pass() -> None:
    """The bounds are met by figures as they should be."""
    assert [] == failing(appended(), appended())


@pytest.mark.parametrize(
    "change",
    [{"ratio": 1.61}, {"ratio with indexing": 2.1}, {"ratio": None}],
    ids=["appends", "indexing", "missing"],
)
def test_a_slow_store_is_reported(change: dict[str, Any]) -> None:
    """The higher figure counts: one conversation or many, and one that is missing fails."""
    assert 1 == len(failing(appended(), appended(**change)))


def test_several_processes_have_no_bound() -> None:
    """What processes wait for each other says nothing of what an append costs."""
    assert [] == failing(appended(), appended(processes=4, ratio=9.0))


def test_what_was_not_measured_does_not_hold() -> None:
    """Without rows there is nothing to compare."""
    assert 4 == len(failing(kinds=("sqlite", "postgres")))


@pytest.mark.parametrize("conversations", [1, 3])
def test_the_floor_writes_the_rows_of_the_store(tmp_path: Path, conversations: int) -> None:
    """Bare inserts and the store leave the same rows in the same tables."""
    place = SqlitePlace(tmp_path)
    with place.store() as store, place.floor() as write:
        for step in steps(GROUPS, 7, conversations=conversations):
            write(step)
            expected = step.values[0] - 1
            store.append(key_of(step.conversation), (step.record,), expected=expected)
    found = rows_in(tmp_path / "store.db")

    assert 7 == len(found)
    assert found == rows_in(tmp_path / "floor.db")


@pytest.mark.parametrize("pragma", PRAGMAS)
def test_the_floor_has_the_settings_of_the_store(tmp_path: Path, pragma: str) -> None:
    """Both write under the same pragmas."""
    place = SqlitePlace(tmp_path)
    with SqliteStore(tmp_path / "store.db") as store, closing(place.connection()) as floor:
        store.health()
        writer = store._file._open()  # noqa: SLF001  # nobody else can ask it
        settings = [each.execute(f"PRAGMA {pragma}").fetchone() for each in (writer, floor)]

    assert settings[0] == settings[1]


def test_processes_share_the_appends() -> None:
    """To one conversation they append by turns, to many each to its own; none twice."""
    for conversations in (1, 4):
        shares = [
            steps(GROUPS, 6, conversations=conversations, share=(place, 2)) for place in (0, 1)
        ]
        written = {(step.conversation, step.values[0]) for share in shares for step in share}

        assert 12 == len(written)
        assert conversations == len({conversation for conversation, _ in written})


def test_turns_follow_each_other() -> None:
    """Each begins where the one before ended, and the groups are gone around."""
    made_of = turns(GROUPS, 5, first=1)

    assert [0, 2, 4, 6, 8] == [turn.start for turn in made_of]
    assert [GROUPS[n] for n in (1, 0, 1, 0, 1)] == [turn.messages for turn in made_of]


def test_real_conversations_lose_their_heads_and_marks(tmp_path: Path) -> None:
    """A group ends with a reply; system messages and keys of the corpus are left out."""
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi", "_id": "1"},
        {"role": "assistant", "content": "Hello", "_id": "2"},
        {"role": "user", "content": "and no reply"},
    ]
    for name in ("locomo", "tau_airline"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"messages": messages}) + "\n")
    found = source(tmp_path)

    assert "locomo and tau_airline" == found.name
    assert [
        ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"})
    ] * 2 == found.groups
