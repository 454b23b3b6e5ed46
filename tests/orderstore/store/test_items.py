"""A commit as an item: small, exact, and refused when it is not one."""

import random
import re
from dataclasses import replace

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from orderstore.store import items, requests
from orderstore.store.chain import seal
from orderstore.store.errors import CorruptCommit
from orderstore.store.port import BODY_BYTES_MAX, RECORDED_AT_MS_MAX, Commit

STREAM = "demo/order-6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
OUTCOME = (
    b'{"correlationId":"6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001","causationId":"0e3a4b52-7c1e-5f5b-9a5e-3f3b3c2d1e0f",'
    b'"actor":{"type":"service","id":"payment"},"source":"payment-service","firstVersion":2,"events":[{"eventId":'
    b'"4b9f3c7e-8d21-5a0c-b6de-5a8f1c2e7d90","eventType":"PaymentCompleted","eventVersion":"1.0","occurredAt":'
    b'"2026-03-01T12:00:00.000Z","data":{"attempt":1,"mode":"authorized","amount_minor":90000,"provider_reference":'
    b'"ch_4b9f3c7e8d215a0cb6de5a8f1c2e7d90"}}]}'
)


def commit_of(body: bytes) -> Commit:
    return seal(stream=STREAM, number=1, recorded_at_ms=1_700_000_000_000, body=body, previous=None)


def decoded(item: items.Item, offloaded: bytes | None = None) -> Commit:
    return items.parse(item).complete(offloaded)


@given(body=st.binary(max_size=5_000), repeats=st.integers(1, 200), at_ms=st.integers(0, RECORDED_AT_MS_MAX))
def test_an_item_gives_back_the_very_commit(body: bytes, repeats: int, at_ms: int) -> None:
    """Whatever form was chosen, each field comes back, and so does the hash."""
    commit = seal(stream="täglich/order-✓", number=1, recorded_at_ms=at_ms, body=body * repeats, previous=None)

    encoded = items.encode(commit)

    assert decoded(encoded.item, encoded.offloaded) == commit
    assert items.item_bytes(encoded.item) <= items.ITEM_BYTES_MAX


def test_an_ordinary_outcome_costs_one_write_unit() -> None:
    """Readable names and a hash chain still fit 1 KB."""
    encoded = items.encode(commit_of(OUTCOME))

    assert items.write_units(encoded.item) == 1
    assert encoded.item["encoding"] == {"S": "json"}
    assert encoded.item["body"] == {"B": OUTCOME}


def test_the_size_is_counted_as_dynamodb_counts_it() -> None:
    """Names and values in UTF-8, a number a byte per two digits and one: worked out by hand."""
    item: items.Item = {"stream": {"S": "ä"}, "commit": {"N": "123"}, "body": {"B": b"12345"}}

    assert items.item_bytes(item) == (6 + 2) + (6 + 3) + (4 + 5)


