"""Fewer pieces, another card, answers, reviews, delays, notes, a refund once more: asked once, answered in words, repeated without harm."""

import asyncio
from typing import Any

import pytest

from orderstore.domain import decisions
from orderstore.domain.events import (
    OrderCreated,
    PaymentFailed,
    RefundFailed,
    Terms,
)
from tests.builders import PAID_AT_ONCE, RESERVED
from tests.projections.http.api import ADMIN, OPERATOR, REVIEWER, Api, running
from tests.projections.http.stories import NOWHERE, declined, delivered, dispatched, reserved, short, under_review

MICE: dict[str, Any] = {"lines": [{"line": 1, "quantity": 1}]}
DELAY = {"promisedAt": "2026-12-20T00:00:00Z", "reason": "the supplier is late", "consentWithinS": 3_600}


async def events(api: Api, order_id: str) -> list[str]:
    return [recorded.name for recorded in (await api.orders.load(order_id)).events]


async def refused_refund(api: Api) -> tuple[str, str]:
    """An order, and its refund that the provider could not give."""
    order_id = await delivered(api)
    refund_id = (await api.post(f"/orders/{order_id}/refunds", MICE)).json()["refundId"]
    failed = RefundFailed(refund_id=refund_id, attempt=1, code="expired_or_canceled_card")
    await api.record(order_id, decisions.fail_refund, purpose="refund-outcome", outcome=failed)
    return order_id, refund_id


async def test_pieces_are_taken_out_of_an_order() -> None:
    """202 with what is not due any more; of money that is only held, nothing has to be given back."""
    async with running() as api:
        order_id = await reserved(api)
        response = await api.post(f"/orders/{order_id}/line-cancellations", MICE, If_Match='"4"')
        recorded = (await api.orders.load(order_id)).events[-1]

        assert response.status_code == 202
        assert response.json() == {
            "orderId": order_id,
            "eventId": recorded.event_id,
            "commit": recorded.commit,
            "cancellationId": response.json()["cancellationId"],
            "amountMinor": 2_500,
            "refundId": None,
            "status": "LINES_CANCELLED",
        }
        assert recorded.name == "LinesCancelled"
        assert recorded.event.reason == "customer"  # type: ignore[union-attr]  # as its name says
        assert (await api.orders.load(order_id)).state.due_minor == 87_500  # type: ignore[union-attr]  # it is placed


async def test_money_that_was_taken_for_pieces_is_promised_back_with_them() -> None:
    """In one commit; an operator's reason is an operator's."""
    async with running() as api:
        order_id = await api.place()
        await api.record(order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID_AT_ONCE)
        await api.record(order_id, decisions.reserve_inventory, purpose="inventory-outcome", outcome=RESERVED)
        response = await api.post(f"/orders/{order_id}/line-cancellations", MICE, token=ADMIN)

        assert response.json()["refundId"] is not None
        last = (await api.orders.load(order_id)).events[-2:]
        assert [recorded.name for recorded in last] == ["LinesCancelled", "RefundRequested"]
        assert last[0].event.reason == "operator"  # type: ignore[union-attr]  # as its name says


async def test_pieces_are_cancelled_once_for_one_key() -> None:
    """Also when both come at once, when the version has moved, and however the pieces are counted; another request is refused."""
    async with running() as api:
        order_id = await reserved(api, items=[{"sku": "S", "quantity": 9, "price": 100}])
        path, two = f"/orders/{order_id}/line-cancellations", {"lines": [{"line": 0, "quantity": 2}]}
        headers = {"Idempotency_Key": "k", "If_Match": '"4"'}
        answers = await asyncio.gather(*(api.post(path, two, **headers) for _ in range(4)))
        split = await api.post(path, {"lines": [{"line": 0, "quantity": 1}] * 2}, **headers)
        other = await api.post(path, {"lines": [{"line": 0, "quantity": 3}]}, **headers)

        assert [answer.status_code for answer in (*answers, split)] == [202] * 5
        assert len({answer.text for answer in (*answers, split)}) == 1
        assert sorted("idempotency-replayed" in answer.headers for answer in answers) == [False, True, True, True]
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert (await events(api, order_id)).count("LinesCancelled") == 1


