"""From the archive to a Parquet dataset: streaming, proven on the way, and resumed where an earlier run ended."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from orderstore.archive import manifest as manifests
from orderstore.archive.dataset import Dataset, PartWriter
from orderstore.archive.manifest import manifest_key
from orderstore.archive.reader import read
from orderstore.objects import ObjectStore


@dataclass(slots=True)
class Exported:
    """What this run added, and the manifest that the dataset goes up to now."""

    manifests: int = 0
    commits: int = 0
    events: int = 0
    parts: int = 0
    through: int = 0


async def export(
    objects: ObjectStore,
    directory: Path,
    *,
    since_manifest: int = 1,
    progress: Callable[[Exported], None] = lambda _: None,
) -> Exported:
    """Add every manifest from `since_manifest` on that the dataset has not. A run that dies leaves the dataset as it was before its part.

    Raises AnalysisMissing, DatasetRefused, UnreadableBody, ArchiveDamaged, StoreError, OSError.
    """
    first = await objects.get(manifest_key(1))
    dataset = Dataset(directory, archive="" if first is None else manifests.digest(first))
    report = Exported(through=dataset.last)
    after, after_sha256 = max(dataset.last, since_manifest - 1), ""
    part: PartWriter | None = None
    try:
        async with aclosing(read(objects, after=after)) as archived:
            async for manifest, sha256, commits in archived:
                if part is None:
                    part = dataset.begin(manifest.number)
                part.add(commits)
                report.manifests += 1
                report.commits += len(commits)
                if part.is_full:
                    _finish(part, report, manifest.number, sha256)
                    part = None
                after, after_sha256 = manifest.number, sha256
                progress(report)
        if part is not None:
            _finish(part, report, after, after_sha256)
            part = None
    finally:
        if part is not None:
            part.abandon()
    progress(report)
    return report


def _finish(part: PartWriter, report: Exported, last: int, last_sha256: str) -> None:
    part.finish(last=last, last_sha256=last_sha256)
    report.parts += 1
    report.events += part.events
    report.through = last
