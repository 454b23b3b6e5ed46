"""Schemathesis over every operation of the OpenAPI document: each answer is one that the document promises, and what does not fit it is
refused and leaves nothing behind.

Held for each: no 5xx; only statuses, media types and shapes that are described; what breaks a schema is refused; a method that is not
described is 405 with `Allow`; a required header is required; without the token, or with another, nothing is answered.
"""

from typing import Any

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

pytestmark = pytest.mark.thorough

OPERATIONS = (
    *("POST /orders", "GET /orders", "GET /orders/{orderId}", "GET /orders/{orderId}/changes"),
    *("GET /orders/{orderId}/events", "GET /orders/{orderId}/invoices", "GET /orders/{orderId}/lines"),
    "GET /invoices/{invoiceNumber}",
    *("POST /orders/{orderId}/cancel", "POST /orders/{orderId}/refunds", "POST /orders/{orderId}/holds"),
    *("POST /orders/{orderId}/holds/{holdId}/release", "GET /exceptions", "GET /sales", "GET /business"),
    *(
        f"POST /orders/{{orderId}}/{verb}"
        for verb in ("line-cancellations", "payment-attempts", "review", "delays", "notes", "exceptions/actions")
    ),
    *("POST /orders/{orderId}/answers/{actionId}", "POST /orders/{orderId}/refunds/{refundId}/retry"),
    *("POST /orders/{orderId}/edits", "POST /orders/{orderId}/edits/{editId}/withdrawal"),
    "POST /orders/{orderId}/returns",
    *(
        f"POST /orders/{{orderId}}/returns/{{returnId}}/{verb}"
        for verb in ("approve", "decline", "cancel", "receive", "inspection")
    ),
    *("GET /orders/{orderId}/live", "GET /customers/{customerId}/live", "GET /customers/{customerId}/inbox"),
    "POST /customers/{customerId}/inbox/{noteId}/read",
    *("GET /dead-letters", "GET /dead-letters/{queue}", "GET /dead-letters/{queue}/{messageId}"),
    *("POST /dead-letters/{queue}/redrive", "POST /dead-letters/{queue}/purge"),
    "POST /dead-letters/{queue}/{messageId}/correct",
    *("GET /webhooks/endpoints", "POST /webhooks/endpoints", "GET /webhooks/endpoints/{endpointId}"),
    "PATCH /webhooks/endpoints/{endpointId}",
    *(f"POST /webhooks/endpoints/{{endpointId}}/{verb}" for verb in ("enable", "disable", "remove", "rotate", "test")),
    *("POST /webhooks/endpoints/{endpointId}/replay", "GET /webhooks/endpoints/{endpointId}/deliveries"),
    "GET /webhooks/endpoints/{endpointId}/deliveries/{eventId}",
    "POST /webhooks/endpoints/{endpointId}/deliveries/{eventId}/redeliver",
    *("POST /webhooks/payments", "GET /metrics", "GET /healthz", "GET /readyz"),
)
WITHOUT_INPUT = frozenset({"GET /healthz", "GET /readyz"})
"""Nothing can be wrong with these requests, but for their method."""
NEEDS_MORE_THAN_A_SHAPE = frozenset({"POST /webhooks/payments", "POST /dead-letters/{queue}/{messageId}/correct"})
"""A signature of the provider's, and a body that differs from the letter's and is an envelope of its event."""


def test_every_described_operation_is_tried() -> None:
    """One that is added to the document is added here."""
    from tests.projections.http.stage import described

    there = {result.ok().label for result in described().get_all_operations()}
    assert set(OPERATIONS) == there


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_bound_of_an_operation_is_kept(label: str) -> None:
    """At each bound of each schema, on both its sides; each field missing, null, of another type; each other method."""
    from tests.projections.http import stage

    with stage.on_stage(label):
        tried = [stage.check(case).status_code for case in stage.boundaries(label)]
    assert min(tried) < 300 or label in NEEDS_MORE_THAN_A_SHAPE


@pytest.mark.parametrize("label", OPERATIONS)
def test_drawn_requests_are_answered_as_described(label: str) -> None:
    """Some that fit the schemas and some that do not, for ids that are there and ids that are not."""
    _draw(label, examples=12, chosen=6)


@pytest.mark.long
@pytest.mark.parametrize("chosen", range(5))
@pytest.mark.parametrize("label", OPERATIONS)
def test_many_drawn_requests_are_answered_as_described(label: str, chosen: int) -> None:
    """The same by the hundred."""
    _draw(label, examples=300, chosen=chosen)


def _draw(label: str, *, examples: int, chosen: int) -> None:
    from schemathesis import GenerationMode

    from tests.projections.http import stage

    print(f"seed {chosen}, {examples} examples of {label}")  # noqa: T201 - shown when it fails
    with stage.on_stage(label):
        found = stage.operation(label)
        modes = [GenerationMode.POSITIVE] if label in WITHOUT_INPUT else list(GenerationMode)
        drawn = st.one_of(
            *(found.as_strategy(generation_mode=mode) for mode in modes),
            found.as_strategy(path_parameters=stage.ids(label)),
        )

        @stage.drawing(examples)
        @seed(chosen)
        @given(case=drawn)
        def run(case: Any) -> None:
            stage.check(case)

        run()
