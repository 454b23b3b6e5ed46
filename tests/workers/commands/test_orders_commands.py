"""`orderstore orders …` and `orderstore returns …` over orders in memory: done by an operator, told in words or JSON, refused in words."""

import json
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner, Result

from orderstore.domain import decisions
from orderstore.domain.events import PaymentCompleted, PaymentFailed, RefundFailed
from orderstore.domain.ids import order_id_for_key
from orderstore.orders import Orders
from orderstore.recorded import Recorded
from tests.builders import BOOKED, DELIVERED, DISPATCHED, NOON, PAID, PAID_AT_ONCE, RESERVED
from tests.ordering import ACTOR, TENANT, cause, orders_over, request
from workers.cli import build
from workers.commands.orders import options

PAGE = (Path(__file__).parents[3] / "docs" / "changes-of-mind.md").read_text()
ORDER = order_id_for_key(TENANT, "order")


class Shop:
    """One order in a log that lives as long as a test; each command runs in a loop of its own, as in life."""

    def __init__(self) -> None:
        self.orders: Orders = orders_over()

    def with_orders(self, _state_dir: Any, work: Callable[[Orders], Awaitable[Any]]) -> Any:
        return anyio.run(lambda: work(self.orders))

    def place(self, **changes: Any) -> None:
        anyio.run(lambda: self.orders.place(request(**changes), actor=ACTOR, idempotency_key="order"))

    def happens(self, decide: Any, purpose: str, **inputs: Any) -> None:
        async def main() -> None:
            history = await self.orders.load(ORDER)
            await self.orders.record(history, lambda state: decide(state, **inputs), cause=cause(purpose))

        anyio.run(main)

    def reserve(self, paid: PaymentCompleted = PAID_AT_ONCE) -> None:
        self.place()
        self.happens(decisions.complete_payment, "paid", outcome=paid)
        self.happens(decisions.reserve_inventory, "reserved", outcome=RESERVED)

    def deliver(self) -> None:
        self.reserve()
        self.happens(decisions.create_shipment, "booked", outcome=BOOKED)
        self.happens(decisions.dispatch_shipment, "dispatched", outcome=DISPATCHED)
        self.happens(decisions.deliver_shipment, "delivered", outcome=DELIVERED)

    def events(self) -> tuple[Recorded, ...]:
        return anyio.run(lambda: self.orders.load(ORDER)).events

    def names(self) -> list[str]:
        return [recorded.name for recorded in self.events()]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop()
    monkeypatch.setattr(options, "with_orders", made.with_orders)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), [*arguments, "--by", "olga"])


