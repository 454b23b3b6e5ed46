"""Requests checked before they leave this machine, in the words in which the door would refuse them."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import typer

from orderstore.recorded import Actor
from orderstore.refusals import Refusal, RequestRefused, parsed
from orderstore.requests import BODY_BYTES_MAX
from workers.commands.running import complain
from workers.intake.bulk.lines import Line, lines_of
from workers.intake.placing import Origin, read_request

SHOWN_MAX: Final = 20

Wrong = list[tuple[int, Refusal]]
"""Lines, by number, and why each would be refused."""


def read(piece: bytes, source: str) -> Mapping[str, Any] | Refusal:
    """The request as JSON, or why it is none."""
    origin = Origin(actor=Actor("service", source), channel="events", scope="", place_key="")
    try:
        asked = parsed(piece)
        read_request(asked, origin)
    except RequestRefused as error:
        return error.refusal
    assert isinstance(asked, Mapping), "what is a request is an object"
    return asked


async def wrong_lines(file: Path) -> Wrong:
    """The first lines of a file that would be refused."""
    wrong: Wrong = []
    with file.open("rb") as opened:
        end = opened.seek(0, 2)
        opened.seek(0)
        lines = lines_of(_Local(opened), start=0, end=end, line_bytes_max=BODY_BYTES_MAX)
        async with aclosing(lines):
            async for line in lines:
                refusal = None if line.is_blank else _refusal(line)
                if refusal is not None:
                    wrong.append((line.ordinal + 1, refusal))
                if len(wrong) > SHOWN_MAX:
                    break
    return wrong


def refuse(wrong: Sequence[tuple[int, Refusal]]) -> None:
    """Say what is wrong, if anything is, and end with nothing sent."""
    if not wrong:
        return
    for number, refusal in wrong[:SHOWN_MAX]:
        errors = [{"pointer": one.pointer, "detail": one.detail} for one in refusal.reasons[:SHOWN_MAX]]
        complain(f"line {number}: {refusal.code}: {reasons_of({'detail': refusal.detail, 'errors': errors})}")
    if len(wrong) > SHOWN_MAX:
        complain("and more")
    complain("Nothing was sent.")
    raise typer.Exit(2)


def refused(message: str) -> NoReturn:
    """What was given cannot be used: exit 2, as for every other wrong input."""
    complain(message)
    raise typer.Exit(2)


def reasons_of(refusal: Mapping[str, Any]) -> str:
    """The reasons of a refusal as reports have it, on one line."""
    errors = [f"{one['pointer'] or 'the request'}: {one['detail']}" for one in refusal.get("errors") or []]
    return "; ".join(errors) or str(refusal["detail"])


def _refusal(line: Line) -> Refusal | None:
    if line.content is None:
        return Refusal("body_too_large", f"a line has at most {BODY_BYTES_MAX} bytes")
    found = read(line.content, "command-line")
    return found if isinstance(found, Refusal) else None


class _Local:
    """`Reading` of a file of this machine."""

    def __init__(self, opened: BinaryIO) -> None:
        self._opened = opened

    async def read(self, length: int) -> bytes:
        return self._opened.read(length)
