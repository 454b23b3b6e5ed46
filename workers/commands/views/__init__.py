"""`orderstore views …`: what the views are, whether they equal the log, and to fill the next generation of one beside live traffic.

Exit codes: 0 done; 1 it failed, was refused, or differences were found; 2 what was typed makes no sense; 3 paused, to be gone on with.
"""

import typer

from workers.commands.views.comparing import compare_views
from workers.commands.views.listing import ls
from workers.commands.views.rebuilding import pause_view, rebuild_view
from workers.commands.views.switching import discard_view, switch_view


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help="The views that the log is projected into: compare them with it, build the next generation of one, switch to it.",
        no_args_is_help=True,
    )
    group.command(name="ls", short_help="Generations, and how a rebuild stands.")(ls)
    group.command(name="compare", short_help="Every document and total against the log.")(compare_views)
    group.command(name="rebuild", short_help="Fill and prove the next generation, and switch.")(rebuild_view)
    group.command(name="pause", short_help="Stop a rebuild; it can go on later.")(pause_view)
    group.command(name="switch", short_help="Have readers use another generation.")(switch_view)
    group.command(name="discard", short_help="Delete the generation that readers do not use.")(discard_view)
    app.add_typer(group, name="views")
