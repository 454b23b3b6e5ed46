"""Create the data plane in the emulator, from the templates that production deploys, and check that every part is there.

What a stack does not make is made here too: the verified sender of mails, which on AWS needs a DNS record of a real domain.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deploy.local.errors import ProvisioningFailed

TEMPLATES = Path(__file__).parent.parent
REGION = "eu-west-1"
ACCOUNT = "111122223333"
"""MiniStack reads an access key of 12 digits as an account; this is the one that AWS's own documentation uses."""
SECRET_KEY = "embedded"  # noqa: S105 - the emulator checks no signature
MAIL_SENDER = "orders@orderstore.example"
# A laptop's proofs are nobody's evidence: a day is enough, and an administrator may delete them before.
AUDIT_LOCK_MODE = "GOVERNANCE"
AUDIT_RETENTION_DAYS = 1
DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
CONSUMERS = ("payment", "inventory", "shipping", "billing", "notification", "archive", "webhooks")
UNKNOWN = ("AWS::Events::Archive", "AWS::Events::EventBusPolicy")
STACK_S_MAX = 60.0
STACK_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Stack:
    """One template, which makes the stack `<prefix>-<name>`. `parameters`: of the plane, and what the stacks before it put out."""

    name: str
    parameters: "Callable[[DataPlane, Mapping[str, str]], Mapping[str, str]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlane:
    """Where one set of resources is to be made. `account` doubles as the access key id."""

    endpoint_url: str
    resource_prefix: str
    account: str = ACCOUNT
    region: str = REGION
    visibility_timeout_s: int = 120
    fifo_topic: bool = False


class Clients:
    """Synchronous clients of one data plane, made on first use; for set-up and tests, never for the product."""

    def __init__(self, plane: DataPlane, session: botocore.session.Session | None = None) -> None:
        """Nothing is connected yet. A session that is shared saves reading the services' descriptions again."""
        self._plane = plane
        self._session = session or botocore.session.Session()
        self._made: dict[str, Any] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def __call__(self, service: str) -> Any:  # noqa: ANN401 - botocore makes its clients at run time
        """The client of `service`."""
        if service not in self._made:
            client = self._session.create_client(
                service,
                endpoint_url=self._plane.endpoint_url,
                region_name=self._plane.region,
                aws_access_key_id=self._plane.account,
                aws_secret_access_key=SECRET_KEY,
                config=Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"mode": "standard", "max_attempts": 2},
                    proxies={},  # whatever the environment says: it is on this machine
                ),
            )
            self._made[service] = self._closing.enter_context(closing(client))
        return self._made[service]


def data_plane_parameters(plane: DataPlane, _outputs: Mapping[str, str]) -> Mapping[str, str]:
    """The parameters of deploy/data-plane.yaml on a laptop."""
    return {
        "ResourcePrefix": plane.resource_prefix,
        "VisibilityTimeoutSeconds": str(plane.visibility_timeout_s),
        "FifoTopic": str(plane.fifo_topic).lower(),
        "SandboxProviders": "true",
        "DeletionProtection": "false",
        "AuditLockMode": AUDIT_LOCK_MODE,
        "AuditRetentionDays": str(AUDIT_RETENTION_DAYS),
    }


def queue_parameters(plane: DataPlane, outputs: Mapping[str, str]) -> Mapping[str, str]:
    """The parameters of deploy/intake.yaml and deploy/notifications.yaml on a laptop: a queue beside the data plane."""
    return {
        "ResourcePrefix": plane.resource_prefix,
        "DataKeyArn": outputs["DataKeyArn"],
        "AlertsTopicArn": outputs["AlertsTopicArn"],
        "VisibilityTimeoutSeconds": str(plane.visibility_timeout_s),
        "DeletionProtection": "false",
    }


def webhooks_parameters(plane: DataPlane, outputs: Mapping[str, str]) -> Mapping[str, str]:
    """The parameters of deploy/webhooks.yaml on a laptop: its queue hears the topic."""
    return {**queue_parameters(plane, outputs), "OrderEventsTopicArn": outputs["OrderEventsTopicArn"]}


# In the order in which they are made: later ones are given what earlier ones put out. No two have an output of the same name.
STACKS = (
    Stack("data-plane", data_plane_parameters),
    Stack("webhooks", webhooks_parameters),
    Stack("intake", queue_parameters),
    Stack("notifications", queue_parameters),
)


