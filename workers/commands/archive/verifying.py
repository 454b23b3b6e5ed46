"""`archive verify`: whether the archive is what was archived, from its bucket alone."""

import json
from contextlib import aclosing
from dataclasses import asdict
from typing import Final

import typer

from orderstore.archive.errors import Fault
from orderstore.archive.reader import examine
from workers.archive.opening import positions_of
from workers.commands.archive.places import FromBucket, objects_of
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting, with_core
from workers.core import Core

FAULTS_MAX: Final = 1_000


def verify(*, from_bucket: FromBucket = None, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Check every manifest, segment, count, commit and hash of the archive. Exit 1, naming each fault, if anything is wrong.

    The environment's own table of positions says which manifest must be the last; another bucket is taken at its word.
    """
    faults: list[Fault] = []
    totals = {"manifests": 0, "commits": 0, "orders": 0, "faults_count": 0}
    progress, show = counting("verifying the archive")

    async def work(core: Core) -> None:
        expected = await positions_of(core).applied() if from_bucket is None else None
        async with aclosing(examine(objects_of(core, from_bucket), expected=expected)) as examined:
            async for one in examined:
                totals["manifests"] += one.manifest is not None
                totals["commits"] += len(one.commits)
                if one.manifest is not None:
                    totals["orders"] += sum(span.first == 1 for span in one.manifest.orders)
                totals["faults_count"] += len(one.faults)
                faults.extend(one.faults[: max(0, FAULTS_MAX - len(faults))])
                show(totals["manifests"], f"manifests, {totals['commits']:,} commits, {totals['faults_count']} faults")

    with progress:
        with_core(state_dir, work)
    if as_json:
        document = {**totals, "ok": not faults, "faults": [asdict(fault) for fault in faults]}
        typer.echo(json.dumps(document, indent=2))
    else:
        for fault in faults:
            typer.echo(str(fault))
        verdict = f"{totals['faults_count']} faults" if faults else "as they were archived, each once"
        typer.echo(
            f"{totals['manifests']:,} manifests, {totals['orders']:,} orders, {totals['commits']:,} commits: {verdict}"
        )
    if faults:
        raise typer.Exit(1)
