"""Audit bundles, and the script that a stranger runs on them."""

import base64
import io
import json
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from functools import cache
from typing import Any, Final

from orderstore.audit.bundle import check_bundle
from orderstore.audit.standalone import verify_bundle
from tests.bad_input.decoder import Decoder, Shape, samples
from tests.bad_input.documents import written
from tests.bad_input.mutations import of_bytes, of_json, of_json_text, of_text, of_tree
from tests.bad_input.of_proofs import audited


@cache
def signed_once(message: bytes, key: bytes, signature: bytes) -> bool:
    """A signature takes 10 ms in plain Python, and thousands of broken bundles bear the same two."""
    return _IS_SIGNED(message, key, signature)


_IS_SIGNED: Final = verify_bundle.is_signed


@samples
def bundles() -> list[Any]:
    return [json.loads(audited()[2])]


def _resealed(bundle: Any) -> str:
    """Every hash of the order made right again, which needs no key: so that what lies behind the chain is met too."""
    try:
        previous = "00" * 32
        for commit in bundle["commits"]:
            raw = written(commit["content"]).encode("utf-8", "surrogatepass")
            commit["previousHash"], commit["body"] = previous, base64.b64encode(raw).decode()
            number, at = (written(commit[name]).encode() for name in ("number", "recordedAtMs"))
            fields = (bundle["stream"].encode(), number, at, bytes.fromhex(previous), raw)
            previous = verify_bundle.digest_of(b"orderstore/commit/v1\n", *fields).hex()
            commit["hash"] = previous
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    return written(bundle)


def of_bundle(random: Any, given: Sequence[Any]) -> str:
    """With what is broken under right hashes."""
    return _resealed(deepcopy(of_tree(random, given)))


def _check_text(text: str) -> object:
    kept, verify_bundle.is_signed = verify_bundle.is_signed, signed_once
    try:
        return verify_bundle.check(text, set())
    finally:
        verify_bundle.is_signed = kept


def _verify_file(content: bytes) -> int:
    """The whole script on a file: it ends with a code, and prints nothing that a terminal or a pipe could not take."""
    kept, verify_bundle.is_signed = verify_bundle.is_signed, signed_once
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with tempfile.NamedTemporaryFile(suffix=".json") as file, redirect_stdout(out), redirect_stderr(io.StringIO()):
            file.write(content)
            file.flush()
            code = verify_bundle.main([file.name])
        out.flush()
        printed = out.buffer.getvalue().decode()
    finally:
        verify_bundle.is_signed = kept
    if code not in (0, 1):
        raise AssertionError(f"ended with {code}")
    if any(not character.isprintable() and character != "\n" for character in printed):
        raise AssertionError("what was printed could steer a terminal")
    if (code == 0) != (printed.splitlines()[-1] == "VERIFIED") or (code and "VERIFIED" in printed.splitlines()):
        raise AssertionError("what is printed and how it ends do not say the same")
    return code


def _verified_twice(content: bytes) -> int:
    """By the script, and by the command that has it built in."""
    findings, _ = check_bundle(content)
    code = _verify_file(content)
    if bool(findings) != bool(code):
        raise AssertionError(f"the command finds {findings}, the script ends with {code}")
    return code


DECODERS: Final = (
    Decoder(
        name="audit bundle",
        covers=(
            "orderstore.audit.standalone.verify_bundle:check",
            "orderstore.audit.standalone.verify_bundle:check_commits",
            "orderstore.audit.standalone.verify_bundle:check_roots",
            "orderstore.audit.standalone.verify_bundle:check_proof",
            "orderstore.audit.standalone.verify_bundle:merkle_root",
        ),
        decode=_check_text,
        valid=lambda: [(text, verify_bundle.check(text, set())) for text in [audited()[2]]],
        shapes=(
            Shape(mutate=of_json_text, samples=bundles),
            Shape(mutate=of_bundle, samples=bundles),
            Shape(mutate=of_text, samples=lambda: [audited()[2]]),
        ),
        weight=5,
    ),
    Decoder(
        name="audit bundle's file",
        covers=("orderstore.audit.standalone.verify_bundle:main", "orderstore.audit.bundle:check_bundle"),
        decode=_verified_twice,
        valid=lambda: [(audited()[2].encode(), 0)],
        shapes=(
            Shape(mutate=of_bytes, samples=lambda: [audited()[2].encode()]),
            Shape(mutate=of_json, samples=bundles),
        ),
        weight=20,
    ),
)
