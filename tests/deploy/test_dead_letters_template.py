"""The template of the rights to work with dead letters: what is needed, on what is there, and nothing to spare."""

import pytest

from orderstore.registry import CONSUMERS
from tests.cloudformation import DEPLOY, Template, statements

LOOKS = {"sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"}
SENDS = {"sqs:SendMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"}


@pytest.fixture(scope="module")
def allowed() -> list[dict[str, list[str]]]:
    (policy,) = Template("dead-letters.yaml").of_type("AWS::IAM::ManagedPolicy").values()
    return list(statements(policy["Properties"]["PolicyDocument"]))


def test_every_queue_and_only_its_dead_letters_may_be_looked_at(allowed: list[dict[str, list[str]]]) -> None:
    """Live messages are the workers': a person may send to them and count them."""  # E060, E123
    found: dict[str, set[str]] = {}
    for entry in allowed:
        for arn in entry["Resource"]:
            if ":sqs:" in arn:
                found.setdefault(arn.rpartition(":")[2], set()).update(entry["Action"])

    queues = (*CONSUMERS, "intake")
    assert found == {f"shop-{name}": SENDS for name in queues} | {f"shop-{name}-dlq": LOOKS | SENDS for name in queues}


def test_records_can_be_put_and_never_removed(allowed: list[dict[str, list[str]]]) -> None:
    """Nothing deletes, nothing rewrites, no wildcard; the log is only read."""
    actions = {action for entry in allowed for action in entry["Action"]}

    assert not [
        action for action in actions if action.startswith(("s3:Delete", "dynamodb:P", "dynamodb:U", "dynamodb:D"))
    ]
    assert not [action for action in actions if action.endswith(":*") or action == "*"]
    assert "*" not in {arn for entry in allowed for arn in entry["Resource"]}
    (record,) = [entry for entry in allowed if "s3:PutObject" in entry["Action"]]
    assert record["Resource"] == ["arn:aws:s3:::shop-audit-111122223333/dead-letters/*"]


@pytest.mark.thorough
def test_it_is_a_template_that_cloudformation_takes() -> None:
    """As cfn-lint reads it."""
    from cfnlint.api import lint_file  # takes a second

    assert [str(match) for match in lint_file(DEPLOY / "dead-letters.yaml")] == []
