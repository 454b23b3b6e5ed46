"""The committed documents: made anew in memory and compared, or written.

<dir>/stored/<Name>-<version>.json       what lies in the log; versions of the past stay as they were
<dir>/published/<Name>-<version>.json    what is published
<dir>/README.md                          the registry, to be read
<dir>/../asyncapi.json                   topic, queues and messages
<dir>/releases/<version>/…               the schemas as a release had them; never changed
<dir>/releases/<version>/release.json    the list of them (manifests.py)

SchemaFilesError   the directory, or a file in it, is not what it should be
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from orderstore.registry import EVENT_TYPES
from orderstore.schemas.asyncapi import asyncapi
from orderstore.schemas.documents import FORM_NAMES, documents, path_of, text_of
from orderstore.schemas.manifests import MANIFEST, Damage, damages, manifest_of
from orderstore.schemas.readme import readme
from orderstore.schemas.releases import Released

ASYNCAPI: Final = "asyncapi.json"
README: Final = "README.md"
RELEASES: Final = "releases"
_RELEASE: Final = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}")
_FILE: Final = re.compile(r"(?P<name>[A-Za-z]+)-(?P<version>\d{1,6}\.\d{1,6})\.json")

Trouble = Literal["missing", "stale", "superfluous", "changed"] | Damage

_RESTORE: Final[Mapping[Damage, str]] = MappingProxyType(
    {
        "missing": "what was released does not go: restore it from version control",
        "altered": "what was released does not change: restore it from version control",
        "foreign": "the release was made without it: remove it",
    }
)


class SchemaFilesError(Exception):
    """The directory, or a file in it, is not what it should be. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Untrue:
    """A committed file that does not say what this build says."""

    path: Path
    trouble: Trouble
    advice: str

    def __str__(self) -> str:
        return f"{self.path}: {self.trouble}; {self.advice}"


def untrue(directory: Path) -> tuple[Untrue, ...]:
    """Every file that is missing, stale, superfluous, or changed though it is history; `()` when all is as it should be.

    Raises SchemaFilesError: there is no such directory, or a release in it cannot be read.
    """
    _must_exist(directory)
    return tuple(_untrue(directory))


def write(directory: Path) -> tuple[Path, ...]:
    """Write what is missing or stale, remove what is superfluous, restore what a release holds. Returns the paths that were touched.

    Raises SchemaFilesError: there is no such directory, or a version of the past is neither there nor in a release.
    """
    wrong = untrue(directory)
    expected = _expected(directory)
    lost = [one.path for one in wrong if one.trouble == "missing" and expected.get(one.path) is None]
    if lost:
        raise SchemaFilesError(
            f"{', '.join(map(str, lost))}: a version of the past, which no release holds: restore it from version control. "
            "Nothing was written"
        )
    for one in wrong:
        content = expected.get(one.path)
        if content is None:
            one.path.unlink()
        else:
            one.path.parent.mkdir(parents=True, exist_ok=True)
            one.path.write_bytes(content)
    return tuple(one.path for one in wrong)


def releases(directory: Path) -> tuple[str, ...]:
    """The releases that are held, oldest first."""
    found = directory / RELEASES
    names = [path.name for path in found.iterdir() if _RELEASE.fullmatch(path.name)] if found.is_dir() else []
    return tuple(sorted(names, key=lambda name: tuple(map(int, name.split(".")))))


def damaged(directory: Path, release: str = "") -> tuple[Untrue, ...]:
    """Every file of this release, or of all, that is not as it was released; a directory without any release is a finding too.

    Nothing mends these but version control. Raises SchemaFilesError: there is no such directory or release.
    """
    _must_exist(directory)
    held = (release,) if release else releases(directory)
    if not held:
        advice = "restore it from version control; on the first day, `orderstore schemas release VERSION` makes one"
        return (Untrue(directory / RELEASES, "missing", advice),)
    folders = [_held(directory, one) for one in held]
    return tuple([Untrue(path, damage, _RESTORE[damage]) for folder in folders for path, damage in damages(folder)])


