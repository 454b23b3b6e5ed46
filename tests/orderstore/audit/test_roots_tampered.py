"""What a chain alone cannot show, and a signed root can; and what becomes of the roots themselves. Each is named by place and reason."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson
import pytest
import zstandard

from orderstore.audit.findings import Finding, Reason
from orderstore.audit.heads import Anchor, Head, entry_of
from orderstore.audit.leaves import LeavesWrong, prove, read_leaves
from orderstore.audit.merkle import leaf_hash, root_of
from orderstore.audit.root_maker import RootRefused
from orderstore.audit.roots import key_of, parse_root
from orderstore.audit.signing import MemorySigner
from orderstore.audit.verify import verify_stream
from orderstore.audit.whole import NoSuchRoot, verify_order
from orderstore.store.chain import seal
from tests.orderstore.audit.proofs import (
    LOG,
    NOON_MS,
    Audited,
    an_order,
    resealed,
    rewritten,
    stream_named,
    three_orders,
)
from tests.virtual_time import run_virtual

A, B, C = (stream_named(name) for name in "abc")
Named = list[tuple[str, int, Reason]]
Tampering = Callable[[Audited], None]


def drop_tail(audited: Audited) -> None:
    del audited.store.orders[B][2:]


def drop_last(audited: Audited) -> None:
    del audited.store.orders[B][3:]


def drop_order(audited: Audited) -> None:
    del audited.store.orders[B]


def swap_orders(audited: Audited) -> None:
    """All commits of one under the other's name."""
    orders = audited.store.orders
    orders[A], orders[B] = (
        [replace(commit, stream=A) for commit in orders[B]],
        [replace(commit, stream=B) for commit in orders[A]],
    )


def rewrite_order(audited: Audited) -> None:
    """From the first commit on, every hash recomputed."""
    commits = audited.store.orders[B]
    audited.store.orders[B] = rewritten(commits, 1, body=commits[0].body.replace(b"LAPTOP-001", b"LAPTOP-002"))


def rewrite_end(audited: Audited) -> None:
    commits = audited.store.orders[B]
    audited.store.orders[B] = rewritten(commits, 4, body=commits[3].body.replace(b"90000", b"10000"))


def rewrite_middle_and_links(audited: Audited) -> None:
    commits = audited.store.orders[B]
    audited.store.orders[B] = rewritten(commits, 3, recorded_at_ms=commits[2].recorded_at_ms + 1)


def change_actor(audited: Audited) -> None:
    commits = audited.store.orders[B]
    commits[1] = replace(commits[1], body=commits[1].body.replace(b'"id":"payment"', b'"id":"paymend"'))


def change_byte(audited: Audited) -> None:
    commits = audited.store.orders[B]
    body = bytearray(commits[2].body)
    body[17] ^= 1
    commits[2] = replace(commits[2], body=bytes(body))


def change_recorded_at(audited: Audited) -> None:
    commits = audited.store.orders[B]
    commits[2] = replace(commits[2], recorded_at_ms=commits[2].recorded_at_ms + 1)


def change_hash_too(audited: Audited) -> None:
    commits = audited.store.orders[B]
    commits[1] = resealed(commits[1], recorded_at_ms=1)


def swap_commits(audited: Audited) -> None:
    commits = audited.store.orders[B]
    commits[1], commits[2] = replace(commits[2], number=2), replace(commits[1], number=3)


def insert_commit(audited: Audited) -> None:
    """One more in the middle, everything behind it moved up and sealed again."""
    commits = audited.store.orders[B]
    made = commits[:2]
    for body in (b'{"inserted":true}', *(commit.body for commit in commits[2:])):
        made.append(seal(stream=B, number=len(made) + 1, recorded_at_ms=NOON_MS, body=body, previous=made[-1]))
    audited.store.orders[B] = made


def append_backdated(audited: Audited) -> None:
    """A commit that claims to have been there before the root."""
    last = audited.store.orders[B][-1]
    audited.store.orders[B].append(
        seal(stream=B, number=5, recorded_at_ms=NOON_MS + 5_000, body=b'{"late":true}', previous=last)
    )


def insert_order_backdated(audited: Audited) -> None:
    audited.store.orders[stream_named("bb")] = an_order("bb")[:1]


