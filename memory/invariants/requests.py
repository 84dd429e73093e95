"""What has to hold for one request: each promise a function that says what is wrong, or None.

None of these asks the code that made the view how it should look: they read the record, and count,
compare and hash for themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from memory.identity import chain, digest
from memory.invariants.sending import (
    OPENING,
    Sending,
    chain_of,
    head_of,
    is_replaced,
    is_same,
    notes_of,
    rest_of,
    unpaired,
)
from memory.messages import (
    HEAD_ROLES,
    WireMessage,
    is_partial,
    last_user,
    role_of,
    text_of,
    tool_calls,
)
from memory.records import Logged, Record, Segment, Shortened, Turn

__all__ = (
    "absent_messages_are_covered",
    "counts_are_as_reported",
    "ending_is_sent",
    "head_is_first",
    "input_is_unchanged",
    "kept_messages_are_verbatim",
    "last_user_message_is_sent",
    "one_synthetic_message",
    "pinned_messages_are_sent",
    "pins_are_quoted",
    "prompt_is_within_limit",
    "record_is_of_this_input",
    "summaries_are_usable",
    "tail_is_a_suffix",
    "tool_calls_are_paired",
)

_UNPAID = frozenset({"extractive", "caller"})
"""Authors whose words may be longer than what they stand for."""


def prompt_is_within_limit(sending: Sending) -> str | None:
    """Tokens of the view are within the limit."""
    if sending.tokens is None or sending.limit is None or sending.tokens <= sending.limit:
        return None
    return f"the prompt has {sending.tokens} tokens and may have {sending.limit}"


def last_user_message_is_sent(sending: Sending) -> str | None:
    """The last user message is sent."""
    index, notes = last_user(sending.given), set(notes_of(sending))
    if index is None or is_replaced(sending, sending.given[index]):
        return None
    sent = [message for place, message in enumerate(sending.sent) if place not in notes]
    last = last_user(sent)
    if last is not None and sent[last] == sending.given[index]:
        return None
    return f"the last user message, {index}, is not sent"


def head_is_first(sending: Sending) -> str | None:
    """The head comes first and is verbatim."""
    head = head_of(sending)
    if _are_same(sending.sent[:head], sending.given[:head]):
        return None
    return "the leading system messages differ from those passed"


def one_synthetic_message(sending: Sending) -> str | None:
    """There is at most one synthetic message, directly after the head."""
    expected = sending.record is not None and sending.record.mark is not None
    places, head = notes_of(sending), head_of(sending)
    if places == [head] or not (places or expected):
        return None
    return f"synthetic messages at {places}, expected [{head}]"


def kept_messages_are_verbatim(sending: Sending) -> str | None:
    """What is sent is the head, the synthetic message, and caller's messages in their order.

    Tool results that the record says are shortened are compared by their beginning and end.
    """
    body = _body(sending)
    if sending.notes is not None:
        return _no_foreign(body, rest_of(sending))
    rest, expected = rest_of(sending), _expected(sending)
    if any(one >= other for one, other in pairwise(expected)):
        return f"the messages kept are not in the order of the input: {expected}"
    short = {item.index: item for item in (sending.record.shortened if sending.record else ())}
    if len(body) != len(expected):
        return f"{len(body)} of the caller's messages are sent, and the record says {len(expected)}"
    for message, index in zip(body, expected, strict=True):
        if index in short and not _is_cut(message, rest[index], short[index]):
            return f"message {index} after the head is not shortened as the record says"
        if index not in short and not is_same(message, rest[index]):
            return f"message {index} after the head is not sent as it was given"
    return None


def tail_is_a_suffix(sending: Sending) -> str | None:
    """What follows the covered messages is sent as it is, keys the API does not know included."""
    rest, record = rest_of(sending), sending.record
    if sending.notes is not None:
        return _has_gaps(_body(sending), rest)
    if record is None:
        same = _are_same(sending.sent, sending.given)
        return None if same else "sent differs from given, and no record says why"
    short = {item.index for item in record.shortened}
    size = max(0, len(rest) - record.covered)
    tail = list(enumerate(rest))[record.covered :]
    sent = sending.sent[len(sending.sent) - size :]
    if len(sent) == size and all(
        index in short or is_same(message, other)
        for (index, message), other in zip(tail, sent, strict=True)
    ):
        return None
    return "the tail is not the end of the input"


def ending_is_sent(sending: Sending) -> str | None:
    """What the next reply has to answer is sent, at the end.

    That is an exchange with nothing but results after its calls, and whatever trails the last
    message that a model has read: system messages and a `partial` one. Results may be shortened.
    """
    given, sent, head = sending.given, sending.sent, head_of(sending)
    start = max(_ending(given), head)
    size = len(given) - start
    shortened = {item.index for item in (sending.record.shortened if sending.record else ())}
    for place in range(size):
        message, index = given[start + place], start + place - head
        if index in shortened:
            continue
        if size > len(sent) or not is_same(message, sent[len(sent) - size + place]):
            return f"message {start + place}, of the last {size}, is not at the end of what is sent"
    return None


def _ending(given: Sequence[WireMessage]) -> int:
    """Return where the messages begin that the next reply has to answer."""
    place = len(given)
    while place and (role_of(given[place - 1]) in HEAD_ROLES or is_partial(given[:place])):
        place -= 1
    results = place
    while results and role_of(given[results - 1]) == "tool":
        results -= 1
    return results - 1 if results and tool_calls(given[results - 1]) else place


def counts_are_as_reported(sending: Sending) -> str | None:
    """What the server reported for a prompt is what that prompt counts from then on."""
    reported, counted = sending.tokens, sending.counted
    if counted is None or reported is None or abs(counted - reported) <= 1:
        return None
    return f"the server counted {reported} tokens, and the same prompt now counts {counted}"


def input_is_unchanged(sending: Sending) -> str | None:
    """The caller's list and its messages are what they were."""
    if sending.before is None or _are_same(sending.before, sending.given):
        return None
    pairs = enumerate(zip(sending.before, sending.given, strict=False))
    place = next((i for i, (one, other) in pairs if not is_same(one, other)), "the end")
    return f"the caller's message {place} was changed"


