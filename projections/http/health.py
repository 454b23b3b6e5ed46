"""Whether the process lives, whether it can work, and what it measures."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from projections.http import schemas
from projections.http.answers import JsonAnswer
from projections.http.auth import MetricsReader
from projections.http.described import answers
from projections.http.problems import Problem
from projections.http.services import ServicesOf


def add_routes(router: APIRouter) -> None:
    """Health asks for no token; the metrics do."""
    router.add_api_route(
        "/healthz",
        healthz,
        methods=["GET"],
        tags=["operations"],
        summary="The process lives",
        responses=answers(200, schemas.Alive, "It answers.", (), guarded=False),
    )
    router.add_api_route(
        "/readyz",
        readyz,
        methods=["GET"],
        tags=["operations"],
        summary="The service can work",
        responses=answers(200, schemas.Ready, "All parts are ready.", ("not_ready",), guarded=False),
    )
    router.add_api_route(
        "/metrics",
        metrics,
        methods=["GET"],
        tags=["operations"],
        response_class=PlainTextResponse,
        summary="Prometheus metrics",
        responses=answers(200, None, "The text exposition.", (), media_type="text/plain"),
    )


async def healthz() -> Response:
    """Looks at nothing: a broken dependency must not restart this process."""
    return JsonAnswer({"status": "alive"})


async def readyz(services: ServicesOf) -> Response:
    """503 names what is not ready. Lag never is a reason: taking a slow service out makes it slower."""
    parts = dict(services.readiness())
    missing = sorted(name for name, ready in parts.items() if not ready)
    if missing:
        raise Problem("not_ready", f"not ready: {', '.join(missing)}", extra={"parts": parts, "notReady": missing})
    return JsonAnswer({"status": "ready", "parts": parts})


async def metrics(_reader: MetricsReader, services: ServicesOf) -> Response:
    """For a token with `metrics:read`."""
    exposition, content_type = services.metrics()
    return Response(exposition, headers={"Content-Type": content_type, "Cache-Control": "no-store"})
