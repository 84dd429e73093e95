"""What a manager did, as something that can be judged: with the record that explains it."""

from __future__ import annotations

import asyncio
from typing import Any

from chats import filled
from kimi_clients import HEAD, ask, sent
from workbench import Wire, assistant, exchange, system, user, words

from memory import AsyncMemoryManager, MemoryManager, manager_of
from memory.identity import digest
from memory.invariants import violations
from memory.testing import FakeKimi
from memory.witness import witness

LONG: list[Wire] = [system("Be brief."), *(user(words(60, f"q{n}-")) for n in range(60))]


def manager(**options: Any) -> MemoryManager:
    """Return a manager that compacts `LONG`."""
    return MemoryManager(**{"budget": 3_000, "hooks": (), "reply_reserve": 0, **options})


def test_a_prompt_that_fits_has_no_record() -> None:
    """What was sent is what was given."""
    short = LONG[:3]
    made = witness(manager(), short, short)

    assert made.record is None
    assert {} == violations(made)


def test_the_record_of_a_view_is_found() -> None:
    """By its synthetic message, with the log that has the originals."""
    kept = manager()
    made = witness(kept, LONG, kept.fit(LONG), limit=3_000)

    assert made.record is not None
    assert made.record.covered > 10
    assert len(made.log or ()) > made.record.covered
    assert {} == violations(made)


def test_our_own_view_as_the_input_is_known() -> None:
    """Its first message stands for all that it covered."""
    kept = manager()
    view = kept.fit(LONG)
    made = witness(kept, view, kept.fit(view))

    assert made.record is not None
    assert 1 == made.record.covered
    assert {} == violations(made)


def test_a_record_that_only_clears_results_is_found() -> None:
    """It has no synthetic message to be known by."""
    kept = manager(budget=6_000, target=0.5, identifiers=0)
    messages = [system(words(50)), user("Count all the ships.")]
    for number in range(12):
        messages += exchange(f"look:{number}", result=words(150, f"found{number}-"))
    made = witness(kept, messages, kept.fit(messages))

    assert made.record is not None
    assert made.record.mark is None
    assert {} == violations(made)


def test_what_is_stored_may_be_redacted() -> None:
    """Hashes are of that form, and what was sent is compared with the caller's."""
    kept = manager(redact=lambda text: text.replace("q7-", "[seven]"))
    made = witness(kept, LONG, kept.fit(LONG))

    assert made.stored is not None
    assert digest(made.stored[8]) != digest(made.given[8])
    assert {} == violations(made)


def test_a_conversation_with_a_name_has_its_own_log() -> None:
    """Its originals are in its turns."""
    fake = FakeKimi()
    client, conversation = filled(fake)
    ask(client, [HEAD, user("And now?")])
    said = [HEAD, *conversation.history()[:-1]]
    made = witness(manager_of(client), said, sent(fake)[-1], conversation=conversation.name)

    assert made.record is not None
    assert {} == violations(made)


def test_asynchronous_managers_are_read_in_place() -> None:
    """Their store is the same kind of thing."""

    async def fitted(kept: AsyncMemoryManager) -> Any:
        return await kept.fit(LONG)

    kept = AsyncMemoryManager(budget=3_000, hooks=(), reply_reserve=0)
    made = witness(kept, LONG, asyncio.run(fitted(kept)))

    assert made.record is not None
    assert {} == violations(made)


def test_what_nobody_can_explain_is_a_violation() -> None:
    """A message was lost on the way."""
    kept = manager()
    view = [*kept.fit(LONG)]
    made = witness(kept, LONG, [*view[:-2], assistant("?")])

    assert "last_user_message_is_sent" in violations(made)
