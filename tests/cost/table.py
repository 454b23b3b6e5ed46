"""What was counted, added up: by role and event, and what it costs."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.cost.meter import Call

NAMES: Final = (
    *("calls", "write", "index", "read", "stored", "sqs", "sns", "published", "s3_put", "s3_get", "s3_bytes"),
    *("kms", "mails", "streams", "bytes_out", "bytes_in"),
)


@dataclass(slots=True)
class Sums:
    """What AWS charges for, added up."""

    calls: int = 0
    write: float = 0
    index: float = 0
    read: float = 0
    sqs: int = 0
    sns: int = 0
    s3_put: int = 0
    s3_get: int = 0
    s3_bytes: int = 0
    published: int = 0
    kms: int = 0
    mails: int = 0
    streams: int = 0
    stored: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    kinds: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, call: Call) -> None:
        """One more call."""
        self.calls += 1
        self.write += call.write
        self.index += call.index
        self.read += call.read
        self.stored += sum(units.stored for units in call.units)
        self.bytes_out += call.bytes_out
        self.bytes_in += call.bytes_in
        self.kinds[f"{call.operation} {call.resource}".strip()] += 1
        match call.service:
            case "sqs":
                self.sqs += call.requests
            case "sns":
                self.sns += call.requests
                self.published += call.entries
            case "kms":
                self.kms += 1
            case "sesv2":
                self.mails += 1
            case "dynamodbstreams" if call.operation == "GetRecords":
                self.streams += 1
            case "s3" if call.operation in ("PutObject", "ListObjectsV2", "CopyObject"):
                self.s3_put += 1
                self.s3_bytes += call.bytes_out
            case "s3":
                self.s3_get += 1

    def numbers(self) -> dict[str, float]:
        """As a document."""
        return {name: getattr(self, name) for name in NAMES}


def summed(calls: Iterable[Call], by: Callable[[Call], Any]) -> dict[Any, Sums]:
    """The sums of each group."""
    groups: dict[Any, Sums] = defaultdict(Sums)
    for call in calls:
        groups[by(call)].add(call)
    return dict(sorted(groups.items(), key=lambda entry: str(entry[0])))


def whole(calls: Iterable[Call]) -> Sums:
    """One group of all."""
    return summed(calls, lambda _: "").get("", Sums())


def kinds(sums: Sums) -> Mapping[str, int]:
    """What was called, most often first."""
    return dict(sorted(sums.kinds.items(), key=lambda entry: (-entry[1], entry[0])))
