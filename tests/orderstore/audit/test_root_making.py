"""Roots are made once each, in a row, over all that there is; whoever else makes them at the same time."""

import math
import random

import anyio
import orjson
import pytest
import zstandard

from orderstore.audit.findings import Reason
from orderstore.audit.heads import Head, HeadsFile, entry_of
from orderstore.audit.leaves import prove, read_leaves, write_leaves
from orderstore.audit.merkle import EMPTY, leaf_hash, root_from_path, root_of
from orderstore.audit.root_maker import RACES_MAX, RootContended, RootRefused, RootTooSoon
from orderstore.audit.root_store import RootStore, check_roots, parse_fingerprint
from orderstore.audit.roots import GENESIS, RootDocument, RootUnreadable, iso, key_of, number_of, parse_root
from orderstore.audit.signing import MemorySigner, fingerprint_of
from orderstore.objects import MemoryObjectStore
from orderstore.scratch import ScratchUnusable
from orderstore.store.errors import Unavailable
from tests.orderstore.audit.proofs import (
    HOUR_MS,
    LOG,
    NOON_MS,
    Audited,
    OpenObjects,
    an_order,
    drop,
    stream_named,
    three_orders,
)
from tests.virtual_time import run_virtual


def test_a_root_says_what_it_is_over_and_names_the_one_before() -> None:
    """Dense numbers, the SHA-256 of the whole object before, and counts that are those of the log."""

    async def scenario() -> None:
        audited = await three_orders()
        await audited.append(*an_order("d", at_ms=audited.at_ms))
        await audited.root()

        first, second = await audited.roots()

        assert (first.number, first.document.previous) == (1, GENESIS)
        assert (second.number, second.document.previous) == (2, first.sha256)
        assert (first.document.orders, first.document.commits) == (3, 12)
        assert (second.document.orders, second.document.commits) == (4, 16)
        assert first.document.log == LOG
        assert (first.document.started_at, first.document.day) == (iso(NOON_MS + HOUR_MS), "2026-03-01")
        heads = [
            Head(stream_named(name), 4, audited.store.orders[stream_named(name)][-1].hash) for name in ("a", "b", "c")
        ]
        assert first.document.merkle_root == root_of(leaf_hash(entry_of(head)) for head in heads).hex()
        assert [head async for head in read_leaves(audited.objects, first.document)] == heads

    run_virtual(scenario)


def test_what_is_signed_is_a_document_that_other_programs_can_read() -> None:
    """The stored object and the signed text, field by field: this is the format of docs/audit.md."""

    async def scenario() -> None:
        audited = await three_orders()
        (root,) = await audited.roots()

        outer = orjson.loads(audited.objects.contents["roots/000000000001.json"])
        text = orjson.loads(outer["signed"])

        assert list(outer) == ["signed", "signature", "publicKey"]
        assert list(text) == [
            "format", "log", "number", "previous", "day", "startedAt", "createdAt", "orders", "commits", "merkleRoot", "leaves",
        ]  # fmt: skip
        assert text["format"] == "orderstore/root/1"
        listed = orjson.loads(audited.objects.contents[text["leaves"]["key"]])
        (part,) = listed["parts"]
        lines = zstandard.ZstdDecompressor().decompress(audited.objects.contents[part["key"]]).splitlines()
        assert orjson.loads(lines[0]) == ["test/order-a", 4, audited.store.orders["test/order-a"][-1].hash.hex()]
        assert part["first"] == "test/order-a"
        assert (part["orders"], part["root"]) == (3, root.document.merkle_root)

    run_virtual(scenario)


def test_an_empty_log_has_a_root_too() -> None:
    """So that nobody can say that there was nothing to sign before the first order."""

    async def scenario() -> None:
        audited = Audited()
        root = await audited.root()

        assert (root.document.orders, root.document.commits, root.document.merkle_root) == (0, 0, EMPTY.hex())
        await audited.append(*an_order("a", at_ms=audited.at_ms))
        assert (await audited.root()).document.orders == 1
        assert await audited.named() == []

    run_virtual(scenario)


