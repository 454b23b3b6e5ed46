"""The rules by which AWS charges, on the examples of its own documentation."""

import pytest

from tests.cost import rules, telling
from tests.cost.capacity import Target, Units, read_by, targets, written_by
from tests.cost.looking import Index
from tests.cost.partiql import written
from tests.cost.rules import Item


def item_of(size: int, **attributes: Item) -> Item:
    """An item of exactly so many bytes."""
    start: dict[str, Item] = {"key": {"S": "k"}, **attributes}
    left = size - rules.item_bytes(start) - len("filling")
    return {**start, "filling": {"B": bytes(left)}}


class Tables:
    """What the second look would see, from hand-made tables."""

    def __init__(self, *items: Item, indexes: tuple[Index, ...] = ()) -> None:
        self._items = {item["key"]["S"]: item for item in items}
        self._indexes = indexes

    def keys_of(self, table: str) -> tuple[str, ...]:
        return ("key",)

    def indexes_of(self, table: str) -> tuple[Index, ...]:
        return self._indexes

    def item(self, table: str, key: Item) -> Item | None:
        return self._items.get(key["key"]["S"])

    def evaluated(self, operation: str, request: Item) -> list[Item]:
        return list(self._items.values())


def test_the_page_about_cost_shows_the_tables_that_are_reckoned_with() -> None:
    """docs/cost.md holds what `python -m tests.cost --markdown` prints."""
    assert telling.markdown() in telling.PAGE.read_text(encoding="utf-8")


def test_an_items_size_is_that_of_its_names_and_values() -> None:
    """ "DynamoDB item sizes and formats": UTF-8 of names and strings, raw bytes, one for booleans and null."""
    assert rules.item_bytes({"näme": {"S": "wörd"}}) == 5 + 5
    assert rules.item_bytes({"b": {"B": b"12345"}, "t": {"BOOL": True}, "n": {"NULL": True}}) == 6 + 2 + 2


@pytest.mark.parametrize(
    ("number", "size"),
    [("0", 1), ("7", 2), ("27", 2), ("-27", 3), ("461", 3), ("19000", 2), ("0.0045", 2), ("1234.5678", 5)],
)
def test_a_number_takes_a_byte_for_two_significant_digits_and_one_more(number: str, size: int) -> None:
    """Same page: leading and trailing zeroes are trimmed."""
    assert rules.value_bytes({"N": number}) == size


def test_lists_and_maps_take_three_bytes_and_one_for_each_element() -> None:
    """Same page."""
    assert rules.value_bytes({"L": []}) == 3
    assert rules.value_bytes({"L": [{"S": "ab"}, {"S": "c"}]}) == 3 + (1 + 2) + (1 + 1)
    assert rules.value_bytes({"M": {"ab": {"S": "c"}}}) == 3 + 1 + 2 + 1


@pytest.mark.parametrize(("size", "units"), [(500, 1), (1024, 1), (1025, 2), (1638, 2), (2048, 2), (310 * 1024, 310)])
def test_a_write_costs_a_unit_for_each_kilobyte_begun(size: int, units: int) -> None:
    """ "DynamoDB read and write operations": 500 bytes as 1 KB, 1.6 KB as 2 KB; twice that in a transaction."""
    assert rules.write_units(size) == units
    assert rules.write_units(size, transactional=True) == 2 * units


@pytest.mark.parametrize(("size", "units"), [(0, 1), (3_500, 1), (4096, 1), (4097, 2), (8192, 2), (10 * 1024, 3)])
def test_a_consistent_read_costs_a_unit_for_each_four_kilobytes_begun(size: int, units: int) -> None:
    """Same page: half of it where it need not be consistent, twice in a transaction, and the least also for what is not there."""
    assert rules.read_units(size, consistent=True) == units
    assert rules.read_units(size, consistent=False) == units / 2
    assert rules.read_units(size, consistent=True, transactional=True) == 2 * units


def test_an_update_costs_the_larger_of_what_was_and_what_is() -> None:
    """Same page, UpdateItem and PutItem: a small change of a large item costs the large item."""
    small, large = item_of(500), item_of(3 * 1024)
    assert rules.written_units(large, small) == 3
    assert rules.written_units(small, large) == 3
    assert rules.written_units(large, None) == 3


@pytest.mark.parametrize(("refused", "units"), [(300, 1), (2 * 1024, 2)])
def test_a_write_whose_condition_fails_costs_what_stands_or_was_to_be_written(refused: int, units: int) -> None:
    """Same page: "If the expression evaluates to false, DynamoDB still consumes write capacity units"."""
    standing, wanted = item_of(1024), item_of(refused)
    (found,) = written_by([Target("t", {"key": {"S": "k"}}, wanted)], [standing], [standing], Tables(standing))
    assert found.write == units
    assert found.stored == 0


