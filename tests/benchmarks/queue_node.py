"""npm's sqs-consumer as a process: installed beside the repository when a benchmark asks for it, told by lines what to do.

`tests/benchmarks/sqs_consumer/` holds the program, its package.json and the lock; what npm installs goes into the user's cache.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.benchmarks.queue_backend import QueueBackend

SOURCE: Final = Path(__file__).parent / "sqs_consumer"
NODE_MAJOR_MIN: Final = 20
INSTALL_TIMEOUT_S: Final = 300
ANSWER_BYTES_MAX: Final = 65_536


class NodeConsumer:
    """An installed sqs-consumer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def missing() -> str:
        """What a row says that could not be measured."""
        return f"not measured: --npm was not given, or there is no node >= {NODE_MAJOR_MIN} with npm here"

    @classmethod
    def installed(cls) -> "NodeConsumer | None":
        """Install the locked versions, once; None without node and npm. Raises CalledProcessError when npm fails."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            return None
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
        if int(version.lstrip("v").partition(".")[0]) < NODE_MAJOR_MIN:
            return None
        lock = (SOURCE / "package-lock.json").read_bytes()
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orderstore-benchmarks"
        folder = cache / f"sqs-consumer-{hashlib.sha256(lock).hexdigest()[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", "consume.mjs"):
            shutil.copyfile(SOURCE / name, folder / name)
        if not (folder / "node_modules" / ".package-lock.json").is_file():
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_TIMEOUT_S, stdout=subprocess.DEVNULL)
        return cls(folder)

    @asynccontextmanager
    async def running(self, backend: QueueBackend, url: str) -> AsyncIterator["NodeProcess"]:
        """A process on this queue, killed at the end."""
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "QUEUE_URL": url,
            "ENDPOINT": str(backend.settings.aws_endpoint_url),
            "REGION": backend.settings.aws_region,
            "ACCOUNT": str(backend.settings.aws_access_key_id),
        }
        async with await anyio.open_process(
            ["node", "consume.mjs"], cwd=self._folder, env=environment, stderr=None
        ) as process:
            try:
                started = NodeProcess(process)
                assert await started.answer() == {"ready": True}
                yield started
            finally:
                if process.returncode is None:
                    process.kill()


class NodeProcess:
    """One that runs."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def tell(self, wanted: Mapping[str, object]) -> None:
        """Say what to do."""
        await self._stdin.send(json.dumps(wanted).encode() + b"\n")

    async def answer(self) -> dict[str, Any]:
        """The next line."""
        line = await self._lines.receive_until(b"\n", ANSWER_BYTES_MAX)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def ask(self, wanted: Mapping[str, object]) -> dict[str, Any]:
        """Say what to do and hear what came of it."""
        await self.tell(wanted)
        return await self.answer()

    def kill(self) -> None:
        """At once."""
        self._process.kill()
