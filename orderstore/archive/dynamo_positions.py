"""The positions in a table of their own (key `stream` S); see `positions.py`.

stream S                                    the key: an order's stream
archived_through N, last_hash B, manifest N its position
stream = "(applied)": manifest N, sha256 S  how far the manifests have been applied
stream = "(restore)": manifest N, archive S, state S
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Final

import anyio
from botocore.exceptions import BotoCoreError, ClientError

from orderstore.archive.manifest import NUMBER_MAX
from orderstore.archive.positions import Applied, Position, Restoration
from orderstore.store.errors import CorruptRow, Throttled
from orderstore.store.port import HASH_BYTES
from orderstore.store.side_by_side import side_by_side
from orderstore.store.trouble import Backoff, Retrying, code_of

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

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
        return None if row is None else applied_in(row)

    async def get(self, streams: Sequence[str]) -> Mapping[str, Position]:
        """See `Positions.get`."""
        found: dict[str, Position] = {}
        for start in range(0, len(streams), GET_KEYS_MAX):
            for row in await self._rows(streams[start : start + GET_KEYS_MAX]):
                stream, position = position_in(row)
                found[stream] = position
        return found

    async def advance(self, positions: Mapping[str, Position]) -> None:
        """See `Positions.advance`."""

        async def one(stream: str) -> None:
            await self._advance(stream, positions[stream])

        await side_by_side(positions, one, name="advance", at_once=WRITES_AT_ONCE)

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
        return None if row is None else restoration_in(row)

    async def note_restoration(self, restoration: Restoration) -> None:
        """See `Positions.note_restoration`."""
        item: dict[str, Any] = {
            "stream": {"S": _RESTORE},
            "archive": {"S": restoration.archive},
            "manifest": {"N": str(restoration.manifest)},
            "state": {"S": restoration.state},
        }
        await self._retrying.calling(
            "PutItem", lambda: self._client.put_item(TableName=self._table, Item=item), writes=True
        )

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
        answer = await self._retrying.calling(
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
        return await self._retrying.calling(
            "BatchGetItem",
            lambda: self._client.batch_get_item(RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}}),
        )


def applied_in(row: Mapping[str, Any]) -> Applied:
    """What the row of the manifests says. Raises CorruptRow."""
    with _reading(row):
        return Applied(_manifest_in(row), _text(row["sha256"]))


def position_in(row: Mapping[str, Any]) -> tuple[str, Position]:
    """An order and its position. Raises CorruptRow."""
    with _reading(row):
        through, last_hash = int(row["archived_through"]["N"]), row["last_hash"]["B"]
        if through < 1 or not isinstance(last_hash, bytes) or len(last_hash) != HASH_BYTES:
            raise ValueError("no commit stands there")
        return _text(row["stream"]), Position(through, last_hash, _manifest_in(row))


def restoration_in(row: Mapping[str, Any]) -> Restoration:
    """How far a restore has come. Raises CorruptRow."""
    with _reading(row):
        state = _text(row["state"])
        if state not in ("running", "done"):
            raise ValueError("a restore is running or done")
        return Restoration(
            archive=_text(row["archive"]),
            manifest=int(row["manifest"]["N"]),
            state="done" if state == "done" else "running",
        )


def _manifest_in(row: Mapping[str, Any]) -> int:
    number = int(row["manifest"]["N"])
    if not 1 <= number <= NUMBER_MAX:
        raise ValueError("no manifest has that number")
    return number


def _text(attribute: Mapping[str, Any]) -> str:
    value = attribute["S"]
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


@contextmanager
def _reading(row: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptRow(
            "a position of the archive", f"{type(error).__name__}; it has {', '.join(sorted(row))}"
        ) from error
