"""What a prompt costs at most without counting, and what single fields of it cost."""

from __future__ import annotations

from metering import MEDIA, PHOTO, THOUGHTFUL, TOOL, meter
from workbench import (
    ByteCounter,
    Wire,
    WordCounter,
    assistant,
    exchange,
    picture,
    system,
    user,
    words,
)

from memory.meter import FRAME, THOUGHT, Meter


class TestBounds:
    """What a prompt costs at most, without counting."""

    def test_little_costs_little(self) -> None:
        """The bound of short ASCII text is its bytes and some tokens a message."""
        messages = [system("Be kind."), user("Hi.")]
        size = sum(len(message["content"]) for message in messages)

        assert size <= meter().bound(messages) <= size + 100
        assert meter().bound([]) <= 20

    def test_thoughts_are_in_it(self) -> None:
        """Byte for byte, whatever else the message holds; one that is no text too."""
        bare = meter().bound([exchange("x")[0]])

        assert bare + len(words(30)) == meter().bound([THOUGHTFUL])
        assert bare + len("{'a': 1}") == meter().bound(
            [exchange("x")[0] | {"reasoning_content": {"a": 1}}]
        )
        assert bare == meter().bound([exchange("x")[0] | {"reasoning_content": ""}])

    def test_pictures_are_in_it(self) -> None:
        """At what they are taken for, or the dearest that was reported."""
        taken = meter()
        text = taken.bound([{"role": "user", "content": []}])
        pictures = {"role": "user", "content": [picture("a"), picture("b")]}
        assert taken.bound([pictures]) >= text + 2 * MEDIA

        before = taken.bound([pictures])
        taken.learn(PHOTO, 3_000 + FRAME)
        assert before + 2 * (3_004 - MEDIA) == taken.bound([pictures])
        taken.learn({"role": "user", "content": [picture("c")]}, 100)
        assert before + 2 * (3_004 - MEDIA) == taken.bound([pictures])

    def test_the_dearest_picture_of_several_counts(self) -> None:
        """What two cost together is twice what one is taken for."""
        taken = meter()
        pictures = {"role": "user", "content": [picture("a"), picture("b")]}
        before = taken.bound([pictures])
        taken.learn(pictures, 6_000 + FRAME)

        assert before + 2 * (3_002 - MEDIA) == taken.bound([pictures])

    def test_it_holds_for_the_shortest_declarations(self) -> None:
        """With thinking off, where the opening of the reply is longest."""
        worst = meter(ByteCounter())

        assert worst.bound([], tools=[{}]) >= worst.count([], tools=[{}], thinking=False).total

    def test_tools_are_in_it(self) -> None:
        """With all the bytes of their JSON."""
        bare, with_tools = meter().bound([user("a")]), meter().bound([user("a")], tools=[TOOL])

        assert len(words(50)) < with_tools - bare < len(words(50)) + 100


def test_a_picture_is_taken_for_two_thousand_tokens() -> None:
    """As Moonshot's own clients take it, until the first reply tells."""
    assert [2_000 + FRAME] == Meter(WordCounter()).count([PHOTO])


def test_the_thought_of_the_first_message_counts() -> None:
    """Where all thoughts are kept, and where no turn is over yet."""
    bare, other = exchange("x")[0], [*exchange("x")[1:], assistant("Yes."), user("b")]
    counts = meter().count([THOUGHTFUL, *other], keep_reasoning=True)

    assert 30 == counts[0] - meter().count([bare])[0]
    assert 30 == meter().count([THOUGHTFUL])[0] - meter().count([bare])[0]


def test_the_thought_of_the_open_loop_counts() -> None:
    """The loop begins right after the last plain answer."""
    messages = [user("a"), assistant("b"), THOUGHTFUL, *exchange("x")[1:]]
    bare = [*messages[:2], exchange("x")[0], *messages[3:]]

    assert 30 == meter().count(messages)[2] - meter().count(bare)[2]


def test_a_thought_that_is_no_text_is_not_rendered() -> None:
    """Only texts are thoughts; what else stands there counts nothing."""
    odd = exchange("x")[0] | {"reasoning_content": ["a"]}

    assert meter().count([exchange("x")[0]]) == meter().count([odd])


def test_a_call_without_arguments_has_those_that_json_has() -> None:
    """`null` for none; an object as JSON writes it."""
    bare: Wire = {"role": "assistant", "tool_calls": [{"id": "x", "function": {"name": "f"}}]}
    given: Wire = {
        "role": "assistant",
        "tool_calls": [{"id": "x", "function": {"name": "f", "arguments": {"a": [1, 2]}}}],
    }
    frame = FRAME + THOUGHT + 2 + 3

    unnamed: Wire = {"role": "assistant", "tool_calls": [{"function": {"arguments": "{ }"}}]}

    assert [frame + len("{ }")] == meter(ByteCounter()).count([unnamed])
    assert [frame + 1 + len("null")] == meter(ByteCounter()).count([bare])
    assert [frame + 1 + len('{"a":[1,2]}')] == meter(ByteCounter()).count([given])


def test_a_result_says_what_it_answers() -> None:
    """The template writes the id above it; an empty one where there is none."""
    named = {"role": "tool", "tool_call_id": "look:0", "content": "a"}
    bare = {"role": "tool", "content": "a"}

    assert [FRAME + len("## Return of look:0\na")] == meter(ByteCounter()).count([named])
    assert [FRAME + len("## Return of \na")] == meter(ByteCounter()).count([bare])


def test_texts_beside_a_picture_are_counted_apart() -> None:
    """The template closes the text before it, so that words never run into each other."""
    parts = ["a b", picture("x"), "c d", picture("y"), "e"]

    assert [FRAME + 5 + 2 * MEDIA] == meter().count([{"role": "user", "content": parts}])
    assert [FRAME + 1] == meter().count([{"role": "user", "content": ["a", "b"]}])