@pytest.mark.parametrize(
    ("begun", "lines", "status", "code", "hint"),
    [
        (reserved, [{"line": 1, "quantity": 3}], 409, "nothing_to_cancel", "no pieces"),
        (reserved, [{"line": 2, "quantity": 1}], 409, "nothing_to_cancel", "no pieces"),
        (
            reserved,
            [{"line": 0, "quantity": 1}, {"line": 1, "quantity": 2}],
            409,
            "nothing_to_cancel",
            "cancel the order",
        ),
        (dispatched, [{"line": 1, "quantity": 1}], 409, "too_late_to_cancel", "return"),
        (Api.place, [{"line": 1, "quantity": 1}], 409, "too_late_to_cancel", "try again"),
    ],
)
async def test_pieces_that_cannot_be_taken_out(begun: Any, lines: Any, status: int, code: str, hint: str) -> None:
    """Each refusal says what to ask instead, and the order stays as it was."""
    async with running() as api:
        order_id = await begun(api)
        before = await events(api, order_id)
        response = await api.post(f"/orders/{order_id}/line-cancellations", {"lines": lines})

        assert (response.status_code, response.json()["code"]) == (status, code)
        assert hint in response.json()["detail"]
        assert await events(api, order_id) == before


async def test_an_edit_that_saw_another_order_is_refused() -> None:
    """412: what was seen has changed, so what was meant may have too."""
    async with running() as api:
        order_id = await reserved(api, items=[{"sku": "S", "quantity": 9, "price": 100}])
        path = f"/orders/{order_id}/line-cancellations"
        one = {"lines": [{"line": 0, "quantity": 1}]}
        answers = await asyncio.gather(*(api.post(path, one, If_Match='"4"') for _ in range(3)))

        assert sorted(answer.status_code for answer in answers) == [202, 412, 412]
        assert (await events(api, order_id)).count("LinesCancelled") == 1


async def test_an_edit_and_a_cancellation_at_once_are_decided_by_the_log() -> None:
    """Whichever comes first; the edit never revives what is cancelled, and the money is given back once."""  # scenario 10 of 5.5
    for _ in range(4):
        async with running() as api:
            order_id = await reserved(api)
            edit, cancel = await asyncio.gather(
                api.post(f"/orders/{order_id}/line-cancellations", MICE), api.post(f"/orders/{order_id}/cancel")
            )
            made = (await events(api, order_id))[4:]

            assert cancel.status_code == 202
            if edit.status_code == 202:
                assert made == ["LinesCancelled", "OrderCancellationRequested"]
            else:
                assert (edit.json()["code"], made) == ("order_closed", ["OrderCancellationRequested"])


async def test_a_declined_payment_is_tried_with_another_card() -> None:
    """A new attempt, which answers the order's question; the token is the new one."""
    async with running() as api:
        order_id = await declined(api)
        response = await api.post(f"/orders/{order_id}/payment-attempts", {"paymentMethod": "pm_card_visa"})
        history = await api.orders.load(order_id)

        assert response.status_code == 202
        assert (response.json()["attempt"], response.json()["status"]) == (2, "PAYMENT_ATTEMPTED")
        assert (await events(api, order_id))[-2:] == ["PaymentAttemptStarted", "OrderActionAnswered"]
        payment = history.state.payment  # type: ignore[union-attr]  # it is placed
        assert (payment.attempt, payment.method, payment.status.value) == (2, "pm_card_visa", "pending")
        assert history.state.questions == ()  # type: ignore[union-attr]  # it is placed


async def test_a_payment_is_tried_once_for_one_key() -> None:
    """Although the state alone does not tell whose attempt it is on: not even when both come at once, or long after the attempt failed."""
    async with running() as api:
        order_id = await declined(api)
        path, body = f"/orders/{order_id}/payment-attempts", {"paymentMethod": "pm_card_visa"}
        answers = await asyncio.gather(*(api.post(path, body, Idempotency_Key="k") for _ in range(4)))
        outcome = PaymentFailed(attempt=2, category="hard", code="card_declined")
        await api.record(order_id, decisions.fail_payment, purpose="payment-outcome:2", outcome=outcome)
        answers.append(await api.post(path, body, Idempotency_Key="k"))
        other = await api.post(path, {"paymentMethod": "pm_other"}, Idempotency_Key="k")

        assert [answer.status_code for answer in answers] == [202] * 5
        assert len({answer.text for answer in answers}) == 1
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert (await events(api, order_id)).count("PaymentAttemptStarted") == 1


