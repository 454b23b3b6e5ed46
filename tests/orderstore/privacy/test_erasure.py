"""Erasing a person: what was sealed for them is unreadable, what the law keeps stays, every proof holds, one certificate says so."""

import json
from dataclasses import replace

import anyio
import orjson
import pytest

from orderstore.audit.verify import verify_stream
from orderstore.domain.events import InvoiceIssued, PersonalDataErased
from orderstore.domain.ids import event_id
from orderstore.domain.rejections import UnknownOrder
from orderstore.orders import CustomerErased
from orderstore.privacy.buyers import Buyer, NoBuyer, open_buyer
from orderstore.privacy.certificates import certificate_id, find
from orderstore.privacy.contents import personal_in
from orderstore.privacy.erasure import ErasureUnproved, NobodyKnown, OpenOrders
from orderstore.privacy.keys import KeyErased
from orderstore.privacy.survey import NotTheirOrder, orders_by_scan
from orderstore.requests import CancelOrder, RequestRefund
from orderstore.store.chain import seal
from orderstore.store.errors import Unavailable
from tests.orderstore.privacy.shop import EMAIL, NAME, SHOP, TENANT, Shop, stream
from tests.virtual_time import run_virtual
from tests.workers.world import Crash, Faults

WORDS = "my neighbour Ottoline Featherstonehaugh at number 7 took it"


async def completed(shop: Shop, customer: str | None = "c-1", *, number: int = 1) -> str:
    """An order that came to its end, with a refund asked for in the customer's own words."""
    order_id = await shop.place(customer)
    await shop.fulfil(order_id, number=number)
    return order_id


async def refunded(shop: Shop, order_id: str) -> None:
    asked = RequestRefund.model_validate({"lines": [{"line": 1, "quantity": 1}], "reason": WORDS})
    await shop.orders.request_refund(order_id, asked, actor=SHOP, idempotency_key="r-1")


def test_after_an_erasure_nothing_sealed_for_the_customer_opens_in_any_order() -> None:
    """Contact and words alike, in open and closed orders; the log holds the same bytes as before, and one event more in each order."""

    async def scenario() -> None:
        shop = Shop()
        orders = [await completed(shop), await completed(shop, number=2)]
        await refunded(shop, orders[0])
        before = {order_id: await shop.log.read(stream(order_id)) for order_id in orders}

        erased = await shop.eraser.erase(shop.asking(*orders, despite_open_orders=True))

        assert erased.new
        assert set(erased.marked) == set(orders)
        for order_id in orders:
            history = await shop.orders.load(order_id)
            opened = 0
            for personal in personal_in(history):
                assert personal.sealed is not None
                if personal.field == "buyer":
                    continue
                opened += 1
                with pytest.raises(KeyErased):
                    await shop.sealer.open(personal.sealed, personal.purpose)
            assert opened >= 1
            after = await shop.log.read(stream(order_id))
            assert after[:-1] == before[order_id]
            assert not (await verify_stream(shop.log, stream(order_id))).findings
            assert history.events[-1].name == "PersonalDataErased"

    run_virtual(scenario)


def test_the_log_never_held_anything_personal_in_the_clear() -> None:
    """Not before the erasure either: name, address and words are only ever ciphertext, also those of cancellations."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await completed(shop)
        await refunded(shop, order_id)
        other = await shop.place()
        await shop.orders.cancel(other, CancelOrder(reason=WORDS), actor=SHOP)

        bodies = (await shop.bodies()).lower()

        for telltale in ("ottoline", "featherstonehaugh", "wilhelmina", "quackenbush", EMAIL):
            assert telltale.encode() not in bodies

    run_virtual(scenario)


def test_an_invoice_names_its_buyer_also_after_the_erasure_and_nobody_s_address() -> None:
    """The law's part: the name under the fiscal key of the year, nothing more of the contact."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await completed(shop)
        await shop.eraser.erase(shop.asking(order_id))

        history = await shop.orders.load(order_id)
        (invoice,) = [past.event for past in history.events if isinstance(past.event, InvoiceIssued)]
        assert invoice.buyer is not None
        assert invoice.buyer.subject == "fiscal:2026:customer:c-1"
        assert await open_buyer(shop.sealer, invoice, history.stream) == Buyer(name=NAME)
        plain = await shop.sealer.open(invoice.buyer, f"{history.stream}/buyer")
        assert orjson.loads(plain) == {"name": NAME}
        await shop.ring.erase("fiscal:2026:customer:c-1")
        shop.keys._forget("fiscal:2026:customer:c-1")
        with pytest.raises(KeyErased):
            await open_buyer(shop.sealer, invoice, history.stream)

    run_virtual(scenario)