CASES: dict[str, tuple[Tampering, Named]] = {
    "dropped tail": (drop_tail, [(B, 3, Reason.DROPPED_TAIL)]),
    "dropped last commit": (drop_last, [(B, 4, Reason.DROPPED_TAIL)]),
    "dropped order": (drop_order, [(B, 1, Reason.DROPPED_ORDER)]),
    "swapped orders": (
        swap_orders,
        [(stream, number, Reason.HASH_MISMATCH) for stream in (A, B) for number in (1, 2, 3, 4)],
    ),
    "whole order rewritten": (rewrite_order, [(B, 4, Reason.REWRITTEN)]),
    "end rewritten": (rewrite_end, [(B, 4, Reason.REWRITTEN)]),
    "middle rewritten, links made right": (rewrite_middle_and_links, [(B, 4, Reason.REWRITTEN)]),
    "actor changed": (change_actor, [(B, 2, Reason.HASH_MISMATCH)]),
    "byte changed": (change_byte, [(B, 3, Reason.HASH_MISMATCH)]),
    "recorded_at changed": (change_recorded_at, [(B, 3, Reason.HASH_MISMATCH)]),
    "commit replaced, hash made right": (change_hash_too, [(B, 3, Reason.BROKEN_LINK)]),
    "commits swapped": (swap_commits, [(B, 2, Reason.MISPLACED), (B, 3, Reason.MISPLACED)]),
    "commit inserted, the rest sealed again": (
        insert_commit,
        [(B, 4, Reason.REWRITTEN), (B, 5, Reason.BACKDATED)],
    ),
    "commit appended with an old date": (append_backdated, [(B, 5, Reason.BACKDATED)]),
    "order inserted with an old date": (insert_order_backdated, [(stream_named("bb"), 1, Reason.BACKDATED)]),
}


@pytest.mark.parametrize("since", [None, 1, "kept"])
@pytest.mark.parametrize("case", CASES)
def test_each_way_of_tampering_with_the_log_is_named(case: str, since: int | str | None) -> None:
    """Order, commit and reason, and nothing else: whether all is verified or only what came after a root, or after a kept copy of it."""
    tamper, expected = CASES[case]

    async def scenario() -> None:
        audited = await three_orders()
        kept = (await audited.roots())[0] if since == "kept" else since
        tamper(audited)

        named = await audited.named(since=kept)

        if since is not None and case in HIDDEN_BEFORE_THE_ROOT:
            assert named == []
        else:
            assert sorted(named) == sorted(expected)

    run_virtual(scenario)


# `--since` takes what came before the root as checked. What changes there shows in the full verification, and in the link to the root's
# own commit; it is never hidden from that commit on.
HIDDEN_BEFORE_THE_ROOT = {
    "actor changed",
    "byte changed",
    "recorded_at changed",
    "commit replaced, hash made right",
    "commits swapped",
}


# A late commit is told by the verifier; it must not stop the roots for ever, as it would: it never goes away.
STOPPING = {
    case: (tamper, stopping)
    for case, (tamper, expected) in CASES.items()
    if (stopping := [found for found in expected if found[2] is not Reason.BACKDATED])
}


@pytest.mark.parametrize("case", STOPPING)
def test_no_root_is_made_over_a_log_that_lost_or_changed_anything(case: str) -> None:
    """Refused with the findings, and nothing is stored: the bucket is as it was."""
    tamper, expected = STOPPING[case]

    async def scenario() -> None:
        audited = await three_orders()
        before = dict(audited.objects.contents)
        tamper(audited)

        with pytest.raises(RootRefused) as refused:
            await audited.maker().make()

        named = [(finding.stream, finding.commit, finding.reason) for finding in refused.value.findings]
        assert sorted(named) == sorted(expected)
        assert audited.objects.contents == before

    run_virtual(scenario)


def test_an_untouched_log_with_roots_is_clean_and_new_commits_are_no_findings() -> None:
    """No false alarm: what came after the root is checked by its chain."""

    async def scenario() -> None:
        audited = await three_orders()
        await audited.append(*an_order("d", at_ms=audited.at_ms + 1)[:2])

        report = await audited.verify()

        assert report.findings == []
        assert (report.orders, report.commits, report.roots) == (4, 14, 1)
        assert report.root is not None
        assert (report.root.document.orders, report.root.document.commits) == (3, 12)
        assert await audited.named(since=1) == []

    run_virtual(scenario)


def test_without_a_root_a_dropped_tail_cannot_be_seen_and_the_report_says_so() -> None:
    """The limit is told, not hidden."""

    async def scenario() -> None:
        audited = Audited()
        await audited.append(*an_order("b"))
        drop_tail(audited)

        report = await audited.verify()

        assert report.findings == []
        assert report.root is None

    run_virtual(scenario)


def test_since_reads_only_what_came_after() -> None:
    """From the root's own commit on: one commit of each old order, all of the new one."""

    async def scenario() -> None:
        audited = await three_orders()
        await audited.append(*an_order("d", at_ms=audited.at_ms + 1))

        report = await audited.verify(since=1)

        assert (report.orders, report.commits) == (4, 3 + 4)

    run_virtual(scenario)


