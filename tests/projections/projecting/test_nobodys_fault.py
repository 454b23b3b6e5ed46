"""One table of whose fault an error is: what a rebuild blames on an order is what the quarantine may park it for."""

import pytest

from orderstore.codec import MalformedCommit, UnknownEvent
from orderstore.domain.state import ImpossibleTransition
from orderstore.store.errors import CorruptCommit, Refused, StreamTooLong, Throttled, Unavailable
from projections.parked_orders.judging import judge
from projections.projecting.errors import Contended, LogBehindStream, ProjectionError, says_nothing_of_an_order
from projections.view_store import (
    DocumentTooLarge,
    ViewStoreError,
    ViewStoreRefused,
    ViewStoreThrottled,
    ViewStoreUnavailable,
)
from projections.views.view import OutOfPlace
from tests.projections.histories import TENANT, order_number

STREAM = f"{TENANT}/order-{order_number(1)}"
NOBODYS = (
    Throttled.__new__(Throttled),
    Unavailable.__new__(Unavailable),
    Refused("Query", "AccessDenied", "no"),
    ViewStoreError("no"),
    ViewStoreThrottled("slower"),
    ViewStoreUnavailable("gone"),
    ViewStoreRefused("no"),
    ProjectionError("no"),
    Contended("others"),
    TimeoutError(),
    ConnectionResetError(),
    MemoryError(),
)
AN_ORDERS = (
    CorruptCommit(STREAM, 3, "its hash is another one"),
    StreamTooLong.__new__(StreamTooLong),
    LogBehindStream("commit 3"),
    DocumentTooLarge("large"),
    UnknownEvent("this build does not know Moved"),
    MalformedCommit("no"),
    ImpossibleTransition("no"),
    OutOfPlace("no"),
    KeyError("of a fold that is wrong"),
)


@pytest.mark.parametrize("error", NOBODYS, ids=lambda error: type(error).__name__)
def test_what_any_order_could_have_met_is_blamed_on_none(error: Exception) -> None:
    """Neither here nor in the quarantine."""
    assert says_nothing_of_an_order(error)
    assert judge(error).cause is None


@pytest.mark.parametrize("error", AN_ORDERS, ids=lambda error: type(error).__name__)
def test_what_is_wrong_with_an_order_is_blamed_on_it(error: Exception) -> None:
    """Here and in the quarantine, also where the rest of its tree is nobody's."""
    assert not says_nothing_of_an_order(error)
    assert judge(error).cause is not None
