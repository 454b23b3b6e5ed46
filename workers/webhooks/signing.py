"""Signatures and secrets as the Standard Webhooks specification has them: HMAC-SHA256, `v1`, `whsec_`.

The signing itself is the reference library's: what we send is what its `verify` takes.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
"""The specification asks for 24 to 64."""


class NothingToSignWith(Exception):
    """There is no secret."""


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """A secret as it is handed to whoever receives."""
    return PREFIX + base64.b64encode(random_bytes(SECRET_BYTES)).decode()


def headers(secrets: Sequence[str], *, webhook_id: str, at_ms: int, body: bytes) -> Mapping[str, str]:
    """The three headers of an attempt at `at_ms`: one signature for each secret, so that receivers may change over in peace.

    Raises NothingToSignWith: nothing leaves unsigned.
    """
    if not secrets:
        raise NothingToSignWith("there is no secret to sign with")
    at_s = at_ms // 1000
    moment, text = datetime.fromtimestamp(at_s, UTC), body.decode()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(Webhook(secret).sign(webhook_id, moment, text) for secret in secrets),
    }
