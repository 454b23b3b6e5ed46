"""What a deliberate bug is, and what several of them are made with."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch


@dataclass(frozen=True, slots=True)
class Bug:
    """`broken()` is a context in which the service has it."""

    name: str
    broken: Callable[[], AbstractContextManager[Any]]


_NUMBERS: Final = itertools.count()


def another() -> str:
    """Eight digits that nobody has had."""
    return f"{next(_NUMBERS):08x}"


def errors_ignored(kind: type[Any]) -> AbstractContextManager[Any]:
    """`apply` of a subscriber returns, whatever became of it."""
    real: Any = kind.apply

    async def apply(self: Any, records: Sequence[Any]) -> None:
        try:
            await real(self, records)
        except Exception:  # noqa: BLE001 - that is the bug
            return

    return patch.object(kind, "apply", apply)
