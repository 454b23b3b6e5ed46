"""What the commands about proofs share: trusted keys, the maker of roots, and how findings are told."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import typer

from orderstore.audit.findings import Finding
from orderstore.audit.root_maker import AuditError, RootMaker, RootRefused
from orderstore.audit.root_store import parse_fingerprint
from orderstore.audit.roots import SignedRoot
from orderstore.audit.whole import NoSuchRoot
from orderstore.scratch import ScratchUnusable
from workers.archive.opening import nothing_is_being_restored
from workers.commands.running import complain
from workers.core import Core, now_ms

Keys = Annotated[
    list[str],
    typer.Option(
        "--key",
        metavar="FINGERPRINT",
        help="A signing key to trust: the SHA-256 of its DER form, in hex. May be repeated, for a key that was changed.",
    ),
]


def trusted(keys: Iterable[str]) -> frozenset[str]:
    """The fingerprints that were asked for. Exit 2 on one that is none."""
    try:
        return frozenset(map(parse_fingerprint, keys))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--key") from error


def root_maker(core: Core, accepted_keys: frozenset[str] = frozenset()) -> RootMaker:
    """Makes roots of this environment's log."""
    return RootMaker(
        core.store,
        core.locked,
        core.signer,
        log=log_of(core),
        now_ms=now_ms,
        accepted_keys=accepted_keys,
        is_whole=partial(nothing_is_being_restored, core),
    )


def log_of(core: Core) -> str:
    """What the roots of this environment are about."""
    return core.settings.table("events")


def order_id_as_stored(text: str) -> str:
    """The order id in the one form that the log knows; what is no UUID as it is, since a forged order may have any name."""
    try:
        return str(UUID(text))
    except ValueError:
        return text


def shown_progress(show: Callable[[int, str], None]) -> Callable[..., None]:
    """A `RootMaker`'s progress on a terminal."""

    def told(*, orders: int, commits: int, findings: int) -> None:
        show(orders, f"orders, {commits:,} commits, {findings} findings")

    return told


@contextmanager
def told_in_words(*, as_json: bool = False) -> Iterator[None]:
    """What stops a command about proofs is said, each finding by name, and ends it with 1."""
    try:
        yield
    except (RootRefused, NoSuchRoot) as error:
        if as_json:
            typer.echo(json.dumps({"ok": False, "findings": as_documents(error.findings)}, indent=2))
        else:
            tell(error.findings)
            complain(str(error))
        raise typer.Exit(1) from error
    except (AuditError, ScratchUnusable) as error:
        complain(str(error))
        raise typer.Exit(1) from error


def tell(findings: Iterable[Finding]) -> None:
    """One line each."""
    for found in findings:
        typer.echo(str(found))


def as_documents(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """For programs."""
    return [asdict(found) for found in findings]


def root_document(root: SignedRoot) -> dict[str, Any]:
    """A root for programs."""
    return {**asdict(root.document), "key": root.key, "sha256": root.sha256, "signer": root.signature.fingerprint}


def about_keys(signers: Iterable[str], pinned: frozenset[str]) -> Iterator[str]:
    """Who signed, and whether anybody said that this is right."""
    for signer in sorted(signers):
        trust = "as asked for" if pinned else "NOT PINNED: compare it with the published one, or give it with --key"
        yield f"signed by {signer} ({trust})"
