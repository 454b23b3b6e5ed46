"""`orderstore …`: every command, put together. What a command does is in `workers/commands`."""

import sys
from typing import Final

import typer
from rich.console import Console

from workers.commands import audit, bulk, configuration, serve, stock, views
from workers.commands.environment import EnvironmentFailed
from workers.settings import SettingsError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def build() -> typer.Typer:
    """The application, with every group of commands."""
    app = typer.Typer(
        name="orderstore",
        help="An event-sourced order service: the log is the only record.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    serve.add_to(app)
    configuration.add_to(app)
    bulk.add_to(app)
    audit.add_to(app)
    views.add_to(app)
    stock.add_to(app)
    return app


def main() -> None:
    """Run a command. Errors that a person can mend are said in words; everything else is a bug and shows its trace."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        build()()
    except SettingsError as error:
        errors.print("The settings do not describe a service that can run; nothing was started:")
        for problem in error.problems:
            errors.print(f"  {problem}")
        sys.exit(EXIT_USAGE)
    except EnvironmentFailed as error:
        errors.print(str(error))
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
