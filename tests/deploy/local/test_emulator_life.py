"""The embedded environment as a process: started, taken over, killed, restarted."""

import errno
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import environment, process
from deploy.local.provision import Clients, DataPlane
from deploy.local.state_dir import StateDir
from tests.waiting import eventually
from workers.settings import from_environment

pytestmark = pytest.mark.emulator

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "deploy.local"]


@pytest.fixture
def folder(tmp_path):
    """A state folder whose emulator is ended afterwards, whatever the test did to it."""
    path = tmp_path / "state"
    yield path
    environment.clean(path)


def spawn_start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "start", "--state-dir", str(folder), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def result_of(start: subprocess.Popen[str]) -> dict:
    out, err = start.communicate(timeout=60)
    assert start.returncode == 0, err
    return json.loads(out)


def clients(running: environment.Environment) -> Clients:
    return Clients(DataPlane(endpoint_url=running.endpoint_url, resource_prefix=environment.RESOURCE_PREFIX))


def put_commit(made: Clients, number: int) -> None:
    key = {"stream": {"S": "main/order-1"}, "commit": {"N": str(number)}}
    made("dynamodb").put_item(TableName="orderstore-local-events", Item={**key, "body": {"B": b"x"}})


def commits(made: Clients) -> int:
    return made("dynamodb").scan(TableName="orderstore-local-events", ConsistentRead=True)["Count"]


def dead_letters(made: Clients) -> str:
    return made("sqs").get_queue_url(QueueName="orderstore-local-payment-dlq")["QueueUrl"]


def test_what_start_prints_is_what_the_service_needs(folder):
    """Settings that the service accepts, a token that matches its hash, and a file with the same content, for its owner only."""
    printed = result_of(spawn_start(folder))
    assert printed == json.loads((folder / "environment.json").read_text())
    assert (folder / "environment.json").stat().st_mode & 0o077 == 0
    settings = from_environment(printed["settings"])
    assert settings.aws_endpoint_url == printed["endpoint_url"]
    assert printed["api_token"] not in printed["settings"]["ORDERSTORE_API_TOKENS"]


def test_a_second_start_takes_over_what_runs(folder):
    """Same process, same settings, same start time; the starter of the first is long gone."""
    first = result_of(spawn_start(folder))
    second = environment.start(folder)
    assert second.adopted
    assert (second.pid, second.port, second.settings) == (first["pid"], first["port"], first["settings"])
    assert second.started_at == first["started_at"]


def test_two_starts_at_once_make_one_emulator(folder):
    """Both succeed, with the same process."""
    both = [spawn_start(folder), spawn_start(folder)]
    results = [result_of(start) for start in both]
    assert len({(result["pid"], result["port"]) for result in results}) == 1
    assert sorted(result["adopted"] for result in results) == [False, True]


def test_a_start_that_is_killed_half_way_leaves_nothing_that_the_next_cannot_use(folder):
    """Killed at five different moments, from before the launch to the middle of provisioning."""
    pids = set()
    for delay_s in (0.2, 0.4, 0.6, 0.9, 1.2):
        start = spawn_start(folder)
        try:
            start.communicate(timeout=delay_s)
        except subprocess.TimeoutExpired:
            os.killpg(start.pid, signal.SIGKILL)  # the whole group, as a terminal that closes would
            start.communicate()
        emulator = process.find_when_known(StateDir(folder), 10) if folder.exists() else None
        pids |= {emulator.pid} if emulator else set()
    final = environment.start(folder)
    assert len(pids | {final.pid}) == 1
    with clients(final) as made:
        put_commit(made, 1)


def test_ctrl_c_at_the_starter_does_not_reach_the_emulator(folder):
    """It runs in a session of its own: nothing that ends its starter's group ends it."""
    start = spawn_start(folder)
    running = result_of(start)
    assert os.getsid(running["pid"]) == running["pid"] != os.getsid(0)


def test_items_and_messages_survive_a_stop_and_the_port_stays(folder):
    """What was accepted is there again; the stream's records are not, which is the emulator's nature."""
    first = environment.start(folder)
    with clients(first) as made:
        put_commit(made, 1)
        made("sqs").send_message(QueueUrl=dead_letters(made), MessageBody="kept")
        made("s3").put_object(Bucket=first.settings["ORDERSTORE_BLOBS_BUCKET"], Key="commits/a", Body=b"large")
    assert environment.stop(folder)
    assert environment.status(folder)["state"] == "stopped"
    second = environment.start(folder)
    assert not second.adopted
    assert second.port == first.port
    assert second.settings == first.settings
    with clients(second) as made:
        assert commits(made) == 1
        (message,) = made("sqs").receive_message(QueueUrl=dead_letters(made))["Messages"]
        assert message["Body"] == "kept"
        body = made("s3").get_object(Bucket=first.settings["ORDERSTORE_BLOBS_BUCKET"], Key="commits/a")["Body"]
        assert body.read() == b"large"


