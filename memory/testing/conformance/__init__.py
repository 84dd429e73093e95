"""The contract of a store as a suite that you run on yours.

With pytest, one test for each behaviour; what your store does not offer is skipped::

    import pytest
    from memory.testing.conformance import CHECKS

    from my_stores import MyStore

    @pytest.fixture(scope="session")
    def factory(tmp_path_factory):
        path = tmp_path_factory.mktemp("store") / "log.db"
        return lambda: MyStore(path)

    @pytest.mark.parametrize("check", CHECKS)
    def test_my_store_keeps_the_contract(check, factory):
        check(factory)

Without it, a report that is a table when it is printed::

    from memory.testing.conformance import check_store

    report = check_store(lambda: MyStore("log.db"))
    print(report)
    report.raise_for_failures()

`factory` returns a handle on one and the same store each time, so that the suite sees what a
second process would see. For a store that lives in one object it returns that object. Whatever a
check writes is in a namespace of its own and is forgotten in the end; bounded stores need room for
200 logs and 3,000 messages.
"""

from __future__ import annotations

from memory.testing.conformance.bench import Factory
from memory.testing.conformance.check import CAPABILITIES, Check, offers
from memory.testing.conformance.report import Report, Result
from memory.testing.conformance.suite import CHECKS, check_store, checks

__all__ = (
    "CAPABILITIES",
    "CHECKS",
    "Check",
    "Factory",
    "Report",
    "Result",
    "check_store",
    "checks",
    "offers",
)
