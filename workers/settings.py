"""Settings: the only reader of the environment. Every variable has a meaning, a default (or none) and a unit, and they are
validated against each other before anything starts.

    SettingsError   names every variable that is missing or wrong, all at once
"""

import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Final, Literal, get_args

from workers.billing_settings import BillingSettings
from workers.contradictions import contradictions
from workers.intake_settings import IntakeSettings
from workers.notification_settings import NotificationSettings
from workers.order_settings import OrderSettings
from workers.payment_settings import PaymentSettings
from workers.variables import (
    address,
    choice,
    count,
    headers,
    number,
    setting,
    stock_places,
    switch,
    text,
)
from workers.webhook_settings import WebhookSettings

PREFIX: Final = "ORDERSTORE_"
TRACING_PREFIX: Final = f"{PREFIX}TRACING_"
Role = Literal[
    "api",
    "projector",
    "relay",
    "payment",
    "inventory",
    "shipping",
    "billing",
    "notification",
    "archive",
    "webhooks",
    "intake",
    "sweeper",
]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


class SettingsError(Exception):
    """The environment does not describe a service that can run."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(NotificationSettings, IntakeSettings, WebhookSettings, PaymentSettings, BillingSettings, OrderSettings):
    """What the service is told from outside; one environment variable a field, `ORDERSTORE_` + the name in capitals."""

    resource_prefix: str = setting(
        text, "how the names of tables, queues and alarms begin (ResourcePrefix of the template)"
    )
    topic_arn: str = setting(text, "the SNS topic of the order events (output of the template)")
    topic_fifo: bool = setting(
        switch, "whether that topic is a FIFO one (FifoTopic of the template): group = order", default=False
    )
    blobs_bucket: str = setting(text, "the S3 bucket of commits that are too large for the table")
    kms_key_id: str = setting(text, "the KMS key that wraps the customers' keys")
    audit_bucket: str = setting(text, "the S3 bucket, under Object Lock, of signed roots and certificates")
    signing_key_id: str = setting(text, "the KMS key (ECC_NIST_P256) that signs roots and certificates")
    providers: str = setting(
        choice("sandbox", "stripe"),
        "who stands behind payment: sandbox, or stripe; the carrier is the sandbox's in either case",
    )
    tenant: str = setting(text, "whose orders these are; the first part of every stream's name", default="main")

    aws_region: str = setting(text, "the AWS region", default="eu-west-1")
    aws_endpoint_url: str | None = setting(
        text, "another endpoint than AWS, such as the embedded environment", default=None
    )
    aws_access_key_id: str | None = setting(
        text, "credentials; without them the SDK's own chain (the task role)", default=None
    )
    aws_secret_access_key: str | None = setting(text, "the secret half of the credentials", default=None, secret=True)

    api_host: str = setting(text, "the address that the API listens on", default="127.0.0.1")
    api_port: int = setting(count(0, 65_535), "the port that the API listens on; 0 takes a free one", default=8080)
    api_tokens: str | None = setting(
        text, "JSON list of {name, sha256, scopes}; the api role refuses to start without it", default=None
    )
    read_wait_s: float = setting(number(0, 10), "how long a read waits for a named commit", default=1, unit="s")
    metrics_host: str = setting(text, "the address of /metrics in roles without the API", default="127.0.0.1")
    metrics_port: int = setting(
        count(0, 65_535), "the port of /metrics in roles without the API; 0 takes a free one", default=9090
    )
    log_level: str = setting(
        choice("debug", "info", "warning", "error"), "the least severe log that is written", default="info"
    )
    tracing_otlp_endpoint: str | None = setting(
        address, "the OTLP/HTTP collector that spans are sent to; without one nothing is traced", default=None
    )
    tracing_otlp_headers: str | None = setting(
        headers, "what the collector asks for, such as authorization=Bearer ...", default=None, secret=True
    )
    tracing_sample_ratio: float = setting(
        number(0, 1), "the share of traces recorded, of those that no caller has decided on", default=1
    )

    queue_wait_s: int = setting(count(0, 20), "long polling (E081)", default=20, unit="s")
    visibility_timeout_s: int = setting(
        count(6, 43_200), "how long a received message is hidden (E076)", default=120, unit="s"
    )
    handler_deadline_s: float = setting(number(1, 7_200), "how long one message may take (E077)", default=15, unit="s")
    max_receive_count: int = setting(
        count(1, 1_000), "receives before a message goes to the dead letters (E061)", default=3
    )
    retry_base_s: float = setting(
        number(0.05, 900), "the first back-off of a retried message, before jitter", default=2, unit="s"
    )
    retry_max_s: float = setting(
        number(0.05, 43_200), "the longest back-off of a retried message", default=300, unit="s"
    )
    payment_concurrency: int = setting(count(1, 1_000), "messages at work at once (E106)", default=100)
    inventory_concurrency: int = setting(count(1, 1_000), "messages at work at once (E106)", default=40)
    shipping_concurrency: int = setting(count(1, 1_000), "messages at work at once", default=40)
    billing_concurrency: int = setting(count(1, 1_000), "messages at work at once", default=10)
    notification_concurrency: int = setting(count(1, 1_000), "messages at work at once (E106)", default=500)
    archive_concurrency: int = setting(count(1, 1_000), "messages that wait for a segment at once", default=500)
    archive_linger_s: float = setting(
        number(0.01, 60), "how long a segment of the archive is filled before it is written", default=2, unit="s"
    )
    drain_budget_s: float = setting(
        number(1, 110), "how long a stopping role may finish its work", default=90, unit="s"
    )
    stop_timeout_s: float = setting(
        number(2, 120), "when ECS kills what has not stopped (its stopTimeout)", default=120, unit="s"
    )

    task_protection: bool = setting(
        switch, "whether long work keeps ECS from ending this task (scale-in, deployments)", default=True
    )
    task_protection_after_s: float = setting(
        number(1, 86_400), "how long work must have been under way to count as long", default=60, unit="s"
    )
    fair_queues: bool = setting(
        switch,
        "whether each published message names its tenant, for SQS's fair queues; SQS charges extra for such messages",
        default=False,
    )

    lease_duration_s: float = setting(
        number(1, 600), "a shard's lease is free when it stood still for so long", default=15, unit="s"
    )
    stream_idle_s: float = setting(
        number(0.05, 10), "the longest pause between reads of an idle shard", default=1, unit="s"
    )
    view_writes: Literal["batch", "single"] = setting(
        choice("batch", "single"), "views are written by PartiQL batches, or a document a call", default="batch"
    )
    clock_skew_margin_s: float = setting(
        number(0, 3_600), "how far writers' clocks may be apart, for back-filling", default=300, unit="s"
    )

    reconcile_views_share: float = setting(
        number(0, 1),
        "the share of orders, another one each day, whose views are held to the log",
        default=0.05,
        business=True,
    )
    reconcile_invoices: bool = setting(
        switch, "whether all invoices are verified each day (reads the whole log)", default=True, business=True
    )
    untracked_sku: Literal["refuse", "accept"] = setting(
        choice("refuse", "accept"),
        "an SKU without a stock record: out of stock, or not a stocked good",
        default="refuse",
        business=True,
    )
    stock_locations: str = setting(
        stock_places,
        "where goods lie, the first to be asked first, each with the countries that it is near to: main=GB+IE,berlin=DE+AT,overflow",
        default="main",
        business=True,
    )
    stock_allocation: Literal["fewest_parcels", "nearest_first"] = setting(
        choice("fewest_parcels", "nearest_first"),
        "which location an order's goods are taken from",
        default="fewest_parcels",
        business=True,
    )
    fiscal_retention_years: int = setting(
        count(1, 100),
        "how long after its year the buyer of an invoice stays readable",
        default=10,
        unit="years",
        business=True,
    )
    audit_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = setting(
        choice("GOVERNANCE", "COMPLIANCE"), "how signed roots and certificates are locked in S3", default="COMPLIANCE"
    )
    audit_retention_days: int = setting(
        count(1, 36_500), "how long signed roots and certificates are locked in S3", default=3650, unit="days"
    )

    def table(self, name: str) -> str:
        """The full name of a table of the data plane."""
        return f"{self.resource_prefix}-{name}"

    def queue(self, name: str) -> str:
        """The full name of a queue of the data plane."""
        return f"{self.resource_prefix}-{name}"

    def concurrency(self, queue: str) -> int:
        """How many messages of a queue may be at work at once."""
        return int(getattr(self, f"{queue.replace('-', '_')}_concurrency"))


def ecs_agent_uri(environment: Mapping[str, str] | None = None) -> str | None:
    """Where the ECS agent answers, which ECS itself puts into the environment; None outside of ECS."""
    return (os.environ if environment is None else environment).get("ECS_AGENT_URI") or None


def is_configured() -> bool:
    """Whether the process's environment describes a deployment; where spans are sent, and how the business is run, says nothing of that."""
    return bool(other_variables())


