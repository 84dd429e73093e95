"""`kimi-memory search`, and the piece of a message that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runs import HEAD, NAMESPACE, SAID, TRIP, fill, lines, result_of, run, server, sqlite
from fake_kimi_requests import assistant, user
from hypothesis import given
from hypothesis import strategies as st

from memory.cli.searching import WINDOW, snippet
from memory.stores.search import Query, terms_of

TEXTS = st.text(st.characters(codec=None) | st.sampled_from(" 靠窗座位aéßİ\n\u200d"), max_size=300)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return the URL of a store with conversations of a user and of nobody."""
    told = [HEAD, user("I like the seat at the window."), assistant("So do I.")]
    return fill(sqlite(tmp_path / "memory.db"), TRIP, "user-42/work", notes=told)


def test_people_see_where_what_they_looked_for_stands(store: str) -> None:
    """A row for each message, with the words in it."""
    shown = lines(run("search", "靠窗 座位", "--user", "user-42", "--store", store).stdout)

    assert ["score", "conversation", "#", "role", "text"] == shown[0].split()
    assert [["user-42/trip", "2", "user"], ["user-42/work", "2", "user"]] == [
        line.split()[1:4] for line in shown[1:]
    ]
    assert all("我要靠窗的座位" in line for line in shown[1:])


def test_programs_get_the_whole_message(store: str) -> None:
    """With its place, its score and the piece that people see."""
    (hit, _) = result_of(run("search", "beijing", "--user", "user-42", "--store", store, "--json"))[
        "hits"
    ]

    assert ("user-42", "trip", 0, "user") == tuple(
        hit[k] for k in ("user", "name", "place", "role")
    )
    assert SAID[0]["content"] == hit["text"] == hit["snippet"]
    assert hit["score"] > 0


def test_without_a_user_it_is_those_of_nobody(store: str) -> None:
    """No search reaches from one user to another."""
    found = result_of(run("search", "seat", "--store", store, "--json"))["hits"]

    assert [("", "notes")] == [(hit["user"], hit["name"]) for hit in found]


def test_one_conversation_can_be_searched(store: str) -> None:
    """Its name says whose it is, or `--user` does."""
    found = [
        result_of(run("search", "靠窗", "--conversation", *name, "--store", store, "--json"))[
            "hits"
        ]
        for name in ([TRIP], ["trip", "--user", "user-42"])
    ]

    assert found[0] == found[1]
    assert {"trip"} == {hit["name"] for hit in found[0]}


def test_one_of_the_words_may_be_enough(store: str) -> None:
    """Without `--any` all have to be in a message."""
    asked = ("search", "window nonsense", "--store", store)

    assert [1, 0] == [run(*asked, *more).exit_code for more in ([], ["--any"])]


def test_nothing_found_is_exit_code_1(store: str) -> None:
    """As it is with grep."""
    result = run("search", "nonsense", "--store", store, "--json")

    assert (1, "error: nothing found\n") == (result.exit_code, result.stderr)


def test_a_query_without_words_is_exit_code_2(store: str) -> None:
    """It could not be found anywhere."""
    result = run("search", "?! …", "--store", store)

    assert (2, 1) == (result.exit_code, len(result.stderr.splitlines()))


def test_a_store_without_search_says_so_in_one_line() -> None:
    """Redis has none."""
    with server() as url:
        fill(url, namespace=NAMESPACE)
        result = run("search", "seat", "--store", url, "--namespace", NAMESPACE)

    assert 2 == result.exit_code
    assert 1 == len(result.stderr.splitlines())
    assert "search" in result.stderr


def test_texts_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    """Neither with markup nor with control characters."""
    url = fill(sqlite(tmp_path / "memory.db"), notes=[user("[red]seat[/] \x1b[2J")])

    assert "[red]seat[/] \\x1b[2J" in run("search", "seat", "--store", url).stdout


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("seat", "A concatenated SEAT, a seat.", ["SEAT", "seat"]),
        ("sea*", "Overseas, seats and seas.", ["sea", "sea"]),
        ("座位", "我要靠窗的座位，座位。", ["座位", "座位"]),
        ("座", "没有座位", ["座"]),
        ("straße", "Die STRASSE und die Straße.", ["STRASSE", "Straße"]),
        ("ABC", "full width ａｂｃ", ["ａｂｃ"]),
        ("happy meeting", "Happiness of those who meet", ["Happiness", "meet"]),
        ("meetings", "A meeting, and we met to meet.", ["meeting", "meet"]),
        ("order_12", "Order_12, of the 12th", ["Order", "12"]),
        ("nothing", "is in here", []),
    ],
)
def test_words_are_bold_as_they_were_written(query: str, text: str, found: list[str]) -> None:
    """In whatever spelling; a word within a word only where there is no other."""
    piece = snippet(text, Query.parse(query))

    assert text == piece.plain
    assert found == [piece.plain[span.start : span.end] for span in sorted(piece.spans)]


def test_a_long_message_is_cut_around_the_words() -> None:
    """Where most of them stand together, on one line."""
    text = "seat " + "blah\n" * 100 + "by the window, a seat for me" + " blah" * 100
    piece = snippet(text, Query.parse("window seat"))

    assert piece.plain.startswith("…")
    assert piece.plain.endswith("…")
    assert "by the window, a seat for me" in piece.plain


@given(TEXTS, TEXTS)
def test_any_message_has_a_short_piece(text: str, query: str) -> None:
    """It can be printed, and what is bold is in it."""
    asked = " ".join((query, *terms_of(text)[-1:]))
    piece = snippet(text, Query.parse(asked))

    assert len(piece.plain) <= WINDOW + 2
    assert "\n" not in piece.plain
    assert all(0 <= span.start < span.end <= len(piece.plain) for span in piece.spans)
