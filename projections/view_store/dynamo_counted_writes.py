"""Documents that move totals: document and totals in one transaction, so that what a commit adds is added once.

Who else writes the same document, at the same commit too, fails its condition or makes ours fail, and the transaction of whoever fails
does nothing at all. A document that failed is an answer, and leaves; the others go again in a transaction of their own. A transaction
that was turned away because another one was at the same rows goes again with other rows.

Doubt. After a time-out the same request is sent again, with the same token: within ten minutes the database answers with what came of the
first (AWS, "TransactWriteItems", ClientRequestToken). Where it does not know tokens, the documents meet their own commit: a `Conflict`,
and the additions, which landed with them, are not repeated either way.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.trouble import THROTTLED_CODES
from projections.batches import run_all
from projections.view_store import Conflict, ViewStoreRefused, WriteResult, Written
from projections.view_store import items as view_items
from projections.view_store import transactions as view_transactions
from projections.view_store.dynamo_calls import Calls
from projections.view_store.transactions import Entry

TRANSACTIONS_AT_ONCE: Final = 2  # each at rows of its own; more of them would only meet those of other projectors

# AWS, "TransactionCanceledException": codes of one item.
_CONDITION_FAILED: Final = "ConditionalCheckFailed"
_TRY_AGAIN: Final = THROTTLED_CODES | {"InternalServerError", "ProvisionedThroughputExceeded"}


class CountedWrites:
    """The way of the writes whose contribution changes."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def write(self, entries: Sequence[Entry], results: dict[int, WriteResult]) -> None:
        """Carry out each on its own condition. Raises ViewStoreError; what landed by then stays."""
        first_slot = self._calls.random.randrange(view_items.SLOTS)
        jobs = [
            partial(self._transact, pack, results, slot=(first_slot + number) % view_items.SLOTS)
            for number, pack in enumerate(view_transactions.packed(entries))
        ]
        await run_all(jobs, at_once=TRANSACTIONS_AT_ONCE)

    async def _transact(self, entries: list[Entry], results: dict[int, WriteResult], *, slot: int) -> None:
        tries = self._calls.tries("TransactWriteItems")
        waiting = entries
        request = self._request(waiting, slot)
        while True:
            try:
                await self._calls.client.transact_write_items(**request)
            except (ClientError, BotoCoreError) as error:
                reasons = view_transactions.reasons_in(error.response) if isinstance(error, ClientError) else []
                if not reasons:
                    await tries.failed(error)  # and the very same request again: its token tells whether it landed
                    continue
                left = _without_the_failed(waiting, reasons, results)
                code = _code_to_try_again(reasons)
                if not left:
                    return
                if code is not None:
                    await tries.left_over(code)
                elif len(left) == len(waiting):
                    raise ViewStoreRefused(f"TransactWriteItems: cancelled, and no document is why: {error}") from error
                waiting = left
                request = self._request(waiting, self._calls.random.randrange(view_items.SLOTS))
            else:
                results.update((number, Written()) for number, _ in waiting)
                return

    def _request(self, entries: Sequence[Entry], slot: int) -> dict[str, Any]:
        token = f"{self._calls.random.getrandbits(128):032x}"
        writes = [write for _, write in entries]
        return view_transactions.request(self._calls.table, writes, slot=slot, token=token)


def _without_the_failed(
    entries: Sequence[Entry], reasons: Sequence[Mapping[str, Any]], results: dict[int, WriteResult]
) -> list[Entry]:
    """Note the documents whose condition failed; return the others. The documents come first in a request, then the totals."""
    left: list[Entry] = []
    for entry, reason in zip(entries, reasons, strict=False):
        if reason.get("Code") == _CONDITION_FAILED:
            results[entry[0]] = Conflict(view_items.commit_in(reason.get("Item")))
        else:
            left.append(entry)
    return left


def _code_to_try_again(reasons: Sequence[Mapping[str, Any]]) -> str | None:
    """What else went wrong, if anything did. Raises ViewStoreRefused for what trying again does not help."""
    other = {
        str(reason["Code"]): reason
        for reason in reasons
        if reason.get("Code", "None") not in ("None", _CONDITION_FAILED)
    }
    for code, reason in other.items():
        if code not in _TRY_AGAIN:
            raise ViewStoreRefused(f"TransactWriteItems: {code}: {reason.get('Message')}")
    return next(iter(other), None)
