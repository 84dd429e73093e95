"""Searching: what is said now is found, in any language, in the same order by every store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from memory.records import Hit, LogKey, Record, Turn
from memory.testing.conformance.bench import Bench
from memory.testing.conformance.check import Group
from memory.testing.conformance.expect import demand, expect, only_one
from memory.testing.conformance.oracle import documents_in, expected_hits
from memory.testing.conformance.samples import MESSAGES, compaction, logged, said, turn

__all__ = ("SEARCHING", "Corpus")

SEARCHING = Group("searching")

Found = list[tuple[str, int]]


class Corpus:
    """Conversations in a store and beside it, to compare what is found.

    Args:
        bench: Where the store is.
        texts: For each conversation what is said in it.
    """

    def __init__(self, bench: Bench, texts: Mapping[str, Sequence[str]] | None = None) -> None:
        self.bench = bench
        self.logs: dict[LogKey, list[Record]] = {}
        for name, said_there in (texts or {}).items():
            self.add(bench.key(name), turn(*said_there))

    def add(self, key: LogKey, *records: Record) -> None:
        """Append records to a conversation of ours."""
        self.bench.add(key, *records)
        self.logs.setdefault(key, []).extend(records)

    def agrees(self, query: str, **options: object) -> tuple[Hit, ...]:
        """Return what is found; fail where it is not what the contract says.

        Raises:
            AssertionError: It is not.
        """
        expected = expected_hits(self.logs, query, **options)  # type: ignore[arg-type]
        for handle in (self.bench.one, self.bench.other):
            found = handle.search(self.bench.namespace, query, **options)  # type: ignore[arg-type]
            expect(_brief(expected), _brief(found), f"search({query!r}, {options})")
            expect(expected, found, f"search({query!r}, {options})")
        return expected


def _brief(hits: Sequence[Hit]) -> list[tuple[str, str, int, float]]:
    """Return what tells hits apart, for messages that can be read."""
    return [(hit.user, hit.name, hit.place, hit.score) for hit in hits]


def _places(hits: Sequence[Hit]) -> Found:
    return [(hit.name, hit.place) for hit in hits]


@SEARCHING.check
def words_are_found(bench: Bench) -> None:
    """A word is found in any case, form and punctuation, and a part of one only with a *."""
    corpus = Corpus(
        bench, {"trip": ["Book the hotel (near Gare-du-Nord)!", "Booked: HOTEL_7, 12€."]}
    )
    for query, places in (
        ("hotel", [0, 1]),
        ("HOTEL", [0, 1]),
        ("nord", [0]),
        ("book", [0, 1]),
        ("booking", [0, 1]),
        ("book*", [0, 1]),
        ("booked*", [1]),
        ("hote", []),
        ("7", [1]),
        ("train", []),
    ):
        found = sorted(hit.place for hit in corpus.agrees(query))
        expect(places, found, f"where {query!r} is found")


@SEARCHING.check
def forms_of_a_word_are_one(bench: Bench) -> None:
    """English words are found by their stems; a word with a * finds what was written so."""
    said_there = ["They were running late", "A run", "runway 7b", "no dying houses", "un running"]
    corpus = Corpus(bench, {"trip": said_there})
    for query, places in (
        *(("run", [0, 1, 4]), ("runs running", [0, 1, 4]), ("runner", []), ("runways", [2])),
        *(("run*", [0, 1, 2, 4]), ("runn*", [0, 4]), ("runni*", [0, 4]), ("runw*", [2])),
        *(("dyi*", [3]), ("die", [3]), ("house", [3]), ("houses*", [3]), ("7b", [2]), ("7", [])),
    ):
        found = sorted(hit.place for hit in corpus.agrees(query))
        expect(places, found, f"where {query!r} is found")
    for query in ("run* late", "run*", "houses running", "dyi* runn*"):
        corpus.agrees(query, match="any")


@SEARCHING.check
def identifiers_are_found_whole(bench: Bench) -> None:
    """What signs join is found as one, and by its pieces, and is not mixed up with its like."""
    said_there = [
        "Order order_12-AB/7, please.",
        "order 12, then 7 AB",
        "Write to ann@example.com (not bob@example.com)!",
        "订单HAT-123已发货",
        "see /srv/app/main.py at 192.168.0.1 on 2024-05-15",
        "May 15, 2024: HAT 123; main app: 0.1.192.168",
    ]
    corpus = Corpus(bench, {"trip": said_there})
    for query, places in (
        *(("order_12-ab/7", [0]), ("order_12*", [0]), ("order 12", [0, 1]), ("ab 7", [0, 1])),
        *(("ann@example.com", [2]), ("com@example.ann", []), ("example", [2]), ("HAT-123", [3])),
        *(("hat 123", [3, 5]), ("/srv/app/main.py", [4]), ("192.168.0.1", [4]), ("app", [4, 5])),
        *(("2024-05-15", [4]), ("2024", [4, 5]), ("2024-0*", [4])),
    ):
        found = sorted(hit.place for hit in corpus.agrees(query))
        expect(places, found, f"where {query!r} is found")
    for query in ("order_12-AB/7", "HAT-123", "bob@example.com"):
        corpus.agrees(query, match="any")


@SEARCHING.check
def repeated_terms_make_no_message_longer(bench: Bench) -> None:
    """The length by which messages are ranked counts words, not what is indexed beside them."""
    corpus = Corpus(bench, {"trip": ["fox hunting dogs", "fox hunt dog", "fox a_1", "fox a 1"]})
    scores = {hit.place: hit.score for hit in corpus.agrees("fox")}
    expect([scores[1], scores[3]], [scores[0], scores[2]], "scores of messages of one length")


@SEARCHING.check
def hits_tell_what_was_said(bench: Bench) -> None:
    """A hit has the user, the name, the place without the head, the role and the text."""
    key = bench.key("trip", user="ann")
    head = (said("A system prompt about hotels.", "system"),)
    records = [
        Turn(start=0, messages=(said("one"), said("two", "assistant")), head=head),
        Turn(start=2, messages=(said("three hotels"), said("four", "assistant")), replied=True),
    ]
    bench.add(key, *records)
    hit = only_one(bench.other.search(bench.namespace, "hotels", user="ann"), "hits")
    facts = (hit.user, hit.name, hit.place, hit.role, hit.text)
    expect(("ann", "trip", 2, "user", "three hotels"), facts, "the hit")
    demand(hit.score > 0, f"the score is {hit.score}")
    hit = only_one(bench.other.search(bench.namespace, "four", user="ann"), "hits")
    expect((3, "assistant"), (hit.place, hit.role), "the place and role of a reply")


@SEARCHING.check
def chinese_is_found_wherever_it_stands(bench: Bench) -> None:
    """Chinese of one, two and more characters is found within sentences, and mixed with English."""
    corpus = Corpus(
        bench, {"trip": ["我们明天上午去北京西站", "帮我减少Token消耗，谢谢", "北方的京城不是北京"]}
    )
    for query, places in (
        ("北", [0, 2]),
        ("站", [0]),
        ("北京", [0, 2]),
        ("北京西站", [0]),
        ("西京", []),
        ("消耗", [1]),
        ("减少token", [1]),
        ("Token 谢谢", [1]),
        ("明天 北京", [0]),
        ("上海", []),
    ):
        found = sorted(hit.place for hit in corpus.agrees(query))
        expect(places, found, f"where {query!r} is found")


@SEARCHING.check
def other_scripts_are_found(bench: Bench) -> None:
    """Japanese, Korean, Thai, Russian, Arabic, accents and full-width letters are found."""
    texts = ["東京タワーに行きたい", "안녕하세요 반갑습니다", "ไปเที่ยวกรุงเทพ", "Завтра в Москву"]
    corpus = Corpus(bench, {"trip": [*texts, "مرحبا بالعالم", "un café crème", "ＡＢＣ ﬁn"]})
    queries = ("東京", "タワー", "안녕", "반갑", "กรุงเทพ", "москву", "مرحبا")
    for place, query in enumerate(queries):
        expected = [(0, 0, 1, 1, 2, 3, 4)[place]]
        found = [hit.place for hit in corpus.agrees(query)]
        expect(expected, found, f"where {query!r} is found")
    for query, place in (("café", 5), ("cafe\u0301", 5), ("abc", 6), ("fin", 6)):
        expect([place], [hit.place for hit in corpus.agrees(query)], f"where {query!r} is found")


@SEARCHING.check
def all_terms_or_any(bench: Bench) -> None:
    """With "all" a message holds every term, with "any" one of them is enough."""
    corpus = Corpus(
        bench, {"a": ["red fox", "blue fox", "red 狐狸"], "b": ["green", "blue red fox"]}
    )
    for query in ("red fox", "fox red", "blue 狐狸", "red 狐狸 fox", "green purple", "none at all"):
        every = _places(corpus.agrees(query, match="all"))
        some = _places(corpus.agrees(query, match="any"))
        demand(set(every) <= set(some), f"{query!r}: {every} for all, {some} for any")
    expect([("b", 1), ("a", 0)], sorted(_places(corpus.agrees("red fox")), reverse=True), "all")
    expect(2, len(corpus.agrees("green purple 狐狸", match="any")), "any")


@SEARCHING.check
def ranking_is_that_of_the_contract(bench: Bench) -> None:
    """Hits come by BM25 within what is searched, then by place, user and name, with its scores."""
    corpus = Corpus(
        bench,
        {
            "a": ["fox fox fox", "a fox in a very long sentence about many other things", "dog"],
            "b": ["fox", "dog fox", "cat", "fox"],
            "c": ["the fox and the dog and the fox", "狐狸和狗", "狗狗狗", "dog dog"],
        },
    )
    for query in ("fox", "dog", "fox dog", "狗", "狐狸", "the", "and fox", "ca*"):
        for name in (None, "a", "b"):
            corpus.agrees(query, name=name)
            corpus.agrees(query, name=name, match="any")
    first = [("a", 0), ("b", 3), ("b", 0), ("b", 1), ("c", 0), ("a", 1)]
    expect(first, _places(corpus.agrees("fox")), "the order of what has a fox")


@SEARCHING.check
def equal_hits_come_latest_first(bench: Bench) -> None:
    """Of messages that match equally well the latest in its conversation comes first."""
    names = ("b", "a", "B", "é", "你", "😀")
    corpus = Corpus(bench, {name: ["same words", "same words"] for name in names})
    expected = [(name, place) for place in (1, 0) for name in sorted(names)]
    expect(expected, _places(corpus.agrees("same", limit=20)), "the order of equal hits")
    expect(expected[:5], _places(corpus.agrees("same", limit=5)), "the first of them")


@SEARCHING.check
def limit_is_kept(bench: Bench) -> None:
    """No more hits come than were asked for: the best ones, and ten where nothing is said."""
    corpus = Corpus(bench, {"a": [f"fox {'fox ' * (place % 5)}" for place in range(30)]})
    every = corpus.agrees("fox", limit=100)
    expect(30, len(every), "the number of all hits")
    for limit in (1, 2, 29, 30, 31):
        expect(every[:limit], corpus.agrees("fox", limit=limit), f"the first {limit}")
    found = bench.one.search(bench.namespace, "fox")
    expect(_brief(every[:10]), _brief(found), "hits where no limit is given")


@SEARCHING.check
def appended_messages_are_found_at_once(bench: Bench) -> None:
    """What one handle appends another one finds at once, though it has searched before."""
    corpus, key = Corpus(bench), bench.key("trip")
    corpus.agrees("fox")
    for place in range(4):
        corpus.add(key, turn(f"fox {place}", start=place))
        found = sorted(hit.place for hit in corpus.agrees("fox"))
        expect(list(range(place + 1)), found, "where a fox is found")


@SEARCHING.check
def replaced_messages_are_not_found(bench: Bench) -> None:
    """What a later turn goes back behind is not found any more; what it says is."""
    for searched in (True, False):  # before, so that an index made late is seen as well
        corpus, key = Corpus(bench), bench.key(f"trip {searched}")
        corpus.add(key, turn("one fox", "two fox"), turn("three fox", start=2))
        if searched:
            expect(3, len(corpus.agrees("fox", name=key.name)), "before going back")
        corpus.add(key, compaction(), turn("one cat", start=1))
        expect([(key.name, 0)], _places(corpus.agrees("fox", name=key.name)), "after going back")
        expect([(key.name, 1)], _places(corpus.agrees("cat", name=key.name)), "what came instead")
        corpus.add(key, turn(start=0))
        expect((), corpus.agrees("one", name=key.name), "after going back to the beginning")
        corpus.add(key, turn("four fox", start=0), turn("five fox", start=0))
        expect((), corpus.agrees("four", name=key.name), "what was replaced within one append")
        bench.one.forget(key)


@SEARCHING.check
def forgotten_messages_are_not_found(bench: Bench) -> None:
    """Forgetting removes the entries of the search index, tells how many, and spares others."""
    corpus = Corpus(bench, {"a": ["fox one", "!", "fox two"], "b": ["fox three"]})
    expect(3, len(corpus.agrees("fox")), "hits before")
    key = bench.key("a")
    number = documents_in(corpus.logs.pop(key))
    removed = bench.other.forget(key).documents
    demand(removed in (number, 0), f"{removed} entries of the index were removed, of {number}")
    expect([("b", 0)], _places(corpus.agrees("fox")), "hits after")
    corpus.add(key, turn("a cat"))
    expect([("b", 0)], _places(corpus.agrees("fox")), "hits after it was begun anew")
    expect([("a", 0)], _places(corpus.agrees("cat")), "what was said anew")


@SEARCHING.needing("listing")
def forgotten_users_are_not_found(bench: Bench) -> None:
    """Forgetting a user removes what can be found of theirs, tells how much, and spares others."""
    corpus = Corpus(bench)
    for user in ("ann", "bob"):
        for name in ("a", "b"):
            corpus.add(bench.key(name, user=user), turn("fox", "fox again"))
        expect(4, len(corpus.agrees("fox", user=user)), f"hits of {user}")
    removed = bench.other.forget_user(bench.namespace, "ann").documents
    demand(removed in (4, 0), f"{removed} entries of the index were removed, of 4")
    corpus.logs = {key: log for key, log in corpus.logs.items() if key.user != "ann"}
    expect(0, len(corpus.agrees("fox", user="ann")), "hits of ann after that")
    expect(4, len(corpus.agrees("fox", user="bob")), "hits of bob after that")


@SEARCHING.check
def searches_stay_within_their_scope(bench: Bench) -> None:
    """A search sees one user of one namespace, or one conversation of theirs, in scores as well."""
    corpus = Corpus(bench, {"a": ["fox in the woods", "a bear"], "b": ["fox", "no"]})
    before = [corpus.agrees("fox", name=name) for name in (None, "a", "b", "c")]
    for user in ("ann", "a"):
        corpus.add(bench.key("a", user=user), turn("fox", "fox fox", "bear"))
    bench.add(bench.key("a", beside="x"), turn("fox", "fox fox"))
    bench.add(bench.key(root="aa"), turn("fox", "fox fox"), logged("fox"))
    after = [corpus.agrees("fox", name=name) for name in (None, "a", "b", "c")]
    expect(before, after, "hits of nobody in particular, after others had said the same")
    for user in ("ann", "a", "", "bob"):
        corpus.agrees("fox", user=user)
        corpus.agrees("bear", user=user, name="a")


@SEARCHING.check
def queries_have_no_operators(bench: Bench) -> None:
    """Queries are words: quotes, operators and wildcards of databases break and find nothing."""
    corpus = Corpus(
        bench, {"a": ["fox OR bear", "NOT a fox", "near the bear's 50% _x_"], "b": ["or"]}
    )
    queries = (
        *("", " ", "*", '"', "'", '"fox', "fox'", "fox; DROP TABLE memory; --", "fox)", "((fox"),
        *("fox OR bear", "fox AND NOT bear", "NOT fox", "NEAR(fox bear)", "fox NEAR/2 bear", "or"),
        *("fox_1*", "fox-1*fox", "a@b.c*", "¬fox", "¤fox·1", "fox·1*", "foxes*", "*fox_1*_2*"),
        *("^fox", "-fox", "+fox", "fox:*", "words:fox", "scope : fox", "fox & !bear", "fox | bear"),
        *("fox <-> bear", "fo_", "f%", "%", "_", "\\", "fox\\", "'fox' & 'bear'", "50%", "§", "**"),
        *("fox\0bear", "\0", "\ud800", "fox\ud800", "{}", "{0}", "%s", "$1", "?", ":x", "fox*bear"),
        *("\u202efox", "f\xadox", "x" * 5_000, "fox " * 1_000, "狐" * 1_000, "🦊", "a\u0301" * 500),
    )
    for query in queries:
        corpus.agrees(query)
        corpus.agrees(query, match="any")


@SEARCHING.check
def odd_messages_do_not_disturb(bench: Bench) -> None:
    """Messages that are hard to keep can be among those that are searched."""
    corpus = Corpus(bench)
    for place, message in enumerate(MESSAGES.values()):
        corpus.add(bench.key(f"trip {place}"), Turn(start=0, messages=(message, said("fox"))))
    hits = corpus.agrees("fox", limit=100)
    expect(len(MESSAGES), len(hits), "the number of messages that are found among them")
    for query in ("hi", "look", "我们", "réponse", "drop table", "json", "user", "u0000", "abc"):
        corpus.agrees(query)


@SEARCHING.check
def calls_and_results_are_found(bench: Bench) -> None:
    """Names and arguments of tool calls are found, and results, but no pictures and no thoughts."""
    call = {"name": "book_hotel", "arguments": '{"city": "Lyon", "note": "b\\u00e9same"}'}
    asking = {
        "role": "assistant",
        "content": None,
        "reasoning_content": "secret",
        "tool_calls": [{"id": "x:1", "type": "function", "function": call}],
    }
    result = {"role": "tool", "tool_call_id": "x:1", "content": '{"price": 120}'}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGlkZGVu"}}
    parts = {"role": "user", "content": [{"type": "text", "text": "like this one"}, picture]}
    corpus = Corpus(bench)
    corpus.add(bench.key("trip"), Turn(start=0, messages=(asking, result, parts)))
    for query, places in (
        *(("lyon", [0]), ("hotel", [0]), ("bésame", [0]), ("120", [1]), ("price", [1])),
        *(("like", [2]), ("secret", []), ("agllzgvu", []), ("base64", [])),
    ):
        expect(places, [hit.place for hit in corpus.agrees(query)], f"where {query!r} is found")


@SEARCHING.check
def thousands_of_matches_are_cut_alike(bench: Bench) -> None:
    """Where more messages match than are ranked, those with the highest places are."""
    many = [said(f"fox {place % 7}" if place else "fox fox fox") for place in range(1_300)]
    corpus = Corpus(bench)
    corpus.add(bench.key("a"), Turn(start=0, messages=tuple(many)))
    corpus.add(bench.key("b"), turn("fox 3", "bear", "a rare fox"))
    for query in ("fox", "fox 3", "fox bear", "fox rare"):
        corpus.agrees(query)
        corpus.agrees(query, match="any", limit=30)
