"""`orderstore schemas …` as it is called: exit codes, the lines that people act on, and an installed package far from the repository."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orderstore.schemas import documents as made
from orderstore.schemas import releases
from orderstore.schemas.files import SchemaFilesError
from workers import cli

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A repository's docs."""
    shutil.copytree(DOCS / "schemas", tmp_path / "docs" / "schemas")
    shutil.copy(DOCS / "asyncapi.json", tmp_path / "docs" / "asyncapi.json")
    return tmp_path / "docs" / "schemas"


def run(*arguments: str):
    return CliRunner().invoke(cli.build(), ["schemas", *arguments])


def test_all_is_well(directory: Path) -> None:
    """One line that says what was looked at."""
    found = run("check", "--dir", str(directory))

    assert found.exit_code == 0, found.output
    assert "the documents are true" in found.output
    assert "of release 0.1.0" in found.output
    assert json.loads(run("check", "--dir", str(directory), "--json").output)["ok"] is True


@pytest.mark.thorough
def test_an_untrue_file_fails_the_check_and_is_named(directory: Path) -> None:
    """With what to run; and after that all is well."""
    (directory / "published" / "OrderCreated-1.0.json").write_text("{}")
    found = run("check", "--dir", str(directory))

    assert found.exit_code == 1
    assert f"{directory}/published/OrderCreated-1.0.json: stale; run `orderstore schemas write`" in found.output
    assert json.loads(run("check", "--dir", str(directory), "--json").output)["files"][0]["trouble"] == "stale"
    assert "OrderCreated-1.0.json" in run("write", "--dir", str(directory)).output
    assert run("check", "--dir", str(directory)).exit_code == 0
    assert "everything was true already" in run("write", "--dir", str(directory)).output


def test_a_broken_promise_fails_the_check_though_the_files_are_true(directory: Path, monkeypatch) -> None:
    """Somebody adds a required field to a published event and dutifully writes the documents: the release still says no."""  # E046
    truth = made.documents()
    broken = tuple(
        replace(one, schema={**one.schema, "required": [*one.schema["required"], "extra"]})
        if (one.form, one.name) == ("published", "OrderCancelled")
        else one
        for one in truth
    )
    monkeypatch.setattr(releases, "documents", lambda: broken)
    for verb in ("check", "diff"):
        found = run(verb, "--dir", str(directory))
        assert found.exit_code == 1
        assert "BREAK published OrderCancelled 1.0" in found.output
        assert "a released one stays as it is" in found.output
    refused = run("release", "9.9.9", "--dir", str(directory))
    assert isinstance(refused.exception, SchemaFilesError)
    assert not (directory / "releases" / "9.9.9").exists()


def test_a_wrong_chain_fails_the_check(directory: Path, monkeypatch) -> None:
    """By name, beside the rest."""
    monkeypatch.setattr("workers.commands.schemas.faults", lambda: ("gap: RefundRequested 1.0 has no way to 2.0",))
    found = run("check", "--dir", str(directory))

    assert found.exit_code == 1
    assert "gap: RefundRequested 1.0 has no way to 2.0" in found.output
    assert "1 findings" in found.output


def test_diff_says_what_changed_field_by_field(directory: Path) -> None:
    """Against the first release, whatever was released since."""
    found = run("diff", "--dir", str(directory), "--release", "0.1.0")

    assert found.exit_code == 0
    assert "ok    stored InvoiceIssued 1.0 -> 1.3: FULL; promised FULL" in found.output
    assert "        buyer: added, optional [FULL]" in found.output
    assert "stored RefundRequested 1.0 -> 2.0: NONE; read through its upcasters" in found.output
    assert json.loads(run("diff", "--dir", str(directory), "--release", "0.1.0", "--json").output)["release"] == "0.1.0"


@pytest.mark.thorough
def test_a_release_is_held_and_compared_with_from_then_on(directory: Path) -> None:
    """Right after it nothing has changed."""
    assert run("release", "9.9.9", "--dir", str(directory)).exit_code == 0
    found = run("check", "--dir", str(directory))

    assert found.exit_code == 0
    assert "of release 9.9.9: 0 changed, 0 broken" in found.output


@pytest.mark.thorough
def test_without_a_release_there_is_nothing_to_compare_with_and_that_is_a_finding(directory: Path) -> None:
    """Somebody lost them, or it is the first day of a repository: the line says what to do in either case, and it helps."""
    shutil.rmtree(directory / "releases")

    for verb in ("check", "diff"):
        found = run(verb, "--dir", str(directory))
        assert found.exit_code == 1
        assert f"{directory}/releases: missing; restore it from version control" in found.output
        assert "`orderstore schemas release VERSION`" in found.output
    assert run("release", "0.1.0", "--dir", str(directory)).exit_code == 0
    assert run("check", "--dir", str(directory)).exit_code == 0


@pytest.mark.parametrize("verb", ["check", "diff"])
@pytest.mark.parametrize("trouble", ["missing", "altered", "foreign"])
def test_a_release_that_is_not_as_it_was_fails_and_its_file_is_named(directory: Path, verb: str, trouble: str) -> None:
    """What is deleted from a release is a promise that nobody would be held to; nor is another release made on top."""
    path = directory / "releases" / "0.1.0" / "published" / "OrderCancelled-1.0.json"
    match trouble:
        case "missing":
            path.unlink()
        case "altered":
            path.write_text("{")
        case _:
            path = path.with_name("notes.txt")
            path.write_text("")
    found = run(verb, "--dir", str(directory))

    assert (found.exit_code, type(found.exception)) == (1, SystemExit)
    assert f"{path}: {trouble}; " in found.output
    assert "1 findings" in found.output
    [shown] = json.loads(run(verb, "--dir", str(directory), "--json").output)["files"]
    assert (shown["path"], shown["trouble"]) == (str(path), trouble)
    assert isinstance(run("release", "9.9.9", "--dir", str(directory)).exception, SchemaFilesError)
    assert not (directory / "releases" / "9.9.9").exists()


def test_diff_with_a_release_that_is_not_held_names_those_that_are(directory: Path) -> None:
    """A slip of the keys."""
    found = run("diff", "--dir", str(directory), "--release", "0.2.0")

    assert isinstance(found.exception, SchemaFilesError)
    assert "it holds 0.1.0" in str(found.exception)


def test_far_from_the_repository_the_error_says_where_to_go(tmp_path: Path, monkeypatch, capsys) -> None:
    """An installed package has no docs: one sentence and exit 1, no trace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["orderstore", "schemas", "check"])

    with pytest.raises(SystemExit) as stopped:
        cli.main()

    assert stopped.value.code == 1
    assert "there is no docs/schemas: run this where the repository's docs lie" in capsys.readouterr().err


def test_from_the_repository_itself_no_option_is_needed(monkeypatch) -> None:
    """`orderstore schemas check` in the checkout is what the build runs."""
    monkeypatch.chdir(DOCS.parent)

    found = run("check")
    assert found.exit_code == 0, found.output
