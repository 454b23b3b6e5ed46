"""Tampering, in every way that a chain can show, and each time named by order, commit and reason."""

from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import replace

import pytest

from orderstore.audit.findings import Finding, Reason
from orderstore.audit.verify import Verified, verify_all, verify_stream
from orderstore.store import items
from orderstore.store.chain import hash_of, seal
from orderstore.store.errors import CorruptCommit, Unavailable
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit, Undecodable
from tests.virtual_time import run_virtual

Stored = list[Commit | Undecodable]


def chain(stream: str, count: int) -> list[Commit]:
    commits: list[Commit] = []
    for number in range(1, count + 1):
        previous = commits[-1] if commits else None
        body = f'{{"order":"{stream}","n":{number}}}'.encode()
        commits.append(seal(stream=stream, number=number, recorded_at_ms=number, body=body, previous=previous))
    return commits


def placed(commit: Commit, stream: str, number: int) -> Commit:
    """What is read when a commit's attributes, its hash too, are written under another key."""
    return replace(commit, stream=stream, number=number)


class Table:
    """Whatever somebody left in the table."""

    def __init__(self, stored: dict[str, Iterable[Commit | Undecodable]]) -> None:
        self._stored = {stream: sorted(found, key=lambda each: each.number) for stream, found in stored.items()}

    async def streams(self, *, recorded_since_ms: int | None = None) -> AsyncGenerator[str, None]:
        assert recorded_since_ms is None
        for stream in self._stored:
            yield stream

    async def stored(self, stream: str) -> AsyncGenerator[Commit | Undecodable, None]:
        for found in self._stored[stream]:
            yield found


A, B = "shop/order-a", "shop/order-b"
a1, a2, a3, a4, a5 = ORDER = chain(A, 5)
b1, b2, b3 = OTHER = chain(B, 3)


def verified(stored: Iterable[Commit | Undecodable], stream: str = A) -> Verified:
    return run_virtual(verify_stream, Table({stream: stored}), stream)


def named(stored: Iterable[Commit | Undecodable], stream: str = A) -> list[tuple[int, Reason]]:
    return [(finding.commit, finding.reason) for finding in verified(stored, stream).findings]


def resealed(commit: Commit, **changes: object) -> Commit:
    """A change by somebody who knows the rule and makes the hash right again."""
    changed = replace(commit, **changes)  # type: ignore[arg-type]  # fields of a commit
    return replace(changed, hash=hash_of(changed))


def test_an_untouched_order_has_no_findings_and_a_head() -> None:
    """The head is what a signed root is made of."""
    assert verified(ORDER) == Verified(stream=A, commits=5, last=5, head=a5.hash, findings=())
    assert verified([]) == Verified(stream=A, commits=0, last=0, head=None, findings=())


@pytest.mark.parametrize("position", range(len(a3.body)))
def test_a_changed_byte_is_named(position: int) -> None:
    """Any byte of the body, and nothing but its commit is blamed."""
    body = bytearray(a3.body)
    body[position] ^= 0x20

    assert named([a1, a2, replace(a3, body=bytes(body)), a4, a5]) == [(3, Reason.HASH_MISMATCH)]


