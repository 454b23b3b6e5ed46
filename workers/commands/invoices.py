"""`invoices verify`: whether every number has its document, every order its documents, and every stored document its hash."""

import json
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from orderstore.invoicing.findings import MEANINGS
from orderstore.invoicing.shelf import Shelf
from orderstore.invoicing.verify import Report, verify
from workers.commands.invoice_documents import render_document, store_documents
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counted, counting, with_core
from workers.core import Core, now_ms

GRACE_S: Final = 3_600
GRACE_MAX_S: Final = 30 * 86_400


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Invoices and credit notes, as the log has them.", no_args_is_help=True)
    group.command(name="verify")(verify_invoices)
    group.command(name="render")(render_document)
    group.command(name="store")(store_documents)
    app.add_typer(group, name="invoices")


def verify_invoices(
    *,
    grace_s: Annotated[
        int,
        typer.Option(
            "--grace-s", min=0, max=GRACE_MAX_S, help="Seconds that billing may take before a missing document is one."
        ),
    ] = GRACE_S,
    documents: Annotated[
        bool,
        typer.Option("--documents/--no-documents", help="Whether stored documents are opened too, each a read of S3."),
    ] = True,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Read the whole log: gaps and repeats in each series, missing documents, credits above their invoice, sums that do not meet;
    and every stored document: whether it is there, and is what the log says.

    Changes nothing; may run beside live traffic. Exits with 1 naming everything that is wrong.
    """
    progress, show = counting("reading")

    async def work(core: Core) -> Report:
        def told(report: Report) -> None:
            show(report.orders, f"orders, {counted(report.findings_count, 'finding', 'findings')}")

        shelf = Shelf(core.objects, core.sealer, tenant=core.settings.tenant) if documents else None
        return await verify(core.store, now_ms=now_ms(), grace_s=grace_s, shelf=shelf, progress=told)

    with progress:
        report = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps(_document(report), indent=2))
    else:
        _tell(report)
    if report.findings:
        raise typer.Exit(1)


def _tell(report: Report) -> None:
    for found in report.findings:
        typer.echo(str(found))
    if report.findings_count > len(report.findings):
        typer.echo(f"and {report.findings_count - len(report.findings):,} more")
    for series, numbers in report.series.items():
        typer.echo(f"{series}: {counted(numbers, 'number', 'numbers')} taken")
    if report.stored or report.without_pdf or report.expired:
        typer.echo(
            f"{counted(report.stored, 'stored file', 'stored files')} as the log says, {report.without_pdf:,} documents without a PDF, "
            f"{counted(report.expired, 'file', 'files')} past their time"
        )
    for number in report.without_pdf_named:
        typer.echo(f"{number}: stored as HTML alone; no font has its characters (ORDERSTORE_INVOICE_FONTS)")
    if report.without_pdf > len(report.without_pdf_named):
        typer.echo(f"and {report.without_pdf - len(report.without_pdf_named):,} more without a PDF")
    verdict = "complete" if not report.findings else counted(report.findings_count, "finding", "findings")
    orders, documents = counted(report.orders, "order", "orders"), counted(report.documents, "document", "documents")
    typer.echo(f"{orders}, {documents}: {verdict}")


def _document(report: Report) -> dict[str, Any]:
    return {
        "ok": not report.findings,
        "orders": report.orders,
        "documents": report.documents,
        "series": report.series,
        "stored": report.stored,
        "withoutPdf": report.without_pdf,
        "withoutPdfNumbers": report.without_pdf_named,
        "expired": report.expired,
        "findingsCount": report.findings_count,
        "findings": [{**asdict(found), "meaning": MEANINGS[found.kind]} for found in report.findings],
    }
