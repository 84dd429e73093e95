"""Which view is sent, and what goes into it: the record that is followed, and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from talks import Talk
from workbench import (
    LONG,
    MODEL,
    SPACE,
    WordCounter,
    Workbench,
    answers,
    appended,
    assistant,
    chat,
    context,
    exchange,
    picture,
    play,
    prompt,
    system,
    told,
    user,
    words,
)

from memory import events
from memory.errors import BudgetError, SealedError
from memory.flow import Log, fit
from memory.flow.conversation import standing
from memory.flow.past import Past
from memory.flow.resume import best, earliest
from memory.flow.store_effects import Find, Known, Load, Search
from memory.flow.unsaved import Unsaved
from memory.identity import digest
from memory.records import Compaction, LogKey, Segment, Shortened, Standing, Turn
from memory.stores import VolatileStore
from memory.view import Thread

HUGE = {"type": "function", "function": {"name": "f", "description": words(900)}}


class LineCounter(WordCounter):
    """Counts words, and seven more for each line end."""

    def count(self, text: str) -> float:
        """Return the number of words and what the line ends cost."""
        return super().count(text) + 7 * text.count("\n")


def covering(messages: list[Any], covered: int, *, text: str, adopted: int | None = None) -> Any:
    """Return a compaction of the first messages after the head, with a note of its own."""
    thread = Thread.of(messages)
    note = user(text)
    made_for = covered if adopted is None else adopted
    segment = Segment(text=text, first=1, last=covered, tokens=5, author=MODEL)
    return Compaction(
        covered=covered,
        coverage=thread.links[covered],
        adopted=made_for,
        adoption=thread.links[made_for],
        segments=(segment,),
        synthetic=note,
        mark=digest(note),
    )


class TestChoosing:
    """Which of the records an input follows."""

    def test_the_one_it_was_made_for_comes_first(self) -> None:
        """If it fits, although another covers more."""
        mine = covering(LONG, 60, text="mine", adopted=len(LONG) - 2)
        deeper = covering(LONG, 70, text="deeper", adopted=71)
        here = context()
        given = prompt(LONG)
        state = best(given, here, given.thread(), [deeper, mine])

        assert state.view.record == mine

    def test_the_shallowest_that_fits_is_next(self) -> None:
        """What need not be left out is sent."""
        records = [covering(LONG, n, text=f"{n}") for n in (10, 50, 60, 70)]
        records = [replace(each, adoption=b"other" * 3) for each in records]
        given = prompt(LONG)
        state = best(given, context(), given.thread(), records)

        assert state.view.record is not None
        assert 50 == state.view.record.covered
        assert state.fits

    def test_where_none_fits_the_deepest_is_gone_on_from(self) -> None:
        """It is the cheapest to make smaller, in whatever order they are on record."""
        records = [covering(LONG, n, text=f"{n}") for n in (10, 30, 20)]
        records = [replace(each, adoption=b"other" * 3) for each in records]
        given = prompt(LONG)
        state = best(given, context(200), given.thread(), records)

        assert state.view.record is not None
        assert 30 == state.view.record.covered
        assert not state.fits

    def test_without_any_the_prompt_is_the_view(self) -> None:
        """As it was given."""
        given = prompt(LONG)
        state = best(given, context(), given.thread(), [])

        assert state.view.record is None
        assert list(LONG) == list(state.messages)

    def test_declarations_count_before_anything_is_known(self) -> None:
        """A short prompt with long declarations is no short prompt."""
        bench = Workbench(1_000)
        with pytest.raises(BudgetError) as caught:
            bench.fit([user("a")], tools=(HUGE, HUGE))

        assert {"tools", "last user message", "room for notes"} >= set(caught.value.culprits)

    def test_a_record_speaks_for_inputs_that_are_long_enough(self) -> None:
        """The least that any was made for is what a store is asked."""
        one, other = (covering(LONG, n, text=f"{n}") for n in (30, 20))
        key = LogKey(namespace=SPACE, name="trip")
        turn = Turn(start=0, messages=tuple(LONG[1:]))
        log = Log(records=(turn, one, other), version=3)

        def asked(log: Log, **others: Any) -> int | None:
            given = prompt(LONG, log=key, **others)
            return play(earliest(given), {Load: [log], Known: [7]})[0]

        assert [20, None] == [asked(log), asked(Log(records=(turn,), version=1))]
        assert asked(log, blind=True) is None
        assert 7 == play(earliest(prompt(LONG)), {Known: [7]})[0]

    def test_a_store_is_asked_for_what_could_speak(self) -> None:
        """In the namespace and for the user of the prompt, without the name behind it."""
        given = prompt(LONG, namespace=f"{SPACE}", user="ann")
        _, effects = play(fit(given, context()), answers())
        known = [each for each in effects if isinstance(each, Known)]
        found = [each for each in effects if isinstance(each, Find)]

        assert {(SPACE, "ann")} == {(each.namespace, each.user) for each in known}
        assert {(SPACE, "ann")} == {(each.namespace, each.user) for each in found}
        links = set(given.thread().links)
        assert all(links < set(each.hashes) for each in found)
        assert {(SPACE, "ann")} == {(e.key.namespace, e.key.user) for e in appended(effects)}


class TestKeeping:
    """What stays in a view, and what is quoted in it."""

    def test_clearing_results_keeps_the_summaries(self) -> None:
        """What was summarised before stays so when old results are left out."""
        bench = Workbench(6_000, identifiers=0, clear_tool_results="only")
        talk = [system("a"), *chat(10, head=0)]
        record = covering(talk, 8, text="The first eight.", adopted=len(talk) - 1)
        long = [*talk, assistant("Yes.")]
        for number in range(20):
            long += exchange(f"look:{number}", result=words(300, f"{number}-"))
        root = Thread.of(talk).links[1].hex()
        bench.store.append(LogKey(namespace=SPACE, root=root), (record,), expected=0)
        fitted = bench.fit(long)

        assert fitted.record is not None
        assert any(isinstance(each, events.ResultsCleared) for each in bench.events)
        assert record.segments == fitted.record.segments[:1]
        assert fitted.record.covered >= 8

    def test_an_outlook_knows_what_is_cleared(self) -> None:
        """Where that is enough nothing is cut, and nothing would be paid."""
        bench = Workbench(6_000, identifiers=0, target=0.5, notes=0.3)
        long = [system("a"), user("Count all the ships.")]
        for number in range(20):
            long += exchange(f"look:{number}", result=words(300, f"{number}-"))
        looked = bench.outlook(long)
        fitted = bench.fit(long)

        assert ("compact", "old tool results are enough to leave out", 0, ()) == (
            looked.plan.action,
            looked.plan.reason,
            looked.plan.cut,
            looked.dropped,
        )
        assert (bench.tokens(long), fitted.tokens, 6_000) == (
            looked.plan.tokens,
            looked.plan.projected,
            looked.plan.limit,
        )

    def test_a_list_that_is_dearer_than_its_parts_is_made_shorter(self) -> None:
        """Lines cost something too, and the view stays under the trigger."""
        bench = Workbench(1_500, counter=LineCounter())
        messages = [system("a")]
        for turn in range(60):
            messages.append(user(f"Order W-{turn:05} of C-{turn:05} goes to ORD-{turn:04}-X."))
            messages.append(assistant(f"W-{turn:05}, C-{turn:05}, ORD-{turn:04}-X: yes. " * 3))
        messages.append(user("Which?"))
        fitted = bench.fit(messages)

        assert fitted.record is not None
        assert fitted.record.identifiers
        assert fitted.tokens <= 1_455
        assert {} == bench.wrong(messages, fitted)

    def test_what_was_cleared_stays_cleared_at_the_place_where_a_record_ends(self) -> None:
        """The first message that a record does not cover keeps its shortening."""
        talk = [
            system("a"),
            user("b"),
            *exchange("x", result=words(300)),
            assistant("c"),
            user("d"),
        ]
        thread = Thread.of(talk)
        note = user("notes")
        record = Compaction(
            covered=2,
            coverage=thread.links[2],
            adopted=4,
            adoption=thread.links[4],
            shortened=(Shortened(index=2, head=0, tail=0),),
            segments=(Segment(text="n", first=1, last=2, tokens=1, author=MODEL),),
            synthetic=note,
            mark=digest(note),
        )
        given = prompt(talk)
        state = best(given, context(), given.thread(), [record])
        texts = [message["content"] for message in state.messages]

        assert not any(words(300) in text for text in texts)

    def test_standing_instructions_are_in_the_record_and_the_message(self) -> None:
        """A user's wish is quoted where it was said before what is left out."""
        wish = "From now on, always answer in French."
        messages = [*LONG[:3], user(wish), assistant("Bien sûr."), *LONG[3:]]
        bench = Workbench(1_000)
        fitted = bench.fit(messages)
        assert fitted.record is not None
        assert fitted.record.synthetic is not None

        assert (Standing(wish, "user"),) == fitted.record.standing
        assert wish in fitted.record.synthetic["content"]
        bare = bench.meter.count([fitted.record.synthetic])[0]
        assert bare == fitted.record.cost
        assert digest(fitted.record.synthetic) == fitted.record.mark

    def test_ones_own_view_is_gone_on_from(self) -> None:
        """Also where it keeps a question verbatim before all that follows: nothing comes twice."""
        bench = Workbench(1_000)
        messages = [system(words(50)), user(words(20, "q"))]
        for number in range(30):
            messages += exchange(f"look:{number}", result=words(40, f"{number}-"))
        fitted = bench.fit(messages)
        assert fitted.record is not None
        later = [*fitted.messages, assistant("a"), user("b")]

        assert (0,) == fitted.record.kept
        assert later == list(bench.fit(later).messages)

    def test_messages_keep_their_numbers_behind_ones_own_view(self) -> None:
        """What is summarised next is numbered on from what the notes stand for."""
        bench = Workbench(1_000)
        bench.context = replace(bench.context, summarizer_model="kimi-k3")
        fitted = bench.fit(LONG)
        assert fitted.record is not None
        later = list(fitted.messages)
        for turn in range(20):
            later += [assistant(words(20, f"b{turn}-")), user(words(20, f"v{turn}-"))]
        bench.fit(later)
        first, second, *_ = bench.scribe.requests

        assert fitted.record.segments[-1].last == first.numbers[-1]
        assert first.numbers[-1] + 1 == second.numbers[0]

    def test_a_request_that_quotes_has_no_tools(self) -> None:
        """They go with the messages as they were sent, and with nothing else."""
        bench = Workbench(1_000)
        tool = {"type": "function", "function": {"name": "look"}}
        photo = {"role": "user", "content": [picture("x"), words(20)]}
        bench.meter.learn(photo, 30)
        bench.fit([*LONG[:3], photo, *LONG[4:]], tools=(tool,))
        bench.fit([user("x"), *LONG[1:]], tools=(tool,))
        rendered, shared = bench.scribe.requests

        assert [("rendered", ()), ("shared", (tool,))] == [
            (each.form, each.tools) for each in (rendered, shared)
        ]

    def test_what_is_on_record_is_not_redacted_twice(self) -> None:
        """A redactor may say something else of what it has redacted already."""
        talk = Talk(bench=Workbench(10_000))
        talk.add(user("a"), assistant("b"))
        given = talk.join(redact=lambda text: f"<{text}>")
        shown = talk.run(standing(given, talk.bench.context))

        assert [user("a"), assistant("b")] == list(shown)


