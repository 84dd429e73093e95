"""Recorded conversations: how files are read, what is replayed, and that what breaks is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from depth import examples
from hypothesis import assume, given
from hypothesis import strategies as st
from workbench import PARTIAL, Wire, assistant, chat, exchange, system, user, words

import corpora
from memory import MemoryManager
from memory.errors import BudgetError, ConfigError
from memory.flow import draft
from memory.testing import strategies
from memory.testing.transcripts import (
    REQUESTS,
    Skipped,
    TranscriptError,
    TranscriptReport,
    Violation,
    check_transcript,
    find,
    random_budget,
    read,
    stops,
    total,
)
from memory.testing.unreliable import Unreliable

TALK = chat(30)
AGENT = [
    system(words(30, "head")),
    user("Find every broken link."),
    *(m for n in range(30) for m in exchange(f"a:{n}", f"b:{n}", result=words(20, f"r{n}-"))),
    assistant("There are none."),
]
BUDGET = 1_600
Messages = Sequence[Any]


def written(path: Path, *values: object) -> Path:
    """Write JSON lines and return the path."""
    path.write_text("\n".join(json.dumps(value) for value in values), encoding="utf-8")
    return path


def lengths(path: Path) -> list[tuple[str, int]]:
    """Return ids and numbers of messages of the conversations in a file."""
    return [(each.id, len(each.messages)) for each in read(path).transcripts]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([TALK], [("log", 62)], id="a list of messages"),
        pytest.param([{"messages": TALK}], [("log", 62)], id="an object"),
        pytest.param([{"id": 7, "messages": TALK}], [("7", 62)], id="an id"),
        pytest.param([TALK, AGENT], [("1", 62), ("2", 93)], id="lines of lists"),
        pytest.param([[TALK, {"messages": AGENT}]], [("1", 62), ("2", 93)], id="a list of both"),
        pytest.param(TALK, [("log", 62)], id="lines of messages"),
        pytest.param([{"request": {"messages": TALK}}], [("log", 62)], id="a log of requests"),
        pytest.param(
            [{"custom_id": "x", "method": "POST", "body": {"messages": TALK}}],
            [("x", 62)],
            id="a file of a batch",
        ),
        pytest.param(
            [{"id": "x", "messages": TALK}, {"id": "x", "messages": AGENT}],
            [("x", 62), ("x#2", 93)],
            id="the same id",
        ),
    ],
)
def test_conversations_are_read(
    tmp_path: Path, values: list[object], expected: list[tuple[str, int]]
) -> None:
    """Each form in which programs and data sets keep conversations is understood."""
    assert expected == lengths(written(tmp_path / "log.jsonl", *values))


def test_a_growing_log_is_one_conversation(tmp_path: Path) -> None:
    """Of the requests of one conversation the last is taken, and the others are counted."""
    grown = [{"messages": TALK[:stop]} for stop in (2, 4, 6)]
    reading = read(written(tmp_path / "log.jsonl", *grown, {"messages": AGENT}))

    assert (2, [6, 93]) == (reading.continued, [len(t.messages) for t in reading.transcripts])


def test_what_goes_over_the_wire_is_kept(tmp_path: Path) -> None:
    """Tools and model are read, unknown keys stay, and keys of the data set's own go."""
    message = {**user("Hi."), "vendor": {"trace": 1}, "_time": "noon"}
    tools = [{"type": "function", "function": {"name": "look"}}]
    value = {"messages": [message], "tools": tools, "model": "kimi-k2-thinking"}
    (one,) = read(written(tmp_path / "log.jsonl", value)).transcripts

    assert ([{**user("Hi."), "vendor": {"trace": 1}}], tools) == (one.messages, one.tools)
    assert "kimi-k2-thinking" == one.model


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"sessions": []}\n{"sessions": []}', "not an object with a list of `messages`"),
        ('{"messages": [{"content": "x"}]}', "message 0 is not an object with a `role`"),
        ('{"messages": []}', "no messages in it"),
        ("not json", "not JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_what_is_no_conversation_is_skipped(tmp_path: Path, text: str, reason: str) -> None:
    """It is told once for a file, with the reason."""
    path = tmp_path / "other.jsonl"
    path.write_text(text, encoding="utf-8")
    (skipped,) = read(path).skipped

    assert reason == skipped.reason


def test_a_broken_line_spoils_no_other(tmp_path: Path) -> None:
    """The conversations around it are read, and its place is told."""
    path = written(tmp_path / "log.jsonl", TALK)
    path.write_text(f"{path.read_text()}\n{{broken\n{json.dumps(AGENT)}", encoding="utf-8")
    reading = read(path)

    assert [62, 93] == [len(each.messages) for each in reading.transcripts]
    assert [f"{path}:2"] == [each.place for each in reading.skipped]


def test_files_are_found_in_a_directory(tmp_path: Path) -> None:
    """By their names, below it as well; what is hidden and what is no JSON is passed over."""
    for name in ("b.jsonl", "a.json", "README.md", ".cache/c.json", "deep/d.ndjson"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = [each.relative_to(tmp_path).as_posix() for each in find(tmp_path)]
    assert ["a.json", "b.jsonl", "deep/d.ndjson"] == found


def test_a_directory_that_is_not_there() -> None:
    """It is named in the error."""
    with pytest.raises(TranscriptError, match="nowhere: there is no such file"):
        find(Path("nowhere"))


def test_requests_end_where_a_caller_would_ask() -> None:
    """After what somebody said, or after all results of a batch; never inside one."""
    messages = [
        system("Be brief."),
        user("One."),
        *exchange("a", "b"),
        assistant("Done."),
        user("Two."),
        user("Or three."),
        PARTIAL,
    ]

    assert [2, 5, 7, 8, 9] == stops(messages)


def test_a_random_budget_makes_a_compaction_needful() -> None:
    """It lies above what may not be dropped and below six tenths of the whole, by the seed."""
    whole = MemoryManager(hooks=()).count(chat(120)).total
    budgets = {random_budget(chat(120), seed=seed) for seed in range(15)}

    assert 15 == len(budgets)
    assert 500 < min(budgets) < whole // 4
    assert whole * 4 // 10 < max(budgets) <= whole * 6 // 10


@pytest.mark.parametrize("messages", [TALK, AGENT], ids=["chat", "agent"])
def test_every_promise_is_kept(messages: list[Wire]) -> None:
    """A conversation is replayed with a summariser that works and one that fails."""
    report = check_transcript(messages, budget=BUDGET)

    assert (1, 0, ()) == (report.conversations, report.too_large, report.violations)
    assert report.requests == REQUESTS + REQUESTS // 4 + REQUESTS // 3
    assert report.compactions > 2


@pytest.mark.timeout(400)  # a failure is shrunk to a small conversation, which takes minutes
@examples(6)
@given(strategies.conversations(largest=80, most=12), st.integers(0, 2**32))
def test_promises_hold_for_any_conversation(conversation: list[Wire], seed: int) -> None:
    """Whatever it is made of, at a random budget."""
    assume(conversation)
    budget = random_budget(conversation, seed=seed)

    assert () == check_transcript(conversation, budget=budget, seed=seed, cuts=8).violations


def test_a_seed_makes_the_same_replay() -> None:
    """The requests of one seed are always the same; those of another are others."""
    seen: list[list[int]] = []
    for seed in (1, 1, 2):
        asked: list[int] = []

        class Noting(MemoryManager):
            def fit(self, messages: Messages, **others: Any) -> Messages:
                asked.append(len(messages))  # noqa: B023  # used in the same round
                return super().fit(messages, **others)

        check_transcript(TALK, budget=BUDGET, seed=seed, manager_factory=Noting, cuts=6)
        seen.append(asked)

    assert seen[0] == seen[1] != seen[2]


def test_cuts_are_the_requests_that_are_made() -> None:
    """Where they are named, no others are, but for those after an edit and with failures."""
    report = check_transcript(TALK, budget=100_000, cuts=[2, 10])

    assert TranscriptReport(conversations=1, requests=2) == report


@pytest.mark.parametrize(
    "wrong", [{"budget": 0}, {"budget": True}, {"cuts": 0}, {"cuts": [99]}, {"cuts": [0]}]
)
def test_wrong_numbers_are_refused(wrong: dict[str, Any]) -> None:
    """They are named."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        check_transcript(TALK, **{"budget": BUDGET, **wrong})


def test_what_is_too_large_is_counted() -> None:
    """A budget below what may not be dropped is no violation."""
    report = check_transcript(TALK, budget=100)

    assert (report.requests, 0, ()) == (report.too_large, report.compactions, report.violations)


def test_reports_add_up() -> None:
    """The sum of two has all their figures and violations."""
    found = Violation(conversation="x", request=3, budget=9, seed=1, check="c", message="m")
    one = TranscriptReport(
        conversations=1, requests=5, compactions=2, too_large=1, violations=(found,)
    )

    assert "x, budget 9: request 3: c: m" == str(found)
    assert 2 * [found] == [*total([one, one]).violations]
    assert (2, 10) == (total([one, one]).conversations, total([one, one]).requests)


class Broken(MemoryManager):
    """A manager that does one thing wrong once there is something to drop."""

    def __init__(
        self, *, spoil: Callable[[MemoryManager, list[Any], Messages], Any], **rest: Any
    ) -> None:
        super().__init__(**rest)
        self.spoil = spoil
        self.calls = 0

    def fit(self, messages: Messages, **others: Any) -> Messages:
        """Spoil what would be sent."""
        self.calls += 1
        view = super().fit(messages, **others)
        spoilt: Messages = view if view is messages else self.spoil(self, [*view], messages)
        return spoilt


def cut_short(_: MemoryManager, view: list[Any], __: Messages) -> Messages:
    """Forget the last message."""
    return view[:-1]


def misplaced(_: MemoryManager, view: list[Any], __: Messages) -> Messages:
    """Send the notes one place too late."""
    return [view[0], view[2], view[1], *view[3:]]


def dropped(_: MemoryManager, view: list[Any], __: Messages) -> Messages:
    """Forget a message of the tail."""
    return [*view[:3], *view[4:]]


def bare(_: MemoryManager, view: list[Any], __: Messages) -> Messages:
    """Lose keys of the last message."""
    return [*view[:-1], {**view[-1], "content": view[-1]["content"] + " "}]


def changed(_: MemoryManager, view: list[Any], messages: Messages) -> Messages:
    """Write into the caller's message."""
    messages[1]["seen"] = True
    return view


def fickle(manager: MemoryManager, view: list[Any], _: Messages) -> Messages:
    """Send something else each time."""
    assert isinstance(manager, Broken)
    return [view[0], {**view[1], "name": f"n{manager.calls}"}, *view[2:]]


def grown(_: MemoryManager, view: list[Any], messages: Messages) -> Messages:
    """Send everything after all."""
    return [view[0], view[1], *messages[1:]]


def failing(_: MemoryManager, __: list[Any], ___: Messages) -> Messages:
    """Fail."""
    raise KeyError(words(1))


def lying(manager: MemoryManager, _: list[Any], __: Messages) -> Messages:
    """Say that what fits is too large."""
    raise BudgetError(tokens=10, limit=manager.settings.budget or 0, culprits={})


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (cut_short, "last_user_message_is_sent"),
        (misplaced, "one_synthetic_message"),
        (dropped, "tail_is_a_suffix"),
        (bare, "kept_messages_are_verbatim"),
        (changed, "input_is_unchanged"),
        (fickle, "repeats_are_identical"),
        (grown, "prompt_is_within_limit"),
        (failing, "turns_do_not_fail"),
        (lying, "turns_do_not_fail"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_breaks_a_promise_is_found(
    spoil: Callable[[MemoryManager, list[Any], Messages], Any], check: str
) -> None:
    """Each is named, with the request and a table of it that shows no text."""

    def make(**options: Any) -> MemoryManager:
        return Broken(spoil=spoil, **options)

    talk = json.loads(json.dumps(TALK))
    report = check_transcript(talk, budget=BUDGET, cuts=[40, 62], manager_factory=make)
    found = [each for each in report.violations if each.check == check]

    assert 1 == found[0].request
    assert "given:\n    0 system" in found[0].described
    assert "u3-" not in f"{found}"


def test_a_summary_that_has_to_be_refused_is_found_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nobody judges summaries, those that are longer, cut off or empty come to light."""
    monkeypatch.setattr(draft, "refusal", lambda *_, **__: None)
    report = check_transcript(chat(60), budget=BUDGET, summarizer=Unreliable(1))
    found = {each.check for each in report.violations}

    assert "failed_summaries_are_not_used" in found


def test_a_manager_that_forgets_is_found() -> None:
    """What was sent has to be sent again by a manager that is opened on the same store."""

    def make(*, store: object, **options: Any) -> MemoryManager:
        del store
        return MemoryManager(**options)

    report = check_transcript(TALK, budget=BUDGET, manager_factory=make)
    found = {each.check: each.message for each in report.violations}

    assert {"repeats_are_identical": "it was paid for again"} == found


def forgetful(manager: MemoryManager, view: list[Any], _: Messages) -> Messages:
    """Lose what was summarised."""
    manager.namespace = f"{manager.namespace}x"
    return view


def test_too_many_summaries_are_found() -> None:
    """A manager that pays for each request anew pays more often than is promised."""

    def make(**options: Any) -> MemoryManager:
        return Broken(spoil=forgetful, **options)

    report = check_transcript(chat(50), budget=2_000, manager_factory=make)

    assert "summaries_are_few" in {each.check for each in report.violations}


def test_contents_are_shown_where_asked_for() -> None:
    """Then a table of a request shows how messages begin."""

    def make(**options: Any) -> MemoryManager:
        return Broken(spoil=dropped, **options)

    report = check_transcript(TALK, budget=BUDGET, manager_factory=make, contents=True)

    assert "u3-0 u3-1" in report.violations[0].described


@corpora.requires("tau_airline")
def test_real_conversations_keep_every_promise() -> None:
    """The first few of one corpus, at a random budget."""
    reading = read(corpora.DIRECTORY / "tau_airline.jsonl")
    reports = [check_transcript(t, budget=random_budget(t)) for t in reading.transcripts[:3]]

    assert () == total(reports).violations
    assert total(reports).compactions > 5


@corpora.requires("locomo_recorded_summaries")
def test_summaries_are_no_conversations() -> None:
    """A file of something else is told and passed over."""
    path = corpora.DIRECTORY / "locomo_recorded_summaries.jsonl"
    reason = "not an object with a list of `messages`"

    assert (Skipped(place=str(path), reason=reason),) == read(path).skipped
