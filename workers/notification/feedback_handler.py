"""The handler of the queue `mail-feedback`: addresses that do not exist, or whose owner complained, are written to no more; and the
notification shows what became of it. Doing it twice, or in another order, comes to the same, and no order is touched (D10)."""

from typing import Final, Protocol

from workers.notification.feedback import Feedback, MalformedFeedback, parse_feedback
from workers.notification.records import NotificationRecords
from workers.notification.suppression import Kind, Report
from workers.runtime.outcome import Done, Outcome, Poison
from workers.runtime.queue import Message

SOURCE: Final = "ses"
# How `orderstore.privacy.subjects` names a customer.
CUSTOMER: Final = "customer:"


class Suppressing(Protocol):
    """What the handler asks of the suppression list."""

    async def add(self, kind: Kind, address: str, report: Report) -> bool:
        """Suppress; False when it was already."""
        ...


class FeedbackObserver(Protocol):
    """Facts, as they happen. Implementations return at once and never raise."""

    def mail_feedback(self, kind: str) -> None:
        """A report of that kind was written down: delivered, delayed, soft_bounced, bounced, complained or rejected."""

    def address_suppressed(self, reason: str) -> None:
        """An address is on the list from now on, because of a bounce or a complaint."""


class SilentFeedbackObserver:
    """Reports nothing."""

    def mail_feedback(self, kind: str) -> None:
        """Do nothing."""

    def address_suppressed(self, reason: str) -> None:
        """Do nothing."""


class FeedbackHandler:
    """Acts on one report."""

    def __init__(
        self,
        records: NotificationRecords,
        suppressions: Suppressing,
        *,
        observer: FeedbackObserver | None = None,
    ) -> None:
        self._records = records
        self._suppressions = suppressions
        self._observer: FeedbackObserver = observer or SilentFeedbackObserver()

    async def __call__(self, message: Message) -> Outcome:
        """Suppress first, so that a death in between leaves nobody who is written to. Raises: see `workers/classify.py`."""
        try:
            feedback = parse_feedback(message.body)
        except MalformedFeedback as error:
            return Poison(f"MalformedFeedback: {error}")
        if feedback is None:
            return Done()
        await self._suppress(feedback)
        await self._note(feedback)
        return Done()

    async def _suppress(self, feedback: Feedback) -> None:
        if feedback.suppress is None:
            return
        report = Report(
            reason=feedback.suppress,
            source=SOURCE,
            at_ms=feedback.at_ms,
            order=feedback.order or "",
            customer=await self._customer(feedback),
            detail=feedback.detail,
        )
        for address in feedback.recipients:
            if await self._suppressions.add("email", address, report):
                self._observer.address_suppressed(report.reason)

    async def _customer(self, feedback: Feedback) -> str:
        """Whose mail it was, as far as we know: what an operator looks for."""
        if not feedback.order or not feedback.notification:
            return ""
        record = await self._records.find(feedback.order, feedback.notification)
        subject = "" if record is None else record.subject
        return subject.removeprefix(CUSTOMER) if subject.startswith(CUSTOMER) else ""

    async def _note(self, feedback: Feedback) -> None:
        """A mail that was not sent from here has no record; it counts all the same, since SES counts it."""
        order, notification = feedback.order or "", feedback.notification or ""
        known = order and notification
        if not known or await self._records.came_back(order, notification, feedback.kind, at_ms=feedback.at_ms):
            self._observer.mail_feedback(feedback.kind)