def test_instances_that_race_make_each_number_once() -> None:
    """Eight at once, on demand: eight roots, one row, none lost and none twice."""

    async def scenario() -> None:
        audited = await three_orders()
        made = []

        async def make() -> None:
            for _ in range(20):
                try:
                    made.append((await audited.maker().make()).number)
                except RootContended:
                    continue
                return

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(make)

        assert sorted(made) == list(range(2, 10))
        checked = await check_roots(RootStore(audited.objects), log=LOG)
        assert (checked.count, checked.findings) == (9, [])

    run_virtual(scenario)


def test_the_days_root_is_made_once_however_many_look() -> None:
    """The first makes it, the others find it; the next day has its own."""

    async def scenario() -> None:
        audited = Audited()
        await audited.append(*an_order("a"))
        made = []

        async def look() -> None:
            made.append(await audited.maker().make_daily())

        for _ in range(2):
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(look)
            await look()
            audited.at_ms += 24 * HOUR_MS

        assert [root.number for root, _ in made] == [1] * 6 + [2] * 6
        assert [is_ours for _, is_ours in made].count(True) == 2
        assert [root.document.day for root in await audited.roots()] == ["2026-03-01", "2026-03-02"]

    run_virtual(scenario)


def test_a_try_that_timed_out_and_landed_is_known_again() -> None:
    """The store says that something is there: it is our own root."""

    class Forgetful(OpenObjects):
        async def put_new(self, key: str, content: bytes) -> bool:
            await super().put_new(key, content)
            return False

    async def scenario() -> None:
        audited = Audited(objects=Forgetful())
        await audited.append(*an_order("a"))

        assert (await audited.root()).number == 1

    run_virtual(scenario)


def test_one_that_is_always_late_gives_up_and_says_so() -> None:
    """Bounded, and nothing of it is under a root."""

    class Occupied(OpenObjects):
        def __init__(self) -> None:
            super().__init__()
            self.tries = 0

        async def put_new(self, key: str, content: bytes) -> bool:
            if key.startswith("roots/"):
                self.tries += 1
                return False
            return await super().put_new(key, content)

    async def scenario() -> None:
        objects = Occupied()
        audited = Audited(objects=objects)

        with pytest.raises(RootContended):
            await audited.root()
        assert objects.tries == RACES_MAX

    run_virtual(scenario)


def test_a_log_that_cannot_be_read_is_not_signed_over() -> None:
    """An order that could not be looked at is not left out: there is no root."""

    class Away(type(Audited().store)):  # type: ignore[misc]  # the store of the tests
        async def stored(self, stream: str):  # type: ignore[no-untyped-def]
            if stream.endswith("b"):
                raise Unavailable("Query", tries=8, ambiguous=False)
            async for found in super().stored(stream):
                yield found

    async def scenario() -> None:
        audited = Audited(store=Away())
        for name in ("a", "b", "c"):
            await audited.append(*an_order(name))

        with pytest.raises(Unavailable):
            await audited.root()
        assert audited.objects.contents == {}

    run_virtual(scenario)


