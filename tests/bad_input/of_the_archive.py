"""The archive: segments, manifests, the whole of it as a forger would store it, rows of the export, and positions."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import zstandard

from orderstore.archive import manifest as manifests
from orderstore.archive.dataset import Dataset, DatasetError, PartWriter
from orderstore.archive.dynamo_positions import applied_in, position_in, restoration_in
from orderstore.archive.manifest import BadManifest, Manifest
from orderstore.archive.positions import Applied, Position, Restoration
from orderstore.archive.reader import examine
from orderstore.archive.rows import UnreadableBody
from orderstore.archive.segment import BadSegment, commits_in, key_of, line_of, pack, unpack
from orderstore.objects import MemoryObjectStore
from orderstore.store.errors import CorruptRow
from orderstore.store.port import Commit
from tests.bad_input.decoder import MIB, Decoder, Shape, samples
from tests.bad_input.documents import written
from tests.bad_input.hostile import NUMBERS
from tests.bad_input.mutations import of_bytes, of_item, of_json, of_tree
from tests.bad_input.of_the_log import AT_MS, body_documents, commit_of, commits
from tests.virtual_time import run_virtual


@samples
def ordinary() -> list[Commit]:
    return list(commits()[:-1])


@samples
def lines() -> list[Any]:
    return [json.loads(line_of(commit)) for commit in ordinary()]


def _segment() -> Any:
    return pack([line_of(commit) for commit in ordinary()[:3]])


@samples
def segments() -> list[bytes]:
    return [_segment().content]


def _unpacked(content: bytes) -> list[Commit]:
    return list(commits_in(unpack(content, raw_bytes=_segment().raw_bytes)))


def _manifest() -> Manifest:
    first = [ordinary()[0]]
    return manifests.manifest_of(
        first,
        pack([line_of(commit) for commit in first]),
        number=1,
        previous=manifests.NO_MANIFEST,
        archived_at_ms=AT_MS,
    )


@samples
def manifest_documents() -> list[Any]:
    return [json.loads(manifests.encode(_manifest()))]


def _forged(document: Any) -> dict[str, bytes]:
    """An archive of two manifests, the first of which says something else; with the segment of a right one."""
    segment = pack([line_of(ordinary()[0])])
    content = written(document).encode("utf-8", "surrogatepass")
    second = replace(_manifest(), number=2, previous=hashlib.sha256(content).hexdigest())
    return {
        manifests.manifest_key(1): content,
        manifests.manifest_key(2): manifests.encode(second),
        segment.key: segment.content,
    }


def _far_away(random: Random, given: Sequence[Any]) -> Any:
    """One commit, with a number that some part of the reader may not be able to hold; the manifest does not contradict itself."""
    document = given[0]
    number = random.choice([one for one in NUMBERS if isinstance(one, int)])
    return {**document, "orders": [{**document["orders"][0], "first": number, "last": number}]}


def _forged_segment(line: bytes) -> dict[str, bytes]:
    """An archive in which everything fits to a segment with a line that is none."""
    raw = line + b"\n"
    content = zstandard.compress(raw)
    digest = hashlib.sha256(content).hexdigest()
    facts = replace(
        _manifest().segment,
        key=key_of(digest),
        sha256=digest,
        bytes=len(content),
        raw_sha256=hashlib.sha256(raw).hexdigest(),
        raw_bytes=len(raw),
    )
    return {manifests.manifest_key(1): manifests.encode(replace(_manifest(), segment=facts)), facts.key: content}


class _Objects(MemoryObjectStore):
    def __init__(self, contents: dict[str, bytes]) -> None:
        super().__init__()
        self._contents = contents


def _examined(contents: dict[str, bytes]) -> list[str]:
    """What a verification of the archive says; it never ends before the archive does."""

    async def look() -> list[str]:
        async with aclosing(examine(_Objects(contents))) as examined:
            return [fault.kind async for one in examined for fault in one.faults]

    return run_virtual(look)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bad-input-")


def _exported(commit: Commit) -> int:
    """Through Arrow's columns and into a file, which has its own idea of what fits into them."""
    with tempfile.TemporaryDirectory(dir=_folder().name) as place:
        dataset = Dataset(Path(place), archive="a")
        part: PartWriter = dataset.begin(1)
        try:
            part.add([commit])
            return part.finish(last=1, last_sha256="0" * 64).events
        except UnreadableBody:
            part.abandon()
            if list(Path(place).glob("recorded_month=*/*")) or list(Path(place).glob("_parts/*")):
                raise AssertionError("a part of a part was left") from None
            raise


