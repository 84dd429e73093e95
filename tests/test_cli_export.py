"""`kimi-memory export` and `import`: out of a store, and into another one."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from cli_runs import HEAD, SAID, TRIP, compacted, fill, lines, result_of, run, sqlite
from fake_kimi_requests import user

from memory import MemoryManager


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return the URL of a store with two conversations of a user and one of nobody."""
    return fill(sqlite(tmp_path / "memory.db"), TRIP, "user-42/work", "notes")


@pytest.fixture
def other(tmp_path: Path) -> str:
    """Return the URL of a store that is not there yet."""
    return sqlite(tmp_path / "other" / "memory.db")


def listed(store: str) -> list[tuple[str, str, int]]:
    """Return user, name and number of messages of each conversation in a store."""
    with MemoryManager(store=store, hooks=()) as manager:
        return [(each.user, each.name, each.messages) for each in manager.conversations()]


class TestExport:
    """Writing conversations."""

    def test_one_is_what_the_library_exports(self, store: str) -> None:
        """On standard output, one JSON object and nothing else."""
        result = run("export", TRIP, "--store", store)
        with MemoryManager(store=store, hooks=()) as manager:
            expected = manager.conversation(TRIP).export()

        assert expected == json.loads(result.stdout_bytes)
        assert "我要靠窗的座位" in result.stdout_bytes.decode()

    def test_its_messages_alone_are_a_list(self, store: str) -> None:
        """As `/chat/completions` takes them, head included."""
        result = run("export", TRIP, "--format", "openai", "--store", store)

        assert [HEAD, *SAID] == json.loads(result.stdout)

    def test_all_are_lines(self, store: str) -> None:
        """One for each conversation, by user and name; or those of one user."""
        shown = [
            run("export", "--all", *more, "--store", store).stdout.splitlines()
            for more in ([], ["--user", "user-42"])
        ]
        names = [[json.loads(line)["conversation"] for line in each] for each in shown]

        assert [["notes", "trip", "work"], ["trip", "work"]] == names

    def test_all_as_messages_are_lines_of_objects(self, store: str) -> None:
        """Which other tools read, and `plan` and `demo` as well."""
        shown = run("export", "--all", "--format", "openai", "--store", store).stdout

        assert [{"messages": [HEAD, *SAID]}] * 3 == [json.loads(each) for each in lines(shown)]

    def test_a_file_is_for_its_owner_only(self, store: str, tmp_path: Path) -> None:
        """And what is told does not hold texts."""
        path = tmp_path / "trip.json"
        result = run("export", TRIP, "--output", path, "--store", store, "--json")

        assert {"format": "memory", "conversations": 1, "messages": 4, "failed": []} == {
            key: value for key, value in result_of(result).items() if key != "output"
        }
        assert SAID == json.loads(path.read_bytes())["messages"]
        assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_file_is_not_overwritten(self, store: str, tmp_path: Path) -> None:
        """Unless `--force` says so; nothing is left beside it."""
        path = tmp_path / "trip.json"
        path.write_text("mine", encoding="utf-8")
        refused = run("export", TRIP, "--output", path, "--store", store)
        before = path.read_text(encoding="utf-8")
        forced = run("export", TRIP, "--output", path, "--force", "--store", store)

        assert (2, "mine", 0) == (refused.exit_code, before, forced.exit_code)
        assert "--force" in refused.stderr
        assert SAID == json.loads(path.read_bytes())["messages"]
        assert {"memory.db", "trip.json"} == {each.name for each in tmp_path.iterdir()}

    def test_a_file_that_cannot_be_written_is_one_line(self, store: str, tmp_path: Path) -> None:
        """The directory is not there."""
        result = run("export", TRIP, "--output", tmp_path / "no" / "trip.json", "--store", store)

        assert (2, 1) == (result.exit_code, len(result.stderr.splitlines()))

    def test_there_is_no_file_without_a_conversation(self, store: str, tmp_path: Path) -> None:
        """Neither of one that is missing, nor of a user who has none."""
        path = tmp_path / "trip.json"
        missing = [
            run("export", *what, "--output", path, "--store", store).exit_code
            for what in (["nothing"], ["--all", "--user", "nobody"])
        ]

        assert [1, 1] == missing
        assert {"memory.db"} == {each.name for each in tmp_path.iterdir()}

    def test_one_or_all_have_to_be_asked_for(self, store: str) -> None:
        """Not neither, and not both."""
        codes = [
            run("export", *what, "--store", store).exit_code for what in ([], ["notes", "--all"])
        ]

        assert [2, 2] == codes

    def test_what_cannot_be_read_is_left_out(self, store: str) -> None:
        """The others are written; the exit code is 1, and one line says which it was."""
        with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
            connection.execute("UPDATE memory_records SET body = '{' WHERE conversation_id = 1")
        connection.close()
        result = run("export", "--all", "--store", store, "--json")
        found = result_of(result)

        assert 1 == result.exit_code
        assert ["notes", "work"] == [each["conversation"] for each in found["exported"]]
        assert [("user-42", "trip")] == [(one["user"], one["name"]) for one in found["failed"]]
        assert "left out: user-42/trip" in result.stderr

    def test_any_text_goes_out_and_in(self, store: str, other: str, tmp_path: Path) -> None:
        """Half a surrogate pair too, which no encoding has."""
        fill(store, odd=[user("\ud800 \0 靠窗 \u2028 🪟")])
        path = tmp_path / "odd.json"
        run("export", "odd", "--output", path, "--store", store)
        path.read_bytes().decode("utf-8")
        run("import", path, "--store", other)
        with MemoryManager(store=other, hooks=()) as manager:
            assert [user("\ud800 \0 靠窗 \u2028 🪟")] == manager.conversation("odd").history()