ALL = Index(("list",), None)
KEYS_ONLY = Index(("list",), frozenset({"list", "key"}))
A, B = {"S": "A"}, {"S": "B"}


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item_of(500), 0),
        (None, item_of(500, list=A), 1),
        (item_of(500, list=A), None, 1),
        (item_of(500, list=A), item_of(500), 1),
        (item_of(500, list=A), item_of(600, list=A), 1),
        (item_of(500, list=A), item_of(500, list=B), 2),
        (item_of(500, list=A), item_of(500, list=A), 0),
        (item_of(1500, list=A), item_of(500, list=B), 3),
    ],
    ids=["never in", "put in", "deleted", "key taken away", "changed", "moved", "as it was", "moved, large"],
)
def test_an_index_costs_nothing_one_write_or_two(before: Item | None, after: Item | None, units: int) -> None:
    """ "Using Global Secondary Indexes", "Write capacity units": by whether the item was and is in it, and under which key."""
    (found,) = written_by([Target("t", {"key": {"S": "k"}}, None)], [before], [after], Tables(indexes=(ALL,)))
    assert found.index == units


def test_an_index_of_keys_is_not_written_when_something_else_changes() -> None:
    """Same page: only what is projected is written."""
    change = item_of(500, list=A), item_of(900, list=A)
    (found,) = written_by(
        [Target("t", {"key": {"S": "k"}}, None)], [change[0]], [change[1]], Tables(indexes=(KEYS_ONLY,))
    )
    assert found.index == 0


def test_a_transaction_costs_double_and_a_mere_check_no_index() -> None:
    """ "Amazon DynamoDB Transactions: How it works", capacity: two underlying writes for each item."""
    entry = {"TableName": "t", "Key": {"key": {"S": "k"}}}
    asked = {"TransactItems": [{"Put": {"TableName": "t", "Item": item_of(500, list=A)}}, {"ConditionCheck": entry}]}
    tables = Tables(indexes=(ALL,))
    found = targets("TransactWriteItems", asked, tables)
    put, check = written_by(found, [None, item_of(500)], [found[0].item, item_of(500)], tables)
    assert (put.write, put.index) == (2, 2)
    assert (check.write, check.index) == (2, 0)


def test_a_batch_is_as_many_reads_as_it_asks_for_keys() -> None:
    """ "BatchGetItem": two items of 1.5 KB and 6.5 KB are 4 KB and 8 KB; a key that is not there is one more."""
    found = [item_of(1536), item_of(6656)]
    asked = {"RequestItems": {"t": {"Keys": [{}, {}, {}], "ConsistentRead": True}}}
    assert read_by("BatchGetItem", asked, {"Responses": {"t": found}}, Tables()) == [
        Units("t", read=1 + 2 + 1, items=3)
    ]


def test_a_query_rounds_the_sum_of_what_it_went_through() -> None:
    """ "Query": 1,500 items of 64 bytes are 96 KB (of 4 KB each: 24 units); a projection and a count save nothing."""
    items = [{"key": {"S": f"{n:04}"}, "x": {"B": bytes(56)}} for n in range(1500)]
    assert rules.item_bytes(items[0]) == 64
    asked = {"TableName": "t", "ConsistentRead": True}
    assert read_by("Query", asked, {"Items": items}, Tables())[0].read == 24
    narrowed = {**asked, "ProjectionExpression": "#x"}
    assert read_by("Query", narrowed, {"Items": []}, Tables(*items))[0].read == 24
    assert read_by("Query", {**asked, "Select": "COUNT"}, {"Count": 1500}, Tables(*items))[0].read == 24


def test_each_statement_of_a_batch_is_a_write_of_its_own() -> None:
    """ "BatchExecuteStatement": and the meter finds the item that a statement means."""
    statements = [
        {"Statement": """INSERT INTO "t" VALUE {'key': ?, 'x': ?}""", "Parameters": [{"S": "a"}, {"S": "new"}]},
        {
            "Statement": 'UPDATE "t" SET "x"=? SET "y"=? REMOVE "z" WHERE "key"=? AND "x"=?',
            "Parameters": [{"S": "1"}, {"S": "2"}, {"S": "b"}, {"S": "0"}],
        },
    ]
    first, second = targets("BatchExecuteStatement", {"Statements": statements}, Tables())
    assert (first.key, first.item) == ({"key": {"S": "a"}}, {"key": {"S": "a"}, "x": {"S": "new"}})
    assert (second.key, second.item) == ({"key": {"S": "b"}}, None)


@pytest.mark.parametrize("statement", ['SELECT * FROM "t"', 'UPDATE "t" SET "x"=? WHERE "y"=?'])
def test_the_meter_refuses_what_it_cannot_price(statement: str) -> None:
    """A call that nobody can price must not count as nothing."""
    with pytest.raises(ValueError, match="does not know"):
        written(statement, [{"S": "1"}, {"S": "2"}], {"t": ("key",)})
    with pytest.raises(ValueError, match="does not know"):
        targets("TransactGetItems", {}, Tables())


@pytest.mark.parametrize(("payload", "requests"), [(0, 1), (65_536, 1), (65_537, 2), (262_144, 4)])
def test_sqs_and_sns_charge_each_64_kilobytes_begun(payload: int, requests: int) -> None:
    """aws.amazon.com/sqs/pricing: "an API action with a 256 KB payload is billed as 4 requests"; an empty receive is one."""
    assert rules.billed_requests(payload) == requests
