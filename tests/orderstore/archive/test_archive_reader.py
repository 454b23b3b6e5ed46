"""Whoever reads the archive is told exactly what is wrong with it, and where."""

import hashlib
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

import pytest
import zstandard

from orderstore.archive import manifest as manifests
from orderstore.archive.errors import ArchiveDamaged
from orderstore.archive.heads import Heads
from orderstore.archive.manifest import (
    NUMBER_MAX,
    BadManifest,
    Manifest,
    OrderSpan,
    manifest_key,
    manifest_of,
    number_of,
)
from orderstore.archive.reader import OBJECTS_AT_ONCE, read
from orderstore.archive.segment import commits_in, line_of, pack, unpack
from orderstore.scratch import ScratchUnusable
from orderstore.store.chain import hash_of, seal
from orderstore.store.port import Commit
from tests.orderstore.archive.archives import World, bodies, stream_of, wanted
from tests.virtual_time import run_virtual

MANIFESTS = 4


async def _archive() -> World:
    """Four manifests; order 1 is in all of them, order 2 in the second and third."""
    world = World()
    archiver = world.archiver()
    for number in range(1, MANIFESTS + 1):
        await world.grow(1, f"one {number}".encode(), f"two {number}".encode())
        if number in (2, 3):
            await world.grow(2, f"other {number}".encode())
        await archiver.archive(wanted(1, 2) if number > 1 else wanted(1))
    return world


def _contents(world: World) -> dict[str, bytes]:
    return world.objects._contents


def _manifest(world: World, number: int) -> Manifest:
    return manifests.parse(_contents(world)[manifest_key(number)], number=number)


def _commits(world: World, number: int) -> list[Commit]:
    facts = _manifest(world, number).segment
    return list(commits_in(unpack(_contents(world)[facts.key], raw_bytes=facts.raw_bytes)))


def _replace(world: World, number: int, commits: list[Commit], **changes: object) -> None:
    """Put another segment, with a manifest that fits it, in a manifest's place."""
    before = _manifest(world, number)
    segment = pack([line_of(commit) for commit in commits])
    _contents(world)[segment.key] = segment.content
    after = manifest_of(commits, segment, number=number, previous=before.previous, archived_at_ms=before.archived_at_ms)
    _contents(world)[manifest_key(number)] = manifests.encode(replace(after, **changes))
    _chain_anew(world, after=number)


def _chain_anew(world: World, *, after: int) -> None:
    """What a forger does who knows the chain: every later manifest is made to name the one before it."""
    for number in range(after + 1, MANIFESTS + 1):
        previous = manifests.digest(_contents(world)[manifest_key(number - 1)])
        changed = replace(_manifest(world, number), previous=previous)
        _contents(world)[manifest_key(number)] = manifests.encode(changed)