def test_a_changed_signing_key_must_be_accepted_once() -> None:
    """Otherwise whoever may write to the bucket could begin a row of his own."""

    async def scenario() -> None:
        audited = await three_orders()
        old = (await audited.roots())[0].signature.fingerprint
        new = MemorySigner()

        with pytest.raises(RootRefused) as refused:
            await audited.maker(signer=new).make()
        assert refused.value.findings[0].reason is Reason.ROOT_KEY
        second = await audited.maker(signer=new, accepted_keys=frozenset({old})).make()
        third = await audited.maker(signer=new).make()

        assert [second.number, third.number] == [2, 3]
        assert await audited.named() == [
            (key_of(2), 0, Reason.ROOT_KEY),
            (key_of(3), 0, Reason.ROOT_KEY),
        ]
        assert await audited.named(keys=frozenset({old, second.signature.fingerprint})) == []

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (b"{}", Reason.ROOT_UNREADABLE),
        (b'{"signed":"{}","signature":"","publicKey":""}', Reason.ROOT_UNREADABLE),
        (b" " * 20_000, Reason.ROOT_UNREADABLE),
        (None, Reason.ROOT_SIGNATURE),
    ],
)
def test_no_root_follows_one_that_is_none(tamper: bytes | None, reason: Reason) -> None:
    """A row is not continued behind a fault."""

    async def scenario() -> None:
        audited = await three_orders()
        (root,) = await audited.roots()
        if tamper is None:
            audited.replace_root(root, text=root.text.replace(b'"orders":3', b'"orders":4'))
        else:
            audited.objects.contents[root.key] = tamper

        with pytest.raises(RootRefused) as refused:
            await audited.maker().make()
        assert [found.reason for found in refused.value.findings] == [reason]

    run_virtual(scenario)


def test_a_root_of_another_environment_is_no_predecessor() -> None:
    """Two environments that share a bucket by mistake do not share a row."""

    async def scenario() -> None:
        audited = await three_orders()
        await audited.resign((await audited.roots())[0], log="other-events")

        with pytest.raises(RootRefused):
            await audited.maker().make()

    run_virtual(scenario)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 100])
def test_proofs_go_across_parts_and_every_order_has_one(count: int) -> None:
    """Parts of eight leaves: each order is proved from one part and the list; an order that is not there has no proof."""

    async def scenario() -> None:
        objects = MemoryObjectStore()
        seed = random.Random(count)
        heads = [Head(f"t/order-{number:05d}", seed.randrange(1, 9), seed.randbytes(32)) for number in range(count)]
        leaves = await write_leaves(objects, 1, heads, per_part=8)
        document = RootDocument(
            log=LOG, number=1, previous=GENESIS, day="2026-03-01", started_at=iso(0), created_at=iso(0), orders=count,
            commits=sum(head.number for head in heads), merkle_root=leaves.merkle_root.hex(),
            leaves_key=leaves.key, leaves_sha256=leaves.sha256,
        )  # fmt: skip

        assert leaves.merkle_root == root_of(leaf_hash(entry_of(head)) for head in heads)
        assert [head async for head in read_leaves(objects, document)] == heads
        assert len([key async for key in objects.keys("leaves/")]) == math.ceil(count / 8) + 1
        for index, head in enumerate(heads):
            inclusion = await prove(objects, document, head.stream)
            assert inclusion is not None
            assert (inclusion.head, inclusion.index) == (head, index)
            leaf = leaf_hash(entry_of(head))
            assert root_from_path(leaf, index=index, size=count, path=inclusion.path) == leaves.merkle_root
        for stream in ("t/order", "t/order-00000x", "t/order-99999", "a"):
            assert await prove(objects, document, stream) is None

    run_virtual(scenario)


def test_heads_come_back_sorted_by_their_bytes_whatever_the_order_they_were_found_in() -> None:
    """UTF-8 order, which other programs can redo; the last look at an order counts."""
    names = [
        "t/order-é",
        "t/order-z",
        "t/order-Z",
        "t/order-\U0001f4e6",
        "t/order-\uffee",
        "a/order-1",
        "t/order-10",
        "t/order-2",
    ]
    with HeadsFile() as heads:
        for number, name in enumerate([*names, names[0]], 1):
            heads.put(Head(name, number, b"h" * 32))

        assert [head.stream for head in heads.heads()] == sorted(names, key=str.encode)
        assert heads.totals() == (len(names), sum(range(2, len(names) + 2)))