async def test_two_cards_at_once_are_one_attempt() -> None:
    """Each under its own key: the second learns that it is being tried already, and nobody is charged twice."""
    async with running() as api:
        order_id = await declined(api)
        path = f"/orders/{order_id}/payment-attempts"
        answers = await asyncio.gather(*(api.post(path, {"paymentMethod": f"pm_{card}"}) for card in "abc"))

        assert sorted(answer.status_code for answer in answers) == [202, 409, 409]
        assert {answer.json().get("code") for answer in answers} == {None, "nothing_to_retry"}
        assert (await events(api, order_id)).count("PaymentAttemptStarted") == 1


@pytest.mark.parametrize(
    ("method", "pointer"),
    [("4111111111111111", "/paymentMethod"), ("pm_4111111111111111", "/paymentMethod"), (7, "/paymentMethod")],
)
async def test_a_card_number_is_no_way_to_pay(method: Any, pointer: str) -> None:
    """422 without repeating it."""
    async with running() as api:
        order_id = await declined(api)
        refused = await api.post(f"/orders/{order_id}/payment-attempts", {"paymentMethod": method})

        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
        assert "4111" not in refused.text


async def test_a_customer_does_without_what_is_missing() -> None:
    """Accepted: the order goes on without it, and its price with it."""
    async with running() as api:
        order_id = await short(api)
        path = f"/orders/{order_id}/answers/missing_stock"
        answers = [await api.post(path, {"answer": "accepted"}) for _ in range(2)]
        other = await api.post(path, {"answer": "declined"})
        made = await events(api, order_id)

        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["answer"] == "accepted"
        assert (other.status_code, other.json()["code"]) == (409, "wrong_answer")
        assert made[-3:] == ["OrderActionAnswered", "LinesCancelled", "OrderConfirmed"]


async def test_a_customer_does_not_do_without_what_is_missing() -> None:
    """Declined: the order is undone; whoever answers at the same moment learns what was decided."""
    async with running() as api:
        order_id = await short(api)
        path = f"/orders/{order_id}/answers/missing_stock"
        answers = await asyncio.gather(*(api.post(path, {"answer": said}) for said in ("declined", "accepted")))

        assert sorted(answer.status_code for answer in answers) == [202, 409]
        assert (await events(api, order_id)).count("OrderActionAnswered") == 1


async def test_a_question_about_money_is_accepted_by_paying() -> None:
    """409 says so; declined, the order is undone."""
    async with running() as api:
        order_id = await declined(api)
        path = f"/orders/{order_id}/answers/payment:1:retry"
        accepted = await api.post(path, {"answer": "accepted"})
        refused = await api.post(path, {"answer": "declined"})

        assert (accepted.status_code, accepted.json()["code"]) == (409, "wrong_answer")
        assert "payment attempt" in accepted.json()["detail"]
        assert refused.status_code == 202
        assert "OrderCancellationRequested" in await events(api, order_id)


async def test_what_was_never_asked_has_no_answer() -> None:
    """404; `expired` is nobody's answer; and a question that ended with its order is not answered any more."""
    async with running() as api:
        order_id = await short(api)
        unknown = await api.post(f"/orders/{order_id}/answers/delay:1", {"answer": "accepted"})
        expired = await api.post(f"/orders/{order_id}/answers/missing_stock", {"answer": "expired"})
        card = await api.post(f"/orders/{order_id}/answers/4111111111111111", {"answer": "accepted"})

        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_question")
        assert (expired.status_code, expired.json()["errors"][0]["pointer"]) == (422, "/answer")
        assert (card.status_code, "4111" in str(card.json()["errors"])) == (400, False)


async def test_an_order_under_review_waits_for_its_reviewer() -> None:
    """A service of its own scope, which history names; the first outcome stands."""
    async with running() as api:
        order_id = await under_review(api)
        path, body = f"/orders/{order_id}/review", {"outcome": "passed", "score": 12, "rules": ["new-customer"]}
        answers = [await api.post(path, body, token=REVIEWER) for _ in range(2)]
        other = await api.post(path, {"outcome": "failed"}, token=REVIEWER)
        recorded = (await api.orders.load(order_id)).events[-1]

        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["status"] == "REVIEW_PASSED"
        assert (recorded.name, recorded.actor.type, recorded.actor.id) == (
            "FraudReviewPassed",
            "service",
            "fraud-watch",
        )
        assert (other.status_code, other.json()["code"]) == (409, "not_under_review")


