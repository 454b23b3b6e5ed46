"""What history looks like: a golden file, complete and minimal, for every version that was ever stored, and each reads with this build."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from orderstore import codec
from orderstore.domain import events as e
from orderstore.registry import BY_CLASS, BY_NAME, EVENT_TYPES
from orderstore.schemas.documents import path_of
from orderstore.store.chain import seal
from tests.builders import NOON
from tests.ordering import cause
from tests.orderstore.golden_events import EARLIER, PRESENT

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
KINDS = ("complete", "minimal")
EXPECTED = PRESENT | EARLIER
WANTED = [
    f"{entry.name}-{version}-{kind}"
    for entry in EVENT_TYPES
    for version in (*entry.earlier, entry.version)
    for kind in KINDS
]


def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((GOLDEN / f"{name}.json").read_bytes())
    return found


def decoded(name: str, data: dict[str, Any]) -> e.Event:
    """The data as they would lie in the log under this type and version, read by this build."""
    event_type, version, _ = name.rsplit("-", 2)
    body = orjson.loads(
        codec.encode([e.OrderConfirmed()], cause=cause("golden"), first_version=1, occurred_at=NOON),
    )
    body["events"][0].update(eventType=event_type, eventVersion=version, data=data)
    stored = seal(stream="main/order-1", number=1, recorded_at_ms=1, body=orjson.dumps(body), previous=None)
    (recorded,) = codec.decode(stored)
    assert (recorded.name, recorded.event_version) == (event_type, version)
    return recorded.event


def schema(name: str) -> dict[str, Any]:
    event_type, version, _ = name.rsplit("-", 2)
    found: dict[str, Any] = json.loads((SCHEMAS / path_of("stored", event_type, version)).read_bytes())
    return found


def bare(value: Any, shape: dict[str, Any]) -> Any:
    """The value without anything that its schema does not require. Of a text that is plain or sealed, the one is needed."""
    if set(shape.get("properties", ())) == {"plain", "sealed"}:
        return value
    if isinstance(value, dict):
        return {
            name: bare(inner, shape["properties"][name]) for name, inner in value.items() if name in shape["required"]
        }
    if isinstance(value, list):
        return [bare(inner, shape["items"]) for inner in value]
    return value


def undeclared(value: Any, shape: dict[str, Any]) -> set[str]:
    """Top-level fields that a schema declares and the value does not have, or the other way round."""
    return set(value) ^ set(shape["properties"])


def test_every_version_has_its_two_files_and_no_file_is_left_over() -> None:
    """A new version is not finished without what it looks like; a file of a version that nobody knows is a mistake."""  # E045
    written = {path.stem for path in GOLDEN.iterdir()}

    assert sorted(set(WANTED) - written) == [], "write these golden files"
    assert sorted(written - set(WANTED)) == [], "the registry knows no such version"
    assert set(EXPECTED) == set(WANTED), "say in golden_events.py what each file reads as"


@pytest.mark.parametrize("name", WANTED)
def test_whatever_was_stored_reads_as_the_event_that_it_is_today(name: str) -> None:
    """Every version of every event, with all its fields and with as few as possible."""  # E045
    assert decoded(name, golden(name)) == EXPECTED[name]


@pytest.mark.parametrize("name", PRESENT)
def test_what_is_written_today_is_what_the_golden_file_says(name: str) -> None:
    """Byte for byte once it is JSON: a changed encoding would be a new version."""
    assert orjson.dumps(codec.data_of(PRESENT[name])) == orjson.dumps(golden(name))
    assert BY_CLASS[type(PRESENT[name])].version == name.rsplit("-", 2)[1]


@pytest.mark.parametrize("name", [name for name in WANTED if name.endswith("complete")])
def test_a_complete_file_has_every_field_that_its_schema_declares(name: str) -> None:
    """Otherwise a field would be without a witness."""
    assert undeclared(golden(name), schema(name)) == set()


@pytest.mark.parametrize("name", [name for name in WANTED if name.endswith("minimal")])
def test_a_minimal_file_has_nothing_to_spare_for_its_reader(name: str) -> None:
    """Also without what the writer adds though the schema asks for none of it, it is the same event."""
    data = bare(golden(name), schema(name))

    assert decoded(name, data) == EXPECTED[name]


@pytest.mark.parametrize("name", [name for name in PRESENT if name.endswith("minimal")])
def test_what_the_schema_requires_the_reader_requires(name: str) -> None:
    """Nothing that is promised to be there may be missed in silence."""
    data = bare(golden(name), schema(name))

    for field in data:
        with pytest.raises(codec.CodecError):
            decoded(name, {other: value for other, value in data.items() if other != field})


@pytest.mark.parametrize("entry", EVENT_TYPES, ids=lambda entry: entry.name)
def test_a_major_version_of_the_future_is_refused_by_name(entry) -> None:
    """Readers before writers: this build says what it does not know, and guesses nothing."""
    first, _, _ = entry.version.partition(".")
    name = f"{entry.name}-{int(first) + 1}.0-complete"

    with pytest.raises(codec.UnknownEvent, match=f"{entry.name} {int(first) + 1}.0"):
        decoded(name, golden(f"{entry.name}-{entry.version}-complete"))
    assert entry.name in BY_NAME