def test_what_is_erased_before_the_invoice_is_issued_names_no_buyer() -> None:
    """The invoice is issued all the same."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await shop.place()
        await shop.eraser.erase(shop.asking(order_id, despite_open_orders=True))
        await shop.fulfil(order_id)

        history = await shop.orders.load(order_id)
        (invoice,) = [past.event for past in history.events if isinstance(past.event, InvoiceIssued)]
        with pytest.raises(NoBuyer):
            await open_buyer(shop.sealer, invoice, history.stream)
        assert (await shop.events(order_id))[-1] == "OrderCompleted"

    run_virtual(scenario)


def test_the_certificate_says_what_was_destroyed_what_is_kept_and_what_was_proved() -> None:
    """And until when: the time at which every process has forgotten, the year of the invoice, the backups of the keys."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await completed(shop)
        erased = await shop.eraser.erase(shop.asking(order_id))
        found = await find(shop.locked_objects, erased.certificate["id"])
        assert found is not None
        document, _ = found

        assert json.loads(json.dumps(document)) == erased.certificate
        assert document["subject"] == "customer:c-1"
        assert document["reason"] == "asked by letter, ticket 4711"
        assert document["actor"] == {"type": "operator", "id": "dpo"}
        assert document["id"] == certificate_id(TENANT, "customer:c-1")
        fiscal, backups, accounts = document["kept"]
        assert (fiscal["until"], fiscal["invoices"]) == ("2036-12-31", ["INV-2026-000001"])
        assert "backups" in backups["what"]
        assert "accounts" in accounts["why"]
        (proof,) = document["orders"]
        commits = await shop.log.read(stream(order_id))
        assert proof == {
            "orderId": order_id,
            "commits": len(commits),
            "head": commits[-1].hash.hex(),
            "unreadableTexts": 1,
        }
        destroyed = document["destroyed"]
        assert destroyed["destroyedAt"] < destroyed["forgottenEverywhereAt"]
        marked = (await shop.orders.load(order_id)).events[-1]
        assert marked.event == PersonalDataErased(
            subject="customer:c-1", certificate=document["id"], key_classes=("operational",)
        )
        assert marked.event_id == event_id(document["id"], f"personal-data-erased:{order_id}")
        assert NAME not in json.dumps(document)
        assert EMAIL not in json.dumps(document)

    run_virtual(scenario)


