"""The positions in a table of their own (key `stream` S); see `positions.py`.

stream S                                    the key: an order's stream
archived_through N, last_hash B, manifest N its position
stream = "(applied)": manifest N, sha256 S  how far the manifests have been applied
stream = "(restore)": manifest N, archive S, state S
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from botocore.exceptions import BotoCoreError, ClientError

from orderstore.archive.positions import Applied, Position, Restoration
from orderstore.store.errors import StoreError, Throttled
from orderstore.store.trouble import Backoff, Retrying, code_of

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

Answer = TypeVar("Answer")

# No order's stream is called so: those begin with a tenant and a slash.
_APPLIED: Final = "(applied)"
_RESTORE: Final = "(restore)"
GET_KEYS_MAX: Final = 100  # DynamoDB API reference, "BatchGetItem"
GET_ROUNDS_MAX: Final = 8
WRITES_AT_ONCE: Final = 32


class DynamoPositions:
    """`Positions` over an aiobotocore client, which belongs to the caller; bounded retries are made here."""

    def __init__(self, client: "DynamoDBClient", *, table: str, random: Random, backoff: Backoff | None = None) -> None:
        """Keep them in `table`. `random` spreads the retries."""
        self._client = client
        self._table = table
        self._random = random
        self._backoff = backoff or Backoff()
        self._retrying = Retrying(self._backoff, random)

    async def applied(self) -> Applied | None:
        """See `Positions.applied`."""
        row = await self._row(_APPLIED)
        return None if row is None else Applied(int(row["manifest"]["N"]), row["sha256"]["S"])

    async def get(self, streams: Sequence[str]) -> Mapping[str, Position]:
        """See `Positions.get`."""
        found: dict[str, Position] = {}
        for start in range(0, len(streams), GET_KEYS_MAX):
            for row in await self._rows(streams[start : start + GET_KEYS_MAX]):
                found[row["stream"]["S"]] = Position(
                    int(row["archived_through"]["N"]), row["last_hash"]["B"], int(row["manifest"]["N"])
                )
        return found

    async def advance(self, positions: Mapping[str, Position]) -> None:
        """See `Positions.advance`."""
        limiter = anyio.CapacityLimiter(WRITES_AT_ONCE)
        failures: list[StoreError] = []

        async def one(stream: str, position: Position) -> None:
            async with limiter:
                try:
                    await self._advance(stream, position)
                except StoreError as error:
                    failures.append(error)

        async with anyio.create_task_group() as writes:
            for stream, position in positions.items():
                writes.start_soon(one, stream, position, name=f"advance {stream}")
        if failures:
            raise failures[0]

    async def mark_applied(self, applied: Applied) -> None:
        """See `Positions.mark_applied`."""
        await self._forward(
            _APPLIED,
            "SET manifest = :manifest, sha256 = :sha256",
            "attribute_not_exists(manifest) OR manifest < :manifest",
            {":manifest": {"N": str(applied.manifest)}, ":sha256": {"S": applied.sha256}},
        )

    async def restoration(self) -> Restoration | None:
        """See `Positions.restoration`."""
        row = await self._row(_RESTORE)
        if row is None:
            return None
        return Restoration(
            archive=row["archive"]["S"],
            manifest=int(row["manifest"]["N"]),
            state="done" if row["state"]["S"] == "done" else "running",
        )

    async def note_restoration(self, restoration: Restoration) -> None:
        """See `Positions.note_restoration`."""
        item: dict[str, Any] = {
            "stream": {"S": _RESTORE},
            "archive": {"S": restoration.archive},
            "manifest": {"N": str(restoration.manifest)},
            "state": {"S": restoration.state},
        }
        await self._calling("PutItem", lambda: self._client.put_item(TableName=self._table, Item=item), writes=True)

    async def _advance(self, stream: str, position: Position) -> None:
        # Never backwards: a slow archiver may apply an old manifest after a newer one.
        await self._forward(
            stream,
            "SET archived_through = :through, last_hash = :hash, manifest = :manifest",
            "attribute_not_exists(archived_through) OR archived_through < :through",
            {
                ":through": {"N": str(position.through)},
                ":hash": {"B": position.last_hash},
                ":manifest": {"N": str(position.manifest)},
            },
        )

    async def _forward(self, key: str, update: str, condition: str, values: dict[str, Any]) -> None:
        """Repeating it is harmless, and so is a refusal: then the row is there already, or beyond."""
        attempts = self._retrying.start("UpdateItem", writes=True)
        while True:
            try:
                await self._client.update_item(
                    TableName=self._table,
                    Key={"stream": {"S": key}},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                )
            except (ClientError, BotoCoreError) as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    return
                await attempts.failed(error)
            else:
                return

    async def _row(self, key: str) -> Mapping[str, Any] | None:
        answer = await self._calling(
            "GetItem",
            lambda: self._client.get_item(TableName=self._table, Key={"stream": {"S": key}}, ConsistentRead=True),
        )
        return answer.get("Item")

    async def _rows(self, streams: Sequence[str]) -> list[Mapping[str, Any]]:
        wanted: list[Any] = [{"stream": {"S": stream}} for stream in streams]
        rows: list[Mapping[str, Any]] = []
        for failures in range(1, GET_ROUNDS_MAX + 1):
            answer = await self._batch(wanted)
            rows += answer["Responses"].get(self._table, [])
            left = answer.get("UnprocessedKeys", {}).get(self._table)
            if not left:
                return rows
            wanted = list(left["Keys"])
            await anyio.sleep(self._backoff.sleep_s(failures, self._random))
        raise Throttled("BatchGetItem", tries=GET_ROUNDS_MAX)

    async def _batch(self, wanted: list[Any]) -> Any:  # noqa: ANN401 - botocore's answer
        return await self._calling(
            "BatchGetItem",
            lambda: self._client.batch_get_item(RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}}),
        )

    async def _calling(self, operation: str, call: Callable[[], Awaitable[Answer]], *, writes: bool = False) -> Answer:
        attempts = self._retrying.start(operation, writes=writes)
        while True:
            try:
                return await call()
            except (ClientError, BotoCoreError) as error:
                await attempts.failed(error)
