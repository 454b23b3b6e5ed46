"""What the embedded environment holds, seen from behind: rows, messages, mails, alarms. Looking changes nothing."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import zstandard
from boto3.dynamodb.types import TypeDeserializer

from tests.emulator import clients_for

ANSWER_S_MAX: Final = 120
"""Every message of tens of thousands is shown at once."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in a queue or a dead-letter queue."""

    queue: str
    body: str
    receive_count: int

    @property
    def order_id(self) -> str:
        """The order that it speaks of."""
        order_id: str = json.loads(self.body)["orderId"]
        return order_id


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that SES took."""

    id: str
    to: str
    subject: str
    text: str
    at_s: float
    """When, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Emulated:
    """The environment of one state directory. `settings` are the service's variables."""

    settings: Mapping[str, str]

    @classmethod
    def of(cls, state_dir: Path) -> "Emulated":
        """As `environment.json` describes it."""
        return cls(json.loads((state_dir / "environment.json").read_text(encoding="utf-8"))["settings"])

    def with_client(self, service: str, use: Callable[[Any], Any]) -> Any:
        """Something done with a plain SDK client."""
        with clients_for(self.settings) as clients:
            return use(clients(service))

    def table_name(self, name: str) -> str:
        """A table's full name."""
        return f"{self.settings['ORDERSTORE_RESOURCE_PREFIX']}-{name}"

    def items(self, table: str) -> list[dict[str, Any]]:
        """Every item of a table, in DynamoDB's own notation."""

        def scan(dynamodb: Any) -> list[dict[str, Any]]:
            pages = dynamodb.get_paginator("scan").paginate(TableName=self.table_name(table), ConsistentRead=True)
            return [item for page in pages for item in page["Items"]]

        items: list[dict[str, Any]] = self.with_client("dynamodb", scan)
        return items

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every item of a table as plain values."""
        plain = TypeDeserializer().deserialize
        return [{name: plain(value) for name, value in item.items()} for item in self.items(table)]

    def put(self, table: str, item: Mapping[str, Any]) -> None:
        """Write an item behind the service's back."""
        self.with_client("dynamodb", lambda it: it.put_item(TableName=self.table_name(table), Item=item))

    def queued(self, suffix: str = "") -> list[Queued]:
        """Every message, hidden ones too, in queues whose names end so. Nothing is received by this."""
        return [
            Queued(name, message["Body"], int(message["ReceiveCount"]))
            for region in self._ask("/_ministack/sqs/messages")["messages"].values()
            for queues in region.values()
            for url, messages in queues.items()
            if (name := url.rsplit("/", 1)[-1]).endswith(suffix)
            for message in messages
        ]

    def dead_letters(self, order_id: str) -> list[str]:
        """The dead-letter queues that hold something of an order."""
        return sorted(message.queue for message in self.queued("-dlq") if message.order_id == order_id)

    def mails(self) -> list[Mail]:
        """Every mail that SES took."""
        return [
            Mail(mail["MessageId"], ",".join(mail["To"]), mail["Subject"], mail["BodyText"], mail["Timestamp"])
            for mails in self._ask("/_ministack/ses/messages")["messages"].values()
            for mail in mails
        ]

    def alarms(self, state: str) -> list[str]:
        """The names of the alarms in a state, as CloudWatch tells them."""
        found = self.with_client("cloudwatch", lambda it: it.describe_alarms(StateValue=state)["MetricAlarms"])
        return sorted(alarm["AlarmName"] for alarm in found)

    def oldest_ages_s(self, *, since_s: float) -> dict[str, float]:
        """By queue, the greatest age that its oldest message had since a moment (ApproximateAgeOfOldestMessage, as CloudWatch tells it)."""

        def ages(cloudwatch: Any) -> dict[str, float]:
            metrics = cloudwatch.list_metrics(Namespace="AWS/SQS", MetricName="ApproximateAgeOfOldestMessage")[
                "Metrics"
            ]
            found = {}
            for metric in metrics:
                points = cloudwatch.get_metric_statistics(
                    **metric,
                    StartTime=since_s,
                    EndTime=time.time(),
                    Period=60,
                    Statistics=["Maximum"],
                )["Datapoints"]
                name = next(dimension["Value"] for dimension in metric["Dimensions"])
                found[name] = max((point["Maximum"] for point in points), default=0.0)
            return found

        by_queue: dict[str, float] = self.with_client("cloudwatch", ages)
        return by_queue

    def _ask(self, path: str) -> Any:
        """What the emulator shows of this environment's account."""
        answer = httpx.get(
            self.settings["ORDERSTORE_AWS_ENDPOINT_URL"] + path,
            params={"account": self.settings["ORDERSTORE_AWS_ACCESS_KEY_ID"]},
            timeout=ANSWER_S_MAX,
            trust_env=False,
        )
        return answer.raise_for_status().json()


def text_of(item: Mapping[str, Any]) -> bytes:
    """All that an item holds, as bytes to search through: binary attributes as they are, and decompressed if they can be."""
    return b"\n".join(_texts(item))


def _texts(value: Any) -> list[bytes]:
    match value:
        case bytes():
            return [value, _decompressed(value)]
        case Mapping():
            return [text for name, inner in value.items() for text in (str(name).encode(), *_texts(inner))]
        case list() | tuple() | set():
            return [text for inner in value for text in _texts(inner)]
        case _:
            return [str(value).encode()]


def _decompressed(value: bytes) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(value, max_output_size=64 * 1024 * 1024)
    except zstandard.ZstdError:
        return b""
