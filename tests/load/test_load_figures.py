"""The arithmetic of a load run."""

import pytest

from tests.load.figures import crept, growth_mib_per_1000, quantile, ratio, slope, usage
from tests.load.looks import sample


@pytest.mark.parametrize(("share", "expected"), [(0.01, 1), (0.5, 50), (0.99, 99), (0.995, 100), (1, 100)])
def test_a_quantile_is_the_value_that_so_many_do_not_exceed(share: float, expected: int) -> None:
    """Nearest rank, whatever the order."""
    assert quantile(list(range(100, 0, -1)), share) == expected


@pytest.mark.parametrize("share", [0, -1, 1.01])
def test_a_quantile_of_nothing_or_of_no_share_is_refused(share: float) -> None:
    """No figure is made up."""
    with pytest.raises(ValueError, match="share"):
        quantile([1.0], share)
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_ratios_and_slopes_need_something_to_compare_with() -> None:
    """A rate of nought is a fault of the run, not an infinite ratio."""
    assert ratio(3, 2) == 1.5
    with pytest.raises(ValueError, match="compared"):
        ratio(3, 0)
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert slope([(1, 1), (1, 3)]) is None
    assert slope([(1, 1)]) is None


def test_growth_is_told_for_each_thousand_orders_after_the_first_third_of_the_work() -> None:
    """What fills up at first is no growth; two MiB that come with each thousand orders are."""
    warm = [sample(work, 100 + work / 10) for work in range(0, 1_000, 50)]
    steady = [sample(work, 200.0) for work in range(1_000, 3_001, 50)]
    assert growth_mib_per_1000([*warm, *steady]) == pytest.approx(0, abs=1e-6)
    leaking = [sample(work, 200 + (work - 1_000) / 500) for work in range(1_000, 3_001, 50)]
    assert growth_mib_per_1000([*warm, *leaking]) == pytest.approx(2)


def test_growth_is_not_told_of_little_work() -> None:
    """A hundred orders say nothing of a leak, and neither does a process that was never looked at."""
    assert growth_mib_per_1000([sample(work, work) for work in range(0, 200, 10)]) is None
    assert growth_mib_per_1000([]) is None
    with pytest.raises(ValueError, match="never looked at"):
        usage("api", [], processor_s=0)


def test_what_creeps_up_shows_between_the_middle_third_and_the_last() -> None:
    """A peak in between is no leak."""
    assert crept([1, 1, 1, 5, 5, 5, 9, 9, 9]) == 4
    assert crept([1, 1, 1, 5, 90, 5, 5, 5, 5]) == 0
    assert crept([1, 2]) == 0


def test_a_process_comes_to_one_line() -> None:
    """First, peak and last; tasks only of those that tell them."""
    looks = [sample(0, 90, descriptors=5), sample(1, 120, descriptors=70, tasks=40), sample(2, 110, descriptors=6)]
    used = usage("api", looks, processor_s=3.5)
    assert (used.resident_first_mib, used.resident_peak_mib, used.resident_last_mib) == (90, 120, 110)
    assert (used.descriptors_peak, used.descriptors_last, used.tasks_peak, used.tasks_last) == (70, 6, 40, 40)
    assert usage("api", looks[:1], processor_s=0).tasks_peak is None
