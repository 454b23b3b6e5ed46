"""A standing is not a history, and cannot be taken for one."""

import dataclasses

import pytest

from orderstore.history import History, Standing
from orderstore.store.errors import BrokenChain
from tests.orderstore.snapshots.long_orders import STREAM, commits_of, penny_refunds

COMMITS = commits_of(penny_refunds(3))


def test_both_stand_where_the_commits_lead() -> None:
    """State, version and head are the same; only a history has the events."""
    standing, history = Standing(stream=STREAM).then(*COMMITS), History(stream=STREAM).then(*COMMITS)

    assert (standing.state, standing.version, standing.head) == (history.state, history.version, history.head)
    assert history.version == len(history.events) == len(COMMITS)
    assert not hasattr(standing, "events")
    assert type(standing.then(*COMMITS[:0])) is Standing


def test_commits_may_come_all_at_once_or_one_by_one() -> None:
    """Folding is the same, however it is cut."""
    whole = History(stream=STREAM).then(*COMMITS)
    for cut in range(len(COMMITS) + 1):
        assert History(stream=STREAM).then(*COMMITS[:cut]).then(*COMMITS[cut:]) == whole


def test_a_part_of_a_history_is_no_history() -> None:
    """Leaving events out, or adding a version without its event, is refused at once."""
    whole = History(stream=STREAM).then(*COMMITS)
    with pytest.raises(ValueError, match="not its history"):
        dataclasses.replace(whole, events=whole.events[1:])
    with pytest.raises(ValueError, match="not its history"):
        History(stream=STREAM, state=whole.state, version=whole.version, head=whole.head)


def test_the_commit_that_follows_is_sealed_to_the_last() -> None:
    """Number and link come from the head; nothing can be made in between."""
    standing = Standing(stream=STREAM).then(*COMMITS[:2])
    following = standing.following(COMMITS[2].body, recorded_at_ms=COMMITS[2].recorded_at_ms)

    assert following == COMMITS[2]
    with pytest.raises(BrokenChain):
        dataclasses.replace(standing, stream="main/order-other").following(b"{}", recorded_at_ms=1)
