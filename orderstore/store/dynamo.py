"""The log in DynamoDB. Runs the requests of `requests.py` and gives their answers the port's meaning; all translation of errors is here.

Holes. The condition refuses a number that is taken; it cannot see whether the one before is there. That is the chain's part: `chain.seal`
makes a commit only from the one before it, which a writer has only if it loaded it or appended it. So an honest writer cannot leave a hole,
at no cost, and what a dishonest one leaves is refused by every read and named by the verifier.

Doubt. After a time-out nobody knows whether a put landed. The same put is sent again: either it lands now, or its number is held; and
the answer carries who holds it. If that is this very commit (the same hash), it had landed.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store import items, requests
from orderstore.store.chain import check_follows, check_sealed
from orderstore.store.dynamo_reader import DynamoReader
from orderstore.store.errors import CommitConflict, CorruptCommit, CounterConflict
from orderstore.store.port import Commit
from orderstore.store.trouble import THROTTLED_CODES, Trouble, code_of


class DynamoEventStore(DynamoReader):
    """An `EventStore` and `CommitSource`: what `DynamoReader` reads, and the two ways to append."""

    async def append(self, commit: Commit) -> None:
        """See `EventStore.append`."""
        request = requests.put(self._table, await self._encode(commit))
        attempts = self._retrying.start("PutItem", writes=True)
        while True:
            try:
                await self._client.put_item(**request)
            except (ClientError, BotoCoreError) as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    await self._settle(commit, _old_item(error), error)
                    return
                await attempts.failed(error)
            else:
                return

    async def append_numbered(self, commit: Commit, *, counter: str, taken: int) -> None:
        """See `EventStore.append_numbered`."""
        items.check_taken(taken)
        request = requests.transact(
            self._table,
            await self._encode(commit),
            counters_table=self._counters_table,
            counter=counter,
            taken=taken,
            commit=commit,
        )
        attempts = self._retrying.start("TransactWriteItems", writes=True)
        while True:
            try:
                await self._client.transact_write_items(**request)
            except (ClientError, BotoCoreError) as error:
                put, move = _reasons(error)
                if put.get("Code") == "ConditionalCheckFailed":
                    await self._settle(commit, put.get("Item"), error)
                    return
                if move.get("Code") == "ConditionalCheckFailed":
                    # A try that timed out may have moved the counter itself: then the commit is there too.
                    if attempts.ambiguous and await self._holds(commit):
                        return
                    raise CounterConflict(counter, current=items.taken_of(move.get("Item"))) from error
                await attempts.failed(error, _trouble_of(put, move))
            else:
                return

    async def _encode(self, commit: Commit) -> items.Item:
        """The commit's item; a large body is durable before the item that names it exists."""
        check_sealed(commit)
        encoded = items.encode(commit)
        if encoded.offloaded is not None:
            await self._blobs.put(encoded.offloaded)
        return encoded.item

    async def _settle(self, commit: Commit, held: Mapping[str, Any] | None, error: Exception) -> None:
        """Return if the number is held by this very commit, else raise who holds it."""
        if held is None:
            # Only an endpoint that does not know ALL_OLD answers without the item.
            held = await self._get(requests.get_commit(self._table, commit.stream, commit.number))
        if held is None:
            raise CorruptCommit(commit.stream, commit.number, "its number was taken and then free again") from error
        winner = await self.from_image(held)
        if winner.hash == commit.hash:
            return
        check_follows(commit, winner)
        raise CommitConflict(winner) from error

    async def _holds(self, commit: Commit) -> bool:
        held = await self._get(requests.get_commit(self._table, commit.stream, commit.number))
        return held is not None and items.parse(held).hash == commit.hash


def _old_item(error: ClientError | BotoCoreError) -> Mapping[str, Any] | None:
    """The item that stood in a condition's way; the answer carries it beside the error."""
    found: Mapping[str, Any] | None = _response(error).get("Item")
    return found or None


def _reasons(error: ClientError | BotoCoreError) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Why a transaction was cancelled: one reason for the put, one for the counter, in the order of the request."""
    match _response(error).get("CancellationReasons"):
        case [put, move]:
            return put, move
        case _:
            return {}, {}


def _response(error: ClientError | BotoCoreError) -> Mapping[str, Any]:
    return error.response if isinstance(error, ClientError) else {}


def _trouble_of(put: Mapping[str, Any], move: Mapping[str, Any]) -> Trouble | None:
    """A cancelled transaction is as bad as the worse of its reasons; None: it was not cancelled, the error speaks for itself."""
    codes = {reason.get("Code", "None") for reason in (put, move)} - {"None"}
    if not codes:
        return None
    return Trouble.THROTTLED if codes <= THROTTLED_CODES else Trouble.REFUSED
