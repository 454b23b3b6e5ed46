"""A snapshot changes nothing but the time that it takes: with it, without it, and with whatever else lies in its place."""

import hashlib
import random
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orderstore.domain.state import NotPlaced, State
from orderstore.history import History, Standing
from orderstore.objects import MemoryObjectStore
from orderstore.snapshots import standing as reading
from orderstore.snapshots.shelf import CANDIDATES_MAX, SnapshotShelf, key_of, prefix_of
from orderstore.snapshots.snapshot import (
    REDUCER_VERSION,
    STATUSES,
    BrokenSnapshot,
    Snapshot,
    decode,
    encode,
    snapshot_of,
)
from orderstore.snapshots.standing import COMMITS_BETWEEN, keep_up, read_standing, take_snapshot
from orderstore.store.errors import Unavailable
from orderstore.store.port import Commit
from tests.orderstore.snapshots.long_orders import STREAM, Noted, commits_of, every_transition, penny_refunds, store_of
from tests.virtual_time import run_virtual

LONG = commits_of(penny_refunds(40))
OTHER_PAST = commits_of(penny_refunds(40), at_ms=2)
WHOLE = History(stream=STREAM).then(*LONG)

# What `domain.state` makes of events, by the version of the reducer. Never change a line: raise REDUCER_VERSION and add one.
FINGERPRINTS = {
    "1": "fefe8e7dbb02782fe2d1ddb456ef491ded91957584ea6de17cbcb046d7b9253f",
    "2": "bd578518db86131e99bf579a72ec9cc4e954338389fef20dc5ad1238f9a277d7",
    "3": "99ea682adf84fe71484ad216528c8eb4edad6116cc7ac18c243b63d494bd3981",
    "4": "8a2a607bb308a92d0a1a710af553672c284a73c5f990565adacb0c04a2151d48",
    "5": "c4b8cd02253e0aa61244789dd475f179ca1fc4e99cae7ed3b92979d5385fd7c7",
}


@pytest.fixture(autouse=True)
def look_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order of eighty commits counts as a long one."""
    monkeypatch.setattr(reading, "COMMITS_BEFORE_LOOKING", 5)


def up_to(number: int, commits: list[Commit] = LONG) -> Snapshot:
    return snapshot_of(Standing(stream=commits[0].stream).then(*commits[:number]))


async def shelf_with(*snapshots: Snapshot) -> tuple[SnapshotShelf, Noted, MemoryObjectStore]:
    objects, noted = MemoryObjectStore(), Noted()
    shelf = SnapshotShelf(objects, observer=noted)
    for snapshot in snapshots:
        assert await shelf.put(snapshot)
    return shelf, noted, objects


def same(standing: Standing) -> bool:
    return (standing.state, standing.version, standing.head) == (WHOLE.state, WHOLE.version, WHOLE.head)


@settings(max_examples=max(12, settings().max_examples * 3 // 5), deadline=None)
@given(
    numbers=st.sets(st.integers(1, len(LONG)), max_size=4),
    first=st.integers(1, 90),
    page=st.integers(1, 90),
    strangers=st.sets(st.integers(1, len(LONG)), max_size=3),
)
@example(numbers={len(LONG)}, first=5, page=7, strangers=set())
@example(numbers={1}, first=1, page=1, strangers=set())
def test_with_and_without_snapshots_an_order_stands_where_it_stands(
    numbers: set[int], first: int, page: int, strangers: set[int]
) -> None:
    """Snapshots anywhere, pages of any length, snapshots of another past among them: state, version and head are the same."""

    async def scenario() -> None:
        store = await store_of(LONG, commits_per_page=page)
        own = [up_to(number) for number in numbers]
        foreign = [up_to(number, OTHER_PAST) for number in strangers - numbers]
        shelf, noted, _ = await shelf_with(*own, *foreign)
        reading_first, reading.COMMITS_BEFORE_LOOKING = reading.COMMITS_BEFORE_LOOKING, first
        try:
            standing = await read_standing(store, shelf, STREAM)
        finally:
            reading.COMMITS_BEFORE_LOOKING = reading_first
        assert same(standing)
        assert len(noted.not_read) + len(noted.reasons) <= 1
        # What was read is enough to go on from.
        assert standing.then() == standing
        assert standing.following(b"{}", recorded_at_ms=1).number == len(LONG) + 1

    run_virtual(scenario)


def test_the_newest_snapshot_is_used_and_says_what_it_saved() -> None:
    """Highest number first, by the order of the keys."""

    async def scenario() -> None:
        shelf, noted, objects = await shelf_with(up_to(20), up_to(70), up_to(9))
        assert same(await read_standing(await store_of(LONG), shelf, STREAM))
        assert noted.not_read == [69]
        assert [key async for key in objects.keys(prefix_of(STREAM))] == [key_of(STREAM, n) for n in (70, 20, 9)]

    run_virtual(scenario)


def test_an_order_of_ordinary_length_never_looks_for_one() -> None:
    """One page, and the object store is not asked at all."""

    class Forbidden(MemoryObjectStore):
        def keys(self, prefix: str, *, after: str = ""):
            raise AssertionError("looked for a snapshot")

    async def scenario() -> None:
        shelf = SnapshotShelf(Forbidden())
        standing = await read_standing(await store_of(LONG[:4]), shelf, STREAM)
        assert standing.version == 4
        nothing = await read_standing(await store_of([]), shelf, STREAM)
        assert nothing == History(stream=STREAM)

    run_virtual(scenario)


def test_a_snapshot_of_what_was_read_already_is_of_no_use() -> None:
    """The first page reaches further: nothing is fetched, nothing is reported."""

    async def scenario() -> None:
        shelf, noted, _ = await shelf_with(up_to(3), up_to(5))
        assert same(await read_standing(await store_of(LONG), shelf, STREAM))
        assert (noted.not_read, noted.reasons) == ([], [])

    run_virtual(scenario)


def resealed(snapshot: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The document changed, with the checksum that it should then have."""
    document = change(snapshot.partition(b"\n")[2])
    return hashlib.sha256(document).hexdigest().encode() + b"\n" + document