def done(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_pieces_are_taken_out_of_an_order(shop: Shop) -> None:
    """Once for one key; the operator is on record, and nothing else is told than what happened."""
    shop.reserve()
    told = done("orders", "cancel-lines", ORDER, "--line", "1:1", "--key", "k", "--if-version", "4")
    again = done("orders", "cancel-lines", ORDER, "--line", "1:1", "--key", "k", "--if-version", "4")
    words = run("orders", "cancel-lines", ORDER, "--line", "1:1", "--key", "k")

    assert (told["event"], told["new"], again["new"]) == ("LinesCancelled", True, False)
    assert told["data"]["amountMinor"] == 2_500
    assert told["data"]["lines"] == [{"line": 1, "quantity": 1}]
    assert again == {**told, "new": False}
    assert words.stdout.startswith("LinesCancelled, as before: ")
    made = shop.events()[-2]
    assert (made.event_id, made.actor.type, made.actor.id) == (told["eventId"], "operator", "olga")


def test_lines_are_added_to_an_order(shop: Shop) -> None:
    """Once for one key, of the version that was seen; and taken back."""
    shop.reserve(PAID)
    wanted = ("orders", "edit", ORDER, "--add", "CHARGER-003:2:19.99", "--key", "k")
    stale = run(*wanted, "--if-version", "3")
    told = done(*wanted, "--if-version", "4")
    again = done(*wanted, "--if-version", "4")
    edit_id = told["data"]["editId"]
    back = done("orders", "withdraw-edit", ORDER, edit_id)

    assert (stale.exit_code, "version 4" in stale.output) == (1, True)
    assert (told["event"], told["new"], again["new"]) == ("OrderEditRequested", True, False)
    assert (told["data"]["amountMinor"], told["data"]["dueMinor"]) == (3_998, 93_998)
    assert (back["event"], back["data"]) == ("OrderEditDeclined", {"editId": edit_id, "reason": "withdrawn"})
    assert run("orders", "withdraw-edit", ORDER, "none").exit_code == 1
    assert run("orders", "edit", ORDER, "--add", "CHARGER-003:2").exit_code == 2


def test_an_order_is_held_released_and_undone(shop: Shop) -> None:
    """Words are sealed and never told."""
    shop.place()
    held = done("orders", "hold", ORDER, "--reason", "address", "--name", "h-1", "--note", "moved away")
    released = done("orders", "release", ORDER, "h-1")
    noted = run("orders", "note", ORDER, "she called")
    undone = done("orders", "cancel", ORDER, "--note", "she called again")

    assert (held["data"], released["event"]) == ({"holdId": "h-1", "reason": "address"}, "OrderHoldReleased")
    assert (noted.exit_code, "called" in noted.output) == (0, False)
    assert undone["data"] == {"reason": "operator"}
    assert shop.names() == [
        "OrderCreated",
        "OrderHeld",
        "OrderHoldReleased",
        "OrderNoteAdded",
        "OrderCancellationRequested",
    ]


def test_a_declined_payment_is_tried_again_and_a_question_is_answered(shop: Shop) -> None:
    """The answer in a customer's name is an operator's on record."""
    shop.place(terms={"paymentRetryS": 60})
    refused = PaymentFailed(attempt=1, category="soft", code="x", retry_until=NOON)
    shop.happens(decisions.fail_payment, "declined", outcome=refused)
    tried = done("orders", "retry-payment", ORDER, "--method", "pm_card_visa")
    shop.happens(
        decisions.fail_payment,
        "declined:2",
        outcome=PaymentFailed(attempt=2, category="soft", code="x", retry_until=NOON),
    )
    wrong = run("orders", "answer", ORDER, "payment:2:retry", "accepted")
    declined = done("orders", "answer", ORDER, "payment:2:retry", "declined")

    assert (tried["event"], tried["data"]) == ("PaymentAttemptStarted", {"attempt": 2, "method": "pm_card_visa"})
    assert (wrong.exit_code, "wrong_answer" in wrong.output) == (1, True)
    assert declined["data"]["answer"] == "declined"
    assert shop.names()[-1] == "OrderCancellationRequested"


def test_a_review_a_delay_and_a_refund(shop: Shop) -> None:
    """Each as the API would have it."""
    shop.place(terms={"review": True})
    passed = done("orders", "review", ORDER, "passed", "--score", "3", "--rule", "new-customer", "--rule", "far-away")
    delayed = done(
        *("orders", "delay", ORDER, "--until", "2026-12-20T00:00:00Z", "--reason", "snow", "--consent-within", "60")
    )
    shop.happens(decisions.complete_payment, "paid", outcome=PAID_AT_ONCE)
    refunded = done("orders", "refund", ORDER, "--line", "0:1", "--note", "she is kind")
    refund_id = refunded["data"]["refundId"]
    failed = RefundFailed(refund_id=refund_id, attempt=1, code="x")
    shop.happens(decisions.fail_refund, "refund-failed", outcome=failed)
    retried = done("orders", "retry-refund", ORDER, refund_id)

    assert passed["data"] == {"score": 3, "rules": ["new-customer", "far-away"]}
    assert delayed["data"]["promisedAt"] == "2026-12-20T00:00:00.000Z"
    assert refunded["data"]["amountMinor"] == 85_000
    assert (retried["event"], retried["data"]) == ("RefundRetried", {"refundId": refund_id, "attempt": 2})


def test_goods_come_back_and_others_are_sent(shop: Shop) -> None:
    """A return and an order in exchange; received and inspected by their ids."""
    shop.deliver()
    told = done(
        *("returns", "request", ORDER, "--line", "1:1", "--reason", "other", "--exchange", "MOUSE:3:1:27.50"),
        *("--note", "too small", "--key", "k"),
    )
    return_id = told["data"]["returnId"]
    kept = done("returns", "request", ORDER, "--line", "1:1", "--reason", "withdrawal")["data"]["returnId"]
    cancelled = done("returns", "cancel", ORDER, kept)
    approved = done("returns", "approve", ORDER, return_id)
    received = done("returns", "receive", ORDER, return_id)
    inspected = done("returns", "inspect", ORDER, return_id, "--piece", "1:1:damaged")
    other = run("returns", "inspect", ORDER, return_id, "--nothing")

    exchange = anyio.run(lambda: shop.orders.load(told["data"]["exchangeOrderId"]))
    assert [line.sku for line in exchange.state.order.lines] == ["MOUSE:3"]  # type: ignore[union-attr]  # it is placed
    assert (cancelled["event"], approved["new"], received["event"]) == ("ReturnCancelled", False, "ReturnReceived")
    assert inspected["data"]["pieces"] == [{"line": 1, "quantity": 1, "condition": "damaged"}]
    (promised,) = (past.event for past in shop.events() if past.name == "RefundRequested")
    assert inspected["data"]["refundId"] == promised.refund_id  # type: ignore[union-attr]  # it is one
    assert inspected["data"]["amountMinor"] == 2_500
    assert (other.exit_code, "wrong_return_status" in other.output) == (1, True)
    assert shop.names()[-1] == "RefundRequested"


def test_a_return_is_declined_in_words_that_are_sealed(shop: Shop) -> None:
    """It has to be announced after its time for somebody to decide."""
    shop.deliver()
    shop.orders._return_days = 0
    return_id = done("returns", "request", ORDER, "--line", "1:1", "--reason", "other")["data"]["returnId"]
    declined = done("returns", "decline", ORDER, return_id, "--note", "no")

    assert (declined["event"], declined["data"]) == ("ReturnDeclined", {"returnId": return_id})


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("orders", "cancel-lines", ORDER, "--line", "1"), 2, "colons"),
        (("orders", "cancel-lines", ORDER, "--line", "1:x"), 2, "whole numbers"),
        (("orders", "cancel-lines", ORDER, "--line", "1:0"), 2, "/lines/0/quantity"),
        (("orders", "cancel-lines", ORDER, "--line", "1:9"), 1, "nothing_to_cancel"),
        (("orders", "cancel-lines", ORDER, "--line", "1:1", "--if-version", "3"), 1, "version 4"),
        (("orders", "cancel-lines", ORDER, "--line", "1:1", "--key", "4111111111111111"), 2, "--key"),
        (("orders", "cancel-lines", "nowhere", "--line", "1:1"), 1, "unknown_order"),
        (("orders", "hold", ORDER, "--reason", "because"), 2, "/reason"),
        (("orders", "review", ORDER, "passed"), 1, "not_under_review"),
        (("orders", "note", ORDER, "card 4111 1111 1111 1111"), 2, "/note"),
        (("orders", "delay", ORDER, "--until", "tomorrow", "--reason", "r"), 2, "/promisedAt"),
        (("orders", "retry-payment", ORDER), 1, "nothing_to_retry"),
        (("orders", "retry-refund", ORDER, "r-1"), 1, "unknown_refund"),
        (("orders", "answer", ORDER, "missing_stock", "expired"), 2, "/answer"),
        (("returns", "request", ORDER, "--line", "1:1", "--reason", "other"), 1, "nothing_to_return"),
        (("returns", "request", ORDER, "--line", "1:1", "--reason", "other", "--method", "pm_1"), 2, "--exchange"),
        (("returns", "approve", ORDER, "r-1"), 1, "unknown_return"),
        (("returns", "inspect", ORDER, "r-1"), 2, "--nothing"),
        (("returns", "inspect", ORDER, "r-1", "--piece", "1:1"), 2, "colons"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(shop: Shop, arguments: tuple[str, ...], code: int, words: str) -> None:
    """Exit 2 for what cannot be meant, 1 for what the order refuses; a card number is not repeated, and nothing is stored."""
    shop.reserve()
    before = shop.names()
    result = run(*arguments)

    assert result.exit_code == code, result.output
    assert words in result.output.replace("\n", " ").replace("│", " ")
    assert "4111" not in result.output
    assert shop.names() == before


def test_the_examples_of_the_page_run_as_they_stand(shop: Shop) -> None:
    """In their order: those of an order that is set aside, then those of one that has arrived."""
    lines = [line for line in PAGE.splitlines() if line.startswith("orderstore ")]
    shop.reserve()
    return_id, arrived = "", False
    for line in lines:
        if "$ARRIVED" in line and not arrived:
            shop.orders, arrived = orders_over(), True
            shop.deliver()
        kept = shop.orders
        if "$HELD" in line:  # an order of its own, whose money is held and not taken
            shop.orders = orders_over()
            shop.reserve(PAID)
        command = (
            line.replace("$HELD", ORDER)
            .replace("$ORDER", ORDER)
            .replace("$ARRIVED", ORDER)
            .replace("$RETURN", return_id)
        )
        result = CliRunner().invoke(build(), shlex.split(command)[1:])
        assert result.exit_code == 0, (line, result.output)
        shop.orders = kept
        if "--json" in line:
            return_id = json.loads(result.stdout)["data"]["returnId"]
    assert len(lines) > 8
