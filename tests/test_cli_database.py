"""`kimi-memory db`: how the schema of a store stands, and bringing it up to date."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli_runs import TRIP, database, fill, lines, result_of, run, server, sqlite

from memory.stores.sealed import SealedStore
from memory.stores.sql import scripts_of
from memory.stores.sqlite import SqliteStore
from memory.stores.upgrading import statements

SCRIPTS = scripts_of("sqlite")
NAMES = [name for _, name, _ in SCRIPTS]
LATEST = len(SCRIPTS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file that is not there yet."""
    return tmp_path / "data" / "memory.db"


def behind(path: Path) -> str:
    """Make a file with the first version of the schema alone, and return its URL."""
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE memory_schema (version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
            "checksum TEXT NOT NULL, applied_at DOUBLE PRECISION NOT NULL)"
        )
        for statement in statements(SCRIPTS[0][2]):
            connection.execute(statement)
        connection.execute("INSERT INTO memory_schema VALUES (1, ?, '', 0)", (NAMES[0],))
    return sqlite(path)


def newer(path: Path) -> str:
    """Make a file of a later version of this library, and return its URL."""
    with SqliteStore(path) as store:
        store.upgrade()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO memory_schema VALUES (99, '099_later.sql', '', 0)")
    return sqlite(path)


class TestStatus:
    """Looking, without making or changing anything."""

    def test_a_file_that_is_not_there(self, path: Path) -> None:
        """Everything is pending, and it is not made."""
        result = run("db", "status", "--store", sqlite(path), "--json")

        assert 1 == result.exit_code
        assert {
            "kind": "sqlite",
            "location": str(path),
            "exists": False,
            "schema": 0,
            "latest": LATEST,
            "pending": NAMES,
            "state": "behind",
        } == result_of(result)
        assert not path.parent.exists()

    def test_a_file_that_is_behind_stays_so(self, path: Path) -> None:
        """The files it lacks are named; nothing is left beside it."""
        url = behind(path)
        before = path.read_bytes()
        found = [run("db", "status", "--store", url, *more) for more in ([], ["--json"])]

        assert [1, 1] == [each.exit_code for each in found]
        assert (1, NAMES[1:]) == tuple(result_of(found[1])[key] for key in ("schema", "pending"))
        assert all(name in found[0].stdout for name in NAMES[1:])
        assert (before, [path]) == (path.read_bytes(), list(path.parent.iterdir()))

    def test_a_file_that_is_up_to_date(self, path: Path) -> None:
        """Exit code 0, also while somebody has it open."""
        path.parent.mkdir()
        url = fill(sqlite(path))
        alone = run("db", "status", "--store", url)
        with SqliteStore(path) as store:
            store.health()
            beside = run("db", "status", "--store", url, "--json")

        assert [0, 0] == [alone.exit_code, beside.exit_code]
        assert "up to date" in alone.stdout
        assert LATEST == result_of(beside)["schema"]

    def test_a_file_of_a_later_version(self, path: Path) -> None:
        """It cannot be used, and upgrading is no help."""
        path.parent.mkdir()
        url = newer(path)
        found = [run("db", each, "--store", url, "--json") for each in ("status", "upgrade")]

        assert [1, 2] == [each.exit_code for each in found]
        assert ("newer", 99) == tuple(result_of(found[0])[key] for key in ("state", "schema"))
        assert "99" in result_of(found[1])["error"]

    @pytest.mark.parametrize("command", ["status", "upgrade"])
    def test_what_is_no_database_is_one_line(self, command: str, path: Path) -> None:
        """And is left as it is."""
        path.parent.mkdir()
        path.write_text("Buy milk. " * 100, encoding="utf-8")
        result = run("db", command, "--store", sqlite(path))

        assert (2, 1) == (result.exit_code, len(result.stderr.splitlines()))
        assert "Buy milk. " * 100 == path.read_text(encoding="utf-8")

    def test_a_directory_is_one_line(self, tmp_path: Path) -> None:
        """It cannot be opened."""
        result = run("db", "status", "--store", sqlite(tmp_path))

        assert (2, 1) == (result.exit_code, len(result.stderr.splitlines()))

    def test_a_sealed_one_needs_no_key(self, path: Path) -> None:
        """The schema is not sealed."""
        result = run(
            "db", "status", "--store", f"sealed+{behind(path)}", KIMI_MEMORY_SEAL_KEYS=None
        )

        assert (1, "") == (result.exit_code, result.stderr)
        assert "behind" in result.stdout

    def test_the_password_of_a_url_is_not_shown(self) -> None:
        """Only where the server is."""
        with server() as url:
            scheme, _, rest = url.partition("://")
            host = rest.rpartition("@")[2]
            found = run("db", "status", "--store", f"{scheme}://:secret@{host}", "--json")

        assert "secret" not in found.output
        assert host.partition(":")[0] in found.output