GOOD = encode(up_to(50))
RUINED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "checksum"),
    "a flipped bit": (GOOD[:-20] + bytes([GOOD[-20] ^ 1]) + GOOD[-19:], "checksum"),
    "cut off": (GOOD[:-1], "checksum"),
    "another reducer's": (resealed(GOOD, lambda d: d.replace(b'"reducer":"', b'"reducer":"0')), "made by reducer 0"),
    "another order's": (
        resealed(GOOD, lambda d: d.replace(STREAM.encode(), b"main/order-other")),
        "one of main/order-other",
    ),
    "another commit's": (encode(up_to(51)), "one of commit 51"),
    "an unknown status": (
        resealed(GOOD, lambda d: d.replace(b'"status":"received"', b'"status":"eaten"')),
        "no status eaten",
    ),
    "another head": (
        resealed(GOOD, lambda d: d.replace(up_to(50).head.hex().encode(), b"ab" * 32)),
        "commit 50 is not the one",
    ),
    "a head that is none": (
        resealed(GOOD, lambda d: d.replace(up_to(50).head.hex().encode(), b"xy")),
        "cannot be read",
    ),
    "a wrong type": (resealed(GOOD, lambda d: d.replace(b'"version":50', b'"version":"50"')), "cannot be read"),
    "no JSON": (resealed(GOOD, lambda d: b"<snapshot/>"), "cannot be read"),
}


@pytest.mark.parametrize("name", RUINED)
def test_what_is_no_snapshot_is_ignored_and_said_so(name: str) -> None:
    """Whatever lies under the key: the order is read without it."""
    content, reason = RUINED[name]
    assert content != GOOD

    async def scenario() -> None:
        shelf, noted, objects = await shelf_with()
        await objects.put_new(key_of(STREAM, 50), content)
        assert same(await read_standing(await store_of(LONG), shelf, STREAM))
        assert noted.not_read == []
        assert len(noted.reasons) == 1
        assert reason in noted.reasons[0]

    run_virtual(scenario)


def test_an_older_snapshot_stands_in_for_a_ruined_one_but_not_for_ever() -> None:
    """The next is tried, so many times; then the order is read whole."""

    async def scenario() -> None:
        shelf, noted, objects = await shelf_with(up_to(20))
        await objects.put_new(key_of(STREAM, 60), b"ruined")
        assert same(await read_standing(await store_of(LONG), shelf, STREAM))
        assert (noted.not_read, len(noted.reasons)) == ([19], 1)
        for number in range(61, 61 + CANDIDATES_MAX):
            await objects.put_new(key_of(STREAM, number), b"ruined")
        assert same(await read_standing(await store_of(LONG), shelf, STREAM))
        assert (noted.not_read, len(noted.reasons)) == ([19], 1 + CANDIDATES_MAX)

    run_virtual(scenario)


