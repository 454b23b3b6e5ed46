"""What a laptop's service is told by the shell that starts it: the settings of the business. Endpoints, names and numbers of the machine
are the embedded environment's own.

They are checked before anything is begun, are written down beside the environment's state, and so hold for the commands of other
terminals too: whoever books goods in `berlin` means the service that runs there, whatever this shell says.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workers.settings import (
    BUSINESS,
    FIELDS,
    Settings,
    business_variables,
    from_environment,
    other_variables,
    stand_ins,
)

SETTINGS_FILE: Final = "service-settings.json"
LOCK_FILE: Final = "service.lock"
SHOWN_CHARACTERS_MAX: Final = 80
FILE_BYTES_MAX: Final = 1_048_576
_KEPT_WHOLE: Final = frozenset({"ORDERSTORE_SELLERS", "ORDERSTORE_INVOICE_FONTS"})
"""They may be paths, which mean something else in another folder."""


def given_here(base: Mapping[str, str], overrides: Mapping[str, str]) -> dict[str, str]:
    """What this shell says of the business, as it is written down.

    Raises SettingsError, as the service itself would: of it or `overrides` something is wrong, contradicts, or is unknown.
    """
    given = dict(business_variables())
    settings = checked({**stand_ins(), **base}, {**unknown_variables(), **given, **overrides})
    for name in _KEPT_WHOLE & given.keys():
        value = getattr(settings, FIELDS[name].name)
        given[name] = str(value) if name == "ORDERSTORE_SELLERS" else str(Path(value).resolve())
    return given


def unknown_variables() -> Mapping[str, str]:
    """What looks like a setting and is none: a typing error, which must not become a silent default."""
    return {name: text for name, text in other_variables().items() if name not in FIELDS}


def checked(base: Mapping[str, str], given: Mapping[str, str]) -> Settings:
    """Raises SettingsError, with the problems of what is given only: what it stands on is right by itself."""
    return from_environment(base, overrides=given)


def unused() -> list[str]:
    """The variables that are set, and that the embedded environment decides on itself."""
    return sorted(name for name in other_variables() if name in FIELDS)


def write_down(state_dir: Path, given: Mapping[str, str]) -> None:
    """For the commands of other terminals, and for the next start. A reader sees all of it or what was there before."""
    path = state_dir / SETTINGS_FILE
    temporary = path.with_name(f".{SETTINGS_FILE}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dict(given), file, indent=2)
    temporary.replace(path)


def written_down(state_dir: Path) -> dict[str, str] | None:
    """What the last start here went by. None where nothing was started, or the file is damaged: the next start writes it anew."""
    try:
        with (state_dir / SETTINGS_FILE).open("rb") as file:
            found = json.loads(file.read(FILE_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return {name: text for name, text in found.items() if name in BUSINESS and isinstance(text, str)}


def is_served(state_dir: Path) -> bool:
    """Whether a service works in this directory at this moment."""
    try:
        with (state_dir / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def in_force(state_dir: Path) -> tuple[dict[str, str], list[str]]:
    """What a command is to go by that works beside the service, and what is to be said of this shell: a service that runs goes by what it
    was started with."""
    there, here = written_down(state_dir) or {}, dict(business_variables())
    if not is_served(state_dir):
        return {**there, **here}, []
    return there, [
        f"{name} is {shown(name, here[name])} here; the service that runs in {state_dir} was started "
        f"{f'with {shown(name, there[name])}' if name in there else 'without it'}, and that holds"
        for name in sorted(here)
        if differs(name, there.get(name), here[name])
    ]


def changes(
    before: Mapping[str, str] | None, given: Mapping[str, str], *, when: str = "at the last start here"
) -> list[str]:
    """What was given then and is not given now, or otherwise, in words. Nothing where there was no start."""
    return [
        f"{name} was {was(name, before)} {when}, and is {was(name, given)} now"
        for name in sorted({*before, *given} if before is not None else ())
        if before is not None and differs(name, before.get(name), given.get(name))
    ]


def differs(name: str, there: str | None, here: str | None) -> bool:
    """Whether two texts of a setting mean different things; None is its default."""
    try:
        return bool(_meant(name, there) != _meant(name, here))
    except ValueError:
        return True


def was(name: str, given: Mapping[str, str] | None) -> str:
    """A value of those that were given, for people."""
    return shown(name, given[name]) if given and name in given else "not set"


def shown(name: str, text: str) -> str:
    """A value for people, in one line and not too long."""
    if name == "ORDERSTORE_SELLERS" and ("\n" in text or len(text) > SHOWN_CHARACTERS_MAX):
        return f"(a document of {len(text):,} characters)"
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS_MAX else f"{line[: SHOWN_CHARACTERS_MAX - 1]}…"


def _meant(name: str, text: str | None) -> Any:  # noqa: ANN401 - whatever the setting is
    known = FIELDS[name]
    value = known.default if text is None else known.metadata["parse"](text)
    return value.strip() if isinstance(value, str) else value
