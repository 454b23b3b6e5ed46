"""The report: one JSON line for each rejected line or invoice, under its final name only when it is complete."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from workers.intake.online_retail.model import IntakeError, Reject


class ReportFailed(IntakeError):
    """The report cannot be written where it was asked for."""


class ReportWriter:
    """Write to `<path>.partial`; `complete()` gives it its name. Without that call, what was written stays under the partial name."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the context is entered."""
        self.path = path
        self.partial_path = path.with_name(path.name + ".partial")
        self.lines_written = 0

    def __enter__(self) -> Self:
        """Open the partial file, so that a place that cannot be written is known before anything is sent. Raises ReportFailed."""
        try:
            self._file = self.partial_path.open("w", encoding="utf-8")
        except OSError as error:
            raise ReportFailed(f"the report cannot be written to {self.partial_path}: {error.strerror}") from error
        return self

    def write(self, reject: Reject) -> None:
        """Add one line. Raises ReportFailed."""
        entry = {"invoice": reject.invoice, "line": reject.line_number, "reason": reject.reason, "text": reject.text}
        try:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        except OSError as error:
            raise ReportFailed(f"the report broke off: {error.strerror}") from error
        self.lines_written += 1

    def complete(self) -> None:
        """Flush to the disk and take the final name, in one step. Raises ReportFailed."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self.partial_path.replace(self.path)
        except OSError as error:
            raise ReportFailed(f"the report cannot be written to {self.path}: {error.strerror}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, whatever its name is by now."""
        self._file.close()
