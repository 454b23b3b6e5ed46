"""The shell's settings of the business hold on a laptop: checked first, said, written down, and in force for every command beside."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.local.state_dir import SERVICE_FILES
from tests.workers.test_process_settings import REQUIRED
from workers import settings as settings_module
from workers.cli import build
from workers.commands import environment, passing_on, serve
from workers.commands.environment import LOCAL_NUMBERS, EnvironmentFailed, Local, find_settings, only_service
from workers.settings import BUSINESS, Settings, SettingsError, is_configured, variable

SELLERS = """
[[seller]]
id = "gb"
name = "Acme"
address = ["London"]
[[seller.series]]
channels = ["*"]
invoices = "INV-GB"
credit_notes = "CN-GB"
"""
Shell = Callable[..., None]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Set variables of ours, and no others."""

    def put(**variables: str) -> None:
        named = {f"ORDERSTORE_{name}": text for name, text in variables.items()}
        monkeypatch.setattr(settings_module.os, "environ", {"PATH": "/bin", **named})

    put()
    return put


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """`up` that serves at once and ends; the settings of each service that it started."""
    found: list[Settings] = []

    def run(work: Any, **_options: Any) -> None:
        found.append(work.args[0])

    monkeypatch.setattr(serve, "start_local", lambda path: Local(path, {**LOCAL_NUMBERS, **REQUIRED}, "token", False))
    monkeypatch.setattr(serve, "stop_local", lambda _path: None)
    monkeypatch.setattr(serve.anyio, "run", run)
    monkeypatch.setattr(serve, "configure", lambda **_options: None)
    return found


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be started."""
    monkeypatch.setattr(serve, "start_local", lambda path: pytest.fail(f"{path} was started"))


def up(path: Path, *, command: str = "up") -> Any:
    return CliRunner().invoke(build(), [command, "--state-dir", str(path)])


def test_the_service_goes_by_what_the_shell_says_of_the_business(shell: Shell, served: Any, tmp_path: Path) -> None:
    """And by nothing else of it; each is said, and so is what is not used."""
    shell(STOCK_LOCATIONS="main=GB,berlin=DE", TERMS_REVIEW="true", RESOURCE_PREFIX="other", UNTRACKED_SKU="refuse")
    done = up(tmp_path / "state")

    assert done.exit_code == 0, done.output
    (settings,) = served
    assert (settings.stock_locations, settings.terms_review) == ("main=GB,berlin=DE", True)
    assert (settings.resource_prefix, settings.untracked_sku) == ("shop", "refuse"), "a laptop's own numbers give way"
    assert "In use: ORDERSTORE_STOCK_LOCATIONS=main=GB,berlin=DE\n" in done.stderr
    assert "Set, and not used here: ORDERSTORE_RESOURCE_PREFIX (" in done.stderr
    assert "Changed" not in done.stderr


def test_what_is_otherwise_than_at_the_last_start_is_said(shell: Shell, served: Any, tmp_path: Path) -> None:
    """Goods may lie where the settings no longer look."""
    for variables in ({"STOCK_LOCATIONS": "main,berlin"}, {}, {}):
        shell(**variables)
        done = up(tmp_path / "state")
        assert ("Changed" in done.stderr) == (not variables and "was main,berlin" in done.stderr)
    shell(STOCK_LOCATIONS="main")
    assert "Changed" not in up(tmp_path / "state").stderr, "the default, written out, changes nothing"


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"STOCK_LOCATIONS": "Main"}, "ORDERSTORE_STOCK_LOCATIONS: must be like"),
        ({"STOK_LOCATIONS": "main"}, "ORDERSTORE_STOK_LOCATIONS: unknown"),
        ({"SELLERS": "/no/such.toml"}, "ORDERSTORE_SELLERS: cannot be read"),
        (
            {"TERMS_CHARGE": "per_shipment", "PAYMENT_CAPTURE": "at_once"},
            "ORDERSTORE_TERMS_CHARGE: money that is taken",
        ),
        ({"ALLOWED_DISPATCH_S": "0"}, "ORDERSTORE_ALLOWED_DISPATCH_S: must be between"),
    ],
    ids=["wrong", "unknown", "unreadable", "contradicting", "out of bounds"],
)
@pytest.mark.parametrize("command", ["up", "demo"])
def test_what_is_wrong_is_said_before_anything_is_begun(
    shell: Shell, unserved: None, tmp_path: Path, *, command: str, variables: dict[str, str], problem: str
) -> None:
    """In the service's own words, alone, and no directory is made."""
    shell(**variables)
    done = up(tmp_path / "state", command=command)

    assert isinstance(done.exception, SettingsError)
    (said,) = done.exception.problems
    assert said.startswith(problem)
    assert not (tmp_path / "state").exists()


