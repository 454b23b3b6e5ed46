"""Sealed personal data: it opens for its subject and its purpose, and for nothing else."""

import base64
import os
import random

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.domain.events import SealedText
from orderstore.privacy.keys import CachedKeyRing, KeyErased
from orderstore.privacy.memory_keys import MemoryKeyRing
from orderstore.privacy.sealing import PLAIN_BYTES_MAX, SealBroken, Sealer, decrypt, encrypt
from tests.virtual_time import run_virtual

KEY = bytes(range(32))
NONCE = bytes(12)
PLAIN = b'{"email":"ada@example.org","name":"Ada"}'


@given(st.binary(max_size=500), st.text(max_size=30), st.text(max_size=30))
def test_what_is_sealed_opens_again(plain: bytes, subject: str, purpose: str) -> None:
    """Any bytes, any names."""
    assert (
        decrypt(KEY, encrypt(KEY, NONCE, plain, subject=subject, purpose=purpose), subject=subject, purpose=purpose)
        == plain
    )


def test_nothing_of_the_plain_text_shows() -> None:
    """Neither as it is nor in base64."""
    sealed = encrypt(KEY, NONCE, PLAIN, subject="customer-1", purpose="order-1")

    assert "ada" not in sealed.lower()
    assert b"ada" not in base64.urlsafe_b64decode(sealed.removeprefix("v1."))


@pytest.mark.parametrize(
    ("subject", "purpose"),
    [("customer-2", "order-1"), ("customer-1", "order-2"), ("customer-1o", "rder-1"), ("", "customer-1order-1")],
)
def test_moved_to_another_place_it_does_not_open(subject: str, purpose: str) -> None:
    """A sealed e-mail copied into another customer's or another order's event is refused."""
    sealed = encrypt(KEY, NONCE, PLAIN, subject="customer-1", purpose="order-1")

    with pytest.raises(SealBroken):
        decrypt(KEY, sealed, subject=subject, purpose=purpose)


def test_no_bit_of_it_can_be_changed() -> None:
    """Nonce, ciphertext and tag alike."""
    sealed = bytearray(
        base64.urlsafe_b64decode(encrypt(KEY, NONCE, PLAIN, subject="s", purpose="p").removeprefix("v1."))
    )

    for position in range(len(sealed)):
        sealed[position] ^= 1
        with pytest.raises(SealBroken):
            decrypt(KEY, "v1." + base64.urlsafe_b64encode(bytes(sealed)).decode(), subject="s", purpose="p")
        sealed[position] ^= 1


@pytest.mark.parametrize("text", ["", "v1.", "v2.AAAA", "v1.!!!!", "v1.AAAA", "v1.é", "plain text", "v1.AAA"])
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    """One typed error, whatever stands there."""
    with pytest.raises(SealBroken):
        decrypt(KEY, text, subject="s", purpose="p")


def test_another_key_does_not_open_it() -> None:
    """Each subject has a key of its own."""
    with pytest.raises(SealBroken):
        decrypt(bytes(32), encrypt(KEY, NONCE, PLAIN, subject="s", purpose="p"), subject="s", purpose="p")


def test_every_seal_has_a_nonce_of_its_own() -> None:
    """The same text sealed twice is not the same: a nonce repeated under a key would give both away."""

    async def scenario() -> None:
        sealer = Sealer(MemoryKeyRing(os.urandom), random_bytes=os.urandom)
        sealed = {(await sealer.seal("customer-1", "order-1", PLAIN)).ciphertext for _ in range(200)}
        assert len({text[:19] for text in sealed}) == 200

    run_virtual(scenario)


def test_without_its_key_it_is_gone_and_cannot_come_back() -> None:
    """After an erasure nothing opens, nothing new is sealed, and other customers notice nothing."""

    async def scenario() -> None:
        ring = MemoryKeyRing(os.urandom)
        sealer = Sealer(ring, random_bytes=os.urandom)
        gone = await sealer.seal("customer-1", "order-1", PLAIN)
        kept = await sealer.seal("customer-2", "order-2", PLAIN)
        await ring.erase("customer-1")
        await ring.erase("customer-1")

        with pytest.raises(KeyErased):
            await sealer.open(gone, "order-1")
        with pytest.raises(KeyErased):
            await sealer.seal("customer-1", "order-3", PLAIN)
        with pytest.raises(KeyErased):
            await sealer.open(SealedText("nobody", gone.ciphertext), "order-1")
        assert await sealer.open(kept, "order-2") == PLAIN

    run_virtual(scenario)