async def four_roots() -> Audited:
    audited = Audited()
    for name in ("a", "b", "c", "d"):
        await audited.append(*an_order(name, at_ms=audited.at_ms))
        await audited.root()
    return audited


async def drop_middle(audited: Audited) -> None:
    del audited.objects.contents[key_of(2)]


async def drop_first(audited: Audited) -> None:
    del audited.objects.contents[key_of(1)]


async def resign_with_another_key(audited: Audited) -> None:
    await audited.resign((await audited.roots())[1], MemorySigner())


async def resign_newest_with_another_key(audited: Audited) -> None:
    await audited.resign((await audited.roots())[3], MemorySigner())


async def replace_with_own_key(audited: Audited) -> None:
    """Somebody who may sign rewrites a root in the middle."""
    await audited.resign((await audited.roots())[1], orders=1)


async def change_a_byte(audited: Audited) -> None:
    root = (await audited.roots())[1]
    audited.replace_root(root, text=root.text.replace(b'"orders":2', b'"orders":3'))


async def foreign_signature(audited: Audited) -> None:
    roots = await audited.roots()
    audited.replace_root(roots[1], signature=roots[2].signature)


async def another_number(audited: Audited) -> None:
    audited.objects.contents[key_of(2)] = audited.objects.contents[key_of(3)]


async def junk(audited: Audited) -> None:
    audited.objects.contents[key_of(2)] = b"{}"


async def of_another_log(audited: Audited) -> None:
    await audited.resign((await audited.roots())[1], log="other-events")


async def lost_its_past(audited: Audited) -> None:
    """The newest root names another one before it."""
    await audited.resign((await audited.roots())[3], previous="0" * 64)


ROOT_CASES: dict[str, tuple[Callable[[Audited], Awaitable[None]], list[tuple[int, Reason]]]] = {
    "missing in the middle": (drop_middle, [(2, Reason.ROOT_MISSING)]),
    "missing at the beginning": (drop_first, [(1, Reason.ROOT_MISSING)]),
    "re-signed by another key": (resign_with_another_key, [(2, Reason.ROOT_KEY)]),
    "the newest re-signed by another key": (resign_newest_with_another_key, [(4, Reason.ROOT_KEY)]),
    "replaced by somebody who may sign": (replace_with_own_key, [(3, Reason.ROOT_CHAIN)]),
    "a byte changed": (change_a_byte, [(2, Reason.ROOT_SIGNATURE)]),
    "the signature of another root": (foreign_signature, [(2, Reason.ROOT_SIGNATURE)]),
    "another root in its place": (another_number, [(2, Reason.ROOT_UNREADABLE)]),
    "junk": (junk, [(2, Reason.ROOT_UNREADABLE)]),
    "a root of another log": (of_another_log, [(2, Reason.ROOT_UNREADABLE)]),
    "a root that denies its past": (lost_its_past, [(4, Reason.ROOT_CHAIN)]),
}


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("case", ROOT_CASES)
def test_each_way_of_tampering_with_the_roots_is_named(case: str, pinned: bool) -> None:
    """By the root's number and the reason, with the key known beforehand or not; the log itself is compared with the newest good one."""
    tamper, expected = ROOT_CASES[case]

    async def scenario() -> None:
        audited = await four_roots()
        keys = frozenset({(await audited.roots())[0].signature.fingerprint}) if pinned else frozenset()
        await tamper(audited)

        report = await audited.verify(keys=keys)

        assert [(found.stream, found.reason) for found in report.findings] == [
            (key_of(number), reason) for number, reason in expected
        ]
        assert report.root is not None

    run_virtual(scenario)


def test_a_pinned_key_that_nobody_used_refuses_every_root() -> None:
    """The whole row re-signed by another key is seen by who knows the key, and by nobody else."""

    async def scenario() -> None:
        audited = await four_roots()

        report = await audited.verify(keys=frozenset({"0" * 64}))

        assert [found.reason for found in report.findings] == [Reason.ROOT_KEY] * 4
        assert report.root is None

    run_virtual(scenario)


