"""What a document adds to the totals: one written form, and differences that add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.projecting import contributions

SUMS = st.dictionaries(
    st.sampled_from(["2026-03-01/EUR", "2026-03-02/EUR", "2026-03-02/¥"]),
    st.dictionaries(st.sampled_from(["n", "minor"]), st.integers(-(10**20), 10**20), max_size=2),
    max_size=3,
)


@given(SUMS, SUMS)
def test_what_moved_leads_from_one_to_the_other(before, after) -> None:
    """Adding the difference to the old gives the new, and nothing moves between equals."""
    total = contributions.read(contributions.written(before))
    contributions.add(total, contributions.moved(before, after))

    assert contributions.written(total) == contributions.written(after)
    assert contributions.moved(after, after) == {}


@given(SUMS)
def test_the_written_form_is_read_as_it_was(sums) -> None:
    """Apart from zeros, which say nothing."""
    assert contributions.written(contributions.read(contributions.written(sums))) == contributions.written(sums)
    assert contributions.read(contributions.written(sums)) == contributions.moved({}, sums)


def test_equal_contributions_are_equal_texts() -> None:
    """Whatever the order in which they were made, with zeros or without: the store compares nothing but the text."""
    one = contributions.written({"b": {"y": 1, "x": 2}, "a": {"x": 0}})

    assert one == contributions.written({"c": {}, "b": {"x": 2, "y": 1}}) == '{"b":{"x":2,"y":1}}'
    assert contributions.written({"a": {"x": 0}}) == contributions.written({}) == ""


@pytest.mark.parametrize("text", ["{", "[1]", '{"a":1}', '{"a":{"x":"y"}}', '"a"', '{"a":{"x":null}}'])
def test_what_is_no_contribution_is_not_read_as_one(text: str) -> None:
    """A hand in the table is named, not counted."""
    with pytest.raises(ValueError, match=r".+"):
        contributions.read(text)
