"""Search by words in memory: what it finds, and how it follows a conversation."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.analysis import Query, length_of, written
from memory.bm25 import CANDIDATES
from memory.identity import chain, see
from memory.messages import WireMessage, role_of
from memory.recall import Passages, Question
from memory.retrievers import Preparing, Retriever
from memory.retrievers.lexical import LexicalRetriever
from memory.said import searched_text

WORDS = (
    "zebra",
    "Zebras",
    "order_12-AB",
    "meeting",
    "the",
    "靠窗",
    "靠窗座位",
    "靠",
    "café",
    "",
    "x " * 40,
)
UNREADABLE = "unreadable"
TEXTS = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
CONVERSATIONS = st.lists(TEXTS, max_size=8)
QUESTIONS = st.builds(lambda text, context: Question(text=text, context=context), TEXTS, TEXTS)


class Read:
    """Texts of messages, with what was read of them."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, message: WireMessage) -> str:
        """Return what a message says."""
        self.texts.append(searched_text(message))
        return self.texts[-1]


def passages(*texts: str, read: Read | None = None) -> Passages:
    """Return a conversation of these texts."""
    messages = [{"role": "user", "content": text} for text in texts]
    return Passages(
        messages,
        digests=[each.digest for each in see(messages)],
        links=chain(messages),
        text=read or searched_text,
        role=role_of,
    )


def brute(question: Question, texts: list[str]) -> dict[int, float]:
    """Return how much of a question each message holds that has some, with all written out."""
    terms = Query.of_question(question.text, question.context).terms
    split = [written(text).split() for text in texts]
    lengths = [length_of(" ".join(words)) for words in split]
    documents = sum(map(bool, split))
    most = max((term.weight for term in terms), default=0.0)
    found = {}
    for place, words in enumerate(split):
        score = ideal = 0.0
        for term in terms:
            held = sum(map(term.held, split))
            tells = term.weight * math.log(1 + (documents - held + 0.5) / (held + 0.5))
            ideal += 2.2 * tells * (term.weight >= most / 2)
            damped = 1.2 * (0.25 + 0.75 * lengths[place] * documents / (sum(lengths) or 1))
            score += tells * term.count(words) * 2.2 / (term.count(words) + damped)
        if any(term.held(words) for term in terms):
            found[place] = score / ideal
    return found


def asked(retriever: LexicalRetriever, question: str, *texts: str, limit: int = 10) -> list[int]:
    """Return the places that are found."""
    found = retriever.retrieve(Question(text=question), passages(*texts), limit=limit)
    return [one.place for one in found]


def test_it_keeps_the_contract() -> None:
    """It retrieves, and reads ahead."""
    retriever = LexicalRetriever()

    assert (True, True) == (isinstance(retriever, Retriever), isinstance(retriever, Preparing))


@given(QUESTIONS, CONVERSATIONS)
def test_what_is_held_is_that_of_the_formula(question: Question, texts: list[str]) -> None:
    """To 4 digits; messages that have only words of the first answers hold none of it."""
    found = LexicalRetriever().retrieve(question, passages(*texts), limit=100)

    held = brute(question, texts)
    expected = {one.place: pytest.approx(held.get(one.place, 0.0), abs=1e-4) for one in found}
    assert expected == {one.place: one.match for one in found}
    assert held.keys() <= expected.keys()


@given(QUESTIONS, CONVERSATIONS)
def test_the_best_come_first(question: Question, texts: list[str]) -> None:
    """Of equals the newest."""
    found = LexicalRetriever().retrieve(question, passages(*texts), limit=100)

    assert sorted(found, key=lambda one: (-one.score, -one.place)) == list(found)


@given(QUESTIONS, st.lists(CONVERSATIONS, min_size=1, max_size=6))
def test_what_was_known_before_is_of_no_account(
    question: Question, conversations: list[list[str]]
) -> None:
    """Grown, edited, rewound or mixed: the answer is that of one who reads all of it anew."""
    retriever = LexicalRetriever()
    for texts in conversations:
        retriever.prepare(passages(*texts))
    last = passages(*conversations[-1])

    expected = LexicalRetriever().retrieve(question, last, limit=100)
    assert expected == retriever.retrieve(question, last, limit=100)