def test_a_sequence_number_from_before_a_restart_is_refused(folder):
    """Not silently taken for a position of the new stream: so a vanished position can be noticed."""
    first = environment.start(folder)
    with clients(first) as made:
        put_commit(made, 1)
        arn, shard = stream_of(made)
        start = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = made("dynamodbstreams").get_shard_iterator(**start)["ShardIterator"]
        (record,) = made("dynamodbstreams").get_records(ShardIterator=iterator)["Records"]
    environment.stop(folder)
    with clients(environment.start(folder)) as made:
        put_commit(made, 2)
        assert stream_of(made) == (arn, shard)
        after = {
            "StreamArn": arn,
            "ShardId": shard,
            "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
            "SequenceNumber": record["dynamodb"]["SequenceNumber"],
        }
        with pytest.raises(made("dynamodbstreams").exceptions.TrimmedDataAccessException):
            made("dynamodbstreams").get_shard_iterator(**after)


def stream_of(made: Clients) -> tuple[str, str]:
    arn = made("dynamodb").describe_table(TableName="orderstore-local-events")["Table"]["LatestStreamArn"]
    return arn, made("dynamodbstreams").describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]


def test_a_killed_emulator_loses_only_what_followed_its_last_snapshot(folder):
    """SIGKILL, no farewell: the next start has the snapshot, whole, and works."""
    first = environment.start(folder)
    with clients(first) as made:
        put_commit(made, 1)
    state = StateDir(folder)
    before = process.saved_state(state)
    eventually(lambda: process.saved_state(state) != before, what="a snapshot")
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    assert environment.status(folder)["state"] == "stopped"
    second = environment.start(folder)
    assert second.pid != first.pid
    with clients(second) as made:
        assert commits(made) == 1
        put_commit(made, 2)


def test_an_emulator_that_is_deaf_is_replaced(folder):
    """Stopped in its tracks, it holds the folder and answers nobody."""
    first = environment.start(folder)
    os.kill(first.pid, signal.SIGSTOP)
    second = environment.start(folder)
    assert second.pid != first.pid
    assert not second.adopted


def test_a_stop_cuts_open_long_polls(folder):
    """A consumer that waits for 20 seconds does not hold the stop up, and the state is saved."""
    running = environment.start(folder)
    poll = (
        "import sys; from deploy.local.provision import *\n"
        f"made = Clients(DataPlane(endpoint_url={running.endpoint_url!r}, resource_prefix='orderstore-local'))\n"
        "url = made('sqs').get_queue_url(QueueName='orderstore-local-payment')['QueueUrl']\n"
        "print('polling', flush=True); made('sqs').receive_message(QueueUrl=url, WaitTimeSeconds=20)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", poll], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as poller:
        assert poller.stdout is not None
        assert poller.stdout.readline() == "polling\n"
        assert environment.stop(folder)
        poller.kill()


def test_a_damaged_environment_file_is_written_anew(folder):
    """The lock knows the emulator; the file is only a result."""
    first = environment.start(folder)
    (folder / "environment.json").write_text("{")
    assert environment.start(folder).pid == first.pid
    assert json.loads((folder / "environment.json").read_text())["pid"] == first.pid


def test_another_process_on_the_old_port_is_not_taken_for_ours(folder):
    """The port is free to be taken while the environment is stopped; then another is used."""
    first = environment.start(folder)
    environment.stop(folder)
    with process.listen(first.port) as squatter:
        second = environment.start(folder)
        assert second.port != squatter.getsockname()[1]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="listening sockets are looked up in /proc")
def test_it_listens_on_loopback_only_and_on_one_port(folder):
    """No other address, no other service (the emulator opens some by itself unless it is told not to)."""
    running = environment.start(folder)
    inodes = {
        str(link.readlink()).removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{running.pid}/fd").iterdir()
        if str(link.readlink()).startswith("socket:[")
    }
    listening = []
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/{running.pid}/net/{table}").read_text().splitlines()[1:]:
            local, state, inode = (row.split()[column] for column in (1, 3, 9))
            if inode in inodes and state == "0A":
                listening.append(local)
    assert listening == [f"0100007F:{running.port:04X}"]


def test_an_emulator_can_be_tied_to_the_process_that_needs_it(folder):
    """A killed test run leaves no emulator behind; what it did is saved like at any stop."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        environment.start(folder, end_with=owner.pid)
        owner.kill()
    eventually(lambda: environment.status(folder)["state"] == "stopped", what="the stop")


def test_clean_leaves_nothing(folder):
    """No folder, no process."""
    running = environment.start(folder)
    assert environment.clean(folder)
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)


def test_clean_outlasts_the_writer_of_a_snapshot(folder, monkeypatch):
    """A snapshot is written by a child, which may go on for a moment when the emulator is killed; other trouble is told at once."""
    environment.start(folder)
    troubles = [errno.ENOTEMPTY, errno.ENOTEMPTY, errno.EACCES, errno.ENOTEMPTY]
    removed = shutil.rmtree

    def rmtree(path):
        if troubles:
            raise OSError(troubles.pop(0), "while somebody writes")
        removed(path)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with pytest.raises(PermissionError):
        environment.clean(folder)
    assert troubles == [errno.ENOTEMPTY]
    assert environment.clean(folder)
    assert not folder.exists()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="a process's variables are looked up in /proc")
def test_a_stray_variable_of_the_caller_does_not_reach_the_emulator(folder, monkeypatch):
    """Somebody's AWS or proxy settings must not send the embedded environment elsewhere."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", secrets.token_hex(8))
    monkeypatch.setenv("PERSIST_STATE", "0")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    running = environment.start(folder)
    variables = Path(f"/proc/{running.pid}/environ").read_bytes()
    assert b"AWS_ACCESS_KEY_ID" not in variables
    assert b"proxy" not in variables.lower()
