"""A document as PDF/A-2b (ISO 19005-2), set by Typst. Fonts are embedded and come with the library or from a folder, never from the
machine: so the same paper is the same bytes everywhere.

    CannotBeSet    no font has a character of the text: it would be a box, or nothing at all
"""

from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import orjson
import typst

from orderstore.invoicing.paper import Paper

_NO_GLYPH: Final = "could not be displayed with font"


class CannotBeSet(Exception):
    """No font has a character of the document's text; a folder of fonts can be given. Never quotes the text, which may be a name."""


def render_pdf(paper: Paper, *, fonts: Path | None = None) -> bytes:
    """Set the document; `fonts` is a folder of fonts beside those of the library. It takes a processor for some milliseconds, and for a
    thousand lines most of a second: call it in a thread.

    Raises CannotBeSet.
    """
    # What people wrote enters as data: nothing in it is ever read as markup.
    inputs = {"data": orjson.dumps(asdict(paper)).decode()}
    try:
        return typst.compile(
            _template(),
            sys_inputs=inputs,
            font_paths=_fonts(fonts),
            pdf_standards="a-2b",
        )
    except typst.TypstError as error:
        if _NO_GLYPH in str(error):
            raise CannotBeSet(
                "no font has every character of the document: ORDERSTORE_INVOICE_FONTS adds a folder"
            ) from None
        raise


@cache
def _fonts(folder: Path | None) -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, font_paths=[] if folder is None else [folder])


@cache
def _template() -> bytes:
    return (files("orderstore.invoicing.rendering") / "templates" / "document.typ").read_bytes()
