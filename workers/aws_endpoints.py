"""Where the requests go: worked out by botocore's rules once for each operation, not once for each call.

The rules of these services look at what a client was made with (region, address, FIPS, dual stack) and at nothing in a call, but for
DynamoDB's addresses by account, which `account_id_endpoint_mode="disabled"` switches off. Where a client has them switched on, where a call
names a table by its ARN, or where the rules have more to say than an address, every call asks them, as it did.
"""

from typing import Any, Final

from aiobotocore.client import AioBaseClient
from aiobotocore.session import AioSession

SERVICES: Final = ("dynamodb", "dynamodb-streams", "sqs", "sns")
"""Their ids as botocore's events spell them."""

Resolved = tuple[str, dict[str, str], dict[str, Any]]


def remember_endpoints(session: AioSession) -> None:
    """Have the session's clients of these services, from now on, remember theirs."""
    for service in SERVICES:
        session.register(f"creating-client-class.{service}", _extend)


def _extend(base_classes: list[type], **_: object) -> None:
    """botocore's way to give the class of a client another base (boto3's "Extensibility guide")."""
    base_classes.insert(0, RememberedEndpoints)


class RememberedEndpoints(AioBaseClient):
    """A client that asks its rules once for each operation: never more answers than its service has operations."""

    async def _resolve_endpoint_ruleset(
        self,
        operation_model: Any,  # noqa: ANN401 - botocore's
        params: dict[str, Any],
        request_context: dict[str, Any],
        ignore_signing_region: bool = False,  # noqa: FBT001, FBT002 - botocore's signature
    ) -> Resolved:
        kept: dict[str, Resolved] = self.__dict__.setdefault("_orderstore_endpoints", {})
        found: Resolved | None = kept.get(operation_model.name)
        if found is not None and not _names_an_arn(params):
            return found
        before = dict(request_context)
        asked: Resolved = await super()._resolve_endpoint_ruleset(  # type: ignore[misc] # the stubs leave it out
            operation_model, params, request_context, ignore_signing_region
        )
        _, headers, properties = asked
        plain = before == request_context and not headers and not properties and not _names_an_arn(params)
        config: Any = self.meta.config
        if plain and config.account_id_endpoint_mode == "disabled":
            kept[operation_model.name] = asked
        return asked


def _names_an_arn(params: dict[str, Any]) -> bool:
    return str(params.get("TableName", "")).startswith("arn:")
