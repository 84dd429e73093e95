"""Logs in Redis: versions, searching by hash, lists, leases, forgetting, and what can go wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_servers import a_prefix, cleared, client, compaction, key, open_key, turn, written
from services import redis_url

from memory.errors import ConflictError
from memory.records import Compaction, Entry, Forgotten, Log, Logged, Record, Undone
from memory.stores.contract import Checking, Leasing, Listing, Searching, Store
from memory.stores.redis import RedisStore

SPACE = "tests"
USERS = st.one_of(
    st.sampled_from(["", "a", "a/b", "a%2Fb", "\0", "a\0b", "{}", "{a}", "x" * 4_096, "\u202eab"]),
    st.text(max_size=5),
    st.sampled_from(["\ud800", "\uffff", "\U00010000", "\\", "]", "[a", "(a", "-", "+", "*", "?"]),
)
NAMES = USERS.filter(bool)
EXAMPLES = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def store() -> Iterator[RedisStore]:
    """Return a store with keys of its own."""
    with cleared() as opened:
        yield opened


@pytest.fixture
def other(store: RedisStore) -> Iterator[RedisStore]:
    """Return what another process would have: a store with the same keys."""
    with RedisStore(redis_url(), prefix=store.prefix) as opened:
        yield opened


def key_of(store: RedisStore, kind: str) -> bytes:
    """Return the one key of a kind."""
    (found,) = (each for each in written(store.prefix) if f":{kind}:".encode() in each)
    return found


def everything(prefix: str, *but: bytes) -> bytes:
    """Return all that is written under a prefix, the keys included."""
    keys = [each for each in written(prefix) if not each.endswith(but)]
    with client() as server:
        return b"".join(key + (server.dump(key) or b"") for key in keys)


@pytest.mark.parametrize("protocol", [Store, Listing, Leasing, Checking])
def test_it_can_do_what_a_store_for_several_machines_can(protocol: type) -> None:
    """Keep logs, list them, lease them, and say how it is."""
    assert isinstance(RedisStore(redis_url()), protocol)


def test_it_cannot_search() -> None:
    """Nor does it say so."""
    assert not isinstance(RedisStore(redis_url()), Searching)


def test_records_come_back_as_they_went(store: RedisStore, other: RedisStore) -> None:
    """Of every kind, in order, in another process."""
    records: list[Record] = [
        turn(text="12 € \ud800\0"),
        Logged(index=0, link=b"\0\xff", message={"role": "user", "content": [{"a": None}]}),
        compaction(),
        Undone(mark=None),
    ]
    store.append(key(), records[:1], expected=0)
    store.append(key(), records[1:], expected=1)

    assert Log(records=tuple(records), version=4) == other.load(key())


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_another_version_is_a_conflict(store: RedisStore, expected: int) -> None:
    """Who read an older log, or one that never was, writes nothing."""
    store.append(key(), [turn(), turn(1)], expected=0)
    before = everything(store.prefix)

    with pytest.raises(ConflictError) as caught:
        store.append(key(), [turn(2)], expected=expected)

    assert (expected, 2) == (caught.value.expected, caught.value.actual)
    assert before == everything(store.prefix)


def test_what_was_read_is_not_fetched_again(store: RedisStore, other: RedisStore) -> None:
    """Only what was appended since is: the rest may be gone from the server."""
    store.append(key(), [turn(), turn(1)], expected=0)
    store.load(key())
    with client() as server:
        server.lset(key_of(store, "log").decode(), 0, "spoilt")
    other.append(key(), [turn(2)], expected=2)

    assert (turn(), turn(1), turn(2)) == store.load(key()).records


def test_a_log_begun_again_is_not_taken_for_the_old_one(
    store: RedisStore, other: RedisStore
) -> None:
    """Though another process forgot it and it is longer now."""
    store.append(key(), [turn()], expected=0)
    store.load(key())
    other.forget(key())
    assert Log() == store.load(key())

    store.append(key(), [turn()], expected=0)
    store.load(key())
    other.forget(key())
    other.append(key(), [turn(text="new"), turn(1)], expected=0)

    assert (turn(text="new"), turn(1)) == store.load(key()).records


def test_what_the_server_lost_is_not_made_up(store: RedisStore, other: RedisStore) -> None:
    """After a crash it may lack the last records, and others may stand in their places."""
    store.append(key(), [turn(), turn(1)], expected=0)
    store.load(key())
    with client() as server:
        server.rpop(key_of(store, "log").decode())
    other.append(key(), [turn(1, "else"), turn(2)], expected=1)

    assert (turn(), turn(1, "else"), turn(2)) == store.load(key()).records


def test_compactions_are_found_by_each_of_their_hashes(
    store: RedisStore, other: RedisStore
) -> None:
    """Once, though all are asked for."""
    record = compaction()
    store.append(open_key(), [record], expected=0)

    for each in (record.coverage, record.adoption, record.mark):
        assert (record,) == other.find(SPACE, frozenset({each or b"", b"?"}), user="ann")
    hashes = frozenset({record.coverage, record.adoption, record.mark or b""})
    assert (record,) == other.find(SPACE, hashes, user="ann")


def test_compactions_are_found_oldest_first(store: RedisStore) -> None:
    """In the order in which they came, over all logs, however many hashes are asked for."""
    records = [compaction() for _ in range(20)]
    for version, record in enumerate(records):
        store.append(open_key(str(version % 2)), [record], expected=version // 2)
    others = {number.to_bytes(20, "big") for number in range(5_000)}
    hashes = frozenset(record.coverage for record in records) | others

    assert tuple(records) == store.find(SPACE, hashes, user="ann")


def test_several_compactions_may_share_a_hash(store: RedisStore) -> None:
    """All are found, and forgetting one leaves the other."""
    one = compaction()
    two = Compaction(covered=1, coverage=one.coverage, adopted=4, adoption=b"two")
    store.append(open_key("a"), [one], expected=0)
    store.append(open_key("b"), [two], expected=0)
    assert (one, two) == store.find(SPACE, frozenset({one.coverage}), user="ann")

    store.forget(open_key("a"))
    assert (two,) == store.find(SPACE, frozenset({one.coverage}), user="ann")
    assert 4 == store.known(SPACE, user="ann")


def test_conversations_with_a_name_are_not_searched_by_hash(store: RedisStore) -> None:
    """They are whole in themselves."""
    record = compaction()
    store.append(key(), [record], expected=0)

    assert () == store.find(SPACE, frozenset({record.coverage}), user="ann")
    assert store.known(SPACE, user="ann") is None


def test_the_shortest_input_on_record_is_known(store: RedisStore) -> None:
    """Of the logs without a name of that user."""
    store.append(open_key(), [turn(), compaction(adopted=70), compaction(adopted=9)], expected=0)

    assert (9, None) == (store.known(SPACE, user="ann"), store.known(SPACE, user="bob"))


@EXAMPLES
@given(st.lists(USERS, min_size=2, max_size=4, unique=True))
def test_no_call_reaches_another_user(store: RedisStore, users: list[str]) -> None:
    """Whatever their ids are made of, and whatever is forgotten."""
    records = {user: compaction() for user in users}
    space = a_prefix()
    for user, record in records.items():
        for each in (key(user=user, namespace=space), open_key(user=user, namespace=space)):
            store.append(each, [record], expected=0)
            store.acquire(each, "turn", owner=user, seconds=9)

    hashes = frozenset(record.coverage for record in records.values())
    for place, user in enumerate(users):
        assert (records[user],) == store.load(key(user=user, namespace=space)).records
        assert (records[user],) == store.find(space, hashes, user=user)
        assert user == store.holder(key(user=user, namespace=space), "turn")
        assert [user] == [each.user for each in store.conversations(space, user=user)]
        assert Forgotten(logs=2, records=2, compactions=2, leases=2) == store.forget_user(
            space, user
        )
        assert sorted(users[place + 1 :]) == [each.user for each in store.conversations(space)]


@EXAMPLES
@given(
    places=st.lists(st.tuples(USERS, NAMES), max_size=40, unique=True),
    limit=st.integers(1, 12),
)
def test_pages_of_conversations_are_complete(
    store: RedisStore, places: list[tuple[str, str]], limit: int
) -> None:
    """By user and name in code point order, of one user or all, however long the pages are."""
    space = a_prefix()
    for user, name in places:
        store.append(key(name, user=user, namespace=space), [turn()], expected=0)

    def pages(whose: str | None) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        while True:
            after = found[-1] if found else None
            page = store.conversations(space, user=whose, after=after, limit=limit)
            assert len(page) <= limit
            if not page:
                return found
            found += [(entry.user, entry.name) for entry in page]

    assert sorted(places) == pages(None)
    for user in {user for user, _ in places}:
        assert sorted(place for place in places if place[0] == user) == pages(user)


def test_an_entry_says_how_long_a_conversation_is(store: RedisStore) -> None:
    """Its version, the messages it has now, and when it grew last."""
    store.append(key(), [turn(), turn(1), turn(1), compaction()], expected=0)
    (entry,) = store.conversations(SPACE)

    assert time.time() == pytest.approx(entry.updated, abs=30)
    assert Entry(user="ann", name="trip", version=4, messages=2, updated=entry.updated) == entry


def test_the_page_after_a_place_needs_no_conversation_there(store: RedisStore) -> None:
    """It may have been forgotten, or be one of another user."""
    for user in "bd":
        store.append(key("m", user=user), [turn()], expected=0)

    found = {
        (whose, after): [each.user for each in store.conversations(SPACE, user=whose, after=after)]
        for whose in (None, "b")
        for after in (("a", "z"), ("b", "l"), ("b", "m"), ("c", ""), ("d", "z"))
    }

    assert [["b", "d"], ["b", "d"], ["d"], ["d"], []] == list(found.values())[:5]
    assert [["b"], ["b"], [], [], []] == list(found.values())[5:]


def test_a_conversation_begun_again_is_listed_again(store: RedisStore) -> None:
    """The list has a user as long as there is a conversation."""
    for _ in range(2):
        store.append(key(), [turn()], expected=0)
        assert ["trip"] == [each.name for each in store.conversations(SPACE)]
        store.forget(key())
        assert () == store.conversations(SPACE)
    assert [] == written(store.prefix)


def test_a_lease_belongs_to_one_owner_until_it_runs_out(
    store: RedisStore, other: RedisStore
) -> None:
    """Others are told who has it; afterwards it is anybody's."""
    store.acquire(key(), "other", owner="c", seconds=9)
    assert store.acquire(key(), "turn", owner="a", seconds=9)
    assert not other.acquire(key(), "turn", owner="b", seconds=9)
    assert "a" == other.holder(key(), "turn")

    assert store.acquire(key(), "turn", owner="a", seconds=0.001)
    time.sleep(0.01)
    assert other.holder(key(), "turn") is None
    assert other.acquire(key(), "turn", owner="b", seconds=9)
    assert "b" == store.holder(key(), "turn")


