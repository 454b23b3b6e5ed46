"""`privacy show-buyer`: whom an invoice was made out to, for an auditor. KMS's own trail notes who asked."""

import json
from typing import Annotated

import typer

from orderstore.domain.events import InvoiceIssued
from orderstore.privacy.buyers import Buyer, NoBuyer, open_buyer
from orderstore.privacy.keys import KeyErased
from projections.answers.orders import open_queries
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, fail, with_core
from workers.core import Core


class NoInvoice(Exception):
    """There is no invoice with this number."""


def show_buyer(
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="The invoice's number.")],
    *,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show whom INVOICE was made out to, also after the customer was erased, until the time that the law has it kept is over."""

    async def work(core: Core) -> Buyer:
        queries = await open_queries(core.views, tenant=core.settings.tenant)
        document = await queries.invoice(invoice)
        if document is None:
            raise NoInvoice(f"there is no invoice {invoice}")
        history = await core.orders.load(document["orderId"])
        for recorded in history.events:
            if isinstance(recorded.event, InvoiceIssued) and recorded.event.invoice_number == invoice:
                return await open_buyer(core.sealer, recorded.event, history.stream)
        raise NoInvoice(f"the log has no invoice {invoice} in order {document['orderId']}")

    try:
        buyer = with_core(state_dir, work)
    except (NoBuyer, NoInvoice, KeyErased) as error:
        reason = "the time that the law has its buyer kept is over" if isinstance(error, KeyErased) else str(error)
        fail(f"{invoice}: {reason}")
    if as_json:
        shown = {"invoice": invoice, "buyer": buyer.name, "address": buyer.address, "vatId": buyer.vat_id}
        typer.echo(json.dumps(shown))
        return
    for line in (buyer.name, *buyer.address, buyer.vat_id):
        if line is not None:
            typer.echo(line)
