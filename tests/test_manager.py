"""The managers: settings, counter, store and hooks in one place, and the verbs on them."""

from __future__ import annotations

import asyncio
import logging
from threading import Thread
from typing import Any

import pytest
from workbench import (
    LONG,
    SPACE,
    Scribe,
    Wire,
    assistant,
    chat,
    exchange,
    notes,
    system,
    user,
    words,
)

from memory.errors import BudgetError, ConfigError, HistoryError, StoreError
from memory.events import Compacted, Counted, CounterChosen, Event, Evicted
from memory.manager import AsyncMemoryManager, MemoryManager
from memory.meter import FRAME, REPLY
from memory.records import Compaction, Logged, Usage
from memory.stores import VolatileStore

SECRET = "xylophone-hush-71"


def in_words(text: str) -> int:
    """Count words."""
    return len(text.split())


def manager(**options: Any) -> MemoryManager:
    """Return a manager with a budget of 1,000 words, a stub that writes, and no hooks."""
    given = {"budget": 1_000, "tokenizer": in_words, "hooks": (), "summarizer": Scribe(), **options}
    return MemoryManager(**given)


class _Later:
    """An asynchronous summariser."""

    async def summarize(self, request: Any, /) -> Any:
        await asyncio.sleep(0)
        return notes(request)


def async_manager(**options: Any) -> AsyncMemoryManager:
    """Return the asynchronous twin of `manager`."""
    given = {"budget": 1_000, "tokenizer": in_words, "hooks": (), "summarizer": _Later(), **options}
    return AsyncMemoryManager(**given)


def test_what_fits_is_returned_itself() -> None:
    """The same object, not a copy."""
    messages = chat(5)

    assert manager().fit(messages) is messages


def test_what_does_not_fit_is_summarised() -> None:
    """Head, notes, tail; within the budget."""
    made = manager()
    sent = made.fit(LONG)

    assert LONG[0] == sent[0]
    assert sent[1]["content"].startswith("<conversation-notes>")
    assert LONG[-3:] == list(sent[-3:])
    assert made.count(sent).total <= 1_000


def test_without_a_summarizer_the_offline_one_writes() -> None:
    """Nothing has to be set up, and no network is needed."""
    made = manager(summarizer=None)
    sent = made.fit(LONG)

    assert "an offline extractor" in sent[1]["content"].replace("\n", " ")
    assert made.count(sent).total <= 1_000


def test_any_sequence_is_taken() -> None:
    """A tuple is a conversation too, and comes back when it fits."""
    messages = tuple(chat(2))

    assert manager().fit(messages) is messages
    assert LONG[-1] == manager().fit(tuple(LONG))[-1]


@pytest.mark.parametrize("verb", ["fit", "plan", "count", "log", "observe"])
def test_what_is_no_message_is_named(verb: str) -> None:
    """Every verb says which of the messages is none."""
    broken: Any = [user("q"), "text"]
    given: dict[str, Any] = {}
    if verb == "observe":
        given = {"usage": Usage(prompt_tokens=1, completion_tokens=1)}

    with pytest.raises(HistoryError) as caught:
        getattr(manager(), verb)(broken, **given)
    assert 1 == caught.value.index


def test_what_cannot_fit_is_an_error() -> None:
    """Unless it is to be sent all the same."""
    messages = [user(words(2_000))]

    with pytest.raises(BudgetError):
        manager().fit(messages)
    assert manager(oversize="send").fit(messages) is messages


def test_tools_count() -> None:
    """A prompt that fits alone may not fit with its tools."""
    tool = {"type": "function", "function": {"name": "f", "description": words(600)}}
    messages = chat(15)

    assert manager().fit(messages) is messages
    assert manager().fit(messages, tools=[tool]) is not messages


def test_the_room_of_the_reply_counts() -> None:
    """Against the window of the model, not against the budget."""
    messages = chat(15)
    made = manager(budget=None)

    assert made.fit(messages, model="moonshot-v1-8k") is messages
    assert made.fit(messages, model="moonshot-v1-8k", max_completion_tokens=7_500) is not messages


def test_counting_says_what_the_server_will_say() -> None:
    """A list with one figure a message, and totals."""
    counts = manager().count([user("a b c")])

    assert [FRAME + 3] == counts
    assert FRAME + 3 + REPLY + 1 == counts.total


