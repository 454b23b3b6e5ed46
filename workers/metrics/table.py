"""Every metric: name, type, labels, meaning. `docs/metrics.md` is this table, and a test keeps it so."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


@dataclass(frozen=True, slots=True)
class Metric:
    """One family. Counters are named without the `_total` that Prometheus shows."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


QUEUE: Final = ("queue",)
SUBSCRIPTION: Final = ("subscription",)
AWS: Final = ("part", "service", "operation", "resource", "outcome")

TABLE: Final = (
    # the log
    Metric("orderstore_events_appended", "counter", ("event_type",), "Events that are durable, by type."),
    Metric("orderstore_append_conflicts", "counter", (), "Appends that another writer won; the decision was made again."),
    Metric("orderstore_decisions_repeated", "counter", ("purpose",), "Decisions with nothing to add: the outcome stood already."),
    Metric("orderstore_invoice_numbers", "counter", ("series",), "Invoice numbers taken."),
    # the API
    Metric("orderstore_http_requests", "counter", ("method", "route", "status"), "Requests answered, by route and status."),
    Metric("orderstore_http_request_seconds", "histogram", ("method", "route"), "From the first byte of a request to its answer."),
    Metric("orderstore_orders_accepted", "counter", ("replayed",), "Orders answered with 202; replayed: a repeat met its own order."),
    Metric("orderstore_http_commit_read_seconds", "histogram", ("source",), "Waits of reads with minCommit, until the view or the log."),
    Metric("orderstore_http_reads_failed", "counter", ("kind",), "Failed reads behind an answer: generations, parked, views."),
    # live streams
    Metric("orderstore_live_streams", "gauge", ("kind",), "Live streams that are open: order, customer."),
    Metric("orderstore_live_streams_closed", "counter", ("kind", "cause"), "Ended: end, left, slow (cut), life, drain, failed."),
    Metric("orderstore_live_streams_refused", "counter", ("cause",), "Clients sent away: process_full, token_full, stopping."),
    Metric("orderstore_live_events", "counter", ("event_type",), "Events that clients took; beat and retry are no news."),
    Metric("orderstore_live_looks", "counter", ("kind",), "Calls that looked for what has moved: order (views), inbox."),
    Metric("orderstore_live_things_looked_at", "counter", ("kind",), "Things looked at; an order is a read unit, an inbox half of one."),
    Metric("orderstore_live_things_moved", "counter", ("kind",), "Of these, those that had moved."),
    Metric("orderstore_live_looks_failed", "counter", ("kind",), "Looks and reads for streams that failed; they are tried again."),
    # business
    Metric(
        "orderstore_payments",
        "counter",
        ("step", "result"),
        "Answers of the payment provider: authorize, capture, void, refund, close (of an earlier attempt), dispute.",
    ),
    Metric("orderstore_reservations", "counter", ("result",), "What stock did for orders; docs/stock.md has the results."),
    Metric(
        "orderstore_shipments",
        "counter",
        ("step",),
        "Shipments: booked, dispatched, delivered, cancelled, too_late, refused, delayed, lost.",
    ),
    Metric("orderstore_invoices", "counter", ("series",), "Invoices issued."),
    Metric("orderstore_credit_notes", "counter", ("series",), "Credit notes issued."),
    Metric(
        "orderstore_documents",
        "counter",
        ("result",),
        "Invoices and credit notes drawn: stored, stored_without_pdf (no font had every character), expired (their key was let go).",
    ),
    Metric("orderstore_notifications", "counter", ("channel", "result"), "Notifications: sent, suppressed, failed."),
    Metric("orderstore_mail_feedback", "counter", ("kind",), "What SES told of mails: delivered, bounced, complained and others."),
    Metric("orderstore_addresses_suppressed", "counter", ("reason",), "Addresses put on the suppression list: bounce or complaint."),
    Metric("orderstore_nothing_to_do", "counter", ("worker", "event_type"), "Messages that found their order as it should be."),
    # the business's figures: every projector tells the same, so take the greatest
    Metric("orderstore_orders_in_state", "gauge", ("status", "age"), "Orders in each open status, by days (UTC) since they came there."),
    Metric("orderstore_orders_today", "gauge", ("outcome",), "Orders placed, confirmed, shipped, ended since midnight UTC; then anew."),
    Metric("orderstore_orders_of_day", "gauge", ("days_ago", "outcome"), "Of that day's orders, how many there were and ended how by now."),
    Metric("orderstore_order_stage_seconds_bucket", "gauge", ("stage", "le"), "Confirmed, shipped since midnight UTC, within le seconds."),
    Metric("orderstore_sales_minor_units", "gauge", ("kind", "currency", "day"), "Daily sales in minor units: today's and yesterday's."),
    Metric("orderstore_exceptions_open", "gauge", ("kind",), "Orders that need somebody, by kind; 200 are 200 or more."),
    Metric("orderstore_business_looks_failed", "counter", (), "Looks at these figures that failed: the figures are older."),
    # the intake
    Metric("orderstore_intake_requests", "counter", ("result",), "Order requests from the bus: accepted, repeated, or why refused."),
    Metric("orderstore_intake_files", "counter", ("result",), "Files of order requests at their end: finished, refused, stopped."),
    Metric("orderstore_intake_lines", "counter", ("result",), "Lines of files: accepted, rejected; each counts once."),
    # queues: the six figures of E109 first
    Metric("orderstore_queue_visible", "gauge", QUEUE, "Messages that wait (ApproximateNumberOfMessages)."),
    Metric("orderstore_queue_in_flight", "gauge", QUEUE, "Messages that a consumer holds (ApproximateNumberOfMessagesNotVisible)."),
    Metric("orderstore_queue_oldest_age_seconds", "gauge", QUEUE, "Age of the oldest message in the last receive that returned any."),
    Metric("orderstore_queue_received", "counter", QUEUE, "Messages received, redeliveries included."),
    Metric("orderstore_queue_redelivered", "counter", QUEUE, "Handlers started on a message that was received before."),
    Metric("orderstore_queue_deleted", "counter", QUEUE, "Messages deleted after their work was done."),
    Metric("orderstore_queue_dead_letters", "gauge", QUEUE, "Messages in the queue's dead-letter queue."),
    Metric("orderstore_queue_empty_receives", "counter", QUEUE, "Long polls that returned nothing."),
    Metric("orderstore_messages_handled", "counter", ("queue", "outcome"), "Handled messages: done, retried, poisoned, deferred."),
    Metric("orderstore_message_seconds", "histogram", QUEUE, "A handler's work on one message."),
    Metric("orderstore_message_age_seconds", "histogram", QUEUE, "From publication to the end of the work."),
    Metric("orderstore_duplicates_dropped", "counter", ("queue", "cause"), "Second deliveries that were not handled: held or settled."),
    Metric("orderstore_visibility_lost", "counter", QUEUE, "Handlers cancelled because their message may be someone else's."),
    Metric("orderstore_visibility_extended", "counter", QUEUE, "Messages whose visibility the heartbeat extended."),
    Metric("orderstore_queue_call_failures", "counter", ("queue", "call"), "Failed calls or entries: poll, heartbeat, ack, return."),
    Metric("orderstore_queue_polls_failed", "counter", ("queue", "kind"), "Failed polls: QueueMissing, CredentialsInvalid, others."),
    Metric("orderstore_messages_given_back", "counter", QUEUE, "Messages made visible again untried: a stop, or one in front failed."),
    Metric("orderstore_breaker_open", "gauge", QUEUE, "1 while what the handlers stand on is down and messages are held for it."),
    Metric("orderstore_breaker_opened", "counter", QUEUE, "Outages that were noticed."),
    Metric("orderstore_breaker_held", "counter", QUEUE, "Times that a message was held instead of being retried."),
    Metric("orderstore_breaker_own_fault", "counter", QUEUE, "Messages that failed for long while others were done: then dead letters."),
    Metric("orderstore_tasks", "gauge", (), "Tasks of the process's event loop; a number that only grows is a leak."),
    Metric("orderstore_task_protected", "gauge", (), "1 while long work keeps ECS from ending this task."),
    Metric("orderstore_task_protection_failures", "counter", ("kind",), "Requests to the ECS agent that it did not do."),
    # the stream
    Metric("orderstore_stream_records_read", "counter", SUBSCRIPTION, "Records read from the stream."),
    Metric("orderstore_stream_records_applied", "counter", SUBSCRIPTION, "Records whose effect is durable."),
    Metric("orderstore_stream_lag_seconds", "gauge", ("subscription", "shard"), "Age of what was last applied, or waits; 0 at the tip."),
    Metric("orderstore_stream_behind_seconds", "gauge", SUBSCRIPTION, "All older than this is applied, in every shard."),
    Metric("orderstore_stream_hours_left", "gauge", SUBSCRIPTION, "Until the first record not applied leaves the stream's 24 h."),
    Metric("orderstore_stream_apply_failures", "counter", SUBSCRIPTION, "Pages that could not be applied and are tried again."),
    Metric("orderstore_stream_gaps", "counter", ("subscription", "cause"), "Positions that vanished: healed from the table."),
    Metric("orderstore_stream_backfills", "counter", ("subscription", "result"), "Back-fills from the table: done or failed."),
    Metric("orderstore_stream_shards_owned", "gauge", SUBSCRIPTION, "Shards that this worker reads."),
    Metric("orderstore_stream_leases", "counter", ("subscription", "change"), "Leases taken, lost and released."),
    # quarantine
    Metric("orderstore_parked", "gauge", ("subscription", "state"), "Orders that wait for somebody (parked) or are set aside (skipped)."),
    Metric("orderstore_parked_oldest_age_seconds", "gauge", SUBSCRIPTION, "Age of the order that is parked longest; 0 when none is."),
    Metric("orderstore_parkings", "counter", ("subscription", "cause"), "Orders parked, by the class of the error."),
    Metric("orderstore_parkings_refused", "counter", SUBSCRIPTION, "Orders not parked because too many are: their shard waits."),
    Metric("orderstore_parking_suspicions", "counter", ("subscription", "cause"), "Failures that may lie at one order, retries included."),
    # views and relay
    Metric("orderstore_view_commits_applied", "counter", ("view",), "Commits that a view has taken in."),
    Metric("orderstore_view_duplicates_dropped", "counter", ("view",), "Commits that came again and were dropped."),
    Metric("orderstore_view_gaps_healed", "counter", ("view",), "Commits that the stream left out and the log gave."),
    Metric("orderstore_view_conflicts", "counter", ("view",), "Documents that another projector wrote first."),
    Metric("orderstore_view_refolded", "counter", ("view",), "Documents of another schema that were folded anew."),
    Metric("orderstore_view_writes", "counter", ("view",), "Documents written, whatever number of commits each took in."),
    Metric("orderstore_view_written_bytes", "counter", ("view",), "Bytes of the documents written."),
    Metric("orderstore_log_items_removed", "counter", SUBSCRIPTION, "Items that somebody removed from the log: tampering."),
    Metric("orderstore_log_images_replaced", "counter", SUBSCRIPTION, "Stream images not as written: the table's commits were taken."),
    Metric("orderstore_events_published", "counter", (), "Events that are with the topic."),
    Metric("orderstore_publish_lag_seconds", "gauge", (), "Age of the oldest event of the last publication."),
    Metric("orderstore_unpublished_oldest_age_seconds", "gauge", (), "Age of the oldest event not published; 0 when none waits."),
    Metric("orderstore_orders_overdue", "gauge", ("stage",), "Orders that are late in a stage, by their own allowances."),
    Metric("orderstore_orders_overdue_oldest_seconds", "gauge", ("stage",), "How late the latest of them is; 0 when none is."),
    Metric("orderstore_overdue_looks_failed", "counter", (), "Looks for late orders that failed: the figures are older."),
    Metric("orderstore_publish_failures", "counter", ("code",), "Entries that the topic refused; they are sent again."),
    Metric("orderstore_backfilled_orders", "counter", SUBSCRIPTION, "Orders that a back-fill brought up to the log."),
    Metric("orderstore_stream_troubles", "counter", ("subscription", "kind"), "Throttled reads, expired iterators, failed calls."),
    # AWS
    Metric("orderstore_aws_requests", "counter", AWS, "Calls of AWS, by who made them, of what, and how they ended: ok or why not."),
    # the archive
    Metric("orderstore_archive_segments", "counter", (), "Segments that are in the archive, each with its manifest."),
    Metric("orderstore_archive_commits", "counter", (), "Commits that are in the archive."),
    Metric("orderstore_archive_raw_bytes", "counter", (), "Bytes of the archived segments before compression."),
    Metric("orderstore_archive_segment_bytes", "counter", (), "Bytes of the archived segments as they are stored."),
    Metric("orderstore_archive_conflicts", "counter", (), "Segments that were made anew, because another archiver was first."),
    Metric("orderstore_archive_orders_refused", "counter", ("cause",), "Orders that cannot be archived: their log is not what it was."),
    Metric("orderstore_archive_lag_seconds", "gauge", (), "Age of the oldest hint whose commits are not archived; 0 at rest."),
    # snapshots of very long orders
    Metric("orderstore_snapshots", "counter", ("outcome",), "Snapshots taken, used instead of reading, or ignored as unfit."),
    Metric("orderstore_snapshot_bytes", "counter", (), "Bytes of the snapshots taken."),
    Metric("orderstore_snapshot_commits_not_read", "counter", (), "Commits that need not be read because of a snapshot."),
    # webhooks
    Metric("orderstore_webhook_deliveries", "counter", ("state",), "Deliveries that became pending, or came to an end, by state."),
    Metric("orderstore_webhook_attempts", "counter", ("result",), "Attempts: ok, the class of the status, or why there was no answer."),
    Metric("orderstore_webhook_attempt_seconds", "histogram", ("result",), "An attempt, name look-up and connection included."),
    Metric("orderstore_webhook_oldest_due_seconds", "gauge", (), "How late the latest due delivery is, of endpoints that answer."),
    Metric("orderstore_webhook_endpoints", "gauge", ("state",), "Endpoints: enabled, of these failing, disabled."),
    Metric("orderstore_webhook_endpoints_disabled", "counter", ("cause",), "Endpoints disabled by what they did: gone, failing."),
    Metric("orderstore_webhook_outrun", "counter", (), "Attempts whose outcome was not written down: they are made again."),
    Metric("orderstore_webhook_troubles", "counter", ("kind",), "Calls of tables and keys that failed: they are made again."),
    # the provider's books
    Metric("orderstore_payments_reconciled", "counter", (), "Payments of whole days that were compared with the provider's books."),
    Metric(
        "orderstore_payment_discrepancies",
        "counter",
        ("kind",),
        "Payments, refunds and disputes that the provider's books tell otherwise than the log.",
    ),
    Metric("orderstore_payment_reconciliation_failures", "counter", (), "Runs that trouble ended; they are repeated."),
    Metric("orderstore_payment_reconciliation_behind_days", "gauge", (), "Days that are over and not compared yet."),
    # the levels of stock
    Metric("orderstore_stock_levels_reconciled", "counter", (), "Levels of stock that were compared with what reservations hold."),
    Metric("orderstore_stock_discrepancies", "counter", ("kind",), "What does not fit; `orderstore stock reconcile` shows and repairs."),
    Metric("orderstore_stock_unsettled", "gauge", (), "Articles that moved all through the last comparison: not compared."),
    Metric("orderstore_stock_pieces_closed", "counter", (), "Pieces that had left and were taken off what is on hand."),
    Metric("orderstore_stock_reconciliation_failures", "counter", (), "Runs that trouble ended; they are repeated."),
    # views and invoices
    Metric("orderstore_whole_reconciliations", "counter", (), "Comparisons of views and invoices with the log, one a day."),
    Metric("orderstore_discrepancies", "counter", ("area", "kind"), "What did not fit: area view or invoice; docs/runbook.md."),
    Metric("orderstore_whole_reconciliation_failures", "counter", (), "Runs that trouble ended; they are repeated."),
    # the sweeper
    Metric("orderstore_swept", "counter", ("timer",), "Promises that ended (domain/timers.py), and stages told to be late (late_...)."),
    Metric("orderstore_sweeps", "counter", (), "Turns of this process over the lists of what is due."),
    Metric("orderstore_sweep_looks", "counter", (), "Orders that were read because something of theirs is due."),
    Metric("orderstore_sweep_failures", "counter", ("kind",), "What could not be swept: order, list; both are tried again."),
    Metric("orderstore_sweep_lag_seconds", "gauge", (), "For how long the oldest deadline had been over that the last turn found."),
    Metric("orderstore_sweep_hints", "counter", ("department", "result"), "Departments woken for an order: sent, failed."),
    # the signed roots
    Metric("orderstore_root_age_seconds", "gauge", (), "Age of the newest signed root; from the process's start while it knows none."),
    Metric("orderstore_roots_made", "counter", (), "Signed roots that this process made."),
    Metric("orderstore_roots_refused", "counter", (), "Roots that were not made: the log or the last root is not as it was written."),
    Metric("orderstore_root_findings", "gauge", (), "What was wrong at the last refusal: `orderstore audit verify` names it."),
    Metric("orderstore_root_failures", "counter", (), "Tries at a root that trouble with AWS or the disk ended; they are repeated."),
    # tracing
    Metric("orderstore_trace_contexts_ignored", "counter", ("source",), "Trace contexts that are not well-formed: http, message."),
    Metric("orderstore_spans", "counter", ("result",), "Spans: ended here; of those exported, failed. The rest waits, or was dropped."),
)  # fmt: skip


