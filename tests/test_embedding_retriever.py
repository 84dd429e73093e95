"""Search by meaning: what it finds, what it embeds, and how it gets on with a manager."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import mul
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kimi_clients import BUDGET, ask, ask_async, connect, connect_async, sent, talk

from memory import ConfigError, MemoryManager, QueueHook, wrap
from memory.events import Failed, Recalled
from memory.identity import chain, see
from memory.messages import role_of
from memory.recall import Found, Passages, Question, is_snippet
from memory.retrievers import (
    AsyncEmbeddingRetriever,
    AsyncRetriever,
    EmbeddingRetriever,
    LexicalRetriever,
    Preparing,
    Retriever,
)
from memory.said import text_of_message
from memory.testing import FakeKimi

TOPICS = (
    ("dog", "puppy", "terrier"),
    ("car", "vehicle", "motor"),
    ("tea", "oolong", "brew"),
)
"""Words that mean the same stand in one line."""
FACT = "We got a terrier called Bruno."
QUESTION = "And my puppy?"
"""Has no word in common with `FACT`."""


def vector(text: str) -> list[float]:
    """Return how much a text is about each topic."""
    words = text.lower().replace(".", " ").replace("?", " ").split()
    return [float(sum(map(words.count, topic))) for topic in TOPICS]


class Model:
    """Embeds texts by topic, and remembers what it was asked."""

    def __init__(self, error: Exception | None = None, *, after: int = 0) -> None:
        self.calls: list[list[str]] = []
        self.error = error
        self.after = after

    @property
    def texts(self) -> list[str]:
        """All texts that were embedded."""
        return [text for call in self.calls for text in call]

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        if self.error is not None and len(self.calls) >= self.after:
            raise self.error
        self.calls.append([*texts])
        return [vector(text) for text in texts]

    async def later(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the same, asynchronously."""
        await asyncio.sleep(0)
        return self(texts)


def passages(*texts: str) -> Passages:
    """Return a conversation of these texts."""
    messages = [{"role": "user", "content": text} for text in texts]
    return Passages(
        messages,
        digests=[each.digest for each in see(messages)],
        links=chain(messages),
        text=text_of_message,
        role=role_of,
    )


def found(retriever: EmbeddingRetriever, text: str, *texts: str, limit: int = 10) -> list[int]:
    """Return the places that are found."""
    ranking = retriever.retrieve(Question(text=text), passages(*texts), limit=limit)
    return [each.place for each in ranking]


def named(*texts: str) -> list[list[float]]:
    """Return vectors whose numbers are the texts."""
    return [[float(each) for each in text.split()] for text in texts]


def test_it_keeps_the_contract() -> None:
    """It retrieves, and reads ahead."""
    retriever = EmbeddingRetriever(Model())
    assert (True, True) == (isinstance(retriever, Retriever), isinstance(retriever, Preparing))


def test_the_asynchronous_one_keeps_the_contract() -> None:
    """With coroutines."""
    retriever = AsyncEmbeddingRetriever(Model().later)
    assert (True, True) == (isinstance(retriever, AsyncRetriever), isinstance(retriever, Preparing))


def test_what_means_the_same_is_found() -> None:
    """Without a word in common."""
    assert [1] == found(EmbeddingRetriever(Model()), QUESTION, "A motor.", FACT, "Some tea.")


NUMBERS = st.lists(st.integers(-9, 9), min_size=3, max_size=3)


@given(NUMBERS, st.lists(NUMBERS, max_size=6))
def test_scores_are_cosines(question: list[int], vectors: list[list[int]]) -> None:
    """Of those above 0, whatever the vectors are, to the precision of four bytes."""
    texts = [" ".join(map(str, each)) for each in vectors]
    retriever = EmbeddingRetriever(lambda texts: named(*texts))
    asked = Question(text=" ".join(map(str, question)))
    ranking = retriever.retrieve(asked, passages(*texts), limit=9)
    cosines = {
        place: sum(map(mul, question, each)) / math.hypot(*question) / math.hypot(*each)
        for place, each in enumerate(vectors)
        if any(question) and any(each)
    }
    expected = {place: min(1.0, each) for place, each in cosines.items() if each > 1e-6}

    assert {place: pytest.approx(each, abs=1e-5) for place, each in expected.items()} == {
        each.place: each.score for each in ranking
    }


def test_the_best_come_first_and_of_equals_the_newest() -> None:
    """As the contract says."""
    texts = ("A dog.", "A dog in a car.", "The dog.")
    assert [2, 0, 1] == found(EmbeddingRetriever(Model()), "dog", *texts)


