"""Setting documents as PDF beside the event loop: it takes a processor, and the library lets others run meanwhile."""

from functools import partial
from pathlib import Path
from typing import Final

import anyio

from orderstore.invoicing.drawing import SetPdf
from orderstore.invoicing.paper import Paper
from orderstore.invoicing.rendering.pdf import render_pdf

AT_ONCE: Final = 2
"""Each takes a processor: more at once are not faster."""


def setting_in_threads(fonts: Path | None) -> SetPdf:
    """What sets PDFs, with these fonts beside those of the library."""
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def set_pdf(paper: Paper) -> bytes:
        return await anyio.to_thread.run_sync(partial(render_pdf, paper, fonts=fonts), limiter=limiter)

    return set_pdf