def _flip(world: World, key: str) -> None:
    content = bytearray(_contents(world)[key])
    content[len(content) // 2] ^= 1
    _contents(world)[key] = bytes(content)


def _faults_after(tamper: Callable[[World], None], *, expected: bool = False) -> list[tuple[str, int]]:
    async def scenario() -> list[tuple[str, int]]:
        world = await _archive()
        tamper(world)
        return await world.faults(expected=await world.positions.applied() if expected else None)

    return run_virtual(scenario)


def test_an_archive_that_nobody_touched_has_no_fault() -> None:
    """And gives back the log."""

    async def scenario() -> None:
        world = await _archive()
        assert await world.faults(expected=await world.positions.applied()) == []
        assert await world.archived() == await world.history()

    run_virtual(scenario)


def test_an_empty_bucket_is_an_empty_archive() -> None:
    """Unless the positions know better."""

    async def scenario() -> None:
        assert await World().faults() == []
        assert await World().archived() == {}
        world = await _archive()
        world.objects._contents.clear()
        assert await world.faults(expected=await world.positions.applied()) == [("missing_manifest", 1)]

    run_virtual(scenario)


def _missing_segment(world: World) -> None:
    del _contents(world)[_manifest(world, 2).segment.key]


def _altered_segment(world: World) -> None:
    _flip(world, _manifest(world, 2).segment.key)


def _shortened_segment(world: World) -> None:
    key = _manifest(world, 2).segment.key
    _contents(world)[key] = _contents(world)[key][:-1]


def _missing_manifest(world: World) -> None:
    del _contents(world)[manifest_key(2)]


def _unreadable_manifest(world: World) -> None:
    _contents(world)[manifest_key(2)] = b"{}"


def _altered_manifest(world: World) -> None:
    changed = replace(_manifest(world, 2), archived_at_ms=1)
    _contents(world)[manifest_key(2)] = manifests.encode(changed)


def _swapped_manifests(world: World) -> None:
    two, three = manifest_key(2), manifest_key(3)
    _contents(world)[two], _contents(world)[three] = _contents(world)[three], _contents(world)[two]


def _wrong_count(world: World) -> None:
    before = _manifest(world, 2)
    span = before.orders[0]
    orders = (replace(span, first=span.first, last=span.last + 1), *before.orders[1:])
    facts = replace(before.segment, commits=before.segment.commits + 1)
    _contents(world)[manifest_key(2)] = manifests.encode(replace(before, orders=orders, segment=facts))
    _chain_anew(world, after=2)


def _wrong_summary(world: World) -> None:
    before = _manifest(world, 2)
    orders = (replace(before.orders[0], stream=stream_of(9)), *before.orders[1:])
    _contents(world)[manifest_key(2)] = manifests.encode(replace(before, orders=orders))
    _chain_anew(world, after=2)


def _other_content_of_that_size(world: World) -> None:
    """A segment whose manifest has the right checksum of the object, and the wrong one of its content."""
    before = _manifest(world, 2)
    facts = replace(before.segment, raw_sha256="0" * 64)
    _contents(world)[manifest_key(2)] = manifests.encode(replace(before, segment=facts))
    _chain_anew(world, after=2)


def _lines_that_are_none(world: World) -> None:
    before = _manifest(world, 2)
    raw = b"noise\n"
    content = zstandard.ZstdCompressor().compress(raw)
    sha256 = hashlib.sha256(content).hexdigest()
    facts = replace(
        before.segment,
        key=f"archive/segments/{sha256}.jsonl.zst",
        sha256=sha256,
        bytes=len(content),
        raw_bytes=len(raw),
        raw_sha256=hashlib.sha256(raw).hexdigest(),
    )
    _contents(world)[facts.key] = content
    _contents(world)[manifest_key(2)] = manifests.encode(replace(before, segment=facts))
    _chain_anew(world, after=2)


def _commit_twice(world: World) -> None:
    _replace(world, 3, [*_commits(world, 2), *_commits(world, 3)])


def _missing_commit(world: World) -> None:
    _replace(world, 2, [commit for commit in _commits(world, 2) if commit.number != 3])


def _altered_commit(world: World) -> None:
    commits = _commits(world, 4)
    _replace(world, 4, [replace(commits[0], body=b"another past"), *commits[1:]])


def _resealed_commit(world: World) -> None:
    """A forger who computes hashes too: the commit is right in itself, and the next one does not follow it."""
    first, second, *rest = _commits(world, 2)
    forged = replace(
        seal(stream=first.stream, number=1, recorded_at_ms=1, body=b"forged", previous=None),
        number=first.number,
        previous_hash=first.previous_hash,
    )
    forged = replace(forged, hash=hash_of(forged))
    _replace(world, 2, [forged, second, *rest])


TAMPERINGS: dict[Callable[[World], None], list[tuple[str, int]]] = {
    _missing_segment: [("missing_segment", 2)],
    _altered_segment: [("altered_segment", 2)],
    _shortened_segment: [("altered_segment", 2)],
    _missing_manifest: [("missing_manifest", 2), ("missing_commit", 3), ("missing_commit", 3)],
    _unreadable_manifest: [
        ("unreadable_manifest", 2),
        ("altered_manifest", 2),
        ("missing_commit", 3),
        ("missing_commit", 3),
    ],
    _altered_manifest: [("altered_manifest", 2)],
    _swapped_manifests: [
        ("unreadable_manifest", 2),
        ("unreadable_manifest", 3),
        ("altered_manifest", 3),
        ("missing_commit", 4),
    ],
    _wrong_count: [("wrong_count", 2), ("commit_twice", 3), ("broken_link", 3)],
    _wrong_summary: [("wrong_summary", 2), ("missing_commit", 2), ("missing_commit", 3)],
    _other_content_of_that_size: [("altered_segment", 2)],
    _lines_that_are_none: [("unreadable_segment", 2)],
    _commit_twice: [("commit_twice", 3)] * 3,
    _missing_commit: [("missing_commit", 2)],
    _altered_commit: [("altered_commit", 4)],
    _resealed_commit: [("broken_link", 2)],
}


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__.strip("_"))
def test_every_tampering_is_named_with_its_manifest(tamper: Callable[[World], None]) -> None:
    """The kind and the place; what it brings about behind it is named too, and nothing else is."""  # A08
    assert sorted(_faults_after(tamper)) == sorted(TAMPERINGS[tamper])