def test_plain_texts_of_an_older_build_are_named_for_they_cannot_be_erased() -> None:
    """They stand under the chain of hashes; the certificate does not pretend otherwise. The service's own words are nobody's."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await completed(shop)
        await refunded(shop, order_id)
        commits = list(await shop.log.read(stream(order_id)))
        body = orjson.loads(commits[-1].body)
        body["events"][0]["eventVersion"] = "1.0"
        body["events"][0]["data"]["reason"] = WORDS
        older = seal(
            stream=stream(order_id),
            number=commits[-1].number,
            recorded_at_ms=commits[-1].recorded_at_ms,
            body=orjson.dumps(body),
            previous=commits[-2],
        )
        shop.log._commits[stream(order_id)][-1] = older

        erased = await shop.eraser.erase(shop.asking(order_id, despite_open_orders=True))

        (plain,) = [kept for kept in erased.certificate["kept"] if "1.0" in kept["what"]]
        assert plain["orders"] == [{"orderId": order_id, "versions": [body["firstVersion"]]}]

    run_virtual(scenario)


def test_open_orders_are_not_erased_under_somebody_s_hands_unless_told_so() -> None:
    """Nothing is touched by the refusal: not the key, not the log."""

    async def scenario() -> None:
        shop = Shop()
        open_order, done = await shop.place(), await completed(shop)
        pending = await completed(shop, number=2)
        await refunded(shop, pending)  # its mail and money are still to come
        before = await shop.bodies()

        with pytest.raises(OpenOrders) as refused:
            await shop.eraser.erase(shop.asking(open_order, done, pending))

        assert set(refused.value.order_ids) == {open_order, pending}
        assert await shop.bodies() == before
        assert await shop.ring.existing("customer:c-1")
        erased = await shop.eraser.erase(shop.asking(open_order, done, pending, despite_open_orders=True))
        assert set(erased.certificate["despiteOpenOrders"]) == {open_order, pending}

    run_virtual(scenario)


def test_an_erasure_that_was_killed_after_the_key_was_destroyed_goes_on_whatever_is_open() -> None:
    """Its repeat needs no --despite-open-orders: refusing would leave it unproved, and say of a destroyed key that nothing was erased."""

    async def scenario() -> None:
        shop = Shop()
        open_order = await shop.place()
        asking = shop.asking(open_order)
        found = await shop.eraser.survey(asking)
        assert [order.open for order in found] == [True], "a survey tells of open orders, and refuses none"
        assert await shop.eraser.in_the_way(asking, found) == (open_order,)
        await shop.keys.erase("customer:c-1")  # as far as an erasure came that was killed right after

        assert await shop.eraser.in_the_way(asking, found) == ()
        erased = await shop.eraser.erase(asking)

        assert (erased.new, erased.marked) == (True, (open_order,))
        assert erased.certificate["despiteOpenOrders"] == [open_order]

    run_virtual(scenario)


def test_one_who_has_a_key_and_no_order_is_erased_and_certified_whatever_interrupts_it() -> None:
    """A key is made before the order is: the order may have failed. The repeat finds the destroyed key, and ends the same."""

    async def scenario() -> None:
        shop = Shop()
        await shop.ring.key_for("customer:c-9")
        asking = shop.asking(subject="customer:c-9")
        await shop.ring.erase("customer:c-9")  # as far as an erasure came that was killed right after

        first, again = await shop.eraser.erase(asking), await shop.eraser.erase(asking)

        assert (first.new, again.new) == (True, False)
        assert first.certificate == again.certificate
        assert first.certificate["orders"] == []

    run_virtual(scenario)


def test_another_customer_s_order_is_not_erased_with_this_one_s() -> None:
    """A guest's order is erased by its own name only; a name that nobody bears erases nothing and closes no id."""

    async def scenario() -> None:
        shop = Shop()
        mine, other, guest = await completed(shop), await completed(shop, "c-2", number=2), await completed(shop, None)

        for named in (other, guest):
            with pytest.raises(NotTheirOrder):
                await shop.eraser.erase(shop.asking(mine, named))
        with pytest.raises(NotTheirOrder):
            await shop.eraser.erase(shop.asking(mine, subject=f"guest:{mine}"))
        with pytest.raises(NobodyKnown):
            await shop.eraser.erase(shop.asking(subject="customer:mistyped"))
        with pytest.raises(UnknownOrder):
            await shop.eraser.erase(shop.asking("6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f9999"))
        assert await shop.ring.key_for("customer:mistyped")
        assert await shop.ring.existing("customer:c-1")

        await shop.eraser.erase(shop.asking(guest, subject=f"guest:{guest}"))
        for subject in ("customer:c-1", "customer:c-2"):
            assert await shop.ring.existing(subject)
        with pytest.raises(KeyErased):
            await shop.ring.existing(f"guest:{guest}")

    run_virtual(scenario)


