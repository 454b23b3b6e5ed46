"""`archive parquet`: the archive's events as a Parquet dataset."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orderstore.archive.dataset import load_arrow
from orderstore.archive.parquet import Exported, export
from workers.commands.archive.places import FromBucket, objects_of
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting, with_core
from workers.core import Core


def parquet(
    *,
    to: Annotated[Path, typer.Option("--to", help="The dataset's directory; made if it is not there.")],
    since_manifest: Annotated[
        int, typer.Option("--since-manifest", min=1, help="Leave out what earlier manifests hold.")
    ] = 1,
    from_bucket: FromBucket = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Write one row an event, by month, for DuckDB and its like. Run again, it adds what is new; see docs/archive.md."""
    load_arrow()  # said before anything is opened
    progress, show = counting("exporting")

    async def work(core: Core) -> Exported:
        return await export(
            objects_of(core, from_bucket),
            to,
            since_manifest=since_manifest,
            progress=lambda report: show(report.manifests, f"manifests, {report.commits:,} commits"),
        )

    try:
        with progress:
            report = with_core(state_dir, work)
    except OSError as error:
        typer.echo(
            f"{to} cannot be written ({error.strerror}); the dataset is as it was before the last part", err=True
        )
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    else:
        typer.echo(
            f"{report.events:,} events of {report.commits:,} commits added; the dataset goes through manifest {report.through}"
        )
