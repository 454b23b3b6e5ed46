"""The judge of the store behaves: it listens to this machine alone, ends with the run, and says what it lacks instead of passing by."""

import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.contract.dynamodb_local import server
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
needed = pytest.mark.dynamodb_local


def programs(folder: Path, **texts: str) -> str:
    """A PATH with these shell scripts and nothing else."""
    for name, text in texts.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(folder)


@pytest.fixture
def unfetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server, "LIBRARIES", tmp_path / "libraries")


@pytest.mark.usefixtures("unfetched")
@pytest.mark.parametrize(
    ("scripts", "lacking"),
    [
        ({}, "there is no java"),
        ({"java": "echo Unrecognized option: --list-modules >&2; exit 1", "mvn": ""}, "no JDK of version 17"),
        ({"java": "echo jdk.compiler@11.0.2", "mvn": ""}, "no JDK of version 17"),
        ({"java": "echo java.base@21.0.1", "mvn": ""}, "no JDK of version 17"),
        ({"java": "echo jdk.compiler@17.0.15"}, "there is no mvn"),
        ({"java": "echo java.base@21.0.1; echo jdk.compiler@21.0.1", "mvn": ""}, None),
    ],
    ids=["no-java", "java-8", "java-11", "no-jdk", "no-maven", "all-there"],
)
def test_what_is_lacking_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scripts: dict[str, str], lacking: str | None
) -> None:
    """Skipped with the reason where it is only wanted, a failure where it is required, never passed by in silence."""
    monkeypatch.setenv("PATH", programs(tmp_path, **scripts))

    missing = server.left_out("run")

    if lacking is None:
        assert missing is None
        return
    assert missing is not None
    assert lacking in missing
    assert server.left_out("required") is None
    with pytest.raises(server.NoDynamoDbLocal, match=lacking), server.running():
        pass


def test_a_plain_run_leaves_it_out_and_says_how_to_have_it() -> None:
    """Whatever is installed."""
    reason = server.left_out("skip")

    assert reason is not None
    assert "make conformance" in reason


@pytest.mark.usefixtures("unfetched")
def test_a_fetch_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half a library is never taken for a whole one; what Maven said is told."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    monkeypatch.setenv("PATH", programs(scripts, mvn="echo no route to the registry; exit 1"))

    with pytest.raises(server.NoDynamoDbLocal, match="no route to the registry"):
        server.fetch()

    assert list((tmp_path / "libraries").iterdir()) == []


@needed
def test_it_listens_on_the_loopback_address_alone(dynamodb_local_url: str) -> None:
    """Nobody beside this machine reaches it."""
    port = urlsplit(dynamodb_local_url).port
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    if not all(table.exists() for table in tables):
        pytest.skip("only Linux tells who listens where in /proc/net")
    listening = [
        address
        for table in tables
        for address in re.findall(rf"^ *\d+: ([0-9A-F]+):{port:04X} \S+ 0A ", table.read_text(), re.MULTILINE)
    ]

    assert listening == ["0100007F"]


@needed
@pytest.mark.usefixtures("dynamodb_local_url")
def test_it_does_not_outlive_a_run_that_is_killed() -> None:
    """Its standard input ends with the run, and so does it."""
    holding = (
        "import sys; from tests.contract.dynamodb_local import server\n"
        "with server.running() as url: print(url, flush=True); sys.stdin.read()"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", holding],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    try:
        assert run.stdout is not None
        port = urlsplit(run.stdout.readline().strip()).port
        assert port is not None
        assert answers(port)
    finally:
        run.kill()
        run.communicate()

    eventually(lambda: not answers(port), what="DynamoDB Local is gone")


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
