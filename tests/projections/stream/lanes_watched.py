"""A subscriber that watches which orders are applied at the same time."""

from collections import defaultdict
from collections.abc import Sequence

import anyio

from projections.stream import Record
from tests.projections.stream.fake_stream import FakeStream
from tests.projections.stream.world import Projection, World


def key_of(record: Record) -> str:
    return record.keys["key"]["S"]


class Lanes(Projection):
    """Watches who is being applied at the same time; some keys take long, some fail for ever."""

    def __init__(self, stream: FakeStream) -> None:
        super().__init__(stream)
        self.applying: dict[str, int] = defaultdict(int)
        self.calls = 0
        self.most_at_once = 0
        self.overlaps: list[str] = []
        self.slow: dict[str, float] = {}
        self.poisoned: set[str] = set()
        self.batches: list[int] = []

    async def apply(self, records: Sequence[Record]) -> None:
        keys = {key_of(record) for record in records}
        self.overlaps += [key for key in keys if self.applying[key]]
        for key in keys:
            self.applying[key] += 1
        self.calls += 1
        self.most_at_once = max(self.most_at_once, self.calls)
        self.batches.append(len(records))
        try:
            await anyio.sleep(0.01 + max((self.slow.get(key, 0.0) for key in keys), default=0.0))
            if keys & self.poisoned:
                raise RuntimeError("this order cannot be applied")
            await super().apply(records)
        finally:
            self.calls -= 1
            for key in keys:
                self.applying[key] -= 1


def lanes_of(here: World) -> Lanes:
    here.projection = Lanes(here.stream)
    here.projection.heals = False
    here.lane_of = key_of
    return here.projection
