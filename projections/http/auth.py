"""Who may do what. Bearer tokens with scopes; the tokens themselves are never kept, only their SHA-256.

`Authentication` is the seam for another identity provider (OIDC, Cognito): anything that turns a credential into a `Principal`.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Protocol, cast, get_args

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.requests import Request

from orderstore.recorded import Actor
from projections.http.problems import Problem

Scope = Literal[
    "orders:read",
    "orders:write",
    "orders:operate",
    "orders:review",
    "documents:read",
    "inbox",
    "webhooks:read",
    "webhooks:write",
    "metrics:read",
    "admin",
]
SCOPES: Final = frozenset(get_args(Scope))
CREDENTIAL_CHARACTERS_MAX: Final = 4096

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_OF_NOTHING: Final = hashlib.sha256(b"").hexdigest()


class OpenService(Exception):
    """No usable token is configured: the service does not start rather than run open to everybody."""


@dataclass(frozen=True, slots=True)
class Token:
    """A configured token: the name that history shows, the SHA-256 (lower-case hex) of the secret, what it may do."""

    name: str
    sha256: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. `admin` includes every other scope."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: str) -> bool:
        """Whether this scope, or `admin`, was given."""
        return scope in self.scopes or "admin" in self.scopes

    @property
    def actor(self) -> Actor:
        """How history names them: who runs the shop acts as an operator, everybody else for customers."""
        return Actor("operator" if self.may("orders:operate") else "customer", self.name)

    @property
    def reviewer(self) -> Actor:
        """The same of who reviews orders: a service, unless it is somebody who runs the shop."""
        return self.actor if self.may("orders:operate") else Actor("service", self.name)


class Authentication(Protocol):
    """Turns what a client presents into who they are."""

    async def authenticate(self, credential: str) -> Principal | None:
        """The owner of a bearer credential, or None. Must take the same time for any wrong credential."""


class BearerTokens:
    """A short, fixed list of tokens."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        """Raises OpenService: the list is empty, or a token is not safe to use."""
        if not tokens:
            raise OpenService("no API token is configured: the service refuses to start rather than run open")
        for token in tokens:
            _check(token)
        if len({token.name for token in tokens}) < len(tokens) or len({token.sha256 for token in tokens}) < len(tokens):
            raise OpenService("two API tokens share a name or a secret")
        self._tokens = tuple((bytes.fromhex(token.sha256), Principal(token.name, token.scopes)) for token in tokens)

    async def authenticate(self, credential: str) -> Principal | None:
        """See `Authentication`. Every token is compared, in constant time, whichever matches."""
        presented = hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()
        found: Principal | None = None
        for expected, principal in self._tokens:
            if hmac.compare_digest(presented, expected):
                found = principal
        return found


def sha256_of(secret: str) -> str:
    """What to write into the configuration for a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(token: Token) -> None:
    if not _NAME.fullmatch(token.name):
        raise OpenService(f"an API token's name is 1 to 64 letters, digits, dots or dashes, not {token.name!r}")
    if not _SHA256.fullmatch(token.sha256) or token.sha256 == _OF_NOTHING:
        raise OpenService(
            f"API token {token.name}: the SHA-256 of a secret is 64 lower-case hex digits, not of nothing"
        )
    unknown = sorted(set(token.scopes) - SCOPES)
    if not token.scopes or unknown:
        raise OpenService(f"API token {token.name} needs scopes among {sorted(SCOPES)}; it has {unknown or 'none'}")


_bearer = HTTPBearer(
    scheme_name="bearer", description="A token with the scopes that the operation names.", auto_error=False
)


async def _principal(
    needed: SecurityScopes,
    request: Request,
    presented: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Principal:
    """The principal of a request, who has every scope that the operation needs. Raises Problem (401, 403)."""
    if presented is None:
        raise Problem("unauthenticated", "send a bearer token", headers=_challenge())
    authentication = cast("Authentication", request.app.state.services.authentication)
    principal = None
    if len(presented.credentials) <= CREDENTIAL_CHARACTERS_MAX:
        principal = await authentication.authenticate(presented.credentials)
    if principal is None:
        raise Problem("unauthenticated", "this token is not known here", headers=_challenge("invalid_token"))
    request.state.notes["principal"] = principal.name
    if not all(principal.may(scope) for scope in needed.scopes):
        raise Problem(
            "forbidden",
            f"this token lacks the scope {needed.scope_str}",
            headers=_challenge("insufficient_scope", needed.scope_str),
        )
    return principal


def _challenge(error: str | None = None, scope: str | None = None) -> dict[str, str]:
    """RFC 6750 section 3."""
    parts = ['Bearer realm="orderstore"']
    if error is not None:
        parts.append(f'error="{error}"')
    if scope is not None:
        parts.append(f'scope="{scope}"')
    return {"WWW-Authenticate": ", ".join(parts)}


Reader = Annotated[Principal, Security(_principal, scopes=["orders:read"])]
Writer = Annotated[Principal, Security(_principal, scopes=["orders:write"])]
Operator = Annotated[Principal, Security(_principal, scopes=["orders:operate"])]
"""Whoever runs the shop: handles returns, tells of delays, writes notes, has refunds tried again."""
Reviewer = Annotated[Principal, Security(_principal, scopes=["orders:review"])]
"""Whoever says whether an order may go on: a service that looks for fraud, or a person."""
DocumentsUser = Annotated[Principal, Security(_principal, scopes=["documents:read"])]
"""Whoever may see invoices as they were sent: with the names of their buyers."""
InboxUser = Annotated[Principal, Security(_principal, scopes=["inbox"])]
"""Whoever shows customers their notes, and notes that they were read."""
CustomerFollower = Annotated[Principal, Security(_principal, scopes=["orders:read", "inbox"])]
WebhookReader = Annotated[Principal, Security(_principal, scopes=["webhooks:read"])]
WebhookWriter = Annotated[Principal, Security(_principal, scopes=["webhooks:write"])]
Administrator = Annotated[Principal, Security(_principal, scopes=["admin"])]
MetricsReader = Annotated[Principal, Security(_principal, scopes=["metrics:read"])]
