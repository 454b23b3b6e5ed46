"""A bundle is checked by a stranger with one script: whatever is changed in it is named, and nothing in it goes unchecked."""

import base64
import copy
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from orderstore.audit import standalone
from orderstore.audit.bundle import INVOICE_FIELDS, LINE_FIELDS, check_bundle, make_bundle
from orderstore.audit.findings import Reason
from orderstore.audit.leaves import prove
from orderstore.audit.signing import MemorySigner
from orderstore.audit.standalone import verify_bundle
from orderstore.audit.standalone.verify_bundle import differing_fields, digest_of
from orderstore.recorded import Actor
from tests.builders import DELIVERED
from tests.orderstore.audit.proofs import Audited, an_order, commit_after, rewritten, shown_invoice, three_orders
from tests.virtual_time import run_virtual

SCRIPT = Path(standalone.__file__).parent / "verify_bundle.py"
STREAM = "test/order-b"
ROOTS = ("roots/000000000001.json", "roots/000000000002.json")


async def _made() -> tuple[str, str]:
    """A bundle of order b, under the second of two roots, with one commit after it; and the signing key."""
    audited = await three_orders()
    second = await audited.root()
    last = audited.store.orders[STREAM][-1]
    await audited.append(
        commit_after(last, STREAM, DELIVERED, version=8, at_ms=audited.at_ms + 1, actor=Actor("service", "shipping"))
    )
    inclusion = await prove(audited.objects, second.document, STREAM)
    assert inclusion is not None
    content = make_bundle(
        await audited.store.read(STREAM), inclusion, await audited.roots(), [{**shown_invoice("b"), "added": "later"}]
    )
    return content.decode(), second.signature.fingerprint


TEXT, KEY = run_virtual(_made)
BUNDLE: dict[str, Any] = json.loads(TEXT)


IS_SIGNED = cache(verify_bundle.is_signed)


@pytest.fixture(autouse=True)
def _each_signature_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand changed bundles bear the same two signatures, and the script takes 10 ms for one: it checks each triple once."""
    monkeypatch.setattr(verify_bundle, "is_signed", IS_SIGNED)


def edited(change: Callable[[dict[str, Any]], object]) -> list[tuple[str, int, Reason]]:
    bundle = copy.deepcopy(BUNDLE)
    change(bundle)
    findings, shown = check_bundle(json.dumps(bundle).encode(), frozenset({KEY}))
    assert bool(findings) != bool(shown) or findings
    return [(finding.stream, finding.commit, finding.reason) for finding in findings]


def test_a_true_bundle_passes_and_says_what_it_shows() -> None:
    """Commits, root, key, and which commits no root has yet."""
    findings, shown = check_bundle(TEXT.encode(), frozenset({KEY}))

    assert findings == []
    assert shown == [
        f"order {STREAM}: 5 commits, 1 invoices, as they were written",
        "root 2 of 2026-03-01T14:00:00.000Z holds commits 1 to 4, 1 came since and are in no root yet",
        f"it is signed by the key {KEY}, which is the one asked for",
    ]
    assert "NOT PINNED" in check_bundle(TEXT.encode())[1][2]
    assert BUNDLE["notAnchored"] == [5]
    assert [commit["content"]["actor"]["id"] for commit in BUNDLE["commits"]] == [
        "customer-1", "payment", "shipping", "billing", "shipping",
    ]  # fmt: skip
    assert "added" not in BUNDLE["invoices"][0]


def leaves_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path to every plain value."""
    if isinstance(value, dict):
        return [found for name in value for found in leaves_of(value[name], (*path, name))]
    if isinstance(value, list) and value:
        return [found for place, each in enumerate(value) for found in leaves_of(each, (*path, place))]
    return [path]


def other(value: Any) -> list[Any]:
    """Values like it, that are not it."""
    if isinstance(value, bool):
        return [not value, int(value)]
    if isinstance(value, int):
        return [value + 1, -value - 1, str(value), float(value), None]
    if isinstance(value, str):
        swapped = ("0" if value[:1] != "0" else "1") + value[1:]
        return [swapped, value + " ", value[:-1] if value else "x", None, 7]
    return [[1], {"x": 1}, "x"]


