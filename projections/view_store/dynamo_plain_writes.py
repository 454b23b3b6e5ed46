"""Documents that move no totals: up to 25 conditional writes in one `BatchExecuteStatement`, or each in a `PutItem` of its own.

A call costs the client the same whatever it carries, and the write units are those of single writes. What is throttled is tried again
entry by entry; what failed its condition is an answer. The single writes are for where PartiQL is missing or not to be trusted: same
conditions, same answers, more calls.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.trouble import THROTTLED_CODES, code_of
from projections.batches import run_all
from projections.view_store import Conflict, ViewStoreRefused, WriteResult, Written
from projections.view_store import items as view_items
from projections.view_store.dynamo_calls import CALLS_AT_ONCE, Calls, old_item
from projections.view_store.transactions import Entry

SINGLES_AT_ONCE: Final = 32

# AWS, "BatchStatementError": codes of one statement in a call that succeeded.
_CONDITION_FAILED: Final = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
_TRY_AGAIN: Final = THROTTLED_CODES | {"InternalServerError", "ProvisionedThroughputExceeded"}


class PlainWrites:
    """The way of the writes whose contribution stays as it is."""

    def __init__(self, calls: Calls, *, batched: bool) -> None:
        self._calls = calls
        self._batched = batched

    async def write(self, entries: Sequence[Entry], results: dict[int, WriteResult]) -> None:
        """Carry out each on its own condition. Raises ViewStoreError; what landed by then stays."""
        if not self._batched:
            singles = [partial(self._put, entry, results) for entry in entries]
            await run_all(singles, at_once=SINGLES_AT_ONCE)
            return
        statements = [(number, view_items.statement_for(self._calls.table, write)) for number, write in entries]
        batches = [partial(self._execute, call, results) for call in view_items.calls(statements)]
        await run_all(batches, at_once=CALLS_AT_ONCE)

    async def _put(self, entry: Entry, results: dict[int, WriteResult]) -> None:
        number, write = entry
        request = view_items.put_of(self._calls.table, write)
        tries = self._calls.tries("PutItem")
        while True:
            try:
                await self._calls.client.put_item(**request)
            except (ClientError, BotoCoreError) as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    results[number] = Conflict(view_items.commit_in(old_item(error)))
                    return
                await tries.failed(error)
            else:
                results[number] = Written()
                return

    async def _execute(self, call: list[tuple[int, dict[str, Any]]], results: dict[int, WriteResult]) -> None:
        tries = self._calls.tries("BatchExecuteStatement")
        waiting = call
        while waiting:
            request = {"Statements": [statement for _, statement in waiting]}
            method = self._calls.client.batch_execute_statement
            answer = await self._calls.call("BatchExecuteStatement", method, request)
            left: list[tuple[int, dict[str, Any]]] = []
            code = ""
            for entry, response in zip(waiting, answer["Responses"], strict=True):
                error = response.get("Error")
                if error is None:
                    results[entry[0]] = Written()
                elif error["Code"] in _CONDITION_FAILED:
                    results[entry[0]] = Conflict(view_items.commit_in(error.get("Item")))
                elif error["Code"] in _TRY_AGAIN:
                    left.append(entry)
                    code = error["Code"]
                else:
                    raise ViewStoreRefused(f"BatchExecuteStatement: {error['Code']}: {error.get('Message')}")
            if left:
                await tries.left_over(code)
            waiting = left
