"""The promises of a service table, on memory and on DynamoDB's emulator."""

import anyio
import pytest

from tests.workers.service_tables import KINDS, open_table
from workers.tables.errors import ConditionRefused, TransactionRefused
from workers.tables.port import Change, Check, PutNew


@pytest.fixture(params=KINDS)
async def table(request):
    async with open_table(request.param, "inventory", request) as opened:
        yield opened


def k(name: str) -> dict[str, str]:
    return {"key": name}


async def test_a_put_is_read_back_with_every_kind_of_value(table) -> None:
    """Texts, numbers of any size, booleans, lists and maps come back as they went in."""
    item = {
        "text": "Größe 5 µm",
        "empty": "",
        "number": 10**30,
        "negative": -3,
        "yes": True,
        "no": False,
        "map": {"a": 1, "with.dot and space": "x"},
        "list": ["a", 2, {"b": False}],
        "nothing": [],
    }

    assert await table.put_new(PutNew(k("a"), item)) is None
    assert await table.get(k("a")) == {"key": "a", **item}
    assert await table.get(k("b")) is None


async def test_a_taken_key_hands_back_what_stands(table) -> None:
    """The second put stores nothing and learns who won."""  # E071
    await table.put_new(PutNew(k("a"), {"by": "first"}))

    assert await table.put_new(PutNew(k("a"), {"by": "second"})) == {"key": "a", "by": "first"}
    assert await table.get(k("a")) == {"key": "a", "by": "first"}


async def test_of_64_puts_at_once_one_wins(table) -> None:
    """Everybody else is handed the winner."""  # E071
    answers = []

    async def put(number: int) -> None:
        answers.append(await table.put_new(PutNew(k("a"), {"by": number})))

    async with anyio.create_task_group() as tasks:
        for number in range(64):
            tasks.start_soon(put, number)

    stands = await table.get(k("a"))
    assert answers.count(None) == 1
    assert [answer for answer in answers if answer is not None] == [stands] * 63


async def test_a_change_happens_only_if_the_item_is_as_expected(table) -> None:
    """Equal values and lower bounds; a refusal carries the item, or None."""
    await table.put_new(PutNew(k("a"), {"state": "new", "left": 5}))

    await table.change(Change(key=k("a"), assign={"state": "old"}, add={"left": -5}, equals={"state": "new"}))
    with pytest.raises(ConditionRefused) as wrong_state:
        await table.change(Change(key=k("a"), assign={"state": "x"}, equals={"state": "new"}))
    with pytest.raises(ConditionRefused) as too_few:
        await table.change(Change(key=k("a"), add={"left": -1}, at_least={"left": 1}))
    with pytest.raises(ConditionRefused) as absent:
        await table.change(Change(key=k("b"), add={"left": -1}, at_least={"left": 0}))

    stands = {"key": "a", "state": "old", "left": 0}
    assert await table.get(k("a")) == stands
    assert (wrong_state.value.existing, too_few.value.existing, absent.value.existing) == (stands, stands, None)


async def test_a_change_without_conditions_makes_the_item(table) -> None:
    """Adding to what is not there starts from zero."""
    await table.change(Change(key=k("a"), add={"pieces": 3, "none": 0}))
    await table.change(Change(key=k("a"), add={"pieces": 4}))

    assert await table.get(k("a")) == {"key": "a", "pieces": 7, "none": 0}


async def test_a_transaction_does_all_or_nothing_and_says_what_stood_in_its_way(table) -> None:
    """Refusals come by position, with the items that stand."""
    await table.put_new(PutNew(k("a"), {"left": 5}))
    await table.put_new(PutNew(k("head"), {"state": "open"}))
    take = Change(key=k("a"), add={"left": -2}, at_least={"left": 2})

    await table.transact([Check(k("head"), {"state": "open"}), PutNew(k("r1"), {"held": 2}), take])
    with pytest.raises(TransactionRefused) as taken:
        await table.transact([Check(k("head"), {"state": "open"}), PutNew(k("r1"), {"held": 2}), take])
    with pytest.raises(TransactionRefused) as closed:
        await table.transact([Check(k("head"), {"state": "shut"}), Check(k("none"), {"state": "x"}), take])

    assert await table.get(k("a")) == {"key": "a", "left": 3}
    assert taken.value.refused == {1: {"key": "r1", "held": 2}}
    assert closed.value.refused == {0: {"key": "head", "state": "open"}, 1: None}


async def test_many_items_come_in_the_order_of_their_keys(table) -> None:
    """More keys than one call takes, absent ones as None."""
    for number in range(0, 230, 2):
        await table.put_new(PutNew(k(f"item-{number}"), {"number": number}))

    found = await table.get_many([k(f"item-{number}") for number in reversed(range(230))])

    assert [item and item["number"] for item in found] == [
        number if number % 2 == 0 else None for number in reversed(range(230))
    ]
    assert await table.get_many([]) == ()


async def test_a_scan_finds_everything(table) -> None:
    """Each item once."""
    for number in range(30):
        await table.put_new(PutNew(k(f"item-{number}"), {"number": number}))

    assert sorted([item["number"] async for item in table.scan()]) == list(range(30))