def test_thoughts_of_models_that_keep_them_count() -> None:
    """On others they end with their tool loop."""
    messages = [user("q"), assistant("a") | {"reasoning_content": words(30)}, user("r")]
    made = manager()

    assert (
        30 + made.count(messages, model="kimi-k2.6").total
        == made.count(messages, model="kimi-k3").total
    )


def test_what_is_observed_is_counted_from_then_on() -> None:
    """By this manager, for the same messages."""
    made = manager(tokenizer=None)
    messages = chat(3)
    reported = round(made.count(messages).total * 1.2)
    made.observe(messages, usage=Usage(prompt_tokens=reported, completion_tokens=1))

    assert reported == pytest.approx(made.count(messages).total, abs=0)


def test_a_plan_is_free() -> None:
    """It says what would be done; nothing is asked, written or counted as done."""
    scribe = Scribe()
    made = manager(summarizer=scribe)
    outlook = made.plan(LONG)

    assert "compact" == outlook.plan.action
    assert 1 == outlook.dropped[0]
    assert ([], ()) == (scribe.requests, made.log(LONG))


def test_a_plan_comes_true() -> None:
    """What would be dropped is dropped, and beside what is quoted nothing costs more than that."""
    made = manager(identifiers=0)
    outlook = made.plan(LONG)
    made.fit(LONG)
    record = made.log(LONG)[-1]
    assert isinstance(record, Compaction)

    assert len(outlook.dropped) == record.covered
    assert outlook.plan.projected >= record.tokens_after


def test_the_log_holds_originals_and_records() -> None:
    """Of this conversation, and of none that begins alike."""
    made = manager()
    made.fit(LONG)
    log = made.log(LONG)

    assert LONG[1] == log[0].message if isinstance(log[0], Logged) else None
    assert isinstance(log[-1], Compaction)
    assert not any(isinstance(record, Compaction) for record in made.log(LONG[:2]))
    assert () == made.log([])


def test_managers_share_summaries_only_by_name() -> None:
    """A random namespace each, unless they are given the same."""
    store, scribes = VolatileStore(), [Scribe() for _ in range(4)]
    names = [None, None, "shop", "shop"]
    for scribe, name in zip(scribes, names, strict=True):
        manager(store=store, namespace=name, summarizer=scribe).fit(LONG)

    assert [1, 1, 1, 0] == [len(scribe.requests) for scribe in scribes]


def test_an_empty_store_is_a_store() -> None:
    """Also one that says how much it holds."""

    class Sized(VolatileStore):
        def __len__(self) -> int:
            return 0

    store = Sized()

    assert manager(store=store).store is store


def test_hooks_are_told() -> None:
    """In the order of events, the counter before the first count."""
    told: list[Event] = []
    manager(hooks=[told.append], namespace=SPACE).fit(LONG)

    assert [CounterChosen, Counted] == [type(event) for event in told[:2]]
    assert Compacted is type(told[-1])
    assert {SPACE} == {event.namespace for event in told}


def test_the_counter_is_announced_once() -> None:
    """Whatever is counted first, and however often."""
    told: list[Event] = []
    made = manager(hooks=[told.append])
    for _ in range(3):
        made.count(LONG)
        made.fit(LONG)

    assert 1 == sum(isinstance(event, CounterChosen) for event in told)


