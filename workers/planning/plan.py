"""The plan: what a demand asks, table by table and service by service, out of the counts and the prices alone. Pure."""

import math
from typing import Final

from workers.planning import quotas, standing
from workers.planning.counted import Counted, Order, Use, counted
from workers.planning.demand import HOURS_A_MONTH, SECONDS_A_MONTH, TOGETHER_RATE, Demand
from workers.planning.hot import hot_items
from workers.planning.prices import Prices, prices
from workers.planning.shapes import Charge, Plan, RolePlan, StreamPlan, TablePlan, ToRaise

GB: Final = 1024**3
MILLION: Final = 1_000_000
LOG: Final = "events"
KEPT: Final = frozenset(
    {"dynamodb_storage", "dynamodb_recovery", "s3_storage", "kms_key", "alarms", "fargate_vcpu", "fargate_gb"}
)


def plan_for(demand: Demand, *, counts: Counted | None = None, table: Prices | None = None) -> Plan:
    """The plan of a demand. Raises CountedError, PricesError."""
    counts = counts or counted()
    table = table or prices()
    order = demand.order(counts)
    tables = tuple(_table(name, use, demand, table) for name, use in order.tables.items())
    roles = _roles(demand, counts, table)
    stream = _stream(demand, order, table)
    charges = _charges(demand, order, counts, table, roles=roles, stream=stream)
    total = sum(charge.dollars for charge in charges)
    on_demand = sum(one.on_demand_dollars for one in tables)
    grown_gb = sum(one.grows_gb for one in tables)
    archived_gb = order.requests.s3_bytes * demand.orders_a_month / GB
    grows = grown_gb * (table["dynamodb_storage"].dollars + table["dynamodb_recovery"].dollars)
    grows += archived_gb * table["s3_storage"].dollars
    return Plan(
        demand=demand,
        counted_on=counts.on,
        prices_of=f"{table.region}, collected {table.collected}",
        tables=tables,
        stream=stream,
        hot=hot_items(demand, order),
        roles=roles,
        charges=charges,
        quotas=_quotas(demand, order, tables),
        dollars_a_month=total,
        dollars_provisioned=total - on_demand + sum(one.provisioned_dollars for one in tables),
        dollars_per_million=dollars_of(order, table) * MILLION,
        mail_dollars_per_million=table["mail"].of(order.requests.mails) * MILLION,
        grows_dollars=grows,
        assumptions=_assumptions(demand, order, counts),
    )


def dollars_of(order: Order, table: Prices) -> float:
    """What one order causes by itself, nothing of it free, without what it leaves stored and without anybody's processor."""
    uses, asked = order.tables.values(), order.requests
    return sum(
        (
            table["dynamodb_write"].of(sum(use.write + use.index for use in uses)),
            table["dynamodb_read"].of(sum(use.read for use in uses)),
            table["sqs"].of(asked.sqs),
            table["sns"].of(asked.sns),
            table["s3_put"].of(asked.s3_put),
            table["s3_get"].of(asked.s3_get),
            table["kms"].of(asked.kms),
            table["mail"].of(asked.mails),
            table["logs"].of(asked.log_bytes / GB),
        )
    )


def _table(name: str, use: Use, demand: Demand, table: Prices) -> TablePlan:
    writes, reads = use.write + use.index, use.read
    wcu, rcu = (max(1, math.ceil(demand.peak * units / standing.TABLE_UTILISATION)) for units in (writes, reads))
    month = demand.orders_a_month
    return TablePlan(
        table=name,
        writes=demand.orders_per_second * writes,
        reads=demand.orders_per_second * reads,
        peak_writes=demand.peak * writes,
        peak_reads=demand.peak * reads,
        provisioned_writes=wcu,
        provisioned_reads=rcu,
        on_demand_dollars=table["dynamodb_write"].of(month * writes) + table["dynamodb_read"].of(month * reads),
        provisioned_dollars=table["dynamodb_wcu"].of(wcu * HOURS_A_MONTH)
        + table["dynamodb_rcu"].of(rcu * HOURS_A_MONTH),
        grows_gb=use.stored * month / GB,
    )


def _stream(demand: Demand, order: Order, table: Prices) -> StreamPlan:
    """A shard of the stream for each partition of the table: by its writes, and by the reads of the same partitions."""
    log = order.tables[LOG]
    by_writes = demand.peak * log.write / quotas.PARTITION_WRITES.value
    by_reads = demand.peak * log.read / quotas.PARTITION_READS.value
    shards = max(1, math.ceil(by_writes + by_reads))
    idle, busy = standing.READS_OF_A_SHARD
    each = busy if demand.orders_per_second * order.commits / shards >= busy else idle
    calls = shards * standing.SUBSCRIPTIONS * each
    return StreamPlan(
        shards=shards,
        commits=demand.peak * order.commits,
        calls=calls,
        dollars=table["dynamodb_streams"].a_month(calls * SECONDS_A_MONTH),
    )


