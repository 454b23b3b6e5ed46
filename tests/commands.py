"""`orderstore …` in this process: all that the program does but its start, which takes a second and more. Tests of commands that want many
of them use this; `tests/e2e/programs.py` starts real processes, for those that are about processes."""

import io
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from threading import Lock
from unittest.mock import patch

import structlog

from tests.e2e.programs import Finished, clean_environment
from workers.cli import main

_one_at_a_time = Lock()
"""Folder, variables, arguments and output are the whole process's."""


def orderstore(*arguments: str, cwd: Path, variables: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end, in the folder `cwd`. May be called in a thread; what it raises beside its exit is a bug."""
    out, err = _Output(), _Output()
    with (
        _one_at_a_time,
        chdir(cwd),
        patch.dict(os.environ, clean_environment(variables), clear=True),
        patch.object(sys, "argv", ["orderstore", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
        own_logs(),
    ):
        try:
            main()
        except SystemExit as end:
            code = 0 if end.code is None else end.code
        else:
            code = 0
    assert isinstance(code, int), code
    return Finished(code, out.text, err.text)


class _Output(io.TextIOWrapper):
    """A standard stream that keeps what is written to it."""

    def __init__(self) -> None:
        self._kept = io.BytesIO()
        super().__init__(self._kept, encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        return self._kept.getvalue().decode()


@contextmanager
def own_logs() -> Iterator[None]:
    """A command sends the logs to its own output: what comes after it gets them back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        if structlog.is_configured():
            structlog.reset_defaults()
            root.handlers[:] = handlers
            root.setLevel(level)
