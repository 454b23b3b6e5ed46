"""`orderstore …` as people run it: as a process of its own, with nothing of this process's settings."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from deploy.local import environment as local
from tests.waiting import ends, eventually

PROGRAM = Path(sys.executable).parent / "orderstore"
COMMAND_S_MAX = 120
START_S_MAX = 60
STOP_S_MAX = 45


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Everything that it said, with line breaks and runs of blanks made one blank: terminals wrap."""
        return " ".join(f"{self.out} {self.err}".split())


def clean_environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without anything that would configure the service, and `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERSTORE_", "AWS_"))}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1", **(variables or {})}


def orderstore(
    *arguments: str, cwd: Path, variables: Mapping[str, str] | None = None, within_s: float = COMMAND_S_MAX
) -> Finished:
    """Run a command to its end, in the folder `cwd`."""
    done = subprocess.run(
        [str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=clean_environment(variables),
        timeout=within_s,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@dataclass(eq=False)
class Program:
    """A running command whose output goes into files."""

    process: subprocess.Popen[bytes]
    state_dir: Path
    out_file: Path
    err_file: Path
    usage: resource.struct_rusage | None = field(default=None, init=False)

    @property
    def out(self) -> str:
        """Standard output so far."""
        return self.out_file.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        """Standard error so far."""
        return self.err_file.read_text(encoding="utf-8")

    @property
    def log_file(self) -> Path:
        """The service's own log; every start appends to it."""
        return self.state_dir / "orderstore.log.jsonl"

    @cached_property
    def api(self) -> "Api":
        """The API, once it is served: as the program printed it."""
        addresses = eventually(
            self._addresses, what="the addresses are printed", within_s=START_S_MAX, process=self.process
        )
        return Api(addresses["API"], addresses["token"])

    def _addresses(self) -> dict[str, str] | None:
        found = dict(re.findall(r"^(API|token) +(\S+)$", self.out, flags=re.MULTILINE))
        return found if len(found) == 2 else None

    def log_entries(self) -> list[dict[str, Any]]:
        """Every whole line of the log. A line that a killed process left unfinished is skipped."""
        entries = []
        for line in self.log_file.read_text(encoding="utf-8").splitlines() if self.log_file.exists() else ():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def interrupt(self, *, within_s: float = STOP_S_MAX) -> int:
        """Ctrl-C, and wait for the end: the exit code."""
        self.process.send_signal(signal.SIGINT)
        assert ends(self.process, within_s=within_s), f"it did not drain within {within_s:g} s of SIGINT"
        return self.process.returncode

    def kill(self) -> None:
        """SIGKILL to this one process: nothing can be tidied up."""
        self.process.kill()
        self.process.wait()

    def finish(self, *, within_s: float) -> Finished:
        """Wait until it ends by itself."""
        assert ends(self.process, within_s=within_s), f"it does not end within {within_s:g} s; it said: {self.err}"
        return Finished(self.process.returncode, self.out, self.err)

    def finish_measured(self) -> Finished:
        """Wait until it ends by itself, and keep what it used of the machine (without its children)."""
        _, status, self.usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return Finished(self.process.returncode, self.out, self.err)


@contextmanager
def running(
    *arguments: str, state_dir: Path, folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Start a serving command on a state directory; its output goes to `folder`. At the end it is stopped, whatever happened."""
    number = len(list(folder.glob("*.out")))
    out_file, err_file = folder / f"{number}.out", folder / f"{number}.err"
    with out_file.open("wb") as out, err_file.open("wb") as err:
        process = subprocess.Popen(
            [str(PROGRAM), *arguments, "--state-dir", str(state_dir)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=clean_environment(variables),
        )
    program = Program(process, state_dir, out_file, err_file)
    try:
        yield program
    finally:
        if process.returncode is None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            if not ends(process, within_s=STOP_S_MAX):
                program.kill()


@contextmanager
def state_directory(folder: Path) -> Iterator[Path]:
    """A state directory in `folder`. At the end its emulator is stopped and the directory is removed."""
    state_dir = folder / "state"
    try:
        yield state_dir
    finally:
        local.clean(state_dir)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP API of a running service, as a client sees it."""

    base_url: str
    token: str

    def call(
        self, method: str, path: str, body: object = None, *, token: str | None = None, key: str | None = None
    ) -> Answer:
        """One request. `token` in place of the right one; `key`: the Idempotency-Key."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        response = httpx.request(method, self.base_url + path, json=body, headers=headers, timeout=30, trust_env=False)
        return Answer(response.status_code, response.headers, response.text)

    def order(self, order_id: str, *, strong: bool = False) -> dict[str, Any]:
        """The status of an order; empty while the view does not know it."""
        answer = self.call("GET", f"/orders/{order_id}" + ("?consistency=strong" if strong else ""))
        document: dict[str, Any] = answer.document if answer.status == 200 else {}
        return document

    def events(self, order_id: str) -> list[dict[str, Any]]:
        """The readable history of an order."""
        items: list[dict[str, Any]] = self.call("GET", f"/orders/{order_id}/events?limit=100").document["items"]
        return items

    def metric(self, name: str, **labels: str) -> float:
        """The sum over every series of a metric with these labels."""
        total = 0.0
        for line in self.call("GET", "/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            family, _, rest = series.partition("{")
            if family == name and all(f'{label}="{wanted}"' in rest for label, wanted in labels.items()):
                total += float(value)
        return total