def test_the_auditors_own_copy_shows_a_root_that_was_replaced_or_removed() -> None:
    """By somebody who may sign and rewrites all the roots from there on: only a copy kept elsewhere can show it."""

    async def scenario() -> None:
        audited = await four_roots()
        kept = (await audited.roots())[1]
        for number in (2, 3, 4):
            del audited.objects.contents[key_of(number)]
        del audited.store.orders[B]

        assert await audited.named() == []  # root 1 has A only, and nothing says that there were more roots
        assert await audited.named(since=kept) == [(key_of(2), 0, Reason.ROOT_MISSING), (B, 1, Reason.DROPPED_ORDER)]
        assert (await audited.root()).number == 2
        assert await audited.named() == []
        assert await audited.named(since=kept) == [(key_of(2), 0, Reason.ROOT_REPLACED), (B, 1, Reason.DROPPED_ORDER)]

    run_virtual(scenario)


def test_a_kept_copy_that_was_not_signed_or_by_another_key_is_nothing_to_start_from() -> None:
    """An auditor's folder can be tampered with too."""

    async def scenario() -> None:
        audited = await four_roots()
        second = (await audited.roots())[1]
        forged = parse_root(second.content.replace(b'\\"orders\\":2', b'\\"orders\\":1'))

        with pytest.raises(NoSuchRoot) as refused:
            await audited.verify(since=forged)
        assert refused.value.findings[0].reason is Reason.ROOT_SIGNATURE
        with pytest.raises(NoSuchRoot) as refused:
            await audited.verify(since=second, keys=frozenset({"0" * 64}))
        assert refused.value.findings[0].reason is Reason.ROOT_KEY
        with pytest.raises(NoSuchRoot):
            await audited.verify(since=5)

    run_virtual(scenario)


def leaves_object(audited: Audited, suffix: str) -> str:
    return next(key for key in audited.objects.contents if key.startswith("leaves/") and key.endswith(suffix))


def change_part(audited: Audited) -> str:
    key = leaves_object(audited, ".zst")
    lines = zstandard.ZstdDecompressor().decompress(audited.objects.contents[key]).splitlines(keepends=True)
    audited.objects.contents[key] = zstandard.ZstdCompressor().compress(b"".join(lines[:1] + lines[2:]))
    return key


def change_list(audited: Audited) -> str:
    key = leaves_object(audited, ".json")
    audited.objects.contents[key] += b" "
    return key


def drop_part(audited: Audited) -> str:
    key = leaves_object(audited, ".zst")
    del audited.objects.contents[key]
    return key


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (change_part, Reason.LEAVES_CHANGED),
        (change_list, Reason.LEAVES_CHANGED),
        (drop_part, Reason.LEAVES_MISSING),
    ],
)
def test_leaves_that_are_not_those_of_the_root_are_named(tamper: Callable[[Audited], str], reason: Reason) -> None:
    """By their object; one order's proof and the next root refuse them too."""

    async def scenario() -> None:
        audited = await three_orders()
        key = tamper(audited)

        assert await audited.named() == [(key, 0, reason)]
        order = await verify_order(audited.store, audited.objects, B, log=LOG)
        assert [(found.stream, found.reason) for found in order.findings] == [(key, reason)]
        with pytest.raises(RootRefused) as refused:
            await audited.maker().make()
        assert refused.value.findings[0].reason is reason

    run_virtual(scenario)


def test_with_the_newest_leaves_gone_the_log_is_compared_with_the_root_before() -> None:
    """One lost object does not blind the verifier."""

    async def scenario() -> None:
        audited = await four_roots()
        del audited.objects.contents[(await audited.roots())[3].document.leaves_key]
        del audited.store.orders[A]

        report = await audited.verify()

        assert [found.reason for found in report.findings] == [Reason.LEAVES_MISSING, Reason.DROPPED_ORDER]
        assert report.root is not None
        assert report.root.number == 3

    run_virtual(scenario)


async def leaves_rewritten(audited: Audited, change: Callable[[list[bytes]], list[bytes]], **claims: object) -> None:
    """Part, list and root made to go together by somebody who may write and sign, but for the Merkle root."""
    (root,) = await audited.roots()
    part_key, list_key = leaves_object(audited, ".zst"), leaves_object(audited, ".json")
    lines = zstandard.ZstdDecompressor().decompress(audited.objects.contents[part_key]).splitlines(keepends=True)
    part = zstandard.ZstdCompressor().compress(b"".join(change(lines)))
    listed = orjson.loads(audited.objects.contents[list_key])
    listed["parts"][0] |= {"sha256": hashlib.sha256(part).hexdigest(), **claims}
    text = orjson.dumps(listed)
    audited.objects.contents[part_key] = part
    audited.objects.contents[list_key] = text
    await audited.resign(root, leaves={"key": list_key, "sha256": hashlib.sha256(text).hexdigest()})


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:1] + lines[2:],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [lines[0].replace(b",4,", b",3,"), *lines[1:]],
        lambda lines: [b"[]\n"],
        lambda lines: [],
    ],
    ids=["one removed", "two swapped", "one twice", "a number changed", "junk", "all removed"],
)
def test_leaves_that_do_not_come_to_the_signed_merkle_root_are_named(
    change: Callable[[list[bytes]], list[bytes]],
) -> None:
    """Even when their own check sums were made right, and signed again."""

    async def scenario() -> None:
        audited = await three_orders()
        await leaves_rewritten(audited, change)

        report = await audited.verify()

        assert [found.reason for found in report.findings] == [Reason.LEAVES_MISMATCH]
        assert report.root is None
        (root,) = await audited.roots()
        with pytest.raises(LeavesWrong):
            _ = [head async for head in read_leaves(audited.objects, root.document)]

    run_virtual(scenario)