def test_an_erased_customer_is_not_written_for_again_and_what_they_still_ask_for_is_done_without_their_words() -> None:
    """A new order with a contact is refused; a cancellation goes through, and its note is not kept."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await shop.place()
        await shop.eraser.erase(shop.asking(order_id, despite_open_orders=True))

        with pytest.raises(CustomerErased):
            await shop.place()
        assert await shop.place(customerEmail=None, customerName=None)
        history = await shop.orders.cancel(order_id, CancelOrder(reason=WORDS), actor=SHOP)
        assert history.events[-1].event.note is None

    run_virtual(scenario)


def test_done_again_it_changes_nothing_and_the_first_certificate_stands() -> None:
    """Also with another reason; an order that came later is marked, and the run says so."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await completed(shop)
        first = await shop.eraser.erase(shop.asking(order_id))
        before = await shop.bodies()

        again = await shop.eraser.erase(shop.asking(order_id, reason="another letter"))

        assert (again.new, again.marked, again.certificate) == (False, (), first.certificate)
        assert await shop.bodies() == before
        later = await shop.place(customerEmail=None, customerName=None)
        third = await shop.eraser.erase(shop.asking(order_id, later, despite_open_orders=True))
        assert (third.new, third.marked, third.certificate) == (False, (later,), first.certificate)

    run_virtual(scenario)


def test_two_erasures_at_once_are_one() -> None:
    """Each order is marked once, whoever comes first, and there is one certificate."""

    async def scenario() -> None:
        shop = Shop()
        orders = [await completed(shop, number=number) for number in (1, 2, 3)]
        outcomes = []

        async def erase() -> None:
            outcomes.append(await shop.eraser.erase(shop.asking(*orders)))

        async with anyio.create_task_group() as racing:
            for _ in range(5):
                racing.start_soon(erase)

        assert sum(outcome.new for outcome in outcomes) == 1
        assert len({json.dumps(outcome.certificate) for outcome in outcomes}) == 1
        for order_id in orders:
            assert (await shop.events(order_id)).count("PersonalDataErased") == 1

    run_virtual(scenario)


def test_another_writer_in_between_does_not_keep_an_order_from_being_marked_once() -> None:
    """The mark is made on top of what was looked through, and looked through again when that has changed."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await completed(shop)
        asked = shop.asking(order_id, despite_open_orders=True)

        async def meanwhile() -> None:
            await refunded(shop, order_id)

        measure = Faults()
        await _erase_counting(measure)
        append = measure.names.index("log.append") + 1
        shop.faults.at, shop.faults.meanwhile, shop.faults.calls = append, meanwhile, 0
        shop.faults.armed = True
        await shop.eraser.erase(asked)
        shop.faults.armed = False

        events = await shop.events(order_id)
        assert events.count("PersonalDataErased") == 1
        assert events.index("RefundRequested") < events.index("PersonalDataErased")

    run_virtual(scenario)


async def _erase_counting(faults: Faults, *, orders: int = 1) -> Shop:
    shop = Shop(faults=faults)
    found = [await completed(shop, number=number + 1) for number in range(orders)]
    faults.calls = 0
    faults.names.clear()
    faults.armed = True
    await shop.eraser.erase(shop.asking(*found))
    faults.armed = False
    return shop


@pytest.mark.thorough
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_and_run_again_it_comes_to_the_same_end(after: bool) -> None:
    """One mark in each order, one certificate, nothing readable; and until the key is gone, nothing has happened."""
    measure = Faults()
    run_virtual(_erase_counting, measure)
    assert len(measure.names) >= 8

    async def killed_at(number: int) -> bool:
        shop = Shop()
        orders = [await completed(shop, number=index + 1) for index in range(2)]
        shop.faults.at, shop.faults.after, shop.faults.calls, shop.faults.armed = number, after, 0, True
        crashed = False
        try:
            await shop.eraser.erase(shop.asking(*orders))
        except Crash:
            crashed = True
        shop.faults.at = None

        erased = await shop.eraser.erase(shop.asking(*orders))

        shop.faults.armed = False
        keys = [key async for key in shop.locked_objects.keys("erasures/")]
        assert keys == [f"erasures/{erased.certificate['id']}.json"]
        assert await find(shop.locked_objects, erased.certificate["id"])
        assert [order["orderId"] for order in erased.certificate["orders"]] == sorted(orders)
        for order_id in orders:
            assert (await shop.events(order_id)).count("PersonalDataErased") == 1
            assert not (await verify_stream(shop.log, stream(order_id))).findings
        with pytest.raises(KeyErased):
            await shop.ring.existing("customer:c-1")
        return crashed

    async def calls() -> int:
        faults = Faults()
        await _erase_counting(faults, orders=2)
        return faults.calls

    count = run_virtual(calls)
    crashes = sum(run_virtual(killed_at, number) for number in range(1, count + 1))
    # A call that answers with an error (the key is gone, as it should be) has no "after".
    assert crashes >= count - (0 if not after else 4)


def test_cancelled_at_any_call_and_run_again_it_comes_to_the_same_end() -> None:
    """Ctrl-C is no crash: whatever it falls on, what was promised is there, and the rest is not."""
    measure = Faults()
    run_virtual(_erase_counting, measure)

    async def cancelled_at(number: int) -> None:
        shop = Shop()
        order_id = await completed(shop)
        with anyio.CancelScope() as scope:

            async def interrupt() -> None:
                scope.cancel()

            shop.faults.at, shop.faults.meanwhile, shop.faults.calls, shop.faults.armed = number, interrupt, 0, True
            await shop.eraser.erase(shop.asking(order_id))
        assert scope.cancelled_caught
        shop.faults.armed = False
        marked = (await shop.events(order_id)).count("PersonalDataErased")
        certified = [key async for key in shop.locked_objects.keys("erasures/")]
        if marked or certified:
            with pytest.raises(KeyErased):
                await shop.ring.existing("customer:c-1")
        assert len(certified) <= marked

        erased = await shop.eraser.erase(shop.asking(order_id))

        assert [key async for key in shop.locked_objects.keys("erasures/")] == [
            f"erasures/{erased.certificate['id']}.json"
        ]
        assert (await shop.events(order_id)).count("PersonalDataErased") == 1

    for number in range(1, measure.calls + 1):
        run_virtual(cancelled_at, number)


def test_a_broken_chain_leaves_no_certificate() -> None:
    """The key is gone, but nobody certifies a log that is not as it was written; once it is mended, the run goes on."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await completed(shop)
        commits = shop.log._commits[stream(order_id)]
        honest = commits[1]
        commits[1] = replace(honest, recorded_at_ms=honest.recorded_at_ms + 1)

        with pytest.raises(ErasureUnproved, match="hash_mismatch"):
            await shop.eraser.erase(shop.asking(order_id))
        assert [key async for key in shop.locked_objects.keys("erasures/")] == []

        commits[1] = honest
        assert (await shop.eraser.erase(shop.asking(order_id))).new

    run_virtual(scenario)


