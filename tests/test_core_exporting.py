"""Exports key by key: what they hold, and what comes back from them."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from exports import HEAD, LINKS, NOTE, RECORD, SAID, SHOWN, held, shown, taken_in
from talks import Talk, result
from workbench import Wire, assistant, picture, system, user

from memory.errors import HistoryError
from memory.flow import LogKey
from memory.flow.control import pin
from memory.flow.exporting import exported, restore
from memory.identity import digest
from memory.records import Compaction, Pinned, Turn


class TestExport:
    """What goes out."""

    def test_it_holds_everything_by_name(self) -> None:
        """One JSON object with the layout, whose it is, what was said, and what stands for it."""
        talk = held(Talk())
        talk.run(pin(talk.join(), talk.key, 4, held=True))
        talk.run(pin(talk.join(), talk.key, "No pork.", held=True))
        expected = {
            "format": "kimi-memory/conversation-1",
            "user": "user-42",
            "conversation": "trip",
            "head": [HEAD],
            "messages": SAID,
            "complete": True,
            "replied": True,
            "compactions": [SHOWN],
            "pinned": {"messages": [4], "sentences": ["No pork."]},
        }
        key = LogKey(namespace="tests", user="user-42", name="trip")

        assert expected == json.loads(json.dumps(exported(key, talk.past)))

    def test_a_reply_that_broke_off_is_told(self) -> None:
        """Whoever goes on from it has to know that it is not the whole answer."""
        assert exported(Talk().key, held(Talk(), complete=False).past)["complete"] is False

    def test_it_is_the_callers(self) -> None:
        """Changing it changes nothing that is on record."""
        talk = held(Talk())
        export = exported(talk.key, talk.past)
        export["head"][0]["content"] = export["messages"][0]["content"] = "Changed."
        export["compactions"][0]["synthetic"]["content"] = "Changed."
        export["compactions"][0]["segments"][0]["text"] = "Changed."

        assert [SHOWN] == exported(talk.key, talk.past)["compactions"]
        assert ([HEAD], SAID) == (list(talk.past.head), talk.messages)

    def test_a_record_without_a_message_says_so(self) -> None:
        """One that only shortens results has neither synthetic message nor cost."""
        bare = replace(RECORD, synthetic=None, mark=None, cost=None)
        export = exported(Talk().key, held(Talk(), record=bare).past)

        assert [{**SHOWN, "synthetic": None, "cost": None}] == export["compactions"]


class TestImport:
    """What comes in."""

    def test_all_of_it_comes_back(self) -> None:
        """The compaction is the one that was exported, hashes of its messages included."""
        before = held(Talk())
        after = taken_in(json.loads(json.dumps(exported(before.key, before.past))))

        assert [RECORD] == list(after.past.compactions)
        assert before.past == after.past

    def test_it_returns_how_many_messages_there_are(self) -> None:
        """Those of the head do not count."""
        talk = Talk()

        assert 6 == talk.run(restore(talk.key, shown()))

    def test_messages_alone_are_a_finished_conversation(self) -> None:
        """A list as `/chat/completions` takes it; its leading instructions are the head."""
        past = taken_in([HEAD, *SAID]).past

        assert ((HEAD,), tuple(SAID)) == (past.head, past.messages)
        assert (False, False, ()) == (past.broken, past.replied, past.compactions)

    def test_a_head_of_its_own_is_the_head(self) -> None:
        """Then an instruction that leads the messages is one of them."""
        past = taken_in({"head": [HEAD], "messages": [system("Now."), *SAID]}).past

        assert ((HEAD,), (system("Now."), *SAID)) == (past.head, past.messages)

    def test_without_any_head_there_is_none(self) -> None:
        """Nothing takes the place of one that is on record later."""
        talk = taken_in(SAID)
        log = talk.bench.store.load(talk.key)

        assert [Turn(start=0, messages=tuple(SAID))] == list(log.records)

    @pytest.mark.parametrize(("replied", "complete"), [(True, False), (True, True), (False, True)])
    def test_how_it_ended_comes_along(self, *, replied: bool, complete: bool) -> None:
        """Whether the last message is a reply, and whether that is whole."""
        past = taken_in({"messages": SAID, "replied": replied, "complete": complete}).past

        assert (replied, not complete) == (past.replied, past.broken)

    def test_a_conversation_without_messages_has_no_reply(self) -> None:
        """Whatever the file says: there is nothing that could have broken off."""
        past = taken_in({"messages": [], "head": [HEAD], "complete": False, "replied": True}).past

        assert (False, False, (HEAD,)) == (past.broken, past.replied, past.head)

    def test_it_is_not_the_callers_any_more(self) -> None:
        """Changing what was given changes nothing that is on record."""
        given = copy.deepcopy(shown())
        talk = taken_in(given)
        given["head"][0]["content"] = given["messages"][0]["content"] = "Changed."
        given["compactions"][0]["synthetic"]["content"] = "Changed."

        assert ((HEAD,), tuple(SAID)) == (talk.past.head, talk.past.messages)
        assert NOTE == talk.past.compactions[0].synthetic

    def test_a_compaction_may_say_little(self) -> None:
        """What it covers and what it was made for is enough; all else is nothing then."""
        made = taken_in({"messages": SAID, "compactions": [{"covered": 2, "adopted": 3}]}).past
        expected = Compaction(covered=2, coverage=LINKS[2], adopted=3, adoption=LINKS[3])

        assert (expected,) == made.compactions

    @pytest.mark.parametrize(("adopted", "taken"), [(1, 4), (4, 4), (5, 5), (6, 6), (99, 6)])
    def test_what_it_was_made_for_is_within_the_messages(self, adopted: int, taken: int) -> None:
        """No fewer than it covers, and no more than there are."""
        (made,) = taken_in(shown(adopted=adopted)).past.compactions

        assert (taken, LINKS[taken]) == (made.adopted, made.adoption)

    def test_what_is_pinned_comes_along(self) -> None:
        """Messages by their place, sentences as they are, in this order."""
        pins = {"messages": [0, 5], "sentences": ["No pork.", "Aisle seat."]}
        talk = taken_in({"messages": SAID, "pinned": pins})
        expected = [
            Pinned(digest=digest(SAID[0])),
            Pinned(digest=digest(SAID[5])),
            Pinned(text="No pork."),
            Pinned(text="Aisle seat."),
        ]

        assert expected == list(talk.bench.store.load(talk.key).records[1:])

    def test_pins_of_no_kind_are_none(self) -> None:
        """A file of another program may say anything there."""
        talk = taken_in({"messages": SAID, "pinned": ["No pork."]})

        assert (frozenset(), ()) == (talk.past.pinned, talk.past.quoted)

    def test_every_text_is_redacted(self) -> None:
        """Of messages, head, notes and pins; a list of messages too, and roles stay."""

        def hidden(text: str) -> str:
            return text.replace("Bern", "Rome").replace("kind", "mild")

        pins = {"messages": [], "sentences": ["In Bern."]}
        past = taken_in({**shown(), "pinned": pins}, hidden).past
        said = [*SAID[:2], result("look:0", "In Rome."), assistant("In Rome."), *SAID[4:]]

        assert ((system("Be mild."),), tuple(said)) == (past.head, past.messages)
        assert "It was in Rome." == past.compactions[0].segments[0].text
        assert user("<notes>It was in Rome.</notes>") == past.compactions[0].synthetic
        assert ("In Rome.",) == past.quoted
        assert tuple(said) == taken_in(SAID, hidden).past.messages

    def test_a_conversation_that_has_messages_stays(self) -> None:
        """An export is the beginning of a conversation and is not added to one."""
        talk = held(Talk())
        with pytest.raises(HistoryError) as caught:
            talk.run(restore(talk.key, SAID))

        assert "the conversation has messages already: forget it first, or use another name" == (
            str(caught.value)
        )
        assert 0 == caught.value.index
        assert SAID == talk.messages


def test_pictures_come_along() -> None:
    """A message is whatever the caller sent."""
    message: Wire = {"role": "user", "content": ["Look: ", picture("cat")], "vendor": {"a": [1]}}

    assert (message,) == taken_in([message]).past.messages
