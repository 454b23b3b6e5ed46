"""What the webhooks report. Silent by default."""

from typing import Protocol

from workers.webhooks.delivery import DeliveryState
from workers.webhooks.endpoint import DisabledCause


class WebhookObserver(Protocol):
    """Facts, as they happen. None may raise or wait."""

    def announced(self, state: DeliveryState) -> None:
        """An event became a delivery of an endpoint."""

    def attempted(self, result: str, *, duration_s: float) -> None:
        """An attempt has ended: `ok`, the class of the status (`3xx` …), or the kind of the failure."""

    def ended(self, state: DeliveryState) -> None:
        """Nothing more is tried of a delivery."""

    def outrun(self) -> None:
        """The outcome of an attempt was not written down: its claim had expired, or the table did not answer. It will be sent again."""

    def disabled(self, endpoint: str, cause: DisabledCause) -> None:
        """An endpoint was disabled because of what it did."""

    def throttled(self, endpoint: str, *, for_s: float) -> None:
        """Nothing is sent to an endpoint for a while, because it fails."""

    def endpoints(self, *, enabled: int, disabled: int, failing: int) -> None:
        """How many there are; `failing` of the enabled ones have not answered well since their last failure."""

    def oldest_due(self, age_s: float) -> None:
        """How late the latest delivery is that is to be sent now; 0 when none is."""

    def trouble(self, error: Exception) -> None:
        """The tables or the keys did not answer: it is tried again."""


class SilentWebhookObserver(WebhookObserver):
    """Tells nobody."""

    def announced(self, state: DeliveryState) -> None:
        """Nothing."""

    def attempted(self, result: str, *, duration_s: float) -> None:
        """Nothing."""

    def ended(self, state: DeliveryState) -> None:
        """Nothing."""

    def outrun(self) -> None:
        """Nothing."""

    def disabled(self, endpoint: str, cause: DisabledCause) -> None:
        """Nothing."""

    def throttled(self, endpoint: str, *, for_s: float) -> None:
        """Nothing."""

    def endpoints(self, *, enabled: int, disabled: int, failing: int) -> None:
        """Nothing."""

    def oldest_due(self, age_s: float) -> None:
        """Nothing."""

    def trouble(self, error: Exception) -> None:
        """Nothing."""
