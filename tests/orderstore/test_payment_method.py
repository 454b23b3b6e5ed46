"""How a customer pays: a provider's token in the order's first commit, never a card, never published."""

import hashlib
import itertools
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from orderstore import contract
from orderstore.asked import request_hash
from orderstore.domain import decisions
from orderstore.domain.events import PaymentMethodChosen
from orderstore.domain.state import INITIAL, Placed, fold
from orderstore.orders import KeyReused, Orders
from orderstore.recorded import Actor
from orderstore.requests import PlaceOrder
from orderstore.sandbox_cards import MEANINGS
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from tests.builders import order_created
from tests.ordering import PlainVault

CUSTOMER = Actor("customer", "c-1")
BODY: dict[str, Any] = {"items": [{"sku": "A", "quantity": 1, "price": "5.00"}], "currency": "EUR"}


def asking(**fields: Any) -> PlaceOrder:
    return PlaceOrder.model_validate(BODY | fields)


def orders() -> Orders:
    ticks = itertools.count(1_750_000_000_000)
    transactor = Transactor(MemoryEventStore(), now_ms=lambda: next(ticks))
    return Orders(transactor, tenant="t", vault=PlainVault(), hooks_allowed=False, now_ms=lambda: next(ticks))


@pytest.mark.parametrize("token", ["pm_sandbox_decline_soft", "pm_sandbox_", "pm_sandbox_hold_", "pm_sandbox_hold_x"])
def test_a_card_that_the_sandbox_does_not_have_is_refused_with_those_that_it_has(token: str) -> None:
    """A typing error would be taken for a good card."""
    with pytest.raises(ValidationError, match=r"there are pm_sandbox_declined_soft, .*pm_sandbox_hold_<seconds>"):
        asking(paymentMethod=token)


@pytest.mark.parametrize("token", [*MEANINGS, "pm_sandbox_hold_60", "pm_card_visa", "pm_sandboxed"])
def test_every_other_token_is_one(token: str) -> None:
    """Those of the sandbox, and whatever another provider calls a card."""
    assert asking(paymentMethod=token.replace("<seconds>", "5")).payment_method


async def test_it_stands_in_the_first_commit_and_is_nobody_else_s_business() -> None:
    """The payment worker that reads the order knows it; the topic never does."""  # D31
    placed = await orders().place(asking(paymentMethod="pm_1MtwBw"), actor=CUSTOMER, idempotency_key=None)
    created, chosen = placed.history.events

    assert (chosen.event, chosen.commit, created.commit) == (PaymentMethodChosen(method="pm_1MtwBw"), 1, 1)
    assert isinstance(placed.history.state, Placed)
    assert placed.history.state.payment.method == "pm_1MtwBw"
    assert contract.publish(chosen) is None
    public = contract.publish(created)
    assert public is not None
    assert b"pm_1MtwBw" not in public.body


async def test_an_order_without_one_is_what_it_was() -> None:
    """One event, as ever."""
    placed = await orders().place(asking(), actor=CUSTOMER, idempotency_key=None)

    assert len(placed.history.events) == 1


def test_a_later_choice_takes_the_place_of_an_earlier_one() -> None:
    """A customer whose card was declined chooses another."""
    first = decisions.place(INITIAL, order=order_created(), method="pm_1")
    state = fold(INITIAL, (*first, PaymentMethodChosen(method="pm_2")))

    assert isinstance(state, Placed)
    assert state.payment.method == "pm_2"
    assert decisions.place(state, order=order_created(), method="pm_3") == ()


@pytest.mark.parametrize(
    "token",
    [
        "4242424242424242",
        "pm_4242424242424242",
        "card_4242-4242-4242-4242",
        "pm_4242_4242_4242_4242",
        "pm_378282246310005x",
        "tok_6011 1111 1111 1117",
        "pm",
        "pm_",
        "_1",
        "pm_1\n",
        "pm_" + "a" * 201,
        "ada@example.com",
        "",
        5,
    ],
)
def test_the_door_takes_no_card_in_the_clothes_of_a_token(token: Any) -> None:
    """PCI DSS 3.2: it must not be stored, whatever it is called. The refusal repeats nothing."""  # D31
    with pytest.raises(ValidationError) as refused:
        asking(paymentMethod=token)

    assert "4242" not in str(refused.value)


@pytest.mark.parametrize("token", ["pm_1MtwBwLkdIwHu7ix28a3tqPa", "pm_card_visa", "ctoken_1NnQUf2eZvKYlo2C", "src_1-2"])
def test_tokens_of_providers_come_in(token: str) -> None:
    """And show in no representation."""
    assert asking(paymentMethod=token).payment_method == token
    assert token not in repr(asking(paymentMethod=token))


async def test_the_same_key_with_another_token_is_another_request() -> None:
    """A repeat would otherwise be answered as if the other card were charged."""
    door = orders()
    await door.place(asking(paymentMethod="pm_1"), actor=CUSTOMER, idempotency_key="k")

    assert not (await door.place(asking(paymentMethod="pm_1"), actor=CUSTOMER, idempotency_key="k")).new
    for other in (asking(paymentMethod="pm_2"), asking()):
        with pytest.raises(KeyReused):
            await door.place(other, actor=CUSTOMER, idempotency_key="k")


def test_a_request_without_one_has_the_hash_that_it_always_had() -> None:
    """Or the repeat of an order that was placed before there were payment methods would be refused."""
    personal = {"customer_email", "customer_name", "customer_phone", "customer_address", "customer_vat_id"}
    later = {"payment_method", "tax_mode", "tax_rounding", "discount", "shipping", "terms", "shipping_outcome"}
    understood = asking().model_dump(mode="json", exclude={*personal, *later})
    for item in understood["items"]:
        del item["tax_rate_percent"], item["discount"]
    understood["items"][0]["price"] = "5"
    before = hashlib.sha256(orjson.dumps(understood, option=orjson.OPT_SORT_KEYS)).hexdigest()

    assert request_hash(asking()) == before
    assert request_hash(asking(paymentMethod="pm_1")) != before