def test_a_lease_can_be_renewed(store: RedisStore) -> None:
    """It then lasts from now on."""
    store.acquire(key(), "turn", owner="a", seconds=0.1)
    assert store.acquire(key(), "turn", owner="a", seconds=9)
    time.sleep(0.15)

    assert "a" == store.holder(key(), "turn")


def test_a_lease_is_given_up_by_its_owner_only(store: RedisStore) -> None:
    """Others change nothing."""
    store.acquire(key(), "turn", owner="a", seconds=9)
    store.release(key(), "turn", owner="b")
    assert "a" == store.holder(key(), "turn")

    store.release(key(), "turn", owner="a")
    assert store.holder(key(), "turn") is None


def test_leases_of_other_logs_and_purposes_are_free(store: RedisStore) -> None:
    """Whatever the purposes look like."""
    places = [(key(), "a"), (key(), "a:b"), (key(), "\0\ud800"), (key("b"), "a"), (open_key(), "")]
    for number, (where, purpose) in enumerate(places):
        assert store.acquire(where, purpose, owner=str(number), seconds=9)

    assert list("01234") == [store.holder(where, purpose) for where, purpose in places]


def test_leases_that_ran_out_do_not_pile_up(store: RedisStore) -> None:
    """Those who take leases clear them away."""
    store.acquire(key(), "turn", owner="a", seconds=9)
    for number in range(30):
        store.acquire(key(str(number)), "turn", owner="a", seconds=0.001)
        time.sleep(0.002)
    store.acquire(key(), "turn", owner="a", seconds=9)

    with client() as server:
        (leases,) = (each for each in written(store.prefix) if each.endswith(b":leases"))
        assert 1 == server.hlen(leases.decode())


