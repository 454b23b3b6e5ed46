"""A certificate is what its signer signed, byte for byte, or it is none."""

import base64
from typing import Any

import orjson
import pytest

from orderstore.audit.signing import MemorySigner
from orderstore.objects import MemoryObjectStore
from orderstore.privacy.certificates import FORMAT, CertificateInvalid, certificate_id, find, issue, read
from tests.virtual_time import run_virtual

CERTIFICATE: dict[str, Any] = {
    "format": FORMAT,
    "id": "c-1",
    "subject": "customer:ü",
    "kept": [{"until": "2036-12-31"}],
}


def stored() -> bytes:
    async def scenario() -> bytes:
        locked = MemoryObjectStore()
        await issue(locked, MemorySigner(), CERTIFICATE)
        content = await locked.get("erasures/c-1.json")
        assert content is not None
        return content

    return run_virtual(scenario)


def test_what_was_issued_is_found_with_who_signed_it() -> None:
    """By its id; another id finds nothing."""

    async def scenario() -> None:
        locked, signer = MemoryObjectStore(), MemorySigner()
        assert await issue(locked, signer, CERTIFICATE) == (CERTIFICATE, True)

        assert await find(locked, "c-1") == (CERTIFICATE, (await signer.sign(b"")).fingerprint)
        assert await find(locked, "c-2") is None

    run_virtual(scenario)


def test_the_first_certificate_stands() -> None:
    """A second one with the same id is not stored, and the first is handed back."""

    async def scenario() -> None:
        locked, signer = MemoryObjectStore(), MemorySigner()
        await issue(locked, signer, CERTIFICATE)

        standing, new = await issue(locked, signer, {**CERTIFICATE, "subject": "customer:other"})

        assert (standing, new) == (CERTIFICATE, False)

    run_virtual(scenario)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["certificate"].update(subject="customer:other"),
        lambda document: document["certificate"].update(more=1),
        lambda document: document["certificate"]["kept"].clear(),
        lambda document: document["certificate"].update(format="orderstore.erasure-certificate/2"),
        lambda document: document["signature"].update(value=base64.b64encode(b"no").decode()),
        lambda document: document["signature"].update(value="é"),
        lambda document: document["signature"].update(algorithm="none"),
        lambda document: document["signature"].update(publicKey=""),
        lambda document: document.pop("signature"),
        lambda document: document.pop("certificate"),
    ],
)
def test_nothing_of_it_can_be_changed(change: Any) -> None:
    """Content, signature, key: one typed error, whatever was done to it."""
    document = orjson.loads(stored())
    change(document)

    with pytest.raises(CertificateInvalid):
        read(orjson.dumps(document))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff"])
def test_what_is_no_certificate_is_told_so(content: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(CertificateInvalid):
        read(content)


def test_signed_by_another_key_it_has_another_fingerprint() -> None:
    """A forger can sign, but not with our key: the fingerprint tells."""
    document = orjson.loads(stored())

    async def scenario() -> None:
        forged = MemoryObjectStore()
        await issue(forged, MemorySigner(), {**document["certificate"], "subject": "customer:other"})
        content = await forged.get("erasures/c-1.json")
        assert content is not None
        assert read(content)[1] != document["signature"]["fingerprint"]

    run_virtual(scenario)


def test_a_subject_has_one_certificate_for_ever() -> None:
    """Its id is made of tenant and subject, and of nothing else."""
    assert certificate_id("main", "customer:c-1") == certificate_id("main", "customer:c-1")
    assert len({certificate_id(tenant, who) for tenant in ("a", "b") for who in ("customer:1", "guest:1")}) == 4
