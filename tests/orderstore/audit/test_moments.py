"""How moments are written: one reading each, whatever the offset; and what is refused rather than guessed."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderstore.audit.moments import AsOf, AtCommit, NotAMoment, instant, microseconds, parse_moment, parse_time

UNHURRIED = settings(deadline=None)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS)  # noqa: DTZ001 - hypothesis adds the offset


@UNHURRIED
@given(moment=MOMENTS)
def test_any_time_with_any_offset_is_read_as_the_moment_that_it_is(moment: datetime) -> None:
    """The offset is part of how it is written, not of what it means; the answer is in UTC."""
    read = parse_time(moment.isoformat())

    assert read == moment
    assert read.utcoffset() == timedelta(0)


@UNHURRIED
@given(moment=MOMENTS)
def test_what_was_asked_for_is_shown_so_that_it_can_be_asked_again(moment: datetime) -> None:
    """To the microsecond where it has any."""
    assert parse_time(instant(moment)) == moment
    assert parse_moment(instant(moment), clock="occurred") == AsOf(moment, "occurred")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01t12:00:00z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T13:30:00.25+01:30", datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-03-01T12:00:00-00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00.000001Z", datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00.999999999Z", datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC)),
    ],
)
def test_rfc_3339_is_read_to_the_microsecond(text: str, moment: datetime) -> None:
    """What is finer is cut off, never rounded up into a later moment."""
    assert parse_time(text) == moment


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    """Where clocks are set back, half past two in the morning happens twice: the offset says which one is meant."""
    berlin = ZoneInfo("Europe/Berlin")
    summer = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    winter = summer.replace(fold=1)

    assert parse_time("2026-10-25T02:30:00+02:00") == summer.astimezone(UTC)
    assert parse_time("2026-10-25T02:30:00+01:00") == winter.astimezone(UTC)
    assert parse_time("2026-10-25T02:30:00+01:00") - parse_time("2026-10-25T02:30:00+02:00") == timedelta(hours=1)


NONSENSE = [
    "", " ", "noon", "now", "2026-03-01", "2026-03-01T12:00Z", "2026-03-01 12:00:00Z", "2026-03-01T12:00:00 Z",
    "2026-13-01T12:00:00Z", "2026-02-29T12:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:00:60Z",
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-03-01T12:00:00+24:00",
    "2026-03-01T12:00:00+0100", "2026-W09-7T12:00:00Z", "20260301T120000Z", "1772366400.5", "-1", "+1", "1e3", "0x1",
    "２", "1234567890", "9" * 5000, "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00Z\n", "\x00", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: repr(text[:40]))
def test_what_is_no_moment_is_refused(text: str) -> None:
    """In words, and never read as something else."""
    with pytest.raises(NotAMoment):
        parse_moment(text)


def test_a_time_without_an_offset_is_refused() -> None:
    """Nobody could say which moment it means; the message says what is missing."""
    with pytest.raises(NotAMoment, match="no offset from UTC"):
        parse_time("2026-10-25T02:30:00")
    with pytest.raises(NotAMoment, match="no offset from UTC"):
        AsOf(datetime(2026, 10, 25, 2, 30))  # noqa: DTZ001 - that is what is refused


def test_a_plus_that_an_address_made_a_blank_is_explained() -> None:
    """The commonest mistake with a query string has a hint of its own."""
    with pytest.raises(NotAMoment, match="%2B"):
        parse_time("2026-03-01T12:00:00 01:00")


def test_a_number_is_a_commit() -> None:
    """0 is before the first."""
    assert parse_moment("0") == AtCommit(0)
    assert parse_moment("007") == AtCommit(7)
    with pytest.raises(NotAMoment, match="numbered from 1"):
        AtCommit(-1)


def test_only_two_clocks_are_known() -> None:
    """A third would silently be one of them."""
    with pytest.raises(NotAMoment, match="recorded and occurred"):
        AsOf(datetime(2026, 1, 1, tzinfo=UTC), "published")  # type: ignore[arg-type]  # that is what is refused


@UNHURRIED
@given(moment=MOMENTS)
def test_microseconds_are_counted_exactly(moment: datetime) -> None:
    """No float is on the way: two moments that differ, differ."""
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(moment)) == moment
    assert microseconds(moment + timedelta(microseconds=1)) == microseconds(moment) + 1
