"""JSON as every door of ours reads it: exact, and nothing that two readers could understand in two ways."""

import json
from decimal import Decimal
from typing import Any, NoReturn


def parse(body: bytes) -> object:
    """JSON with decimals kept as written.

    Raises ValueError: not JSON or not UTF-8, NaN or Infinity, a key twice, too deep, a number too large.
    """
    try:
        document: object = json.loads(
            body.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_no_key_twice
        )
    except RecursionError as error:
        raise ValueError("the document is nested too deeply") from error
    except ArithmeticError as error:
        raise ValueError("a number is too large") from error
    except (json.JSONDecodeError, UnicodeDecodeError, _Refused):
        raise
    except ValueError as error:  # Python's own bound on the digits of an integer, with advice that is none for a client
        raise ValueError("a number has too many digits") from error
    return document


class _Refused(ValueError):
    """What the parser itself would take."""


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not a JSON number")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("an object names the same key twice")
    return found
