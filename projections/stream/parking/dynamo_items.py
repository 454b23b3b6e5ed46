"""A parked key as an item of the table with the string keys `subscription` and `key`; what is not there is left out. Pure.

Released rows stand under `<subscription>#released`, with the episode behind the key: no subscription's name has a #. What was passed stands
beside the parked rows, so that whoever reads those reads both with one query, with `#passed` behind the key: no order's has a #.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from projections.stream.parking import Cause, Decision, Keys, Parked, RowUnreadable, Standing, State, position_of

Item = Mapping[str, Any]
STATES: Final[Mapping[str, State]] = {state: state for state in ("parked", "skipped", "released", "passed")}
_OPTIONAL: Final = ("first", "last", "failed")


def to_item(row: Parked) -> dict[str, Any]:
    """The row as an item."""
    item: dict[str, Any] = {
        **key_of(row.subscription, row.key),
        "episode": {"S": row.episode},
        "state": {"S": row.state},
        "error": {"S": row.cause.error},
        "message": {"S": row.cause.message},
        "attempts": {"N": str(row.attempts)},
        "parked_at_ms": {"N": str(row.parked_at_ms)},
        "held": {"N": str(row.held)},
        "version": {"N": str(row.version)},
    }
    for name in _OPTIONAL:
        keys: Keys | None = getattr(row, name)
        if keys is not None:
            item[name] = {"M": dict(keys)}
    if row.owed_since_ms is not None:
        item["owed_since_ms"] = {"N": str(row.owed_since_ms)}
    if row.decisions:
        item["decisions"] = {"L": [{"M": _decision_item(decision)} for decision in row.decisions]}
    if row.passed:
        item["passed"] = {"L": [{"N": str(number)} for number in row.passed]}
    return item


def to_parked(item: Item) -> Parked:
    """The item as a row, whichever of the two places it lies in. Raises RowUnreadable."""
    with reading(item):
        return _parked(item)


def standing_of(item: Item) -> tuple[str, Standing]:
    """The key of a row and how it stands, of an item of which only that was read. Raises RowUnreadable."""
    with reading(item):
        return _text(item["key"]), Standing(STATES[item["state"]["S"]], int(item["parked_at_ms"]["N"]))


@contextmanager
def reading(item: Item) -> Iterator[None]:
    """Whatever an item lacks is told as RowUnreadable."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        named = ", ".join(sorted(item))
        raise RowUnreadable(f"a parked row cannot be read: {type(error).__name__}; it has {named}") from error


def _parked(item: Item) -> Parked:
    owed = item.get("owed_since_ms")
    return Parked(
        subscription=_text(item["subscription"]).removesuffix(_RELEASED),
        key=_text(item["of"] if "of" in item else item["key"]),
        episode=_text(item["episode"]),
        first=_keys(item, "first"),
        last=_keys(item, "last"),
        cause=Cause(_text(item["error"]), _text(item["message"])),
        attempts=int(item["attempts"]["N"]),
        parked_at_ms=int(item["parked_at_ms"]["N"]),
        held=int(item["held"]["N"]),
        failed=_keys(item, "failed"),
        state=STATES[item["state"]["S"]],
        owed_since_ms=None if owed is None else int(owed["N"]),
        version=int(item["version"]["N"]),
        decisions=tuple(_decision(one["M"]) for one in item.get("decisions", {"L": ()})["L"]),
        passed=tuple(int(one["N"]) for one in item.get("passed", {"L": ()})["L"]),
    )


def to_released(row: Parked) -> dict[str, Any]:
    """The row as it is kept when its key goes on."""
    place = released_key(row)
    return {**to_item(row), **place, "of": {"S": row.key}, "state": {"S": "released"}}


def to_passed(row: Parked) -> dict[str, Any]:
    """The row with the state "passed", in its place."""
    return {**to_item(row), **passed_key(row), "of": {"S": row.key}}


def passed_key(row: Parked) -> dict[str, Any]:
    """Where what was passed of this row's key lies."""
    return key_of(row.subscription, f"{row.key}#passed")


def key_of(subscription: str, key: str) -> dict[str, Any]:
    """Where the row of a parked key lies."""
    return {"subscription": {"S": subscription}, "key": {"S": key}}


def released_key(row: Parked) -> dict[str, Any]:
    """Where the row lies once its key goes on: behind the key's earlier ones."""
    name = f"{released_prefix(row.key)}{row.parked_at_ms:015d}#{row.episode}"
    return key_of(released_in(row.subscription), name)


def released_in(subscription: str) -> str:
    """The partition of a subscription's released rows."""
    return subscription + _RELEASED


def released_prefix(key: str) -> str:
    """How the sort keys of a key's released rows begin."""
    return f"{key}#"


_RELEASED: Final = "#released"


def _keys(item: Item, name: str) -> Keys | None:
    found = item.get(name)
    if found is None:
        return None
    keys = dict(found["M"])
    position_of(keys)  # what is read must be able to say where it stands
    return keys


def _text(attribute: Mapping[str, Any]) -> str:
    value = attribute["S"]
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _decision_item(decision: Decision) -> dict[str, Any]:
    return {
        "what": {"S": decision.what},
        "actor": {"S": decision.actor},
        "reason": {"S": decision.reason},
        "at_ms": {"N": str(decision.at_ms)},
    }


def _decision(item: Item) -> Decision:
    return Decision(
        what=_text(item["what"]),
        actor=_text(item["actor"]),
        reason=_text(item["reason"]),
        at_ms=int(item["at_ms"]["N"]),
    )