def test_sellers_are_kept_as_a_document_and_not_as_a_path(shell: Shell, served: Any, tmp_path: Path) -> None:
    """Whoever works in another folder, or after the file was changed, goes by the same."""
    document = tmp_path / "sellers.toml"
    document.write_text(SELLERS)
    shell(SELLERS=str(document))
    done = up(tmp_path / "state")
    document.unlink()

    assert done.exit_code == 0, done.output
    assert "In use: ORDERSTORE_SELLERS=(a document of" in done.stderr
    assert served[0].sellers == SELLERS.strip()
    assert passing_on.written_down(tmp_path / "state") == {"ORDERSTORE_SELLERS": SELLERS}
    assert (tmp_path / "state" / passing_on.SETTINGS_FILE).stat().st_mode & 0o777 == 0o600


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state directory whose embedded environment runs, started with two locations."""
    (tmp_path / "environment.json").write_text(json.dumps({"settings": REQUIRED}))
    monkeypatch.setattr(environment, "_call", lambda _path, _verb: {"state": "running"})
    passing_on.write_down(tmp_path, {"ORDERSTORE_STOCK_LOCATIONS": "main,berlin"})
    return tmp_path


def test_a_command_beside_the_service_goes_by_what_that_was_started_with(
    shell: Shell, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever this shell says; if it says something else, that is told. The default, or the same in other words, is nothing else."""
    with only_service(runs):
        assert find_settings(runs).stock_locations == "main,berlin"
        shell(STOCK_LOCATIONS=" main,berlin", TERMS_REVIEW="false")
        assert find_settings(runs).stock_locations == "main,berlin"
        assert capsys.readouterr().err == ""
        shell(STOCK_LOCATIONS="main,paris", TERMS_REVIEW="true")
        found = find_settings(runs)
        assert (found.stock_locations, found.terms_review) == ("main,berlin", False)
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(" ")[0] for line in told] == ["ORDERSTORE_STOCK_LOCATIONS", "ORDERSTORE_TERMS_REVIEW"]
    assert told[0].endswith(f"{runs} was started with main,berlin, and that holds")
    assert told[1].endswith("was started without it, and that holds")


def test_where_no_service_runs_this_shell_is_asked_first(shell: Shell, runs: Path) -> None:
    """Its process was killed, and the environment still runs."""
    assert find_settings(runs).stock_locations == "main,berlin"
    shell(STOCK_LOCATIONS="main,paris")
    assert find_settings(runs).stock_locations == "main,paris"


def test_a_second_service_is_told_what_the_first_goes_by(shell: Shell, runs: Path) -> None:
    """It is refused, and may have been meant for other settings."""
    shell(STOCK_LOCATIONS="main,paris")
    with only_service(runs), pytest.raises(EnvironmentFailed) as refused, only_service(runs):
        pytest.fail("two served one folder")
    assert "ORDERSTORE_STOCK_LOCATIONS was main,berlin when it was started, and is main,paris now" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"PATH": "x", "ORDERSTORE_SELLERS": 1}', b"\xff"])
def test_a_damaged_file_of_settings_is_none(tmp_path: Path, content: bytes) -> None:
    """The next start writes it anew; nothing that is no setting of the business ever comes out of it."""
    (tmp_path / passing_on.SETTINGS_FILE).write_bytes(content)
    assert not passing_on.written_down(tmp_path)


def test_the_business_s_settings_are_no_deployment(shell: Shell) -> None:
    """Commands still find the embedded environment."""
    shell(STOCK_LOCATIONS="main", SELLERS="x.toml")
    assert not is_configured()
    shell(STOCK_LOCATIONS="main", RESOURCE_PREFIX="x")
    assert is_configured()


def test_no_endpoint_credential_or_name_is_the_business_s() -> None:
    """What the embedded environment makes would be missed, or sent to somebody else."""
    secret = {variable(known) for known in fields(Settings) if known.metadata["secret"]}
    named = ("_ARN", "_URL", "_KEY_ID", "_BUCKET", "_HOST", "_PORT", "_PREFIX", "_ENDPOINT", "_TOKENS", "_CONCURRENCY")
    assert not BUSINESS & (secret | set(REQUIRED))
    assert not [name for name in BUSINESS if name.endswith(named)]
    assert len(BUSINESS) > 25


def test_what_the_service_writes_down_is_removed_with_the_environment() -> None:
    """`clean` leaves alone what it does not know."""
    assert {passing_on.SETTINGS_FILE, passing_on.LOCK_FILE} <= SERVICE_FILES