class TestImport:
    """Beginning conversations with what was exported."""

    def test_everything_comes_along(self, other: str, tmp_path: Path) -> None:
        """Compactions as well: what would be sent is the same, byte for byte."""
        store, path = compacted(sqlite(tmp_path / "memory.db")), tmp_path / "trip.json"
        run("export", TRIP, "--output", path, "--store", store)
        assert 0 == run("import", path, "--store", other).exit_code
        exports, views = [], []
        for url in (store, other):
            with MemoryManager(store=url, hooks=()) as manager:
                exports.append(manager.conversation(TRIP).export())
                views.append(json.dumps(manager.conversation(TRIP).messages()))

        assert exports[0] == exports[1]
        assert views[0] == views[1]
        assert 2 == len(exports[1]["compactions"])

    def test_all_that_was_exported_is_imported(self, store: str, other: str) -> None:
        """From standard input as well; people see a row for each."""
        text = run("export", "--all", "--store", store).stdout_bytes
        result = run("import", "-", "--store", other, stdin=text)

        assert 0 == result.exit_code
        assert listed(store) == listed(other)
        assert [["notes", "4"], ["trip", "user-42", "4"], ["work", "user-42", "4"]] == [
            line.split()[:-1] for line in lines(result.stdout)[1:]
        ]

    def test_what_is_there_is_left_as_it_is(self, store: str, other: str) -> None:
        """The others are imported, and the exit code is 1."""
        with MemoryManager(store=other, hooks=()) as manager:
            manager.conversation("user-42/work").add([user("Mine.")])
        text = run("export", "--all", "--store", store).stdout_bytes
        result = run("import", "-", "--store", other, "--json", stdin=text)

        assert 1 == result.exit_code
        assert ["imported", "imported", "refused"] == [
            each["fate"] for each in result_of(result)["conversations"]
        ]
        expected = [("", "notes", 4), ("user-42", "trip", 4), ("user-42", "work", 1)]
        assert expected == listed(other)

    def test_a_dry_run_writes_nothing(self, store: str, other: str, tmp_path: Path) -> None:
        """Not even a file; and it tells what would be refused."""
        text = run("export", "--all", "--store", store).stdout_bytes
        found = [
            result_of(run("import", "-", "--dry-run", "--store", url, "--json", stdin=text))
            for url in (other, store)
        ]
        fates = [[one["fate"] for one in each["conversations"]] for each in found]

        assert [["would be imported"] * 3, ["refused"] * 3] == fates
        assert not (tmp_path / "other").exists()

    def test_the_same_twice_in_a_file_is_refused_once(self, store: str, other: str) -> None:
        """In a dry run, too."""
        line = run("export", "notes", "--store", store).stdout_bytes
        fates = [
            [one["fate"] for one in result_of(each)["conversations"]]
            for each in (
                run("import", "-", "--dry-run", "--store", other, "--json", stdin=line * 2),
                run("import", "-", "--store", other, "--json", stdin=line * 2),
            )
        ]

        assert [["would be imported", "refused"], ["imported", "refused"]] == fates

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ([], ("user-42", "trip")),
            (["--name", "copy"], ("user-42", "copy")),
            (["--name", "user-7/copy"], ("user-7", "copy")),
            (["--user", "a/b"], ("a/b", "trip")),
            (["--user", "a/b", "--name", "x/y"], ("a/b", "x/y")),
        ],
    )
    def test_it_may_get_another_name_and_user(
        self, options: list[str], expected: tuple[str, str], store: str, other: str
    ) -> None:
        """A new name alone keeps the user."""
        text = run("export", TRIP, "--store", store).stdout_bytes
        run("import", "-", *options, "--store", other, stdin=text)

        assert [(*expected, 4)] == listed(other)

    def test_a_list_of_messages_is_enough(self, other: str) -> None:
        """With a name; notes of data sets are left out."""
        text = json.dumps([HEAD, *SAID, {**user("And?"), "_time": 3}])
        result = run("import", "-", "--name", "notes", "--store", other, stdin=text)
        with MemoryManager(store=other, hooks=()) as manager:
            found = manager.conversation("notes").export()

        assert 0 == result.exit_code
        assert ([HEAD], [*SAID, user("And?")]) == (found["head"], found["messages"])

    def test_lines_without_names_are_numbered(self, store: str, other: str) -> None:
        """Those that have an `id` keep that as their name."""
        text = run("export", "--all", "--format", "openai", "--store", store).stdout
        named = json.dumps({"id": "mine", "messages": SAID})
        run("import", "-", "--name", "old/trip", "--store", other, stdin=f"{text}{named}\n")

        expected = [("", "mine", 4), *(("old", f"trip-{number}", 4) for number in (1, 2, 3))]
        assert expected == listed(other)

    @pytest.mark.parametrize(
        ("given", "complaint"),
        [
            ("", "no conversation in it"),
            ("{", "-:1: not JSON"),
            ('{"format": "x", "conversation": "a", "messages": []}', "-: format 'x' is not known"),
            ('[{"role": "user", "content": "Hi"}]', "give a --name"),
            ('{"id": "a", "messages": [{"content": "Hi"}]}', "message 0"),
            ('{"id": "a", "messages": []}\n{"error": "b"}', "-:2: not an object"),
            ('{"id": "a//b", "messages": []}', "a//b"),
            ("[" * 100_000, "-:1: not JSON"),
        ],
        ids=["empty", "broken", "unknown", "nameless", "roleless", "second", "misnamed", "deep"],
    )
    def test_a_mistake_in_the_file_writes_nothing(
        self, given: str, complaint: str, other: str, tmp_path: Path
    ) -> None:
        """One line says where it is, and the exit code is 2."""
        result = run("import", "-", "--store", other, "--json", stdin=given)

        assert 2 == result.exit_code
        assert complaint in result.stderr
        assert 1 == len(result.stderr.splitlines())
        assert not (tmp_path / "other").exists()

    def test_a_file_that_is_no_text_is_one_line(self, other: str, tmp_path: Path) -> None:
        """Such as a database given by mistake."""
        path = tmp_path / "binary"
        path.write_bytes(b"\xff\xfe\x00")
        result = run("import", path, "--store", other)

        assert (2, 1) == (result.exit_code, len(result.stderr.splitlines()))
        assert "not UTF-8" in result.stderr

    def test_a_name_for_many_that_have_one_is_a_mistake(self, store: str, other: str) -> None:
        """It would be ignored."""
        text: Any = run("export", "--all", "--store", store).stdout_bytes
        result = run("import", "-", "--name", "x", "--store", other, stdin=text)

        assert 2 == result.exit_code
        assert "names of their own" in result.stderr
