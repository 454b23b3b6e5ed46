"""The order that replaces what a customer sends back: as they ask for it, for the same customer, in the same currency."""

import orjson
from pydantic import ValidationError

from orderstore.change_requests import Exchange
from orderstore.domain.events import OrderCreated
from orderstore.domain.rejections import ExchangeRefused
from orderstore.privacy.keys import KeyErased
from orderstore.privacy.words import Vault
from orderstore.requests import PlaceOrder
from orderstore.wishes.wish import CustomerErased


async def replacement(order: OrderCreated, exchange: Exchange, *, vault: Vault, stream: str) -> PlaceOrder:
    """The request to place it: of who ordered first, to where that went. It is paid like any order; the return pays back what came first.

    Raises ExchangeRefused, CustomerErased, KeyUnusable.
    """
    contact = {}
    if order.contact is not None:
        try:
            contact = orjson.loads(await vault.open(order.contact, stream))
        except KeyErased as error:
            raise CustomerErased("this customer's personal data were erased: nothing can be sent to them") from error
    try:
        return PlaceOrder(
            **exchange.asked(),
            currency=order.currency,
            customer_id=order.customer_id,
            customer_email=contact.get("email"),
            customer_name=contact.get("name"),
            customer_phone=contact.get("phone"),
            customer_address=contact.get("address"),
            customer_vat_id=contact.get("vatId"),
            country=order.country,
            channel=order.channel,
        )
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        why = "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in found[:5])
        raise ExchangeRefused(f"the order in exchange cannot be placed: {why}") from error
