"""`archive ls`: the manifests, with what each holds."""

import json
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from orderstore.archive.manifest import NUMBER_MAX, Manifest
from orderstore.archive.reader import examine
from orderstore.objects import ObjectStore
from workers.commands.archive.places import FromBucket, objects_of
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, wide_console, with_core
from workers.core import Core

LIMIT_MAX = 10_000


def ls(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LIMIT_MAX, help="The last so many manifests.")] = 20,
    from_bucket: FromBucket = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """List the last manifests of the archive, and what there is in all."""
    totals = {"manifests": 0, "commits": 0, "orders": 0, "bytes": 0, "raw_bytes": 0}
    last: deque[Manifest] = deque(maxlen=limit)

    async def work(core: Core) -> None:
        async with aclosing(_manifests(objects_of(core, from_bucket))) as manifests:
            async for manifest in manifests:
                last.append(manifest)
                totals["manifests"] += 1
                totals["commits"] += manifest.segment.commits
                totals["orders"] += sum(span.first == 1 for span in manifest.orders)
                totals["bytes"] += manifest.segment.bytes
                totals["raw_bytes"] += manifest.segment.raw_bytes

    with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps({**totals, "last": [_document(manifest) for manifest in last]}, indent=2))
        return
    table = Table("manifest", "archived", "recorded", "orders", "commits", "bytes", "raw bytes", box=SIMPLE_HEAD)
    for manifest in last:
        facts = manifest.segment
        recorded = f"{_moment(manifest.recorded_first_ms)} … {_moment(manifest.recorded_last_ms)}"
        counts = (facts.orders, facts.commits, facts.bytes, facts.raw_bytes)
        table.add_row(
            str(manifest.number), _moment(manifest.archived_at_ms), recorded, *(f"{count:,}" for count in counts)
        )
    wide_console().print(table)
    typer.echo(
        f"{totals['manifests']:,} manifests: {totals['orders']:,} orders, {totals['commits']:,} commits, {totals['bytes']:,} bytes"
    )


async def _manifests(objects: ObjectStore) -> AsyncGenerator[Manifest, None]:
    async with aclosing(examine(objects, contents_after=NUMBER_MAX)) as examined:
        async for one in examined:
            if one.manifest is not None:
                yield one.manifest


def _moment(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, tz=UTC):%Y-%m-%d %H:%M:%S}Z"


def _document(manifest: Manifest) -> dict[str, Any]:
    facts = manifest.segment
    return {
        "number": manifest.number,
        "archived_at": _moment(manifest.archived_at_ms),
        "recorded_first": _moment(manifest.recorded_first_ms),
        "recorded_last": _moment(manifest.recorded_last_ms),
        "segment": facts.key,
        "orders": facts.orders,
        "commits": facts.commits,
        "bytes": facts.bytes,
        "raw_bytes": facts.raw_bytes,
    }
