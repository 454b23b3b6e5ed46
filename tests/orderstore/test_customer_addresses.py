"""A customer's address and VAT number: optional, bounded, personal, and what an invoice shows."""

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from orderstore.asked import contact_of, has_contact, request_hash
from orderstore.requests import PlaceOrder

ADDRESS = {"lines": ["12 St James's Square"], "postalCode": "SW1Y 4JH", "city": "London", "country": "GB"}


def asking(**fields: Any) -> PlaceOrder:
    return PlaceOrder.model_validate({"currency": "GBP", "items": [{"sku": "A", "quantity": 1, "price": 5}], **fields})


def test_an_address_is_kept_with_the_contact_and_nowhere_in_the_clear() -> None:
    """Alone, it is a contact too; it is in no representation, and in no hash."""
    asked = asking(customerAddress=ADDRESS, customerVatId="GB123456789")
    assert has_contact(asked)
    contact = orjson.loads(contact_of(asked))
    assert contact == {"email": None, "name": None, "address": ADDRESS, "vatId": "GB123456789"}
    assert "James" not in repr(asked)
    assert "GB123456789" not in repr(asked)
    assert request_hash(asked) == request_hash(asking())


def test_contacts_without_one_are_what_they_always_were() -> None:
    """Or the repeat of an earlier order would be taken for another request."""
    assert (
        contact_of(asking(customerEmail="a@example.com", customerName="Ada"))
        == b'{"email":"a@example.com","name":"Ada"}'
    )
    assert not has_contact(asking())


@pytest.mark.parametrize(
    "wrong",
    [
        {"customerVatId": "gb123"},
        {"customerVatId": "GB"},
        {"customerVatId": "GB" + "1" * 14},
        {"customerAddress": {**ADDRESS, "country": "United Kingdom"}},
        {"customerAddress": {**ADDRESS, "lines": []}},
        {"customerAddress": {**ADDRESS, "lines": ["x"] * 5}},
        {"customerAddress": {**ADDRESS, "lines": ["x" * 101]}},
        {"customerAddress": {**ADDRESS, "city": ""}},
        {"customerAddress": {**ADDRESS, "city": "Lon\ndon"}},
        {"customerAddress": {**ADDRESS, "postalCode": "1" * 17}},
        {"customerAddress": {**ADDRESS, "lines": ["4111 1111 1111 1111"]}},
        {"customerAddress": {**ADDRESS, "planet": "Earth"}},
        {"customerAddress": {"lines": ["x"], "country": "GB"}},
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(wrong: dict[str, Any]) -> None:
    """Bounds, control characters, card numbers and unknown fields."""
    with pytest.raises(ValidationError) as refused:
        asking(**wrong)
    assert "4111" not in str(refused.value)