def test_no_more_are_found_than_wanted() -> None:
    """The best ones."""
    assert [1] == found(EmbeddingRetriever(Model()), "dog", "dog car", "dog", limit=1)


def test_what_is_unrelated_counts_as_nothing() -> None:
    """What is above it counts as what is left of 1."""
    retriever = EmbeddingRetriever(lambda texts: named(*texts), unrelated=0.5)
    ranking = retriever.retrieve(Question(text="1 0"), passages("3 4", "4 3", "1 0"), limit=9)
    assert [Found(2, 1.0), Found(1, 0.6), Found(0, 0.2)] == [*ranking]


def test_what_was_embedded_is_not_embedded_again() -> None:
    """A question that is asked again, neither."""
    model = Model()
    retriever = EmbeddingRetriever(model)
    found(retriever, "dog", "A dog.", "A car.")
    found(retriever, "dog", "A dog.", "A car.", "Some tea.")
    assert ["dog", "A car.", "A dog.", "Some tea."] == model.texts


def test_the_same_message_is_embedded_once() -> None:
    """However often it was said."""
    model = Model()
    places = found(EmbeddingRetriever(model), "dog", "A dog.", "A dog.")
    assert ([1, 0], ["dog", "A dog."]) == (places, model.texts)


def test_sixty_four_texts_go_with_one_call() -> None:
    """The newest first."""
    model = Model()
    EmbeddingRetriever(model).prepare(passages(*(f"Car {number}." for number in range(130))))
    assert [64, 64, 2] == [*map(len, model.calls)]


def test_reading_ahead_leaves_only_the_question() -> None:
    """A turn waits for one text."""
    model = Model()
    retriever = EmbeddingRetriever(model)
    retriever.prepare(passages("A dog.", "A car."))
    model.calls.clear()
    found(retriever, "dog", "A dog.", "A car.")
    assert [["dog"]] == model.calls


def test_long_texts_are_cut() -> None:
    """To so many characters; of questions, too."""
    model = Model()
    found(EmbeddingRetriever(model, size=5), "a dog, perhaps", "dog, my dog")
    assert ["a dog", "dog, "] == model.texts


@pytest.mark.parametrize("text", ["", " \n"])
def test_texts_without_words_are_not_embedded(text: str) -> None:
    """Most models refuse them."""
    model = Model()
    places = found(EmbeddingRetriever(model), "dog", text, "A dog.")
    assert ([1], ["dog", "A dog."]) == (places, model.texts)


def test_a_question_without_words_finds_nothing() -> None:
    """And nothing is embedded for it."""
    model = Model()
    assert ([], []) == (found(EmbeddingRetriever(model), " ", "A dog."), model.texts)


def test_the_context_of_a_question_is_not_embedded() -> None:
    """It would blur what is asked."""
    model = Model()
    question = Question(text="dog", context="car car car")
    ranking = EmbeddingRetriever(model).retrieve(question, passages("car", "dog"), limit=9)
    assert [Found(1, 1.0)] == [*ranking]


def test_vectors_without_a_direction_are_not_found() -> None:
    """A model may return them for what it does not know."""
    assert [] == found(EmbeddingRetriever(Model()), "dog", "Hello.")


def test_of_more_than_there_is_room_for_the_newest_are_searched() -> None:
    """So that no call embeds what the one before had to forget."""
    texts = [f"Dog {number}." for number in range(100)]
    retriever = EmbeddingRetriever(Model(), room=2_120)  # ten vectors of three numbers
    assert [*range(99, 89, -1)] == found(retriever, "dog", *texts, limit=100)


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    """And embedded anew when it is needed."""
    model = Model()
    retriever = EmbeddingRetriever(model, room=2 * 212)
    for text in ("A dog.", "A car.", "A dog.", "Some tea.", "A dog.", "A car."):
        retriever.prepare(passages(text))
    assert ["A dog.", "A car.", "Some tea.", "A car."] == model.texts


def test_what_the_function_raises_is_raised() -> None:
    """Whoever asks decides what to do about it."""
    with pytest.raises(TimeoutError):
        found(EmbeddingRetriever(Model(TimeoutError())), "dog", "A dog.")


def test_what_was_embedded_before_an_error_is_kept() -> None:
    """The next call goes on from there."""
    model = Model(TimeoutError(), after=1)
    retriever = EmbeddingRetriever(model)
    texts = [f"Dog {number}." for number in range(70)]
    with pytest.raises(TimeoutError):
        retriever.prepare(passages(*texts))
    model.error = None
    retriever.prepare(passages(*texts))
    assert [64, 6] == [*map(len, model.calls)]


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        ([[1.0], [1.0]], "2 vectors for 1 texts"),
        ([], "0 vectors for 1 texts"),
        ([[math.nan]], "not finite"),
        ([[math.inf]], "not finite"),
    ],
)
def test_what_are_no_vectors_is_refused(vectors: list[list[float]], reason: str) -> None:
    """Nothing is found by chance."""
    with pytest.raises(ConfigError, match=reason):
        found(EmbeddingRetriever(lambda _: vectors), "dog", "A dog.")


