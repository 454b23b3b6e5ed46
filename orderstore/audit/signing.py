"""Signatures that outsiders can check: what says that a root or a certificate is ours.

ECDSA over P-256 with SHA-256 (FIPS 186-5), as KMS calls it ECDSA_SHA_256. The private key never leaves KMS; the public key is published
once, out of band, by its fingerprint: SHA-256 of its DER form (SubjectPublicKeyInfo, RFC 5480), in hex.
"""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from anyio.lowlevel import checkpoint
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class SignatureInvalid(Exception):
    """The signature is not this key's over these bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature with what it takes to check it."""

    public_key: bytes
    """DER, SubjectPublicKeyInfo."""
    signature: bytes
    """DER, ECDSA-Sig-Value (RFC 3279)."""

    @property
    def fingerprint(self) -> str:
        """What the key is known by."""
        return fingerprint_of(self.public_key)


class Signer(Protocol):
    """One signing key. May raise `Throttled`, `Unavailable` or `Refused` of the store's error tree."""

    async def sign(self, message: bytes) -> Signature:
        """Sign the message (of any length: what is signed is its SHA-256)."""
        ...


class MemorySigner:
    """The reference implementation: a key that is forgotten with the process."""

    def __init__(self) -> None:
        """Make a key."""
        self._key = ec.generate_private_key(ec.SECP256R1())

    async def sign(self, message: bytes) -> Signature:
        """See `Signer.sign`."""
        await checkpoint()
        public_key = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return Signature(public_key=public_key, signature=self._key.sign(message, ec.ECDSA(hashes.SHA256())))


def check_signature(message: bytes, signature: Signature) -> None:
    """Check who signed. Pure; that the key is the right one is another question (`Signature.fingerprint`).

    Raises:
        SignatureInvalid: it is not this key's, or the key is no P-256 key.
    """
    try:
        key = serialization.load_der_public_key(signature.public_key)
    except (
        ValueError,
        UnsupportedAlgorithm,
    ) as error:  # the latter: a key of a kind or curve that the library does not know
        raise SignatureInvalid("the public key is not one") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignatureInvalid("the public key is not one of P-256")
    try:
        key.verify(signature.signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise SignatureInvalid("the signature is not this key's over these bytes") from error


def fingerprint_of(public_key: bytes) -> str:
    """SHA-256 of the key's DER form, in hex."""
    return hashlib.sha256(public_key).hexdigest()
