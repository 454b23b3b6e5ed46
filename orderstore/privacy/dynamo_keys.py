"""The key ring in production: data keys made and wrapped by KMS, kept wrapped in a table of their own.

    subject S                 the key; see `subjects.py`
    key_class S               "operational" | "fiscal": what the subject says, for whoever looks through the table
    wrapped B                 the data key under the KMS key, bound by its encryption context to the subject; absent once erased
    created_at N, erased_at N milliseconds since 1970

KMS never stores a data key: with the row's `wrapped` gone, nobody can read what it sealed. Backups of the table hold it until they
age out, which is why their retention belongs in an erasure's certificate.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.privacy.keys import DATA_KEY_BYTES, KeyErased, KeyUnusable, check_subject
from orderstore.privacy.subjects import KeyClass, key_class_of
from orderstore.store.trouble import Backoff, Retrying, code_of

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_kms import KMSClient

# KMS API reference, "Decrypt": the ciphertext, its context or its key are not what they were when it was encrypted.
_NOT_OURS: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class DynamoKeyRing:
    """A `KeyRing` over two aiobotocore clients, which belong to the caller; bounded retries are made here."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        kms: "KMSClient",
        *,
        table: str,
        kms_key_id: str,
        now_ms: Callable[[], int],
        random: Random,
        backoff: Backoff | None = None,
    ) -> None:
        """Wrap under `kms_key_id` (id, ARN or alias) and keep in `table`. `random` spreads the retries."""
        self._dynamodb = dynamodb
        self._kms = kms
        self._table = table
        self._kms_key_id = kms_key_id
        self._now_ms = now_ms
        self._retrying = Retrying(backoff or Backoff(), random)

    async def key_for(self, subject: str) -> bytes:
        """See `KeyRing.key_for`."""
        check_subject(subject)
        row = await self._row(subject)
        if row is not None:
            return await self._unwrap(subject, row)
        return await self._make(subject)

    async def existing(self, subject: str) -> bytes:
        """See `KeyRing.existing`."""
        row = await self._row(subject)
        if row is None:
            raise KeyErased(subject)
        return await self._unwrap(subject, row)

    async def erase(self, subject: str) -> int:
        """See `KeyRing.erase`. The row stays, as the sign that there must be no other key."""
        check_subject(subject)
        answer = await self._retrying.calling(
            "UpdateItem",
            lambda: self._dynamodb.update_item(
                TableName=self._table,
                Key={"subject": {"S": subject}},
                UpdateExpression="REMOVE #wrapped SET erased_at = if_not_exists(erased_at, :now), key_class = :class",
                ExpressionAttributeNames={"#wrapped": "wrapped"},
                ExpressionAttributeValues={":now": {"N": str(self._now_ms())}, ":class": {"S": key_class_of(subject)}},
                ReturnValues="ALL_NEW",
            ),
            writes=True,
        )
        return int(answer["Attributes"]["erased_at"]["N"])

    async def subjects(self, key_class: KeyClass) -> AsyncGenerator[str, None]:
        """See `KeyRing.subjects`."""
        start: Mapping[str, Any] | None = None
        while True:
            page = await self._page(key_class, start)
            for row in page.get("Items", []):
                yield row["subject"]["S"]
            if (start := page.get("LastEvaluatedKey")) is None:
                return

    async def _page(self, key_class: KeyClass, start: Mapping[str, Any] | None) -> Mapping[str, Any]:
        request: dict[str, Any] = {} if start is None else {"ExclusiveStartKey": start}
        return await self._retrying.calling(
            "Scan",
            lambda: self._dynamodb.scan(
                TableName=self._table,
                ConsistentRead=True,
                ProjectionExpression="subject",
                FilterExpression="key_class = :class AND attribute_exists(#wrapped)",
                ExpressionAttributeNames={"#wrapped": "wrapped"},
                ExpressionAttributeValues={":class": {"S": key_class}},
                **request,
            ),
        )

    async def _row(self, subject: str) -> Mapping[str, Any] | None:
        answer = await self._retrying.calling(
            "GetItem",
            lambda: self._dynamodb.get_item(
                TableName=self._table, Key={"subject": {"S": subject}}, ConsistentRead=True
            ),
        )
        return answer.get("Item")

    async def _make(self, subject: str) -> bytes:
        made = await self._retrying.calling(
            "GenerateDataKey",
            lambda: self._kms.generate_data_key(
                KeyId=self._kms_key_id, KeySpec="AES_256", EncryptionContext=_context(subject)
            ),
        )
        held = await self._put(subject, made["CiphertextBlob"])
        # Another process may have made the key first, or a try that timed out may have stored this one: the row decides.
        return made["Plaintext"] if held is None else await self._unwrap(subject, held)

    async def _put(self, subject: str, wrapped: bytes) -> Mapping[str, Any] | None:
        """Store the key if the subject has none; return the row that was there first, if any."""
        attempts = self._retrying.start("PutItem", writes=True)
        while True:
            try:
                await self._dynamodb.put_item(
                    TableName=self._table,
                    Item={
                        "subject": {"S": subject},
                        "key_class": {"S": key_class_of(subject)},
                        "wrapped": {"B": wrapped},
                        "created_at": {"N": str(self._now_ms())},
                    },
                    ConditionExpression="attribute_not_exists(subject)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except (ClientError, BotoCoreError) as error:
                if code_of(error) == "ConditionalCheckFailedException" and isinstance(error, ClientError):
                    held: Mapping[str, Any] | None = dict(error.response).get("Item")  # type: ignore[assignment]  # botocore's stubs do not know the item beside the error
                    return held or await self._row(subject)
                await attempts.failed(error)
            else:
                return None

    async def _unwrap(self, subject: str, row: Mapping[str, Any]) -> bytes:
        wrapped = wrapped_in(row, subject)
        if wrapped is None:
            raise KeyErased(subject, destroyed=True)
        attempts = self._retrying.start("Decrypt", writes=False)
        while True:
            try:
                answer = await self._kms.decrypt(
                    CiphertextBlob=wrapped, KeyId=self._kms_key_id, EncryptionContext=_context(subject)
                )
            except (ClientError, BotoCoreError) as error:
                if code_of(error) in _NOT_OURS:
                    raise KeyUnusable(subject, code_of(error)) from error
                await attempts.failed(error)
            else:
                key = answer["Plaintext"]
                if len(key) != DATA_KEY_BYTES:
                    raise KeyUnusable(subject, f"it has {len(key)} bytes")
                return key


def wrapped_in(row: Mapping[str, Any], subject: str) -> bytes | None:
    """The wrapped key in a row; None when it was destroyed. Raises KeyUnusable: what is there is no key, and nobody destroyed it."""
    if "wrapped" not in row:
        if "erased_at" not in row:
            raise KeyUnusable(subject, "its row has neither a key nor when it was erased")
        return None
    match row["wrapped"]:
        case {"B": bytes(wrapped)} if wrapped:
            return wrapped
        case _:
            raise KeyUnusable(subject, "what is stored is not bytes")


def _context(subject: str) -> dict[str, str]:
    return {"subject": subject}
