"""The numbers that are used, by series: a scratch file, so that memory is bounded however many documents there are."""

from collections.abc import Iterator
from typing import Final, Self

from orderstore.invoicing.documents import Document
from orderstore.invoicing.findings import Finding
from orderstore.scratch import open_scratch, scratch_trouble

CACHE_KIB: Final = 16 * 1024
_SCHEMA: Final = """
    CREATE TABLE numbers (
        series TEXT, number INTEGER, place TEXT, version INTEGER, PRIMARY KEY (series, number, place, version)
    ) WITHOUT ROWID;
"""
# Each used number beside the one before it; a step of more than one is a gap.
_GAPS: Final = """
    SELECT before + 1, number - 1 FROM (
        SELECT number, LAG(number, 1, 0) OVER (ORDER BY number) AS before
        FROM (SELECT DISTINCT number FROM numbers WHERE series = ? AND number <= ? UNION SELECT ? + 1)
    ) WHERE number > before + 1
"""


class Numbers:
    """Every method may raise ScratchUnusable."""

    def __init__(self) -> None:
        """Open an empty one."""
        self._database = open_scratch(_SCHEMA, cache_kib=CACHE_KIB)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close and remove it."""
        self._database.close()

    def put(self, document: Document) -> None:
        """Note that the order has a document of this number; a second look at the same order changes nothing."""
        with scratch_trouble():
            row = (document.series, document.number, document.order, document.version)
            self._database.execute("INSERT OR IGNORE INTO numbers VALUES (?, ?, ?, ?)", row)

    def highest(self) -> dict[str, int]:
        """The highest number of each series."""
        with scratch_trouble():
            return dict(
                self._database.execute("SELECT series, MAX(number) FROM numbers GROUP BY series ORDER BY series")
            )

    def count(self) -> int:
        """How many documents there are."""
        with scratch_trouble():
            (found,) = self._database.execute("SELECT COUNT(*) FROM numbers").fetchone()
            return int(found)

    def wrong(self, series: str, *, counter: int) -> Iterator[Finding]:
        """What is wrong with a series of which `counter` numbers were taken: gaps, and numbers with several documents."""
        with scratch_trouble():
            for first, last in self._database.execute(_GAPS, (series, counter, counter)):
                about = str(first) if first == last else f"{first} to {last}"
                yield Finding(kind="number_missing", where=series, about=about)
            twice = self._database.execute(
                "SELECT number, GROUP_CONCAT(place, ', ') FROM numbers WHERE series = ? GROUP BY number HAVING COUNT(*) > 1",
                (series,),
            )
            for number, places in twice:
                yield Finding(kind="number_twice", where=series, about=f"{number} ({places})")
