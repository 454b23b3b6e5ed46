"""A document as one HTML page that needs nothing from elsewhere, on the screen and printed."""

from dataclasses import asdict
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from orderstore.invoicing.paper import Paper


def render_html(paper: Paper) -> bytes:
    """The page, in UTF-8. Whatever people wrote is escaped."""
    return _template().render(asdict(paper)).encode("utf-8", "replace")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("orderstore.invoicing.rendering"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("document.html")