@given(QUESTIONS, CONVERSATIONS, CONVERSATIONS, st.integers(0, 8))
def test_an_edit_is_followed(
    question: Question, texts: list[str], others: list[str], kept: int
) -> None:
    """What both have in common stays, and nothing of what was replaced is found."""
    retriever, edited = LexicalRetriever(), passages(*texts[:kept], *others)
    retriever.prepare(passages(*texts))

    expected = LexicalRetriever().retrieve(question, edited, limit=100)
    assert expected == retriever.retrieve(question, edited, limit=100)


def test_only_what_is_new_is_read() -> None:
    """Here one message of four."""
    retriever, read = LexicalRetriever(), Read()
    retriever.prepare(passages("a", "b", "c"))
    retriever.prepare(passages("a", "b", "c", "d", read=read))

    assert ["d"] == read.texts


def test_after_a_rewind_only_what_differs_is_read() -> None:
    """The beginning in common stays."""
    retriever, read = LexicalRetriever(), Read()
    retriever.prepare(passages("a", "b", "c", "d"))
    retriever.prepare(passages("a", "b", "c", "e", read=read))

    assert ["e"] == read.texts


def test_a_short_beginning_in_common_leaves_the_other_alone() -> None:
    """Many conversations begin with the same greeting."""
    retriever, read = LexicalRetriever(), Read()
    retriever.prepare(passages("hi", "a", "b", "c"))
    retriever.prepare(passages("hi", "d"))
    retriever.prepare(passages("hi", "a", "b", "c", read=read))

    assert [] == read.texts


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    """And read anew when it is asked for."""
    retriever, read = LexicalRetriever(room=1), Read()
    retriever.prepare(passages("a"))
    retriever.prepare(passages("b"))
    retriever.prepare(passages("a", read=read))

    assert ["a"] == read.texts


def test_the_one_that_was_used_last_is_kept_however_large() -> None:
    """A turn would have to read all of it otherwise."""
    retriever, read = LexicalRetriever(room=1), Read()
    retriever.prepare(passages("a"))
    retriever.prepare(passages("a", read=read))

    assert [] == read.texts


def test_a_message_that_cannot_be_read_does_no_harm() -> None:
    """The error is the caller's, and the next question is answered."""
    retriever, texts = LexicalRetriever(), passages("zebra", "b")

    def fails(message: WireMessage) -> str:
        if message["content"] == "b":
            raise OSError(UNREADABLE)
        return searched_text(message)

    broken = Passages(
        texts.messages, digests=texts.digests, links=texts.links, text=fails, role=role_of
    )
    with pytest.raises(OSError, match=r"^unreadable$"):
        retriever.prepare(broken)

    assert [0] == asked(retriever, "zebra", "zebra", "b")


def test_threads_read_a_conversation_once() -> None:
    """Those that come later wait for the first."""
    retriever, read = LexicalRetriever(), Read()
    texts = passages(*map(str, range(200)), read=read)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(retriever.prepare, [texts] * 8))

    assert 200 == len(read.texts)


def test_words_of_the_context_count_half() -> None:
    """What was asked for itself is better."""
    question = Question(text="zebra", context="giraffe")
    found = LexicalRetriever().retrieve(question, passages("zebra", "giraffe", "x"), limit=3)

    assert [(0, 2.0), (1, 1.0)] == [
        (one.place, round(one.score / found[-1].score, 4)) for one in found
    ]


def test_of_a_common_word_the_newest_are_ranked() -> None:
    """As many as there is time for."""
    texts = ["zebra"] * (CANDIDATES + 5)

    assert [*range(CANDIDATES + 4, 4, -1)] == asked(
        LexicalRetriever(), "zebra", *texts, limit=CANDIDATES * 2
    )


def test_a_rare_word_is_found_beside_a_common_one() -> None:
    """It is not crowded out by newer messages."""
    texts = ["rhino zebra", *["zebra"] * (CANDIDATES + 5)]

    assert 0 == asked(LexicalRetriever(), "zebra rhino", *texts)[0]


def test_words_of_the_first_answers_lead_further() -> None:
    """What has none of the question is found by what an answer says, and holds none of it."""
    texts = ("my uncle is 52", "my uncle plays chess", "it rains", "it snows", "it hails")
    found = LexicalRetriever().retrieve(Question(text="of age 52"), passages(*texts), limit=5)

    assert [(0, True), (1, False)] == [(one.place, bool(one.match)) for one in found]


def test_no_more_is_found_than_was_asked_for() -> None:
    """Even nothing can be."""
    retriever = LexicalRetriever()

    assert ([1], []) == (
        asked(retriever, "a zebra", "zebra", "zebra", limit=1),
        asked(retriever, "zebra", "zebra", limit=0),
    )
