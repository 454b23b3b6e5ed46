"""A customer's address, name and words go in at the door and come out in a mail; nowhere between, and nowhere after an erasure, can anybody
read them."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orderstore.privacy.scanner import Scanner
from tests import commands
from tests.e2e.emulated import Emulated, text_of
from tests.e2e.programs import Program, orderstore
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

EMAIL = "wilhelmina.quackenbush@mail.example"
NAME = "Wilhelmina Quackenbush"
PHONE = "+4915199988877"
NOTE = "please leave it with Ottoline Featherstonehaugh"
REASON = "my husband Bartholomew ordered it too"
TELLTALES = ("15199988877", "wilhelmina", "quackenbush", "ottoline", "featherstonehaugh", "bartholomew")
CANARIES = (EMAIL, NAME, PHONE, NOTE, REASON, "Quackenbush", "Featherstonehaugh", "Bartholomew")
TABLES = ("events", "views", "leases", "series", "payments", "inventory", "notifications", "privacy-keys", "sandbox")
ORDER = {
    "customerEmail": EMAIL,
    "customerName": NAME,
    "customerPhone": PHONE,
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
    return any(base64.b64encode(word.encode()).rstrip(b"=")[:-1] in raw for word in (EMAIL, NAME, PHONE))


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
    history = commands.orderstore(
        "audit", "history", orders[0], "--json", "--state-dir", str(served.state_dir), cwd=tmp_path
    )
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


@contextmanager
def everything_published(emulated: Emulated) -> Iterator[str]:
    """A queue that hears all that the topic is told, without a filter; its URL."""

    def subscribe(sqs: Any) -> tuple[str, str]:
        url = sqs.create_queue(QueueName="test-only-everything")["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    url, arn = emulated.with_client("sqs", subscribe)
    subscription = emulated.with_client(
        "sns",
        lambda sns: sns.subscribe(
            TopicArn=emulated.settings["ORDERSTORE_TOPIC_ARN"],
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"],
    )
    try:
        yield url
    finally:
        emulated.with_client("sns", lambda sns: sns.unsubscribe(SubscriptionArn=subscription))
        emulated.with_client("sqs", lambda sqs: sqs.delete_queue(QueueUrl=url))


def everything_stored(emulated: Emulated) -> Iterator[tuple[str, object]]:
    """Every item of every table, every object of every bucket, every message of every queue. Mails are their recipients'."""
    prefix = emulated.settings["ORDERSTORE_RESOURCE_PREFIX"]
    for table in emulated.with_client("dynamodb", lambda it: it.list_tables()["TableNames"]):
        for item in emulated.items(table.removeprefix(f"{prefix}-")):
            yield table, item
    for bucket in (emulated.settings["ORDERSTORE_BLOBS_BUCKET"], emulated.settings["ORDERSTORE_AUDIT_BUCKET"]):

        def read(s3: Any, bucket: str = bucket) -> list[tuple[str, bytes]]:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
            return [(f"{bucket} {key}", s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]

        yield from emulated.with_client("s3", read)
    for message in emulated.queued():
        yield f"queue {message.queue}", message.body


def test_an_erased_customer_is_unreadable_everywhere_and_nothing_ever_was_plain(
    served: Program, tmp_path: Path
) -> None:
    """Notes, reasons, contact: sealed from the door on, in tables, messages, archive, dead letters and logs; after the erasure the
    certificate stands, the invoice still names its buyer, every proof holds, and the customer cannot be written for again."""
    emulated = Emulated.of(served.state_dir)
    order = {**ORDER, "customerId": "c-erased"}
    on_state = ("--state-dir", str(served.state_dir))

    def place(**hooks: str) -> str:
        placed: str = served.api.call("POST", "/orders", {**order, **hooks}).document["orderId"]
        return placed

    def settled(order_id: str, status: str) -> None:
        eventually(
            lambda: served.api.order(order_id).get("status") == status,
            what=f"{order_id} is {status}",
            process=served.process,
        )

    with everything_published(emulated):
        done, declined, stuck = place(), place(paymentOutcome="declined"), place(simulateTechnicalFailure="payment")
        settled(done, "COMPLETED")
        settled(declined, "CANCELLED")
        eventually(lambda: emulated.dead_letters(stuck), what="one is dead-lettered", process=served.process)
        assert served.api.call("POST", f"/orders/{stuck}/cancel", {"reason": NOTE}).status == 202
        refund = {"lines": [{"line": 0, "quantity": 1}], "reason": REASON}
        first = served.api.call("POST", f"/orders/{done}/refunds", refund, key="r")
        assert served.api.call("POST", f"/orders/{done}/refunds", refund, key="r").document == first.document
        other = served.api.call("POST", f"/orders/{done}/refunds", {**refund, "reason": "another"}, key="r")
        assert (first.status, other.status) == (202, 422)
        eventually(
            lambda: served.api.order(done)["payment"]["refundedMinor"] > 0,
            what="the refund is issued",
            process=served.process,
        )
        (number,) = served.api.order(done)["invoiceNumbers"]
        heard = eventually(
            lambda: [found for found in emulated.queued("test-only-everything") if found.order_id == done],
            what="the topic was heard",
            process=served.process,
        )
        assert heard

        refused = commands.orderstore(
            "privacy", "erase", "c-erased", "--reason", "ticket 4711", *on_state, cwd=tmp_path
        )
        assert refused.code == 1, refused.said
        assert stuck in refused.said
        asked = ("--reason", "ticket 4711", "--despite-open-orders", "--json")
        erased = orderstore("privacy", "erase", "c-erased", *asked, *on_state, cwd=tmp_path)
        assert erased.code == 0, erased.said
        assert set(erased.document["marked"]) == {done, declined, stuck}

        scanner = Scanner(canaries=CANARIES, allowed_emails=(emulated.settings["ORDERSTORE_MAIL_SENDER"],))
        looked_at: set[str] = set()
        for place_name, thing in everything_stored(emulated):
            looked_at.add(place_name.split()[0])
            found = list(scanner.look(place_name, thing))
            assert not found, found
            assert not tells(text_of(thing) if isinstance(thing, dict) else str(thing)), place_name
        assert "queue" in looked_at
        assert any("archive" in place_name for place_name, _ in everything_stored(emulated)), (
            "the archive was looked into"
        )

    canaries = [option for canary in CANARIES for option in ("--canary", canary)]
    scanned = commands.orderstore(
        "privacy", "scan", *canaries, "--log", str(served.log_file), "--peek-queues", "--json", *on_state, cwd=tmp_path
    )
    assert scanned.code == 0, scanned.said
    assert scanned.document["looked_at"]["log lines"] > 10
    assert not tells(served.out + served.err + served.log_file.read_text(encoding="utf-8"))

    certificate = erased.document["certificate"]["id"]
    assert commands.orderstore("privacy", "certificate", certificate, *on_state, cwd=tmp_path).code == 0
    buyer = commands.orderstore("privacy", "show-buyer", number, *on_state, cwd=tmp_path)
    assert (buyer.code, buyer.out.strip()) == (0, NAME)
    for order_id in (done, declined, stuck):
        assert [event["eventType"] for event in served.api.events(order_id)].count("PersonalDataErased") == 1
    verified = commands.orderstore("audit", "verify", "--json", *on_state, cwd=tmp_path)
    assert verified.code == 0, verified.said
    # A process may remember the key for a minute. What it seals with it meanwhile is sealed for nobody, and marked by another run.
    again = served.api.call("POST", "/orders", order)
    if again.status == 202:
        repeated = commands.orderstore(
            "privacy", "erase", "c-erased", *asked, "--from-view", *on_state, cwd=tmp_path
        ).document
        assert (repeated["new"], repeated["marked"]) == (False, [again.document["orderId"]])
        assert repeated["certificate"] == erased.document["certificate"]
    else:
        assert (again.status, again.document["code"]) == (422, "customer_erased")
