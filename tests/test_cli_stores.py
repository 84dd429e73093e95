"""`kimi-memory conversations`, `show`, `compactions` and `undo`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_runs import (
    HEAD,
    NAMESPACE,
    SAID,
    TRIP,
    compacted,
    database,
    fill,
    lines,
    result_of,
    run,
    server,
    sqlite,
)
from fake_kimi_requests import user
from typer.testing import CliRunner

from memory import MemoryManager
from memory.cli.app import app
from memory.stores.sealed import SealedStore

STRANGE = ["", "%", "a", "a%2Fb", "a/b", "x\u202e[bold]\x1b[31m", "\0", "\ud800", "ü" * 2_000]
"""Users that could be taken for one another, or that a terminal would obey."""


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return the URL of a store with one conversation."""
    return fill(sqlite(tmp_path / "memory.db"))


@pytest.fixture
def long(tmp_path: Path) -> str:
    """Return the URL of a store with a conversation that was compacted twice."""
    return compacted(sqlite(tmp_path / "memory.db"))


def test_every_command_explains_itself() -> None:
    """All are listed, and each has a help with its exit codes, `--store` and `--json`."""
    listed = run("--help").stdout
    names = ["conversations", "show", "compactions", "undo", "search", "export", "import", "forget"]

    for name in [*names, "db status", "db upgrade"]:
        shown = run(*name.split(), "--help").stdout
        assert name.split()[0] in listed
        assert all(word in shown for word in ("Exit code", "--store", "--json"))


class TestAStore:
    """Which store is meant, and what is wrong with it."""

    def test_the_variable_names_it(self, store: str) -> None:
        """`KIMI_MEMORY_STORE` counts where there is no option."""
        found = result_of(run("conversations", "--json", KIMI_MEMORY_STORE=store))

        assert ["trip"] == [each["name"] for each in found["conversations"]]

    def test_by_default_it_is_the_file_of_the_platform(self, tmp_path: Path) -> None:
        """Where neither names one; and looking there makes nothing."""
        home: dict[str, str | None] = {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
        home |= {"XDG_DATA_HOME": None, "KIMI_MEMORY_STORE": None}
        result = CliRunner().invoke(app, ["conversations"], env=home)

        assert 2 == result.exit_code
        assert str(tmp_path) in result.stderr
        assert [] == list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "command",
        ["conversations", "show a", "compactions a", "undo a", "search a", "export a", "forget a"],
    )
    def test_a_file_that_is_not_there_is_not_made(self, command: str, tmp_path: Path) -> None:
        """One line says so, and the exit code is 2."""
        path = tmp_path / "nowhere" / "memory.db"
        result = run(*command.split(), "--store", sqlite(path), "--json")

        assert 2 == result.exit_code
        assert f"error: there is no {path}: nothing has been stored there yet\n" == result.stderr
        assert "error" in result_of(result)
        assert not path.parent.exists()

    @pytest.mark.parametrize("url", ["volatile", "sqlite:///:memory:", "sealed+volatile"])
    def test_one_that_is_gone_with_the_process_is_refused(self, url: str) -> None:
        """It would be empty always."""
        result = run("conversations", "--store", url)

        assert 2 == result.exit_code
        assert "name one that lasts" in result.stderr

    @pytest.mark.parametrize("url", ["mysql://me:secret@host/x", "redis://me:secret@127.0.0.1:1/0"])
    def test_the_password_of_a_url_is_not_shown(self, url: str) -> None:
        """Neither where it names no store, nor where nobody answers."""
        result = run("conversations", "--store", url, "--json")

        assert 2 == result.exit_code
        assert "secret" not in result.output
        assert 1 == len(result.stderr.splitlines())

    def test_a_file_that_is_no_database_is_one_line(self, tmp_path: Path) -> None:
        """And is left as it is."""
        path = tmp_path / "notes.txt"
        path.write_text("Buy milk. " * 100, encoding="utf-8")
        result = run("conversations", "--store", sqlite(path))

        assert 2 == result.exit_code
        assert 1 == len(result.stderr.splitlines())
        assert "Buy milk. " * 100 == path.read_text(encoding="utf-8")

    def test_a_sealed_one_opens_with_its_key_only(self, tmp_path: Path) -> None:
        """The keys come from their variable; what another one sealed is listed and not shown."""
        url = f"sealed+{sqlite(tmp_path / 'memory.db')}"
        mine, others = SealedStore.new_key(), SealedStore.new_key()
        text = json.dumps(SAID)
        run("import", "-", "--name", TRIP, "--store", url, stdin=text, KIMI_MEMORY_SEAL_KEYS=mine)
        found = [
            run(*command.split(), "--store", url, KIMI_MEMORY_SEAL_KEYS=keys)
            for keys in (mine, others, None)
            for command in ("conversations", f"show {TRIP}")
        ]

        assert [0, 0, 0, 2, 2, 2] == [each.exit_code for each in found]
        assert "靠窗" in found[1].stdout
        assert [1, 1] == [len(each.stderr.splitlines()) for each in found[3:5]]

    @pytest.mark.parametrize("place", [database, server], ids=["postgres", "redis"])
    def test_servers_are_looked_into_as_well(
        self, place: Callable[[], AbstractContextManager[str]]
    ) -> None:
        """What is in PostgreSQL and in Redis is listed and shown alike."""
        with place() as url:
            run("db", "upgrade", "--store", url)
            fill(url, namespace=NAMESPACE)
            where = ("--store", url, "--namespace", NAMESPACE, "--json")
            listed = result_of(run("conversations", *where))
            shown = result_of(run("show", TRIP, *where))

        assert [("user-42", "trip", 4)] == [
            (each["user"], each["name"], each["messages"]) for each in listed["conversations"]
        ]
        assert SAID == [each["message"] for each in shown["messages"]]


