"""An app for each test without making its routes anew, which takes longer than most tests: they ask each request for its services."""

import copy
import functools
from dataclasses import fields
from typing import Any, cast

from fastapi import FastAPI
from starlette.datastructures import State
from starlette.middleware import Middleware

from projections.http.app import build_app
from projections.http.services import Services


def app_over(services: Services) -> FastAPI:
    """What `build_app(services)` makes, with the routes that all apps share that have the same operations."""
    shape = frozenset(part.name for part in fields(services) if getattr(services, part.name) is not None)
    shared = _made_once(shape)
    app = copy.copy(shared)
    # The document too says the same of all of them, and takes longer than the routes.
    app.openapi = shared.openapi  # type: ignore[method-assign]  # a copy of an app has no other seam
    app.state = State({"services": services})
    app.user_middleware = [
        Middleware(each.cls, *each.args, **each.kwargs | ({"services": services} if "services" in each.kwargs else {}))
        for each in app.user_middleware
    ]
    return app


class _Named:
    """Services of which only the names may be looked at: whatever else `build_app` took from them, all apps would share."""

    def __init__(self, shape: frozenset[str]) -> None:
        self._shape = shape

    def __getattr__(self, name: str) -> Any:
        return _UNTOUCHABLE if name in self._shape else None


class _Untouchable:
    """There, and of no use."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"build_app used a service ({name}) before there was a request")


_UNTOUCHABLE = _Untouchable()


@functools.cache
def _made_once(shape: frozenset[str]) -> FastAPI:
    return build_app(cast("Services", _Named(shape)))
