"""An endpoint's secrets, sealed under a key of its own: whoever may read customers' data cannot read them, nor the other way round."""

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import uuid4

from orderstore.domain.events import SealedText
from workers.webhooks.endpoint import Endpoint, SealedSecret
from workers.webhooks.signing import new_secret


class Seals(Protocol):
    """What `orderstore.privacy.sealing.Sealer` does. Raises PrivacyError, StoreError."""

    async def seal(self, subject: str, purpose: str, plain: bytes) -> SealedText:
        """Sealed under the subject's key."""
        ...

    async def open(self, sealed: SealedText, purpose: str) -> bytes:
        """What was sealed."""
        ...


class Secrets:
    """Makes and opens them."""

    def __init__(self, seals: Seals, *, random_bytes: Callable[[int], bytes], now_ms: Callable[[], int]) -> None:
        self._seals = seals
        self._random_bytes = random_bytes
        self._now_ms = now_ms

    async def make(self, endpoint_id: str) -> tuple[SealedSecret, str]:
        """A new secret, sealed; and as it is shown, this once."""
        secret, secret_id = new_secret(self._random_bytes), uuid4().hex
        sealed = await self._seals.seal(_subject(endpoint_id), _purpose(secret_id), secret.encode())
        return SealedSecret(id=secret_id, ciphertext=sealed.ciphertext, created_at_ms=self._now_ms()), secret

    async def signing(self, endpoint: Endpoint) -> Sequence[str]:
        """Those that sign now, the present one first."""
        now_ms = self._now_ms()
        return [
            (
                await self._seals.open(
                    SealedText(subject=_subject(endpoint.id), ciphertext=secret.ciphertext), _purpose(secret.id)
                )
            ).decode()
            for secret in endpoint.secrets
            if secret.signs(now_ms)
        ]


def _subject(endpoint_id: str) -> str:
    """Whose key it is; deploy/service.yaml lets the webhooks role unwrap these and no others."""
    return f"webhook-endpoint:{endpoint_id}"


def _purpose(secret_id: str) -> str:
    return f"webhook-secret:{secret_id}"