def pinned_messages_are_sent(sending: Sending) -> str | None:
    """What is pinned stays verbatim."""
    if not sending.pinned:
        return None
    short = {item.index for item in (sending.record.shortened if sending.record else ())}
    stored = sending.given if sending.stored is None else sending.stored
    head = head_of(sending)
    for index, message in enumerate(sending.given):
        held = digest(message) in sending.pinned or digest(stored[index]) in sending.pinned
        if not held or index - head in short:
            continue
        times = sum(message == other for other in sending.given)
        if sum(message == other for other in sending.sent) < times:
            return f"message {index} is pinned and is not sent"
    return None


def pins_are_quoted(sending: Sending) -> str | None:
    """Sentences that are pinned are quoted in the notes, where there are notes."""
    record = sending.record
    if record is None or record.synthetic is None:
        return None
    quoted = {wish.text for wish in record.standing}
    missing = [text for text in sending.quoted if text not in quoted]
    return f"{len(missing)} pinned sentences are not quoted in the notes" if missing else None


def tool_calls_are_paired(sending: Sending) -> str | None:
    """A view of a paired conversation is paired: no orphan result, no unanswered call.

    One of a conversation that is not paired has no batch with fewer results than there were, and
    no more results without a call.
    """
    place = unpaired(sending.sent)
    if place is None:
        return None
    if unpaired(sending.given) is None:
        return f"message {place} breaks the pairing of tool calls"
    given, sent = _batches(sending.given), _batches(sending.sent)
    for index, size in sent.items():
        asking = sending.sent[index]
        sizes = [n for i, n in given.items() if sending.given[i] == asking]
        if asking in sending.given and size not in sizes:
            return f"message {index} has {size} results, and had {max(sizes)}"
    left = [_orphans(sending.sent, sent), _orphans(sending.given, given)]
    return f"{left[0]} tool results without their call, of {left[1]}" if left[0] > left[1] else None


def absent_messages_are_covered(sending: Sending) -> str | None:
    """Every message that is not sent is in a segment and in the log."""
    record = sending.record
    if sending.notes is not None:
        left_out = len(rest_of(sending)) - len(_body(sending))
        silent = left_out > 0 and not sending.notes
        return f"{left_out} messages are left out, and nothing says so" if silent else None
    if record is None:
        return None
    rest, plain = chain_of(sending), rest_of(sending)
    links = chain(rest)
    linked, said = _held(sending.log)
    before = _numbered_before(sending)
    covered = {number for segment in record.segments for number in segment.numbers}
    if max(covered, default=0) > record.covered + before:
        return f"a summary covers message {max(covered) - 1 - before}, which is not left out"
    for index in range(min(record.covered, len(rest))):
        if index in record.kept or record.mark in (digest(rest[index]), digest(plain[index])):
            continue
        if index + 1 + before not in covered:
            return f"message {index} is neither sent nor covered by a segment"
        if sending.log is None or index >= len(rest) - sending.pending:
            continue
        if links[index + 1] not in linked and digest(rest[index]) not in said:
            return f"message {index} is neither sent nor in the log"
    return None


