"""What goes out to AWS is what botocore would send, worked out in less time."""

import copy
from datetime import UTC, datetime
from typing import Any

import botocore.auth
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError

from tests.workers.aws_calls import Wire, clients
from workers import aws_signing
from workers.aws_endpoints import RememberedEndpoints, remember_endpoints
from workers.aws_signing import NAME, QuickSigV4

WITHOUT_TOKEN = ReadOnlyCredentials("AKIAEXAMPLE", "a secret", None)
WITH_TOKEN = ReadOnlyCredentials("AKIAEXAMPLE", "another secret", "a session's token")
HEADERS = {
    "X-Amz-Target": "DynamoDB_20120810.PutItem",
    "Content-Type": "application/x-amz-json-1.0",
    "User-Agent": "orderstore",
    "X-Amzn-Query-Mode": "true",
    "amz-sdk-request": "attempt=1;   max=1",
}
ROOTS = (
    "http://127.0.0.1:4566/",
    "https://dynamodb.eu-west-1.amazonaws.com",
    "https://example.com:443/",
    "http://[::1]:80/",
)


def _request(url: str, **other: Any) -> AWSRequest:
    request = AWSRequest(**{"method": "POST", "url": url, "headers": HEADERS, "data": b'{"TableName": "t"}', **other})
    request.context.update(client_config=None)
    return request


def _both(
    monkeypatch: pytest.MonkeyPatch, request: AWSRequest, credentials: Any = WITH_TOKEN
) -> tuple[dict[str, str], dict[str, str]]:
    """The headers as we sign the request, and as botocore does at the same moment."""
    other = copy.deepcopy(request)
    QuickSigV4(credentials, "dynamodb", "eu-west-1").add_auth(request)
    moment = datetime.strptime(request.context["timestamp"], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 - as botocore has it
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
    botocore.auth.SigV4Auth(credentials, "dynamodb", "eu-west-1").add_auth(other)
    return dict(request.headers.items()), dict(other.headers.items())


@pytest.mark.parametrize("url", ROOTS)
@pytest.mark.parametrize("credentials", [WITHOUT_TOKEN, WITH_TOKEN])
def test_a_request_is_signed_to_the_byte_as_botocore_signs_it(
    monkeypatch: pytest.MonkeyPatch, url: str, credentials: Any
) -> None:
    ours, theirs = _both(monkeypatch, _request(url), credentials)

    assert ours == theirs
    assert "Signature=" in ours["Authorization"]


def test_what_was_signed_before_is_signed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry has another date, and must not carry the first one's signature too."""
    request = _request(ROOTS[0])
    QuickSigV4(WITHOUT_TOKEN, "dynamodb", "eu-west-1").add_auth(request)
    request.data = b"{}"

    ours, theirs = _both(monkeypatch, request)

    assert ours == theirs
    assert [name for name, _ in request.headers.items()].count("Authorization") == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"url": "https://example.com/path"},
        {"url": "https://example.com/?query=1"},
        {"params": {"query": "1"}},
        {"method": "GET", "data": b""},
        {"data": "text"},
        {"headers": {**HEADERS, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}},
    ],
)
def test_what_is_not_plain_is_left_to_botocore(monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any]) -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC).replace(tzinfo=None)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
    ours, theirs = _both(monkeypatch, _request(**{"url": ROOTS[1], **odd}))

    assert ours == theirs


def test_without_credentials_nothing_is_signed() -> None:
    """And it is said as botocore says it."""
    nobody: Any = None

    with pytest.raises(NoCredentialsError):
        QuickSigV4(nobody, "dynamodb", "eu-west-1").add_auth(_request(ROOTS[0]))


async def test_the_services_clients_sign_this_way_with_their_own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[str] = []
    before = QuickSigV4.signature

    def noted(auth: QuickSigV4, text: str, request: Any) -> str:
        signed.append(str(auth.credentials.access_key))
        return before(auth, text, request)

    monkeypatch.setattr(QuickSigV4, "signature", noted)
    async with clients() as opened:
        wires = [Wire(opened.dynamodb, "dynamodb"), Wire(opened.sqs, "sqs"), Wire(opened.streams, "dynamodb-streams")]
        await opened.dynamodb.list_tables()
        await opened.sqs.list_queues()
        await opened.streams.list_streams()

    assert signed == ["210000000001"] * 3
    for wire in wires:
        [sent] = wire.sent
        assert b"Credential=210000000001/" in sent.headers["Authorization"]


def test_what_must_not_be_signed_whole_is_not_taken_over() -> None:
    """An unsigned body, another version, no signature at all: botocore's own."""
    assert aws_signing._choose(signature_version="v4", context={"auth_type": "v4"}) == NAME
    assert aws_signing._choose(signature_version="v4", context={"unsigned_payload": True}) is None
    assert aws_signing._choose(signature_version="v4a", context={}) is None
    assert aws_signing._choose(signature_version=botocore.UNSIGNED, context=None) is None


@pytest.mark.thorough
async def test_an_operations_address_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    async with clients() as opened:
        resolver = opened.dynamodb._ruleset_resolver  # type: ignore[attr-defined] # the stubs leave it out
        before = resolver.construct_endpoint

        async def counted(**given: Any) -> Any:
            asked.append(given["operation_model"].name)
            return await before(**given)

        monkeypatch.setattr(resolver, "construct_endpoint", counted)
        wire = Wire(opened.dynamodb, "dynamodb")
        for table in ("one", "one", "another"):
            await opened.dynamodb.describe_table(TableName=table)
        await opened.dynamodb.list_tables()
        for _ in range(2):
            await opened.dynamodb.describe_table(TableName="arn:aws:dynamodb:eu-west-1:1:table/one")

    assert asked == ["DescribeTable", "ListTables", "DescribeTable", "DescribeTable"]
    assert {sent.url for sent in wire.sent} == {"http://127.0.0.1:4566/"}


@pytest.mark.parametrize("mode", ["preferred", "disabled"])
@pytest.mark.parametrize(
    ("service", "operation"),
    [("dynamodb", "list_tables"), ("dynamodbstreams", "list_streams"), ("sqs", "list_queues")],
)
async def test_remembered_addresses_are_those_of_the_rules(service: str, operation: str, mode: str) -> None:
    """In every kind of region, also where addresses depend on who calls."""
    for region, fips in (("eu-west-1", False), ("cn-north-1", False), ("us-gov-west-1", True)):
        told = []
        for change in (remember_endpoints, None):
            session: Any = AioSession()
            session.set_credentials("id", "secret", account_id="123456789012")
            if change is not None:
                change(session)
            config = AioConfig(account_id_endpoint_mode=mode, use_fips_endpoint=fips)
            async with session.create_client(service, region_name=region, config=config) as client:
                assert isinstance(client, RememberedEndpoints) == (change is not None)
                wire = Wire(client, client.meta.service_model.service_id.hyphenize())
                for _ in range(2):
                    await getattr(client, operation)()
            told.append([sent.url for sent in wire.sent])

        assert told[0] == told[1]
        assert len(set(told[0])) == 1


def test_credentials_that_change_are_asked_for_each_time() -> None:
    """Nothing of a secret is kept between two requests."""
    first, second = (_request(ROOTS[0]), _request(ROOTS[0]))
    QuickSigV4(Credentials("one", "1"), "dynamodb", "eu-west-1").add_auth(first)
    QuickSigV4(Credentials("two", "2"), "dynamodb", "eu-west-1").add_auth(second)

    assert first.headers["Authorization"] != second.headers["Authorization"]