def test_a_disk_that_cannot_be_used_is_said_in_words() -> None:
    """Not in SQLite's."""
    heads = HeadsFile()
    heads.__exit__()

    with pytest.raises(ScratchUnusable, match="TMPDIR"):
        heads.put(Head("t/order-1", 1, b"h" * 32))


def test_keys_and_numbers_of_roots_are_one_to_one() -> None:
    """What is no root's key is not taken for one."""
    assert number_of(key_of(17)) == 17
    for key in (
        "roots/1.json",
        "roots/000000000000.json",
        "roots/00000000001.json",
        "roots/000000000001.txt",
        "roots/",
    ):
        assert number_of(key) is None
    assert number_of("roots/00000000000\u0661.json") is None


def test_documents_with_anything_missing_or_foreign_are_no_roots() -> None:
    """Each field by itself."""

    async def scenario() -> None:
        audited = await three_orders()
        (root,) = await audited.roots()
        document = orjson.loads(root.text)
        wrong: list[dict[str, object]] = [
            {name: value for name, value in document.items() if name != missing} for missing in document
        ]
        wrong += [
            document | change
            for change in (
                {"format": "orderstore/root/2"}, {"number": 0}, {"number": True}, {"number": "1"}, {"orders": -1},
                {"merkleRoot": "00"}, {"merkleRoot": document["merkleRoot"].upper()}, {"previous": None},
                {"createdAt": "yesterday"}, {"createdAt": "2026-03-01T12:00:00Z"}, {"leaves": []}, {"log": ""},
            )
        ]  # fmt: skip
        for each in wrong:
            content = orjson.dumps({**orjson.loads(root.content), "signed": orjson.dumps(each).decode()})
            with pytest.raises(RootUnreadable):
                parse_root(content)

    run_virtual(scenario)


def test_fingerprints_are_taken_as_people_write_them() -> None:
    """Colons and capitals; not half of one."""
    fingerprint = fingerprint_of(b"key")
    pairs = ":".join(fingerprint[place : place + 2] for place in range(0, 64, 2)).upper()

    assert parse_fingerprint(pairs) == parse_fingerprint(f" {fingerprint}\n") == fingerprint
    for text in ("", fingerprint[:-1], fingerprint + "0", "x" * 64):
        with pytest.raises(ValueError, match="fingerprint"):
            parse_fingerprint(text)


def test_a_late_page_of_the_scan_accuses_nobody() -> None:
    """An order that the scan did not name is looked for by its name before it is called dropped."""

    class Forgetful(type(Audited().store)):  # type: ignore[misc]  # the store of the tests
        async def streams(self, *, recorded_since_ms: int | None = None):  # type: ignore[no-untyped-def]
            async for stream in super().streams(recorded_since_ms=recorded_since_ms):
                if not stream.endswith("b"):
                    yield stream

    async def scenario() -> None:
        audited = await three_orders()
        audited.store.__class__ = Forgetful

        assert await audited.named() == []
        assert (await audited.root()).document.orders == 3
        drop(audited, "b")
        assert await audited.named() == [(stream_named("b"), 1, Reason.DROPPED_ORDER)]

    run_virtual(scenario)


@pytest.mark.parametrize("answers", [[False], [True, False]], ids=["before", "begun meanwhile"])
@pytest.mark.parametrize("daily", [False, True], ids=["asked for", "daily"])
def test_nothing_is_signed_over_a_log_that_is_being_restored(answers: list[bool], daily: bool) -> None:
    """A half of the log verifies, order by order; a root over it would be a lie. Whole, it gets its root."""

    async def scenario() -> None:
        audited = Audited()
        await audited.append(*an_order("a"))
        left = list(answers)

        async def is_whole() -> bool:
            return left.pop(0) if left else True

        maker = audited.maker(is_whole=is_whole)
        with pytest.raises(RootTooSoon, match="being restored"):
            await (maker.make_daily() if daily else maker.make())
        assert audited.objects.contents == {}
        assert (await maker.make()).number == 1

    run_virtual(scenario)