PATHS = leaves_of(BUNDLE)


@pytest.mark.thorough
def test_no_value_in_a_bundle_can_be_changed_unnoticed() -> None:
    """Every single one, to something of its kind and of another kind."""
    unnoticed = [changed for path in PATHS for changed in _unnoticed(path)]

    assert len(PATHS) > 100
    assert unnoticed == []


def _unnoticed(path: tuple[str | int, ...]) -> list[Any]:
    """The changes of this value that the check takes: where, what it was, what it became."""
    taken = []
    value = BUNDLE
    for step in path:
        value = value[step]  # type: ignore[index]  # a path of this very document
    means_nothing = f"{value} " if path[0] == "roots" or "path" in path else None  # a blank in hex, or behind JSON
    for changed in (each for each in other(value) if each != means_nothing):

        def change(bundle: dict[str, Any], changed: Any = changed) -> None:
            for step in path[:-1]:
                bundle = bundle[step]  # type: ignore[index]  # a path of this very document
            bundle[path[-1]] = changed  # type: ignore[index]

        if edited(change) == []:
            taken.append((path, value, changed))
    return taken


def test_nothing_can_be_left_out_or_added() -> None:
    """Each field of the bundle, of its commits, its proof and its invoices; and a word more than there should be."""
    places: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
        lambda bundle: bundle,
        lambda bundle: bundle["commits"][1],  # type: ignore[no-any-return]
        lambda bundle: bundle["proof"],  # type: ignore[no-any-return]
        lambda bundle: bundle["invoices"][0],  # type: ignore[no-any-return]
        lambda bundle: bundle["invoices"][0]["lines"][1],  # type: ignore[no-any-return]
        lambda bundle: bundle["commits"][1]["content"],  # type: ignore[no-any-return]
    ]
    for place in places:
        for name in place(BUNDLE):
            assert edited(lambda bundle, place=place, name=name: place(bundle).pop(name)) != [], name
        assert edited(lambda bundle, place=place: place(bundle).update(more="x")) != []


def swap_commits(bundle: dict[str, Any]) -> None:
    commits = bundle["commits"]
    commits[1], commits[2] = commits[2], commits[1]


def rewrite(bundle: dict[str, Any]) -> None:
    """The whole order, every hash right."""
    commits = rewritten(an_order("b"), 1, recorded_at_ms=1)
    for shown, commit in zip(bundle["commits"], commits, strict=False):
        shown |= {
            "recordedAtMs": commit.recorded_at_ms,
            "previousHash": commit.previous_hash.hex(),
            "hash": commit.hash.hex(),
        }
    del bundle["commits"][4]
    bundle["notAnchored"] = []


def drop_tail(bundle: dict[str, Any]) -> None:
    del bundle["commits"][3:]
    bundle["notAnchored"] = []
    bundle["invoices"] = []


def other_content(bundle: dict[str, Any]) -> None:
    bundle["commits"][1]["content"]["actor"]["id"] = "somebody"


def change_body(bundle: dict[str, Any]) -> None:
    body = bytearray(base64.b64decode(bundle["commits"][2]["body"]))
    body[30] ^= 1
    bundle["commits"][2]["body"] = base64.b64encode(body).decode()


def another_orders_proof(bundle: dict[str, Any]) -> None:
    bundle["proof"]["index"] = 0


def older_root(bundle: dict[str, Any]) -> None:
    """Another root whose leaves are the same: the proof holds, and the last root is the one that it is about."""
    bundle["roots"] = bundle["roots"][::-1]