def test_zstd_is_used_only_where_it_saves_a_write_unit() -> None:
    """At every size the chosen form costs no more than plain, and a compressed one costs less."""
    noise = random.Random(11)
    seen = set()
    for size in range(700, 6_000, 61):
        text = b" ".join(b'"sku":"%05d"' % noise.randrange(10**5) for _ in range(size // 12))[:size]
        for body in (text, noise.randbytes(size)):
            commit = commit_of(body)
            plain = {**items.encode(commit_of(b"")).item, "body": {"B": body}}
            chosen = items.encode(commit).item
            seen.add(chosen["encoding"]["S"])
            if chosen["encoding"]["S"] == "json+zstd":
                assert items.write_units(chosen) < items.write_units(plain)
            else:
                assert items.item_bytes(chosen) == items.item_bytes(plain)
    assert seen == {"json", "json+zstd"}


@pytest.mark.parametrize("excess", [0, 1])
def test_an_item_past_300_kb_sends_its_body_elsewhere(excess: int) -> None:
    """At the limit the body is in the item, a byte past it is not; the key is the hash of the content."""
    overhead = items.item_bytes(items.encode(commit_of(b"")).item)
    commit = commit_of(random.Random(1).randbytes(items.ITEM_BYTES_MAX - overhead + excess))

    encoded = items.encode(commit)

    assert (encoded.offloaded is not None) == bool(excess)
    if encoded.offloaded is not None:
        assert encoded.item["blob"] == {"S": items.blob_key(encoded.offloaded)}
        assert "body" not in encoded.item
        assert items.write_units(encoded.item) == 1


@pytest.mark.parametrize("bytes_in_bomb", [BODY_BYTES_MAX + 1, 1 << 30])
def test_a_decompression_bomb_is_not_unpacked(bytes_in_bomb: int) -> None:
    """What says that it would be larger than a commit may be is refused by its head."""
    compressor = zstandard.ZstdCompressor(level=1).compressobj(size=bytes_in_bomb)
    head = compressor.compress(bytes(1 << 17)) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    item = {**items.encode(commit_of(b"1")).item, "encoding": {"S": "json+zstd"}, "body": {"B": head}}

    with pytest.raises(CorruptCommit, match="more than"):
        decoded(item)


def test_a_bomb_that_hides_its_size_is_not_unpacked() -> None:
    """A frame without a size is none of ours."""
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    frame = compressor.compress(bytes(50 * 1024 * 1024)) + compressor.flush()
    item = {**items.encode(commit_of(b"1")).item, "encoding": {"S": "json+zstd"}, "body": {"B": frame}}

    with pytest.raises(CorruptCommit):
        decoded(item)


@pytest.mark.parametrize(
    "change",
    [
        {"encoding": {"S": "xml"}},
        {"encoding": None},
        {"encoding": {"S": "json+zstd"}},
        {"body": None},
        {"body": {"S": "text"}},
        {"blob": {"S": "commits/" + "0" * 64}},
        {"body": None, "blob": {"S": "../secrets"}},
        {"hash": {"B": b"short"}},
        {"previous_hash": None},
        {"recorded_at": {"N": "-5"}},
        {"recorded_at": {"N": "1.5"}},
        {"recorded_at": {"S": "yesterday"}},
        {"commit": {"N": "0"}},
        {"commit": {"N": "-1"}},
        {"commit": {"N": "1.5"}},
        {"commit": {"N": "01"}},
        {"commit": {"N": 1}},
        {"commit": {"S": "1"}},
        {"recorded_at": {"N": "-1"}},
        {"recorded_at": {"N": "١"}},
        {"hash": {"B": "text"}},
        {"encoding": {"S": ["json"]}},
        {"commit": {"S": "one"}},
        {"stream": {"S": ""}},
    ],
    ids=repr,
)
def test_what_is_no_commit_is_refused_by_its_name(change: dict[str, dict[str, object] | None]) -> None:
    """A corrupt item raises CorruptCommit, never anything else, and says which commit of which stream."""
    item = items.encode(commit_of(OUTCOME)).item
    for name, value in change.items():
        if value is None:
            del item[name]
        else:
            item[name] = value  # type: ignore[assignment]  # on purpose not an attribute of ours

    with pytest.raises(CorruptCommit) as corrupt:
        decoded(item)

    assert corrupt.value.stream == item["stream"]["S"]


@pytest.mark.parametrize(
    "image", [{}, {"stream": {"N": "1"}}, {"stream": {"S": "x"}, "commit": {"N": "many"}}], ids=repr
)
def test_an_image_of_anything_else_is_refused(image: items.Item) -> None:
    """A record of another table does not pass for a commit."""
    with pytest.raises(CorruptCommit):
        items.parse(image)


def test_an_object_with_other_content_is_not_taken_for_the_body() -> None:
    """The key says what the object must be."""
    encoded = items.encode(commit_of(random.Random(2).randbytes(400_000)))
    assert encoded.offloaded is not None

    for content in (None, b"", encoded.offloaded[:-1] + b"\0"):
        with pytest.raises(CorruptCommit):
            decoded(encoded.item, content)


def test_a_repeated_transaction_has_the_same_token_and_no_other_has() -> None:
    """36 characters at most; the token depends on commit, counter and number."""
    commit = commit_of(b"1")
    item = items.encode(commit).item

    def token(commit: Commit, counter: str, taken: int) -> str:
        request = requests.transact("e", item, counters_table="c", counter=counter, taken=taken, commit=commit)
        return str(request["ClientRequestToken"])

    tokens = [
        token(commit, "a", 1),
        token(commit, "a", 2),
        token(commit, "b", 1),
        token(replace(commit, hash=bytes(31) + b"1"), "a", 1),
    ]

    assert token(commit, "a", 1) == tokens[0]
    assert len(set(tokens)) == len(tokens)
    assert all(re.fullmatch(r"[0-9a-f]{1,36}", each) for each in tokens)


@pytest.mark.parametrize("taken", [0, -1, items.COUNTER_MAX + 1])
def test_no_counter_gives_such_a_number(taken: int) -> None:
    """Numbers begin at 1 and end somewhere."""
    with pytest.raises(ValueError, match="counter"):
        items.check_taken(taken)
