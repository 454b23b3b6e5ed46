"""Whole objects under a person's key: large ones too, bound to their place, and gone with the key."""

import random

import pytest

from orderstore.privacy.keys import KeyErased
from orderstore.privacy.memory_keys import MemoryKeyRing
from orderstore.privacy.sealing import OBJECT_BYTES_MAX, PLAIN_BYTES_MAX, SealBroken, Sealer


def sealer() -> tuple[Sealer, MemoryKeyRing]:
    ring = MemoryKeyRing(random.Random(3).randbytes)
    return Sealer(ring, random_bytes=random.Random(4).randbytes), ring


async def test_an_object_comes_back_as_it_was_whatever_its_size() -> None:
    """Beyond what a field of an event may hold; each time it looks different."""
    seals, _ = sealer()
    for plain in (b"", b"x", b"Ada" * PLAIN_BYTES_MAX):
        sealed = await seals.seal_object("customer:1", "there", plain)
        assert await seals.open_object("customer:1", "there", sealed) == plain
        assert sealed != await seals.seal_object("customer:1", "there", plain)
        assert b"Ada" not in sealed


@pytest.mark.parametrize("place", range(0, 60, 7))
async def test_what_was_changed_moved_or_cut_does_not_open(place: int) -> None:
    """Any byte; another purpose; another person; less of it; and a sealed text is no sealed object."""
    seals, ring = sealer()
    sealed = await seals.seal_object("customer:1", "there", b"Ada Lovelace")
    await ring.key_for("customer:2")
    changed = bytearray(sealed)
    changed[place] ^= 1
    text = (await seals.seal("customer:1", "there", b"Ada Lovelace")).ciphertext.encode()
    for subject, purpose, content in (
        ("customer:1", "there", bytes(changed)),
        ("customer:1", "here", sealed),
        ("customer:2", "there", sealed),
        ("customer:1", "there", sealed[:place]),
        ("customer:1", "there", text),
    ):
        with pytest.raises(SealBroken):
            await seals.open_object(subject, purpose, content)


async def test_without_its_key_it_is_gone_and_too_much_is_refused() -> None:
    """Erased once, for ever."""
    seals, ring = sealer()
    sealed = await seals.seal_object("customer:1", "there", b"Ada")
    await ring.erase("customer:1")
    with pytest.raises(KeyErased):
        await seals.open_object("customer:1", "there", sealed)
    with pytest.raises(KeyErased):
        await seals.seal_object("customer:1", "there", b"Ada")

    class Huge(bytes):
        def __len__(self) -> int:
            return OBJECT_BYTES_MAX + 1

    with pytest.raises(ValueError, match="bytes is sealed"):
        await seals.seal_object("customer:3", "there", Huge())