def test_what_is_saved_leaves_the_rest() -> None:
    """Of what a store did not take, one record after the other; of other logs nothing."""
    unsaved, key, other = Unsaved(), LogKey(namespace=SPACE, name="a"), LogKey(namespace=SPACE)
    one, two = (covering(LONG, n, text=f"{n}") for n in (10, 20))
    for record in (one, two):
        unsaved.keep(key, record)
    unsaved.keep(other, one)
    unsaved.saved(key, one)
    assert [(two,), (one,)] == [unsaved.of(key), unsaved.of(other)]

    unsaved.saved(key, two)
    assert [(), (one,)] == [unsaved.of(key), unsaved.of(other)]


class TestReading:
    """What is no log of ours."""

    def test_a_sealed_conversation_is_not_read_as_an_empty_one(self) -> None:
        """Its head says that it was encrypted."""
        sealed = Turn(start=0, head=({"ct": "…", "kid": "a"},))
        with pytest.raises(SealedError):
            Past.of(Log(records=(sealed,), version=1))

    def test_a_head_with_such_a_key_is_a_head(self) -> None:
        """A message has a role, whatever else it holds."""
        head = ({"role": "system", "content": "a", "ct": "b"},)

        assert head == Past.of(Log(records=(Turn(start=0, head=head),), version=1)).head

    def test_a_search_is_for_one_user_and_conversation(self) -> None:
        """Every word of it reaches the store."""
        store = VolatileStore()
        for user_, name in (("ann", "a"), ("ann", "b"), ("bob", "a")):
            key = LogKey(namespace=SPACE, user=user_, name=name)
            store.append(key, (Turn(start=0, messages=(user("A blue ship."),)),), expected=0)

        def found(query: str, **where: Any) -> list[tuple[str, str]]:
            usual = {"user": "ann", "name": None, "match": "all", "limit": 9}
            effect = Search(namespace=SPACE, query=query, **{**usual, **where})
            return sorted((hit.user, hit.name) for hit in effect.on(store))

        assert [("ann", "a"), ("ann", "b")] == found("ship")
        assert [("bob", "a")] == found("ship", user="bob")
        assert [("ann", "b")] == found("ship", name="b")
        assert [] == found("green ship")
        assert 2 == len(found("green ship", match="any"))
        assert 1 == len(found("ship", limit=1))


def test_what_differs_is_told_at_its_first_place() -> None:
    """Where several messages differ, that is where to look."""
    bench = Workbench(1_000)
    bench.fit(LONG)
    edited = [*LONG]
    for place in (12, 5, 9):
        edited[place] = {**LONG[place], "content": f"Something else {place}."}
    _, effects = play(
        fit(prompt(edited), context()), answers(load=[Log(records=bench.log(LONG), version=1)])
    )

    assert [(4, "content")] == [(e.index, e.key) for e in told(effects, events.PrefixDiverged)]
