"""What one document adds to the totals of its view, in one written form that stays the same whatever the document's schema. Pure.

A document carries it beside itself. The totals are the sum of these, always: who changes a document moves the totals by the difference
between what it carried and what it will carry, on the condition that it still carries the former. So a document of another schema, which
this build cannot read, can be folded anew without a trace of it left in the totals, and a race over the same commit counts once.
"""

import json
from collections.abc import Mapping

from projections.views.view import Sums

Amounts = dict[str, dict[str, int]]


def written(sums: Sums) -> str:
    """The form that is stored: JSON, sorted, no zeros; "" when nothing is contributed. Equal contributions are equal texts."""
    kept = _without_zeros(sums)
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False) if kept else ""


def read(contribution: str) -> Amounts:
    """What a stored form says. Raises ValueError for anything that `written` did not make."""
    if not contribution:
        return {}
    try:
        return {
            bucket: {measure: int(amount) for measure, amount in amounts.items()}
            for bucket, amounts in json.loads(contribution).items()
        }
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no contribution to totals: {contribution[:100]!r}") from error


def moved(before: Sums, after: Sums) -> Amounts:
    """By how much each measure of each bucket moves from one to the other; what stays as it is is left out."""
    total: Amounts = {}
    add(total, after)
    add(total, before, times=-1)
    return _without_zeros(total)


def add(total: Amounts, sums: Mapping[str, Mapping[str, int]], *, times: int = 1) -> None:
    """Add to a running total, in place."""
    for bucket, amounts in sums.items():
        into = total.setdefault(bucket, {})
        for measure, amount in amounts.items():
            into[measure] = into.get(measure, 0) + amount * times


def _without_zeros(sums: Sums) -> Amounts:
    kept = {bucket: {measure: n for measure, n in amounts.items() if n} for bucket, amounts in sums.items()}
    return {bucket: amounts for bucket, amounts in kept.items() if amounts}
