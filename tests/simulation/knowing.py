"""What the run itself knows of its orders: read from the log, past every process, and each commit once."""

from typing import TYPE_CHECKING

from orderstore.domain.ids import stream_of
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import NotPlaced
from orderstore.history import History
from tests.simulation.processes import TENANT

if TYPE_CHECKING:
    from tests.simulation.run import Run


class Known:
    """For who looks again and again while the run goes on. Whoever judges it at its end reads all of it anew."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._histories: dict[str, History] = {}

    async def order(self, order_id: str) -> History:
        """As the log has it now. Raises UnknownOrder, StoreError, CodecError."""
        stream = stream_of(TENANT, order_id)
        history = self._histories.get(stream) or History(stream=stream)
        after = 0 if history.head is None else history.head.number
        self._histories[stream] = history = history.then(*await self._run.outside.log.read(stream, after=after))
        if isinstance(history.state, NotPlaced):
            raise UnknownOrder(f"there is no order {order_id}")
        return history
