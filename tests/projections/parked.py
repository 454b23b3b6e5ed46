"""Parked orders, as the relay leaves them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orderstore.domain.ids import stream_of
from projections.stream.parking import Cause, Parked
from tests.projections.histories import ORDER, TENANT

CAUSE = Cause("PublishRefused", "the topic refused it")


def keys_of(commit: int | None, stream: str) -> Mapping[str, Any] | None:
    return None if commit is None else {"stream": {"S": stream}, "commit": {"N": str(commit)}}


def row(order_id: str = ORDER, *, commit: int | None = 3, tenant: str = TENANT, **changes: Any) -> Parked:
    """A parked order, from this commit on."""
    stream = stream_of(tenant, order_id)
    first = keys_of(commit, stream)
    parked = Parked(
        subscription="relay",
        key=stream,
        episode="e1",
        first=first,
        last=first,
        cause=CAUSE,
        attempts=1,
        parked_at_ms=1_000,
        held=0,
    )
    return replace(parked, **changes)
