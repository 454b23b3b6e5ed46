"""The views: each is one pure module that ends in a `VIEW`, and one line here. They know no store, no stream and no clock."""

from typing import Any, Final

from projections.views import backorders, daily_figures, deadlines, exceptions, invoices, order_status
from projections.views.view import View

VIEWS: Final[tuple[View[Any], ...]] = (
    order_status.VIEW,
    invoices.VIEW,
    daily_figures.VIEW,
    deadlines.VIEW,
    exceptions.VIEW,
    backorders.VIEW,
)

__all__ = [
    "VIEWS",
    "View",
    "backorders",
    "daily_figures",
    "deadlines",
    "exceptions",
    "invoices",
    "order_status",
]