class TestConversations:
    """The list of conversations."""

    def test_people_see_names_users_messages_and_times(self, store: str) -> None:
        """One row for each, by user and name."""
        fill(store, "notes", "user-42/work")
        shown = lines(run("conversations", "--store", store).stdout)

        assert ["name", "user", "messages", "updated"] == shown[0].split()
        assert [["notes", "4"], ["trip", "user-42", "4"], ["work", "user-42", "4"]] == [
            line.split()[:-2] for line in shown[1:]
        ]

    def test_times_are_utc_in_json(self, store: str) -> None:
        """The moment of the last append."""
        (found,) = result_of(run("conversations", "--store", store, "--json"))["conversations"]
        age = datetime.now(tz=UTC) - datetime.fromisoformat(found["updated"])

        assert timedelta(minutes=-1) < age < timedelta(minutes=2)
        assert found["updated"].endswith("+00:00")

    def test_an_empty_store_is_no_mistake(self, store: str) -> None:
        """A namespace without conversations is an empty list."""
        result = run("conversations", "--store", store, "--namespace", "other")

        assert (0, ["no conversations"]) == (result.exit_code, lines(result.stdout))

    def test_those_of_one_user_or_of_nobody_can_be_asked_for(self, store: str) -> None:
        """An empty user is nobody in particular."""
        fill(store, "notes", "user-43/trip")
        found = [
            result_of(run("conversations", "--store", store, "--user", each, "--json"))
            for each in ("user-42", "")
        ]

        assert [[("user-42", "trip")], [("", "notes")]] == [
            [(one["user"], one["name"]) for one in each["conversations"]] for each in found
        ]

    def test_pages_go_on_where_the_last_one_ended(self, tmp_path: Path) -> None:
        """Whatever the users are called, each conversation is on one page, in order."""
        url = sqlite(tmp_path / "memory.db")
        with MemoryManager(store=url, hooks=()) as manager:
            for each in STRANGE:
                manager.conversation("trip", user=each or None).add(SAID[:1])
        users: list[str] = []
        after: list[str] = []
        while not users or after:
            page = result_of(run("conversations", "--store", url, "--limit", 1, "--json", *after))
            users += [each["user"] for each in page["conversations"]]
            after = ["--after", page["next"]] if page["next"] is not None else []

        assert sorted(STRANGE) == users

    def test_a_name_alone_goes_on_within_a_user(self, store: str) -> None:
        """With `--user`, what is typed after `--after` may be a name of theirs."""
        fill(store, "user-42/work")
        arguments = ("--store", store, "--user", "user-42", "--after", "trip", "--json")
        found = result_of(run("conversations", *arguments))["conversations"]

        assert ["work"] == [each["name"] for each in found]

    def test_people_are_told_how_to_go_on(self, store: str) -> None:
        """The last line has the option of the next page."""
        fill(store, "user-42/work")
        shown = run("conversations", "--store", store, "--limit", 1).stdout

        assert "… and more: --after user-42/trip" == lines(shown)[-1]

    def test_names_cannot_speak_to_the_terminal(self, tmp_path: Path) -> None:
        """Markup is text, and what cannot be printed is escaped."""
        url = sqlite(tmp_path / "memory.db")
        with MemoryManager(store=url, hooks=()) as manager:
            manager.conversation("[red]x", user="\x1b[31m\u202e[bold]").add(SAID)
        shown = run("conversations", "--store", url).stdout

        assert "[red]x" in shown
        assert "\\x1b[31m\\u202e[bold]" in shown
        assert {"\x1b", "\u202e"}.isdisjoint(shown)


