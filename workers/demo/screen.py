"""What a person sees: a bar, the orders by state, the throughput. Where there is no terminal, a line now and then."""

from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from workers.demo.outcome import Summary

LINE_EVERY_S: Final = 5.0
EMPTYING: Final = "emptying the queues"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the run is. `by_state` counts the orders of this run as the status view has them."""

    total: int
    fed: int
    ended: int
    by_state: Counter[str]
    events: int
    seconds: float

    @property
    def all_ended(self) -> bool:
        """What is left are the messages behind the orders: mail, webhooks."""
        return self.ended == self.total


class Screen(Protocol):
    """Shows standings."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def show(self, standing: Standing) -> None:
        """Show how far the run is."""
        ...


class LiveScreen:
    """A terminal."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=console,
            expand=True,
        )
        self._fed = self._bar.add_task("accepted", total=None, rate="")
        self._ended = self._bar.add_task("finished", total=None, rate="")
        self._live = Live(console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, standing: Standing) -> None:
        """Redraw."""
        rate = f"{standing.ended / max(standing.seconds, 0.001):6.1f} orders/s"
        events = f"{standing.events / max(standing.seconds, 0.001):6.0f} events/s"
        self._bar.update(self._fed, total=standing.total, completed=standing.fed, rate=events)
        self._bar.update(self._ended, total=standing.total, completed=standing.ended, rate=rate)
        states = Table.grid(padding=(0, 3))
        ordered = sorted(standing.by_state.items())
        told = [f"[cyan]{name.lower().replace('_', ' ')}[/] {count}" for name, count in ordered]
        states.add_row(*told, *([EMPTYING] if standing.all_ended else []))
        self._live.update(Group(self._bar, states))


class LineScreen:
    """No terminal: one line every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_at = 0.0
        self._all_ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def show(self, standing: Standing) -> None:
        """Print, unless a line was printed a moment ago; that all have ended is said at once, and once."""
        now = monotonic()
        if now < self._next_at and standing.all_ended == self._all_ended:
            return
        self._next_at, self._all_ended = now + LINE_EVERY_S, standing.all_ended
        states = ", ".join(f"{name.lower()} {count}" for name, count in sorted(standing.by_state.items()))
        states += f"; {EMPTYING}" if standing.all_ended else ""
        self._console.print(
            f"{standing.seconds:6.1f} s  accepted {standing.fed}/{standing.total}  finished {standing.ended}  {states}",
            highlight=False,
            soft_wrap=True,
        )


def screen_for(console: Console) -> Screen:
    """The screen that fits where the output goes."""
    return LiveScreen(console) if console.is_terminal else LineScreen(console)


def summary_panel(summary: Summary) -> Panel:
    """The end of the run, with the addresses to go on from."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    states = ", ".join(f"{count} {name}" for name, count in sorted(summary.orders_by_state.items()))
    new = "" if summary.orders_new == summary.orders else f" ({summary.orders_new} new, the others were there already)"
    letters = ", ".join(f"{name} {count}" for name, count in summary.dead_letters.items() if count) or "none"
    table.add_row("orders", f"{summary.orders}{new}: {states}")
    table.add_row("log", f"{summary.events} events, {summary.invoices} invoices, {summary.notifications} notifications")
    table.add_row("dead letters", letters)
    table.add_row("duplicates", f"{summary.duplicates_seen} seen, {summary.duplicates_dropped} dropped")
    table.add_row("time", f"{summary.seconds:.1f} s, {summary.orders_per_second:.1f} orders/s end to end")
    for name, address in summary.addresses.items():
        table.add_row(name, address)
    for line in summary.unexpected[:10]:
        table.add_row("[red]unexpected[/]", line)
    title = (
        "every order ended as it should" if summary.as_it_should_be else "[red]not every order ended as it should[/]"
    )
    return Panel(table, title=title, expand=False)
