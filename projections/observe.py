"""What the read side reports of itself. Silent by default; Prometheus is one implementation, in `workers/metrics/projections.py`."""

from typing import Final, Literal, Protocol, get_args

from orderstore.domain.allowances import Stage
from orderstore.recorded import Recorded

Subscription = Literal["views", "relay"]
"""Who reads the log's stream: the projector of the views, and the relay. Positions, and what is parked, are kept by these names."""
SUBSCRIPTIONS: Final[tuple[Subscription, ...]] = get_args(Subscription)


class Observer(Protocol):
    """Facts, told as they happen: an implementation counts, returns at once and never raises."""

    def applied(self, *, view: str, commits: int) -> None:
        """So many commits are in the view's documents now."""

    def projected(self, *, view: str, recorded: Recorded) -> None:
        """This event is in the view's document now."""

    def duplicates_dropped(self, *, view: str, commits: int) -> None:
        """So many commits came that the view's documents had already."""

    def gap_healed(self, *, view: str, missing: int) -> None:
        """The stream left out (or brought too late) so many commits of an order; they were read from the log. To be alarmed."""

    def conflicted(self, *, view: str) -> None:
        """Another projector wrote a document first; it is read again and the rest is applied on top."""

    def refolded(self, *, view: str) -> None:
        """A document of another schema was folded anew from the log."""

    def view_written(self, *, view: str, document_bytes: int) -> None:
        """A document was written, whatever the number of commits in it."""

    def removed(self, *, subscription: Subscription, records: int) -> None:
        """Somebody deleted so many items of the log, which nothing here ever does. To be alarmed."""

    def image_replaced(self, *, subscription: Subscription, stream: str, commit: int) -> None:
        """The stream's image of this commit was not as it was written; the table's own was taken."""

    def published(self, *, events: int, lag_ms: int) -> None:
        """So many events are with the topic; the oldest of them was recorded `lag_ms` ago."""

    def publish_failed(self, *, events: int, code: str) -> None:
        """The topic refused so many entries, or a whole call failed; they will be sent again."""

    def unpublished(self, *, oldest_age_ms: int) -> None:
        """The oldest event that is not with the topic is so old; 0 when none waits. Told every few seconds, by the projectors."""

    def publication_unseen(self, *, error: Exception) -> None:
        """How far the relay has come could not be read; what was known before stands."""

    def overdue(self, *, stage: Stage, orders: int, oldest_s: float) -> None:
        """At least so many orders are late in this stage, the latest for so long; 0 when none is. Told every minute, by the projectors."""

    def overdue_unseen(self, *, error: Exception) -> None:
        """How many orders are late could not be read; what was told before stands."""

    def backfill_progress(self, *, subscription: Subscription, orders: int, commits: int) -> None:
        """Since the last such call, a back-fill brought so many orders, with so many commits, up to the log."""


class SilentObserver:
    """Takes every fact and does nothing with it."""

    def applied(self, *, view: str, commits: int) -> None:
        """See `Observer`."""

    def projected(self, *, view: str, recorded: Recorded) -> None:
        """See `Observer`."""

    def duplicates_dropped(self, *, view: str, commits: int) -> None:
        """See `Observer`."""

    def gap_healed(self, *, view: str, missing: int) -> None:
        """See `Observer`."""

    def conflicted(self, *, view: str) -> None:
        """See `Observer`."""

    def refolded(self, *, view: str) -> None:
        """See `Observer`."""

    def view_written(self, *, view: str, document_bytes: int) -> None:
        """See `Observer`."""

    def removed(self, *, subscription: Subscription, records: int) -> None:
        """See `Observer`."""

    def image_replaced(self, *, subscription: Subscription, stream: str, commit: int) -> None:
        """See `Observer`."""

    def published(self, *, events: int, lag_ms: int) -> None:
        """See `Observer`."""

    def publish_failed(self, *, events: int, code: str) -> None:
        """See `Observer`."""

    def unpublished(self, *, oldest_age_ms: int) -> None:
        """See `Observer`."""

    def publication_unseen(self, *, error: Exception) -> None:
        """See `Observer`."""

    def overdue(self, *, stage: Stage, orders: int, oldest_s: float) -> None:
        """See `Observer`."""

    def overdue_unseen(self, *, error: Exception) -> None:
        """See `Observer`."""

    def backfill_progress(self, *, subscription: Subscription, orders: int, commits: int) -> None:
        """See `Observer`."""