def test_the_default_hook_writes_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Without hooks nobody is told; without the argument the log is."""
    caplog.set_level(logging.INFO, logger="memory")
    manager(hooks=()).fit(LONG)
    assert [] == caplog.records

    manager(hooks=None).fit(LONG)
    assert any("Compacted" in line.getMessage() for line in caplog.records)


def test_no_log_line_holds_a_word_of_a_message(caplog: pytest.LogCaptureFixture) -> None:
    """At any level, whatever happens."""
    caplog.set_level(logging.DEBUG, logger="memory")
    spoken = [{**message, "content": f"{SECRET} {message['content']}"} for message in LONG]

    def fail(_request: Any) -> Any:
        raise ValueError(SECRET)

    made = manager(hooks=None, summarizer=Scribe(fail))
    made.fit(spoken)
    made.fit([*spoken[:3], system(SECRET), *spoken[4:]])
    with pytest.raises(BudgetError):
        made.fit([user(f"{SECRET} " * 2_000)])

    assert any("FellBack" in line.getMessage() for line in caplog.records)
    assert SECRET not in caplog.text


def test_forgotten_conversations_are_told() -> None:
    """When the default store has no more room."""
    told: list[Event] = []
    made = manager(hooks=[told.append])
    store = made.store
    assert isinstance(store, VolatileStore)
    store._conversations = 1  # noqa: SLF001  # 1,024 conversations would take a minute
    made.fit(LONG)
    made.fit(chat(40, tag="other-"))
    (evicted,) = (event for event in told if isinstance(event, Evicted))

    assert evicted.messages > 60
    assert 1 == evicted.compactions


def test_settings_are_checked_when_a_manager_is_made() -> None:
    """Not when it is first used."""
    with pytest.raises(ConfigError, match="budget"):
        manager(budget=-1)
    with pytest.raises(ConfigError, match="unknown setting bugdet"):
        manager(bugdet=1)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless they are given."""
    monkeypatch.setenv("KIMI_MEMORY_BUDGET", "777")

    assert 777 == MemoryManager(tokenizer=in_words).settings.budget
    assert 1_000 == manager().settings.budget


def test_the_role_of_the_notes_is_a_setting() -> None:
    """The synthetic message has it."""
    assert "system" == manager(notes_role="system").fit(LONG)[1]["role"]


def test_errors_of_a_store_are_raised() -> None:
    """Who calls `fit` learns that the store is broken; a wrapped client goes on without."""

    class Broken(VolatileStore):
        def known(self, namespace: str, *, user: str = "") -> int | None:
            raise StoreError(namespace, user)

    with pytest.raises(StoreError):
        manager(store=Broken()).fit(LONG)


def test_the_asynchronous_manager_does_the_same() -> None:
    """Same messages, same plan, same log."""
    here, there = manager(namespace=SPACE), async_manager(namespace=SPACE)

    assert here.plan(LONG) == asyncio.run(_plan(there, LONG))
    assert list(here.fit(LONG)) == list(asyncio.run(_fit(there, LONG)))
    assert here.log(LONG) == there.log(LONG)


async def _fit(made: AsyncMemoryManager, messages: list[Wire]) -> Any:
    return await made.fit(messages)


async def _plan(made: AsyncMemoryManager, messages: list[Wire]) -> Any:
    return await made.plan(messages)


def test_one_manager_serves_several_loops() -> None:
    """It holds nothing that belongs to the first one."""
    made = async_manager()
    first = asyncio.run(_fit(made, LONG))

    assert list(first) == list(asyncio.run(_fit(made, LONG)))


def test_tasks_fit_at_once() -> None:
    """Conversations of one manager do not wait for each other, nor mix."""
    made = async_manager()
    chats = [chat(40, tag=f"t{number}-") for number in range(5)]

    async def main() -> list[Any]:
        return list(await asyncio.gather(*(made.fit(messages) for messages in chats)))

    for messages, sent in zip(chats, asyncio.run(main()), strict=True):
        assert messages[-1] == sent[-1]
        assert made.count(sent).total <= 1_000


def test_threads_fit_at_once() -> None:
    """One manager is safe across threads, in one conversation or in several."""
    made, failed = manager(), list[Any]()

    def work(number: int) -> None:
        messages = [*chat(1), *chat(50, head=0, tag=f"t{number % 2}-")]
        try:
            for stop in range(20, len(messages) + 1, 4):
                sent = made.fit(messages[:stop])
                if made.count(sent).total > 1_000 or sent[-1] != messages[stop - 1]:
                    failed.append(sent)
        except Exception as error:  # noqa: BLE001  # shown below
            failed.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failed


def test_an_agent_run_fits_at_every_step() -> None:
    """The whole list is passed each time, and each time what is returned fits."""
    made = manager()
    messages = [system(words(40)), user("Find every broken link.")]
    for number in range(120):
        messages += exchange(f"look:{number}", result=words(25, f"{number}-"))
        sent = made.fit(messages)
        assert made.count(sent).total <= 1_000
        assert messages[1] in sent
