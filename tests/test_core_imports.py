"""What is no export, and what is said about it."""

from __future__ import annotations

import pytest
from exports import HEAD, SAID, SHOWN, refused, shown
from workbench import Wire, user

from memory.flow.exporting import FORMAT


class TestRefusals:
    """What is no export."""

    @pytest.mark.parametrize("given", [{}, {"head": [HEAD]}, {"format": FORMAT}])
    def test_an_object_without_messages(self, given: Wire) -> None:
        """It is something else."""
        assert "this is no export of a conversation: it has no messages" == refused(given)

    def test_another_layout(self) -> None:
        """A later version may mean something else by the same names."""
        expected = (
            "format 'kimi-memory/conversation-9' is not known: export it with a kimi-memory that "
            "writes 'kimi-memory/conversation-1'"
        )

        assert expected == refused({**shown(), "format": "kimi-memory/conversation-9"})

    @pytest.mark.parametrize("given", ["hi", 7, None])
    def test_what_is_no_list_of_messages(self, given: object) -> None:
        """A text could be gone through, and is none all the same."""
        expected = "messages must be a list, as in an export or a list of messages"

        assert expected == refused(given)
        assert expected == refused({"messages": given})

    @pytest.mark.parametrize("name", ["head", "compactions"])
    def test_what_is_no_list_is_named(self, name: str) -> None:
        """So is whatever else has to be one."""
        expected = f"{name} must be a list, as in an export or a list of messages"

        assert expected == refused({"messages": SAID, name: {}})

    def test_a_head_that_holds_more(self) -> None:
        """Other messages stand among the messages."""
        expected = "the head of an export holds system and developer messages only"

        assert expected == refused({"messages": SAID, "head": [HEAD, user("Hi.")]})

    @pytest.mark.parametrize(
        "pins",
        [
            {"messages": [6]},
            {"messages": [-1]},
            {"messages": ["0"]},
            {"messages": [0, None]},
            {"sentences": [""]},
            {"sentences": [7]},
            {"sentences": ["No pork.", None]},
        ],
    )
    def test_pins_of_other_messages(self, pins: Wire) -> None:
        """A place that is none, and a sentence that says nothing."""
        expected = "what is pinned in the export cannot be read: leave it out"

        assert expected == refused({"messages": SAID, "pinned": pins})

    @pytest.mark.parametrize("name", ["messages", "sentences"])
    def test_pins_that_are_no_lists(self, name: str) -> None:
        """They are named like all that has to be a list."""
        expected = f"{name} must be a list, as in an export or a list of messages"

        assert expected == refused({"messages": SAID, "pinned": {name: "No pork."}})

    @pytest.mark.parametrize(
        "changes",
        [
            {"covered": -1},
            {"covered": 1.5},
            {"adopted": 4.5},
            {"kept": [4]},
            {"kept": [-1]},
            {"tokens_before": -1},
            {"tokens_after": -1},
            {"tokens_before": "900"},
            {"tokens_after": "300"},
            {"cost": -0.5},
            {"cost": float("inf")},
            {"cost": float("nan")},
            {"shortened": [{"index": 6, "head": 3, "tail": 4}]},
            {"shortened": [{"index": 7, "head": 3, "tail": 4}]},
            {"shortened": [{"index": -1, "head": 3, "tail": 4}]},
            {"shortened": [{"index": 2, "head": -3, "tail": 4}]},
            {"shortened": [{"index": 2, "head": 3, "tail": -4}]},
            {"standing": [["Be exact.", "nobody"]]},
            {"standing": [[7, "user"]]},
            {"identifiers": [["order", 17]]},
            {"identifiers": [[None, "W-17"]]},
        ],
    )
    def test_a_compaction_of_other_messages(self, changes: Wire) -> None:
        """Numbers that cannot be places here, and texts that are none."""
        expected = "a compaction of the export cannot be read (ValueError): leave it out"

        assert expected == refused(shown(**changes))

    @pytest.mark.parametrize(
        "changes",
        [
            {"first": -1},
            {"last": -1},
            {"tokens": 5.5},
            {"level": -1},
            {"depth": -1},
            {"gaps": [[2, -2]]},
            {"gaps": [["2", 2]]},
            {"text": None},
            {"author": 7},
            {"prompt": None},
            {"dates": ["8 May", 9]},
        ],
    )
    def test_a_segment_that_cannot_be(self, changes: Wire) -> None:
        """What would break the next request is not let in."""
        expected = "a compaction of the export cannot be read (ValueError): leave it out"
        segment = {**SHOWN["segments"][0], **changes}

        assert expected == refused(shown(segments=[segment]))

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"covered": "4"}, "TypeError"),
            ({"covered": 7, "adopted": 7}, "IndexError"),
            ({"kept": 7}, "TypeError"),
            ({"segments": [{"text": "a"}]}, "KeyError"),
            ({"identifiers": [["order"]]}, "TypeError"),
            ({"synthetic": 7}, "HistoryError"),
        ],
    )
    def test_what_is_wrong_with_a_compaction_is_named(self, changes: Wire, error: str) -> None:
        """By the kind of the error, since contents are never told."""
        told = refused(shown(**changes))

        if error == "HistoryError":  # a synthetic message is a message, and refused as one
            assert told.startswith("message 0 is a int, neither a mapping nor an SDK object")
        else:
            assert f"a compaction of the export cannot be read ({error}): leave it out" == told

    @pytest.mark.parametrize("missing", ["covered", "adopted"])
    def test_a_compaction_without_a_place(self, missing: str) -> None:
        """It does not say what it stands for."""
        export = shown()
        export["compactions"][0].pop(missing)

        expected = "a compaction of the export cannot be read (KeyError): leave it out"
        assert expected == refused(export)
