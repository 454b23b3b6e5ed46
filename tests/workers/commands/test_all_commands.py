"""A command imports only its own module: the table that says which must be true of every command."""

import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

import workers.commands
from workers import cli
from workers.cli import COMMANDS, build


def commands(only: str | None = None) -> dict[str, Any]:
    """The first words that the application knows."""
    app = typer.main.get_command(build(only))
    assert isinstance(app, TyperGroup)
    return dict(app.commands)


def everything(command: Any) -> object:
    """The command with all that can be typed behind it."""
    below = (
        {name: everything(inner) for name, inner in command.commands.items()} if isinstance(command, TyperGroup) else {}
    )
    return command.help, [(type(one).__name__, one.name, one.opts) for one in command.params], below


def test_every_command_is_in_the_table_and_nothing_else() -> None:
    """A module that is missing there brings nothing; a word that is missing would import all of them; one too many does nothing.

    (`stock_books` and its like add to the group of `stock`.)
    """
    modules = (f"{workers.commands.__name__}.{found.name}" for found in iter_modules(workers.commands.__path__))
    bringing = {name.rpartition(".")[2] for name in modules if hasattr(import_module(name), "add_to")}

    assert set(COMMANDS.values()) == {name for name in bringing if name.partition("_")[0] not in bringing - {name}}
    assert sorted(commands()) == sorted(COMMANDS)


@pytest.mark.parametrize("module", sorted(set(COMMANDS.values())))
def test_a_module_alone_brings_its_commands_as_the_whole_application_has_them(module: str) -> None:
    """Also a module of a single command keeps that command's name."""
    alone = commands(module)

    assert sorted(alone) == sorted(name for name, brought_by in COMMANDS.items() if brought_by == module)
    assert {name: everything(command) for name, command in alone.items()} == {
        name: everything(command) for name, command in commands().items() if name in alone
    }


def test_what_is_no_command_is_answered_from_all_of_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A typing error gets a usage error, `--help` every command."""
    monkeypatch.setattr(sys, "argv", ["orderstore", "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().out
    assert (ended.value.code, [name for name in COMMANDS if name not in said]) == (0, [])

    monkeypatch.setattr(sys, "argv", ["orderstore", "audits"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == cli.EXIT_USAGE
    assert "No such command 'audits'" in capsys.readouterr().err


@pytest.mark.thorough  # a process
@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("plan", ("pydantic", "aiobotocore", "fastapi")),
        ("configuration", ("aiobotocore", "fastapi")),
        ("audit", ("fastapi", "stripe", "typst", "pyarrow")),
        ("archive", ("fastapi", "stripe", "pyarrow")),
    ],
)
def test_a_command_does_not_wait_for_libraries_that_it_has_no_use_for(module: str, unneeded: tuple[str, ...]) -> None:
    """Imports are most of what a command takes."""
    program = f"import sys; from workers.cli import build; build({module!r}); print([n for n in {unneeded} if n in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
