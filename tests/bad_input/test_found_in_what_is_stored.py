"""What breaking into the decoders has found in what is stored, one by one, so that each stays mended whatever the seeds are."""

import json
import tracemalloc
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from orderstore import bounds, codec
from orderstore.archive import manifest as manifests
from orderstore.archive.rows import UnreadableBody, rows_of
from orderstore.archive.segment import BadSegment, commits_in, unpack
from orderstore.audit.signing import Signature, SignatureInvalid, check_signature
from orderstore.audit.standalone import verify_bundle
from orderstore.domain import events as e
from orderstore.privacy.certificates import CertificateInvalid, read
from orderstore.store import items, scanning
from orderstore.store.errors import CorruptCommit, CorruptRow
from projections.projecting import contributions
from projections.view_store import UnreadableDocument
from projections.view_store import items as view_items
from tests.bad_input.hostile import bombs
from tests.bad_input.of_proofs import audited, public_keys
from tests.bad_input.of_the_archive import manifest_documents
from tests.bad_input.of_the_log import body_documents, commit_of, stored_items
from tests.bad_input.signing import FORM
from tests.orderstore.golden_events import COMPLETE
from tests.orderstore.test_codec_strictness import all_places, body_of, decoded, put

DEEP = "[" * 100_000 + "]" * 100_000
SKIPPABLE = b"\x50\x2a\x4d\x18\xff\xff\xff\xff"
"""Eight bytes that zstd takes for a frame of four gigabytes."""


@pytest.mark.parametrize("which", range(4), ids=["skippable", "unsized", "large", "liar"])
def test_a_frame_that_says_that_it_is_huge_is_never_given_room(which: int) -> None:
    """The library makes room for what the head says, whatever the limit; a skippable frame says it behind the limit's back."""
    content = (SKIPPABLE, *bombs())[which]
    body = {**stored_items()[0], "encoding": {"S": "json+zstd"}, "body": {"B": content}}
    document = {"key": {"S": "k"}, "last_commit": {"N": "1"}, "schema": {"N": "1"}, "document": {"B": content}}
    tracemalloc.start()
    try:
        with pytest.raises(CorruptCommit):
            items.parse(body).complete(None)
        with pytest.raises(UnreadableDocument):
            view_items.stored_from(document)
        with pytest.raises(BadSegment):
            unpack(content, raw_bytes=0)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_an_item_that_names_no_place_is_told_all_the_same() -> None:
    """The error says which commit it is as far as it can be told: whatever stands there instead, and however large a number is."""
    places: tuple[Any, ...] = ({"N": {"L": []}}, {"N": "1E+999999999"}, {"N": "NaN"}, None, {"S": "7"}, [])
    for place in places:
        with pytest.raises(CorruptCommit) as corrupt:
            items.parse({"stream": None, "commit": place})
        assert (corrupt.value.stream, corrupt.value.number) == ("?", 0)


@pytest.mark.parametrize(
    "row", [{}, {"taken": {"S": "7"}}, {"taken": {"N": "1.5"}}, {"taken": {"N": "-1"}}, {"taken": None}]
)
def test_a_counter_that_is_none_gives_no_number(row: Any) -> None:
    """An invoice's number is never guessed."""
    if not row:
        assert items.taken_of(row) == 0
        return
    with pytest.raises(CorruptRow):
        items.taken_of(row)


def test_what_is_nested_too_deeply_is_refused_everywhere() -> None:
    """A hundred thousand brackets take a parser to its end; who calls it is told so in its own words."""
    with pytest.raises(ValueError, match="position"):
        scanning.place_after(DEEP)
    with pytest.raises(ValueError, match="contribution"):
        contributions.read('{"a":' + DEEP + "}")
    document = json.dumps(manifest_documents()[0])[:-1].encode()
    with pytest.raises(manifests.BadManifest):
        manifests.parse(document + b',"more":' + DEEP.encode() + b"}", number=1)
    with pytest.raises(BadSegment):
        list(commits_in(b'{"more":' + DEEP.encode() + b"}\n"))
    nested: Any = 1
    for _ in range(300):
        nested = [nested]
    certificate = {"certificate": {"format": "orderstore.erasure-certificate/1", "x": nested}}
    signature = {"algorithm": "ECDSA_SHA_256", "publicKey": "", "value": ""}
    with pytest.raises(CertificateInvalid):
        read(
            orjson.dumps({"certificate": {}, "signature": signature}).replace(
                b'"certificate":{}', json.dumps(certificate).encode()[1:-1]
            )
        )


def test_a_key_of_another_kind_has_signed_nothing() -> None:
    """Curves and kinds that the library knows, and some that it does not."""
    root = audited()[1][0]
    unknown = public_keys()[0].replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f"))
    for key in (*public_keys()[1:], unknown, ec.derive_private_key(9, ec.SECP256K1()).public_key().public_bytes(*FORM)):
        with pytest.raises(SignatureInvalid):
            check_signature(root.text, Signature(public_key=key, signature=root.signature.signature))


