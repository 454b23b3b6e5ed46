"""A plan, as it is printed and given out as JSON."""

from dataclasses import dataclass

from workers.planning.demand import Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """One table. Units are a second's; `provisioned` ones are what the peak needs at the target utilisation. Indexes are included."""

    table: str
    writes: float
    reads: float
    peak_writes: float
    peak_reads: float
    provisioned_writes: int
    provisioned_reads: int
    on_demand_dollars: float
    provisioned_dollars: float
    grows_gb: float
    """A month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """The log's stream. `dollars` for the readers' calls."""

    shards: int
    commits: float
    """Records in the highest second."""
    calls: float
    """GetRecords a second, of both subscriptions."""
    dollars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HotItem:
    """Something that no number of partitions spreads: what it is asked in the highest second, and what one of it takes."""

    name: str
    asked: float
    one_takes: float
    unit: str
    needed: int
    have: int
    what_to_do: str

    @property
    def fits(self) -> bool:
        """Whether there are enough of it."""
        return self.needed <= self.have


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePlan:
    """The tasks of one role, of half a vCPU and 1 GB each."""

    role: str
    processor_ms: float
    """For one order."""
    tasks: int
    """On average."""
    tasks_at_peak: int
    dollars: float
    """Of those on average: they are scaled with the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRaise:
    """A quota of AWS that this rate is past, or must have been granted."""

    name: str
    where: str
    default: float
    needed: float
    unit: str
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A line of the bill: `a_second` (None for what is kept, not done) and `a_month` in units, `dollars` with what is free taken off."""

    name: str
    unit: str
    a_second: float | None
    a_month: float
    dollars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything."""

    demand: Demand
    counted_on: str
    prices_of: str
    tables: tuple[TablePlan, ...]
    stream: StreamPlan
    hot: tuple[HotItem, ...]
    roles: tuple[RolePlan, ...]
    charges: tuple[Charge, ...]
    quotas: tuple[ToRaise, ...]
    dollars_a_month: float
    dollars_provisioned: float
    """The same with the tables' capacity provisioned for the peak."""
    dollars_per_million: float
    """Of a million orders: what they cause, without what stands whether they come or not, and nothing free."""
    mail_dollars_per_million: float
    """Of these, for mails."""
    grows_dollars: float
    """How much more each month costs than the one before, since what is stored stays."""
    assumptions: tuple[str, ...]
