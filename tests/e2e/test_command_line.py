"""Every command says in words what is wrong, ends with an exit code that a script can trust, and shows nobody a traceback."""

import csv
import gzip
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from deploy.local import environment as local
from tests import commands
from tests.e2e.emulated import Emulated
from tests.e2e.programs import Finished, Program, orderstore
from tests.waiting import eventually
from workers.commands.environment import LOCAL_NUMBERS
from workers.settings import Settings, variable

pytestmark = pytest.mark.e2e

ONLINE_RETAIL = Path(__file__).parents[3] / "shared" / "data" / "online_retail" / "online_retail.csv.gz"
SALES = 30
ROWS = 5_000
"""As many are read, from the first on: an import reads its whole file before it sends anything, and this one is sent twice."""
NOBODY = "00000000-0000-4000-8000-000000000000"

needs_online_retail = pytest.mark.skipif(not ONLINE_RETAIL.exists(), reason=f"{ONLINE_RETAIL} is not here")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state directory of an environment in which no service runs: what is in it stays as it is."""
    state_dir = tmp_path_factory.mktemp("environment")
    local.start(state_dir, visibility_timeout_s=30, end_with=os.getpid())
    yield state_dir
    local.clean(state_dir)


def refused(done: Finished, *words: str, code: int) -> None:
    """It ended with this code, said all these words on standard error, and showed no traceback."""
    assert done.code == code, done.said
    assert "Traceback" not in done.said, done.said
    assert [word for word in words if word not in " ".join(done.err.split())] == [], done.said


def settings_of(environment: Path, **overrides: str | None) -> dict[str, str]:
    """The variables for `run` on the environment; None leaves one out."""
    known: Mapping[str, str | None] = {**LOCAL_NUMBERS, **Emulated.of(environment).settings, **overrides}
    return {name: value for name, value in known.items() if value is not None}


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("run", "nonsense"), ("no role 'nonsense'", "api, projector, relay, payment"), 2),
        (("demo", "--orders", "0"), ("--orders",), 2),
        (("up", "--port", "70000"), ("--port",), 2),
        (
            ("import", "online-retail", "nowhere.csv", "--dry-run"),
            ("nowhere.csv", "No such file", "Nothing was sent"),
            1,
        ),
        (
            ("import", "online-retail", "header.csv", "--dry-run"),
            ("not an Online Retail CSV", "'a,b,c'", "InvoiceNo"),
            1,
        ),
        (
            ("import", "online-retail", "torn.csv.gz", "--dry-run"),
            ("torn.csv.gz is damaged", "None of them was sent"),
            1,
        ),
        (("up", "--state-dir", "a-file/state"), ("a-file/state cannot be written",), 1),
        (("audit", "verify", "--state-dir", "empty"), ("no embedded environment runs in empty", "orderstore up"), 1),
        (("stock", "load", "goods.csv"), ("line 3", "Nothing was booked"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_what_cannot_be_done_is_said_in_words(
    arguments: tuple[str, ...], words: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    """Unknown roles, roles of later releases, numbers out of range, files that are absent, foreign or broken off."""
    (tmp_path / "a-file").touch()
    (tmp_path / "header.csv").write_text("a,b,c\n1,2,3\n")
    (tmp_path / "goods.csv").write_text("sku,quantity\nA,1\nB,many\n")
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    whole = gzip.compress((header + "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,France\n" * 999).encode())
    (tmp_path / "torn.csv.gz").write_bytes(whole[: len(whole) // 2])

    refused(commands.orderstore(*arguments, cwd=tmp_path), *words, code=code)


def test_every_missing_and_every_unknown_variable_is_named_at_once(tmp_path: Path) -> None:
    """A typing error must not become a silent default, and nobody should have to start five times to learn of five gaps."""
    done = commands.orderstore(
        "run", "api", cwd=tmp_path, variables={"ORDERSTORE_TOPIC_ANR": "arn", "ORDERSTORE_API_PORT": "x"}
    )

    missing = ("RESOURCE_PREFIX", "TOPIC_ARN", "BLOBS_BUCKET", "KMS_KEY_ID", "PROVIDERS")
    names = [f"ORDERSTORE_{name}: missing" for name in missing]
    refused(done, *names, "ORDERSTORE_TOPIC_ANR: unknown", "ORDERSTORE_API_PORT:", code=2)


def test_settings_lists_every_variable_with_meaning_default_and_unit(tmp_path: Path) -> None:
    """The list is the dataclass itself; for people and for programs."""
    listed = orderstore("settings", "--json", cwd=tmp_path).document

    assert [row["variable"] for row in listed] == [variable(known) for known in fields(Settings)]
    assert all(row["meaning"] for row in listed)
    assert all(row["required"] == (row["default"] is None) for row in listed if row["required"])
    assert {row["unit"] for row in listed if row["variable"].endswith("_S")} == {"s"}
    for_people = commands.orderstore("settings", cwd=tmp_path)
    assert for_people.code == 0
    assert [row["variable"] for row in listed if row["variable"] not in for_people.out] == []


def test_the_api_does_not_start_without_tokens(environment: Path, tmp_path: Path) -> None:
    """It refuses rather than run open to everybody."""
    variables = settings_of(environment, ORDERSTORE_API_TOKENS=None, ORDERSTORE_API_PORT="0")

    refused(
        commands.orderstore("run", "api", cwd=tmp_path, variables=variables), "no API token", "refuses to start", code=1
    )


def test_a_port_that_is_taken_is_named(environment: Path, tmp_path: Path) -> None:
    """And nothing was started: the port's owner keeps it."""
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port = str(owner.getsockname()[1])
        token = local.token_setting("a-token")
        variables = settings_of(environment, ORDERSTORE_API_PORT=port, ORDERSTORE_API_TOKENS=token)
        done = commands.orderstore("run", "api", cwd=tmp_path, variables=variables)

    refused(done, f"cannot listen on 127.0.0.1:{port}", "choose another port", code=1)


