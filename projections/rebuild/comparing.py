"""Holds the new generation to the live one, document by document, before readers may switch to it.

Walked are the documents that readers have. What is behind in the new generation (its projectors may be a moment late, the archive ends
somewhere) is brought up from the log. Where the two say different things, the log's own fold judges both: the live one may be what was
wrong. What readers would lose by a switch, and only that, stands in its way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Literal

import orjson

from orderstore.codec import decode
from orderstore.domain.ids import stream_of
from orderstore.store.port import EventStore
from projections.batches import for_each_batch, run_all
from projections.comparing.compare_totals import compare_sums
from projections.comparing.differences import Difference, difference
from projections.projecting.errors import says_nothing_of_an_order
from projections.projecting.targets import Target
from projections.rebuild.filling import Filler, Patience
from projections.rebuild.metering import Meter, MeteredLog, MeteredViews
from projections.rebuild.state import DETAIL_CHARACTERS_MAX, NAMED_MAX, Trouble, Verdict, trouble_of
from projections.view_store import Stored, ViewStore

ORDERS_AT_ONCE: Final = 100
BATCHES_AT_ONCE: Final = 2
LOG_READS_AT_ONCE: Final = 8

Outcome = Literal["equal", "other_schema", "mended", "blocking"]


@dataclass(slots=True)
class Comparison:
    """One walk. `live` and `built` are two generations of one view."""

    log: EventStore
    views: ViewStore
    live: Target
    built: Target
    filler: Filler
    meter: Meter
    progress: Callable[[Verdict], None]
    verdict: Verdict = field(default_factory=Verdict)

    async def run(self) -> Verdict:
        """Compare everything. Raises what says nothing of an order, when it does not pass."""
        views = MeteredViews(self.views, self.meter)
        prefix = self.live.generation.prefix
        await for_each_batch(views.keys(prefix), self._batch, batch_size=ORDERS_AT_ONCE, at_once=BATCHES_AT_ONCE)
        if self.built.view.sums is not None:
            await Patience().over(self._compare_totals)
        return self.verdict

    async def _compare_totals(self) -> None:
        """Every bucket against the sum of its documents. One that moved all the time is named and stands in nobody's way: its writers moved
        it together with a document each time, and a shop that sells would never switch."""
        report = await compare_sums(MeteredLog(self.log, self.meter), MeteredViews(self.views, self.meter), self.built)
        wrong = [
            Trouble(
                f"(totals of {found.bucket})",
                "totals differ",
                f"{found.measure}: the documents add up to {found.expected}, the total is {found.found}",
            )
            for found in report.differences
        ]
        self.verdict = replace(
            self.verdict,
            totals_equal=report.proved,
            totals_moving=len(report.moving),
            moving_totals=report.moving[:NAMED_MAX],
            blocking=self.verdict.blocking + len(wrong),
            blocking_orders=(*self.verdict.blocking_orders, *wrong)[:NAMED_MAX],
        )

    async def _batch(self, keys: Sequence[str]) -> None:
        await Patience().over(partial(self._compare, keys))
        self.progress(self.verdict)

    async def _compare(self, keys: Sequence[str]) -> None:
        """All of the batch's outcomes are counted at its end, so that a batch that is tried again counts once."""
        views = MeteredViews(self.views, self.meter)
        orders = [self.live.generation.order(key) for key in keys]
        built_keys = [self.built.generation.key(*order) for order in orders]
        stored = await views.get([*keys, *built_keys])
        pairs = list(zip(orders, keys, built_keys, strict=True))
        behind = [
            (order, key, built)
            for order, key, built in pairs
            if key in stored and (built not in stored or stored[built].commit < stored[key].commit)
        ]
        if behind:
            await self.filler.bring_up_to_log([stream_of(*order) for order, _, _ in behind])
            found = await views.get([built for _, _, built in behind])
            stored = {
                **{key: one for key, one in stored.items() if key not in {built for *_, built in behind}},
                **found,
            }
        results: list[tuple[Outcome, Trouble | None]] = []

        async def judge(stream: str, live: Stored, built: Stored | None) -> None:
            results.append(await self._judged(stream, live, built))

        jobs = [
            partial(judge, stream_of(*order), stored[key], stored.get(built))
            for order, key, built in pairs
            if key in stored
        ]
        await run_all(jobs, at_once=LOG_READS_AT_ONCE)
        self.verdict = replace(self.verdict, brought_up=self.verdict.brought_up + len(behind))
        for outcome, trouble in results:
            self._count(outcome, trouble)

    async def _judged(self, stream: str, live: Stored, built: Stored | None) -> tuple[Outcome, Trouble | None]:
        if built is None:
            detail = f"readers see it at commit {live.commit}; the log cannot be folded to it"
            return "blocking", Trouble(stream, "missing", detail)
        if built.commit < live.commit:
            detail = f"readers see commit {live.commit}, the new one ends at {built.commit}"
            return "blocking", Trouble(stream, "behind", detail)
        if (
            live.commit == built.commit
            and live.schema == built.schema
            and self._shown(self.live, live) == self._shown(self.built, built)
        ):
            return "equal", None
        if live.schema != built.schema:
            return "other_schema", None
        return await self._by_the_log(stream, live, built)

    async def _by_the_log(self, stream: str, live: Stored, built: Stored) -> tuple[Outcome, Trouble | None]:
        """They say different things, or stand at different commits: what each should say at its own commit."""
        try:
            commits = await MeteredLog(self.log, self.meter).read(stream)
            log = {commit.number: decode(commit) for commit in commits}
            wrong = difference(stream, self.built, built, log)
            live_wrong = difference(stream, self.live, live, log)
        except Exception as error:
            if says_nothing_of_an_order(error):
                raise
            return "blocking", trouble_of(stream, error)
        if wrong is not None and wrong.kind != "behind":
            return "blocking", Trouble(stream, f"the new one is {wrong.kind}", said(wrong))
        if live_wrong is not None and live_wrong.kind not in ("behind", "other_schema"):
            return "mended", Trouble(stream, f"the live one is {live_wrong.kind}", said(live_wrong))
        return "equal", None

    def _shown(self, target: Target, stored: Stored) -> tuple[object, str | None, str | None, str]:
        """What must be the same in both: the list's name without the generation's."""
        name = None if stored.list_key is None else stored.list_key.removeprefix(target.generation.prefix)
        try:
            said_by_it = orjson.loads(stored.document)
        except orjson.JSONDecodeError:  # equal to no document; the log then says which of the two is right
            said_by_it = stored.document
        return said_by_it, name, stored.list_sort, stored.contribution

    def _count(self, outcome: Outcome, trouble: Trouble | None) -> None:
        verdict = self.verdict
        changes: dict[str, object] = {outcome: getattr(verdict, outcome) + 1, "documents": verdict.documents + 1}
        if trouble is not None and outcome in ("mended", "blocking"):
            named: tuple[Trouble, ...] = getattr(verdict, f"{outcome}_orders")
            if len(named) < NAMED_MAX:
                changes[f"{outcome}_orders"] = (*named, trouble)
        self.verdict = replace(verdict, **changes)  # type: ignore[arg-type]  # fields of Verdict, named above


def said(found: Difference) -> str:
    """A difference in a line: which fields, and the commit that explains each. What they say `views compare` shows; it is kept nowhere."""
    fields = ", ".join(f"{field.field} (by commit {field.commit})" for field in found.fields)
    return (fields or f"it stands at commit {found.commit}, the log at {found.log_commit}")[:DETAIL_CHARACTERS_MAX]
