"""SMS: what a text comes to, what may be sent, and what SNS's answers mean."""

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from orderstore.requests import PlaceOrder
from tests.virtual_time import run_virtual
from tests.workers.notification.channel_fakes import PHONE, FakeSender, NobodySuppressed, note_of
from tests.workers.world import World
from workers.notification.routes import Route
from workers.notification.sms import SmsChannel, SmsNotSent, SmsOptedOut, SmsRefused, SmsUncertain
from workers.notification.sms_text import GSM, GSM_DOUBLE, Length, fitted, length_of
from workers.notification.sns_sms import SnsSmsSender


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", Length("GSM-7", 0, 0)),
        ("a" * 160, Length("GSM-7", 160, 1)),
        ("a" * 161, Length("GSM-7", 161, 2)),
        ("a" * 306, Length("GSM-7", 306, 2)),
        ("a" * 307, Length("GSM-7", 307, 3)),
        ("é£ñÜ", Length("GSM-7", 4, 1)),
        ("€" * 80, Length("GSM-7", 160, 1)),
        ("€" * 81, Length("GSM-7", 162, 2)),
        # An escape is not torn from its character: the 153rd place of the first part stays empty.
        ("a" * 152 + "€" + "a" * 152, Length("GSM-7", 306, 3)),
        ("ж" * 70, Length("UCS-2", 70, 1)),
        ("ж" * 71, Length("UCS-2", 71, 2)),
        ("😀" * 35, Length("UCS-2", 70, 1)),
        ("😀" * 36, Length("UCS-2", 72, 2)),
        ("a’" * 36, Length("UCS-2", 72, 2)),  # one typographic mark makes the whole dear
    ],
)
def test_a_text_comes_to_so_many_parts(text: str, length: Length) -> None:
    """3GPP TS 23.038: 160 and 153 of the GSM alphabet, 70 and 67 UTF-16 units."""  # E027
    assert length_of(text) == length


def test_the_alphabet_is_the_standards() -> None:
    """127 characters and the escape; ten that count twice."""
    assert (len(GSM), len(GSM_DOUBLE), GSM & GSM_DOUBLE) == (127, 10, frozenset())


@given(st.text(max_size=900), st.integers(1, 4))
def test_a_fitted_text_never_costs_more_than_it_may(text: str, parts_max: int) -> None:
    """Whatever the order's reference holds; what fits is left as it is."""
    found = fitted(text, parts_max)
    assert length_of(found).parts <= parts_max
    assert "\n" not in found
    whole = " ".join(text.split())
    if length_of(whole).parts <= parts_max:
        assert found == whole
    else:
        assert whole.startswith(found.removesuffix("...").rstrip())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientError({"Error": {"Code": "OptedOut"}}, "Publish"), SmsOptedOut),
        (ClientError({"Error": {"Code": "InvalidParameter"}}, "Publish"), SmsRefused),
        (ClientError({"Error": {"Code": "Throttling"}}, "Publish"), SmsNotSent),
        (ClientError({"Error": {"Code": "AuthorizationError"}}, "Publish"), SmsNotSent),
        (ClientError({"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "Publish"), SmsUncertain),
        (ConnectTimeoutError(endpoint_url="x"), SmsNotSent),
        (ReadTimeoutError(endpoint_url="x"), SmsUncertain),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_each_refusal_of_sns_says_whether_it_left(error: Exception, expected: type[Exception]) -> None:
    """And names no number; the price is bounded at every send."""  # E027

    class Client:
        async def publish(self, **request):
            assert request["PhoneNumber"] == PHONE
            attributes = {name: value["StringValue"] for name, value in request["MessageAttributes"].items()}
            assert attributes == {
                "AWS.SNS.SMS.SMSType": "Transactional",
                "AWS.SNS.SMS.MaxPrice": "0.08000",
                "AWS.SNS.SMS.SenderID": "SHOP",
            }
            raise error

    with pytest.raises(expected) as raised:
        await SnsSmsSender(Client(), price_max_usd=0.08, sender_id="SHOP").send(PHONE, "hi")  # type: ignore[arg-type]
    assert PHONE not in str(raised.value)


def test_an_sms_is_cut_to_what_may_be_paid_for() -> None:
    """The channel, not the template, keeps the bound."""

    async def scenario() -> None:
        sender = FakeSender()
        channel = SmsChannel(sender, suppressions=NobodySuppressed(), parts_max=1, patience_s=None)
        await channel.deliver(note_of(channel="sms", text="long " * 100))
        ((phone, text),) = sender.taken
        assert phone == PHONE
        assert length_of(text).parts == 1

    run_virtual(scenario)


def test_a_customer_with_a_number_is_told_of_the_events_that_were_chosen() -> None:
    """Of no others; and who gave none has a record that says so."""  # E027

    async def scenario() -> None:
        for phone, told in ((PHONE, ["sent"]), (None, ["suppressed"])):
            world, sender = World(), FakeSender()
            sms = SmsChannel(sender, suppressions=world.suppressions, parts_max=2, patience_s=None)
            routes = [Route(sms, frozenset({"ShipmentDispatched"}))]
            world.handlers["notification"] = world.notifying(world.tables["notifications"], routes=routes, sandbox=True)
            order_id = await world.place(customerPhone=phone, reference="REF-1")
            await world.deliver()
            assert await world.status(order_id) == "Completed"
            rows = [row async for row in world.tables["notifications"].scan() if row["channel"] == "sms"]
            assert [row["state"] for row in rows] == told
            if phone is not None:
                ((number, text),) = sender.taken
                assert number == PHONE
                assert text.startswith("Order REF-1 is on its way. Tracking number: ")
            assert len(world.mailbox.sent) == 3

    run_virtual(scenario)


ITEMS = {"items": [{"sku": "A", "quantity": 1, "price": "1"}], "currency": "USD"}


@pytest.mark.parametrize("phone", ["+4915112345678", "+14155550123", "+8613812345678", "+3725555123"])
def test_the_door_takes_numbers_as_e164_has_them(phone: str) -> None:
    """Also those whose digits happen to pass a card's check."""
    request = PlaceOrder.model_validate({**ITEMS, "customerPhone": phone})
    assert request.customer_phone == phone
    assert phone not in repr(request)


@pytest.mark.parametrize(
    "phone",
    ["015112345678", "+0151", "+49 151 12345678", "+49151123456789012", "+", "", "call me", "+٤٩١٥١١٢٣٤٥٦٧٨",
     "+378282246310005"],
)  # fmt: skip
def test_the_door_refuses_what_is_no_number(phone: str) -> None:
    """And, in a number's clothes, a card: that one is American Express's test number."""
    with pytest.raises(ValueError, match="customerPhone") as refused:
        PlaceOrder.model_validate({**ITEMS, "customerPhone": phone})
    assert phone in {"", "+"} or phone not in str(refused.value)


def test_a_number_is_sealed_and_compared_like_the_address() -> None:
    """A repeat with another number is another request; the log shows neither; requests without one hash as they always did."""

    async def scenario() -> None:
        from orderstore.asked import contact_of, request_hash

        without = PlaceOrder.model_validate({**ITEMS, "customerEmail": "a@example.com"})
        with_one = PlaceOrder.model_validate({**ITEMS, "customerEmail": "a@example.com", "customerPhone": PHONE})
        assert request_hash(without) == request_hash(with_one)
        assert contact_of(without) == b'{"email":"a@example.com","name":null}'
        assert PHONE in contact_of(with_one).decode()

    run_virtual(scenario)