def test_a_queue_that_does_not_fit_the_settings_stops_the_start(environment: Path, tmp_path: Path) -> None:
    """Heartbeats made for another visibility timeout would let messages be handled twice."""
    variables = settings_of(environment, ORDERSTORE_VISIBILITY_TIMEOUT_S="60", ORDERSTORE_METRICS_PORT="0")

    done = commands.orderstore("run", "payment", cwd=tmp_path, variables=variables)
    refused(done, "orderstore-local-payment", "30 s", "ORDERSTORE_VISIBILITY_TIMEOUT_S says 60", code=1)  # E076 E078


def test_a_second_service_on_the_same_state_directory_is_refused_and_the_first_goes_on(
    served: Program, tmp_path: Path
) -> None:
    """It must neither serve beside the first nor take the emulator away from it."""
    for arguments in (("up", "--port", "0"), ("demo", "--orders", "1", "--exit")):
        done = commands.orderstore(*arguments, "--state-dir", str(served.state_dir), cwd=tmp_path)
        refused(done, "another process serves", str(served.state_dir), code=1)

    assert served.process.poll() is None
    assert served.api.call("GET", "/readyz").status == 200
    body = {"currency": "GBP", "items": [{"sku": "TEA", "quantity": 1, "price": "0.50"}]}
    order_id = served.api.call("POST", "/orders", body).document["orderId"]
    eventually(
        lambda: served.api.order(order_id).get("status") == "COMPLETED", what="it goes on", process=served.process
    )


def test_views_compare_finds_a_planted_difference_and_nothing_else(served: Program, tmp_path: Path) -> None:
    """Exit 0 while every view equals the log; exit 1, naming order and field, when somebody changed a document."""
    body = {"currency": "GBP", "items": [{"sku": "CUP", "quantity": 3, "price": "1.25"}]}
    order_id = served.api.call("POST", "/orders", body).document["orderId"]
    eventually(lambda: served.api.order(order_id).get("status") == "COMPLETED", what="done", process=served.process)
    command = ("views", "compare", "--json", "--state-dir", str(served.state_dir))
    before = commands.orderstore(*command, cwd=tmp_path)
    assert before.code == 0, before.said
    assert before.document["ok"]

    emulated = Emulated.of(served.state_dir)
    (item,) = (
        item
        for item in emulated.items("views")
        if order_id in item["key"]["S"]
        and '"totalMinor":375' in item["document"].get("S", "")
        and "order_status" in item["key"]["S"]
    )
    changed = {**item, "document": {"S": item["document"]["S"].replace('"totalMinor":375', '"totalMinor":374')}}
    emulated.put("views", changed)
    try:
        after = commands.orderstore(*command, cwd=tmp_path)
    finally:
        emulated.put("views", item)

    assert after.code == 1, after.said
    (difference,) = after.document["differences"]
    assert order_id in difference["stream"]
    (field,) = difference["fields"]
    assert (field["field"], field["expected"], field["found"]) == ("totalMinor", 375, 374)  # design 1.3


def test_stock_is_received_once_per_receipt_and_its_level_is_told(environment: Path, tmp_path: Path) -> None:
    """A repeat adds nothing; the same number with other goods is refused."""

    def stock(*arguments: str) -> Finished:
        return commands.orderstore("stock", *arguments, "--state-dir", str(environment), cwd=tmp_path)

    assert stock("receive", "KETTLE", "5", "--receipt", "r-1").code == 0
    assert stock("receive", "KETTLE", "5", "--receipt", "r-1").code == 0
    refused(stock("receive", "KETTLE", "6", "--receipt", "r-1"), "r-1 was booked with other goods", code=1)
    levels = stock("level", "KETTLE", "NEVER-SEEN", "--json").document
    assert levels == {
        "KETTLE": {"on_hand": 5, "available": 5, "reserved": 0, "committed": 0, "damaged": 0},
        "NEVER-SEEN": None,
    }


