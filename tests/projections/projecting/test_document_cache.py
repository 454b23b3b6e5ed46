"""What is remembered of documents: the latest, boundedly many, the ones used last."""

from projections.projecting.document_cache import DocumentCache
from projections.projecting.folding import Known


def known(commit: int) -> Known[str]:
    return Known(f"state {commit}", commit, commit)


def test_an_older_state_never_replaces_a_newer_one() -> None:
    """Two tasks that wrote the same document may report in any order; afterwards a forgotten one may start anew."""
    cache = DocumentCache(entries_max=10)
    cache.put("a", known(5))
    cache.put("a", known(4))
    assert cache.get("a") == known(5)

    cache.forget("a")
    cache.forget("a")
    assert cache.get("a") is None
    cache.put("a", known(1))
    assert cache.get("a") == known(1)


def test_only_the_entries_used_last_are_kept() -> None:
    """The bound holds, and looking at an entry is using it."""
    cache = DocumentCache(entries_max=3)
    for name in "abc":
        cache.put(name, known(1))
    assert cache.get("a") is not None

    cache.put("d", known(1))

    assert [name for name in "abcd" if cache.get(name) is not None] == ["a", "c", "d"]
