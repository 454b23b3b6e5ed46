"""Which addresses operators' chat is written to: the vendors' own incoming webhooks, over https, and nothing else."""

from typing import Final
from urllib.parse import urlsplit

# api.slack.com/messaging/webhooks; Slack for US government has its own host.
SLACK_HOSTS: Final = ("hooks.slack.com", "hooks.slack-gov.com")
# Workflows of Teams (Power Automate). The older connectors (webhook.office.com) are switched off by Microsoft.
TEAMS_HOSTS: Final = (".logic.azure.com", ".api.powerplatform.com")


def check_slack_url(value: str) -> str:
    """Accept an incoming webhook's address. Raises ValueError, which quotes nothing of it."""
    return _vendors(value, SLACK_HOSTS)


def check_teams_url(value: str) -> str:
    """Accept a workflow's address. Raises ValueError, which quotes nothing of it."""
    return _vendors(value, TEAMS_HOSTS)


def _vendors(value: str, hosts: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:
        raise ValueError("is no address") from None
    if parts.scheme != "https":
        raise ValueError("must begin with https://")
    if parts.username is not None or parts.password is not None or port not in (None, 443):
        raise ValueError("must name no user and no port but 443")
    host = (parts.hostname or "").rstrip(".")
    if not any(host == known or (known.startswith(".") and host.endswith(known)) for known in hosts):
        raise ValueError(f"its host must be of the vendor: {', '.join(hosts)}")
    return value.strip()