def test_a_key_that_comes_back_is_noticed() -> None:
    """A restored backup, or a ring that does not destroy: what can still be read is never certified."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await completed(shop)

        async def pretend(subject: str) -> int:
            return 1

        shop.keys.erase = pretend  # type: ignore[method-assign]
        with pytest.raises(ErasureUnproved, match="can still be read"):
            await shop.eraser.erase(shop.asking(order_id))
        assert [key async for key in shop.locked_objects.keys("erasures/")] == []

    run_virtual(scenario)


def test_trouble_is_told_as_trouble_and_nothing_is_certified_by_guessing() -> None:
    """A key ring that cannot be reached is no proof that the key is gone."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await completed(shop)
        honest = shop.ring.existing

        async def unreachable(subject: str) -> bytes:
            raise Unavailable("GetItem", tries=8, ambiguous=False)

        shop.ring.existing = unreachable  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            await shop.eraser.erase(shop.asking(order_id))
        assert [key async for key in shop.locked_objects.keys("erasures/")] == []
        shop.ring.existing = honest  # type: ignore[method-assign]
        assert (await shop.eraser.erase(shop.asking(order_id))).new

    run_virtual(scenario)


def test_a_scan_finds_exactly_the_customer_s_orders() -> None:
    """Without the view: neither guests' nor other customers', nor another tenant's."""

    async def scenario() -> None:
        shop = Shop()
        mine = sorted([await shop.place(), await shop.place()])
        await shop.place("c-2")
        await shop.place(None)
        shop.log._commits["other/order-x"] = []

        found = await orders_by_scan(shop.orders, shop.log.streams(), tenant=TENANT, subject="customer:c-1")

        assert list(found) == mine

    run_virtual(scenario)
