"""What an auditor reads: roots, leaves, keys, moments, fingerprints, certificates and sealed texts."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from typing import Any, Final

import orjson
import zstandard
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

from orderstore.audit import leaves, root_store, roots
from orderstore.audit.bundle import make_bundle
from orderstore.audit.leaves import LeavesWrong
from orderstore.audit.moments import NotAMoment, parse_moment
from orderstore.audit.roots import RootUnreadable, SignedRoot
from orderstore.audit.signing import Signature, SignatureInvalid, check_signature
from orderstore.objects import MemoryObjectStore
from orderstore.privacy import certificates, sealing
from orderstore.privacy.keys import PrivacyError
from tests.bad_input.decoder import MIB, Decoder, Shape, samples
from tests.bad_input.mutations import of_bytes, of_json, of_text
from tests.bad_input.signing import FORM, SameSigner
from tests.orderstore.audit.proofs import Audited, an_order, shown_invoice
from tests.virtual_time import run_virtual

STREAM: Final = "test/order-b"


KEY: Final = bytes(range(32))


@cache
def audited() -> tuple[Audited, tuple[SignedRoot, ...], str]:
    """A log of three orders with two roots, and the bundle of one of them."""

    async def make() -> tuple[Audited, tuple[SignedRoot, ...], str]:
        made = Audited(signer=SameSigner())  # type: ignore[arg-type]  # a signer as good as the one in memory
        for name in ("a", "b", "c"):
            await made.append(*an_order(name))
        await made.root()
        await made.root()
        signed = tuple(await made.roots())
        inclusion = await leaves.prove(made.objects, signed[-1].document, STREAM)
        assert inclusion is not None
        content = make_bundle(await made.store.read(STREAM), inclusion, signed, [shown_invoice("b")])
        return made, signed, content.decode()

    return run_virtual(make)


@samples
def root_contents() -> list[bytes]:
    return [root.content for root in audited()[1]]


@samples
def root_texts() -> list[Any]:
    return [json.loads(root.text) for root in audited()[1]]


def _root_around(text: bytes) -> bytes:
    outer = json.loads(root_contents()[0])
    return json.dumps({**outer, "signed": text.decode("utf-8", "replace")}).encode()


def _checked_root(content: bytes) -> SignedRoot:
    root = roots.parse_root(content)
    roots.check_root(root)
    return root


class _Objects(MemoryObjectStore):
    def __init__(self, contents: dict[str, bytes]) -> None:
        super().__init__()
        self._contents = contents


def _leaves_around(listed: bytes, parts: dict[str, bytes]) -> tuple[_Objects, Any]:
    """Objects under their own checksums, and the root that names them: what a forger with the signing key could store."""
    digest = hashlib.sha256(listed).hexdigest()
    document = replace(audited()[1][-1].document, leaves_key=f"leaves/x/{digest}.json", leaves_sha256=digest)
    return _Objects({**audited()[0].objects.contents, **parts, document.leaves_key: listed}), document


def _read_forged(forged: tuple[_Objects, Any]) -> object:
    objects, document = forged

    async def read() -> int:
        found = 0
        async with aclosing(leaves.read_leaves(objects, document)) as heads:
            async for _ in heads:
                found += 1
        await leaves.prove(objects, document, STREAM)
        return found

    return run_virtual(read)


@samples
def leaf_lists() -> list[Any]:
    objects, document = audited()[0].objects, audited()[1][-1].document
    return [json.loads(objects.contents[document.leaves_key])]


@samples
def leaf_lines() -> list[bytes]:
    [part] = leaf_lists()[0]["parts"]
    return [zstandard.ZstdDecompressor().decompress(audited()[0].objects.contents[part["key"]])]


def _with_part(packed: bytes) -> tuple[_Objects, Any]:
    digest = hashlib.sha256(packed).hexdigest()
    [part] = leaf_lists()[0]["parts"]
    key = f"leaves/x/{digest}"
    listed = orjson.dumps({**leaf_lists()[0], "parts": [{**part, "key": key, "sha256": digest}]})
    return _leaves_around(listed, {key: packed})


@samples
def certificate_files() -> list[bytes]:
    async def issue() -> bytes:
        objects, signer = MemoryObjectStore(), audited()[0].signer
        certificate = {
            "format": certificates.FORMAT,
            "id": certificates.certificate_id("main", "customer:c-1"),
            "subject": "customer:c-1",
            "erasedAt": "2026-03-01T12:00:00.000Z",
            "kept": [{"what": "invoices", "until": "2036-12-31"}],
        }
        await certificates.issue(objects, signer, certificate)
        return objects._contents[f"{certificates.PREFIX}{certificate['id']}.json"]

    return [run_virtual(issue)]


@samples
def certificate_documents() -> list[Any]:
    return [json.loads(content) for content in certificate_files()]


@samples
def sealed_texts() -> list[str]:
    return [sealing.encrypt(KEY, bytes(12), plain, subject="customer:c-1", purpose="p") for plain in (b"", b"Ada" * 30)]


def _opened(ciphertext: str) -> bytes:
    return sealing.decrypt(KEY, ciphertext, subject="customer:c-1", purpose="p")


def _signature(public_key: bytes) -> None:
    root = audited()[1][0]
    check_signature(root.text, Signature(public_key=public_key, signature=root.signature.signature))


@samples
def public_keys() -> list[bytes]:
    """The right one, one of another curve, and one of another kind."""
    others = (
        ec.derive_private_key(7, ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.from_private_bytes(KEY),
        x25519.X25519PrivateKey.from_private_bytes(KEY),
    )
    return [audited()[1][0].signature.public_key, *(key.public_key().public_bytes(*FORM) for key in others)]


def _of_keys(random: Any, given: Sequence[bytes]) -> bytes:
    return of_bytes(random, given) if random.random() < 0.9 else random.choice(given[1:])


DECODERS: Final = (
    Decoder(
        name="signed root",
        covers=(
            "orderstore.audit.roots:parse_root",
            "orderstore.audit.roots:_document",
            "orderstore.audit.roots:_hex",
            "orderstore.audit.roots:milliseconds",
        ),
        decode=_checked_root,
        errors=(RootUnreadable, SignatureInvalid),
        valid=lambda: [(root.content, root) for root in audited()[1]],
        shapes=(
            Shape(mutate=of_bytes, samples=root_contents),
            Shape(mutate=of_json, samples=samples(lambda: [json.loads(content) for content in root_contents()])),
            Shape(mutate=of_json, samples=root_texts, finish=_root_around),
        ),
        weight=3,
    ),
    Decoder(
        name="public key",
        covers=("orderstore.audit.signing:check_signature",),
        decode=_signature,
        errors=(SignatureInvalid,),
        valid=lambda: [(public_keys()[0], None)],
        shapes=(Shape(mutate=_of_keys, samples=public_keys),),
    ),
    Decoder(
        name="leaves of a root",
        covers=("orderstore.audit.leaves:_parts", "orderstore.audit.leaves:_unpack", "orderstore.audit.leaves:_heads"),
        decode=_read_forged,
        errors=(LeavesWrong,),
        valid=lambda: [((audited()[0].objects, audited()[1][-1].document), 3)],
        shapes=(
            Shape(mutate=of_json, samples=leaf_lists, finish=lambda listed: _leaves_around(listed, {})),
            Shape(
                mutate=of_bytes,
                samples=samples(lambda: [zstandard.compress(lines) for lines in leaf_lines()]),
                finish=_with_part,
            ),
            Shape(
                mutate=of_json,
                samples=samples(lambda: [json.loads(line) for line in leaf_lines()[0].splitlines()]),
                finish=lambda line: _with_part(zstandard.compress(line + b"\n")),
            ),
        ),
        weight=5,
        memory_bytes_max=64 * MIB,
    ),
    Decoder(
        name="moment",
        covers=("orderstore.audit.moments:parse_time",),
        decode=parse_moment,
        errors=(NotAMoment,),
        valid=lambda: [("7", parse_moment("7"))],
        shapes=(Shape(mutate=of_text, samples=lambda: ["7", "2026-03-01T13:00:00.250+01:00"]),),
    ),
    Decoder(
        name="fingerprint",
        covers=(),
        decode=root_store.parse_fingerprint,
        errors=(ValueError,),
        valid=lambda: [("AA:" * 31 + "AA", "aa" * 32)],
        shapes=(Shape(mutate=of_text, samples=lambda: ["ab" * 32, "AB:" * 31 + "AB"]),),
    ),
    Decoder(
        name="erasure certificate",
        covers=("orderstore.privacy.certificates:read",),
        decode=certificates.read,
        errors=(certificates.CertificateInvalid,),
        valid=lambda: [
            (content, (document["certificate"], document["signature"]["fingerprint"]))
            for content, document in zip(certificate_files(), certificate_documents(), strict=True)
        ],
        shapes=(
            Shape(mutate=of_bytes, samples=certificate_files),
            Shape(mutate=of_json, samples=certificate_documents),
        ),
        weight=3,
    ),
    Decoder(
        name="sealed text",
        covers=("orderstore.privacy.sealing:decrypt",),
        decode=_opened,
        errors=(PrivacyError,),
        valid=lambda: [(text, plain) for text, plain in zip(sealed_texts(), (b"", b"Ada" * 30), strict=True)],
        shapes=(Shape(mutate=of_text, samples=sealed_texts),),
    ),
)