def record_is_of_this_input(sending: Sending) -> str | None:
    """What the record covers is the beginning of this very input: its hash says so."""
    record = sending.record
    if record is None:
        return None
    links = chain(chain_of(sending))
    if links[record.covered : record.covered + 1] != [record.coverage]:
        return f"the record covers {record.covered} messages of another input"
    return None


def summaries_are_usable(sending: Sending) -> str | None:
    """Each summary says something, stands for messages, and is shorter than they are."""
    for segment in sending.record.segments if sending.record else ():
        place = f"the summary of messages {segment.first} to {segment.last}"
        if not segment.text.strip():
            return f"{place} is blank"
        if not segment.numbers:
            return f"{place} stands for nothing"
        source = _source(sending, segment)
        if source is not None and segment.tokens > source:
            return f"{place} has {segment.tokens} tokens, and they have {source}"
    return None


def _source(sending: Sending, segment: Segment) -> int | None:
    """Return the tokens that a summary stands for, or None where that cannot be told."""
    rest = rest_of(sending)
    if sending.sizes is None or segment.author in _UNPAID or segment.last > len(rest):
        return None
    sizes = list(sending.sizes)[len(sending.given) - len(rest) :]
    return sum(sizes[number - 1] for number in segment.numbers)


def _batches(messages: Sequence[WireMessage]) -> dict[int, int]:
    """Return how many results follow each message with calls, by the place of that message."""
    sizes, last = dict[int, int](), None
    for place, message in enumerate(messages):
        if role_of(message) != "tool":
            last = place if tool_calls(message) else None
            sizes |= {place: 0} if last is not None else {}
        elif last is not None:
            sizes[last] += 1
    return sizes


def _orphans(messages: Sequence[WireMessage], batches: Mapping[int, int]) -> int:
    return sum(role_of(message) == "tool" for message in messages) - sum(batches.values())


def _expected(sending: Sending) -> list[int]:
    """Return the messages after the head that the record says are sent, by index."""
    record, size = sending.record, len(rest_of(sending))
    if record is None:
        return list(range(size))
    return [*record.kept, *range(record.covered, size)]


def _body(sending: Sending) -> list[WireMessage]:
    """Return what was sent of the caller's messages after the head."""
    head, notes = head_of(sending), set(notes_of(sending))
    return [m for i, m in enumerate(sending.sent) if i >= head and i not in notes]


def _are_same(left: Sequence[WireMessage], right: Sequence[WireMessage]) -> bool:
    return len(left) == len(right) and all(map(is_same, left, right))


def _is_cut(message: WireMessage, original: WireMessage, how: Shortened) -> bool:
    """Return whether a message is another one with the middle of its text left out."""
    text, shown = text_of(original), text_of(message)
    if how.head + how.tail >= len(text):
        return is_same(message, original)
    ends = shown.startswith(text[: how.head]) and shown.endswith(text[len(text) - how.tail :])
    return ends and is_same({**message, "content": ""}, {**original, "content": ""})


def _no_foreign(body: Sequence[WireMessage], rest: Sequence[WireMessage]) -> str | None:
    """Say which message of a body is none of the caller's, or is out of order."""
    left: Iterator[WireMessage] = iter(rest)
    for place, message in enumerate(body):
        if not any(is_same(message, other) for other in left):
            return f"message {place} after head and notes is not one of the caller's in their order"
    return None


def _has_gaps(body: Sequence[WireMessage], rest: Sequence[WireMessage]) -> str | None:
    """Say whether anything but user messages stands before the end of the input."""
    size = 0
    while size < min(len(body), len(rest)) and is_same(body[-1 - size], rest[-1 - size]):
        size += 1
    if rest and not size:
        return "the last message of the input is not the last one sent"
    odd = [m for m in body[: len(body) - size] if role_of(m) != "user"]
    return f"{len(odd)} messages before the tail are no user messages" if odd else None


def _numbered_before(sending: Sending) -> int:
    """Return how many messages the numbers of segments run ahead of the input.

    An input that begins with an earlier synthetic message goes on where that one ended.
    """
    rest, record = chain_of(sending), sending.record
    if record is None or not rest or not text_of(rest[0]).startswith(OPENING):
        return 0
    return max(0, max((segment.last for segment in record.segments), default=0) - record.covered)


def _held(log: Sequence[Record] | None) -> tuple[set[bytes], set[bytes]]:
    """Return the chain hashes and the digests of all messages that a log holds."""
    linked = {entry.link for entry in log or () if isinstance(entry, Logged)}
    turns = (entry for entry in log or () if isinstance(entry, Turn))
    return linked, {digest(message) for turn in turns for message in turn.messages}
