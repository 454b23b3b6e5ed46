"""`notifications suppressions …`: who must not be written to. No address is typed, stored or shown: an order of its owner names it."""

import json
import re
from dataclasses import asdict
from typing import Annotated, Final

import orjson
import typer

from orderstore.domain.rejections import UnknownOrder
from orderstore.orders import placed
from orderstore.privacy.keys import KeyErased
from orderstore.request_fields import check_key
from workers.commands.acting import By, operator, reason_of
from workers.commands.audit.options import order_id_of
from workers.commands.notifications.options import Reason, block, moment
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, checked, counted, fail, with_core
from workers.core import Core, now_ms
from workers.notification.opening import department
from workers.notification.suppression import Kind, Report, Suppression, Suppressions

_ID: Final = re.compile(r"[0-9a-f]{64}")
_FIELDS: Final[dict[Kind, str]] = {"email": "email", "phone": "phone"}

OrderOption = Annotated[
    str | None, typer.Option("--order", metavar="ORDER", help="The address that this order was placed with.")
]
KindOption = Annotated[Kind, typer.Option("--kind", help="The e-mail address, or the phone number.")]


class NoAddress(Exception):
    """The order has no address of that kind that can be read."""


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Addresses that must not be written to.", no_args_is_help=True)
    group.command()(ls)
    group.command()(add)
    group.command()(lift)
    app.add_typer(group, name="suppressions")


def ls(
    *,
    order: OrderOption = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="CUSTOMER", help="Only those come upon by this customer's mail.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Lifted ones too.")] = False,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """List the suppressed addresses: why, since when, and by which order they were come upon."""
    order_id = None if order is None else order_id_of(order, "--order")
    whose = None if customer is None else checked(check_key, customer, "--customer")

    async def work(core: Core) -> list[Suppression]:
        suppressions = department(core).suppressions
        if order_id is None:
            return [row async for row in suppressions.all()]
        rows = [await suppressions.row(suppression) for suppression in await _ids(core, suppressions, order_id)]
        return [row for row in rows if row is not None]

    try:
        rows = with_core(state_dir, work)
    except (UnknownOrder, NoAddress) as error:
        fail(str(error))
    shown = sorted(
        (row for row in rows if (every or row.active) and (whose is None or row.customer == whose)),
        key=lambda row: row.since_ms,
    )
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in shown], indent=2))
        return
    for row in shown:
        typer.echo("\n".join([*_suppression_lines(row), ""]))
    typer.echo(f"{counted(sum(row.active for row in shown), 'address', 'addresses')} must not be written to")


def add(
    *,
    order: Annotated[
        str, typer.Option("--order", metavar="ORDER", help="The address that this order was placed with.")
    ],
    reason: Reason,
    kind: KindOption = "email",
    by: By = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Never write to this address again, until it is lifted."""
    order_id, actor, why = order_id_of(order, "--order"), operator(by).id, reason_of(reason)

    async def work(core: Core) -> bool:
        address, customer = await _address(core, order_id, kind)
        report = Report(reason="operator", source=actor, at_ms=now_ms(), order=order_id, customer=customer, detail=why)
        return await department(core).suppressions.add(kind, address, report)

    try:
        new = with_core(state_dir, work)
    except (UnknownOrder, NoAddress) as error:
        fail(str(error))
    typer.echo("suppressed" if new else "it was suppressed already")


def lift(
    suppression: Annotated[
        str | None, typer.Argument(metavar="ID", help="The suppression, as `suppressions ls` shows it; or --order.")
    ] = None,
    *,
    order: OrderOption = None,
    kind: KindOption = "email",
    reason: Reason,
    by: By = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Allow an address again, such as after the customer had their mailbox mended. A later bounce or complaint suppresses it anew."""
    if (suppression is None) == (order is None):
        raise typer.BadParameter("name a suppression by its id, or with --order an order of the address's owner")
    if suppression is not None and not _ID.fullmatch(suppression):
        raise typer.BadParameter("ID: 64 hexadecimal digits, as `orderstore notifications suppressions ls` shows them")
    order_id = None if order is None else order_id_of(order, "--order")
    actor, why = operator(by).id, reason_of(reason)

    async def work(core: Core) -> bool:
        suppressions = department(core).suppressions
        if order_id is not None:
            address, _ = await _address(core, order_id, kind)
            return await suppressions.lift(await suppressions.id_of(kind, address), actor=actor, reason=why)
        return await suppressions.lift(suppression or "", actor=actor, reason=why)

    try:
        lifted = with_core(state_dir, work)
    except (UnknownOrder, NoAddress) as error:
        fail(str(error))
    if not lifted:
        fail("nothing forbids this address: `orderstore notifications suppressions ls --all` shows what did")
    typer.echo("lifted; SES keeps a list of its own: see docs/notifications.md")


def _suppression_lines(row: Suppression) -> list[str]:
    return block(
        [
            ("id", row.id),
            ("why", f"{row.kind}: {row.reason} {row.detail}".rstrip()),
            ("since (UTC)", moment(row.since_ms)),
            ("order", row.order),
            ("customer", row.customer),
            ("lifted", "" if row.active else f"{moment(row.lifted_at_ms)} by {row.lifted_by}: {row.lifted_because}"),
        ]
    )


async def _ids(core: Core, suppressions: Suppressions, order_id: str) -> list[str]:
    """What would forbid the addresses of an order. Raises NoAddress when it has none at all."""
    found = []
    for kind in _FIELDS:
        try:
            address, _ = await _address(core, order_id, kind)
        except NoAddress:
            continue
        found.append(await suppressions.id_of(kind, address))
    if not found:
        raise NoAddress("this order was placed without an address, or its owner's data were erased")
    return found


async def _address(core: Core, order_id: str, kind: Kind) -> tuple[str, str]:
    """The address that an order was placed with, and the customer's id. In memory only."""
    history = await core.orders.load(order_id)
    order = placed(history).order
    if order.contact is None:
        raise NoAddress("this order was placed without an address")
    try:
        contact = orjson.loads(await core.sealer.open(order.contact, history.stream))
    except KeyErased:
        raise NoAddress("the personal data of this order's owner were erased; use the suppression's id") from None
    address = contact.get(_FIELDS[kind])
    if address is None:
        raise NoAddress(f"this order was placed without {'an e-mail address' if kind == 'email' else 'a phone number'}")
    return address, order.customer_id or ""
