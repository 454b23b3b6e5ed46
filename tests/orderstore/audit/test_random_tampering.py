"""Somebody with full rights on the table does anything to what a root has: it is never clean again."""

import random
from dataclasses import replace

import pytest

from orderstore.store.port import Commit
from tests.orderstore.audit.proofs import HOUR_MS, NOON_MS, Audited, an_order, resealed, rewritten, stream_named
from tests.virtual_time import run_virtual

NAMES = ("a", "b", "c", "d", "e")


def tamper(orders: dict[str, list[Commit]], chance: random.Random) -> str:
    """One change, drawn; returns what was done."""
    stream = chance.choice(sorted(orders))
    commits = orders[stream]
    place = chance.randrange(len(commits)) if commits else 0
    deeds = [
        "drop order",
        "drop tail",
        "byte",
        "time",
        "swap",
        "forge",
        "rewrite",
        "exchange",
        "duplicate",
        "truncate start",
    ]
    deed = chance.choice(deeds) if commits else "drop order"
    match deed:
        case "drop order":
            del orders[stream]
        case "drop tail":
            del commits[place:]
        case "truncate start":
            del commits[: place + 1]
        case "byte":
            body = bytearray(commits[place].body)
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
            commits[place] = replace(commits[place], body=bytes(body))
        case "time":
            commits[place] = replace(commits[place], recorded_at_ms=chance.randrange(2 * NOON_MS))
        case "swap":
            other = chance.randrange(len(commits))
            one, two = commits[place], commits[other]
            commits[place], commits[other] = replace(two, number=one.number), replace(one, number=two.number)
        case "forge":
            commits[place] = resealed(commits[place], body=b'{"forged":%d}' % chance.randrange(10**9))
        case "rewrite":
            if [commit.number for commit in commits] == list(range(1, len(commits) + 1)):
                body = b'{"rewritten":%d}' % chance.randrange(10**9)
                orders[stream] = rewritten(commits, commits[place].number, body=body)
        case "exchange":
            other_stream = chance.choice(sorted(orders))
            if other_stream != stream:
                orders[stream], orders[other_stream] = (
                    [replace(commit, stream=stream) for commit in orders[other_stream]],
                    [replace(commit, stream=other_stream) for commit in commits],
                )
        case "duplicate":
            commits.append(replace(commits[place], number=commits[-1].number + 1))
    return f"{deed} of {stream} at {place}"


@pytest.mark.parametrize("seed", range(150))
def test_no_change_to_what_a_root_has_goes_unnoticed(seed: int) -> None:
    """One to three changes of any kind: the full verification names an order that was touched, and blames no other."""

    async def scenario() -> None:
        chance = random.Random(seed)
        audited = Audited()
        for name in NAMES:
            await audited.append(*an_order(name)[: chance.randrange(1, 5)])
        await audited.root()
        orders = audited.store.orders
        before = {stream: list(commits) for stream, commits in orders.items()}

        deeds = [tamper(orders, chance) for _ in range(chance.randrange(1, 4)) if orders]

        touched = {stream for stream in before if orders.get(stream, []) != before[stream]}
        named = {stream for stream, _, _ in await audited.named()}
        assert named == touched, (seed, deeds)

    run_virtual(scenario)


@pytest.mark.parametrize("seed", range(50))
def test_since_a_root_no_end_of_an_order_can_be_changed_unnoticed(seed: int) -> None:
    """What was appended after the first root and is under the second: verified from the first on, every change to it is named."""

    async def scenario() -> None:
        chance = random.Random(seed)
        audited = Audited()
        lengths = {name: chance.randrange(1, 4) for name in NAMES}
        for name in NAMES:
            await audited.append(*an_order(name, at_ms=NOON_MS + HOUR_MS)[: lengths[name]])
        await audited.root()
        for name in NAMES:
            await audited.append(*an_order(name, at_ms=NOON_MS + HOUR_MS)[lengths[name] :])
        await audited.root()
        name = chance.choice(NAMES)
        commits = audited.store.orders[stream_named(name)]
        place = chance.randrange(lengths[name] - 1, 4)
        match chance.randrange(4):
            case 0:
                del commits[place:]
            case 1:
                commits[place] = replace(commits[place], body=commits[place].body + b" ")
            case 2:
                commits[place] = resealed(commits[place], body=b"{}")
            case _:
                audited.store.orders[stream_named(name)] = rewritten(commits, place + 1, body=b"{}")

        named = {stream for stream, _, _ in await audited.named(since=1)}
        assert named == {stream_named(name)}, (seed, place)

    run_virtual(scenario)
