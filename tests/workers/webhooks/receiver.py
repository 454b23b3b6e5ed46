"""The receiver that docs/webhooks.md shows, taken out of the page, so that it is tested as it stands there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"


def snippet() -> str:
    """The page's first block of Python."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def _receive() -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(compile(snippet(), str(PAGE), "exec"), names)
    receive: Callable[..., Any] = names["receive"]
    return receive


receive = _receive()
