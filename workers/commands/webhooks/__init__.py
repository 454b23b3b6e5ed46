"""`webhooks …`: look after the endpoints that are told of events, and tell them again."""

import typer

from workers.commands.webhooks import endpoints, telling


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Endpoints of other systems that are told of events.", no_args_is_help=True)
    group.command(name="ls")(endpoints.listing)
    group.command()(endpoints.add)
    group.command()(endpoints.show)
    group.command()(endpoints.change)
    group.command()(endpoints.enable)
    group.command()(endpoints.disable)
    group.command()(endpoints.remove)
    group.command()(endpoints.rotate)
    group.command()(telling.attempts)
    group.command()(telling.replay)
    group.command()(telling.redeliver)
    group.command(name="test")(telling.send_test)
    app.add_typer(group, name="webhooks")
