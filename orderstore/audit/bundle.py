"""An order's audit bundle: one JSON file that a third party checks with `standalone/verify_bundle.py` and nothing else.

    {"format", "tenant", "order", "stream",
     "commits": [{"number", "recordedAtMs", "previousHash", "hash", "body": "<base64 of the bytes that were hashed>", "content"}],
     "proof": {"number", "hash", "index", "path"},      what the last of `roots` holds of the order
     "roots": ["<text of the object>", …],              consecutive, the oldest first
     "notAnchored": [numbers],                          commits that came after that root
     "invoices": [as the view shows them]}

`content` is the body, decoded for people: who did what stands in its `actor`. Personal data stays sealed. There is no field that is
not checked.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from orderstore.audit.findings import Finding, Reason
from orderstore.audit.leaves import Inclusion
from orderstore.audit.roots import SignedRoot
from orderstore.audit.standalone import verify_bundle
from orderstore.domain.ids import order_of
from orderstore.store.port import Commit

FORMAT: Final = "orderstore/bundle/1"
BUNDLE_BYTES_MAX: Final = 512 * 1024 * 1024
INVOICE_FIELDS: Final = (
    "invoiceNumber",
    "series",
    "number",
    "currency",
    "totalMinor",
    "total",
    "issuedAt",
    "suppliedAt",
    "orderId",
    "customerId",
    "totalExact",
    "lineCount",
    "linesOmitted",
)
LINE_FIELDS: Final = ("sku", "description", "quantity", "unitPrice", "amount")


def make_bundle(
    commits: Sequence[Commit],
    inclusion: Inclusion,
    roots: Sequence[SignedRoot],
    invoices: Iterable[Mapping[str, Any]],
) -> bytes:
    """The file. `roots` are consecutive, the last is the one of the inclusion. Check it (`check_bundle`) before it is given away."""
    tenant, order_id = order_of(commits[0].stream)
    document = {
        "format": FORMAT,
        "tenant": tenant,
        "order": order_id,
        "stream": commits[0].stream,
        "commits": [_commit(commit) for commit in commits],
        "proof": {
            "number": inclusion.head.number,
            "hash": inclusion.head.hash.hex(),
            "index": inclusion.index,
            "path": [beside.hex() for beside in inclusion.path],
        },
        "roots": [root.content.decode() for root in roots],
        "notAnchored": [commit.number for commit in commits if commit.number > inclusion.head.number],
        "invoices": [_invoice(invoice) for invoice in invoices],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


def check_bundle(content: bytes, keys: frozenset[str] = frozenset()) -> tuple[list[Finding], list[str]]:
    """What is wrong with a bundle; and what it shows where nothing is. The work of the stand-alone script."""
    try:
        wrong, shown = verify_bundle.check(content.decode(), set(keys))
    except UnicodeDecodeError as error:
        return [Finding("bundle", 0, Reason.BUNDLE_MALFORMED, f"it is no UTF-8 text: {error}")], []
    return [Finding(place, number, Reason(reason), detail) for place, number, reason, detail in wrong], shown


def _commit(commit: Commit) -> dict[str, Any]:
    return {
        "number": commit.number,
        "recordedAtMs": commit.recorded_at_ms,
        "previousHash": commit.previous_hash.hex(),
        "hash": commit.hash.hex(),
        "body": base64.b64encode(commit.body).decode(),
        "content": orjson.loads(commit.body),
    }


def _invoice(invoice: Mapping[str, Any]) -> dict[str, Any]:
    """What the view says, by name: a field that is added to the view is not one that the bundle proves."""
    shown = {name: invoice[name] for name in INVOICE_FIELDS}
    return {**shown, "lines": [{name: line[name] for name in LINE_FIELDS} for line in invoice["lines"]]}
