"""The script's own ECDSA, against a library that everybody uses: what the one takes the other takes, and nothing else."""

import hashlib
import random

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from orderstore.audit.signing import Signature, SignatureInvalid, check_signature
from orderstore.audit.standalone import verify_bundle
from orderstore.audit.standalone.verify_bundle import GX, GY, SPKI, B, N, P, is_signed

SEED = 20_261_121


def public_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def library_takes(message: bytes, key: bytes, signature: bytes) -> bool:
    try:
        check_signature(message, Signature(public_key=key, signature=signature))
    except SignatureInvalid:
        return False
    return True


def signed(number: int) -> tuple[bytes, bytes, bytes]:
    key = ec.derive_private_key(random.Random(SEED + number).randrange(1, N), ec.SECP256R1())
    message = b"root %d" % number
    return message, public_der(key), key.sign(message, ec.ECDSA(hashes.SHA256()))


KEY = ec.derive_private_key(SEED, ec.SECP256R1())
MESSAGE = b"a root"
DER = public_der(KEY)
SIGNATURE = KEY.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
R, S = decode_dss_signature(SIGNATURE)
X, Y = int.from_bytes(DER[-64:-32], "big"), int.from_bytes(DER[-32:], "big")


@pytest.mark.parametrize("numbers", [range(10), pytest.param(range(10, 200), marks=pytest.mark.thorough)], ids=str)
def test_true_signatures_of_many_keys_are_taken(numbers: range) -> None:
    """Two hundred keys, drawn from a seed; and none is a signature of another message or by another key."""
    for number in numbers:
        message, key, signature = signed(number)
        assert is_signed(message, key, signature), f"key {number} of seed {SEED}"
        if number % 10 == 0:
            assert not is_signed(message + b".", key, signature)
            assert not is_signed(message, DER, signature)


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.thorough)])
def test_a_signature_with_any_bit_changed_is_refused(step: int) -> None:
    """In every byte (or each `step`th), as the library refuses it. (Signatures differ in length from run to run, so this is one test.)"""
    for position in range(0, len(SIGNATURE), step):
        changed = bytearray(SIGNATURE)
        changed[position] ^= 1 << (position % 8)

        assert not is_signed(MESSAGE, DER, bytes(changed)), position
        assert not library_takes(MESSAGE, DER, bytes(changed)), position


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, S),
        (R, 0),
        (0, 0),
        (N, S),
        (R, N),
        (R + N, S),
        (R, S + N),
        (S, R),
        (N - R, S),
        (1, 1),
        (R, S + 1),
        (2**300, S),
    ],
    ids=["r 0", "s 0", "both 0", "r n", "s n", "r + n", "s + n", "swapped", "n - r", "ones", "s + 1", "huge"],
)
def test_numbers_that_are_no_signature_are_refused(r: int, s: int) -> None:
    """Zero, n and above, and the two in each other's place."""
    signature = encode_dss_signature(r, s)

    assert not is_signed(MESSAGE, DER, signature)
    assert not library_takes(MESSAGE, DER, signature)


def test_the_mirrored_signature_is_one_of_the_same_key_to_both() -> None:
    """ECDSA's known twin (r, n - s): it is the key's own, over the same message, so that it proves no less."""
    twin = encode_dss_signature(R, N - S)

    assert is_signed(MESSAGE, DER, twin)
    assert library_takes(MESSAGE, DER, twin)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        SIGNATURE[:-1],
        SIGNATURE + b"\x00",
        b"\x31" + SIGNATURE[1:],
        b"\x30\x81" + SIGNATURE[1:],
        bytes([0x30, SIGNATURE[1] + 1, 0x02, SIGNATURE[3] + 1, 0x00]) + SIGNATURE[4:],
        b"\x30\x06\x02\x01\x81\x02\x01\x01",
        bytes(72),
        b"\xff" * 72,
    ],
    ids=["empty", "tag", "no numbers", "short", "long", "tag", "long length", "padded", "negative", "zeros", "ones"],
)
def test_bytes_that_are_no_der_signature_are_refused(signature: bytes) -> None:
    """One form for one signature, and no exception whatever comes."""
    assert not is_signed(MESSAGE, DER, signature)
    assert not library_takes(MESSAGE, DER, signature)


def point(x: int, y: int) -> bytes:
    return SPKI + x.to_bytes(32, "big") + y.to_bytes(32, "big")


@pytest.mark.parametrize(
    "key",
    [
        b"",
        DER[:-1],
        DER + b"\x00",
        point(X, Y ^ 1),
        point(Y, X),
        point(0, 0),
        point(0, 1),
        point(P, Y),
        point(X, P),
        point(GX, GY ^ 1),
        DER.replace(SPKI, SPKI[:-1] + b"\x02"),
        point(X, P - Y),
        point(GX, GY),
    ],
    ids=[
        "empty", "short", "long", "off the curve", "swapped", "zero", "x 0", "x p", "y p", "near G", "compressed", "mirrored", "G",
    ],
)  # fmt: skip
def test_keys_that_are_none_or_another_are_refused(key: bytes) -> None:
    """Off the curve, out of the field, of another form; and the mirrored point, which is a key, but not this one."""
    assert not is_signed(MESSAGE, key, SIGNATURE)
    assert not library_takes(MESSAGE, key, SIGNATURE)


def test_a_key_whose_coordinate_is_written_past_the_field_is_refused() -> None:
    """x + p is the same number modulo p, and not the same key."""
    x = next(x for x in range(1, 100) if pow(x**3 - 3 * x + B, (P - 1) // 2, P) == 1)
    y = pow(x**3 - 3 * x + B, (P + 1) // 4, P)

    assert (y * y - x**3 + 3 * x - B) % P == 0
    assert not is_signed(MESSAGE, point(x + P, y), SIGNATURE)


@pytest.mark.parametrize("key", [point(X, Y ^ 1), point(0, 1), point(GX, GY ^ 1), point(1, 0)])
def test_a_point_off_the_curve_is_refused_before_anything_is_computed_with_it(
    key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another curve the sums may come to whatever somebody wants: an invalid-curve key is never multiplied."""

    def used(*_points: object) -> None:
        pytest.fail("it was used")

    monkeypatch.setattr(verify_bundle, "add", used)

    assert not is_signed(MESSAGE, key, SIGNATURE)


def test_a_key_of_another_curve_is_refused() -> None:
    """P-384 signs with the same algorithm."""
    other = ec.generate_private_key(ec.SECP384R1())
    signature = other.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))

    assert not is_signed(MESSAGE, public_der(other), signature)


def test_a_signature_made_from_a_known_digest_alone_is_refused() -> None:
    """r = x(G), s = digest: the textbook forgery of those who forget the key's part."""
    digest = int.from_bytes(hashlib.sha256(MESSAGE).digest(), "big")

    assert not is_signed(MESSAGE, DER, encode_dss_signature(GX % N, digest % N))
