"""The OpenAPI document as a page for people: plain HTML without scripts, so that it opens where the internet does not."""

from collections.abc import Iterator
from typing import Any, Final

import orjson
from fastapi import APIRouter
from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from projections.http.answers import JsonAnswer
from projections.http.problems import KINDS

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_routes(router: APIRouter) -> None:
    """Both describe the API and show no data: no token is asked for."""
    router.add_api_route("/openapi.json", openapi_document, methods=["GET"], include_in_schema=False)
    router.add_api_route("/docs", docs, methods=["GET"], include_in_schema=False)


async def openapi_document(request: Request) -> Response:
    """The description for programs."""
    return JsonAnswer(_described(request))


async def docs(request: Request) -> Response:
    """The description for people."""
    return HTMLResponse(render(_described(request)), headers={"Content-Security-Policy": _POLICY})


def _described(request: Request) -> dict[str, Any]:
    document: dict[str, Any] = request.app.openapi()
    return document


def render(document: dict[str, Any]) -> str:
    """The page for an OpenAPI document; everything in it is escaped."""
    environment = Environment(
        loader=PackageLoader("projections.http"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pretty"] = lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    environment.filters["type_name"] = type_name
    environment.filters["prose"] = prose
    template = environment.get_template("docs.html")
    return template.render(
        info=document["info"],
        operations=list(_operations(document)),
        schemas=sorted(document["components"]["schemas"].items()),
        kinds=KINDS,
    )


def prose(text: str) -> Markup:
    """Escaped text in which what stands between backticks is code."""
    parts = str(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, by_method in document["paths"].items():
        for method, operation in by_method.items():
            scopes = [scope for needed in operation.get("security", []) for scope in needed.get("bearer", [])]
            yield {"method": method.upper(), "path": path, "scopes": scopes, "operation": operation}


def type_name(schema: dict[str, Any]) -> str:
    """A schema in a few words: `string`, `list of OrderLine`, `integer or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_name(choice) for choice in schema["anyOf"]))
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return ", ".join(f'"{value}"' for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {type_name(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")
