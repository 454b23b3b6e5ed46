"""`python verify_bundle.py BUNDLE [--key FINGERPRINT]...`: check an audit bundle with Python's standard library (3.11), nothing else.

FINGERPRINT is the SHA-256 of the signing key (DER), in hex, as published; without it the key is shown, and trusted. Ends with 0 when
everything holds, 1 when something is wrong (each thing is named), 2 when called wrongly. The formats are in docs/audit.md.
"""

import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from decimal import Context
from functools import partial
from pathlib import Path
from typing import Any

P = 2**256 - 2**224 + 2**192 + 2**96 - 1  # NIST P-256 (SP 800-186): y^2 = x^3 - 3x + B over P, generator G of order N
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")  # RFC 5480: P-256, uncompressed
Point = tuple[int, int] | None  # None: the point at infinity
LINE = ("sku", "description", "quantity", "unit_price")
decimal = Context(prec=999, Emax=99, Emin=-99).create_decimal  # 1e999999999 is short; written out it fills any memory
canonical = partial(json.dumps, sort_keys=True)  # to Python 1, 1.0 and true are equal, to an auditor they are not
Wrong = tuple[str, int, str, str]  # where, its commit (0: no commit), the reason, the detail


def add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def is_signed(message: bytes, key: bytes, signature: bytes) -> bool:
    """ECDSA over P-256 with SHA-256 (FIPS 186-5, section 6.4.2). The signature must be the one DER form of its two numbers."""
    x, y = (int.from_bytes(half, "big") for half in (key[-64:-32], key[-32:]))
    if len(key) != len(SPKI) + 64 or not key.startswith(SPKI) or max(x, y) >= P or (y * y - x**3 + 3 * x - B) % P:
        return False
    split = 4 + (signature + bytes(4))[3]
    r, s = (int.from_bytes(half, "big") for half in (signature[4:split], signature[split + 2 :]))
    numbers = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in (r, s)]
    der = b"".join(b"\2" + bytes([len(number) % 256]) + number for number in numbers)
    if signature != b"\x30" + bytes([len(der) % 256]) + der or not 0 < r < N or not 0 < s < N:
        return False
    inverse, digest, point = pow(s, -1, N), int(hashlib.sha256(message).hexdigest(), 16), None
    for bit in range(255, -1, -1):
        point = add(add(point, point), (GX, GY) if digest * inverse % N >> bit & 1 else None)
        point = add(point, (x, y)) if r * inverse % N >> bit & 1 else point
    return point is not None and point[0] % N == r


def digest_of(domain: bytes, *fields: bytes) -> bytes:  # each field stands behind its length: 8 bytes, big endian
    return hashlib.sha256(domain + b"".join(len(field).to_bytes(8, "big") + field for field in fields)).digest()


def merkle_root(leaf: bytes, index: int, size: int, path: list[str]) -> bytes:
    """RFC 9162, section 2.1, from the root down; no root, but something else, where the path does not fit the place."""
    if size <= 1 or not path or len(path[-1]) != 64:  # two hashes in one step would be a node with no leaf under it
        return leaf if (size, index, path) == (1, 0, []) else b""
    split, beside = 1 << (size - 1).bit_length() - 1, bytes.fromhex(path[-1])
    if index < split:
        return hashlib.sha256(b"\1" + merkle_root(leaf, index, split, path[:-1]) + beside).digest()
    return hashlib.sha256(b"\1" + beside + merkle_root(leaf, index - split, size - split, path[:-1])).digest()


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # of two values a reader may see the one, a program the other
    if len(dict(pairs)) != len(pairs):
        raise ValueError(f"a name stands twice among {', '.join(name for name, _ in pairs)}")
    return dict(pairs)


def exactly(value: dict[str, Any], names: str) -> list[Any]:  # its values in this order, if it has just these names
    if sorted(value) != sorted(names.split()):
        raise ValueError(f"there are {' '.join(value)}; there should be {names}")
    return [value[name] for name in names.split()]


