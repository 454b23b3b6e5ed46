"""The settings of the intake: where order requests come in other than through the API. Part of `Settings`."""

from dataclasses import dataclass

from workers.variables import count, setting, text


# Without slots: of several bases of one class, only one can have them.
@dataclass(frozen=True, kw_only=True)
class IntakeSettings:
    """One environment variable a field, as in `Settings`."""

    intake_bucket: str | None = setting(
        text, "the S3 bucket of files of order requests; the role intake and its commands need it", default=None
    )
    intake_bus_name: str | None = setting(
        text, "the EventBridge bus of order requests and of the reports about them; else <prefix>-intake", default=None
    )
    intake_concurrency: int = setting(
        count(1, 1_000), "messages at work at once; of a file's range, four lines each", default=20
    )
