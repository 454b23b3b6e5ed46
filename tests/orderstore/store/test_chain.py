"""The hash chain: what it covers, and what it cannot be made to do."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.store import chain
from orderstore.store.errors import BrokenChain, CommitTooLarge, CorruptCommit, StreamTooLong
from orderstore.store.port import BODY_BYTES_MAX, COMMITS_PER_STREAM_MAX, Commit

FIRST = chain.seal(stream="a/order-1", number=1, recorded_at_ms=7, body=b"one", previous=None)
SECOND = chain.seal(stream="a/order-1", number=2, recorded_at_ms=8, body=b"two", previous=FIRST)
THIRD = chain.seal(stream="a/order-1", number=3, recorded_at_ms=9, body=b"three", previous=SECOND)


def test_an_auditor_can_redo_the_hash_by_hand() -> None:
    """The rule is short: the domain, then each field behind its length in 8 bytes."""

    def framed(field: bytes) -> bytes:
        return len(field).to_bytes(8, "big") + field

    by_hand = hashlib.sha256(
        b"orderstore/commit/v1\n" + b"".join(map(framed, (b"a/order-1", b"2", b"8", FIRST.hash, b"two")))
    )

    assert by_hand.digest() == SECOND.hash


def test_the_hash_of_a_known_commit_never_changes() -> None:
    """Stored for ever: a change of the rule would make every stored hash wrong."""
    assert FIRST.hash.hex() == "83d5bd39dd1cef47649c02f782e63fc68517ab5ed42b56c3dc09ee2e7d96c9de"


@pytest.mark.parametrize(
    "change",
    [
        {"stream": "a/order-2"},
        {"number": 3},
        {"recorded_at_ms": 9},
        {"body": b"tvo"},
        {"previous_hash": bytes([1] * 32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_hash_covers_every_field(change: dict[str, Any]) -> None:
    """Whatever is changed, the hash is another."""
    assert chain.hash_of(replace(SECOND, **change)) != SECOND.hash


@given(
    st.text(min_size=1, max_size=20), st.binary(max_size=20), st.text(min_size=1, max_size=20), st.binary(max_size=20)
)
def test_no_two_commits_are_the_same_bytes(stream: str, body: bytes, other_stream: str, other_body: bytes) -> None:
    """Moving a byte from one field to its neighbour gives another hash."""
    hashes = {
        (name, content): chain.compute_hash(
            stream=name, number=1, recorded_at_ms=1, body=content, previous_hash=chain.GENESIS
        )
        for name, content in ((stream, body), (other_stream, other_body))
    }

    assert len(set(hashes.values())) == len(hashes)


@pytest.mark.parametrize(
    ("number", "stream", "previous"),
    [(2, "a/order-1", None), (1, "a/order-1", FIRST), (3, "a/order-1", FIRST), (2, "a/order-2", FIRST)],
)
def test_a_commit_is_made_only_as_the_next_of_its_own_stream(number: int, stream: str, previous: Commit | None) -> None:
    """A hole, a repeat and another order's past are refused where the commit is made."""
    with pytest.raises(BrokenChain):
        chain.seal(stream=stream, number=number, recorded_at_ms=1, body=b"", previous=previous)


def test_a_stream_and_a_body_have_an_end() -> None:
    """A limit on everything, told before anything is sent."""
    last = replace(FIRST, number=COMMITS_PER_STREAM_MAX)

    with pytest.raises(StreamTooLong):
        chain.seal(stream=last.stream, number=COMMITS_PER_STREAM_MAX + 1, recorded_at_ms=1, body=b"", previous=last)
    with pytest.raises(StreamTooLong):
        chain.check_sealed(replace(last, number=COMMITS_PER_STREAM_MAX + 1))
    with pytest.raises(CommitTooLarge):
        chain.seal(stream="a/x", number=1, recorded_at_ms=1, body=bytes(BODY_BYTES_MAX + 1), previous=None)


@pytest.mark.parametrize(
    ("stored", "after", "named"),
    [
        ((SECOND, THIRD), 0, "commit 1 .*missing"),
        ((FIRST, THIRD), 0, "commit 2 .*missing"),
        ((FIRST, SECOND), 1, "commit 2 .*commit 1 is there"),
        ((FIRST, replace(SECOND, body=b"2"), THIRD), 0, "commit 2 .*hash"),
        ((FIRST, SECOND, replace(THIRD, recorded_at_ms=0)), 0, "commit 3 .*hash"),
        ((replace(FIRST, stream="a/order-9"),), 0, "commit 1 .*commit of a/order-9"),
    ],
)
def test_a_reading_that_is_not_whole_is_refused(stored: tuple[Commit, ...], after: int, named: str) -> None:
    """The first commit that is wrong or missing is named."""
    with pytest.raises(CorruptCommit, match=named):
        chain.check_stored(stored, stream="a/order-1", after=after)


def test_a_replaced_commit_breaks_the_link_of_the_next() -> None:
    """Its hash may be right in itself: the next commit remembers another."""
    forged = chain.seal(stream="a/order-1", number=2, recorded_at_ms=8, body=b"forged", previous=FIRST)

    with pytest.raises(CorruptCommit, match=r"commit 3 .*does not follow"):
        chain.check_stored((FIRST, forged, THIRD), stream="a/order-1", after=0)


@pytest.mark.parametrize(
    "change",
    [
        {"stream": ""},
        {"stream": "x" * 1025},
        {"number": 0},
        {"recorded_at_ms": -1},
        {"hash": b""},
        {"previous_hash": b"1"},
    ],
    ids=repr,
)
def test_a_commit_with_impossible_fields_cannot_be(change: dict[str, Any]) -> None:
    """What no store could hold is refused by the type itself."""
    with pytest.raises(ValueError, match=r"commit|stream|hash"):
        replace(FIRST, **change)