def provision(plane: DataPlane, clients: Callable[[str], Any]) -> dict[str, str]:
    """Make or update everything and return the settings of the service. Raises ProvisioningFailed."""
    try:
        outputs: dict[str, str] = {}
        for stack in STACKS:
            outputs |= apply_stack(plane, stack, outputs, clients("cloudformation"))
        verify(plane, outputs, clients)
        lock_audit_bucket(clients("s3"), outputs["AuditBucketName"])
        forget_versions(clients("s3"), outputs["IntakeBucketName"])
        verify_sender(clients("sesv2"))
    except (ClientError, BotoCoreError) as error:
        raise ProvisioningFailed(f"the resources of {plane.resource_prefix} could not be made: {error}") from error
    return {
        "ORDERSTORE_RESOURCE_PREFIX": plane.resource_prefix,
        "ORDERSTORE_AWS_ENDPOINT_URL": plane.endpoint_url,
        "ORDERSTORE_AWS_REGION": plane.region,
        "ORDERSTORE_AWS_ACCESS_KEY_ID": plane.account,
        "ORDERSTORE_AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "ORDERSTORE_TOPIC_ARN": outputs["OrderEventsTopicArn"],
        "ORDERSTORE_TOPIC_FIFO": str(plane.fifo_topic).lower(),
        "ORDERSTORE_BLOBS_BUCKET": outputs["BlobsBucketName"],
        "ORDERSTORE_KMS_KEY_ID": outputs["DataKeyArn"],
        "ORDERSTORE_AUDIT_BUCKET": outputs["AuditBucketName"],
        "ORDERSTORE_SIGNING_KEY_ID": outputs["SigningKeyArn"],
        "ORDERSTORE_AUDIT_LOCK_MODE": AUDIT_LOCK_MODE,
        "ORDERSTORE_AUDIT_RETENTION_DAYS": str(AUDIT_RETENTION_DAYS),
        "ORDERSTORE_INTAKE_BUCKET": outputs["IntakeBucketName"],
        "ORDERSTORE_PROVIDERS": "sandbox",
        # Who tries webhooks out has the receiver on the same machine.
        "ORDERSTORE_WEBHOOKS_INSECURE": "true",
        "ORDERSTORE_MAIL_SENDER": MAIL_SENDER,
        "ORDERSTORE_MAIL_CONFIGURATION_SET": outputs["MailConfigurationSetName"],
        "ORDERSTORE_VISIBILITY_TIMEOUT_S": str(plane.visibility_timeout_s),
    }


def apply_stack(plane: DataPlane, stack: Stack, outputs: Mapping[str, str], cloudformation: Any) -> dict[str, str]:  # noqa: ANN401 - a botocore client
    """Create the stack, or bring one that a restart kept up to date; its outputs."""
    request: dict[str, Any] = {
        "StackName": f"{plane.resource_prefix}-{stack.name}",
        "TemplateBody": known_resources((TEMPLATES / f"{stack.name}.yaml").read_text(encoding="utf-8")),
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in stack.parameters(plane, outputs).items()
        ],
    }
    try:
        cloudformation.create_stack(**request, OnFailure="DELETE")
    except cloudformation.exceptions.AlreadyExistsException:
        try:
            cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
    return wait_for_stack(cloudformation, request["StackName"])


def known_resources(template: str) -> str:
    """The template without the resources that the emulator does not know: it would refuse the others with them."""
    return re.sub(rf"^  \w+:\n    Type: (?:{'|'.join(UNKNOWN)})\n(?:    .*\n|\n)*", "", template, flags=re.MULTILINE)


def wait_for_stack(cloudformation: Any, name: str) -> dict[str, str]:  # noqa: ANN401 - a botocore client
    """Wait until the stack is done and return its outputs. (botocore's own waiter looks every 30 seconds only.)"""
    deadline = time.monotonic() + STACK_S_MAX
    while True:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] in DONE:
            return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            why = stack.get("StackStatusReason", "no reason given")
            raise ProvisioningFailed(f"the stack {name} is {stack['StackStatus']}: {why}")
        if time.monotonic() >= deadline:
            raise ProvisioningFailed(f"the stack {name} is still {stack['StackStatus']} after {STACK_S_MAX:g} s")
        time.sleep(STACK_POLL_S)


def verify(plane: DataPlane, outputs: Mapping[str, str], clients: Callable[[str], Any]) -> None:
    """Look whether what the outputs name is really there. Raises ProvisioningFailed, ClientError.

    The emulator reports a stack as complete whatever became of its parts, and a stack from its saved state may outlive them.
    """
    tables = {value for key, value in outputs.items() if key.endswith("TableName")}
    queues = {value.rsplit("/", 1)[-1] for key, value in outputs.items() if key.endswith(("QueueUrl", "LettersUrl"))}
    found_tables = set(clients("dynamodb").list_tables()["TableNames"])
    found_queues = {url.rsplit("/", 1)[-1] for url in clients("sqs").list_queues().get("QueueUrls", [])}
    missing = sorted((tables - found_tables) | (queues - found_queues))
    if missing:
        raise ProvisioningFailed(f"the stack of {plane.resource_prefix} is complete but lacks {', '.join(missing)}")
    subscriptions = clients("sns").list_subscriptions_by_topic(TopicArn=outputs["OrderEventsTopicArn"])["Subscriptions"]
    if len(subscriptions) != len(CONSUMERS):
        raise ProvisioningFailed(f"the topic has {len(subscriptions)} subscriptions instead of {len(CONSUMERS)}")
    clients("s3").head_bucket(Bucket=outputs["BlobsBucketName"])
    clients("s3").head_bucket(Bucket=outputs["AuditBucketName"])
    clients("s3").head_bucket(Bucket=outputs["IntakeBucketName"])
    clients("events").describe_event_bus(Name=outputs["IntakeBusName"])
    clients("kms").describe_key(KeyId=outputs["DataKeyArn"])
    clients("kms").describe_key(KeyId=outputs["SigningKeyArn"])


def lock_audit_bucket(s3: Any, bucket: str) -> None:  # noqa: ANN401 - a botocore client
    """Switch Object Lock on: the emulator makes the bucket of the template, but does not apply this part of it."""
    s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": AUDIT_LOCK_MODE, "Days": AUDIT_RETENTION_DAYS}},
        },
    )


def forget_versions(s3: Any, bucket: str) -> None:  # noqa: ANN401 - a botocore client
    """Keep no versions in the intake's bucket: the emulator's events name none, so that nobody could tell which one they mean."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def verify_sender(sesv2: Any) -> None:  # noqa: ANN401 - a botocore client
    """Register the sender of mails."""
    try:
        sesv2.create_email_identity(EmailIdentity=MAIL_SENDER)
    except sesv2.exceptions.AlreadyExistsException:
        return