class TestUpgrade:
    """Bringing a schema up to date."""

    def test_it_applies_what_is_missing(self, path: Path) -> None:
        """And tells which files; a second time there is nothing to do."""
        url = behind(path)
        shown = run("db", "upgrade", "--store", url)
        again = run("db", "upgrade", "--store", url, "--json")

        assert [f"applied {name}" for name in NAMES[1:]] == lines(shown.stdout)
        assert [0, 0] == [shown.exit_code, again.exit_code]
        assert ([], "up to date") == tuple(result_of(again)[key] for key in ("applied", "state"))

    def test_a_dry_run_changes_nothing(self, path: Path) -> None:
        """It tells what would be applied, also where there is no file yet."""
        missing = run("db", "upgrade", "--dry-run", "--store", sqlite(path), "--json")
        made = path.parent.exists()
        shown = run("db", "upgrade", "--dry-run", "--store", behind(path))

        assert (NAMES, False) == (result_of(missing)["pending"], made)
        assert [f"would apply {name}" for name in NAMES[1:]] == lines(shown.stdout)
        assert 1 == run("db", "status", "--store", sqlite(path)).exit_code

    def test_it_makes_a_file(self, path: Path) -> None:
        """For a deployment that does so before it starts anything."""
        result = run("db", "upgrade", "--store", sqlite(path), "--json")

        assert NAMES == result_of(result)["applied"]
        assert 0 == run("db", "status", "--store", sqlite(path)).exit_code

    def test_postgres_is_upgraded_by_it_alone(self) -> None:
        """Before that nothing else works there, and says what to do."""
        with database() as url:
            before = run("conversations", "--store", url)
            found = [
                run("db", each, "--store", url, "--json")
                for each in ("status", "upgrade", "status")
            ]
            fill(url)
            after = run("show", TRIP, "--store", url)

        assert [2, 0] == [before.exit_code, after.exit_code]
        assert "kimi-memory db upgrade" in before.stderr
        assert [1, 0, 0] == [each.exit_code for each in found]
        states = [result_of(each) for each in found]
        latest = states[0]["latest"]
        assert [0, latest, latest] == [each["schema"] for each in states]
        assert states[0]["pending"] == states[1]["applied"] != []
        assert {"postgres"} == {each["kind"] for each in states}
        assert states[0]["location"] == states[2]["location"]

    def test_redis_has_no_schema(self) -> None:
        """Nothing has to be done, which both commands say."""
        with server() as url:
            found = [run("db", each, "--store", url) for each in ("status", "upgrade")]

        assert [0, 0] == [each.exit_code for each in found]
        assert all("none to upgrade" in each.stdout for each in found)


def test_doctor_knows_the_variables_of_stores() -> None:
    """They are no mistake, and neither a key nor a password is shown."""
    url, key = "postgresql://me:secret@host/x", SealedStore.new_key()
    result = run("doctor", KIMI_MEMORY_STORE=url, KIMI_MEMORY_SEAL_KEYS=key)

    assert "is no setting" not in result.output
    assert "postgresql" in result.stdout
    assert all(hidden not in result.output for hidden in ("secret", key))