CASES: dict[str, tuple[Stored, list[tuple[int, Reason]]]] = {
    "changed recorded_at": ([a1, a2, replace(a3, recorded_at_ms=99), a4, a5], [(3, Reason.HASH_MISMATCH)]),
    "changed hash": ([a1, a2, replace(a3, hash=bytes(32)), a4, a5], [(3, Reason.HASH_MISMATCH)]),
    "changed previous hash": (
        [a1, a2, replace(a3, previous_hash=bytes([9] * 32)), a4, a5],
        [(3, Reason.HASH_MISMATCH)],
    ),
    "dropped middle": ([a1, a2, a4, a5], [(3, Reason.MISSING_COMMIT)]),
    "dropped two": ([a1, a4, a5], [(2, Reason.MISSING_COMMIT)]),
    "dropped two apart": ([a1, a3, a5], [(2, Reason.MISSING_COMMIT), (4, Reason.MISSING_COMMIT)]),
    "dropped first": ([a2, a3, a4, a5], [(1, Reason.FIRST_COMMIT_MISSING)]),
    "dropped beginning": ([a4, a5], [(1, Reason.FIRST_COMMIT_MISSING)]),
    "neighbours swapped": (
        [a1, placed(a3, A, 2), placed(a2, A, 3), a4, a5],
        [(2, Reason.MISPLACED), (3, Reason.MISPLACED)],
    ),
    "distant ones swapped": (
        [placed(a5, A, 1), a2, a3, a4, placed(a1, A, 5)],
        [(1, Reason.HASH_MISMATCH), (5, Reason.MISPLACED)],
    ),
    "closed up after a drop": (
        [a1, placed(a3, A, 2), placed(a4, A, 3), placed(a5, A, 4)],
        [(2, Reason.MISPLACED), (3, Reason.MISPLACED), (4, Reason.MISPLACED)],
    ),
    "a copy at the end": ([*ORDER, placed(a2, A, 6)], [(6, Reason.MISPLACED)]),
    "inserted, the rest moved up": (
        [
            a1,
            seal(stream=A, number=2, recorded_at_ms=2, body=b"inserted", previous=a1),
            *(placed(commit, A, commit.number + 1) for commit in (a2, a3)),
        ],
        [(3, Reason.MISPLACED), (4, Reason.MISPLACED)],
    ),
    "inserted in a hole": (
        [a1, resealed(a2, body=b"inserted", previous_hash=bytes([1] * 32)), a3, a4, a5],
        [(2, Reason.BROKEN_LINK), (3, Reason.BROKEN_LINK)],
    ),
    "replaced with a right hash": ([a1, a2, resealed(a3, body=b"forged"), a4, a5], [(4, Reason.BROKEN_LINK)]),
    "replaced at the beginning": ([resealed(a1, body=b"forged"), a2, a3, a4, a5], [(2, Reason.BROKEN_LINK)]),
    "first commit with a past": ([resealed(a1, previous_hash=bytes([1] * 32))], [(1, Reason.BROKEN_LINK)]),
    "another order's commit": ([a1, placed(b2, A, 2), a3, a4, a5], [(2, Reason.HASH_MISMATCH)]),
    "no commit at all": ([a1, Undecodable(A, 2, "junk"), a3, a4, a5], [(2, Reason.UNDECODABLE)]),
    "junk before the first": ([Undecodable(A, 0, "junk"), *ORDER], [(0, Reason.UNDECODABLE)]),
    "junk between two": ([a1, a2, Undecodable(A, 2, "its number is 2.5"), a3, a4, a5], [(2, Reason.UNDECODABLE)]),
    "junk far behind": (
        [*ORDER, Undecodable(A, 10**30, "junk")],
        [(6, Reason.MISSING_COMMIT), (10**30, Reason.UNDECODABLE)],
    ),
    "changed and dropped": (
        [a1, replace(a2, body=b""), a4, a5],
        [(2, Reason.HASH_MISMATCH), (3, Reason.MISSING_COMMIT)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_way_of_tampering_is_named(case: str) -> None:
    """Exactly these commits, for exactly these reasons, and never a commit that nobody touched without a word on why."""
    stored, expected = CASES[case]

    assert named(stored) == expected


def test_commits_of_two_orders_swapped_are_named_in_both() -> None:
    """Each is whole in itself, and in the wrong order's history."""
    assert named([a1, placed(b2, A, 2), a3, a4, a5], A) == [(2, Reason.HASH_MISMATCH)]
    assert named([b1, placed(a2, B, 2), b3], B) == [(2, Reason.HASH_MISMATCH)]


def test_a_dropped_tail_cannot_be_seen_by_the_chain_alone() -> None:
    """The limit that the module states: it takes the head, which is why the head is returned."""
    result = verified(ORDER[:3])

    assert result.findings == ()
    assert result.head == a3.hash != a5.hash


@pytest.mark.parametrize("last", [replace(a5, body=b"x"), Undecodable(A, 5, "junk")], ids=["changed", "undecodable"])
def test_an_order_whose_end_is_wrong_has_no_head(last: Commit | Undecodable) -> None:
    """A root is never made of a hash that was not checked."""
    assert verified([*ORDER[:4], last]).head is None


def test_the_detail_says_what_a_person_needs() -> None:
    """Where a moved commit belongs, how far a hole reaches."""
    assert verified([a1, placed(a3, A, 2)]).findings == (Finding(A, 2, Reason.MISPLACED, "it is commit 3"),)
    assert verified([a1, a4]).findings[0].detail == "it and all up to 3 are missing"
    assert "junk" in verified([Undecodable(A, 1, "junk")]).findings[0].detail


@pytest.mark.parametrize("change", ["encoding", "body", "previous_hash", "hash", "recorded_at", "commit"])
@pytest.mark.parametrize("value", [None, {"S": "?"}, {"B": b"\x28\xb5\x2f\xfd"}, {"N": "-1"}, {"NULL": True}], ids=repr)
def test_whatever_becomes_of_an_item_the_verifier_goes_on(change: str, value: dict[str, object] | None) -> None:
    """Junk in any attribute is a finding, not a crash, and the commits around it are still checked."""
    item = {name: content for name, content in items.encode(a2).item.items() if name != change}
    if value is not None:
        item[change] = value
    try:
        second: Commit | Undecodable = items.parse(item).complete(None)
    except CorruptCommit as corrupt:
        second = Undecodable(corrupt.stream, corrupt.number, corrupt.reason)

    result = verified([a1, second, a3, a4, replace(a5, body=b"too")])

    assert len(result.findings) >= 2
    assert result.findings[-1].commit == 5


def test_the_whole_table_is_verified_and_each_order_told_once() -> None:
    """Every order is looked at, good ones count as progress, the bad one is named; several at a time."""

    async def scenario() -> None:
        stored: dict[str, Iterable[Commit | Undecodable]] = {
            f"shop/order-{n}": chain(f"shop/order-{n}", 3) for n in range(53)
        }
        stored[A] = [a1, replace(a2, body=b"changed"), a3]
        results = [result async for result in verify_all(Table(stored), streams_at_once=8)]

        assert {result.stream for result in results} == set(stored)
        assert len(results) == len(stored)
        assert sum(result.commits for result in results) == 54 * 3
        (finding,) = [finding for result in results for finding in result.findings]
        assert (finding.stream, finding.commit, finding.reason) == (A, 2, Reason.HASH_MISMATCH)

    run_virtual(scenario)


def test_a_store_of_real_appends_verifies_clean() -> None:
    """No false alarm."""

    async def scenario() -> None:
        store = MemoryEventStore()
        for commit in (*ORDER, *OTHER):
            await store.append(commit)

        results = [result async for result in verify_all(store)]

        assert [(result.commits, result.findings) for result in results] == [(5, ()), (3, ())]

    run_virtual(scenario)


def test_a_log_that_cannot_be_read_is_not_called_clean() -> None:
    """Trouble on the way ends the verification with its own error, not inside a group."""

    class Away(Table):
        async def stored(self, stream: str) -> AsyncGenerator[Commit | Undecodable, None]:
            if stream == B:
                raise Unavailable("Query", tries=8, ambiguous=False)
            async for found in super().stored(stream):
                yield found

    async def scenario() -> None:
        with pytest.raises(Unavailable):
            _ = [result async for result in verify_all(Away({A: ORDER, B: OTHER}))]

    run_virtual(scenario)


def test_findings_of_a_hopeless_order_are_bounded() -> None:
    """Ten thousand wrong commits do not fill the memory with findings."""
    junk: Callable[[int], Undecodable] = lambda number: Undecodable(A, number, "junk")  # noqa: E731 - reads better here

    assert len(verified([junk(number) for number in range(1, 10_001)]).findings) == 1_000
