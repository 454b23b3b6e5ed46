"""Reads the archive in the order of its manifests and proves it on the way: the chain of manifests, every checksum and count, and each
order's commits one after the other, with their hashes and links. Needs nothing but the bucket.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeVar

import anyio

from orderstore.archive import manifest as manifests
from orderstore.archive.errors import ArchiveDamaged, Fault
from orderstore.archive.heads import Heads
from orderstore.archive.inspection import commits_of, follow_commits, follow_spans
from orderstore.archive.manifest import MANIFESTS, NO_MANIFEST, BadManifest, Manifest, manifest_key, number_of
from orderstore.archive.positions import Applied
from orderstore.objects import ObjectStore
from orderstore.store.errors import StoreError
from orderstore.store.port import Commit

T = TypeVar("T")

# So many objects are fetched side by side: a segment has a few MiB at most.
OBJECTS_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One manifest with what its segment holds, and whatever is wrong with either. `manifest` is None when it cannot be read."""

    number: int
    sha256: str
    manifest: Manifest | None
    commits: tuple[Commit, ...] = ()
    faults: tuple[Fault, ...] = ()


async def examine(
    objects: ObjectStore, *, contents_after: int = 0, expected: Applied | None = None
) -> AsyncGenerator[Examined, None]:
    """Every manifest from the first to the last, with every fault that there is; none of them ends the reading.

    The segments of manifests up to `contents_after` are not fetched: their commits are taken from the manifests' word.
    `expected` is what the table of positions knows of the last manifest, so that a dropped tail shows.
    Raises StoreError.
    """
    previous: tuple[int, str] | None = (0, NO_MANIFEST)
    number = 1
    with Heads() as heads:
        while True:
            contents = await _manifests(objects, number)
            if not contents:
                if not await _is_hole(objects, number):
                    break
                yield _missing(number)
                previous = None
                number += 1
                continue
            parsed = [_parsed(content, number + place) for place, content in enumerate(contents)]
            segments = await _segments(
                objects,
                [one.manifest for one in parsed if one.manifest is not None and one.number > contents_after],
            )
            for one in parsed:
                faults = [*one.faults, *_chain_faults(previous, one, expected)]
                commits: tuple[Commit, ...] = ()
                if one.manifest is not None and one.number > contents_after:
                    commits, wrong = commits_of(one.manifest, segments[one.number])
                    following = (
                        follow_spans(one.manifest, heads) if wrong else follow_commits(one.manifest, commits, heads)
                    )
                    faults += [*wrong, *following]
                elif one.manifest is not None:
                    faults += follow_spans(one.manifest, heads)
                previous = (one.number, one.sha256)
                yield Examined(
                    number=one.number,
                    sha256=one.sha256,
                    manifest=one.manifest,
                    commits=commits,
                    faults=tuple(faults),
                )
            number += len(parsed)
    if expected is not None and number <= expected.manifest:
        detail = f"the table of positions has applied manifests up to {expected.manifest}"
        fault = Fault(kind="missing_manifest", manifest=number, detail=detail)
        yield Examined(number=number, sha256="", manifest=None, faults=(fault,))


async def read(
    objects: ObjectStore, *, after: int = 0
) -> AsyncGenerator[tuple[Manifest, str, tuple[Commit, ...]], None]:
    """Every manifest above `after`, with its own SHA-256 and its segment's commits, all of them proven.

    The chain of manifests is proven first, to its end: an altered one is known before anything that it names is used.
    Raises ArchiveDamaged with the first fault, StoreError.
    """
    for contents_after in (manifests.NUMBER_MAX, after):
        async with aclosing(examine(objects, contents_after=contents_after)) as examined:
            async for one in examined:
                if one.faults:
                    raise ArchiveDamaged(one.faults[0])
                if one.manifest is not None and one.number > contents_after:
                    yield one.manifest, one.sha256, one.commits


def _parsed(content: bytes, number: int) -> Examined:
    sha256 = manifests.digest(content)
    try:
        return Examined(number=number, sha256=sha256, manifest=manifests.parse(content, number=number))
    except BadManifest as error:
        fault = Fault(kind="unreadable_manifest", manifest=number, detail=str(error))
        return Examined(number=number, sha256=sha256, manifest=None, faults=(fault,))


def _chain_faults(previous: tuple[int, str] | None, one: Examined, expected: Applied | None) -> Iterable[Fault]:
    if previous is not None and one.manifest is not None and one.manifest.previous != previous[1]:
        if previous[0] == 0:
            detail, wrong = "it follows a manifest, and is the first", one.number
        else:
            detail, wrong = f"manifest {one.number} names another one as the one before it", previous[0]
        yield Fault(kind="altered_manifest", manifest=wrong, detail=detail)
    if expected is not None and one.number == expected.manifest and one.sha256 != expected.sha256:
        yield Fault(
            kind="altered_manifest", manifest=one.number, detail="the table of positions has applied another one"
        )


def _missing(number: int) -> Examined:
    fault = Fault(kind="missing_manifest", manifest=number, detail="there are later ones")
    return Examined(number=number, sha256="", manifest=None, faults=(fault,))


async def _manifests(objects: ObjectStore, first: int) -> list[bytes]:
    """The manifests from `first` on that are there, without a hole, OBJECTS_AT_ONCE at most."""
    numbers = range(first, first + OBJECTS_AT_ONCE)
    found = await _fetch(objects.get, [manifest_key(number) for number in numbers])
    contents: list[bytes] = []
    for content in found:
        if content is None:
            break
        contents.append(content)
    return contents


async def _is_hole(objects: ObjectStore, number: int) -> bool:
    """Whether manifest `number` is missing although there is a later one. It is asked for again: an archiver may be at work."""
    async with aclosing(objects.keys(MANIFESTS, after=manifest_key(number))) as keys:
        async for key in keys:
            if number_of(key) is not None:
                return await objects.get(manifest_key(number)) is None
    return False


async def _segments(objects: ObjectStore, wanted: Sequence[Manifest]) -> dict[int, bytes | None]:
    found = await _fetch(objects.get, [manifest.segment.key for manifest in wanted])
    return {manifest.number: content for manifest, content in zip(wanted, found, strict=True)}


async def _fetch(get: Callable[[str], Awaitable[T]], keys: Sequence[str]) -> list[T]:
    found: dict[int, T] = {}
    failures: list[StoreError] = []

    async def one(place: int, key: str) -> None:
        try:
            found[place] = await get(key)
        except StoreError as error:
            failures.append(error)

    async with anyio.create_task_group() as fetching:
        for place, key in enumerate(keys):
            fetching.start_soon(one, place, key, name=f"fetch {key}")
    if failures:
        raise failures[0]
    return [found[place] for place in range(len(keys))]
