"""The signing key in KMS: an asymmetric key (ECC_NIST_P256, SIGN_VERIFY) whose private half nobody ever holds."""

import hashlib
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.audit.signing import Signature, SignatureInvalid, check_signature
from orderstore.store.errors import Refused
from orderstore.store.trouble import Backoff, Retrying

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient

Answer = TypeVar("Answer")

ALGORITHM: Final = "ECDSA_SHA_256"


class KmsSigner:
    """A `Signer` over an aiobotocore client, which belongs to the caller; bounded retries are made here.

    `sign` raises `Refused` when KMS's answer is not a signature of the key that it names: no such thing leaves this class.
    """

    def __init__(self, kms: "KMSClient", *, key_id: str, random: Random, backoff: Backoff | None = None) -> None:
        """Sign with `key_id` (id, ARN or alias). `random` spreads the retries."""
        self._kms = kms
        self._key_id = key_id
        self._retrying = Retrying(backoff or Backoff(), random)
        # By the ARN that KMS says it signed with: an alias may be moved to another key while this lives, a key never changes.
        self._public_keys: dict[str, bytes] = {}

    async def sign(self, message: bytes) -> Signature:
        """See `Signer.sign`. The digest is sent, so that a message of any length can be signed (KMS API reference, "Sign")."""
        digest = hashlib.sha256(message).digest()
        answer = await self._calling(
            "Sign",
            lambda: self._kms.sign(
                KeyId=self._key_id, Message=digest, MessageType="DIGEST", SigningAlgorithm=ALGORITHM
            ),
        )
        signature = Signature(public_key=await self._public_key(answer["KeyId"]), signature=answer["Signature"])
        try:
            check_signature(message, signature)
        except SignatureInvalid as error:
            raise Refused("Sign", "SignatureInvalid", str(error)) from error
        return signature

    async def public_key(self) -> bytes:
        """The public key (DER) that is used now."""
        answer = await self._calling("GetPublicKey", lambda: self._kms.get_public_key(KeyId=self._key_id))
        return answer["PublicKey"]

    async def _public_key(self, key_arn: str) -> bytes:
        if (known := self._public_keys.get(key_arn)) is not None:
            return known
        answer = await self._calling("GetPublicKey", lambda: self._kms.get_public_key(KeyId=key_arn))
        return self._public_keys.setdefault(key_arn, answer["PublicKey"])

    async def _calling(self, operation: str, call: Callable[[], Awaitable[Answer]]) -> Answer:
        attempts = self._retrying.start(operation, writes=False)
        while True:
            try:
                return await call()
            except (ClientError, BotoCoreError) as error:
                await attempts.failed(error)
