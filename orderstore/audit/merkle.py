"""The Merkle tree of RFC 9162 (and RFC 6962), section 2.1: one hash that stands for a list of entries, and short proofs that an entry
is in it. Pure.

    leaf = SHA-256(0x00 || entry)      node = SHA-256(0x01 || left || right)      no entries: SHA-256 of nothing

The two prefixes keep a node from being passed off as an entry. n entries are split at the largest power of two below n. Two
consequences are used here: a root is computed over a stream of leaves in O(log n) memory, and where a list is cut into pieces of 2^k
entries (the last may be shorter), the tree over the pieces' roots has the root of the whole.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

EMPTY: Final = hashlib.sha256(b"").digest()
PATH_MAX: Final = 64
"""A proof's length is the tree's height: no list has more than 2^64 entries."""
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbours."""
    return hashlib.sha256(_NODE + left + right).digest()


class Tree:
    """The root over leaves that come one by one, and on request the inclusion proof of one of them. Memory: O(log n)."""

    def __init__(self, *, prove: int | None = None) -> None:
        """Begin empty. `prove` is the index (from 0) of the leaf whose path is wanted."""
        self.size = 0
        self._prove = prove
        # Whole subtrees, the largest first: (leaves, hash, whether the leaf to prove is in it).
        self._whole: list[tuple[int, bytes, bool]] = []
        self._path: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Take the next leaf's hash (`leaf_hash`, or the root of a piece)."""
        subtree = (1, leaf, self.size == self._prove)
        self.size += 1
        while self._whole and self._whole[-1][0] == subtree[0]:
            subtree = self._join(self._whole.pop(), subtree, self._path)
        self._whole.append(subtree)

    def root(self) -> bytes:
        """The hash that stands for all leaves so far."""
        return self._fold([])

    def path(self) -> tuple[bytes, ...]:
        """The proof, from the leaf upwards, that the asked-for leaf is under `root()`.

        Raises:
            IndexError: there is no such leaf.
        """
        if self._prove is None or not 0 <= self._prove < self.size:
            raise IndexError(f"there is no leaf {self._prove} among {self.size}")
        path = list(self._path)
        self._fold(path)
        return tuple(path)

    def _fold(self, path: list[bytes]) -> bytes:
        if not self._whole:
            return EMPTY
        folded = self._whole[-1]
        for subtree in reversed(self._whole[:-1]):
            folded = self._join(subtree, folded, path)
        return folded[1]

    @staticmethod
    def _join(
        left: tuple[int, bytes, bool], right: tuple[int, bytes, bool], path: list[bytes]
    ) -> tuple[int, bytes, bool]:
        if left[2]:
            path.append(right[1])
        elif right[2]:
            path.append(left[1])
        return left[0] + right[0], node_hash(left[1], right[1]), left[2] or right[2]


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def root_from_path(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that the proof leads to (RFC 9162, section 2.1.3.2); None when it is no proof for that place in a tree of that size."""
    if not 0 <= index < size or len(path) > PATH_MAX:
        return None
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if place % 2 or place == last:
            found = node_hash(sibling, found)
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            found = node_hash(found, sibling)
        place, last = place // 2, last // 2
    return found if last == 0 else None