async def test_an_order_that_fails_its_review_is_undone() -> None:
    """An operator may say so too; an order that nobody reviews has no review."""
    async with running() as api:
        order_id, usual = await under_review(api), await reserved(api)
        failed = await api.post(f"/orders/{order_id}/review", {"outcome": "failed", "score": 99}, token=ADMIN)
        none = await api.post(f"/orders/{usual}/review", {"outcome": "passed"}, token=REVIEWER)

        assert failed.json()["status"] == "REVIEW_FAILED"
        assert (await events(api, order_id))[-2:] == ["FraudReviewFailed", "OrderCancellationRequested"]
        assert (await api.orders.load(order_id)).events[-1].actor.type == "operator"
        assert (none.status_code, none.json()["code"]) == (409, "not_under_review")


async def test_a_delay_asks_the_customer() -> None:
    """The answer names the question and its deadline; no answer in time is for the timer, a yes changes nothing."""
    async with running() as api:
        order_id = await reserved(api)
        path = f"/orders/{order_id}/delays"
        first, again = [await api.post(path, DELAY, token=OPERATOR, Idempotency_Key="k") for _ in range(2)]
        other = await api.post(path, {**DELAY, "reason": "lost"}, token=OPERATOR, Idempotency_Key="k")
        delayed = first.json()
        answered = await api.post(f"/orders/{order_id}/answers/{delayed['actionId']}", {"answer": "accepted"})
        actor = (await api.orders.load(order_id)).events[-2].actor

        assert (first.status_code, again.text) == (202, first.text)
        assert delayed["actionId"] == f"delay:{delayed['delayId']}"
        assert delayed["answerBy"].startswith("2025-06-15T16:06:4")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert answered.status_code == 202
        assert (await events(api, order_id))[4:] == ["ShipmentDelayed", "OrderActionRequired", "OrderActionAnswered"]
        assert (actor.type, actor.id) == ("operator", "warehouse")


async def test_a_delay_that_nobody_has_to_agree_to_is_told_once() -> None:
    """Nothing in the state tells of it: the key does. What has left is late by nobody's promise."""
    async with running() as api:
        order_id, gone = await reserved(api), await delivered(api)
        body = {"promisedAt": "2026-12-20T00:00:00Z", "reason": "snow"}
        path = f"/orders/{order_id}/delays"
        answers = await asyncio.gather(*(api.post(path, body, token=OPERATOR, Idempotency_Key="k") for _ in range(3)))
        refused = await api.post(f"/orders/{gone}/delays", body, token=OPERATOR)

        assert len({answer.text for answer in answers}) == 1
        assert (answers[0].json()["actionId"], answers[0].json()["answerBy"]) == (None, None)
        assert (await events(api, order_id)).count("ShipmentDelayed") == 1
        assert (refused.status_code, refused.json()["code"]) == (409, "order_closed")


async def test_nobody_promises_a_time_that_is_over() -> None:
    """A typing mistake in the year would be mailed to the customer."""
    async with running() as api:
        order_id = await reserved(api)
        body = {"promisedAt": "2020-12-20T00:00:00Z", "reason": "snow"}
        refused = await api.post(f"/orders/{order_id}/delays", body, token=OPERATOR)

        assert (refused.status_code, refused.json()["code"]) == (422, "promise_over")
        assert "ShipmentDelayed" not in await events(api, order_id)


async def test_a_note_is_sealed_and_shown_to_nobody_who_reads_events() -> None:
    """Once for each key; without one each is its own."""
    async with running() as api:
        order_id = await api.place()
        path, body = f"/orders/{order_id}/notes", {"note": "she will call on Monday"}
        answers = [await api.post(path, body, token=OPERATOR, Idempotency_Key="k") for _ in range(2)]
        await api.post(path, body, token=OPERATOR)
        other = await api.post(path, {"note": "she will not"}, token=OPERATOR, Idempotency_Key="k")
        shown = (await api.get(f"/orders/{order_id}/events")).text

        assert (answers[0].status_code, answers[1].text) == (202, answers[0].text)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert await events(api, order_id) == ["OrderCreated", "OrderNoteAdded", "OrderNoteAdded"]
        assert "Monday" not in shown
        assert "Monday" not in str(api.logs.entries)


