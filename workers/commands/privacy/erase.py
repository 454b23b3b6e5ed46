"""`privacy erase`: make a person's data unreadable, prove it, and certify it."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import typer

from orderstore.domain.rejections import CommandRejected
from orderstore.privacy.certificates import CertificateInvalid
from orderstore.privacy.erasure import Erased, Eraser, ErasureRefused, ErasureUnproved, OpenOrders, Request
from orderstore.privacy.keys import CACHE_TTL_S, PrivacyError
from orderstore.privacy.subjects import operational_subject
from orderstore.privacy.survey import NotTheirOrder, SurveyedOrder, orders_by_scan
from projections.answers.orders import open_queries
from projections.view_store import LIST_PAGE_MAX
from workers.commands.acting import By, operator, reason_of
from workers.commands.audit.options import order_id_of
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, complain, with_core
from workers.core import Core, now_ms
from workers.inbox.opening import inbox_erasure
from workers.tables.errors import TableError

REFUSALS: Final = (
    ErasureRefused,
    ErasureUnproved,
    NotTheirOrder,
    CertificateInvalid,
    CommandRejected,
    PrivacyError,
    TableError,
)


@dataclass(frozen=True, slots=True)
class Planned:
    """What an erasure would meet, and the open orders for which it would be refused."""

    orders: tuple[SurveyedOrder, ...]
    in_the_way: tuple[str, ...]


def erase(
    customer: Annotated[
        str | None, typer.Argument(metavar="CUSTOMER", help="The customer's id; none for a guest (--order).")
    ] = None,
    *,
    reason: Annotated[
        str,
        typer.Option("--reason", help="Who asked and how, such as a ticket's number. It stands in the certificate."),
    ],
    order: Annotated[
        str | None, typer.Option("--order", metavar="ORDER", help="A guest's order: a guest's key is the order's own.")
    ] = None,
    despite_open_orders: Annotated[
        bool,
        typer.Option(
            "--despite-open-orders", help="Erase although mails are still to be sent and invoices to be issued."
        ),
    ] = False,
    from_view: Annotated[
        bool,
        typer.Option(
            "--from-view", help="Find the orders in the view, which may lag behind, instead of reading the whole log."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and erase nothing.")] = False,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Destroy the key of CUSTOMER (or of a guest's order): nobody can read their e-mail address, name and texts any more, anywhere.

    Interrupted, run it again: it goes on where it was, and there is one certificate.
    """
    if (customer is None) == (order is None):
        raise typer.BadParameter("name a customer, or with --order a guest's order")
    order = None if order is None else order_id_of(order, "--order")
    actor, reason = operator(by), reason_of(reason)

    async def work(core: Core) -> Erased | Planned:
        request = Request(
            subject=operational_subject(customer, order or ""),
            order_ids=(order,) if order is not None else await _orders_of(core, str(customer), from_view=from_view),
            reason=reason,
            actor=actor,
            despite_open_orders=despite_open_orders,
        )
        if not dry_run:
            return await eraser(core).erase(request)
        orders = await eraser(core).survey(request)
        return Planned(orders, await eraser(core).in_the_way(request, orders))

    try:
        found = with_core(state_dir, work)
    except REFUSALS as error:
        complain(str(error))
        if isinstance(error, OpenOrders):
            complain(", ".join(error.order_ids[:20]) + (" …" if len(error.order_ids) > 20 else ""))
            complain("Nothing was erased. Wait until they are closed, or erase with --despite-open-orders.")
        raise typer.Exit(1) from error
    if isinstance(found, Erased):
        _tell(found, as_json=as_json)
    else:
        _tell_survey(found, as_json=as_json)


def eraser(core: Core) -> Eraser:
    """The eraser of a store."""
    return Eraser(
        core.orders,
        core.store,
        tenant=core.settings.tenant,
        keys=core.keys,
        vault=core.sealer,
        signer=core.signer,
        locked=core.locked,
        cache_ttl_s=CACHE_TTL_S,
        fiscal_retention_years=core.settings.fiscal_retention_years,
        now_ms=now_ms,
        elsewhere=(inbox_erasure(core),),
    )


async def _orders_of(core: Core, customer: str, *, from_view: bool) -> tuple[str, ...]:
    tenant = core.settings.tenant
    if not from_view:
        return await orders_by_scan(
            core.orders, core.store.streams(), tenant=tenant, subject=operational_subject(customer, "")
        )
    queries = await open_queries(core.views, tenant=tenant)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await queries.orders_of_customer(customer, cursor, LIST_PAGE_MAX)
        found.extend(item["orderId"] for item in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return tuple(found)


def _tell(erased: Erased, *, as_json: bool) -> None:
    certificate = erased.certificate
    if as_json:
        typer.echo(json.dumps({"new": erased.new, "marked": list(erased.marked), "certificate": certificate}, indent=2))
        return
    destroyed = certificate["destroyed"]
    done = "erased" if erased.new else "was erased before, and still is"
    typer.echo(f"{certificate['subject']} {done}: its key was destroyed at {destroyed['destroyedAt']}")
    typer.echo(f"every process has forgotten it at {destroyed['forgottenEverywhereAt']}")
    typer.echo(f"{len(certificate['orders'])} orders, each proved unreadable and as it was written")
    for kept in certificate["kept"]:
        typer.echo(f"kept until {kept['until']}: {kept['what']}")
    if not erased.new and erased.marked:
        typer.echo(
            f"{len(erased.marked)} orders were marked that the certificate does not name: they are later than it"
        )
    typer.echo(f"certificate {certificate['id']} (`orderstore privacy certificate {certificate['id']}`)")


def _tell_survey(planned: Planned, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"dry_run": True, **asdict(planned)}, indent=2))
        return
    for order in planned.orders:
        state = "open" if order.open else "closed"
        typer.echo(
            f"{order.order_id} {state}: {order.sealed_texts} sealed texts would become unreadable, "
            f"{len(order.plain_versions)} plain ones and {len(order.invoices)} invoices' buyers would be kept"
        )
    if planned.in_the_way:
        typer.echo(f"{len(planned.in_the_way)} are open: the erasure would be refused without --despite-open-orders")
    typer.echo(f"{len(planned.orders)} orders; this was a dry run and changed nothing")