def check_commits(stream: str, commits: list[dict[str, Any]]) -> Iterator[Wrong]:
    """Numbers from 1 without holes, each hash, each link, and that people are shown what the bytes say."""
    previous, names = "00" * 32, "number recordedAtMs previousHash hash body content"
    for place, commit in enumerate(commits, 1):
        number, at, behind, claimed, body, content = exactly(commit, names)
        raw = base64.b64decode(body, validate=True)
        fields = (stream.encode(), canonical(number).encode(), canonical(at).encode(), bytes.fromhex(behind), raw)
        digest = digest_of(b"orderstore/commit/v1\n", *fields).hex()
        if digest != claimed:
            yield stream, place, "hash_mismatch", f"its hash is {claimed}, that of its content {digest}"
        elif number != place:
            yield stream, place, "misplaced", f"it is commit {number}"
        elif behind != previous:
            yield stream, place, "broken_link", f"it follows {behind}, but {previous} is before it"
        elif canonical(json.loads(raw, object_pairs_hook=once)) != canonical(content):
            yield stream, place, "content_differs", "people are shown something else than its bytes say"
        previous = claimed


def check_roots(texts: list[str], keys: set[str], root: dict[str, Any]) -> Iterator[Wrong]:
    """Each root's signature and key, and that it names the one before it. Leaves the last one in `root`."""
    for text in texts:
        earlier, outer = dict(root), exactly(json.loads(text, object_pairs_hook=once), "signed signature publicKey")
        signature, key = (base64.b64decode(value, validate=True) for value in outer[1:])
        root |= {**json.loads(outer[0]), "signer": hashlib.sha256(key).hexdigest()}
        root["sha256"], place = hashlib.sha256(text.encode()).hexdigest(), f"roots/{root['number']:012d}.json"
        allowed = keys or {earlier.get("signer", root["signer"])}
        if root["format"] != "orderstore/root/1" or not is_signed(outer[0].encode(), key, signature):
            yield place, 0, "root_signature_invalid", f"{root['signer']} did not sign this root"
        elif root["signer"] not in allowed:
            yield place, 0, "root_key_unexpected", f"{root['signer']} signed it, not {' or '.join(allowed)}"
        elif earlier and [root["number"], root["previous"]] != [earlier["number"] + 1, earlier["sha256"]]:
            yield place, 0, "root_chain_broken", f"it follows {root['previous']}, not {earlier['sha256']}"


def check_proof(stream: str, commits: list[dict[str, Any]], proof: Any, root: dict[str, Any]) -> Iterator[Wrong]:  # noqa: ANN401
    """That the root holds a commit of the order, and that it is the one in the bundle."""
    number, claimed, index, path = exactly(proof, "number hash index path")
    entry = (stream.encode(), canonical(number).encode(), bytes.fromhex(claimed))
    found = merkle_root(digest_of(b"\0orderstore/head/v1\n", *entry), index, root["orders"], path)
    if type(index) is not int or found.hex() != root["merkleRoot"]:
        yield stream, number, "not_included", f"the proof of commit {number:d} does not lead to root {root['number']}"
    elif number > len(commits):
        yield stream, len(commits) + 1, "dropped_tail", f"root {root['number']} has {number} commits of it"
    elif commits[number - 1]["hash"] != claimed:
        yield stream, number, "rewritten", f"root {root['number']} has another commit here, {claimed}"


def differing_fields(shown: dict[str, Any], event: dict[str, Any], created: dict[str, Any]) -> list[str]:
    """Where an invoice does not say what the events say, in as many lines and decimals as it shows."""
    partly, kept = event.get("lines"), created["lines"][: len(shown["lines"])]
    total = decimal(event["total_minor"]).scaleb(-len(shown["total"].partition(".")[2]))
    exact = total if partly or not created["total_exact"] else decimal(created["total_exact"])
    lines = [{"description": ""} | {name: line[name] for name in line if name in LINE} for line in kept]
    for line in lines:
        price = decimal(line.pop("unit_price"))
        line |= {"unitPrice": f"{price:f}", "amount": f"{line['quantity'] * price:f}"}
    said = {name: event[name] for name in ("series", "number", "invoice_number", "total_minor", "currency")}
    said |= {"total": f"{total if abs(total - exact) < 1 else exact:f}", "total_exact": f"{exact:f}", "lines": lines}
    said |= {name: f"{event[name][:-1]}.000000"[:23] + "Z" for name in ("issued_at", "supplied_at")}
    said |= {"order_id": created["order_id"], "customer_id": created.get("customer_id")}
    said |= {"line_count": len(created["lines"]), "lines_omitted": len(created["lines"]) - len(lines)}
    said = {name[0] + name.title().replace("_", "")[1:]: value for name, value in said.items()}
    said |= {k: shown.get(k) for k in ("lines", "lineCount", "linesOmitted", "totalExact") if partly}
    return [name for name in said | shown if canonical(said.get(name)) != canonical(shown.get(name))]


