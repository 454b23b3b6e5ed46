"""What one append is: durable, sealed, next in line, and no news the second time. On every backend."""

from dataclasses import replace

import pytest

from orderstore.store.chain import hash_of
from orderstore.store.errors import BrokenChain, CorruptCommit
from tests.contract.event_logs import STREAM, Log, chain_of, everywhere


@everywhere
async def test_what_was_appended_is_read_back_whole_and_in_order(log: Log) -> None:
    """Every field of every commit comes back as it was, also from the middle on; a stream that never was is empty."""
    commits = chain_of(STREAM, *(f'{{"n":{n}}}'.encode() for n in range(12)))
    for commit in commits:
        await log.store.append(commit)

    assert await log.store.read(STREAM) == tuple(commits)
    assert await log.store.read(STREAM, after=9) == tuple(commits[9:])
    assert await log.store.read(STREAM, after=12) == ()
    assert await log.store.read("shop/order-unknown") == ()


@everywhere
async def test_appending_the_same_commit_again_is_no_news(log: Log) -> None:
    """A repeat returns, however often and however late, and stores nothing."""
    first, second = chain_of(STREAM, b"1", b"2")
    await log.store.append(first)
    await log.store.append(second)

    await log.store.append(first)
    await log.store.append(second)

    assert await log.store.read(STREAM) == (first, second)


@everywhere
async def test_a_commit_cannot_be_made_without_the_one_before_it(log: Log) -> None:
    """A forged commit beyond a hole is refused when it is appended, or by every later read: it is never served."""
    (first,) = chain_of(STREAM, b"1")
    await log.store.append(first)
    unsealed = replace(first, number=3, previous_hash=bytes([7] * 32))
    forged = replace(unsealed, hash=hash_of(unsealed))

    if log.wire is None:
        with pytest.raises(BrokenChain, match=r"commit 3 .* hole"):
            await log.store.append(forged)
    else:
        await log.store.append(forged)
        with pytest.raises(CorruptCommit, match=r"commit 2 .* missing"):
            await log.store.read(STREAM)


@everywhere
async def test_an_unsealed_commit_is_refused_before_it_is_stored(log: Log) -> None:
    """A hash that is not that of the fields, or a first commit with a past, never reaches the log."""
    (first,) = chain_of(STREAM, b"1")
    with_a_past = replace(first, previous_hash=bytes([1] * 32))

    for broken in (
        replace(first, body=b"2"),
        replace(with_a_past, hash=hash_of(with_a_past)),
        replace(replace(first, number=2), hash=hash_of(replace(first, number=2))),
    ):
        with pytest.raises(BrokenChain):
            await log.store.append(broken)

    assert await log.store.read(STREAM) == ()


@everywhere
async def test_a_writer_on_another_past_is_refused(log: Log) -> None:
    """Two commits of one number that follow different commits are no conflict: one of them was not made from the log."""
    first, second = chain_of(STREAM, b"1", b"2")
    (other_first,) = chain_of(STREAM, b"another past")
    await log.store.append(first)
    await log.store.append(second)

    with pytest.raises(BrokenChain):
        await log.store.append(chain_of(STREAM, b"2b", after=other_first)[0])
