"""The certificate of an erasure: what was destroyed, what is kept and why and until when, and what was checked; signed, and stored once
under Object Lock.

    {"certificate": {…}, "signature": {"algorithm", "publicKey", "fingerprint", "value"}}

What is signed is the line `orderstore.erasure-certificate/1`, and after it the certificate as JSON with its keys sorted, without blanks, in
UTF-8. Anybody can check it with the public key; that the key is ours is told by its fingerprint, which is published out of band.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import orjson

from orderstore.audit.signing import Signature, SignatureInvalid, Signer, check_signature
from orderstore.domain.ids import event_id
from orderstore.objects import ObjectStore

FORMAT: Final = "orderstore.erasure-certificate/1"
ALGORITHM: Final = "ECDSA_SHA_256"
PREFIX: Final = "erasures/"

Certificate = Mapping[str, Any]


class CertificateInvalid(Exception):
    """What is stored is not a certificate that the key in it has signed."""


def certificate_id(tenant: str, subject: str) -> str:
    """The one certificate of a subject: an erasure that is run again, after whatever ended it, is the same erasure."""
    return event_id(f"{tenant}:{subject}", "erasure")


async def issue(locked: ObjectStore, signer: Signer, certificate: Certificate) -> tuple[Certificate, bool]:
    """Sign and store the certificate, unless there is one with its id already: then that one stands. Returns the one that stands, and
    whether it is this one.

    Raises:
        CertificateInvalid: the one that is stored already is not signed by its own key.
        Throttled, Unavailable, Refused: see `orderstore.store.errors`.
    """
    signature = await signer.sign(_signed_bytes(certificate))
    document = {
        "certificate": certificate,
        "signature": {
            "algorithm": ALGORITHM,
            "publicKey": base64.b64encode(signature.public_key).decode(),
            "fingerprint": signature.fingerprint,
            "value": base64.b64encode(signature.signature).decode(),
        },
    }
    key = _key(certificate["id"])
    content = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    if await locked.put_new(key, content):
        return certificate, True
    stored = await locked.get(key)
    if stored is None:
        raise CertificateInvalid(f"{key} was taken and then gone")
    return read(stored)[0], stored == content


async def find(locked: ObjectStore, certificate: str) -> tuple[Certificate, str] | None:
    """The certificate with this id and the fingerprint of the key that signed it; None when there is none. Raises CertificateInvalid."""
    stored = await locked.get(_key(certificate))
    return None if stored is None else read(stored)


def read(stored: bytes) -> tuple[Certificate, str]:
    """Check a stored certificate, and return it with the fingerprint of the key that signed it. Pure. Raises CertificateInvalid."""
    try:
        document = orjson.loads(stored)
        certificate, signed = document["certificate"], document["signature"]
        signature = Signature(
            public_key=base64.b64decode(signed["publicKey"], validate=True),
            signature=base64.b64decode(signed["value"], validate=True),
        )
        known = certificate["format"] == FORMAT and signed["algorithm"] == ALGORITHM
        signed_bytes = _signed_bytes(certificate)  # what is nested too deeply can be read, and not written
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise CertificateInvalid("what is stored is no certificate") from error
    if not known:
        raise CertificateInvalid(f"this build knows {FORMAT} with {ALGORITHM} only")
    try:
        check_signature(signed_bytes, signature)
    except SignatureInvalid as error:
        raise CertificateInvalid(str(error)) from error
    return certificate, signature.fingerprint


def _signed_bytes(certificate: Certificate) -> bytes:
    return FORMAT.encode() + b"\n" + orjson.dumps(certificate, option=orjson.OPT_SORT_KEYS)


def _key(certificate: str) -> str:
    return f"{PREFIX}{certificate}.json"
