"""A customer's address and name go in at the door and come out in a mail; nowhere between can anybody read them."""

import base64
import json

import pytest

from tests.e2e.emulated import Emulated, text_of
from tests.e2e.programs import Program, orderstore
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

EMAIL = "wilhelmina.quackenbush@mail.example"
NAME = "Wilhelmina Quackenbush"
TELLTALES = ("wilhelmina", "quackenbush")
TABLES = ("events", "views", "leases", "series", "payments", "inventory", "notifications", "privacy-keys", "sandbox")
ORDER = {
    "customerEmail": EMAIL,
    "customerName": NAME,
    "customerId": "c-4711",
    "currency": "EUR",
    "items": [{"sku": "TEAPOT-1", "quantity": 1, "price": "19.99"}],
}


def tells(text: bytes | str) -> bool:
    """Whether the text gives the customer away, plainly or in base64."""
    data = (text if isinstance(text, bytes) else text.encode()).lower()
    if any(telltale.encode() in data for telltale in TELLTALES):
        return True
    raw = text if isinstance(text, bytes) else text.encode()
    return any(base64.b64encode(word.encode()).rstrip(b"=")[:-1] in raw for word in (EMAIL, NAME))


def test_nobody_but_the_mail_service_sees_who_the_customer_is(served: Program, tmp_path) -> None:
    """After one completed, one cancelled and one poisoned order: no item, message, log line, metric or API answer tells."""
    emulated = Emulated.of(served.state_dir)
    orders = [
        served.api.call("POST", "/orders", {**ORDER, **hooks}).document["orderId"]
        for hooks in ({}, {"paymentOutcome": "declined"}, {"simulateTechnicalFailure": "inventory"})
    ]
    refused = served.api.call("POST", "/orders", {**ORDER, "currency": "nonsense"})
    assert refused.status == 422
    ended = ("COMPLETED", "CANCELLED", "RECEIVED")
    for order_id, status in zip(orders, ended, strict=True):
        eventually(
            lambda order_id=order_id, status=status: served.api.order(order_id).get("status") == status,
            what=f"{order_id} is {status}",
            process=served.process,
        )
    eventually(
        lambda: emulated.dead_letters(orders[2]), what="the poisoned one is dead-lettered", process=served.process
    )
    mails = eventually(
        lambda: found if len(found := [mail for mail in emulated.mails() if mail.to == EMAIL]) >= 6 else None,
        what="the mails are sent",
        process=served.process,
    )
    assert any(NAME in mail.text for mail in mails), "the customer is addressed by name"

    for table in TABLES:
        items = emulated.items(table)
        assert items or table == "series", f"{table} is empty: nothing was looked at"
        assert not [item for item in items if tells(text_of(item))], table
    messages = emulated.queued()
    assert [message for message in messages if message.order_id == orders[2]], "the dead letter is there to be read"
    assert not [message for message in messages if tells(message.body)]
    log = served.log_file.read_text(encoding="utf-8")
    assert orders[0] in log
    assert not tells(log)
    assert not tells(served.out + served.err)
    assert not tells(served.api.call("GET", "/metrics").text)
    assert not tells(refused.text), "a refusal repeats nothing of the request"
    for order_id in orders:
        for path in (f"/orders/{order_id}", f"/orders/{order_id}/events", f"/orders/{order_id}/invoices"):
            assert not tells(served.api.call("GET", path).text), path
    assert not tells(served.api.call("GET", "/orders?customerId=c-4711").text)
    history = orderstore("audit", "history", orders[0], "--json", "--state-dir", str(served.state_dir), cwd=tmp_path)
    assert history.code == 0, history.said
    assert json.loads(history.out)
    assert not tells(history.said)  # D31, E125


def test_the_log_does_hold_the_contact_sealed(served: Program) -> None:
    """The search above can find something: the stored order names the key that seals it, and the body was read."""
    order_id = served.api.call("POST", "/orders", ORDER).document["orderId"]
    (first,) = (
        item
        for item in Emulated.of(served.state_dir).items("events")
        if order_id in item["stream"]["S"] and item["commit"]["N"] == "1"
    )
    text = text_of(first)
    assert b"c-4711" in text
    assert b"TEAPOT-1" in text
    assert not tells(text)
