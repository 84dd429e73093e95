"""Tuning as a whole: what it measures, that it is the same again, and that it goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("splintr")

from openai import OpenAI
from tuning import talk, with_calls

from memory.errors import ConfigError
from memory.recording import join
from memory.testing import FakeKimi, serve
from memory.testing.kimi_count import count_text
from memory.tuning import Job, Study, tune
from memory.tuning.bills import Bill
from memory.tuning.live import SpendError
from memory.tuning.prices import Tariff, Volume
from memory.tuning.references import wanted
from memory.tuning.rehearsal import FULL, LAST, MEMORY, Outcome, rehearse

JOB = Job(budgets=[1_200], points=6, processes=1)
TALKS = [talk(20, name="one", back=9), talk(16, name="two", back=9)]


def rehearsed(conversation: dict[str, Any], way: Any, budget: int = 1_200) -> Outcome:
    """Send one conversation to a fake."""
    settings = {"budget": budget}
    asked = wanted(conversation)
    return rehearse(conversation, way=way, model="kimi-k2.6", settings=settings, recalled=asked)


class TestRehearsals:
    """One conversation in one way."""

    def test_full_history_is_sent_whole(self) -> None:
        """It recalls everything, and grows."""
        outcome = rehearsed(TALKS[0], FULL)

        assert outcome.found == outcome.wanted > 0
        assert sorted(outcome.course) == list(outcome.course)

    def test_a_memory_stays_within_the_budget(self) -> None:
        """It pays for summaries, which full history does not."""
        outcome = rehearsed(TALKS[0], MEMORY)

        assert 0 == outcome.over_budget == outcome.too_large == outcome.bill.refused
        assert 1_200 >= outcome.bill.largest
        assert 0 < outcome.bill.requests.summaries

    def test_the_latest_messages_fit_and_know_less(self) -> None:
        """They are the floor."""
        outcome = rehearsed(TALKS[0], LAST)

        assert 1_200 >= outcome.bill.largest
        assert outcome.found < outcome.wanted

    def test_a_turn_that_cannot_be_sent_is_counted(self) -> None:
        """The others go on."""
        outcome = rehearsed(with_calls(turns=4, words=120), MEMORY, 300)

        assert 0 < outcome.too_large
        assert outcome.too_large == outcome.course.count(0)

    def test_an_outcome_survives_a_file(self) -> None:
        """Nothing of it is lost or changed by JSON."""
        outcome = rehearsed(TALKS[1], MEMORY)

        assert outcome == Outcome.read(json.loads(json.dumps(outcome.row())))


class TestStudies:
    """All combinations."""

    def test_a_study_has_a_choice_among_what_none_beats(self) -> None:
        """And the ends of the scale beside it."""
        study = tune(TALKS, job=JOB)

        assert 6 == len(study.trials)
        assert {study.knee, study.chosen} <= set(study.pareto)
        assert [FULL, LAST] == [each.name for each in study.references]
        assert 1.0 == study.references[0].trial.recall

    def test_two_runs_are_the_same(self) -> None:
        """To the last byte of what was sent, however many processes there are."""
        assert tune(TALKS, job=JOB) == tune(TALKS, job=replace(JOB, processes=2))

    def test_one_combination_alone_is_measured_as_among_others(self) -> None:
        """So a settings file gives its own row again."""
        study = tune(TALKS, job=JOB)
        row = study.trials[study.chosen]

        again = tune(TALKS, job=replace(JOB, only=row.settings))

        assert [row] == list(again.trials)

    def test_a_run_goes_on_where_it_was_stopped(self, tmp_path: Path) -> None:
        """Nothing is replayed that is in the file, half a line at its end or not."""
        job = replace(JOB, folder=tmp_path)
        file = tmp_path / "trials.jsonl"
        whole = tune(TALKS, job=job)
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[:-3]) + lines[-3][:50])

        again = tune(TALKS, job=job)

        assert whole == again
        assert len(lines) + 1 == len(file.read_text().splitlines())  # and the half one

    def test_progress_ends_at_all(self) -> None:
        """It never goes back, and says early how much there will be."""
        told: list[tuple[int, int]] = []

        tune(TALKS, job=JOB, progress=lambda done, total: told.append((done, total)))

        assert sorted(told) == told
        assert (16, 16) == told[-1]

    def test_several_budgets_are_an_axis(self) -> None:
        """Each has its own floor."""
        study = tune(TALKS[:1], job=replace(JOB, budgets=[900, 1_200]))

        assert {900, 1_200} == {trial.settings["budget"] for trial in study.trials}
        assert [{}, {"budget": 900}, {"budget": 1_200}] == [
            dict(each.trial.settings) for each in study.references
        ]

    def test_an_axis_of_ones_own_takes_the_place_of_the_usual(self) -> None:
        """Or is added."""
        axes = {"target": [0.4], "standing": [0.0, 0.1]}
        study = tune(TALKS[:1], job=replace(JOB, axes=axes))

        assert {0.4} == {trial.settings["target"] for trial in study.trials}
        assert {0.0, 0.1} == {trial.settings["standing"] for trial in study.trials}

    def test_a_conversation_that_comes_twice_counts_twice(self) -> None:
        """And the one after it keeps its own figures."""
        one, two = TALKS
        both = tune([one, one, two], job=replace(JOB, points=1)).trials[0]
        alone = [tune([each], job=replace(JOB, points=1)).trials[0] for each in TALKS]

        assert 2 * alone[0].requests + alone[1].requests == both.requests
        assert both.usd == pytest.approx(2 * alone[0].usd + alone[1].usd)

    def test_an_environment_changes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is measured is what is reported."""
        before = tune(TALKS[:1], job=replace(JOB, points=1))
        monkeypatch.setenv("KIMI_MEMORY_TARGET", "0.7")

        assert before == tune(TALKS[:1], job=replace(JOB, points=1))

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"axes": {"compaction": ["inline", "background"]}}, "background"),
            ({"axes": {"summarizer_model": ["kimi-k3"]}}, "summarizer_model"),
            ({"budgets": [40]}, "no turn could be sent"),
        ],
    )
    def test_what_cannot_be_measured_is_refused(self, changed: dict[str, Any], said: str) -> None:
        """With what to do instead."""
        with pytest.raises(ConfigError, match=said):
            tune(TALKS[:1], job=replace(JOB, **changed))

    @pytest.mark.parametrize("content", [5, {"a": 1}])
    def test_a_conversation_that_makes_no_sense_is_named(self, content: object) -> None:
        """In place of a traceback."""
        odd = {**TALKS[0], "messages": [{"role": "function", "content": content}]}
        odd["messages"].append({"role": "assistant", "content": "x"})

        with pytest.raises(ConfigError, match="'one' cannot be replayed"):
            tune([odd], job=JOB)

    def test_where_nothing_refers_back_that_is_said(self) -> None:
        """A share of nothing is no recall."""
        study = tune([talk(12, back=99)], job=replace(JOB, points=1, budgets=[700]))

        assert 0 == study.trials[0].wanted

    def test_nothing_to_replay_is_refused(self) -> None:
        """Before anything is measured."""
        with pytest.raises(ConfigError, match="no conversations"):
            tune([], job=JOB)

    def test_a_model_that_always_thinks_is_given_thoughts(self) -> None:
        """It refuses calls without."""
        study = tune([with_calls()], job=replace(JOB, model="kimi-k3", points=2))

        assert [0, 0] == [trial.rejected for trial in study.trials]


