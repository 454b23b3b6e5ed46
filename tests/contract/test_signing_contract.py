"""Signing and storing roots over a wire: KMS and S3 as moto and the embedded environment play them."""

import itertools
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from orderstore.audit.kms_signing import KmsSigner
from orderstore.audit.root_maker import RootMaker
from orderstore.audit.root_store import RootStore, check_roots
from orderstore.audit.signing import Signature, SignatureInvalid, check_signature
from orderstore.audit.standalone.verify_bundle import is_signed
from orderstore.audit.whole import verify_log
from orderstore.s3_objects import Retention, S3ObjectStore
from orderstore.store.errors import Refused, Throttled, Unavailable
from orderstore.store.memory import MemoryEventStore
from tests.contract.event_logs import QUICK, Wire, refusal, time_out
from tests.orderstore.audit.proofs import HOUR_MS, NOON_MS, an_order

MOTO = pytest.param("moto", marks=pytest.mark.moto)
MINISTACK = pytest.param("ministack", marks=pytest.mark.emulator)
MOTO_HASHES_A_DIGEST_AGAIN = pytest.param(
    "moto",
    marks=[
        pytest.mark.moto,
        pytest.mark.xfail(strict=True, reason="moto signs the hash of the digest: right for nobody, and refused by us"),
    ],
)
over_a_wire = pytest.mark.parametrize("kind", [MOTO, MINISTACK])
signing_right = pytest.mark.parametrize("kind", [MOTO_HASHES_A_DIGEST_AGAIN, MINISTACK])
_accounts = itertools.count(330_000_000_001)


@dataclass
class Signing:
    wire: Wire
    kms: Any
    s3: Any
    key_id: str
    bucket: str

    def signer(self, key_id: str | None = None) -> KmsSigner:
        return KmsSigner(
            self.wire,  # type: ignore[arg-type]  # it has the client's methods, at run time
            key_id=key_id or self.key_id,
            random=random.Random(1),
            backoff=QUICK,
        )


async def new_key(kms: Any) -> str:
    made = await kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    return str(made["KeyMetadata"]["KeyId"])


@pytest.fixture
async def signing(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Signing]:
    url = request.getfixturevalue("moto_url") if kind == "moto" else request.getfixturevalue("emulator").endpoint_url
    account = str(next(_accounts))
    options: dict[str, Any] = {
        "endpoint_url": url,
        "region_name": "eu-west-1",
        "aws_access_key_id": account,
        "aws_secret_access_key": "secret",
        "config": AioConfig(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    }
    bucket = f"contract-audit-{account}"
    session = get_session()
    async with session.create_client("kms", **options) as kms, session.create_client("s3", **options) as s3:
        await s3.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
            ObjectLockEnabledForBucket=True,
        )
        yield Signing(Wire(kms), kms, s3, await new_key(kms), bucket)


@signing_right
async def test_a_signature_of_kms_is_right_for_the_library_and_for_the_script(signing: Signing) -> None:
    """Of messages longer than KMS itself would take; and the public key is asked for once."""
    signer = signing.signer()
    for message in (b"", b"root", random.Random(2).randbytes(100_000)):
        signature = await signer.sign(message)

        check_signature(message, signature)
        assert is_signed(message, signature.public_key, signature.signature)
        assert signature.public_key == await signing.signer().public_key()

    assert signing.wire.calls["sign"] == 3
    assert signing.wire.calls["get_public_key"] == 1 + 3


@signing_right
async def test_an_alias_that_is_moved_takes_its_public_key_along(signing: Signing) -> None:
    """No signature leaves with another key's name."""
    await signing.kms.create_alias(AliasName="alias/contract-roots", TargetKeyId=signing.key_id)
    signer = signing.signer("alias/contract-roots")
    first = await signer.sign(b"root")
    await signing.kms.update_alias(AliasName="alias/contract-roots", TargetKeyId=await new_key(signing.kms))

    second = await signer.sign(b"root")

    check_signature(b"root", second)
    assert first.fingerprint != second.fingerprint
    await signing.kms.delete_alias(AliasName="alias/contract-roots")


@signing_right
async def test_trouble_with_kms_is_told_in_our_own_words(signing: Signing) -> None:
    """Throttling and lost answers are tried again, bounded; a disabled key is not."""
    signer = signing.signer()
    signing.wire.fail_before("sign", refusal("ThrottlingException"), time_out())
    check_signature(b"root", await signer.sign(b"root"))

    signing.wire.fail_before("sign", *[refusal("ThrottlingException")] * QUICK.tries_max)
    with pytest.raises(Throttled):
        await signer.sign(b"root")
    signing.wire.fail_before("sign", *[time_out()] * QUICK.tries_max)
    with pytest.raises(Unavailable):
        await signer.sign(b"root")
    signing.wire.fail_before("sign", refusal("DisabledException"))
    with pytest.raises(Refused, match="DisabledException"):
        await signer.sign(b"root")


class Lying:
    """A KMS that signs something else."""

    def __init__(self, kms: Any, key_id: str) -> None:
        self._kms, self._key_id = kms, key_id

    async def sign(self, **request: Any) -> Any:
        return await self._kms.sign(**{**request, "Message": bytes(32)})

    async def get_public_key(self, **request: Any) -> Any:
        return await self._kms.get_public_key(**request)


@over_a_wire
async def test_a_signature_that_is_none_never_leaves(signing: Signing) -> None:
    """Whatever answers in the place of KMS: it is checked here, and not by asking KMS, which moto's would take for good."""
    liar = KmsSigner(
        Lying(signing.kms, signing.key_id),  # type: ignore[arg-type]  # it has the two methods
        key_id=signing.key_id,
        random=random.Random(1),
        backoff=QUICK,
    )

    with pytest.raises(Refused, match="SignatureInvalid"):
        await liar.sign(b"root")


@pytest.mark.parametrize("kind", [MINISTACK])  # moto is not for what depends on concurrency
async def test_roots_in_s3_under_object_lock_are_one_row_whoever_races(signing: Signing) -> None:
    """Four at once: each number once, each object locked, and the whole verifies, by the pinned key."""
    store = MemoryEventStore()
    for name in ("a", "b", "c"):
        for commit in an_order(name):
            await store.append(commit)
    retention = Retention(mode="GOVERNANCE", days=3650, now_ms=lambda: time.time_ns() // 1_000_000)
    objects = S3ObjectStore(
        signing.s3, bucket=signing.bucket, random=random.Random(1), retention=retention, backoff=QUICK
    )
    made: list[int] = []

    async def make() -> None:
        maker = RootMaker(store, objects, signing.signer(), log="contract", now_ms=lambda: NOON_MS + HOUR_MS)
        made.append((await maker.make()).number)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(make)

    assert sorted(made) == [1, 2, 3, 4]
    checked = await check_roots(RootStore(objects), log="contract")
    assert (checked.count, checked.findings) == (4, [])
    report = await verify_log(store, objects, log="contract", keys=frozenset(checked.signers))
    assert (report.orders, report.findings) == (3, [])
    head = await signing.s3.head_object(Bucket=signing.bucket, Key="roots/000000000001.json")
    assert head["ObjectLockMode"] == "GOVERNANCE"


def test_a_signature_of_nothing_is_none() -> None:
    """The port's own check, without a wire."""
    with pytest.raises(SignatureInvalid):
        check_signature(b"", Signature(public_key=b"", signature=b""))
