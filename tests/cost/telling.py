"""The counts and prices as the tables of docs/cost.md: `python -m tests.cost --markdown`. A test holds the page to it."""

import json
from pathlib import Path
from typing import Any, Final

from workers.planning import counted as planned
from workers.planning.plan import GB, MILLION, dollars_of
from workers.planning.prices import prices

PAGE: Final = Path(__file__).parents[2] / "docs" / "cost.md"
NAMES: Final = {
    "happy": "completed, 2 lines, alone",
    "in company": "the same, 100 placed at once, each customer's first",
    "new customer": "the same, alone, the customer's first",
    "declined": "declined by the payment provider",
    "cancelled": "cancelled when paid for and reserved",
    "1 line": "completed, 1 line",
    "10 lines": "completed, 10 lines",
    "30 lines": "completed, 30 lines",
    "79 lines": "completed, 79 lines",
    "200 lines": "completed, 200 lines",
}


def markdown() -> str:
    """Both tables."""
    document = json.loads(planned.TABLE.read_text(encoding="utf-8"))
    orders = {**document["orders"], **document["others"]}
    lines = [
        "| one order | commits | writes | of indexes | reads | SQS | SNS | S3 puts | KMS | a million of them | mails | log lines |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(_row(NAMES[name], orders[name]) for name in NAMES),
        "",
        "| price | dollars | for | as of | AWS's page | read in |",
        "|---|---|---|---|---|---|",
    ]
    for price in prices().values():
        tiers = "".join(f"; {dollars:g} from {start:,.0f}" for start, dollars in price.tiers[1:])
        free = f"; {price.free:,.0f} free a month" if price.free else ""
        lines.append(
            f"| {price.name.replace('_', ' ')} | {price.dollars:g}{tiers} | {price.per:,} {price.unit}{free} | {price.as_of} "
            f"| [{price.page.split('/')[3]}]({price.page}) | {price.read_in} |"
        )
    return "\n".join(lines)


def _row(name: str, entry: dict[str, Any]) -> str:
    order = planned.order_from(entry)
    uses, asked = order.tables.values(), order.requests
    table = prices()
    mails = table["mail"].of(asked.mails) * MILLION
    logs = table["logs"].of(asked.log_bytes / GB) * MILLION
    rest = dollars_of(order, table) * MILLION - mails - logs
    cells = (
        name,
        f"{order.commits}",
        f"{sum(use.write for use in uses):.3g}",
        f"{sum(use.index for use in uses):.3g}",
        f"{sum(use.read for use in uses):.3g}",
        f"{asked.sqs:.3g}",
        f"{asked.sns:.3g}",
        f"{asked.s3_put:.3g}",
        f"{asked.kms:.3g}",
        f"**${rest:,.2f}**",
        f"${mails:,.0f}",
        f"${logs:,.2f}",
    )
    return f"| {' | '.join(cells)} |"