def business_variables() -> Mapping[str, str]:
    """What is set of the business's own settings, which hold wherever the service runs."""
    return {name: text for name, text in os.environ.items() if name in BUSINESS}


def other_variables() -> Mapping[str, str]:
    """What is set of all others, but for tracing."""
    return {
        name: text
        for name, text in os.environ.items()
        if name.startswith(PREFIX) and not name.startswith(TRACING_PREFIX) and name not in BUSINESS
    }


def tracing_variables() -> Mapping[str, str]:
    """Where spans are sent, for who brings the rest of the settings along."""
    return {name: value for name, value in os.environ.items() if name.startswith(TRACING_PREFIX)}


def from_environment(
    environment: Mapping[str, str] | None = None, *, overrides: Mapping[str, str] | None = None
) -> Settings:
    """Read and validate. Raises SettingsError with every problem. Unknown ORDERSTORE_ variables are problems too: a typing
    error must not become a silent default."""
    given = {**(os.environ if environment is None else environment), **(overrides or {})}
    problems = [
        f"{name}: unknown (see `orderstore settings`)"
        for name in sorted(given)
        if name.startswith(PREFIX) and name not in {variable(known) for known in fields(Settings)}
    ]
    values: dict[str, Any] = {}
    for known in fields(Settings):
        text = given.get(variable(known))
        if text is None:
            if known.default is MISSING:
                problems.append(f"{variable(known)}: missing ({known.metadata['meaning']})")
            continue
        try:
            values[known.name] = known.metadata["parse"](text)
        except ValueError as error:
            shown = "" if known.metadata["secret"] else f" (it is {text!r})"
            problems.append(f"{variable(known)}: {error}{shown}")
    if problems:
        raise SettingsError(problems)
    settings = Settings(**values)
    problems = contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def variable(known: Field[Any]) -> str:
    """The environment variable of a field."""
    return PREFIX + known.name.upper()


FIELDS: Final[Mapping[str, Field[Any]]] = {variable(known): known for known in fields(Settings)}
BUSINESS: Final = frozenset(name for name, known in FIELDS.items() if known.metadata["business"])
"""How the business is run, as against where: no endpoint, no credential, no name of a resource, no number of the machine."""


def stand_ins() -> Mapping[str, str]:
    """Something for each setting that has no default, so that all others can be looked at before anything is there."""
    needed = [name for name, known in FIELDS.items() if known.default is MISSING]
    return {name: "sandbox" if name == f"{PREFIX}PROVIDERS" else "to-be-made" for name in needed}