def test_a_changed_last_manifest_and_a_dropped_tail_show_against_the_positions() -> None:
    """No later manifest vouches for the last one: the table does."""

    def drop(world: World) -> None:
        del _contents(world)[manifest_key(4)]

    def change(world: World) -> None:
        _contents(world)[manifest_key(4)] = manifests.encode(replace(_manifest(world, 4), archived_at_ms=1))

    assert _faults_after(drop) == []
    assert _faults_after(drop, expected=True) == [("missing_manifest", 4)]
    assert _faults_after(change) == []
    assert _faults_after(change, expected=True) == [("altered_manifest", 4)]


def test_a_first_manifest_that_follows_another_is_none() -> None:
    """Somebody has cut the beginning off and numbered the rest anew."""

    async def scenario() -> None:
        world = await _archive()
        for number in range(1, MANIFESTS):
            _contents(world)[manifest_key(number)] = manifests.encode(
                replace(_manifest(world, number + 1), number=number)
            )
        del _contents(world)[manifest_key(MANIFESTS)]
        faults = await world.faults()
        assert faults[0] == ("altered_manifest", 1)
        assert ("missing_commit", 1) in faults

    run_virtual(scenario)


async def _read_into(handed_out: list[int], world: World, *, after: int = 0) -> None:
    async with aclosing(read(world.objects, after=after)) as archived:
        async for manifest, _, _ in archived:
            handed_out.append(manifest.number)


def test_a_reader_stops_at_the_first_fault_before_it_hands_anything_out() -> None:
    """An altered manifest is known from the one after it: the chain is read to its end before the first segment is."""

    async def scenario() -> None:
        world = await _archive()
        _altered_manifest(world)
        handed_out: list[int] = []
        with pytest.raises(ArchiveDamaged, match="manifest 2: altered_manifest"):
            await _read_into(handed_out, world)
        assert handed_out == []

    run_virtual(scenario)


def test_reading_on_from_a_manifest_still_knows_what_came_before() -> None:
    """The commits behind it must follow what the earlier manifests hold."""

    async def scenario() -> None:
        world = await _archive()
        async with aclosing(read(world.objects, after=2)) as archived:
            found = [(manifest.number, bodies(commits)) async for manifest, _, commits in archived]
        assert found == [(3, [b"one 3", b"two 3", b"other 3"]), (4, [b"one 4", b"two 4"])]

        _missing_commit(world)
        with pytest.raises(ArchiveDamaged, match="missing_commit"):
            await _read_into([], world, after=2)

    run_virtual(scenario)


def test_an_archive_of_many_windows_is_read_in_order() -> None:
    """Objects are fetched side by side, and handed out one after the other."""

    async def scenario() -> None:
        world = World()
        archiver = world.archiver()
        for _ in range(3 * OBJECTS_AT_ONCE):
            await world.grow(1, 10)
            await archiver.archive(wanted(1))
        assert await world.archived() == await world.history()
        assert await world.manifests() == 3 * OBJECTS_AT_ONCE
        assert await world.faults() == []

    run_virtual(scenario)


