"""What the operations that only ask a desk and tell its answer share: its refusals in the API's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from projections.http.problems import FieldError, Problem


@contextmanager
def translated(*, after: str = "") -> Iterator[None]:
    """A desk raises LookupError (no such thing), ValueError (refused), ConnectionError (not now; `after` is said behind it).

    A refusal may have `wrong`: JSON pointers to the fields that are, each with what is wrong there.

    Raises Problem. KeyError and IndexError are mistakes of ours, and no answers.
    """
    try:
        yield
    except (KeyError, IndexError):
        raise
    except LookupError as error:
        raise Problem("not_found", str(error.args[0] if error.args else error)) from error
    except ValueError as error:
        errors = [FieldError(pointer=at, detail=detail, code="refused") for at, detail in getattr(error, "wrong", ())]
        raise Problem("invalid", str(error), errors=errors) from error
    except ConnectionError as error:
        said = error.args[0] if error.args else error
        raise Problem("unavailable", f"{said}{after}", headers={"Retry-After": "5"}) from error