@pytest.fixture(scope="module")
def first_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rows of the data set, byte for byte."""
    path = tmp_path_factory.mktemp("first-rows") / ONLINE_RETAIL.name
    with gzip.open(ONLINE_RETAIL, "rb") as whole, gzip.open(path, "wb") as first:
        first.writelines(islice(whole, 1 + ROWS))
    return path


def first_sales(path: Path, count: int) -> list[list[dict[str, str]]]:
    """The first real sales of the file, read by other code than the importer's: its rows, invoice by invoice."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        invoices: dict[str, list[dict[str, str]]] = {}
        for row in csv.DictReader(file):
            invoices.setdefault(row["InvoiceNo"], []).append(row)
    *whole, _perhaps_broken_off = invoices.values()
    sales = [rows for rows in whole if rows[0]["InvoiceNo"].isdecimal() and total_of(rows) > 0]
    return sales[:count]


def total_of(rows: list[dict[str, str]]) -> Decimal:
    """Quantity x price, to the last digit."""
    return sum((int(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in rows), Decimal(0))


@pytest.fixture(scope="module")
def imported(environment: Path, first_rows: Path) -> dict[str, Any]:
    """What the first import of the first sales said."""
    done = import_sales(environment, first_rows)
    assert done.code == 0, done.said
    document: dict[str, Any] = done.document
    return document


def import_sales(environment: Path, file: Path) -> Finished:
    """Import the first sales of a file into the environment."""
    arguments = ("import", "online-retail", str(file), "--limit", str(SALES), "--json")
    return commands.orderstore(*arguments, "--state-dir", str(environment), cwd=file.parent)


@needs_online_retail
def test_real_sales_are_imported_to_the_last_digit_and_a_second_time_adds_nothing(
    environment: Path, imported: dict[str, Any], first_rows: Path
) -> None:
    """The total equals a sum made straight from the file; the second run meets its own orders, every one."""
    sales = first_sales(first_rows, SALES)
    counts = imported["imported"]
    assert counts["orders_new"] == len(sales) == SALES
    assert Decimal(counts["total"]) == sum(map(total_of, sales))
    items = sorted(map(repr, Emulated.of(environment).items("events")))

    again = import_sales(environment, first_rows)

    assert again.code == 0, again.said
    assert again.document["imported"]["orders_new"] == 0
    assert again.document["imported"]["orders_already"] == SALES
    assert sorted(map(repr, Emulated.of(environment).items("events"))) == items, "the log has not grown"


@needs_online_retail
def test_audit_history_tells_what_happened_and_says_so_when_there_is_no_such_order(
    environment: Path, imported: dict[str, Any], tmp_path: Path
) -> None:
    """A known order's events in order; an unknown one is an error, not an empty list."""
    order_id = Emulated.of(environment).items("events")[0]["stream"]["S"].partition("/order-")[2]
    command = ("audit", "history", "--json", "--state-dir", str(environment))

    known = commands.orderstore(*command, order_id, cwd=tmp_path)
    assert known.code == 0, known.said
    assert known.document[0]["type"] == "OrderCreated"
    refused(commands.orderstore(*command, NOBODY, cwd=tmp_path), f"no order {NOBODY}", code=1)


@needs_online_retail
def test_audit_verify_names_order_commit_and_reason_of_any_tampering(
    environment: Path, imported: dict[str, Any], tmp_path: Path
) -> None:
    """Exit 0 over the log as it was written; exit 1 when one byte of one commit is another."""
    emulated = Emulated.of(environment)
    command = ("audit", "verify", "--state-dir", str(environment))
    whole = commands.orderstore(*command, "--json", cwd=tmp_path)
    assert whole.code == 0, whole.said
    assert whole.document["ok"]
    assert whole.document["orders"] >= SALES

    item = emulated.items("events")[0]
    stream, commit = item["stream"]["S"], int(item["commit"]["N"])
    emulated.put("events", {**item, "recorded_at": {"N": str(int(item["recorded_at"]["N"]) + 1)}})
    try:
        tampered = commands.orderstore(*command, "--json", cwd=tmp_path)
        in_words = orderstore(*command, cwd=tmp_path)
    finally:
        emulated.put("events", item)

    assert tampered.code == in_words.code == 1
    (finding,) = tampered.document["findings"]
    assert (finding["stream"], finding["commit"], finding["reason"]) == (stream, commit, "hash_mismatch")
    assert f"{stream} commit {commit}: hash_mismatch" in in_words.out
    assert "Traceback" not in in_words.said
    assert json.loads(commands.orderstore(*command, "--json", cwd=tmp_path).out)["ok"], (
        "put back, it is whole again"
    )  # design 1.2