class TestShow:
    """What was said, and what would be sent."""

    def test_all_is_shown_with_places(self, store: str) -> None:
        """The head has none; the others count from 0."""
        shown = lines(run("show", TRIP, "--store", store).stdout)

        assert ["#", "role", "text"] == shown[0].split()
        assert [
            "system     Be brief.",
            "0  user       A window seat to Beijing, please.",
            "1  assistant  Booked 14A.",
        ] == shown[1:4]

    def test_a_page_is_the_latest_before_a_place(self, store: str) -> None:
        """And says how many are before it."""
        arguments = ("show", TRIP, "--store", store, "--limit", 2, "--before", 3)
        found = result_of(run(*arguments, "--json"))

        assert [(1, SAID[1]), (2, SAID[2])] == [
            (each["place"], each["message"]) for each in found["messages"]
        ]
        assert (4, [HEAD]) == (found["total"], found["head"])
        assert "… 1 earlier: --before 1" == lines(run(*arguments).stdout)[0]

    def test_both_forms_of_the_name_are_the_same(self, store: str) -> None:
        """`user/name`, and `--user` with the name."""
        found = [
            result_of(run("show", *name, "--store", store, "--json"))
            for name in ([TRIP], ["trip", "--user", "user-42"])
        ]

        assert found[0] == found[1]
        assert ("user-42", "trip") == (found[0]["user"], found[0]["name"])

    @pytest.mark.parametrize(
        "command", ["show", "compactions", "undo", "export", "show --view", "forget --yes"]
    )
    def test_one_that_is_not_there_is_exit_code_1(self, command: str, store: str) -> None:
        """Also where another user has one of that name."""
        result = run(*command.split(), "trip", "--user", "user-43", "--store", store, "--json")

        assert 1 == result.exit_code
        assert 1 == len(result.stderr.splitlines())
        assert ["error"] == list(result_of(result))

    @pytest.mark.parametrize("name", ["", "a//b", "/a", "a\x07b"])
    def test_what_is_no_name_is_exit_code_2(self, name: str, store: str) -> None:
        """In one line."""
        result = run("show", name, "--store", store)

        assert 2 == result.exit_code
        assert 1 == len(result.stderr.splitlines())

    def test_calls_and_media_are_named(self, tmp_path: Path) -> None:
        """And lines, wide spaces and joined characters stay as they are."""
        call = {"id": "x", "type": "function", "function": {"name": "book", "arguments": "{}"}}
        family = "👨\u200d👩\u200d👧"
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        text = f"一\u3000二 {family}\r\nsecond\tline"
        messages = [
            {"role": "user", "content": [{"type": "text", "text": text}, image]},
            {"role": "assistant", "content": "Wait.", "tool_calls": [call]},
        ]
        url = fill(sqlite(tmp_path / "memory.db"), notes=messages)
        shown = run("show", "notes", "--store", url).stdout

        for expected in (f"一\u3000二 {family}\n", "second    line[image]", "→ book({})"):
            assert expected in "\n".join(line.rstrip() for line in shown.splitlines())

    def test_texts_cannot_speak_to_the_terminal(self, tmp_path: Path) -> None:
        """Neither with markup nor with control characters; in JSON they are exact."""
        text = "[red]stop[/] \x1b[2J\x07 \u202egnp.exe"
        url = fill(sqlite(tmp_path / "memory.db"), notes=[user(text)])
        shown = run("show", "notes", "--store", url).stdout
        found = result_of(run("show", "notes", "--store", url, "--json"))

        assert "[red]stop[/] \\x1b[2J\\x07 \\u202egnp.exe" in shown
        assert text == found["messages"][0]["message"]["content"]

    def test_the_view_is_what_would_be_sent(self, long: str) -> None:
        """Head, notes and tail, each with its tokens, as the library makes it."""
        found = result_of(run("show", TRIP, "--view", "--store", long, "--json"))
        with MemoryManager(store=long, hooks=()) as manager:
            view = manager.conversation(TRIP).messages()
            total = manager.count(view).total

        assert view == [each["message"] for each in found["messages"]]
        assert total == found["tokens"] >= sum(each["tokens"] for each in found["messages"])
        assert f"{total:,} tokens" in run("show", TRIP, "--view", "--store", long).stdout


