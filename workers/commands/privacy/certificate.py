"""`privacy certificate`: show the certificate of an erasure, and check who signed it."""

import json
from typing import Annotated, Any

import typer

from orderstore.privacy import certificates
from orderstore.privacy.certificates import CertificateInvalid
from workers.commands.audit.proof import Keys, trusted
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, fail, with_core
from workers.core import Core


def certificate(
    certificate_id: Annotated[str, typer.Argument(metavar="ID", help="As `privacy erase` printed it.")],
    *,
    key: Keys = [],  # noqa: B006 - typer's way
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show certificate ID. Exit 1 if there is none, or it is not as the service signed it.

    Without --key the service is asked which key is its own.
    """
    keys = trusted(key)

    async def work(core: Core) -> tuple[certificates.Certificate, str, frozenset[str]] | None:
        found = await certificates.find(core.locked, certificate_id)
        if found is None:
            return None
        own = keys or {(await core.signer.sign(certificates.FORMAT.encode())).fingerprint}
        return *found, frozenset(own)

    try:
        found = with_core(state_dir, work)
    except CertificateInvalid as error:
        fail(f"The certificate is not as it was signed: {error}")
    if found is None:
        fail(f"There is no certificate {certificate_id}.")
    document, signed_by, expected = found
    if signed_by not in expected:
        fail(f"The certificate was signed by another key ({signed_by}) than {' or '.join(sorted(expected))}.")
    if as_json:
        typer.echo(json.dumps({"fingerprint": signed_by, "certificate": document}, indent=2))
        return
    _tell(document)
    typer.echo(f"signed by {signed_by}")


def _tell(document: certificates.Certificate) -> None:
    destroyed: dict[str, Any] = document["destroyed"]
    typer.echo(f"{document['subject']} was erased: {document['reason']}")
    typer.echo(f"by {document['actor']['type']} {document['actor']['id']}; certified at {document['issuedAt']}")
    typer.echo(
        f"destroyed at {destroyed['destroyedAt']}, forgotten everywhere at {destroyed['forgottenEverywhereAt']}:"
    )
    typer.echo(f"  {destroyed['what']}")
    for kept in document["kept"]:
        typer.echo(f"kept until {kept['until']}: {kept['what']} ({kept['why']})")
    for order in document["orders"]:
        typer.echo(f"order {order['orderId']}: {order['unreadableTexts']} texts unreadable, head {order['head'][:12]}")