def proof_without_a_leaf(bundle: dict[str, Any]) -> None:
    """An order that never was, and a path whose one step is both children of the root: the leaf would not be looked at."""
    proof = bundle["proof"]
    last = bundle["commits"][3]
    true_leaf = digest_of(b"\0orderstore/head/v1\n", STREAM.encode(), b"4", bytes.fromhex(last["hash"]))
    first, third = (bytes.fromhex(beside) for beside in proof["path"])
    rewrite(bundle)
    proof |= {
        "hash": last["hash"],
        "index": 0,
        "path": [(hashlib.sha256(b"\1" + first + true_leaf).digest() + third).hex()],
    }


def rename(bundle: dict[str, Any]) -> None:
    bundle |= {"stream": "test/order-c", "order": "c"}


def change_root(bundle: dict[str, Any]) -> None:
    bundle["roots"][0] = bundle["roots"][0].replace('\\"orders\\":3', '\\"orders\\":2')


def change_line(bundle: dict[str, Any]) -> None:
    bundle["invoices"][0]["lines"][1] |= {"quantity": 3, "amount": "75"}


def change_total(bundle: dict[str, Any]) -> None:
    bundle["invoices"][0]["total"] = "9000.0"


def drop_invoice(bundle: dict[str, Any]) -> None:
    bundle["invoices"] = []


def invoice_twice(bundle: dict[str, Any]) -> None:
    bundle["invoices"] *= 2


def other_number(bundle: dict[str, Any]) -> None:
    bundle["invoices"][0]["invoiceNumber"] = "UK-2026-000008"


NOT_IN_THE_ROOT = ("test/order-c", 4, Reason.NOT_INCLUDED)
CASES: dict[str, tuple[Callable[[dict[str, Any]], object], list[tuple[str, int, Reason]]]] = {
    "commits swapped": (swap_commits, [(STREAM, 2, Reason.MISPLACED), (STREAM, 3, Reason.MISPLACED), (STREAM, 4, Reason.BROKEN_LINK)]),
    "order rewritten": (rewrite, [(STREAM, 4, Reason.REWRITTEN)]),
    "tail dropped": (drop_tail, [(STREAM, 4, Reason.DROPPED_TAIL)]),
    "shown content changed": (other_content, [(STREAM, 2, Reason.CONTENT_DIFFERS)]),
    "a byte of a body": (change_body, [(STREAM, 3, Reason.HASH_MISMATCH)]),
    "another place": (another_orders_proof, [(STREAM, 4, Reason.NOT_INCLUDED)]),
    "a proof without a leaf": (proof_without_a_leaf, [(STREAM, 4, Reason.NOT_INCLUDED)]),
    "another order's name": (rename, [*[("test/order-c", n, Reason.HASH_MISMATCH) for n in range(1, 6)], NOT_IN_THE_ROOT]),
    "roots in another order": (older_root, [(ROOTS[0], 0, Reason.ROOT_CHAIN)]),
    "a root changed": (change_root, [(ROOTS[0], 0, Reason.ROOT_SIGNATURE), (ROOTS[1], 0, Reason.ROOT_CHAIN)]),
    "an invoice's line": (change_line, [(STREAM, 4, Reason.INVOICE_DIFFERS)]),
    "an invoice's total": (change_total, [(STREAM, 4, Reason.INVOICE_DIFFERS)]),
    "an invoice dropped": (drop_invoice, [(STREAM, 4, Reason.INVOICE_MISSING)]),
    "an invoice twice": (invoice_twice, [(STREAM, 1, Reason.INVOICE_UNKNOWN)]),
    "an invoice's number": (other_number, [(STREAM, 1, Reason.INVOICE_UNKNOWN), (STREAM, 4, Reason.INVOICE_MISSING)]),
    "format": (lambda bundle: bundle.update(format="orderstore/bundle/2"), [("bundle", 0, Reason.BUNDLE_MALFORMED)]),
    "tenant": (lambda bundle: bundle.update(tenant="other"), [("bundle", 0, Reason.BUNDLE_MALFORMED)]),
    "hidden commits after the root": (lambda bundle: bundle.update(notAnchored=[]), [("bundle", 0, Reason.BUNDLE_MALFORMED)]),
    "no root": (lambda bundle: bundle.update(roots=[]), [("bundle", 0, Reason.BUNDLE_MALFORMED)]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_way_of_tampering_with_a_bundle_is_named(case: str) -> None:
    """Where, which commit, which reason, and nothing else."""
    change, expected = CASES[case]

    assert edited(change) == expected


def test_a_root_that_was_signed_by_another_key_is_named() -> None:
    """Pinned: both; unpinned: the one that differs from the one before it."""

    async def resigned() -> str:
        audited = await three_orders()
        await audited.root()
        return (await audited.resign((await audited.roots())[1], MemorySigner())).content.decode()

    bundle = {**BUNDLE, "roots": [BUNDLE["roots"][0], run_virtual(resigned)]}
    content = json.dumps(bundle).encode()

    for keys in (frozenset[str](), frozenset({KEY})):
        reasons = [(finding.stream, finding.reason) for finding in check_bundle(content, keys)[0]]
        assert reasons[0] == (ROOTS[1], Reason.ROOT_KEY)
    assert [finding.reason for finding in check_bundle(TEXT.encode(), frozenset({"0" * 64}))[0]] == [
        Reason.ROOT_KEY
    ] * 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"format": NaN}',
        TEXT.replace('"tenant": "test"', '"tenant": "fake", "tenant": "test"').encode(),
        TEXT.replace('"actor": {', '"actor": {"type": "operator", "id": "x"}, "actor": {', 1).encode(),
    ],
    ids=["empty", "list", "null", "torn", "no text", "deep", "NaN", "a name twice", "a name twice inside"],
)
def test_what_is_no_bundle_is_said_to_be_none(content: bytes) -> None:
    """Never an exception; and no name stands twice, of which a reader sees the one and the script the other."""
    findings, _ = check_bundle(content)

    assert [finding.reason for finding in findings] == [Reason.BUNDLE_MALFORMED]


