"""`invoices render`: a document as it was stored; or, while it is not, as the log has it. `invoices store`: draws what was never drawn."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from orderstore.codec import CodecError
from orderstore.domain.billing_facts import MediaType
from orderstore.domain.ids import order_of
from orderstore.domain.rejections import UnknownOrder
from orderstore.invoicing.drawing import NoDocument, paper_of
from orderstore.invoicing.reading import NotStored, read_document
from orderstore.invoicing.rendering.html import render_html
from orderstore.invoicing.rendering.pdf import CannotBeSet, render_pdf
from orderstore.invoicing.sellers import UnknownSeries
from orderstore.invoicing.shelf import DocumentError, Shelf
from orderstore.privacy.keys import KeyErased, PrivacyError
from orderstore.store.errors import CorruptCommit
from projections.answers.orders import open_queries
from workers.commands.running import DEFAULT_STATE_DIR, StateDir, complain, counted, counting, fail, with_core
from workers.core import Core
from workers.departments import billing_of, fonts_of, sellers_of

STDOUT: Final = Path("-")


class NotFound(Exception):
    """No order is known to have the document."""


def render_document(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The invoice's number, or a credit note's.")],
    *,
    pdf: Annotated[bool, typer.Option("--pdf/--html", help="Which form.")] = True,
    order: Annotated[
        str | None,
        typer.Option("--order", help="The order's id; needed for a credit note, which no list has by its number."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to; NUMBER.pdf or NUMBER.html by default, - is standard output."),
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Write an invoice or a credit note to a file: the stored one, held to its SHA-256 in the log. It names its buyer.

    What is not stored is drawn from the log, and that is said.
    """
    kind: MediaType = "application/pdf" if pdf else "text/html"

    async def work(core: Core) -> tuple[bytes, bool]:
        history = await core.orders.load(order or await _order_of(core, number))
        shelf = Shelf(core.objects, core.sealer, tenant=core.settings.tenant)
        try:
            return (await read_document(shelf, history, number, [kind])).content, True
        except NotStored:
            paper = await paper_of(history, number, sellers=sellers_of(core.settings), vault=core.sealer)
            return render_pdf(paper, fonts=fonts_of(core.settings)) if pdf else render_html(paper), False

    try:
        content, stored = with_core(state_dir, work)
    except KeyErased:
        fail(f"{number}: the time that the law has it kept is over, and its key was destroyed")
    except (NotFound, NoDocument, UnknownOrder, UnknownSeries, CannotBeSet, DocumentError) as error:
        fail(f"{number}: {error}")
    if not stored:
        complain(f"{number} is not stored in this form: it was drawn from the log now")
    if output == STDOUT:
        sys.stdout.buffer.write(content)
        return
    path = output or Path(f"{number}.{'pdf' if pdf else 'html'}")
    path.write_bytes(content)
    typer.echo(f"{path}: {len(content):,} bytes")


def store_documents(*, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Draw and store every invoice and credit note that is not stored, such as those of before documents were drawn.

    Reads the whole log; may run beside live traffic, be stopped, and run again. Exits with 1 naming the orders that it could not do.
    """
    progress, show = counting("looking")

    async def work(core: Core) -> tuple[int, list[str]]:
        billing, stored, seen, failed = billing_of(core), 0, 0, []
        async for stream in core.store.streams():
            tenant, order_id = order_of(stream)
            seen += 1
            if tenant == core.settings.tenant:
                try:
                    stored += await billing.catch_up(order_id)
                except (UnknownSeries, DocumentError, PrivacyError, CorruptCommit, CodecError) as error:
                    failed.append(f"{order_id}: {error}")
            show(seen, f"orders, {counted(stored, 'document', 'documents')} stored")
        return stored, failed

    with progress:
        stored, failed = with_core(state_dir, work)
    typer.echo(f"{counted(stored, 'document', 'documents')} stored")
    for line in failed:
        complain(line)
    if failed:
        raise typer.Exit(1)


async def _order_of(core: Core, number: str) -> str:
    queries = await open_queries(core.views, tenant=core.settings.tenant)
    document = await queries.invoice(number)
    if document is None:
        raise NotFound("the view has no invoice with this number; a credit note needs its --order")
    found: str = document["orderId"]
    return found