def _bundle(**changes: Any) -> str:
    return json.dumps({**json.loads(audited()[2]), **changes})


def test_a_bundle_cannot_make_the_auditor_count_to_a_billion() -> None:
    """Nor fall over a field of another type once something was found to be wrong: findings are told, and nothing else."""
    proof = json.loads(audited()[2])["proof"]
    for changes in (
        {"proof": {**proof, "number": -(10**9), "index": 1}},
        {"proof": {**proof, "number": "x", "index": 1}},
        {"proof": {**proof, "index": 1}, "notAnchored": 5},
    ):
        wrong, shown = verify_bundle.check(_bundle(**changes), set())
        assert wrong
        assert not shown


def test_a_price_that_fills_any_memory_is_no_price() -> None:
    """The chain's hashes can be made by anybody: what lies behind them is looked at before a signature is."""
    created = {"total_exact": "1e999999999", "lines": []}
    invoice = {"lines": [], "total": "1.00"}
    with pytest.raises(ArithmeticError):
        verify_bundle.differing_fields(invoice, {"total_minor": 1}, created)


def test_what_the_script_prints_steers_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bundle may say that it is verified, and move the cursor: it is printed as what it is."""
    file = tmp_path / "bundle.json"
    commits = json.loads(audited()[2])["commits"]
    commits[0]["hash"] = "\x1b[2J\nVERIFIED\n\ud800"
    file.write_text(_bundle(commits=commits))

    assert verify_bundle.main([str(file)]) == 1
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "VERIFIED" not in printed.splitlines()
    assert "\x1b" not in printed
    file.write_bytes(b"\xff\xfe{}")
    assert verify_bundle.main([str(file)]) == 1
    assert verify_bundle.main([str(tmp_path / "none.json")]) == 2


@pytest.mark.parametrize("kind", [int, Decimal, datetime])
def test_every_field_of_every_event_has_its_bounds(kind: type) -> None:
    """A number or a moment that nobody downstream could work with is refused where it is read."""
    beyond = {int: 10**15 + 1, Decimal: "1E+999999999", datetime: "9999-12-31T23:59:59Z"}
    found = all_places(kind)
    for name, path in found:
        with pytest.raises(codec.MalformedCommit, match="beyond all bounds"):
            decoded(put(body_of(COMPLETE[name]), path, beyond[kind]))
    assert len(found) >= 6


def test_a_currency_is_one_that_we_know() -> None:
    """In every event that has one."""
    found = [(name, path) for name, path in all_places(str) if path[-1] == "currency"]
    for name, path in found:
        with pytest.raises(codec.MalformedCommit, match="beyond all bounds"):
            decoded(put(body_of(COMPLETE[name]), path, "XXX"))
    assert {name for name, _ in found} == {"OrderCreated", "InvoiceIssued", "CreditNoteIssued"}


@given(st.integers(), st.decimals(allow_nan=True, allow_infinity=True))
def test_bounds_never_raise_anything_else(number: int, price: Decimal) -> None:
    """Whatever Python can hold."""
    line = e.OrderLine(sku="s", quantity=number, unit_price=price)
    from tests.builders import order_created

    try:
        bounds.check(replace(order_created(), lines=(line,), total_exact=price, total_minor=number))
    except bounds.BeyondBounds:
        return
    assert abs(number) <= bounds.INTEGER_MAX
    assert price.is_finite()


def test_a_first_version_is_a_version() -> None:
    """It is counted on from there, into documents of 64 bits."""
    for wrong in (0, -1, 2**63):
        with pytest.raises(codec.MalformedCommit):
            codec.decode(commit_of(json.dumps({**body_documents()[0], "firstVersion": wrong}).encode()))


def test_a_commit_of_the_year_10000_is_none() -> None:
    """No calendar has it, nor any of our columns."""
    item = {**stored_items()[0], "recorded_at": {"N": "253402300800000"}}
    with pytest.raises(CorruptCommit):
        items.parse(item).complete(None)


def test_a_manifest_names_no_commit_that_no_order_can_have() -> None:
    """A forged number of twenty digits would not fit into the reader's scratch file."""
    [order] = manifest_documents()[0]["orders"]
    forged = {**manifest_documents()[0], "orders": [{**order, "first": 2**63, "last": 2**63}]}
    with pytest.raises(manifests.BadManifest, match="impossible"):
        manifests.parse(json.dumps(forged).encode(), number=1)


def test_an_event_that_fits_no_column_is_not_exported() -> None:
    """Arrow would refuse it in words of its own, in the middle of a file."""
    for name, wrong in (("correlationId", 5), ("firstVersion", "1"), ("firstVersion", 2**31)):
        with pytest.raises(UnreadableBody):
            list(rows_of(commit_of(json.dumps({**body_documents()[0], name: wrong}).encode())))


def test_a_stream_whose_name_is_no_text_is_corrupt() -> None:
    """A lone surrogate cannot be hashed: it is refused before that."""
    with pytest.raises(CorruptCommit):
        items.parse({**stored_items()[0], "stream": {"S": "main/order-\ud800"}}).complete(None)
