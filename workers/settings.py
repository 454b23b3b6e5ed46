"""Settings: the only reader of the environment. Every variable has a meaning, a default (or none) and a unit, and they are
validated against each other before anything starts.

    SettingsError   names every variable that is missing or wrong, all at once
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Final, Literal, get_args

from orderstore.domain.allowances import DEFAULTS, LONGEST_S, SHORTEST_S
from orderstore.domain.events import Allowances

PREFIX: Final = "ORDERSTORE_"
Role = Literal["api", "projector", "relay", "payment", "inventory", "shipping", "billing", "notification", "archive"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


class SettingsError(Exception):
    """The environment does not describe a service that can run."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _setting(
    parse: Callable[[str], Any],
    meaning: str,
    *,
    default: Any = MISSING,  # noqa: ANN401 - as dataclasses.field
    unit: str = "",
    secret: bool = False,
) -> Any:  # noqa: ANN401 - as dataclasses.field
    """A field that knows its variable; a secret one never shows in a representation, and so in no log or trace."""
    metadata = {"parse": parse, "meaning": meaning, "unit": unit}
    if default is MISSING:
        return field(metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        number = float(value)
        if not low <= number <= high:
            raise ValueError(f"must be between {low:g} and {high:g}")
        return number

    return parse


def _count(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"must be between {low} and {high}")
        return number

    return parse


def _switch(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return value == "true"


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return parse


_allowance: Final = _count(SHORTEST_S, LONGEST_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the service is told from outside; one environment variable a field, `ORDERSTORE_` + the name in capitals."""

    resource_prefix: str = _setting(
        _text, "how the names of tables, queues and alarms begin (ResourcePrefix of the template)"
    )
    topic_arn: str = _setting(_text, "the SNS topic of the order events (output of the template)")
    topic_fifo: bool = _setting(
        _switch, "whether that topic is a FIFO one (FifoTopic of the template): group = order", default=False
    )
    blobs_bucket: str = _setting(_text, "the S3 bucket of commits that are too large for the table")
    kms_key_id: str = _setting(_text, "the KMS key that wraps the customers' keys")
    audit_bucket: str = _setting(_text, "the S3 bucket, under Object Lock, of signed roots and certificates")
    signing_key_id: str = _setting(_text, "the KMS key (ECC_NIST_P256) that signs roots and certificates")
    providers: str = _setting(
        _choice("sandbox", "live"), "who stands behind payment and shipping: sandbox, or live (not built yet)"
    )
    tenant: str = _setting(_text, "whose orders these are; the first part of every stream's name", default="main")

    aws_region: str = _setting(_text, "the AWS region", default="eu-west-1")
    aws_endpoint_url: str | None = _setting(
        _text, "another endpoint than AWS, such as the embedded environment", default=None
    )
    aws_access_key_id: str | None = _setting(
        _text, "credentials; without them the SDK's own chain (the task role)", default=None
    )
    aws_secret_access_key: str | None = _setting(_text, "the secret half of the credentials", default=None, secret=True)

    api_host: str = _setting(_text, "the address that the API listens on", default="127.0.0.1")
    api_port: int = _setting(_count(0, 65_535), "the port that the API listens on; 0 takes a free one", default=8080)
    api_tokens: str | None = _setting(
        _text, "JSON list of {name, sha256, scopes}; the api role refuses to start without it", default=None
    )
    read_wait_s: float = _setting(_number(0, 10), "how long a read waits for a named commit", default=1, unit="s")
    metrics_host: str = _setting(_text, "the address of /metrics in roles without the API", default="127.0.0.1")
    metrics_port: int = _setting(
        _count(0, 65_535), "the port of /metrics in roles without the API; 0 takes a free one", default=9090
    )
    log_level: str = _setting(
        _choice("debug", "info", "warning", "error"), "the least severe log that is written", default="info"
    )

    queue_wait_s: int = _setting(_count(0, 20), "long polling (E081)", default=20, unit="s")
    visibility_timeout_s: int = _setting(
        _count(6, 43_200), "how long a received message is hidden (E076)", default=120, unit="s"
    )
    handler_deadline_s: float = _setting(
        _number(1, 7_200), "how long one message may take (E077)", default=15, unit="s"
    )
    max_receive_count: int = _setting(
        _count(1, 1_000), "receives before a message goes to the dead letters (E061)", default=3
    )
    retry_base_s: float = _setting(
        _number(0.05, 900), "the first back-off of a retried message, before jitter", default=2, unit="s"
    )
    retry_max_s: float = _setting(
        _number(0.05, 43_200), "the longest back-off of a retried message", default=300, unit="s"
    )
    payment_concurrency: int = _setting(_count(1, 1_000), "messages at work at once (E106)", default=100)
    inventory_concurrency: int = _setting(_count(1, 1_000), "messages at work at once (E106)", default=40)
    shipping_concurrency: int = _setting(_count(1, 1_000), "messages at work at once", default=40)
    billing_concurrency: int = _setting(_count(1, 1_000), "messages at work at once", default=10)
    notification_concurrency: int = _setting(_count(1, 1_000), "messages at work at once (E106)", default=500)
    archive_concurrency: int = _setting(_count(1, 1_000), "messages that wait for a segment at once", default=500)
    archive_linger_s: float = _setting(
        _number(0.01, 60), "how long a segment of the archive is filled before it is written", default=2, unit="s"
    )
    drain_budget_s: float = _setting(
        _number(1, 110), "how long a stopping role may finish its work", default=90, unit="s"
    )
    stop_timeout_s: float = _setting(
        _number(2, 120), "when ECS kills what has not stopped (its stopTimeout)", default=120, unit="s"
    )

    lease_duration_s: float = _setting(
        _number(1, 600), "a shard's lease is free when it stood still for so long", default=15, unit="s"
    )
    stream_idle_s: float = _setting(
        _number(0.05, 10), "the longest pause between reads of an idle shard", default=1, unit="s"
    )
    view_writes: Literal["batch", "single"] = _setting(
        _choice("batch", "single"), "views are written by PartiQL batches, or a document a call", default="batch"
    )
    clock_skew_margin_s: float = _setting(
        _number(0, 3_600), "how far writers' clocks may be apart, for back-filling", default=300, unit="s"
    )

    payment_capture: Literal["on_dispatch", "at_once"] = _setting(
        _choice("on_dispatch", "at_once"), "when authorised money is taken", default="on_dispatch"
    )
    untracked_sku: Literal["refuse", "accept"] = _setting(
        _choice("refuse", "accept"),
        "an SKU without a stock record: out of stock, or not a stocked good",
        default="refuse",
    )
    allowed_outcomes_s: int = _setting(
        _allowance,
        "how long payment and stock may take to answer before an order counts as stalled",
        default=DEFAULTS.outcomes_s,
        unit="s",
    )
    allowed_dispatch_s: int = _setting(
        _allowance,
        "how long a confirmed order may wait for its dispatch; holds do not count",
        default=DEFAULTS.dispatch_s,
        unit="s",
    )
    allowed_delivery_s: int = _setting(
        _allowance, "how long a parcel may be on its way", default=DEFAULTS.delivery_s, unit="s"
    )
    allowed_undo_s: int = _setting(
        _allowance, "how long a cancellation may take until everything is given back", default=DEFAULTS.undo_s, unit="s"
    )
    allowed_refund_s: int = _setting(
        _allowance, "how long a refund may take once it was asked for", default=DEFAULTS.refund_s, unit="s"
    )
    invoice_series: str = _setting(_text, "how the names of invoice series begin (the year follows)", default="INV")
    fiscal_retention_years: int = _setting(
        _count(1, 100), "how long after its year the buyer of an invoice stays readable", default=10, unit="years"
    )
    audit_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = _setting(
        _choice("GOVERNANCE", "COMPLIANCE"), "how signed roots and certificates are locked in S3", default="COMPLIANCE"
    )
    audit_retention_days: int = _setting(
        _count(1, 36_500), "how long signed roots and certificates are locked in S3", default=3650, unit="days"
    )
    mail_sender: str = _setting(
        _text, "the address that customers' mail comes from", default="orders@orderstore.example"
    )

    @property
    def allowances(self) -> Allowances:
        """How long each stage of an order that is placed now may take."""
        return Allowances(
            outcomes_s=self.allowed_outcomes_s,
            dispatch_s=self.allowed_dispatch_s,
            delivery_s=self.allowed_delivery_s,
            undo_s=self.allowed_undo_s,
            refund_s=self.allowed_refund_s,
        )

    def table(self, name: str) -> str:
        """The full name of a table of the data plane."""
        return f"{self.resource_prefix}-{name}"

    def queue(self, name: str) -> str:
        """The full name of a queue of the data plane."""
        return f"{self.resource_prefix}-{name}"

    def concurrency(self, queue: str) -> int:
        """How many messages of a queue may be at work at once."""
        return int(getattr(self, f"{queue}_concurrency"))


def is_configured() -> bool:
    """Whether the process's environment speaks of this service at all."""
    return any(name.startswith(PREFIX) for name in os.environ)


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
            problems.append(f"{variable(known)}: {error} (it is {text!r})")
    if problems:
        raise SettingsError(problems)
    settings = Settings(**values)
    problems = _contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def variable(known: Field[Any]) -> str:
    """The environment variable of a field."""
    return PREFIX + known.name.upper()


def _contradictions(settings: Settings) -> list[str]:
    found = []
    if settings.visibility_timeout_s < 6 * settings.handler_deadline_s:
        found.append("ORDERSTORE_VISIBILITY_TIMEOUT_S: must be at least 6 x ORDERSTORE_HANDLER_DEADLINE_S (E078)")
    if settings.drain_budget_s >= settings.stop_timeout_s:
        found.append("ORDERSTORE_DRAIN_BUDGET_S: must be below ORDERSTORE_STOP_TIMEOUT_S, or ECS kills the drain")
    if settings.retry_base_s > settings.retry_max_s:
        found.append("ORDERSTORE_RETRY_BASE_S: must not be above ORDERSTORE_RETRY_MAX_S")
    if settings.archive_linger_s * 2 > settings.handler_deadline_s:
        found.append("ORDERSTORE_ARCHIVE_LINGER_S: must be at most half of ORDERSTORE_HANDLER_DEADLINE_S")
    if settings.topic_fifo != settings.topic_arn.endswith(".fifo"):
        found.append("ORDERSTORE_TOPIC_FIFO: must be true for a topic whose name ends with .fifo, and for no other")
    if (settings.aws_access_key_id is None) != (settings.aws_secret_access_key is None):
        found.append("ORDERSTORE_AWS_ACCESS_KEY_ID and ORDERSTORE_AWS_SECRET_ACCESS_KEY: give both or neither")
    if settings.providers == "live":
        found.append("ORDERSTORE_PROVIDERS: live payment and shipping providers are not built yet; use sandbox")
    return found