class TestLive:
    """The real API, played by a fake over HTTP."""

    def test_what_is_sent_is_paid_and_measured(self) -> None:
        """As offline, but for what the cut replies cost."""
        fake = FakeKimi()
        with serve(fake) as url:
            job = replace(JOB, points=1, spend=9.0, connect=lambda: client(url))
            study = tune(TALKS[:1], job=job)

        trial, kinds = study.trials[0], [each.kind for each in fake.requests]
        assert (20, kinds.count("chat")) == (trial.requests, trial.requests)
        assert kinds.count("summary") == trial.summaries + trial.merges > 0
        turns = replace(sum_of(fake, "chat"), completion=billed(TALKS[0]))
        both = [turns, sum_of(fake, "summary")]
        assert trial.usd == pytest.approx(sum(Tariff.of("kimi-k2.6").dollars(v) for v in both))

    def test_no_request_goes_out_that_cannot_be_paid(self) -> None:
        """What was measured until then is told."""
        fake = FakeKimi()
        tariff = Tariff.of("kimi-k2.6")
        with serve(fake) as url:
            job = replace(JOB, points=40, spend=0.08, connect=lambda: client(url))
            study = tune(TALKS[:1], job=job)

        spent = tariff.dollars(sum_of(fake, "chat")) + tariff.dollars(sum_of(fake, "summary"))
        assert 1 <= len(study.trials) < 40
        assert 0 < spent <= 0.08

    def test_with_next_to_nothing_to_spend_there_is_no_study(self) -> None:
        """It says how much was spent."""
        fake = FakeKimi()
        with serve(fake) as url:
            job = replace(JOB, points=1, spend=0.0001, connect=lambda: client(url))
            with pytest.raises(SpendError, match=r"0\.00 of the 0\.00 allowed"):
                tune(TALKS[:1], job=job)

        assert [] == fake.requests


def client(url: str) -> OpenAI:
    """Return a client of a fake."""
    return OpenAI(api_key="sk-fake", base_url=url, max_retries=0)


def sum_of(fake: FakeKimi, kind: str) -> Volume:
    """Return all tokens that a fake has billed for requests of a kind."""
    return Volume.of(each for each in fake.requests if each.kind == kind)


def billed(conversation: dict[str, Any]) -> int:
    """Return the tokens of the replies that were recorded."""
    replies = [m for m in conversation["messages"] if m["role"] == "assistant"]
    return sum(count_text(m["content"]) for m in replies)


def test_joined_conversations_keep_their_questions() -> None:
    """And the ids that evidence names, message by message."""
    one = {
        "id": "one",
        "messages": [{"role": "user", "content": "a", "_id": "m1"}],
        "probes": [{"qid": "q", "evidence": ["m1"]}],
    }
    two = {"id": "two", "messages": [{"role": "user", "content": "b", "_id": "m2"}]}

    (joined,) = join([one, two], chain=2)

    assert (["0:m1", "1:m2"], ["0:m1"]) == (joined["ids"], joined["probes"][0]["evidence"])


def test_a_bill_of_nothing_is_nothing() -> None:
    """Sums start with it."""
    assert Bill() + Bill() == Bill()


def study_rows(study: Study) -> str:
    """Return a study as JSON."""
    return json.dumps(study.row(), sort_keys=True)


def test_a_study_is_json() -> None:
    """With whole rows for what none beats."""
    row = json.loads(study_rows(tune(TALKS[:1], job=replace(JOB, points=2))))

    assert {"usd", "recall", "settings", "digest"} <= set(row["pareto"][0])
    assert row["chosen"] in row["pareto"]