def test_other_objects_beside_the_manifests_are_no_holes() -> None:
    """Something that somebody has put there is neither read nor taken for a later manifest."""

    async def scenario() -> None:
        world = await _archive()
        await world.objects.put_new("archive/manifests/readme.txt", b"hello")
        assert await world.faults(expected=await world.positions.applied()) == []

    run_virtual(scenario)


def test_a_forged_number_however_high_keeps_no_reader_busy() -> None:
    """The hole before it is named once, by its two ends."""

    async def scenario() -> None:
        world = await _archive()
        for number in (10**9, NUMBER_MAX):
            await world.objects.put_new(manifest_key(number), b"{}")
        assert await world.faults() == [
            ("missing_manifest", 5),
            ("unreadable_manifest", 10**9),
            ("missing_manifest", 10**9 + 1),
            ("unreadable_manifest", NUMBER_MAX),
        ]

    run_virtual(scenario)


def test_keys_and_numbers_are_one_to_one() -> None:
    """Twelve digits, so that they sort as they count."""
    assert manifest_key(1) == "archive/manifests/000000000001.json"
    assert number_of(manifest_key(987_654_321_012)) == 987_654_321_012
    for key in ("archive/manifests/1.json", "archive/manifests/000000000000.json", "archive/manifests/x", "other"):
        assert number_of(key) is None
    with pytest.raises(ValueError, match="numbered from 1"):
        manifest_key(0)


def test_a_manifest_that_contradicts_itself_is_none() -> None:
    """Every contradiction is told."""

    async def scenario() -> Manifest:
        world = World()
        await world.grow(1, 10, 10)
        await world.archiver().archive(wanted(1))
        return _manifest(world, 1)

    good = run_virtual(scenario)
    span, facts = good.orders[0], good.segment
    wrong = {
        "manifest 2": replace(good, number=2),
        "names no order": replace(good, orders=()),
        "impossible span": replace(good, orders=(replace(span, first=3),)),
        "hashes is none": replace(good, previous="xyz"),
        "an order twice": replace(good, orders=(span, span)),
        "counts 2 orders": replace(good, segment=replace(facts, orders=2)),
        "counts 3 commits": replace(good, segment=replace(facts, commits=3)),
        "key is not": replace(good, segment=replace(facts, key="archive/segments/other")),
        "not a manifest": replace(good, format="orderstore/archive/2"),  # type: ignore[arg-type]
    }
    assert manifests.parse(manifests.encode(good), number=1) == good
    for text, bad in wrong.items():
        with pytest.raises(BadManifest, match=text):
            manifests.parse(manifests.encode(bad), number=1)


@pytest.mark.thorough
def test_heads_are_remembered_beyond_the_memory() -> None:
    """A hundred thousand orders: found again, replaced, counted."""
    with Heads() as heads:
        heads.put((f"order-{number}", 1, bytes(32)) for number in range(100_000))
        heads.put([("order-7", 2, b"\x01" * 32)])
        assert len(heads) == 100_000
        assert heads.get(["order-7", "order-8", "order-x"]) == {
            "order-7": (2, b"\x01" * 32),
            "order-8": (1, bytes(32)),
        }


def test_a_scratch_file_that_cannot_be_used_is_said_in_words() -> None:
    """Not in SQLite's, which name neither the folder nor what to do."""
    with Heads() as heads:
        pass

    with pytest.raises(ScratchUnusable, match="TMPDIR"):
        heads.get(["order-1"])
    with pytest.raises(ScratchUnusable, match="TMPDIR"):
        heads.put([("order-1", 1, bytes(32))])


def test_spans_name_the_last_hash() -> None:
    """So that positions can be made from manifests alone."""

    async def scenario() -> None:
        world = World()
        last = await world.grow(1, 10, 10)
        await world.archiver().archive(wanted(1))
        assert _manifest(world, 1).orders == (OrderSpan(stream=stream_of(1), first=1, last=2, hash=last.hash.hex()),)

    run_virtual(scenario)
