"""What stands whether orders come or not, as the templates in `deploy/` make it; a test compares the two."""

from collections.abc import Mapping
from typing import Final

TASKS: Final[Mapping[str, int]] = {
    "api": 2,
    "projector": 2,
    "relay": 2,
    "payment": 1,
    "inventory": 1,
    "shipping": 1,
    "billing": 1,
    "notification": 1,
    "archive": 1,
    "webhooks": 1,
    "intake": 1,
    "sweeper": 2,
}
"""The least of each role."""
TASK_VCPU: Final = 0.5
TASK_GB: Final = 1.0
TASK_UTILISATION: Final = 0.6
"""A task is not planned to be busier than that."""
TABLE_UTILISATION: Final = 0.7
"""Nor provisioned capacity: what AWS's auto scaling aims at by default."""
SUBSCRIPTIONS: Final = 2
READS_OF_A_SHARD: Final = (1.0, 4.0)
"""A subscription asks a shard so often a second: idle, and busy."""
ALARMS: Final = 21
KEYS: Final = 2
QUEUES: Final = 9
DATA_KEY_REUSE_S: Final = 300
"""Of a queue's key, by default: "Key management" in the SQS Developer Guide (sqs-key-management.html), estimating the costs."""


def queue_key_requests(seconds: float) -> float:
    """Calls of KMS that the queues cause, same page: (period / reuse) * (2 * producers + consumers) for each; SNS produces."""
    return QUEUES * seconds / DATA_KEY_REUSE_S * (2 * 1 + 1)
