"""What is kept of a person beside the log goes with their key, and the certificate says so."""

import pytest

from orderstore.audit.signing import MemorySigner
from orderstore.privacy.erasure import Eraser
from orderstore.privacy.keys import CACHE_TTL_S, KeyErased
from tests.orderstore.privacy.shop import TENANT, Shop
from tests.virtual_time import run_virtual


class Drawer:
    """Somewhere where notes lie."""

    what = "the notes in the drawer"

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.failures: list[Exception] = []
        self.forgotten: list[tuple[str, bool]] = []

    async def forget(self, subject: str) -> None:
        try:
            await self.shop.keys.existing(subject)
        except KeyErased:
            gone = True
        else:
            gone = False
        self.forgotten.append((subject, gone))
        if self.failures:
            raise self.failures.pop()


SIGNER = MemorySigner()


def eraser(shop: Shop, drawer: Drawer) -> Eraser:
    return Eraser(
        shop.orders,
        shop.log,
        tenant=TENANT,
        keys=shop.keys,
        vault=shop.sealer,
        signer=SIGNER,
        locked=shop.locked_objects,
        cache_ttl_s=CACHE_TTL_S,
        fiscal_retention_years=10,
        now_ms=shop.clock,
        elsewhere=(drawer,),
    )


def test_other_places_are_emptied_once_the_key_is_gone() -> None:
    """So nothing is promised that is not done; the certificate names them."""

    async def scenario() -> None:
        shop = Shop()
        drawer = Drawer(shop)
        order_id = await shop.place()
        erased = await eraser(shop, drawer).erase(shop.asking(order_id, despite_open_orders=True))
        assert drawer.forgotten == [("customer:c-1", True)]
        assert erased.certificate["removed"] == ["the notes in the drawer"]

    run_virtual(scenario)


def test_a_place_that_cannot_be_emptied_now_is_no_certificate() -> None:
    """Run again, it goes on where it was: the place is asked again, and there is one certificate."""

    async def scenario() -> None:
        shop = Shop()
        drawer = Drawer(shop)
        drawer.failures = [ConnectionError("not now")]
        order_id = await shop.place()
        asking = shop.asking(order_id, despite_open_orders=True)
        with pytest.raises(ConnectionError):
            await eraser(shop, drawer).erase(asking)
        assert [key async for key in shop.locked_objects.keys("")] == []
        erased = await eraser(shop, drawer).erase(asking)
        assert erased.new
        assert len(drawer.forgotten) == 2

    run_virtual(scenario)
