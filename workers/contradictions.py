"""What settings say against each other: each is right by itself, and together they would fail a service that has started."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.settings import Settings


def contradictions(settings: "Settings") -> list[str]:
    """Every pair of settings that cannot both be meant, in words."""
    found = []
    if settings.visibility_timeout_s < 6 * settings.handler_deadline_s:
        found.append("ORDERSTORE_VISIBILITY_TIMEOUT_S: must be at least 6 x ORDERSTORE_HANDLER_DEADLINE_S (E078)")
    if settings.drain_budget_s >= settings.stop_timeout_s:
        found.append("ORDERSTORE_DRAIN_BUDGET_S: must be below ORDERSTORE_STOP_TIMEOUT_S, or ECS kills the drain")
    if settings.retry_base_s > settings.retry_max_s:
        found.append("ORDERSTORE_RETRY_BASE_S: must not be above ORDERSTORE_RETRY_MAX_S")
    if settings.archive_linger_s * 2 > settings.handler_deadline_s:
        found.append("ORDERSTORE_ARCHIVE_LINGER_S: must be at most half of ORDERSTORE_HANDLER_DEADLINE_S")
    if settings.topic_fifo != settings.topic_arn.endswith(".fifo"):
        found.append("ORDERSTORE_TOPIC_FIFO: must be true for a topic whose name ends with .fifo, and for no other")
    if settings.tracing_otlp_headers is not None and settings.tracing_otlp_endpoint is None:
        found.append("ORDERSTORE_TRACING_OTLP_HEADERS: without ORDERSTORE_TRACING_OTLP_ENDPOINT nothing is sent")
    if settings.fair_queues and settings.topic_fifo:
        found.append("ORDERSTORE_FAIR_QUEUES: a FIFO topic tells standard queues no group; choose one of the two")
    if settings.invoice_series == settings.credit_note_series:
        found.append(
            "ORDERSTORE_CREDIT_NOTE_SERIES: must not be ORDERSTORE_INVOICE_SERIES, or a number would be two documents"
        )
    if settings.terms_charge == "per_shipment" and settings.payment_capture == "at_once":
        found.append(
            "ORDERSTORE_TERMS_CHARGE: money that is taken at once (ORDERSTORE_PAYMENT_CAPTURE) is not taken by parcel"
        )
    found.extend(settings.notification_problems())
    if (settings.aws_access_key_id is None) != (settings.aws_secret_access_key is None):
        found.append("ORDERSTORE_AWS_ACCESS_KEY_ID and ORDERSTORE_AWS_SECRET_ACCESS_KEY: give both or neither")
    if settings.providers == "sandbox" and (settings.stripe_api_key or settings.stripe_webhook_secret):
        found.append("ORDERSTORE_STRIPE_API_KEY, ORDERSTORE_STRIPE_WEBHOOK_SECRET: ORDERSTORE_PROVIDERS is sandbox")
    if settings.stripe_api_base is not None and (settings.stripe_api_key or "").startswith(("sk_live", "rk_live")):
        found.append("ORDERSTORE_STRIPE_API_BASE: a live key is sent to nobody but Stripe")
    return found