def test_leaves_that_go_together_in_all_but_the_signed_merkle_root_are_named() -> None:
    """A leaf removed, part, list, their roots and counts made right, and the root signed again: its Merkle root says no."""

    async def scenario() -> None:
        audited = await three_orders()
        kept = [Head(stream, 4, audited.store.orders[stream][-1].hash) for stream in (A, C)]
        fewer = root_of(leaf_hash(entry_of(head)) for head in kept).hex()
        await leaves_rewritten(audited, lambda lines: [lines[0], lines[2]], root=fewer, orders=2)

        (found,) = (await audited.verify()).findings

        assert (found.stream, found.reason) == (leaves_object(audited, ".json"), Reason.LEAVES_MISMATCH)
        order = await verify_order(audited.store, audited.objects, A, log=LOG)
        assert [found.reason for found in order.findings] == [Reason.LEAVES_MISMATCH]

    run_virtual(scenario)


def test_a_part_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked() -> None:
    """What is in a bucket is not trusted with our memory."""

    async def scenario() -> None:
        audited = await three_orders()
        await leaves_rewritten(audited, lambda lines: [b" " * (64 * 1024 * 1024)])
        (root,) = await audited.roots()

        with pytest.raises(LeavesWrong):
            await prove(audited.objects, root.document, B)

    run_virtual(scenario)


def test_one_order_is_checked_with_its_place_under_the_newest_root() -> None:
    """Found, tampered with, too new, and never heard of."""

    async def scenario() -> None:
        audited = await three_orders()
        await audited.append(*an_order("new", at_ms=audited.at_ms + 1))

        good = await verify_order(audited.store, audited.objects, B, log=LOG)
        assert (good.orders, good.commits, good.findings) == (1, 4, [])
        assert good.inclusion is not None
        assert (good.inclusion.index, good.inclusion.head.number) == (1, 4)
        new = await verify_order(audited.store, audited.objects, stream_named("new"), log=LOG)
        assert (new.orders, new.inclusion, new.findings) == (1, None, [])
        unknown = await verify_order(audited.store, audited.objects, stream_named("never"), log=LOG)
        assert (unknown.orders, unknown.findings) == (0, [])
        drop_order(audited)
        dropped = await verify_order(audited.store, audited.objects, B, log=LOG)
        assert [found.reason for found in dropped.findings] == [Reason.DROPPED_ORDER]
        assert dropped.orders == 1

    run_virtual(scenario)


def test_the_details_say_what_a_person_needs() -> None:
    """Which root, how many, which hashes."""

    async def scenario() -> None:
        audited = await three_orders()
        drop_tail(audited)
        (found,) = (await audited.verify()).findings

        assert found == Finding(B, 3, Reason.DROPPED_TAIL, "root 1 has 4 commits of it, the log ends with commit 2")
        assert str(found) == f"{B} commit 3: dropped_tail: root 1 has 4 commits of it, the log ends with commit 2"
        assert str(Finding("roots/000000000001.json", 0, Reason.ROOT_MISSING, "x")).startswith(
            "roots/000000000001.json: "
        )

    run_virtual(scenario)


@pytest.mark.parametrize("anchored", range(1, 5))
def test_an_anchor_holds_for_its_own_commit_and_all_before(anchored: int) -> None:
    """Whichever commit was signed for: there it must be, the very same, and later ones may follow."""

    async def scenario() -> None:
        audited = await three_orders()
        commits = audited.store.orders[B]
        anchor = Anchor(1, anchored, commits[anchored - 1].hash)

        assert (await verify_stream(audited.store, B, [anchor])).findings == ()
        del commits[anchored - 1 :]
        (dropped,) = (await verify_stream(audited.store, B, [anchor])).findings
        assert (dropped.commit, dropped.reason) == (
            anchored,
            Reason.DROPPED_ORDER if anchored == 1 else Reason.DROPPED_TAIL,
        )

    run_virtual(scenario)
