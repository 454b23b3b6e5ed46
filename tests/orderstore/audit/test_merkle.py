"""The Merkle tree against the definition of RFC 9162, word by word, and its proofs against everything that is no proof."""

import hashlib
import random

import pytest

from orderstore.audit.heads import Head, entry_of
from orderstore.audit.merkle import EMPTY, Tree, leaf_hash, node_hash, root_from_path, root_of
from orderstore.audit.standalone.verify_bundle import merkle_root

SIZES = [*range(1, 34), 63, 64, 65, 100, 127, 128, 129]


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def defined_root(hashes: list[bytes]) -> bytes:
    """MTH of section 2.1.1, as it is written."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + defined_root(hashes[:split]) + defined_root(hashes[split:])).digest()


def defined_path(index: int, hashes: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1, as it is written."""
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return [*defined_path(index, hashes[:split]), defined_root(hashes[split:])]
    return [*defined_path(index - split, hashes[split:]), defined_root(hashes[:split])]


def test_leaves_and_nodes_are_told_apart() -> None:
    """The prefixes of the RFC: a node can never be passed off as an entry."""
    assert leaf_hash(b"x") == hashlib.sha256(b"\x00x").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == hashlib.sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()
    assert EMPTY == root_of([]) == hashlib.sha256(b"").digest()
    assert leaf_hash(b"l" * 32 + b"r" * 32) != node_hash(b"l" * 32, b"r" * 32)


def test_the_root_of_the_rfcs_own_example() -> None:
    """The certificate-transparency test vector of eight entries, known from its reference implementation."""
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]

    root = root_of(leaf_hash(bytes.fromhex(entry)) for entry in entries)

    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("size", SIZES)
def test_roots_and_proofs_are_those_of_the_definition(size: int) -> None:
    """Streamed in logarithmic memory, and the same as the recursive definition; both checkers accept every proof."""
    hashes = leaves(size)
    root = defined_root(hashes)

    assert root_of(hashes) == root
    for index in range(size):
        tree = Tree(prove=index)
        for leaf in hashes:
            tree.add(leaf)
        path = tree.path()
        assert list(path) == defined_path(index, hashes)
        assert tree.root() == root
        assert root_from_path(hashes[index], index=index, size=size, path=path) == root
        assert merkle_root(hashes[index], index, size, [beside.hex() for beside in path]) == root


@pytest.mark.parametrize("size", SIZES)
def test_a_proof_holds_for_its_own_place_only(size: int) -> None:
    """Another index, another size, a step more or less, another leaf: no."""
    hashes = leaves(size)
    root = root_of(hashes)
    seed = random.Random(size)
    for index in seed.sample(range(size), min(size, 8)):
        path = defined_path(index, hashes)
        wrong: list[tuple[bytes, int, int, list[bytes]]] = [
            (hashes[index], other, size, path) for other in range(-1, size + 1) if other != index
        ]
        wrong += [(leaf_hash(b"another"), index, size, path), (hashes[index], index, size, [*path, bytes(32)])]
        wrong += [(hashes[index], index, size, path[:-1]), (hashes[index], index, size, path[1:])] if path else []
        wrong += [(hashes[index], index, 0, path), (hashes[index], index, size, [bytes(32)] * 100)]
        for leaf, at, of, steps in wrong:
            assert root_from_path(leaf, index=at, size=of, path=steps) != root, (at, of)
            assert merkle_root(leaf, at, of, [step.hex() for step in steps]) != root, (at, of)


def test_a_list_cut_into_pieces_of_a_power_of_two_has_the_root_of_the_whole() -> None:
    """What lets a proof take one part of the leaves."""
    for size in SIZES:
        hashes = leaves(size)
        for piece in (1, 2, 4, 8, 64):
            roots = [root_of(hashes[start : start + piece]) for start in range(0, size, piece)]
            assert root_of(roots) == root_of(hashes)


def test_memory_does_not_grow_with_the_leaves() -> None:
    """One hash for each whole subtree: 17 for a hundred thousand leaves and more."""
    tree = Tree()
    for number in range(100_000):
        tree.add(number.to_bytes(32, "big"))

    assert len(tree._whole) <= 17
    assert tree.size == 100_000


def test_there_is_no_proof_of_a_leaf_that_is_not_there() -> None:
    """Nor where none was asked for."""
    for tree in (Tree(), Tree(prove=1), Tree(prove=-1)):
        tree.add(leaf_hash(b"only"))
        with pytest.raises(IndexError):
            tree.path()


def test_no_two_heads_have_the_same_entry() -> None:
    """Lengths come before fields: nothing can move from one to the next."""
    heads = [
        Head("t/order-1", 1, b"h" * 32),
        Head("t/order-11", 1, b"h" * 32),
        Head("t/order-1", 11, b"h" * 32),
        Head("t/order-1", 1, b"i" * 32),
    ]

    assert len({entry_of(head) for head in heads}) == len(heads)
    assert entry_of(heads[0]) == (
        b"orderstore/head/v1\n" + (9).to_bytes(8, "big") + b"t/order-1" + (1).to_bytes(8, "big") + b"1"
        + (32).to_bytes(8, "big") + b"h" * 32
    )  # fmt: skip
