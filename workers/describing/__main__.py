"""`python -m workers.describing [--check]`: write the pages that are made from the code, or say which of them are out of date (exit 1)."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from workers.describing.catalogue import catalogue
from workers.describing.playing import play
from workers.describing.sources import ROOT
from workers.describing.states import states
from workers.metrics.document import markdown


def pages() -> Mapping[str, str]:
    """By name in `docs/`, what each page is to say. Takes seconds: the whole domain is played."""
    played = play()
    return {"event-catalogue.md": catalogue(played), "order-states.md": states(played), "metrics.md": markdown()}


def main(arguments: Sequence[str], *, docs: Path = ROOT / "docs", made: Callable[[], Mapping[str, str]] = pages) -> int:
    """The exit code: 2 for what makes no sense."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    stale = {name: text for name, text in made().items() if not _says(docs / name, text)}
    for name, text in stale.items():
        if not arguments:
            (docs / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/{name} {'is out of date' if arguments else 'written'}\n")
    return 1 if arguments and stale else 0


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