def read_release(directory: Path, release: str) -> tuple[Released, ...]:
    """Every version that a release holds. Raises SchemaFilesError."""
    folder = _held(directory, release)
    found = []
    for form in FORM_NAMES:
        for path in sorted((folder / form).glob("*")):
            match = _FILE.fullmatch(path.name)
            if match is None:
                raise SchemaFilesError(f"{path}: not the schema of a version (<Name>-<version>.json)")
            found.append(Released(form=form, name=match["name"], version=match["version"], schema=_read(path)))
    if not found:
        raise SchemaFilesError(f"{folder} is empty: restore it from version control")
    return tuple(found)


def cut(directory: Path, release: str) -> Path:
    """Hold the present schemas as a release, and return its folder.

    Raises SchemaFilesError: it has no such name, or is held already, or the committed files are not true.
    """
    if not _RELEASE.fullmatch(release):
        raise SchemaFilesError(f"{release!r} is no release: write it as 1.2.3")
    if release in releases(directory):
        raise SchemaFilesError(f"release {release} is held already, and what was released does not change")
    wrong = untrue(directory)
    if wrong:
        raise SchemaFilesError(f"{wrong[0].path} is {wrong[0].trouble}: run `orderstore schemas write` first")
    folder = directory / RELEASES / release
    for form in FORM_NAMES:
        shutil.copytree(directory / form, folder / form)
    (folder / MANIFEST).write_bytes(manifest_of(folder))  # last: without it the release is not whole
    return folder


def _untrue(directory: Path) -> Iterator[Untrue]:
    expected = _expected(directory)
    for path, content in expected.items():
        if not path.is_file():
            lost = content is None
            yield Untrue(
                path, "missing", "restore it from version control" if lost else "run `orderstore schemas write`"
            )
        elif content is None:
            _read(path)
        elif path.read_bytes() != content:
            past = path.parent.name in FORM_NAMES and path not in _present(directory)
            yield Untrue(
                path,
                "changed" if past else "stale",
                "what was released does not change: `orderstore schemas write` restores it"
                if past
                else "run `orderstore schemas write`",
            )
    for form in FORM_NAMES:
        for path in sorted((directory / form).glob("*")):
            if path not in expected:
                yield Untrue(
                    path, "superfluous", "the registry has no such version: `orderstore schemas write` removes it"
                )


def _expected(directory: Path) -> dict[Path, bytes | None]:
    """What should be there; None: a version of the past that no release holds, whose file is the only record of it."""
    return {**_present(directory), **_past(directory)}


def _present(directory: Path) -> dict[Path, bytes | None]:
    found: dict[Path, bytes | None] = {directory / one.path: text_of(one.schema) for one in documents()}
    found[directory / README] = readme().encode()
    above = directory.parent if directory.name else directory.resolve().parent
    found[above / ASYNCAPI] = text_of(asyncapi())
    return found


def _past(directory: Path) -> dict[Path, bytes | None]:
    """The stored versions that history holds, as the latest release with them has them."""
    held = tuple(reversed(releases(directory)))
    found: dict[Path, bytes | None] = {}
    for entry in EVENT_TYPES:
        for version in entry.earlier:
            name = path_of("stored", entry.name, version)
            copies = [directory / RELEASES / release / name for release in held]
            found[directory / name] = next((copy.read_bytes() for copy in copies if copy.is_file()), None)
    return found


def _held(directory: Path, release: str) -> Path:
    folder = directory / RELEASES / release
    if not folder.is_dir():
        held = ", ".join(releases(directory)) or "none"
        raise SchemaFilesError(f"{directory} holds no release {release} (it holds {held})")
    return folder


def _must_exist(directory: Path) -> None:
    if not directory.is_dir():
        raise SchemaFilesError(
            f"there is no {directory}: run this where the repository's docs lie, or name their directory with --dir"
        )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise SchemaFilesError(f"{path} is not JSON ({error}): restore it from version control") from error
    if not isinstance(found, dict):
        raise SchemaFilesError(f"{path} is not a schema: restore it from version control")
    return found
