"""The app: operations, their guards, and the pages that describe them."""

from random import Random
from typing import Any

from fastapi import FastAPI

from projections.http import (
    change_writes,
    dead_letters,
    docs_page,
    edit_writes,
    exception_actions,
    health,
    hold_writes,
    inbox,
    invoice_documents,
    line_reads,
    live,
    provider_webhooks,
    reads,
    reports,
    return_writes,
    translation,
    webhooks,
    writes,
)
from projections.http.answers import JsonAnswer
from projections.http.crowding import Crowding
from projections.http.openapi import DESCRIPTION, completed
from projections.http.requestlog import RequestLog
from projections.http.services import Services


class OrderApi(FastAPI):
    """FastAPI, with an OpenAPI document that also knows what is read by hand."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema


def build_app(services: Services) -> FastAPI:
    """The internal HTTP API over these services. It starts nothing and holds nothing open.

    `/openapi.json` and `/docs` describe the API without a token and show no data; everything else but health asks for one.
    """
    app = OrderApi(
        title="Order service",
        version="1.0",
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        default_response_class=JsonAnswer,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        # The framework's own telemetry would send queries and the texts of exceptions, which may be personal: requests are traced by ours.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = services
    for part in (
        writes,
        hold_writes,
        change_writes,
        edit_writes,
        return_writes,
        exception_actions,
        reads,
        line_reads,
        reports,
        health,
        docs_page,
    ):
        part.add_routes(app.router)
    if services.dead_letters is not None:
        dead_letters.add_routes(app.router)
    if services.payment_hooks is not None:
        provider_webhooks.add_routes(app.router)
    if services.documents is not None:
        invoice_documents.add_routes(app.router)
    if services.webhooks is not None:
        webhooks.add_routes(app.router)
    if services.live is not None:
        live.add_routes(app.router)
        inbox.add_routes(app.router)
    translation.install(app)
    app.add_middleware(Crowding, random=Random())  # noqa: S311 - spreads retries, guards nothing
    app.add_middleware(RequestLog, services=services)
    return app
