"""What an order costs is counted, and may not grow unseen: each role's share has a ceiling, and the table that `orderstore plan` reckons
with is what is counted. After a change that is meant, `python -m tests.cost --write` writes both anew."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import partial

import anyio
import pytest

from deploy.local.environment import Environment
from tests.cost import table, writing
from tests.cost.scenarios import Counted, count
from tests.emulator import fresh_settings
from workers.planning.counted import counted

pytestmark = [pytest.mark.emulator, pytest.mark.thorough]

CEILINGS: Mapping[str, Mapping[str, Mapping[str, float]]] = json.loads(writing.CEILINGS.read_text(encoding="utf-8"))

SHARE: Mapping[str, float] = {"projector": 1.35, "relay": 1.35, "archive": 2.5, "webhooks": 1.35}
"""These take together what happens to come together: how much that is hangs on the moment."""
LOOKS = 4
"""Calls, and units read, that may come on top where another writer was first: a refused write, a look, and the write again; twice."""
EXACT = frozenset({"write", "index", "mails"})
"""Chance adds nothing to these: refused writes are left out of them."""


def over(found: Counted) -> list[str]:
    """Whatever a role did more of than its ceiling allows."""
    told = []
    for role, numbers in writing.by_role(found).items():
        allowed = CEILINGS[found.name].get(role, {})
        for name, number in numbers.items():
            most = math.ceil(allowed.get(name, 0) * SHARE.get(role, 1))
            most += 0 if name in EXACT or role == "api" else LOOKS
            if number > most:
                told.append(f"{role}: {number:g} {name}, at most {most:g}")
    return told


def counted_in(emulator: Environment, names: Sequence[str]) -> list[Counted]:
    """Count these scenarios, in an environment of their own."""
    return anyio.run(partial(count, fresh_settings(emulator), token=emulator.api_token, names=names))


def test_a_completed_order_costs_no_more_than_it_did(emulator: Environment) -> None:
    """By role; and what is shipped for planning is what is counted, within what chance does to it."""
    (found,) = counted_in(emulator, ["happy"])

    assert found.status == "Completed"
    assert over(found) == []
    planned = counted().orders["happy"]
    assert len(found.commits) in (planned.commits - 1, planned.commits, planned.commits + 1)
    whole = table.whole([call for call in found.calls if call.outcome == "ok"])
    shipped = sum(use.write + use.index for use in planned.tables.values())
    assert whole.write + whole.index == pytest.approx(shipped, rel=0.25), "python -m tests.cost --write"
    # On a busy machine the projector looks for more of what it has not seen yet.
    assert whole.read == pytest.approx(sum(use.read for use in planned.tables.values()), rel=0.6)
    assert whole.mails == planned.requests.mails


@pytest.mark.long
def test_other_ends_and_a_long_order_cost_no_more_than_they_did(emulator: Environment) -> None:
    """Declined, called off, 79 lines, a customer whose first order it is."""
    found = counted_in(emulator, ["declined", "cancelled", "79 lines", "new customer"])

    assert [each.status for each in found] == ["Cancelled", "Cancelled", "Completed", "Completed"]
    assert {each.name: over(each) for each in found if over(each)} == {}
