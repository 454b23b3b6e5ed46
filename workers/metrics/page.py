"""`/metrics`, `/healthz` and `/readyz` for the roles without the API."""

from collections.abc import Callable, Mapping

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workers.metrics.table import Metrics


def metrics_app(metrics: Metrics, readiness: Callable[[], Mapping[str, bool]]) -> Starlette:
    """A small ASGI application; it shows counts and no data, and belongs on an address that only the monitoring reaches."""

    async def page(_request: Request) -> Response:
        content, content_type = metrics.render()
        return Response(content, media_type=content_type)

    async def alive(_request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def ready(_request: Request) -> Response:
        parts = readiness()
        status = 200 if parts and all(parts.values()) else 503
        return Response(orjson.dumps({"parts": dict(parts)}), status_code=status, media_type="application/json")

    return Starlette(routes=[Route("/metrics", page), Route("/healthz", alive), Route("/readyz", ready)])
