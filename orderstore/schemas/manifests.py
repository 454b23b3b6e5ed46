"""What a release consists of: `release.json` in its folder lists its files with their SHA-256, so that one that is gone is missed."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

MANIFEST: Final = "release.json"

Damage = Literal["missing", "altered", "foreign"]


def manifest_of(folder: Path) -> bytes:
    """The text of `release.json` for the files that are in the folder now, sorted by their paths."""
    found = [{"path": path, "sha256": digest} for path, digest in sorted(_digests(folder).items())]
    return (json.dumps({"files": found}, indent=2) + "\n").encode()


def damages(folder: Path) -> Iterator[tuple[Path, Damage]]:
    """Every file that is not as it was when the release was made, by its path; without a manifest that can be read, the manifest."""
    try:
        listed = _listed((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        yield folder / MANIFEST, "missing"
        return
    except (ValueError, KeyError, TypeError):
        yield folder / MANIFEST, "altered"
        return
    present = _digests(folder)
    for path in sorted({*listed, *present}):
        if path not in present:
            yield folder / path, "missing"
        elif path not in listed:
            yield folder / path, "foreign"
        elif listed[path] != present[path]:
            yield folder / path, "altered"


def _listed(manifest: bytes) -> dict[str, str]:
    found = {str(one["path"]): str(one["sha256"]) for one in json.loads(manifest)["files"]}
    if not found:
        raise ValueError("a release of nothing")
    return found


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path != folder / MANIFEST
    }