def test_too_much_is_refused_before_a_key_is_made() -> None:
    """Personal data of an order is small."""

    async def scenario() -> None:
        ring = MemoryKeyRing(os.urandom)
        with pytest.raises(ValueError, match="at most"):
            await Sealer(ring, random_bytes=os.urandom).seal("customer-1", "p", bytes(PLAIN_BYTES_MAX + 1))
        with pytest.raises(KeyErased):
            await ring.existing("customer-1")

    run_virtual(scenario)


class CountedRing(MemoryKeyRing):
    """A ring that counts how often it is asked, and answers late if it is told to."""

    def __init__(self) -> None:
        super().__init__(random.Random(1).randbytes)
        self.asked = 0
        self.delay_s = 0.0

    async def existing(self, subject: str) -> bytes:
        self.asked += 1
        key = await super().existing(subject)
        await anyio.sleep(self.delay_s)
        return key

    async def key_for(self, subject: str) -> bytes:
        self.asked += 1
        return await super().key_for(subject)


def test_a_key_is_fetched_once_and_again_when_its_time_is_up() -> None:
    """The handlers of one order share a fetch; an erasure elsewhere is seen after the time to live."""

    async def scenario() -> None:
        ring = CountedRing()
        cached = CachedKeyRing(ring, ttl_s=60)
        key = await cached.key_for("a")
        await anyio.sleep(59)
        assert await cached.existing("a") == key
        assert ring.asked == 1
        await ring.erase("a")
        await anyio.sleep(1)
        with pytest.raises(KeyErased):
            await cached.existing("a")
        assert ring.asked == 2

    run_virtual(scenario)


def test_the_cache_is_bounded_and_drops_what_was_used_least_recently() -> None:
    """Ten thousand guests do not stay in memory for ever."""

    async def scenario() -> None:
        ring = CountedRing()
        cached = CachedKeyRing(ring, keys_max=2)
        for subject in ("a", "b", "a", "c"):
            await cached.key_for(subject)
        assert ring.asked == 3
        await cached.key_for("a")
        assert ring.asked == 3
        await cached.key_for("b")
        assert ring.asked == 4

    run_virtual(scenario)


def test_an_erasure_here_is_seen_here_at_once() -> None:
    """Also by a fetch that was on its way when it happened: its key is not remembered."""

    async def scenario() -> None:
        ring = CountedRing()
        cached = CachedKeyRing(ring)
        await ring.key_for("a")
        ring.delay_s = 5
        async with anyio.create_task_group() as racing:
            racing.start_soon(cached.existing, "a")
            await anyio.sleep(1)
            await cached.erase("a")
        with pytest.raises(KeyErased):
            await cached.existing("a")

    run_virtual(scenario)


def test_an_erasure_elsewhere_is_seen_after_the_time_to_live_however_slow_the_answer_was() -> None:
    """A certificate says when the last process has forgotten: the time counts from the question, not from the answer."""

    async def scenario() -> None:
        ring = CountedRing()
        await ring.key_for("a")
        ring.delay_s = 20
        cached = CachedKeyRing(ring, ttl_s=60)

        async def fetch() -> None:
            await cached.existing("a")

        async with anyio.create_task_group() as slow:
            slow.start_soon(fetch)
            await anyio.sleep(1)
            await ring.erase("a")  # by another process, while the key was on its way here
        await anyio.sleep(60 - 20)
        with pytest.raises(KeyErased):
            await cached.existing("a")

    run_virtual(scenario)


@pytest.mark.parametrize("settings", [{"keys_max": 0}, {"ttl_s": 0}])
def test_a_cache_without_bounds_cannot_be(settings: dict[str, int]) -> None:
    """Zero is a mistake in the settings."""
    with pytest.raises(ValueError, match="cache"):
        CachedKeyRing(MemoryKeyRing(os.urandom), **settings)