async def test_nothing_is_written_down_about_somebody_who_was_erased() -> None:
    """422: it could not be kept without bringing back what was erased."""
    async with running() as api:
        order_id = await api.place()
        created = (await api.orders.load(order_id)).events[0].event
        assert isinstance(created, OrderCreated)
        assert created.contact is not None
        api.orders._vault.erased.add(created.contact.subject)  # type: ignore[attr-defined]  # the plain vault's
        refused = await api.post(f"/orders/{order_id}/notes", {"note": "words"}, token=OPERATOR)

        assert (refused.status_code, refused.json()["code"]) == (422, "customer_erased")
        assert await events(api, order_id) == ["OrderCreated"]


async def test_a_refund_that_failed_is_tried_again() -> None:
    """Once for each failure: while it is being tried, asking again changes nothing."""
    async with running() as api:
        order_id, refund_id = await refused_refund(api)
        path = f"/orders/{order_id}/refunds/{refund_id}/retry"
        answers = await asyncio.gather(*(api.post(path, token=OPERATOR) for _ in range(3)))
        unknown = await api.post(f"/orders/{order_id}/refunds/{NOWHERE}/retry", token=OPERATOR)

        assert [answer.status_code for answer in answers] == [202] * 3
        assert (await events(api, order_id)).count("RefundRetried") == 1
        assert {answer.json()["eventId"] for answer in answers} == {
            (await api.orders.load(order_id)).events[-1].event_id
        }
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_refund")


async def test_a_refund_retried_under_a_key_is_not_retried_again_after_it_failed_again() -> None:
    """The client repeats its request; only a new key is a new wish."""
    async with running() as api:
        order_id, refund_id = await refused_refund(api)
        path = f"/orders/{order_id}/refunds/{refund_id}/retry"
        first = await api.post(path, token=OPERATOR, Idempotency_Key="k")
        failed = RefundFailed(refund_id=refund_id, attempt=2, code="expired_or_canceled_card")
        await api.record(order_id, decisions.fail_refund, purpose="refund-outcome:2", outcome=failed)
        again = await api.post(path, token=OPERATOR, Idempotency_Key="k")
        new = await api.post(path, token=OPERATOR, Idempotency_Key="l")

        assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")
        assert new.json()["eventId"] != first.json()["eventId"]
        assert (await events(api, order_id)).count("RefundRetried") == 2


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("line-cancellations", {}, "/lines"),
        ("line-cancellations", {"lines": []}, "/lines"),
        ("line-cancellations", {"lines": [{"line": 0, "quantity": 0}]}, "/lines/0/quantity"),
        ("line-cancellations", {"lines": [{"line": 0, "quantity": 1}], "add": []}, "/add"),
        ("answers/missing_stock", {}, "/answer"),
        ("answers/missing_stock", {"answer": True}, "/answer"),
        ("review", {"outcome": "maybe"}, "/outcome"),
        ("review", {"outcome": "passed", "score": 101}, "/score"),
        ("review", {"outcome": "passed", "score": True}, "/score"),
        ("review", {"outcome": "passed", "rules": ["jane@example.com"]}, "/rules/0"),
        ("review", {"outcome": "passed", "rules": ["r"] * 51}, "/rules"),
        ("delays", {"promisedAt": "2026-12-20", "reason": "r"}, "/promisedAt"),
        ("delays", {"promisedAt": "2026-12-20T00:00:00Z", "reason": ""}, "/reason"),
        ("delays", {"promisedAt": "2026-12-20T00:00:00Z", "reason": "call jane@example.com"}, "/reason"),
        ("delays", {**DELAY, "consentWithinS": 59}, "/consentWithinS"),
        ("notes", {"note": ""}, "/note"),
        ("notes", {"note": "4111 1111 1111 1111"}, "/note"),
        ("refunds/r-1/retry", {"amount": 1}, "/amount"),
    ],
)
async def test_what_is_wrong_with_a_change_is_named(verb: str, body: Any, pointer: str) -> None:
    """422 with a pointer, never the value; nothing is stored."""
    async with running() as api:
        order_id = await api.place()
        refused = await api.post(f"/orders/{order_id}/{verb}", body, token=ADMIN)

        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
        assert "4111" not in refused.text
        assert await events(api, order_id) == ["OrderCreated"]