class TestCompactions:
    """Looking at compactions, and doing without the latest."""

    def test_each_is_a_row(self, long: str) -> None:
        """What it covers, who wrote it, and tokens before and after."""
        shown = lines(run("compactions", TRIP, "--store", long).stdout)
        made = result_of(run("compactions", TRIP, "--store", long, "--json"))["compactions"]

        assert 2 == len(made) == len(shown) - 1
        for number, (row, each) in enumerate(zip(shown[1:], made, strict=True), 1):
            assert [
                str(number),
                f"0–{each['covered'] - 1}",
                "kimi-k2.6",
                "0",
                f"{each['tokens_before']:,}",
                f"{each['tokens_after']:,}",
                str(len(each["segments"])),
            ] == row.split()

    def test_segments_meet_without_a_gap(self, long: str) -> None:
        """Their places are those of `show`."""
        made = result_of(run("compactions", TRIP, "--store", long, "--json"))["compactions"]
        first, second = made[-1]["segments"]

        assert (0, first["last"] + 1) == (first["first"], second["first"])
        assert made[-1]["covered"] == second["last"] + 1

    def test_texts_are_shown_where_they_are_asked_for(self, long: str) -> None:
        """Not else, to people or to programs."""
        asked = [
            run("compactions", TRIP, "--store", long, *more).stdout
            for more in ([], ["--json"], ["--text"], ["--text", "--json"])
        ]

        assert [False, False, True, True] == ["came in on shelf" in text for text in asked]

    def test_undo_takes_the_latest_out_of_use(self, long: str) -> None:
        """And says which; the one before holds again, until there is none."""
        before = result_of(run("compactions", TRIP, "--store", long, "--json"))["compactions"]
        undone = [result_of(run("undo", TRIP, "--store", long, "--json")) for _ in before]
        last = run("undo", TRIP, "--store", long)

        assert list(reversed(before)) == [each["undone"] for each in undone]
        assert [1, 0] == [each["left"] for each in undone]
        assert (1, True) == (last.exit_code, "no compaction in use" in last.stderr)

    def test_people_are_told_what_was_undone(self, long: str) -> None:
        """Places and tokens, no text."""
        latest = result_of(run("compactions", TRIP, "--store", long, "--json"))["compactions"][-1]
        shown = run("undo", TRIP, "--store", long).stdout

        assert f"messages 0–{latest['covered'] - 1}" in shown
        assert "shelf" not in shown
