"""How requests to AWS's JSON services are signed: as botocore signs them (Signature Version 4), with each step done once.

botocore collects the headers twice, prepares the whole request anew to see its body, takes the address apart four times, and makes five
objects for five keyed hashes: together the dearest part of a small call. Here the same text is signed, to the byte (a test compares them);
whatever is not a plain POST of bytes to a service's root is botocore's to sign. Credentials are botocore's too, and kept nowhere.

Source of the rule: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import botocore.auth
from aiobotocore.session import AioSession
from botocore.auth import SIGNED_HEADERS_BLACKLIST, SIGV4_TIMESTAMP, SigV4Auth

SERVICES: Final = ("dynamodb", "dynamodb-streams", "sqs")
"""Their ids as botocore's events spell them."""
NAME: Final = "v4-orderstore"
_V4: Final = "v4"
_USUAL_PORTS: Final = {"http": 80, "https": 443}


def sign_quickly(session: AioSession) -> None:
    """Have the session's clients of these services, from now on, sign this way."""
    # botocore looks signers up by name, in this one place; the name is ours alone.
    botocore.auth.AUTH_TYPE_MAPS[NAME] = QuickSigV4
    for service in SERVICES:
        session.register(f"choose-signer.{service}", _choose)


def _choose(signature_version: object = None, context: dict[str, Any] | None = None, **_: object) -> str | None:
    """Ours where botocore would take version 4 as it is; None: it chooses itself."""
    plain = signature_version == _V4 and not (context or {}).get("unsigned_payload")
    return NAME if plain else None


class QuickSigV4(SigV4Auth):
    """Signature Version 4 of a POST of bytes to a service's root."""

    # botocore's, which its stubs leave out.
    _modify_request_before_signing: Callable[[Any], None]
    _header_value: Callable[[str], str]
    _region_name: str
    _service_name: str

    def add_auth(self, request: Any) -> None:  # noqa: ANN401 - botocore's AWSRequest
        """Put date, token and signature into the request's headers. Raises NoCredentialsError."""
        body, host = request.data, _host(request.url)
        credentials: object | None = self.credentials
        if credentials is None or host is None or not isinstance(body, bytes) or not _is_plain(request):
            super().add_auth(request)
            return
        request.context["timestamp"] = datetime.now(UTC).strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)
        values: dict[str, list[str]] = defaultdict(list)
        for name, value in request.headers.items():
            lowered = name.lower()
            if lowered not in SIGNED_HEADERS_BLACKLIST:
                values[lowered].append(self._header_value(value))
        values.setdefault("host", [host])
        names = sorted(values)
        signed = ";".join(names)
        told = "".join([f"{name}:{','.join(values[name])}\n" for name in names])
        canonical = f"POST\n/\n\n{told}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
        signature = self.signature(self.string_to_sign(request, canonical), request)
        request.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.scope(request)}, SignedHeaders={signed}, Signature={signature}"
        )

    def signature(self, string_to_sign: str, request: Any) -> str:  # noqa: ANN401 - botocore's AWSRequest
        """The same chain of keyed hashes, each in one call."""
        key = f"AWS4{self.credentials.secret_key}".encode()
        for part in (request.context["timestamp"][:8], self._region_name, self._service_name, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, string_to_sign.encode(), "sha256").hex()


def _is_plain(request: Any) -> bool:  # noqa: ANN401 - botocore's AWSRequest
    """No query, no checksum in a trailer, the body signed as it is and not announced beforehand."""
    context = request.context
    return (
        request.method == "POST"
        and not request.params
        and context.get("payload_signing_enabled", True)
        and not isinstance(context.get("checksum", {}).get("request_algorithm"), dict)
        and "X-Amz-Content-SHA256" not in request.headers
    )


@lru_cache(maxsize=64)
def _host(url: str) -> str | None:
    """The host as it is signed, of a service's root; None: not such an address, or one that botocore knows better. Pure; a process has a
    handful of addresses."""
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query or parts.hostname is None or ":" in parts.hostname:
        return None
    usual = parts.port is None or parts.port == _USUAL_PORTS.get(parts.scheme)
    return parts.hostname if usual else f"{parts.hostname}:{parts.port}"
