"""Looking up: what answers a question in one conversation, as far as that is indexed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from memory.recall import Question
from memory.records import LogKey, Record, Turn
from memory.testing.conformance.bench import Bench
from memory.testing.conformance.check import Group
from memory.testing.conformance.expect import demand, expect
from memory.testing.conformance.recall_oracle import documents_now, expected_ranking
from memory.testing.conformance.samples import MESSAGES, compaction, said, turn
from memory.testing.conformance.together import together

__all__ = ("RECALLING",)

RECALLING = Group("recalling")

MANY = 1_200
"""Messages that are no small matter to index."""
KEPT = 20
"""Messages that are left of them when much is gone back behind."""
SAID = (
    "Caroline adopted two cats in Lisbon",
    "the cats were adopted by my sister",
    "order_12-AB/7 has not arrived",
    "那个酒店靠窗的座位很好",
    "我要靠窗",
    "We booked the hotel near Gare-du-Nord!",
    "cats and cats and cats",
    "Meetings moved to May 15",
    "?!",
)
ASKED = (
    Question(text="When did Caroline adopt the cats?"),
    Question(text="cats"),
    Question(text="Which hotel?", context="a meeting in Lisbon, and the cats"),
    Question(text="where is order_12-ab/7"),
    Question(text="酒店的座位"),
    Question(text="窗"),
    Question(text="who is it", context="cats"),
    Question(text="cat* hote*"),
    Question(text="nothing of that kind"),
    Question(text="", context="Lisbon"),
    Question(text=""),
)


def _agrees(bench: Bench, key: LogKey, records: Sequence[Record], limit: int = 10) -> None:
    """Fail where what is found is not what the contract says.

    Raises:
        AssertionError: It is not.
    """
    for question in ASKED:
        expected = expected_ranking(records, question, limit=limit)
        for handle in (bench.one, bench.other):
            found = handle.lookup(key, question, limit=limit)
            expect(expected, tuple(found), f"lookup({question!r}, limit={limit})")


@RECALLING.check
def lookups_rank_as_the_contract(bench: Bench) -> None:
    """Places and scores are those of the contract, for questions in any language with a context."""
    key, records = bench.key("trip"), [turn(*SAID), turn(*SAID, *SAID[::-1], start=len(SAID))]
    bench.add(key, *records)
    for limit in (1, 2, 10, 100):
        _agrees(bench, key, records, limit)


@RECALLING.check
def lookups_need_a_conversation(bench: Bench) -> None:
    """Nothing is found where nothing is, in a log without a name, or where nothing is wanted."""
    unnamed, key = bench.key(root="aa"), bench.key("trip")
    bench.add(unnamed, turn(*SAID))
    expect((), tuple(bench.one.lookup(key, ASKED[1], limit=10)), "before there is a log")
    expect(0, bench.one.index(key), "messages of no log that were indexed")
    expect((), tuple(bench.one.lookup(unnamed, ASKED[1], limit=10)), "in a log without a name")
    bench.add(key, compaction())
    expect((), tuple(bench.one.lookup(key, ASKED[1], limit=10)), "in a log without messages")
    bench.add(key, turn(*SAID))
    for limit in (0, -1):
        expect((), tuple(bench.one.lookup(key, ASKED[1], limit=limit)), f"with limit={limit}")


@RECALLING.check
def lookups_see_one_conversation(bench: Bench) -> None:
    """What is said in others, of the same user or not, is not found and changes no score."""
    keys = [bench.key("a"), bench.key("b"), bench.key("a", user="ann"), bench.key("a", beside="2")]
    logs = {key: [turn(*SAID[place:])] for place, key in enumerate(keys)}
    for key, records in logs.items():
        bench.add(key, *records)
    for key, records in logs.items():
        _agrees(bench, key, records)


@RECALLING.check
def turns_are_looked_up_at_once(bench: Bench) -> None:
    """What one handle appends another one finds, though it has looked before, without indexing."""
    key, records = bench.key("trip"), [turn(*SAID)]
    bench.add(key, *records)
    for start in range(len(SAID), len(SAID) + 6, 2):
        _agrees(bench, key, records)
        records.append(turn(f"cats, again {start}", "Noted.", start=start))
        bench.add(key, records[-1])
    _agrees(bench, key, records)


@RECALLING.check
def replaced_messages_are_not_looked_up(bench: Bench) -> None:
    """What a later turn goes back behind is not found any more, and does not count."""
    for indexed in (True, False):
        key, records = bench.key(f"trip {indexed}"), [turn(*SAID), turn("Cats!", start=len(SAID))]
        bench.add(key, *records)
        if indexed:
            bench.one.index(key)
        for later in (turn("a cat", start=4), turn(start=2), turn(*SAID, start=1), turn(start=0)):
            bench.add(key, compaction(), later)
            records.append(later)
            _agrees(bench, key, records)


@RECALLING.check
def long_conversations_are_indexed(bench: Bench) -> None:
    """One that was never looked up is indexed as a whole, once, and going back in it as well."""
    key, chance = bench.key("trip"), Random(bench.seed)
    records: list[Record] = [
        turn(*(f"{chance.choice(SAID)} {chance.randrange(50)}" for _ in range(MANY // 4)), start=at)
        for at in range(0, MANY, MANY // 4)
    ]
    bench.add(key, *records)
    for question in ASKED:  # whatever is indexed by then
        places = [found.place for found in bench.other.lookup(key, question, limit=10)]
        demand(len({*places}) == len(places), f"{question!r} is answered twice by one message")
    bench.one.index(key)
    expect(0, bench.other.index(key), "messages that were indexed a second time")
    _agrees(bench, key, records)
    records.append(turn("a new cat", start=KEPT))
    bench.add(key, records[-1])
    for question in ASKED:
        late = [each for each in bench.other.lookup(key, question, limit=10) if each.place > KEPT]
        expect([], late, "what was replaced and is found")
    bench.other.index(key)
    _agrees(bench, key, records)


@RECALLING.check
def indexers_at_once_share_the_work(bench: Bench) -> None:
    """Of those who index at once each message with words is indexed by one, and none is missing."""
    key, size = bench.key("trip"), len(SAID)
    records = [turn(*SAID, start=start) for start in range(0, 150 * size, size)]
    bench.add(key, *records)
    counts = together([lambda: bench.one.index(key), lambda: bench.other.index(key)] * 2)
    expect(len(documents_now(records)), sum(counts), "messages that were indexed by four at once")
    _agrees(bench, key, records)


@RECALLING.check
def forgotten_messages_are_not_looked_up(bench: Bench) -> None:
    """Forgetting removes what can be looked up, and what is said anew does not count it."""
    key, other, records = bench.key("a"), bench.key("b"), [turn(*SAID)]
    for each in (key, other):
        bench.add(each, *records)
        bench.one.index(each)
    bench.other.forget(key)
    _agrees(bench, key, [])
    _agrees(bench, other, records)
    bench.add(key, turn("a cat"))
    _agrees(bench, key, [turn("a cat")])


@RECALLING.check
def odd_messages_are_looked_up(bench: Bench) -> None:
    """Whatever a message holds, the conversation is indexed and asked."""
    records = [Turn(start=0, messages=(*MESSAGES.values(), said("cats")))]
    key = bench.key("trip")
    bench.add(key, *records)
    _agrees(bench, key, records)
    for message in MESSAGES.values():
        text = str(message.get("content"))
        question = Question(text=text[:2_000], context=text[-2_000:])
        expected = expected_ranking(records, question, limit=5)
        expect(expected, tuple(bench.other.lookup(key, question, limit=5)), f"{text[:80]!r}")


@RECALLING.check
def any_course_is_looked_up(bench: Bench) -> None:
    """After any turns, going back and indexing in between, what is found is what is said now."""
    chance = Random(bench.seed)
    for course in range(6):
        key, length = bench.key(f"trip {course}"), 0
        records: list[Record] = []
        for _ in range(8):
            start = chance.choice((length, length, chance.randint(0, length)))
            texts = chance.choices(SAID, k=chance.randint(0, 40))
            records.append(turn(*texts, start=start))
            length = start + len(texts)
            bench.add(key, records[-1])
            if chance.choice((True, False)):
                bench.one.index(key)
            _agrees(bench, key, records, 3)