def test_a_snapshot_from_beyond_the_end_is_ignored() -> None:
    """A log that was restored to an earlier day has lost commits that a snapshot still remembers."""

    async def scenario() -> None:
        shelf, noted, _ = await shelf_with(up_to(80))
        standing = await read_standing(await store_of(LONG[:60]), shelf, STREAM)
        assert (standing.version, standing.head) == (60, LONG[59])
        assert len(noted.reasons) == 1

    run_virtual(scenario)


def test_a_shelf_in_trouble_costs_nothing_but_time() -> None:
    """Snapshots are disposable, and so is the place where they lie."""

    class Broken(MemoryObjectStore):
        async def get(self, key: str) -> bytes | None:
            raise Unavailable("GetObject", tries=3, ambiguous=False)

    async def scenario() -> None:
        objects, noted = Broken(), Noted()
        await objects.put_new(key_of(STREAM, 50), GOOD)
        shelf = SnapshotShelf(objects, observer=noted)
        assert same(await read_standing(await store_of(LONG), shelf, STREAM))
        assert len(noted.reasons) == 1

    run_virtual(scenario)


def test_taking_one_is_done_once_for_each_commit() -> None:
    """It is folded from the first commit, whatever snapshots there are; a repeat stores nothing; an order that is not there has none."""

    async def scenario() -> None:
        store = await store_of(LONG, commits_per_page=7)
        shelf, noted, objects = await shelf_with()
        await objects.put_new(key_of(STREAM, 70), b"ruined")
        snapshot = await take_snapshot(store, shelf, STREAM)
        assert snapshot == up_to(len(LONG))
        assert await take_snapshot(store, shelf, STREAM) is None
        assert len(noted.sizes) == 1
        assert await take_snapshot(store, shelf, "main/order-nobody") is None
        assert same(await read_standing(store, shelf, STREAM))
        assert noted.not_read == [len(LONG) - 1]

    run_virtual(scenario)


def test_one_is_taken_every_so_many_commits_and_never_of_an_ordinary_order() -> None:
    """Whoever follows the log and in whatever strides: the newest never lies further back than that, and none is taken twice."""

    async def scenario() -> None:
        many = LONG[: COMMITS_BETWEEN // 4] if len(LONG) > COMMITS_BETWEEN else LONG
        shelf, noted, _ = await shelf_with()
        assert await keep_up(await store_of(many), shelf, STREAM, COMMITS_BETWEEN - 1) is None
        taken = await keep_up(await store_of(many), shelf, STREAM, COMMITS_BETWEEN + 7)
        assert taken == up_to(len(many))
        assert await keep_up(await store_of(many), shelf, STREAM, len(many) + COMMITS_BETWEEN - 1) is None
        assert len(noted.sizes) == 1

    run_virtual(scenario)
    assert COMMITS_BETWEEN >= 100


def test_every_state_survives_being_stored() -> None:
    """All that an order can be in within an event of a milestone, each status among them, comes back equal, of the same class."""
    seen: set[str] = set()

    def check(_before: State, _event: object, after: State | None) -> None:
        if after is None or isinstance(after, NotPlaced):
            return
        snapshot = Snapshot(stream=STREAM, number=7, version=9, head=b"\x07" * 32, state=after)
        back = decode(encode(snapshot), stream=STREAM)
        assert back == snapshot
        assert type(back.state) is type(after)
        seen.add(type(after).__name__)

    every_transition(steps=1, seen=check)
    assert seen == {status.__name__ for status in STATUSES.values()}


@pytest.mark.thorough
def test_the_reducer_s_version_is_raised_when_it_folds_otherwise() -> None:
    """Every event in every state within an event of a milestone, and what becomes of it: the fingerprint of all that stands beside the
    version. When this fails, an old snapshot would no longer be what folding the log gives."""
    digest = hashlib.sha256()

    def note(before: State, event: object, after: State | None) -> None:
        for part in (type(before).__name__, type(event).__name__, type(after).__name__):
            digest.update(part.encode() + b"\n")
        digest.update(msgspec.json.encode(after) + b"\n")

    states = every_transition(steps=2, seen=note)

    assert states > 1_000
    assert FINGERPRINTS.get(REDUCER_VERSION) == digest.hexdigest(), (
        "raise REDUCER_VERSION and write this fingerprint down"
    )


def test_there_is_nothing_to_remember_of_an_order_without_a_commit() -> None:
    """Nor can a snapshot of it be made."""
    with pytest.raises(ValueError, match="no commit yet"):
        snapshot_of(Standing(stream=STREAM))


def test_random_bytes_are_never_a_snapshot() -> None:
    """And never another error than this."""
    source = random.Random(1)
    for _ in range(200):
        with pytest.raises(BrokenSnapshot):
            decode(source.randbytes(source.randrange(200)), stream=STREAM)
