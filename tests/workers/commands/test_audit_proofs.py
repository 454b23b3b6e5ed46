"""The commands about proofs, from the first root to the stranger's script, on real tables, a real lock and a real key."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orderstore.audit import standalone
from orderstore.store import items
from orderstore.store.port import Commit
from tests.emulator import clients_for
from tests.orderstore.audit.proofs import NOON_MS, an_order, rewritten
from workers import settings as settings_module
from workers.cli import build
from workers.commands.running import with_core
from workers.core import Core, now_ms
from workers.subscriptions import VIEWS_SUBSCRIPTION, subscriber

pytestmark = pytest.mark.emulator

SCRIPT = Path(standalone.__file__).parent / "verify_bundle.py"
ORDERS = ("a", "b", "c")
B = "test/order-b"


class Audit:
    """`orderstore audit …` on one environment, and a hand in its tables."""

    def __init__(self, variables: Mapping[str, str], folder: Path) -> None:
        self.folder = folder
        self._variables = variables
        self._table = f"{variables['ORDERSTORE_RESOURCE_PREFIX']}-events"

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(build(), ["audit", *arguments])

    def document(self, *arguments: str) -> Any:
        """What `--json` printed, whatever the exit code."""
        done = self(*arguments, "--json")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return json.loads(done.stdout)

    def reasons(self, *arguments: str) -> list[tuple[str, int, str]]:
        found = self.document(*arguments)["findings"]
        return [(each["stream"], each["commit"], each["reason"]) for each in found]

    def append(self, *commits: Commit) -> None:
        async def work(core: Core) -> None:
            for commit in commits:
                await core.store.append(commit)
            await subscriber(core, VIEWS_SUBSCRIPTION).backfill(0)

        with_core(self.folder, work)

    def replace(self, *commits: Commit) -> None:
        """Put commits over those that are there, behind the store's back."""
        with clients_for(self._variables) as clients:
            for commit in commits:
                clients("dynamodb").put_item(TableName=self._table, Item=items.encode(commit).item)

    def delete(self, stream: str, *numbers: int) -> None:
        with clients_for(self._variables) as clients:
            for number in numbers:
                key = {"stream": {"S": stream}, "commit": {"N": str(number)}}
                clients("dynamodb").delete_item(TableName=self._table, Key=key)

    def object(self, key: str) -> bytes:
        with clients_for(self._variables) as clients:
            bucket = self._variables["ORDERSTORE_AUDIT_BUCKET"]
            content: bytes = clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            return content


@pytest.fixture
def audit(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Audit:
    """Three orders of four commits, in the view too, and nothing signed yet."""
    variables = {**environment, "ORDERSTORE_TENANT": "test", "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    monkeypatch.setattr(settings_module.os, "environ", variables)
    opened = Audit(variables, tmp_path)
    opened.append(*(commit for name in ORDERS for commit in an_order(name)))
    return opened


def test_from_the_first_root_to_the_strangers_script(audit: Audit) -> None:
    """What an auditor does in an afternoon, in the order in which he does it."""
    before = audit("verify")
    assert (before.exit_code, "no signed root to compare with" in before.stdout) == (0, True)

    made = audit.document("root")["root"]
    assert (made["number"], made["orders"], made["commits"]) == (1, 3, 12)
    key = made["signer"]

    good = audit.document("verify", "--key", key)
    assert (good["ok"], good["pinned"], good["orders"], good["commits"], good["roots"]) == (True, True, 3, 12, 1)
    one = audit.document("verify", "--order", "b")
    assert (one["ok"], one["anchored"], one["commits"]) == (True, 4, 4)
    assert "NOT PINNED" in audit("verify").stdout
    assert audit("verify", "--log", "orderstore-test-events").exit_code == 0
    assert audit.reasons("verify", "--log", "other-events") == [("roots/000000000001.json", 0, "root_unreadable")]
    unknown = audit("verify", "--order", "nobody")
    assert (unknown.exit_code, "There is no order nobody" in unknown.stderr) == (1, True)

    newer = an_order("d", at_ms=now_ms())
    audit.append(*newer)
    refused = audit("bundle", "d")
    assert (refused.exit_code, "--anchor" in refused.stderr, refused.stdout) == (1, True, "")
    written = audit("bundle", "d", "--anchor", "-o", str(audit.folder / "d.json"))
    assert written.exit_code == 0, written.output
    assert audit("verify", "--offline", str(audit.folder / "d.json"), "--key", key).exit_code == 0
    script = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), "d.json", "--key", key],
        cwd=audit.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (script.returncode, script.stdout.splitlines()[-1]) == (0, "VERIFIED"), script.stdout
    printed = json.loads(audit("bundle", "b").stdout)
    assert [len(printed["commits"]), len(printed["roots"]), len(printed["invoices"])] == [4, 2, 1]

    listed = audit.document("roots", "--key", key)
    assert [root["number"] for root in listed["roots"]] == [1, 2]
    assert key in audit("roots").stdout
    since = audit.document("verify", "--since", "1")
    assert (since["ok"], since["orders"], since["commits"]) == (True, 4, 3 + 4)


