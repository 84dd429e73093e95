"""Every store of ours keeps the contract, and offers what it is said to offer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from store_factories import FACTORIES

from memory.testing.conformance import CAPABILITIES, CHECKS, Factory, check_store, offers

OFFERED = {
    "volatile": {"store", "listing", "searching"},
    "sqlite": {"store", "listing", "searching", "recalling", "leasing", "checking", "durable"},
    "postgres": set(CAPABILITIES),
    "redis": {"store", "listing", "leasing", "checking", "durable", "asynchronous"},
    "sealed": {"store", "listing", "leasing", "checking", "durable"},
}


@pytest.fixture(scope="module", params=list(FACTORIES))
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Factory]]:
    """Return the name of a kind of store, and what opens handles on one of them."""
    with FACTORIES[request.param](tmp_path_factory.mktemp(request.param)) as factory:
        yield request.param, factory


@pytest.mark.parametrize("capability", list(CAPABILITIES))
def test_our_stores_keep_the_contract(place: tuple[str, Factory], capability: str) -> None:
    """Every check passes where the capability is offered, and none of its own is run elsewhere."""
    name, factory = place
    report = check_store(factory, only=[capability])
    report.raise_for_failures()

    outcomes = {result.outcome for result in report.results}
    assert (capability in OFFERED[name]) == ("passed" in outcomes)


def test_our_stores_offer_what_they_should(place: tuple[str, Factory]) -> None:
    """No store loses a capability, and none gains one, unnoticed."""
    name, factory = place
    store = factory()
    try:
        assert OFFERED[name] == set(offers(store))
    finally:
        getattr(store, "close", lambda: None)()


def test_checks_of_what_is_offered_are_not_absent(place: tuple[str, Factory]) -> None:
    """A check is absent only where one of the capabilities it needs is."""
    name, factory = place
    report = check_store(factory, only=["durable", "checking", "listing"])
    needs = {check.name: set(check.needs) for check in CHECKS}

    absent = {result.name for result in report.absent}
    assert absent == {r.name for r in report.results if needs[r.name] - OFFERED[name]}
