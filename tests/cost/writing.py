"""What was counted, as the table that `orderstore plan` reckons with and the ceilings that the tests hold."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.cost import table
from tests.cost.meter import Call
from tests.cost.scenarios import Counted
from workers.planning import counted as planned

CEILINGS: Final = Path(__file__).parent / "ceilings.json"
COMMAND: Final = "python -m tests.cost --write"
DUE: Final = "/due/"
PINNED: Final = ("calls", "write", "index", "read", "sqs", "sns", "s3_put", "kms", "mails")


def order_of(found: Counted) -> dict[str, Any]:
    """One order of a scenario: what each table and each other service had to do for it."""
    whole = table.whole(found.calls).numbers()
    uses: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    due = 0
    for units in (units for call in found.calls for units in call.units):
        name = _short(units.table, found)
        for what in ("write", "index", "read", "stored"):
            uses[name][what] += getattr(units, what)
        due += sum(cost for key, cost in units.lists if DUE in key)
    requests = {
        name: whole[name] for name in ("sqs", "sns", "published", "s3_put", "s3_get", "s3_bytes", "kms", "mails")
    }
    requests |= {"log_bytes": found.log_bytes, "due_lists": due}
    return {
        "lines": found.lines,
        "commits": len(found.commits),
        "status": found.status,
        "tables": {name: _divided(use, found.orders) for name, use in sorted(uses.items())},
        "requests": _divided(requests, found.orders),
    }


def forget_keys(order: dict[str, Any]) -> None:
    """A customer's key is kept for some minutes: whether it has just grown too old is chance here. `new customer` has what a key costs."""
    order["requests"]["kms"] = 0
    order["tables"].pop(planned.KEYS, None)


def by_role(found: Counted) -> dict[str, dict[str, float]]:
    """What each role did, for one order. Writes that were refused are left out: who comes first is chance, and who lost writes again."""
    groups = table.summed(found.calls, lambda call: call.role)
    landed = table.summed([call for call in found.calls if call.outcome == "ok"], lambda call: call.role)
    result = {}
    for role, sums in groups.items():
        numbers = {name: sums.numbers()[name] for name in PINNED}
        numbers |= {"write": landed[role].write, "index": landed[role].index}
        result[role] = _divided(numbers, found.orders)
    return result


def middle(documents: Sequence[Any]) -> Any:
    """The median of each number in documents of one shape; what one of them lacks counts as nothing."""
    first = documents[0]
    if isinstance(first, Mapping):
        names = list(dict.fromkeys(name for document in documents for name in document))
        return {
            name: middle([document.get(name, _nothing_like(documents, name)) for document in documents])
            for name in names
        }
    if isinstance(first, int | float):
        return _rounded(median(documents))
    return first


def most(documents: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """By role, the most of each number that any repetition showed."""
    roles = sorted({role for document in documents for role in document})
    return {
        role: {name: max(document.get(role, {}).get(name, 0) for document in documents) for name in PINNED}
        for role in roles
    }


def standing_of(found: Counted, processes: Iterable[str]) -> dict[str, dict[str, float]]:
    """What an idle process of each role asks in an hour."""
    groups: dict[str, list[Call]] = defaultdict(list)
    for call in (*found.standing, *found.calls):
        groups[call.role].append(call)
    an_hour = 3600 / found.seconds
    result = {}
    for role in processes:
        sums = table.whole(groups[role])
        result[role] = {
            name: round(number * an_hour)
            for name, number in {
                "write": sums.write + sums.index,
                "read": sums.read,
                "sqs": sums.sqs,
                "streams": sums.streams,
            }.items()
        }
    return result


def write(found: Sequence[Counted], *, today: str, roles: Iterable[str], processor: Mapping[str, Any]) -> None:
    """Write the table and the ceilings anew. `found` holds the happy path more than once."""
    by_name: dict[str, list[Counted]] = defaultdict(list)
    for each in found:
        by_name[each.name].append(each)
    orders = {name: middle([order_of(each) for each in group]) for name, group in by_name.items() if group[0].orders}
    for name, order in orders.items():
        if name not in (planned.NEW, planned.TOGETHER):
            forget_keys(order)
    reckoned = {
        name: {key: value for key, value in order.items() if key != "status"}
        for name, order in orders.items()
        if order["status"] == "Completed"
    }
    planned.TABLE.write_text(
        json.dumps(
            {
                "on": today,
                "command": COMMAND,
                "orders": reckoned,
                "others": {name: order for name, order in orders.items() if name not in reckoned},
                "standing": standing_of(by_name["idle"][0], roles),
                "processor_ms": processor["processor_ms"],
                "processor_note": processor["processor_note"],
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )
    ceilings = {name: most([by_role(each) for each in group]) for name, group in by_name.items() if group[0].orders}
    CEILINGS.write_text(json.dumps(ceilings, indent=1) + "\n", encoding="utf-8")


def _divided(numbers: Mapping[str, float], orders: int) -> dict[str, float]:
    return {name: _rounded(number / orders) for name, number in numbers.items()}


def _rounded(number: float) -> float:
    return int(number) if float(number).is_integer() else round(number, 3)


def _short(name: str, found: Counted) -> str:
    return name.removeprefix(f"{found.prefix}-")


def _nothing_like(documents: Sequence[Mapping[str, Any]], name: str) -> Any:
    example = next(document[name] for document in documents if name in document)
    return dict.fromkeys(example, 0) if isinstance(example, Mapping) else 0
