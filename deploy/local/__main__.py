"""`python -m deploy.local start|stop|status|clean --state-dir DIR [--json]`."""

import argparse
import json
import sys
from pathlib import Path

from deploy.local import environment
from deploy.local.errors import LocalEnvironmentError


def main() -> int:
    """Run one command; 0 when it did what it says, 1 with the reason on stderr when not."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("command", choices=("start", "stop", "status", "clean"))
    parser.add_argument(
        "--state-dir", type=Path, default=Path(".orderstore"), help="where the environment keeps its state"
    )
    parser.add_argument(
        "--resource-prefix", default=environment.RESOURCE_PREFIX, help="first part of every resource name"
    )
    parser.add_argument(
        "--visibility-timeout-s", type=int, default=120, help="how long a received message stays hidden"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    try:
        result, text = run(arguments)
    except LocalEnvironmentError as error:
        print(f"deploy.local: {error}", file=sys.stderr)  # noqa: T201 - a command's output
        return 1
    print(result if arguments.json else text)  # noqa: T201 - the same
    return 0


def run(arguments: argparse.Namespace) -> tuple[str, str]:
    """The result of the command, as JSON and for people."""
    folder: Path = arguments.state_dir
    match arguments.command:
        case "start":
            started = environment.start(
                folder,
                resource_prefix=arguments.resource_prefix,
                visibility_timeout_s=arguments.visibility_timeout_s,
            )
            how = "taken over" if started.adopted else "started"
            return started.as_json(), f"{how}: {started.endpoint_url} (process {started.pid}), state in {folder}"
        case "stop":
            stopped = environment.stop(folder)
            return json.dumps({"stopped": stopped}), "stopped; its state is kept" if stopped else "nothing runs there"
        case "clean":
            removed = environment.clean(folder)
            return json.dumps({"removed": removed}), f"removed {folder}" if removed else "nothing to remove"
        case _:
            found = environment.status(folder)
            return json.dumps(found), " ".join(f"{key}={value}" for key, value in found.items())


if __name__ == "__main__":
    sys.exit(main())
