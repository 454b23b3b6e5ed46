"""Stock in a service table (`workers/tables`) whose key is `key`: the port, put together from its parts."""

from collections.abc import Mapping, Sequence
from random import Random

from workers.inventory.allocation import Strategy, fewest_parcels
from workers.inventory.changing import Changing
from workers.inventory.locations import ONE_LOCATION, Locations
from workers.inventory.patience import PatientTable
from workers.inventory.releasing import Releasing
from workers.inventory.reserving import Reserving, Wanted
from workers.inventory.stock import (
    MAIN,
    Answer,
    Filled,
    Goods,
    GoodsAt,
    Level,
    Place,
    Stock,
    Storeroom,
    Untracked,
    Withdrawn,
)
from workers.inventory.storekeeping import Storekeeping
from workers.tables.port import Table


class TableStock(Stock, Storeroom):
    """`untracked` says what an SKU means that was never received; `random` spreads the retries of contended writes; `strategy` chooses
    between the locations: as few parcels as can be, where none is given."""

    def __init__(
        self,
        table: Table,
        *,
        random: Random,
        untracked: Untracked = "refuse",
        locations: Locations = ONE_LOCATION,
        strategy: Strategy | None = None,
    ) -> None:
        chosen = strategy or fewest_parcels(locations)
        patient = PatientTable(table, random=random)
        self._table = patient
        self._reserving = Reserving(patient, locations=locations, strategy=chosen, untracked=untracked)
        self._changing = Changing(patient, locations=locations, strategy=chosen)
        self._releasing = Releasing(patient)
        self._keeping = Storekeeping(patient, locations=locations, accept_untracked=untracked == "accept")

    async def reserve(
        self, reservation_id: str, quantities: Goods, *, partial: bool = False, destination: str | None = None
    ) -> Answer:
        """See `Stock.reserve`."""
        return await self._reserving.reserve(
            Wanted(reservation_id=reservation_id, quantities=quantities, partial=partial, destination=destination)
        )

    async def fill(self, reservation_id: str, fill_id: str, *, destination: str | None = None) -> Filled | Withdrawn:
        """See `Stock.fill`."""
        return await self._changing.fill(reservation_id, fill_id, destination=destination)

    async def commit(self, reservation_id: str, shipment_id: str, pieces: GoodsAt) -> None:
        """See `Stock.commit`."""
        await self._changing.commit(reservation_id, shipment_id, pieces)

    async def release_part(
        self, reservation_id: str, release_id: str, pieces: GoodsAt, *, unwanted: Goods | None = None
    ) -> None:
        """See `Stock.release_part`."""
        await self._changing.release_part(reservation_id, release_id, pieces, unwanted or {})

    async def forgo(self, reservation_id: str, fill_id: str, unwanted: Goods) -> None:
        """See `Stock.forgo`."""
        await self._changing.forgo(reservation_id, fill_id, unwanted)

    async def release(self, reservation_id: str) -> bool:
        """See `Stock.release`."""
        return await self._releasing.release(reservation_id)

    async def restock(self, return_id: str, *, sellable: GoodsAt, damaged: GoodsAt) -> None:
        """See `Stock.restock`."""
        await self._keeping.restock(return_id, sellable=sellable, damaged=damaged)

    async def holding(self, reservation_id: str) -> GoodsAt:
        """What is set aside by a reservation at this moment; nothing for one that was never made."""
        return await self._changing.holding(reservation_id)

    async def receive(self, receipt_id: str, quantities: Goods, *, location: str = MAIN) -> None:
        """See `Stock.receive`."""
        await self._keeping.receive(receipt_id, quantities, location=location)

    async def levels(self, skus: Sequence[str], *, location: str = MAIN) -> tuple[Level | None, ...]:
        """See `Stock.levels`."""
        found = await self._table.levels([Place(location, sku) for sku in skus])
        return tuple(found[Place(location, sku)] for sku in skus)

    async def count(self, count_id: str, place: Place, pieces: int) -> None:
        """See `Storeroom.count`."""
        await self._keeping.count(count_id, place, pieces)

    async def move(self, move_id: str, sku: str, pieces: int, *, source: str, target: str) -> None:
        """See `Storeroom.move`."""
        await self._keeping.move(move_id, sku, pieces, source=source, target=target)

    async def mark_damaged(self, damage_id: str, place: Place, pieces: int) -> None:
        """See `Storeroom.mark_damaged`."""
        await self._keeping.mark_damaged(damage_id, place, pieces)

    async def write_off(self, write_off_id: str, place: Place, pieces: int) -> None:
        """See `Storeroom.write_off`."""
        await self._keeping.write_off(write_off_id, place, pieces)

    async def close(self, sku: str) -> int:
        """See `Storeroom.close`."""
        return await self._keeping.close(sku)

    async def everywhere(self, skus: Sequence[str]) -> tuple[Mapping[str, Level], ...]:
        """See `Storeroom.everywhere`."""
        return await self._keeping.everywhere(skus)