def test_vectors_of_another_length_are_refused() -> None:
    """They are of another model."""
    retriever = EmbeddingRetriever(lambda texts: named(*texts))
    with pytest.raises(ConfigError, match="3 numbers after one of 2"):
        found(retriever, "1 2", "1 2 3")


@pytest.mark.parametrize("given", [{"size": 0}, {"room": 0}, {"unrelated": 1.0}, {"unrelated": -1}])
def test_numbers_out_of_range_are_refused(given: dict[str, Any]) -> None:
    """Early."""
    with pytest.raises(ConfigError, match="must hold"):
        EmbeddingRetriever(Model(), **given)


def test_threads_may_ask_at_once() -> None:
    """Each gets its own answer, while vectors are forgotten all the time."""
    retriever = EmbeddingRetriever(Model(), room=20 * 212)
    words = [("dog", 0), ("car", 1), ("tea", 2)] * 40

    def one(word: str) -> list[int]:
        return found(retriever, word, "A puppy.", "A vehicle.", "The oolong.")

    with ThreadPoolExecutor(8) as pool:
        assert [[place] for _, place in words] == [*pool.map(one, [word for word, _ in words])]


@pytest.mark.parametrize("number", [3, 1_200])
def test_the_asynchronous_one_finds_the_same(number: int) -> None:
    """In the event loop, or in a thread where there is more to compare."""
    said = passages(*(f"Dog {place} {'in a car' * (place % 3)}." for place in range(number)))
    question = Question(text="my puppy")
    expected = EmbeddingRetriever(Model()).retrieve(question, said, limit=20)

    async def main() -> Any:
        retriever = AsyncEmbeddingRetriever(Model().later)
        await retriever.prepare(said)
        return await retriever.retrieve(question, said, limit=20)

    assert expected == asyncio.run(main())


LONG = [
    *talk(8)[:1],
    {"role": "user", "content": FACT},
    {"role": "assistant", "content": "How lovely."},
    *talk(60)[1:-1],
    {"role": "user", "content": QUESTION},
]


def shown(messages: Any) -> list[str]:
    """Return the snippet messages of what is sent."""
    return [each["content"] for each in messages if is_snippet(each)]


def test_a_manager_shows_what_means_the_same() -> None:
    """Fused with what words find; the question has none in common with the answer."""
    manager = MemoryManager(
        budget=BUDGET,
        recall="auto",
        hooks=(),
        retrievers=[LexicalRetriever(), EmbeddingRetriever(Model())],
    )
    assert [True] == [FACT in text for text in shown(manager.fit(LONG))]


def test_words_alone_do_not_show_it() -> None:
    """Which is what the vectors are for."""
    manager = MemoryManager(budget=BUDGET, recall="auto", hooks=())
    assert not any(FACT in text for text in shown(manager.fit(LONG)))


def test_a_turn_goes_on_where_embedding_fails() -> None:
    """The event tells the type of the error."""
    hook = QueueHook()
    retriever = EmbeddingRetriever(Model(TimeoutError()))
    manager = MemoryManager(budget=BUDGET, recall="auto", hooks=(hook,), retrievers=[retriever])
    manager.fit(LONG)
    assert ["TimeoutError"] == [e.error for e in hook.drain() if isinstance(e, Failed)]


def test_a_client_shows_it() -> None:
    """In what reaches the server."""
    fake = FakeKimi()
    client = wrap(
        connect(fake),
        budget=BUDGET,
        recall="auto",
        hooks=(),
        retrievers=[EmbeddingRetriever(Model())],
    )
    ask(client, LONG)
    assert [True] == [FACT in text for text in shown(sent(fake)[-1])]


def test_an_asynchronous_client_shows_it() -> None:
    """With the coroutine."""
    fake, hook = FakeKimi(), QueueHook()

    async def main() -> None:
        retriever = AsyncEmbeddingRetriever(Model().later)
        client = wrap(
            connect_async(fake),
            budget=BUDGET,
            recall="auto",
            hooks=(hook,),
            retrievers=[LexicalRetriever(), retriever],
        )
        await ask_async(client, LONG)

    asyncio.run(main())
    (event,) = [each for each in hook.drain() if isinstance(each, Recalled)]
    assert (1, True) == (event.passages[0][0], FACT in shown(sent(fake)[-1])[0])
