"""What the audit commands share: how an order, a moment and a filter are written, and how what happened is shown."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from orderstore.audit.history import HistoryRow
from orderstore.audit.moments import Clock, Moment, MomentError, instant, parse_moment, parse_time
from orderstore.audit.trail import NotAFilter, Span, Wanted
from orderstore.codec import CodecError, decode, timestamp
from orderstore.domain.ids import stream_of
from orderstore.domain.state import ImpossibleTransition
from orderstore.recorded import ActorType, Recorded
from orderstore.store.errors import CorruptCommit
from projections.views.view import OutOfPlace
from workers.commands.running import fail, wide_console
from workers.core import Core

ID_PREFIX: Final = 8
BRIEF_MAX: Final = 60
PROSE: Final = frozenset({"what", "old", "new", "value"})
# Long references say little to a reader and stand in `--json`.
REFERENCES: Final = ("_id", "_reference", "tracking_number")
HIDDEN: Final = frozenset(
    {"order_id", "request_hash", "contact", "placed_at", "supplied_at", "issued_at", "series", "number"}
)

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
ClockOf = Annotated[
    Clock | None,
    typer.Option(
        "--clock",
        help="How times are meant: when it was recorded (so what could be known) or occurred.",
        show_default="recorded",
    ),
]
ActorTypeOf = Annotated[ActorType | None, typer.Option("--actor-type", help="Only what such an actor did.")]
ActorIdOf = Annotated[str | None, typer.Option("--actor-id", help="Only what this actor did.")]
TypesOf = Annotated[
    list[str] | None, typer.Option("--type", metavar="TYPE", help="Only events of this type; may be repeated.")
]
SourceOf = Annotated[str | None, typer.Option("--source", help="Only events that this part of the service wrote.")]
CorrelationOf = Annotated[str | None, typer.Option("--correlation-id", help="Only events of this correlation.")]
CausationOf = Annotated[
    str | None, typer.Option("--causation-id", help="Only what this event or request brought about.")
]
RecordedFrom = Annotated[
    str | None, typer.Option("--recorded-from", metavar="TIME", help="Written down at or after this time.")
]
RecordedTo = Annotated[str | None, typer.Option("--recorded-to", metavar="TIME", help="Written down before this time.")]
OccurredFrom = Annotated[
    str | None, typer.Option("--occurred-from", metavar="TIME", help="Happened at or after this time.")
]
OccurredTo = Annotated[str | None, typer.Option("--occurred-to", metavar="TIME", help="Happened before this time.")]
FirstCommit = Annotated[int | None, typer.Option("--commit-from", help="From this commit of an order on.")]
LastCommit = Annotated[int | None, typer.Option("--commit-to", help="Up to this commit of an order, inclusive.")]

OPTION_OF: Final[Mapping[str, str]] = {
    "types": "--type",
    "first_commit": "--commit-from",
    "last_commit": "--commit-to",
}


def order_id_of(text: str, hint: str = "ORDER") -> str:
    """The order id in the one form that the log knows. Raises BadParameter, which names the option or argument `hint`."""
    try:
        return str(UUID(text))
    except ValueError as error:
        raise typer.BadParameter("an order id is a UUID", param_hint=hint) from error


def wanted_of(
    *,
    actor_type: ActorType | None,
    actor_id: str | None,
    types: list[str] | None,
    source: str | None,
    correlation_id: str | None,
    causation_id: str | None,
    recorded_from: str | None,
    recorded_to: str | None,
    occurred_from: str | None,
    occurred_to: str | None,
    first_commit: int | None,
    last_commit: int | None,
) -> Wanted:
    """The filter that the options name. Raises BadParameter."""
    recorded = _span("--recorded", recorded_from, recorded_to)
    occurred = _span("--occurred", occurred_from, occurred_to)
    try:
        return Wanted(
            actor_type=actor_type,
            actor_id=actor_id,
            types=frozenset(types or ()),
            source=source,
            correlation_id=correlation_id,
            causation_id=causation_id,
            recorded=recorded,
            occurred=occurred,
            first_commit=first_commit,
            last_commit=last_commit,
        )
    except NotAFilter as error:
        named = [OPTION_OF.get(name, "--" + name.replace("_", "-")) for name in error.about]
        raise typer.BadParameter(str(error), param_hint=" and ".join(named)) from error


def moment_of(text: str, clock: Clock | None, hint: str) -> Moment:
    """A commit's number or a time. Raises BadParameter."""
    try:
        return parse_moment(text, clock=clock or "recorded")
    except MomentError as error:
        raise typer.BadParameter(str(error), param_hint=hint) from error


async def events_of(core: Core, order_id: str) -> tuple[Recorded, ...]:
    """Everything that happened to an order; `()` when there is none. Raises CorruptCommit, CodecError, StoreError."""
    commits = await core.store.read(stream_of(core.settings.tenant, order_id))
    return tuple(recorded for commit in commits for recorded in decode(commit))


@contextmanager
def explained() -> Iterator[None]:
    """An order that cannot be read as it stands, or has no such moment, is told in words. Exit 1."""
    try:
        yield
    except MomentError as error:
        fail(f"{error}.")
    except (CorruptCommit, CodecError, ImpossibleTransition, OutOfPlace) as error:
        fail(f"{error}\nThe order cannot be read as it stands; `orderstore audit verify` names every fault.")


def row_document(row: HistoryRow) -> dict[str, Any]:
    """A row as JSON values."""
    document = asdict(row)
    return {**document, "occurred_at": timestamp(row.occurred_at), "recorded_at": timestamp(row.recorded_at)}


def table_of(*columns: str) -> Table:
    """A table whose cells are never cut: prose goes on in the next line, everything else stays whole in its own."""
    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, no_wrap=column not in PROSE, overflow="fold")
    return table


def print_table(table: Table) -> None:
    """On standard output, as wide as it needs to be: a narrow terminal breaks the lines, nothing is left out."""
    console = wide_console()
    needed = console.measure(table).minimum
    (console if needed <= console.width else Console(emoji=False, width=needed, markup=False)).print(table)


def brief(data: Mapping[str, Any]) -> str:
    """What an event says, in a line: its plain values, without what the other columns show or the order's own lines."""
    plain = {
        name: value
        for name, value in data.items()
        if name not in HIDDEN and not name.endswith(REFERENCES) and not isinstance(value, dict)
    }
    words = [
        f"{name}={len(value)}" if isinstance(value, list | tuple) else f"{name}={value}"
        for name, value in plain.items()
    ]
    line = " ".join(words)
    return line if len(line) <= BRIEF_MAX else line[: BRIEF_MAX - 1] + "…"


def when(row: HistoryRow) -> str:
    """When it was written down, and when it happened where that was another moment."""
    recorded, occurred = instant(row.recorded_at), instant(row.occurred_at)
    return recorded if recorded == occurred else f"{recorded}\n(occurred {occurred})"


def _span(option: str, start: str | None, end: str | None) -> Span:
    moments = []
    for name, text in ((f"{option}-from", start), (f"{option}-to", end)):
        try:
            moments.append(None if text is None else parse_time(text))
        except MomentError as error:
            raise typer.BadParameter(str(error), param_hint=name) from error
    return Span(*moments)
