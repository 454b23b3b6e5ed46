"""`orderstore …`: every command, put together. What a command does is in `workers/commands`.

A command imports what it needs itself, and nothing of the others: all of them together take seconds to import.
"""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Final

import typer

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "serve",
    "up": "serve",
    "run": "serve",
    "settings": "configuration",
    "version": "configuration",
    "import": "bulk",
    "orders": "orders",
    "returns": "returns",
    "plan": "plan",
    "audit": "audit",
    "archive": "archive",
    "views": "views",
    "business": "business",
    "exceptions": "exceptions",
    "parked": "parked",
    "stock": "stock",
    "payments": "payments",
    "sandbox": "sandbox",
    "invoices": "invoices",
    "dlq": "dlq",
    "intake": "intake",
    "notifications": "notifications",
    "privacy": "privacy",
    "schemas": "schemas",
    "webhooks": "webhooks",
}
"""Each first word, with the module of `workers.commands` that brings it; `orderstore --help` lists them in this order."""


@cache
def build(only: str | None = None) -> typer.Typer:
    """The application with every group of commands, or with those of one module. Imports as much."""
    app = typer.Typer(
        name="orderstore",
        help="An event-sourced order service: the log is the only record.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_program)
    for module in dict.fromkeys(COMMANDS.values()) if only is None else (only,):
        import_module(f"workers.commands.{module}").add_to(app)
    return app


def _program() -> None:
    """Without it typer makes an application of one command that command itself."""


def main() -> None:
    """Run a command. What is no command's name, such as --help, is judged by the whole application."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        build(COMMANDS.get(first))()
    except Exception as error:
        code = _told(error)
        if code is None:
            raise
        sys.exit(code)


def _told(error: Exception) -> int | None:
    """Say in words what people can mend, and with what to exit; None: it is a bug."""
    # Only now: which errors these are, the modules of all layers know.
    from rich.console import Console  # noqa: PLC0415 - see above

    from workers.mendable import MENDABLE  # noqa: PLC0415 - see above
    from workers.settings import SettingsError  # noqa: PLC0415 - see above

    errors = Console(emoji=False, stderr=True, soft_wrap=True, highlight=False, markup=False)
    match error:
        case SettingsError():
            errors.print("The settings do not describe a service that can run; nothing was started:")
            for problem in error.problems:
                errors.print(f"  {problem}")
            return EXIT_USAGE
        case ExceptionGroup():
            known, unknown = error.split(MENDABLE)
            if known is None or unknown is not None:
                return None
            for leaf in _leaves(known):
                errors.print(f"{leaf}")
        case _ if isinstance(error, MENDABLE):
            errors.print(f"{error}")
        case _:
            return None
    return EXIT_FAILED


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner


if __name__ == "__main__":
    main()
