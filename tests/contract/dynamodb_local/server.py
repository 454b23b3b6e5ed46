"""AWS's own DynamoDB Local for a test run: fetched once, started on 127.0.0.1, and gone when the run is.

It is fetched with Maven into the (git-ignored) virtual environment's folder and never committed: its licence forbids redistribution.
"""

import re
import selectors
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

HERE: Final = Path(__file__).parent
POM: Final = HERE / "pom.xml"
LIBRARIES: Final = HERE.parents[2] / ".venv" / "dynamodb-local"
JAVA_MIN: Final = 17

FETCH_TIMEOUT_S: Final = 300
START_TIMEOUT_S: Final = 60
STOP_TIMEOUT_S: Final = 10


class NoDynamoDbLocal(Exception):
    """It is meant to run here and cannot. The message says what is lacking, or ends with what was printed."""


def missing() -> str | None:
    """What this machine lacks to run it, in words; None: nothing."""
    java = shutil.which("java")
    if java is None:
        return f"there is no java: DynamoDB Local needs a JDK of version {JAVA_MIN} or newer"
    # The compiler is a module of a JDK, not of a bare runtime; an old Java does not know the question.
    modules = subprocess.run(
        [java, "--list-modules"], capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
    )
    compiler = re.search(r"^jdk\.compiler@(\d+)", modules.stdout, re.MULTILINE)
    if compiler is None or int(compiler[1]) < JAVA_MIN:
        return f"{java} is no JDK of version {JAVA_MIN} or newer, which DynamoDB Local needs"
    if not _libraries().is_dir() and shutil.which("mvn") is None:
        return "there is no mvn: DynamoDB Local is fetched with Maven"
    return None


def left_out(asked: str) -> str | None:
    """Why a run with this `--dynamodb-local` skips its tests; None: it does not, and fails where something is lacking."""
    match asked:
        case "skip":
            return "DynamoDB Local is not started in a plain run: run make conformance"
        case "run":
            return missing()
        case _:
            return None


def fetch() -> Path:
    """The folder with everything that `pom.xml` names, fetched if it is not there yet. Raises NoDynamoDbLocal."""
    libraries = _libraries()
    if libraries.is_dir():
        return libraries
    LIBRARIES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LIBRARIES) as unfinished:
        fetched = Path(unfinished) / "libraries"
        command = ["mvn", "--batch-mode", "--quiet", "--file", str(POM)]
        command += ["dependency:copy-dependencies@fetch", f"-DoutputDirectory={fetched}"]
        maven = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)
        if maven.returncode != 0:
            raise NoDynamoDbLocal(f"Maven could not fetch it:\n{maven.stdout[-4000:]}{maven.stderr[-1000:]}")
        try:
            fetched.rename(libraries)  # complete or not there at all
        except OSError:
            if not libraries.is_dir():  # else another run was faster
                raise
    return libraries


@contextmanager
def running() -> Iterator[str]:
    """The URL of one that runs, empty. It ends with the block; should this process be killed, its standard input ends and so does it.

    Raises NoDynamoDbLocal.
    """
    if (lacking := missing()) is not None:
        raise NoDynamoDbLocal(lacking)
    libraries = fetch()
    command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true"]
    command += [f"-Djava.library.path={libraries}", f"-Dsqlite4java.library.path={libraries}"]
    command += ["-cp", f"{libraries}/*", str(HERE / "LoopbackServer.java")]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True)
        try:
            yield f"http://127.0.0.1:{_port(process, said)}"
        finally:
            _stop(process)


def _libraries() -> Path:
    """Another pom, another folder: what was fetched for an older one is never taken for it."""
    return LIBRARIES / sha256(POM.read_bytes()).hexdigest()[:16]


def _port(process: "subprocess.Popen[str]", said: IO[str]) -> int:
    """The port, once it listens. Raises NoDynamoDbLocal."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(START_TIMEOUT_S) else ""
    listening = re.fullmatch(r"listening on (\d+)\n", line)
    if listening is None:
        said.seek(0)
        raise NoDynamoDbLocal(f"it did not start within {START_TIMEOUT_S} s:\n{line}{said.read()[-4000:]}")
    return int(listening[1])


def _stop(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