def test_what_was_done_to_the_tables_is_named_also_from_a_kept_copy_and_ends_with_one(audit: Audit) -> None:
    """Dropped tail, dropped order, rewritten end; no new root is made over them, no bundle given."""
    audit("root")
    kept = audit.folder / "root-1.json"
    kept.write_bytes(audit.object("roots/000000000001.json"))
    commits = an_order("c")
    audit.delete(B, 3, 4)
    audit.delete("test/order-a", 1, 2, 3, 4)
    audit.replace(*rewritten(commits, 4, recorded_at_ms=NOON_MS)[3:])
    expected = [
        ("test/order-a", 1, "dropped_order"),
        (B, 3, "dropped_tail"),
        ("test/order-c", 4, "rewritten"),
    ]

    assert audit("verify").exit_code == 1
    for arguments in ((), ("--since", "1"), ("--since", str(kept))):
        assert sorted(audit.reasons("verify", *arguments)) == expected
    assert audit.reasons("verify", "--order", "b") == [expected[1]]
    assert sorted(audit.reasons("root")) == expected
    assert audit("root").exit_code == 1
    assert audit("bundle", "c").exit_code == 1
    assert "rewritten" in audit("bundle", "c").stdout
    assert [root["number"] for root in audit.document("roots")["roots"]] == [1]
    lines = audit("verify").stdout.splitlines()
    assert f"{B} commit 3: dropped_tail: root 1 has 4 commits of it, the log ends with commit 2" in lines


def test_a_changed_byte_is_named_and_stops_the_bundle(audit: Audit) -> None:
    """By the full verification, and before anything is given away."""
    audit("root")
    commit = an_order("b")[1]
    audit.replace(replace(commit, body=commit.body.replace(b"payment", b"paymend", 1)))

    assert audit.reasons("verify") == [(B, 2, "hash_mismatch")]
    refused = audit("bundle", "b")
    assert (refused.exit_code, "audit verify --order b" in " ".join(refused.stderr.split())) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("verify", "--key", "abc"), "no fingerprint"),
        (("verify", "--since", "nowhere.json"), "cannot be read"),
        (("verify", "--since", "0"), "cannot be read"),
        (("verify", "--offline", "nowhere.json"), "cannot be read"),
        (("verify", "--order", "a", "--since", "1"), "exclude each other"),
    ],
)
def test_what_was_called_wrongly_is_said_in_words(audit: Audit, arguments: tuple[str, ...], words: str) -> None:
    """Exit code 2, as for every command."""
    done = audit(*arguments)

    assert done.exit_code == 2
    assert words in " ".join(done.output.replace("│", " ").split())


def test_a_root_that_is_not_there_cannot_be_started_from(audit: Audit) -> None:
    """Said, with 1; not taken for a log without findings."""
    done = audit("verify", "--since", "7")

    assert done.exit_code == 1
    assert "root 7 cannot be started from: it is not there" in done.stderr