def as_edited(contents: list[dict[str, Any]]) -> dict[str, Any]:
    """What was ordered, with the lines that were added to it since. With taxes it comes to whole minor units, to what was invoiced."""
    events = [event for content in contents for event in content["events"]]
    created = dict[str, Any](events[0]["data"])
    for edit in (event["data"] for event in events if event["eventType"] == "OrderEditApplied"):
        cost = sum(line["quantity"] * decimal(line["unit_price"]) for line in edit["lines"])
        exact = None if edit.get("pricing") else f"{decimal(created['total_exact']) + cost:f}"
        created |= {"lines": [*created["lines"], *edit["lines"]], "total_exact": exact}
    return created


def check_invoices(stream: str, contents: list[dict[str, Any]], invoices: list[dict[str, Any]]) -> Iterator[Wrong]:
    events = [(number, event) for number, content in enumerate(contents, 1) for event in content["events"]]
    found = [(number, event["data"]) for number, event in events if event["eventType"] == "InvoiceIssued"]
    issued = {event["invoice_number"]: (number, event) for number, event in found}
    for shown in invoices:
        number, event = issued.pop(name := shown["invoiceNumber"], (0, {}))
        if not event:
            yield stream, 1, "invoice_unknown", f"no event of the order issued {name}"
        elif differing := differing_fields(shown, event, as_edited(contents[: number - 1])):
            yield stream, number, "invoice_differs", f"{name}: {', '.join(differing)}"
    yield from ((stream, number, "invoice_missing", f"it issued {name}") for name, (number, _) in issued.items())


def check(text: str, keys: set[str]) -> tuple[list[Wrong], list[str]]:
    """Every finding; and what the bundle shows where there is none."""
    wrong, shown, root = list[Wrong](), list[str](), dict[str, Any]()
    pinned = "which is the one asked for" if keys else "NOT PINNED: compare it with the published one, or give --key"
    names = "format tenant order stream commits proof roots notAnchored invoices"
    try:
        values = exactly(json.loads(text, object_pairs_hook=once), names)
        form, tenant, order, stream, commits, proof, roots, behind, invoices = values
        wrong += check_commits(stream, commits)
        wrong += [] if wrong else check_invoices(stream, [commit["content"] for commit in commits], invoices)
        wrong += check_roots(roots, keys, root)
        wrong += check_proof(stream, commits, proof, root)
        later = [] if wrong else [*range(proof["number"] + 1, len(commits) + 1)]
        expected = ["orderstore/bundle/1", f"{tenant}/order-{order}", later]
        if not wrong and canonical([form, stream, behind]) != canonical(expected):
            wrong.append(("bundle", 0, "bundle_malformed", f"format, stream and notAnchored should be {expected}"))
        after = f"{len(later)} came since and are in no root yet" if later else "none came since"
        shown.append(f"order {stream}: {len(commits)} commits, {len(invoices)} invoices, as they were written")
        shown.append(f"root {root['number']} of {root['createdAt']} holds commits 1 to {proof['number']}, {after}")
        shown.append(f"it is signed by the key {root['signer']}, {pinned}")
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        wrong.append(("bundle", 0, "bundle_malformed", f"{type(error).__name__}: {error}"))
    return wrong, [] if wrong else shown


def main(arguments: list[str]) -> int:  # the exit code
    if len(arguments) % 2 == 0 or {*arguments[1::2]} - {"--key"} or not (file := Path(arguments[0])).exists():
        sys.stderr.write(str(__doc__))
        return 2
    wrong, shown = check(file.read_text("utf-8", "surrogateescape"), set(arguments[2::2]))
    lines = [f"WRONG {at}{f' commit {number}' * (number > 0)}: {reason}: {why}" for at, number, reason, why in wrong]
    lines = [line.encode("unicode_escape").decode() for line in lines or shown]  # a bundle must not steer a terminal
    sys.stdout.write("\n".join([*lines, f"NOT VERIFIED: {len(wrong)} findings\n" if wrong else "VERIFIED\n"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
