"""What can be wrong with the log and its proofs, in words that do not change."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """What is wrong. The values are printed and may be matched by scripts: they do not change."""

    # a commit, by the chain alone
    HASH_MISMATCH = "hash_mismatch"
    """Its hash is not that of its content and place: a byte, a time or a number was changed, or it belongs to another order."""
    MISPLACED = "misplaced"
    """It is a true commit of this order, but another one: commits were reordered, or shifted to make room."""
    BROKEN_LINK = "broken_link"
    """It is whole in itself, but follows another commit than the one that is stored before it: one of the two was replaced."""
    MISSING_COMMIT = "missing_commit"
    """There is none, but there are later ones."""
    FIRST_COMMIT_MISSING = "first_commit_missing"
    """The order does not begin at commit 1."""
    UNDECODABLE = "undecodable"
    """Something is stored there that is no commit, or its body is missing or cannot be unpacked."""

    # an order, by a signed root
    DROPPED_ORDER = "dropped_order"
    """A signed root has the order, the log has nothing of it."""
    DROPPED_TAIL = "dropped_tail"
    """A signed root has more commits of the order than the log: the last ones were removed."""
    REWRITTEN = "rewritten"
    """The commit is whole, and is not the one that a signed root has: it, or one before it, was written anew, hashes included."""
    BACKDATED = "backdated"
    """The commit says that it was recorded well before a signed root was begun, and the root does not have it: it came later."""

    # a signed root, and its leaves
    ROOT_UNREADABLE = "root_unreadable"
    """What is stored in a root's place is no root, or not the one of its number."""
    ROOT_SIGNATURE = "root_signature_invalid"
    """The signature is not the key's over the root."""
    ROOT_KEY = "root_key_unexpected"
    """The root is signed, by another key than the one asked for, or than the root before it."""
    ROOT_MISSING = "root_missing"
    """There is none of that number, but there are later ones, or somebody kept a copy."""
    ROOT_CHAIN = "root_chain_broken"
    """The root names another root before it than the one that is there: one of the two was replaced."""
    ROOT_REPLACED = "root_replaced"
    """The root is another one than the copy that the auditor kept."""
    LEAVES_MISSING = "leaves_missing"
    """An object that the root's leaves are in is gone."""
    LEAVES_CHANGED = "leaves_changed"
    """An object that the root's leaves are in is not the one that was written."""
    LEAVES_MISMATCH = "leaves_mismatch"
    """The leaves are as they were written, and do not come to the root's Merkle root, orders and commits."""

    # a bundle, beside all of the above
    BUNDLE_MALFORMED = "bundle_malformed"
    """It is no bundle, or a field is missing, foreign, or of the wrong kind."""
    CONTENT_DIFFERS = "content_differs"
    """What is shown to people as a commit's content is not what its bytes say."""
    NOT_INCLUDED = "not_included"
    """The proof does not lead from the order's commit to the root's Merkle root."""
    INVOICE_DIFFERS = "invoice_differs"
    """The invoice does not say what the order's events say."""
    INVOICE_MISSING = "invoice_missing"
    """The order's events issued an invoice that is not shown."""
    INVOICE_UNKNOWN = "invoice_unknown"
    """An invoice is shown that the order's events did not issue."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, named by its order and commit; or by the object (`roots/…`, `leaves/…`) and commit 0."""

    stream: str
    commit: int
    reason: Reason
    detail: str

    def __str__(self) -> str:
        """For people."""
        is_order = self.commit != 0 or "/order-" in self.stream
        place = f"{self.stream} commit {self.commit}" if is_order else self.stream
        return f"{place}: {self.reason}: {self.detail}"