def _roles(demand: Demand, counts: Counted, table: Prices) -> tuple[RolePlan, ...]:
    an_hour = table["fargate_vcpu"].of(standing.TASK_VCPU) + table["fargate_gb"].of(standing.TASK_GB)
    found = []
    for role, least in standing.TASKS.items():
        # Not every role is set to work by orders: the sweeper hardly is, and was not measured.
        of_a_rate = counts.processor_ms.get(role, 0.0) / 1000 / (standing.TASK_VCPU * standing.TASK_UTILISATION)
        tasks = max(least, math.ceil(demand.orders_per_second * of_a_rate))
        found.append(
            RolePlan(
                role=role,
                processor_ms=counts.processor_ms.get(role, 0.0),
                tasks=tasks,
                tasks_at_peak=max(least, math.ceil(demand.peak * of_a_rate)),
                dollars=tasks * an_hour * HOURS_A_MONTH,
            )
        )
    return tuple(found)


def _charges(
    demand: Demand,
    order: Order,
    counts: Counted,
    table: Prices,
    *,
    roles: tuple[RolePlan, ...],
    stream: StreamPlan,
) -> tuple[Charge, ...]:
    month, asked = demand.orders_a_month, order.requests
    idle = {
        name: sum(getattr(counts.standing[one.role], name) * one.tasks for one in roles) * HOURS_A_MONTH
        for name in ("write", "read", "sqs")
    }
    tasks = sum(one.tasks for one in roles)
    hours = tasks * HOURS_A_MONTH
    quantities = {
        "dynamodb_write": month * sum(use.write + use.index for use in order.tables.values()) + idle["write"],
        "dynamodb_read": month * sum(use.read for use in order.tables.values()) + idle["read"],
        "dynamodb_streams": stream.calls * SECONDS_A_MONTH,
        # What has come in by the middle of the first month; it grows from there.
        "dynamodb_storage": sum(use.stored for use in order.tables.values()) * month / GB / 2,
        "dynamodb_recovery": sum(use.stored for use in order.tables.values()) * month / GB / 2,
        "sqs": month * asked.sqs + idle["sqs"],
        "sns": month * asked.sns,
        "s3_put": month * asked.s3_put,
        "s3_get": month * asked.s3_get,
        "s3_storage": month * asked.s3_bytes / GB / 2,
        "kms": month * asked.kms + standing.queue_key_requests(SECONDS_A_MONTH),
        "kms_key": standing.KEYS,
        "mail": month * asked.mails,
        "logs": month * asked.log_bytes / GB,
        "alarms": standing.ALARMS,
        "fargate_vcpu": hours * standing.TASK_VCPU,
        "fargate_gb": hours * standing.TASK_GB,
    }
    return tuple(
        Charge(
            name=name,
            unit=table[name].unit,
            a_second=None if name in KEPT else quantity / SECONDS_A_MONTH,
            a_month=quantity,
            dollars=table[name].a_month(quantity),
        )
        for name, quantity in quantities.items()
    )


def _quotas(demand: Demand, order: Order, tables: tuple[TablePlan, ...]) -> tuple[ToRaise, ...]:
    asked = [
        *((quotas.TABLE_WRITES, one.table, one.peak_writes) for one in tables),
        *((quotas.TABLE_READS, one.table, one.peak_reads) for one in tables),
        (
            quotas.NEW_TABLE_WRITES,
            "each table past it: warm throughput, or a ramp",
            max(one.peak_writes for one in tables),
        ),
        (quotas.SNS_PUBLISHES, "order-events", demand.peak * order.requests.published),
        (quotas.ACCOUNT_WRITES, "if provisioned", sum(one.provisioned_writes for one in tables)),
        (quotas.ACCOUNT_READS, "if provisioned", sum(one.provisioned_reads for one in tables)),
        (quotas.SQS_FIFO, "each FIFO queue, if FifoTopic: high throughput", demand.peak * order.requests.published),
    ]
    return tuple(
        ToRaise(name=quota.name, where=where, default=quota.value, needed=needed, unit=quota.unit, page=quota.page)
        for quota, where, needed in asked
        if needed > quota.value
    )


def _assumptions(demand: Demand, order: Order, counts: Counted) -> tuple[str, ...]:
    company = (
        f"from {TOGETHER_RATE:g} orders a second on, orders share batches as a hundred did that were counted at once"
        if demand.together
        else f"below {TOGETHER_RATE:g} orders a second each order goes alone: an upper bound"
    )
    asked = order.requests
    granted = (
        f"{demand.peak * asked.mails:,.1f} mails/s through SES and {demand.peak * asked.kms:,.1f} requests/s to KMS"
    )
    return (
        f"One completed order, with mails and the inbox, counted on {counts.on} by `{counts.command}`; {company}.",
        f"{demand.new_customers:.0%} of the orders are of customers whose key no process has at hand (--new-customers).",
        "Providers, endpoints of webhooks and SMS are not in it.",
        f"Tasks of {standing.TASK_VCPU:g} vCPU are at most {standing.TASK_UTILISATION:.0%} busy.",
        f"Processor time: {counts.processor_note}.",
        f"A transaction takes {demand.transaction_ms:g} ms (--transaction-ms): the numbers of one invoice series follow one another.",
        f"What each account is granted for itself is not among the quotas: at the peak {granted}.",
        "Provisioned capacity stands at the peak all month; scaling follows the load and costs less.",
    )
