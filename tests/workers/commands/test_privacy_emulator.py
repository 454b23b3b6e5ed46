"""The privacy commands over tables, objects, keys and queues of the embedded environment."""

import base64
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard
from anyio import to_thread

from orderstore.domain import billing, decisions
from orderstore.domain.ids import order_of
from orderstore.orders import placed
from orderstore.privacy.buyers import seal_buyer
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import current_targets
from tests.builders import BOOKED, CAPTURED, DELIVERED, DISPATCHED, NOON, PAID, RESERVED
from tests.commands import orderstore
from tests.e2e.programs import Finished
from tests.emulator import clients_for
from tests.ordering import cause, request
from tests.projections.bringing_up import bring_up_all
from workers.core import Core, open_core
from workers.metrics.table import Metrics
from workers.settings import from_environment

pytestmark = pytest.mark.emulator
NAME, EMAIL, WORDS = "Wilhelmina Quackenbush", "wilhelmina@mail.example", "Ottoline Featherstonehaugh has it"
CARD = "4242-4242-4242-4242"
SHOP = Actor("customer", "shop")
Run = Callable[..., Awaitable[Finished]]


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """A command of `orderstore privacy`; `code` is what it must end with."""

    async def command(*arguments: str, code: int = 0) -> Finished:
        call = partial(orderstore, "privacy", *arguments, cwd=tmp_path, variables=environment)
        done: Finished = await to_thread.run_sync(call)
        assert done.code == code, done.said
        for telltale in (NAME, EMAIL, WORDS):
            assert telltale.casefold() not in done.said.casefold() or arguments[0] == "show-buyer"
        return done

    return command


async def place(core: Core, customer: str | None = "c-1") -> str:
    asked = request(customerId=customer, customerName=NAME, customerEmail=EMAIL)
    return order_of((await core.orders.place(asked, actor=SHOP, idempotency_key=None)).history.stream)[1]


async def fulfil(core: Core, order_id: str, *, number: int) -> None:
    history = await core.orders.load(order_id)
    buyer = await seal_buyer(core.sealer, placed(history).order, history.stream, year=NOON.year)
    issue = partial(
        billing.issue_invoice, series="INV-2026", number=number, issued_at=NOON, supplied_at=NOON, buyer=buyer
    )
    for purpose, decide in {
        "payment": partial(decisions.complete_payment, outcome=PAID),
        "inventory": partial(decisions.reserve_inventory, outcome=RESERVED),
        "booking": partial(decisions.create_shipment, outcome=BOOKED),
        "dispatch": partial(decisions.dispatch_shipment, outcome=DISPATCHED),
        "capture": partial(decisions.capture_payment, outcome=CAPTURED),
        "invoice": issue,
        "delivery": partial(decisions.deliver_shipment, outcome=DELIVERED),
    }.items():
        history = await core.orders.record(history, decide, cause=cause(purpose, f"{order_id}-cause"))


async def project(core: Core) -> None:
    """Bring the views up to the log, as the projector does."""
    projector = ViewProjector(core.store, core.views, await current_targets(core.views))
    await bring_up_all(projector)


async def test_a_customer_is_erased_and_the_certificate_the_invoice_and_the_proofs_are_there(
    environment: dict[str, str], run: Run
) -> None:
    """Refused while an order is open; then erased, certified under Object Lock, and the buyer still shown to an auditor."""
    async with open_core(from_environment(environment), Metrics()) as core:
        done, other = await place(core), await place(core, "c-2")
        await fulfil(core, done, number=1)
        still_open = await place(core)
        await core.orders.cancel(still_open, CancelOrder(reason=WORDS), actor=SHOP)
        await project(core)

        refused = await run("erase", "c-1", "--reason", "ticket 4711", code=1)
        assert still_open in refused.said
        assert done not in refused.said
        planned = (await run("erase", "c-1", "--reason", "t", "--dry-run", "--json")).document
        assert {order["order_id"]: order["open"] for order in planned["orders"]} == {done: False, still_open: True}
        assert planned["in_the_way"] == [still_open]
        told = (await run("erase", "c-1", "--reason", "t", "--dry-run")).said
        assert f"{still_open} open" in told
        assert "would be refused" in told
        await run("erase", "nobody", "--reason", "ticket 4711", code=1)
        for reason in (f"letter of {EMAIL}", f"card {CARD}"):
            await run("erase", "c-1", "--reason", reason, code=2)
        planned = (await run("erase", "c-1", "--reason", "t", "--despite-open-orders", "--dry-run", "--json")).document
        assert {order["order_id"] for order in planned["orders"]} == {done, still_open}
        assert await core.sealer.open(placed(await core.orders.load(done)).order.contact, f"main/order-{done}")  # type: ignore[arg-type]  # it has one

        options = ("--reason", "ticket 4711", "--despite-open-orders", "--by", "dpo", "--json")
        erased = (await run("erase", "c-1", *options)).document
        again = (await run("erase", "c-1", *options, "--from-view")).document

        assert (erased["new"], set(erased["marked"])) == (True, {done, still_open})
        assert (again["new"], again["marked"], again["certificate"]) == (False, [], erased["certificate"])
        assert erased["certificate"]["actor"] == {"type": "operator", "id": "dpo"}
        certificate = erased["certificate"]["id"]
        shown = (await run("certificate", certificate, "--json")).document
        assert shown["certificate"] == erased["certificate"]
        assert shown["fingerprint"] in (await run("certificate", certificate)).said
        await run("certificate", certificate, "--key", "0" * 64, code=1)
        await run("certificate", "no-such-certificate", code=1)
        with clients_for(environment) as clients:
            head = clients("s3").head_object(
                Bucket=environment["ORDERSTORE_AUDIT_BUCKET"], Key=f"erasures/{certificate}.json"
            )
        assert head["ObjectLockRetainUntilDate"]

        assert (await run("show-buyer", "INV-2026-000001")).out.strip() == NAME
        assert (await run("expire", "--json")).document == {"dry_run": False, "expired": []}
        assert (await run("show-buyer", "INV-2026-000001", "--json")).document["buyer"] == NAME
        await run("show-buyer", "INV-2026-000009", code=1)
        contact = placed(await core.orders.load(other)).order.contact
        assert contact is not None
        assert NAME.encode() in await core.sealer.open(contact, f"main/order-{other}")

        guest = await place(core, None)
        await run("erase", "--order", other, "--reason", "t", "--despite-open-orders", code=1)
        assert (await run("erase", "--order", guest, "--reason", "t", "--despite-open-orders", "--json")).document[
            "new"
        ]


