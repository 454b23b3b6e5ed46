"""What Stripe answers, taken for what it is only after a look: an order's log keeps references for ever, and no field of it is converted.

An answer that is none of Stripe's (a proxy's, a fault's) says nothing of the money: after a question nothing has happened, after anything
else nobody knows.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

from workers.payment.gateway import GatewayError, GatewayTimeout, GatewayUnavailable
from workers.payment.stripe_amounts import NotChargeable

REFERENCE_CHARACTERS_MAX: Final = 255
# What the library, and whoever reads its objects, raises of a document in which something is missing or of another kind.
_FOREIGN: Final = (AttributeError, LookupError, TypeError, ValueError, OverflowError, RecursionError)
_P = ParamSpec("_P")
_T = TypeVar("_T")
_Method: TypeAlias = Callable[_P, Coroutine[Any, Any, _T]]


def understood(*, writes: bool) -> Callable[[_Method[_P, _T]], _Method[_P, _T]]:
    """Of a method that asks Stripe: an answer that cannot be understood is GatewayTimeout, of a mere question GatewayUnavailable."""

    def around(method: _Method[_P, _T]) -> _Method[_P, _T]:
        @wraps(method)
        async def asking(*arguments: _P.args, **named: _P.kwargs) -> _T:
            try:
                return await method(*arguments, **named)
            except (GatewayError, NotChargeable):
                raise
            except _FOREIGN as error:
                raise not_understood(error, writes=writes) from error

        return asking

    return around


def not_understood(error: Exception, *, writes: bool) -> GatewayError:
    """The same in the gateway's words. The answer is not quoted."""
    text = f"the answer is none of Stripe's: {type(error).__name__}"
    return GatewayTimeout(text) if writes else GatewayUnavailable(text)


def reference_in(value: object) -> str:
    """An id, as events keep it. Raises TypeError."""
    if not isinstance(value, str) or not 1 <= len(value) <= REFERENCE_CHARACTERS_MAX or not value.isprintable():
        raise TypeError("an id is text")
    return value


def amount_in(value: object) -> int:
    """An amount in Stripe's units. Raises TypeError."""
    if type(value) is not int or value < 0:
        raise TypeError("an amount is a whole number")
    return value
