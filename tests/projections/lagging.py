"""A projector that is exactly as far behind as a test wants it to be."""

from collections.abc import Sequence

from orderstore import codec
from orderstore.domain.ids import order_of
from orderstore.store.port import EventStore
from projections.projecting.folding import known_from, step, write_of
from projections.projecting.targets import Target
from projections.view_store import ViewStore
from projections.views import VIEWS
from projections.views.view import Generation


def targets_in(generation: int) -> tuple[Target, ...]:
    """Every view in this generation."""
    return tuple(Target(view, Generation(view.name, generation)) for view in VIEWS)


async def project(
    log: EventStore, views: ViewStore, stream: str, targets: Sequence[Target], *, up_to: int | None = None
) -> None:
    """Bring an order's documents up to this commit, or to the end of the log; what stands further on stays so."""
    tenant, order_id = order_of(stream)
    commits = [commit for commit in await log.read(stream) if up_to is None or commit.number <= up_to]
    at_hand = {commit.number: codec.decode(commit) for commit in commits}
    for target in targets:
        key = target.generation.key(tenant, order_id)
        known = known_from(target.view, (await views.get([key])).get(key))
        grown = step(target.view, known, at_hand)
        if grown.folded > known.folded:
            await views.write([write_of(target, tenant, order_id, grown)])