async def test_a_fiscal_key_ends_when_its_time_is_over(environment: dict[str, str], run: Run) -> None:
    """By its name alone; the invoice stays and names nobody."""
    async with open_core(from_environment(environment), Metrics()) as core:
        await core.keys.key_for("fiscal:2001:customer:c-1")
        await core.keys.key_for("fiscal:2026:customer:c-1")

    assert (await run("expire", "--dry-run", "--json")).document["expired"] == ["fiscal:2001:customer:c-1"]
    assert (await run("expire", "--json")).document["expired"] == ["fiscal:2001:customer:c-1"]
    assert (await run("expire", "--json")).document["expired"] == []


async def test_the_scan_finds_what_was_planted_in_each_place_and_nothing_else(
    environment: dict[str, str], run: Run, tmp_path: Path
) -> None:
    """Tables, both buckets, packed objects, dead letters, logs; and not one word of what was found."""
    prefix = environment["ORDERSTORE_RESOURCE_PREFIX"]
    async with open_core(from_environment(environment), Metrics()) as core:
        order_id = await place(core)
        await fulfil(core, order_id, number=1)
        await project(core)
    clean = (await run("scan", "--canary", NAME, "--canary", EMAIL, "--json", "--peek-queues")).document
    assert clean["ok"]
    assert clean["looked_at"]["items"] >= 4

    packed = zstandard.ZstdCompressor().compress(
        (b'{"stream":"s","body":"{\\"note\\":\\"' + WORDS.encode() + b'\\"}"}\n') * 5_000
    )
    log = tmp_path / "service.log"
    log.write_text(json.dumps({"event": "fine"}) + "\n" + json.dumps({"event": f"to {EMAIL}"}) + "\n", encoding="utf-8")

    def plant(clients: Any) -> None:
        key = {"order": {"S": f"for {EMAIL}"}, "notification": {"S": "n"}}
        clients("dynamodb").put_item(
            TableName=f"{prefix}-notifications", Item={**key, "detail": {"S": base64.b64encode(NAME.encode()).decode()}}
        )
        clients("s3").put_object(Bucket=environment["ORDERSTORE_BLOBS_BUCKET"], Key="archive/x.zst", Body=packed)
        clients("s3").put_object(
            Bucket=environment["ORDERSTORE_AUDIT_BUCKET"], Key="roots/x", Body=b"x" * 3_000_000 + CARD.encode()
        )
        for queue, body in ((f"{prefix}-payment-dlq", f'{{"card":"{CARD}"}}'), (f"{prefix}-payment", "CVV 123")):
            url = clients("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
            clients("sqs").send_message(QueueUrl=url, MessageBody=body)

    with clients_for(environment) as clients:
        plant(clients)
    canaries = ("--canary", NAME, "--canary", WORDS)
    found = await run("scan", *canaries, "--log", str(log), "--json", code=1)
    peeked = await run("scan", *canaries, "--peek-queues", "--json", code=1)

    def places(document: dict[str, Any]) -> set[tuple[str, str]]:
        return {(finding["place"].split(",")[0].split(" (")[0], finding["kind"]) for finding in document["findings"]}

    blobs, audit = environment["ORDERSTORE_BLOBS_BUCKET"], environment["ORDERSTORE_AUDIT_BUCKET"]
    planted = {
        (f"table {prefix}-notifications", "canary 1"),
        (f"table {prefix}-notifications", "e-mail address"),
        (f"bucket {blobs}", "canary 2"),
        (f"bucket {audit}", "card number"),
        (f"queue {prefix}-payment-dlq", "card number"),
    }
    assert places(found.document) == planted | {("log service.log", "e-mail address")}
    assert places(peeked.document) == planted | {(f"queue {prefix}-payment", "security code")}
    assert found.document["counts"]["canary 2"] == 5_000
    for told in (found, peeked):
        assert "4242" not in told.said
        assert "mail.example" not in told.said
    with clients_for(environment) as clients:
        url = clients("sqs").get_queue_url(QueueName=f"{prefix}-payment-dlq")["QueueUrl"]
        assert clients("sqs").receive_message(QueueUrl=url)["Messages"], "what was looked at is shown again at once"