async def test_the_terms_of_a_request_are_kept_and_those_of_others_say_nothing() -> None:
    """None stays None: orders that ask for nothing are stored as they always were. The usual terms, asked for by name, are none too."""
    async with running() as api:
        asked = {"missingStock": "backorder", "charge": "per_shipment", "paymentRetryS": 60, "answerS": 61}
        usual = {"missingStock": "refuse", "review": False, "reservationS": 0}
        kept = []
        for terms in (None, {}, usual, asked, {"review": True}):
            order_id = await api.place(**({} if terms is None else {"terms": terms}))
            created = (await api.orders.load(order_id)).events[0].event
            assert isinstance(created, OrderCreated)
            kept.append(created.terms)
            reviewed = (await events(api, order_id))[1:]
            assert reviewed == (["FraudReviewRequested"] if terms == {"review": True} else [])

        assert kept[:3] == [None, None, None]
        assert kept[3] == Terms(missing_stock="backorder", charge="per_shipment", payment_retry_s=60, answer_s=61)
        assert kept[4] == Terms(review=True)


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        ({"missingStock": "wait"}, "/terms/missingStock"),
        ({"charge": "later"}, "/terms/charge"),
        ({"paymentRetryS": -1}, "/terms/paymentRetryS"),
        ({"paymentRetryS": 2_592_001}, "/terms/paymentRetryS"),
        ({"reservationS": 2_678_401}, "/terms/reservationS"),
        ({"answerS": 59}, "/terms/answerS"),
        ({"answerS": 1.5}, "/terms/answerS"),
        ({"review": "yes"}, "/terms/review"),
        ({"patience": 1}, "/terms/patience"),
    ],
)
async def test_terms_have_bounds(terms: Any, pointer: str) -> None:
    """422 with a pointer."""
    async with running() as api:
        refused = await api.post(
            "/orders", {"items": [{"sku": "S", "quantity": 1, "price": 1}], "currency": "EUR", "terms": terms}
        )

        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
        assert await api.stored() == []


async def test_other_terms_under_the_same_key_are_another_order() -> None:
    """422; the same terms are the same order."""
    async with running() as api:
        body = {"items": [{"sku": "S", "quantity": 1, "price": 1}], "currency": "EUR"}
        answers = [
            await api.post("/orders", {**body, "terms": terms}, Idempotency_Key="k")
            for terms in ({"answerS": 60}, {"answerS": 60, "charge": None}, {"answerS": 61})
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 422]


async def test_no_change_is_made_to_what_is_not_there() -> None:
    """404 for every verb, and none is made by asking."""
    async with running() as api:
        for verb, body in (
            ("line-cancellations", MICE),
            ("payment-attempts", {}),
            ("answers/missing_stock", {"answer": "accepted"}),
            ("review", {"outcome": "passed"}),
            ("delays", DELAY),
            ("notes", {"note": "n"}),
            (f"refunds/{NOWHERE}/retry", {}),
        ):
            refused = await api.post(f"/orders/{NOWHERE}/{verb}", body, token=ADMIN)
            assert (refused.status_code, refused.json()["code"]) == (404, "unknown_order")
        assert await api.stored() == []


@pytest.mark.parametrize(
    ("verb", "body"),
    [("payment-attempts", {}), ("notes", {"note": "n"}), ("delays", DELAY)],
    ids=["pay", "note", "delay"],
)
async def test_what_only_the_log_knows_holds_to_the_version_that_was_seen_too(verb: str, body: Any) -> None:
    """412 at another version, and nothing is stored; at the right one it is done, and a repeat is answered although it has moved on."""
    async with running() as api:
        order_id = await declined(api)
        path, before = f"/orders/{order_id}/{verb}", await events(api, order_id)
        refused = await api.post(path, body, token=ADMIN, If_Match='"1"', Idempotency_Key="k")
        assert (refused.status_code, await events(api, order_id)) == (412, before)
        seen = {"If_Match": f'"{len(before)}"', "Idempotency_Key": "k"}
        done, again = [await api.post(path, body, token=ADMIN, **seen) for _ in range(2)]

        assert (done.status_code, again.text) == (202, done.text)