def test_nothing_but_leases_expires(store: RedisStore) -> None:
    """A full server must not lose conversations, nor keep leases of the dead."""
    store.append(key(), [turn()], expected=0)
    store.append(open_key(), [compaction()], expected=0)
    store.acquire(key(), "turn", owner="a", seconds=5)
    with client() as server:
        limited = [each for each in written(store.prefix) if server.pttl(each) != -1]

    assert 2 == len(limited)
    assert all(b":leases" in each for each in limited)


def test_forgetting_tells_exactly_what_went(store: RedisStore) -> None:
    """Leases that have run out are none."""
    store.append(key(), [turn(), turn(1), compaction()], expected=0)
    store.append(key("b"), [turn()], expected=0)
    store.acquire(key(), "turn", owner="a", seconds=9)
    store.acquire(key("b"), "turn", owner="a", seconds=9)
    store.acquire(key(), "old", owner="a", seconds=0.001)
    time.sleep(0.01)

    expected = Forgotten(logs=1, records=3, messages=2, compactions=1, leases=1)
    assert expected == store.forget(key())
    assert Forgotten() == store.forget(key())
    assert ["b"] == [each.name for each in store.conversations(SPACE)]
    assert "a" == store.holder(key("b"), "turn")


def test_no_byte_of_what_was_forgotten_is_left(store: RedisStore) -> None:
    """In a key, a record, an index or a lease; and what else there is, stays."""
    secret = "s3cr3t"
    store.append(key("kept", user="bob"), [turn()], expected=0)
    before = everything(store.prefix)
    for name in (secret, f"{secret}2"):
        store.append(key(name, user=secret), [turn(text=secret), compaction()], expected=0)
        store.acquire(key(name, user=secret), secret, owner=secret, seconds=9)
    store.append(open_key(secret, user=secret), [compaction()], expected=0)
    assert secret.encode() in everything(store.prefix)
    store.forget_user(SPACE, secret)

    assert before == everything(store.prefix)


def test_a_user_who_keeps_other_logs_keeps_only_those(store: RedisStore) -> None:
    """The names and the index are as they were, but for the number of the next compaction."""
    store.append(key("kept"), [turn()], expected=0)
    store.append(open_key("kept"), [compaction(adopted=5)], expected=0)
    before = everything(store.prefix, b":owner")
    store.append(key("b"), [turn(), compaction()], expected=0)
    store.append(open_key("b"), [compaction(adopted=6), compaction(adopted=4)], expected=0)
    assert before != everything(store.prefix, b":owner")
    store.forget(key("b"))
    store.forget(open_key("b"))

    assert before == everything(store.prefix, b":owner")


def test_a_user_with_very_many_logs_is_forgotten(store: RedisStore) -> None:
    """A thousand at a time, with all their leases."""
    for number in range(1_005):
        store.append(open_key(str(number)), [turn()], expected=0)
    store.acquire(open_key("7"), "turn", owner="a", seconds=9)
    found = store.forget_user(SPACE, "ann")

    assert Forgotten(logs=1_005, records=1_005, messages=1_005, leases=1) == found
    assert [] == written(store.prefix)