class Metrics:
    """The table's collectors in a registry of their own; nothing is global."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in TABLE:
            match metric.type:
                case "counter":
                    self._counters[metric.name] = Counter(
                        metric.name, metric.meaning, metric.labels, registry=self.registry
                    )
                case "gauge":
                    self._gauges[metric.name] = Gauge(
                        metric.name, metric.meaning, metric.labels, registry=self.registry
                    )
                case "histogram":
                    self._histograms[metric.name] = Histogram(
                        metric.name, metric.meaning, metric.labels, registry=self.registry, buckets=SECONDS
                    )

    def count(self, name: str, labels: Mapping[str, str] | None = None, by: float = 1) -> None:
        """Add to a counter."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(by)

    def counter(self, name: str, labels: Mapping[str, str]) -> Counter:
        """A counter with its labels, for who counts so often that looking it up each time would cost."""
        return self._counters[name].labels(**labels)

    def set(self, name: str, labels: Mapping[str, str] | None, value: float) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def forget(self, name: str, labels: Mapping[str, str]) -> None:
        """Stop showing a gauge whose subject is gone."""
        metric = self._gauges[name]
        with suppress(KeyError):
            metric.remove(*(labels[label] for label in metric._labelnames))  # noqa: SLF001 - the library has no public name for it

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add an observation to a histogram."""
        self._histograms[name].labels(**labels).observe(value)

    def total(self, name: str) -> float:
        """A counter's sum over all its labels, for summaries."""
        samples = (sample for family in self._counters[name].collect() for sample in family.samples)
        return sum(sample.value for sample in samples if sample.name.endswith("_total"))

    def render(self) -> tuple[bytes, str]:
        """The page that Prometheus scrapes, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