def test_every_reason_of_the_script_is_one_of_ours() -> None:
    """Scripts that match on reasons need one list."""
    text = SCRIPT.read_text()

    for reason in Reason:
        if reason.startswith(("bundle", "content", "not_included", "invoice")):
            assert f'"{reason}"' in text
    assert {name for name in shown_invoice("b") if name != "lines"} == set(INVOICE_FIELDS)
    assert set(shown_invoice("b")["lines"][0]) == set(LINE_FIELDS)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """As a stranger runs it: no site packages, nothing of the environment, another folder."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": "/usr/bin"},
        timeout=60,
        check=False,
    )


@pytest.mark.thorough
def test_the_script_runs_alone(tmp_path: Path) -> None:
    """Some 200 lines, the standard library, an exit code, and words."""
    (tmp_path / "bundle.json").write_text(TEXT)
    (tmp_path / "false.json").write_text(TEXT.replace('"quantity": 2', '"quantity": 9'))

    good = run("bundle.json", "--key", KEY, cwd=tmp_path)
    unpinned = run("bundle.json", cwd=tmp_path)
    foreign = run("bundle.json", "--key", "0" * 64, cwd=tmp_path)
    false = run("false.json", "--key", KEY, cwd=tmp_path)
    absent = run(cwd=tmp_path)

    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[-1] == "VERIFIED"
    assert (unpinned.returncode, "NOT PINNED" in unpinned.stdout, KEY in unpinned.stdout) == (0, True, True)
    assert (foreign.returncode, "root_key_unexpected" in foreign.stdout) == (1, True)
    assert false.returncode == 1
    assert false.stdout.splitlines() == [
        f"WRONG {STREAM} commit 1: content_differs: people are shown something else than its bytes say",
        "NOT VERIFIED: 1 findings",
    ]
    assert (absent.returncode, "verify_bundle.py BUNDLE" in absent.stderr) == (2, True)
    assert run("bundle.json", "--kee", KEY, cwd=tmp_path).returncode == 2
    assert len(SCRIPT.read_text().splitlines()) <= 212


def test_the_script_imports_nothing_but_the_standard_library() -> None:
    """And so it can be read, and given away, by itself."""
    lines = [line for line in SCRIPT.read_text().splitlines() if line.startswith(("import ", "from "))]

    assert {line.split()[1].split(".")[0] for line in lines} <= sys.stdlib_module_names


def test_an_amount_of_any_size_and_currency_is_compared_exactly() -> None:
    """Decimals of the view, minor units of the event, no binary fractions; yen have none, dinars three."""
    for minor, total, exact in ((900, "900", "899.6"), (900_125, "900.125", "900.125"), (90_000, "900.00", "899.999")):
        event = BUNDLE["commits"][3]["content"]["events"][0]["data"] | {"total_minor": minor}
        created = BUNDLE["commits"][0]["content"]["events"][0]["data"] | {"total_exact": exact}
        shown = BUNDLE["invoices"][0] | {"totalMinor": minor, "total": total, "totalExact": exact}
        assert differing_fields(shown, event, created) == []
        assert differing_fields(shown | {"total": total + "0"}, event, created) == ["total"]


def test_what_later_versions_add_to_an_event_is_no_difference() -> None:
    """A sealed buyer on the invoice, a new field on a line: the invoice that is shown says the same of what it shows."""
    event = BUNDLE["commits"][3]["content"]["events"][0]["data"] | {"buyer": {"subject": "s", "ciphertext": "c"}}
    created = copy.deepcopy(BUNDLE["commits"][0]["content"]["events"][0]["data"])
    for line in created["lines"]:
        line |= {"tax_code": "A"}

    assert differing_fields(BUNDLE["invoices"][0], event, created) == []
    for line in created["lines"]:
        line.pop("description")
    assert differing_fields(BUNDLE["invoices"][0], event, created) == []


def test_lines_that_a_view_left_out_are_counted() -> None:
    """An order of thousands of lines: the view shows the first ones and says how many are not shown."""
    event = BUNDLE["commits"][3]["content"]["events"][0]["data"]
    created = BUNDLE["commits"][0]["content"]["events"][0]["data"]
    shown = BUNDLE["invoices"][0]

    fewer = shown | {"lines": shown["lines"][:1], "linesOmitted": 1}
    assert differing_fields(fewer, event, created) == []
    assert differing_fields(fewer | {"linesOmitted": 0}, event, created) == ["linesOmitted"]


def test_the_fixture_is_what_it_says() -> None:
    """A bundle that holds nothing proves nothing."""
    assert isinstance(Audited(), Audited)
    assert len(PATHS) > 100


def test_the_total_of_an_invoice_for_what_is_left_of_an_order_is_held_to_its_event() -> None:
    """Where pieces were cancelled the lines are the view's to reckon; the sum, in either form, is not."""
    created = {"order_id": "o", "total_exact": "100.00", "lines": [{"sku": "a", "quantity": 2, "unit_price": "50"}]}
    event = {"series": "I", "number": 1, "invoice_number": "I-1", "total_minor": 5_000, "currency": "USD"}
    times = {"issued_at": "2026-01-01T00:00:00.000Z", "supplied_at": "2026-01-01T00:00:00.000Z"}
    shown = {"series": "I", "number": 1, "invoiceNumber": "I-1", "totalMinor": 5_000, "currency": "USD"} | {
        "issuedAt": "2026-01-01T00:00:00.000Z",
        "suppliedAt": "2026-01-01T00:00:00.000Z",
        "orderId": "o",
        "customerId": None,
        "total": "50.00",
        "totalExact": "50",
        "lineCount": 1,
        "linesOmitted": 0,
        "lines": [{}],
    }
    partly = event | times | {"lines": [{"line": 0, "quantity": 1}]}

    assert differing_fields(shown, partly, created) == []
    assert differing_fields(shown | {"total": "49.00"}, partly, created) == ["total"]
    assert differing_fields(shown | {"totalMinor": 4_900}, partly, created) == ["totalMinor"]
