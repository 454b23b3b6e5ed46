"""The desk over the real queues, the log, and the locked bucket."""

from functools import partial

from orderstore.domain.ids import stream_of
from orderstore.registry import CONSUMERS
from workers.archive.opening import positions_of
from workers.core import Core, now_ms
from workers.dead_letters.desk import Desk
from workers.dead_letters.letter import INTAKE
from workers.dead_letters.look import Box
from workers.dead_letters.records import Records
from workers.dead_letters.standing import Judge
from workers.notification.opening import told


def desk_of(core: Core) -> Desk:
    """The desk; nothing is asked of anything yet."""
    settings = core.settings
    positions = positions_of(core)

    async def open_box(name: str) -> Box:
        source, letters = await core.queues.with_dead_letters(name)
        return Box(source=source, letters=letters, receive_count_max=settings.max_receive_count)

    async def archived(order_id: str) -> int:
        stream = stream_of(settings.tenant, order_id)
        found = (await positions.get([stream])).get(stream)
        return 0 if found is None else found.through

    return Desk(
        queues=(*CONSUMERS, INTAKE),
        open_box=open_box,
        orders=core.orders,
        tenant=settings.tenant,
        judge=Judge(core.orders, tenant=settings.tenant, told=partial(told, core), archived=archived),
        records=Records(core.locked, tenant=settings.tenant, now_ms=now_ms),
        now_ms=now_ms,
        source=core.random,
    )
