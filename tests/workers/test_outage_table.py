"""Which errors make a worker wait for what it stands on, and which go the way of the message's own faults."""

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ParamValidationError

from orderstore.codec import MalformedCommit
from orderstore.domain.rejections import UnknownOrder
from orderstore.store.errors import CommitConflict, Refused, Throttled, Unavailable
from workers.classify import is_outage
from workers.inventory.stock import StockContended
from workers.notification.mail import MailRefused
from workers.notification.telling import NotToldYet, PerhapsTold
from workers.payment.gateway import GatewayRefused, GatewayTimeout, GatewayUnavailable
from workers.reaction import OutOfStep, SimulatedTechnicalFailure
from workers.shipping.carrier import CarrierRefused, CarrierTimeout, CarrierUnavailable
from workers.tables.errors import TableContended, TableRefused, TableThrottled, TableUnavailable


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said so"}}, "PutItem")


@pytest.mark.parametrize(
    "error",
    [
        Throttled("PutItem", tries=5),
        Unavailable("PutItem", tries=5, ambiguous=True),
        TableThrottled("slower"),
        TableUnavailable("gone"),
        GatewayTimeout("?"),
        GatewayUnavailable("no"),
        CarrierTimeout("?"),
        CarrierUnavailable("no"),
        NotToldYet("paused"),
        PerhapsTold("?"),
        TimeoutError("late"),
        ConnectionResetError("gone"),
        client_error("ThrottlingException"),
        client_error("InternalServerError"),
        ConnectTimeoutError(endpoint_url="https://nowhere"),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_what_may_just_be_down_is_waited_for(error: Exception) -> None:
    """A provider, a table, the mail, a key service: whatever the message was, it would have failed."""  # D12
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        UnknownOrder("a"),
        MalformedCommit("b"),
        Refused("PutItem", "AccessDenied", "no"),
        TableRefused("no rights"),
        TableContended("busy"),
        StockContended("hot"),
        GatewayRefused("wrong state"),
        CarrierRefused("wrong state"),
        MailRefused("no such address"),
        OutOfStep("not yet"),
        SimulatedTechnicalFailure("asked for"),
        client_error("AccessDeniedException"),
        ParamValidationError(report="wrong"),
        KeyError("a bug"),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_what_is_the_messages_own_is_not(error: Exception) -> None:
    """Held back as if it were an outage, it would stop a queue that works."""
    assert not is_outage(error)


def test_a_lost_race_is_no_outage() -> None:
    """The winner carries a commit; it is decided again at once."""
    assert not issubclass(CommitConflict, Throttled | Unavailable)
