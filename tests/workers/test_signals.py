"""A second SIGTERM hurries; one that comes when everything has been given back must not make a good end look like a kill (fault 12)."""

import signal
import subprocess
import sys

import pytest

ENDING = """
import sys, anyio
from workers.signals import signals_heard

async def main():
    with signals_heard() as signals:
        print("working", flush=True)
        async for _ in signals:
            break
    print("has given everything back", flush=True)

anyio.run(main, backend_options={"use_uvloop": True})
print("is about to end", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("late_after", ["has given everything back", "is about to end"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_too_late_to_hurry_anything_changes_nothing(
    number: signal.Signals, late_after: str
) -> None:
    """Whoever watches the process (ECS, a person) sees exit code 0, however impatient they are."""
    with subprocess.Popen([sys.executable, "-c", ENDING], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(number)
        for line in process.stdout:
            if line.strip() == late_after:
                break
        process.send_signal(number)
        process.send_signal(number)
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(timeout=60) == 0
