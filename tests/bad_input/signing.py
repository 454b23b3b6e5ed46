"""A signer whose signatures are always the same, so that a seed breaks the same in every run. Never for anything else: whoever knows how
a signature was drawn knows the key."""

import hashlib
from typing import Final

from anyio.lowlevel import checkpoint
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from orderstore.audit.signing import Signature
from orderstore.audit.standalone.verify_bundle import GX, GY, N, Point, add

SECRET: Final = 0x1D2E3F
FORM: Final = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class SameSigner:
    """See `orderstore.audit.signing.Signer`."""

    async def sign(self, message: bytes) -> Signature:
        """ECDSA with a number that follows from the message."""
        await checkpoint()
        digest = int(hashlib.sha256(message).hexdigest(), 16)
        drawn = digest % (N - 1) + 1
        point = _times(drawn)
        assert point is not None
        r = point[0] % N
        s = pow(drawn, -1, N) * (digest + r * SECRET) % N
        key = ec.derive_private_key(SECRET, ec.SECP256R1()).public_key()
        return Signature(public_key=key.public_bytes(*FORM), signature=utils.encode_dss_signature(r, s))


def _times(factor: int) -> Point:
    point: Point = None
    for bit in range(255, -1, -1):
        point = add(point, point)
        point = add(point, (GX, GY)) if factor >> bit & 1 else point
    return point
