"""The settings of the webhooks: how much at once, and where they may go. Part of `Settings`."""

from dataclasses import dataclass

from workers.variables import count, ports, setting, switch


# Without slots: of several bases of one class, only one can have them.
@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """One environment variable a field, as in `Settings`."""

    webhooks_concurrency: int = setting(
        count(1, 1_000), "messages at work at once; each endpoint has a bound of its own besides", default=200
    )
    webhooks_ports: str = setting(
        ports, "the ports that webhooks may be sent to, with commas between them", default="443"
    )
    webhooks_insecure: bool = setting(
        switch, "for development only: webhooks also over http, to any port and to private addresses", default=False
    )
