"""The benchmark of call styles tells a drop-in from what only looks like one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import dropin
from benchmarks._call_styles import CALL_STYLES
from benchmarks._client_styles import CLIENT_STYLES
from benchmarks._trial import BUDGET, Style, Trial, conversation, finished, settled, shapes
from memory.testing import FakeKimi

BY_NAME = {style.name: style for style in (*CALL_STYLES, *CLIENT_STYLES)}
COLOURS: tuple[dropin.Colour, ...] = ("sync", "async")


class Repackaged:
    """A stream in a wrapper, as tracers return it."""

    def __init__(self, stream: Any) -> None:
        """Keep the stream."""
        self.stream = stream
        self.response = stream.response

    def __iter__(self) -> Any:
        """Yield what the stream yields."""
        return iter(self.stream)


def repackaging(client: Any, *, inplace: bool = False) -> Any:
    """Return a wrapped client whose streams are of another type."""
    wrapped: Any = dropin.wrapped(client, inplace=inplace)
    create = wrapped.chat.completions.create
    wrapped.chat.completions.create = lambda **given: Repackaged(create(**given))
    return wrapped


@pytest.mark.parametrize("colour", COLOURS)
def test_the_sdk_alone_does_not_compact(colour: dropin.Colour) -> None:
    """Without a memory the whole conversation arrives, which is more than the budget."""
    made = dropin.outcome(BY_NAME["create()"], colour, dropin.bare)

    assert (None, False) == (made.error, made.compacted)
    assert (made.prompt_tokens or 0) > 2 * BUDGET


@pytest.mark.parametrize("colour", COLOURS)
def test_a_row_holds_for_the_wrapped_client_only(colour: dropin.Colour) -> None:
    """A bare post is compacted by the wrapped client and escapes the proxy."""
    (row,) = [
        row for row in dropin.measure([BY_NAME["post(cast_to=object)"]]) if row["colour"] == colour
    ]

    assert dropin.held(row, dropin.WRAPPED)
    assert not dropin.held(row, dropin.PROXY)
    assert [False, True, None] == [
        row[f"{dropin.PROXY}: {what}"] for what in ("compacted", "as the SDK's", "error")
    ]


def test_another_type_is_told_from_the_sdks() -> None:
    """A stream in a wrapper says the same and is compacted, and is not what the SDK returns."""
    style = BY_NAME["create(stream=True)"]
    expected, made = (
        dropin.outcome(style, "sync", memory) for memory in (dropin.bare, repackaging)
    )

    assert made.compacted
    assert expected.things[1:] == made.things[1:]
    assert expected.things != made.things


def test_contents_are_compared_but_for_what_changes_by_itself() -> None:
    """Two replies to one question agree, and two that say something else do not."""

    def reply(text: str) -> Any:
        fake = FakeKimi(reply=lambda _: text)
        trial = Trial(asynchronous=False, memory=dropin.bare, fake=fake)

        async def ask() -> Any:
            return await settled(trial.client.chat.completions.create(**trial.given))

        return shapes([finished(ask()), finished(ask())])

    first, second = reply("Yes.")

    assert first == second
    assert first != reply("No.")[0]


def test_a_failure_of_the_sdk_alone_has_to_be_expected() -> None:
    """A style that fails without a memory is left out with its reason, or stops the benchmark."""

    async def fail(_trial: Trial) -> list[Any]:
        raise NotImplementedError

    reasons = {"sync": "there is no such thing", "async": "there is no such thing"}
    rows = dropin.measure([Style("fails", fail, lacking=reasons)])

    assert ["there is no such thing"] * 2 == [row["left out"] for row in rows]
    with pytest.raises(NotImplementedError):
        dropin.measure([Style("fails", fail)])


def test_only_one_call_is_left_out() -> None:
    """Of all styles and colours, the SDK itself lacks the asynchronous client of the module."""
    lacking = {style.name: dict(style.lacking) for style in dropin.STYLES if style.lacking}

    assert [["async"]] == [list(colours) for colours in lacking.values()]


def test_a_leg_that_could_not_be_run_does_not_hold() -> None:
    """Without rows there is nothing to hold, and the checks say so."""
    checks = dropin.checks(dropin.totals([], "oldest"))

    assert [False, False] == [check.holds for check in checks]


def test_a_leg_is_one_line_of_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the child process prints is what the parent reads: rows by style and colour."""
    chosen = [BY_NAME["create()"], BY_NAME["openai.chat.completions.create()"]]
    rows = dropin.measure(chosen)
    monkeypatch.setattr(dropin, "measure", lambda: rows)
    dropin.main(["--leg-only", "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    read = json.loads(line)["rows"]

    assert rows == read["styles"]
    assert ["openai.chat.completions.create()"] == [row["style"] for row in read["left out"]]
    assert [{"wrapped": 3, "calls": 3}] == [
        {name: each[name] for name in ("wrapped", "calls")} for each in read["totals"]
    ]


def test_the_oldest_sdk_is_that_of_the_project() -> None:
    """The floor is read from the requirements and not written down again."""
    assert dropin.oldest().startswith("2.")


def test_the_conversation_is_not_shared_between_calls() -> None:
    """A style may change the messages it was given without changing those of the next."""
    trial = Trial(asynchronous=False, memory=dropin.bare, fake=FakeKimi())
    trial.messages.clear()

    assert conversation() == Trial(asynchronous=True, memory=dropin.bare, fake=trial.fake).messages
