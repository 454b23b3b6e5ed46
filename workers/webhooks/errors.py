"""What can be wrong with a request about webhooks, or with sending one.

WebhookError
├── UnknownEndpoint       no such endpoint (LookupError)
├── UnknownDelivery       the endpoint was never to be told of that event, or its record is past its time (LookupError)
├── NotPossible           wrong or refused: an address that is not allowed, a missing reason, a bound (ValueError)
├── Contended             others changed the endpoint again and again meanwhile (ConnectionError); nothing was changed
└── WebhooksUnavailable   the tables or the keys do not answer now (ConnectionError)

SendFailed                no answer of the endpoint; `kind` says why. Not an error of ours: it is an attempt's outcome.

Those outside this package who may not import it (the HTTP API) tell them apart by the built-in class in brackets.
"""

from collections.abc import Sequence
from typing import Literal

FailureKind = Literal["timeout", "dns", "address_refused", "connect", "tls", "protocol"]
"""Why there is no answer. `address_refused`: the guard does not let us go there."""


class WebhookError(Exception):
    """A request about webhooks was not carried out."""


class UnknownEndpoint(WebhookError, LookupError):
    """There is no such endpoint."""


class UnknownDelivery(WebhookError, LookupError):
    """There is no record of that event at that endpoint."""


class NotPossible(WebhookError, ValueError):
    """The request is refused as it stands."""

    def __init__(self, detail: str, *, wrong: Sequence[tuple[str, str]] = ()) -> None:
        """`wrong`: JSON pointers into what was asked, each with what is wrong there."""
        super().__init__(detail)
        self.wrong = tuple(wrong)


class Contended(WebhookError, ConnectionError):
    """Somebody else was always faster."""


class WebhooksUnavailable(WebhookError, ConnectionError):
    """Something underneath does not answer; try again later."""


class SendFailed(Exception):
    """There is no answer."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        """`detail` is in our own words: it is shown to whoever looks at the attempts."""
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