def _opened_part(content: bytes) -> int:
    with tempfile.TemporaryDirectory(dir=_folder().name) as place:
        file = Path(place) / "_parts" / "000000000001-000000000001.json"
        file.parent.mkdir()
        file.write_bytes(content)
        return Dataset(Path(place), archive="a").last


@samples
def positions() -> list[Any]:
    return [
        {
            "stream": {"S": "main/order-a"},
            "archived_through": {"N": "7"},
            "last_hash": {"B": b"h" * 32},
            "manifest": {"N": "3"},
        }
    ]


@samples
def applied_rows() -> list[Any]:
    return [{"stream": {"S": "(applied)"}, "manifest": {"N": "3"}, "sha256": {"S": "0" * 64}}]


@samples
def restore_rows() -> list[Any]:
    row = {"stream": {"S": "(restore)"}, "archive": {"S": "a"}, "manifest": {"N": "3"}, "state": {"S": "running"}}
    return [row]


_PART: Final = {"archive": "a", "first": 1, "last": 1, "last_sha256": "0" * 64, "events": 1, "files": ["x"]}

DECODERS: Final = (
    Decoder(
        name="archive segment",
        covers=("orderstore.archive.segment:unpack",),
        decode=_unpacked,
        errors=(BadSegment,),
        valid=lambda: [(segments()[0], ordinary()[:3])],
        shapes=(Shape(mutate=of_bytes, samples=segments),),
    ),
    Decoder(
        name="archive line",
        covers=("orderstore.archive.segment:commits_in", "orderstore.archive.segment:_commit_of"),
        decode=lambda line: list(commits_in(line + b"\n")),
        errors=(BadSegment,),
        valid=lambda: [(line_of(commit)[:-1], [commit]) for commit in ordinary()],
        shapes=(Shape(mutate=of_json, samples=lines),),
    ),
    Decoder(
        name="archive manifest",
        covers=("orderstore.archive.manifest:parse", "orderstore.archive.reader:_parsed"),
        decode=lambda content: manifests.parse(content, number=1),
        errors=(BadManifest,),
        valid=lambda: [(manifests.encode(_manifest()), _manifest())],
        shapes=(
            Shape(mutate=of_json, samples=manifest_documents),
            Shape(mutate=of_bytes, samples=lambda: [manifests.encode(_manifest())]),
        ),
    ),
    Decoder(
        name="whole archive",
        covers=(
            "orderstore.archive.inspection:follow_spans",
            "orderstore.archive.manifest:number_of",
        ),
        decode=_examined,
        valid=lambda: [({**_forged(manifest_documents()[0])}, ["commit_twice"])],
        shapes=(
            Shape(mutate=of_tree, samples=manifest_documents, finish=_forged),
            Shape(mutate=_far_away, samples=manifest_documents, finish=_forged),
            Shape(mutate=of_json, samples=lines, finish=_forged_segment),
        ),
        weight=10,
    ),
    Decoder(
        name="exported commit",
        covers=("orderstore.archive.rows:rows_of",),
        decode=_exported,
        errors=(UnreadableBody,),
        valid=lambda: [(commit, 1) for commit in ordinary()[:3]],
        shapes=(Shape(mutate=of_json, samples=body_documents, finish=commit_of),),
        weight=50,
        memory_bytes_max=64 * MIB,
    ),
    Decoder(
        name="part of a dataset",
        covers=("orderstore.archive.dataset:_part_in",),
        decode=_opened_part,
        errors=(DatasetError,),
        valid=lambda: [(json.dumps(_PART).encode(), 1)],
        shapes=(Shape(mutate=of_json, samples=lambda: [_PART]),),
        weight=10,
    ),
    Decoder(
        name="position of the archive",
        covers=(
            "orderstore.archive.dynamo_positions:position_in",
            "orderstore.archive.dynamo_positions:_manifest_in",
            "orderstore.archive.dynamo_positions:_text",
        ),
        decode=position_in,
        errors=(CorruptRow,),
        valid=lambda: [(positions()[0], ("main/order-a", Position(7, b"h" * 32, 3)))],
        shapes=(Shape(mutate=of_item, samples=positions),),
    ),
    Decoder(
        name="manifests applied",
        covers=("orderstore.archive.dynamo_positions:applied_in",),
        decode=applied_in,
        errors=(CorruptRow,),
        valid=lambda: [(applied_rows()[0], Applied(3, "0" * 64))],
        shapes=(Shape(mutate=of_item, samples=applied_rows),),
    ),
    Decoder(
        name="restore under way",
        covers=("orderstore.archive.dynamo_positions:restoration_in",),
        decode=restoration_in,
        errors=(CorruptRow,),
        valid=lambda: [(restore_rows()[0], Restoration(archive="a", manifest=3, state="running"))],
        shapes=(Shape(mutate=of_item, samples=restore_rows),),
    ),
)
