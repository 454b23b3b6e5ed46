"""Documents that were written lately, so that the next commit of an order needs no read. Only ever a belief: every write is conditional."""

from collections import OrderedDict
from typing import Any

from projections.projecting.folding import Known


class DocumentCache:
    """The `entries_max` documents used last, by key."""

    def __init__(self, *, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: OrderedDict[str, Known[Any]] = OrderedDict()

    def get(self, key: str) -> Known[Any] | None:
        """What is believed of a document."""
        known = self._entries.get(key)
        if known is not None:
            self._entries.move_to_end(key)
        return known

    def put(self, key: str, known: Known[Any]) -> None:
        """Remember what was just written or read; an older state never replaces a newer one (two tasks may finish out of order)."""
        current = self._entries.get(key)
        if current is None or known.folded >= current.folded:
            self._entries[key] = known
        self._entries.move_to_end(key)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        """The belief was wrong."""
        self._entries.pop(key, None)
