"""AWS's own bounds, as its documentation gives them for us-east-1: what a new account may do, and what no account may.

Adjustable ones are raised on request (Service Quotas); the others shape the data.
"""

from dataclasses import dataclass
from typing import Final

DYNAMODB: Final = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
GENERAL: Final = "https://docs.aws.amazon.com/general/latest/gr/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """So much of a unit."""

    name: str
    value: float
    unit: str
    adjustable: bool
    page: str


TABLE_WRITES: Final = Quota(
    name="DynamoDB, write throughput of a table on demand",
    value=40_000,
    unit="write units/s",
    adjustable=True,
    page=f"{DYNAMODB}ServiceQuotas.html#default-limits-throughput",
)
TABLE_READS: Final = Quota(
    name="DynamoDB, read throughput of a table on demand",
    value=40_000,
    unit="read units/s",
    adjustable=True,
    page=f"{DYNAMODB}ServiceQuotas.html#default-limits-throughput",
)
ACCOUNT_WRITES: Final = Quota(
    name="DynamoDB, provisioned writes of an account",
    value=80_000,
    unit="write units/s",
    adjustable=True,
    page=f"{DYNAMODB}ServiceQuotas.html#default-limits-throughput",
)
ACCOUNT_READS: Final = Quota(
    name="DynamoDB, provisioned reads of an account",
    value=80_000,
    unit="read units/s",
    adjustable=True,
    page=f"{DYNAMODB}ServiceQuotas.html#default-limits-throughput",
)
PARTITION_WRITES: Final = Quota(
    name="DynamoDB, writes of a partition, and so of an item",
    value=1_000,
    unit="write units/s",
    adjustable=False,
    page=f"{DYNAMODB}bp-partition-key-design.html",
)
PARTITION_READS: Final = Quota(
    name="DynamoDB, reads of a partition, and so of an item",
    value=3_000,
    unit="read units/s",
    adjustable=False,
    page=f"{DYNAMODB}bp-partition-key-design.html",
)
NEW_TABLE_WRITES: Final = Quota(
    name="DynamoDB, what a new table on demand takes at once",
    value=4_000,
    unit="write units/s",
    adjustable=True,
    page=f"{DYNAMODB}on-demand-capacity-mode.html#on-demand-capacity-mode-initial",
)
SNS_PUBLISHES: Final = Quota(
    name="SNS, messages published to standard topics (us-east-1)",
    value=30_000,
    unit="messages/s",
    adjustable=True,
    page=f"{GENERAL}sns.html",
)
SNS_FIFO: Final = Quota(
    name="SNS, messages published to FIFO topics (us-east-1)",
    value=30_000,
    unit="messages/s",
    adjustable=True,
    page=f"{GENERAL}sns.html",
)
SQS_FIFO: Final = Quota(
    name="SQS, messages of a FIFO queue in batches, without high throughput",
    value=3_000,
    unit="messages/s",
    adjustable=False,
    page="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html",
)
SQS_IN_FLIGHT: Final = Quota(
    name="SQS, messages in flight in a standard queue",
    value=120_000,
    unit="messages",
    adjustable=True,
    page="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html",
)
