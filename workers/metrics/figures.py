"""The business's figures as gauges that each look sets: right from the first look of a process on, however often it was restarted."""

from typing import Final

import structlog

from workers.metrics.table import Metrics

_log: Final = structlog.get_logger("projections")


class BusinessMetrics:
    """Implements `projections.answers.observe.BusinessObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def standing(self, *, status: str, age: str, orders: int) -> None:
        """Show."""
        self._metrics.set("orderstore_orders_in_state", {"status": status, "age": age}, orders)

    def today(self, *, outcome: str, orders: int) -> None:
        """Show."""
        self._metrics.set("orderstore_orders_today", {"outcome": outcome}, orders)

    def took(self, *, stage: str, le: str, orders: int) -> None:
        """Show, as one bucket of a histogram."""
        self._metrics.set("orderstore_order_stage_seconds_bucket", {"stage": stage, "le": le}, orders)

    def of_day(self, *, days_ago: int, outcome: str, orders: int) -> None:
        """Show."""
        self._metrics.set("orderstore_orders_of_day", {"days_ago": str(days_ago), "outcome": outcome}, orders)

    def sold(self, *, day: str, currency: str, kind: str, amount_minor: int) -> None:
        """Show."""
        labels = {"kind": kind, "currency": currency, "day": day}
        self._metrics.set("orderstore_sales_minor_units", labels, amount_minor)

    def exceptions_open(self, *, kind: str, orders: int) -> None:
        """Show."""
        self._metrics.set("orderstore_exceptions_open", {"kind": kind}, orders)

    def business_unseen(self, *, error: Exception) -> None:
        """Count and log: what is shown is of an earlier look."""
        self._metrics.count("orderstore_business_looks_failed")
        _log.warning("the business's figures could not be read", error=repr(error))
