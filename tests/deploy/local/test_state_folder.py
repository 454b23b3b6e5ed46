"""The state folder: one at a time, whole files, errors that say what to do."""

import json
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.local import environment, process
from deploy.local.__main__ import main
from deploy.local.errors import Busy, EmulatorFailed, NotSetUp, StateDirUnusable
from deploy.local.state_dir import StateDir, open_lock, try_lock, write_whole


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    """A file where the folder should be."""
    (tmp_path / "file").touch()
    with pytest.raises(StateDirUnusable, match="cannot be written"):
        StateDir.open_or_create(tmp_path / "file" / "state")


def test_a_second_start_waits_and_then_names_the_first(tmp_path):
    """The lock's holder is in the message, so that one can look what it does."""
    state = StateDir.open_or_create(tmp_path)
    with state.exclusive(wait_s=1), pytest.raises(Busy, match=r"process \d+"), state.exclusive(wait_s=0.05):
        pytest.fail("two held the folder at once")
    with state.exclusive(wait_s=0):
        pass


def test_a_missing_emulator_says_how_to_install_it(tmp_path):
    """The newcomer's first error must be the last."""
    with pytest.raises(NotSetUp, match="make setup"):
        environment.start(tmp_path, interpreter=tmp_path / "missing")


@pytest.mark.thorough
def test_an_emulator_that_ends_at_once_gives_its_last_words(tmp_path):
    """Here: an interpreter without MiniStack."""
    with pytest.raises(EmulatorFailed, match="ministack"):
        environment.start(tmp_path, interpreter=process.Path(sys.executable))
    assert environment.status(tmp_path)["state"] == "stopped"


def test_a_damaged_environment_file_is_reported(tmp_path):
    """It is not guessed at."""
    state = StateDir.open_or_create(tmp_path)
    for damaged in ("{", "[]", ""):
        state.environment.write_text(damaged)
        with pytest.raises(StateDirUnusable, match="run start"):
            state.read_environment()


def test_a_lock_that_names_nobody_is_reported_and_no_process_is_touched(tmp_path):
    """Whoever holds it, it is not ours to end."""
    state = StateDir.open_or_create(tmp_path)
    with open_lock(state.emulator_lock) as descriptor:
        assert try_lock(descriptor)
        with pytest.raises(StateDirUnusable, match="does not name"):
            process.find(state)


def test_the_name_in_a_free_lock_means_nothing(tmp_path):
    """The file of a dead emulator stays; its process id may be somebody else's by now."""
    state = StateDir.open_or_create(tmp_path)
    write_whole(state.emulator_lock, json.dumps({"pid": 1, "port": 1, "instance": "x"}))
    assert process.find(state) is None


def test_somebody_else_on_the_port_is_not_our_emulator():
    """Only the random name of the process counts, and an answer that makes no sense is none."""

    class Stranger(BaseHTTPRequestHandler):
        answers = iter((b'{"instance": "another"}', b"[", b'{"instance": "ours"}'))

        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(next(self.answers))

        def log_message(self, *_):
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        emulator = process.Emulator(pid=1, port=server.server_port, instance="ours")
        with ThreadPoolExecutor(1) as pool:
            told = []
            for _ in range(3):
                answer = pool.submit(process.answers, emulator)
                server.handle_request()
                told.append(answer.result())
    assert told == [False, False, True]
    assert not process.answers(emulator)  # nobody listens any more


def test_the_token_is_made_once_and_is_nobody_elses(tmp_path):
    """Random, the same for every start, readable by its owner only."""
    state = StateDir.open_or_create(tmp_path)
    token = state.api_token()
    assert len(token) >= 40
    assert state.api_token() == token
    assert stat.S_IMODE((tmp_path / "api-token").stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    """All or nothing, and no leftovers."""
    target = tmp_path / "file"
    write_whole(target, "before")
    with pytest.raises(UnicodeEncodeError):
        write_whole(target, "\ud800")
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_clean_refuses_a_folder_that_is_not_ours(tmp_path):
    """`clean --state-dir ~` must not be the last command of somebody's day."""
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(StateDirUnusable, match="left alone"):
        environment.clean(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_folder_that_is_not_there_is_nothing_to_worry_about(tmp_path):
    """Stop, clean and status of nothing."""
    missing = tmp_path / "missing"
    assert environment.stop(missing) is False
    assert environment.clean(missing) is False
    assert environment.status(missing)["state"] == "absent"
    assert not missing.exists()


def test_the_command_line_answers_in_json_and_fails_with_a_reason(tmp_path, monkeypatch, capsys):
    """Status 0 and JSON on stdout, or status 1 and a line on stderr."""
    monkeypatch.setattr(sys, "argv", ["deploy.local", "status", "--state-dir", str(tmp_path), "--json"])
    assert main() == 0
    assert json.loads(capsys.readouterr().out)["state"] == "stopped"
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["deploy.local", "clean", "--state-dir", str(tmp_path)])
    assert main() == 1
    assert "left alone" in capsys.readouterr().err
