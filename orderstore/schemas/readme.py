"""The registry as a table for people, committed beside the schemas."""

from typing import Final

from orderstore.registry import EVENT_TYPES, EventType

_HEAD: Final = """# Events

Made by `orderstore schemas write` from `orderstore/registry.py` and the events' types; `orderstore schemas check` holds it to them.
How they change: [evolution.md](../evolution.md). What is on the topic, for whom: [asyncapi.json](../asyncapi.json).

`stored/` holds the data of each event as it lies in the log, and `Commit`, the body around them; `published/` holds the data as they are
published, and `Envelope`. `releases/` holds both as each release had them: nothing in there changes.

| event | owner | stored | still read | published | heard by | promise |
|---|---|---|---|---|---|---|
"""


def readme() -> str:
    """The whole page."""
    return _HEAD + "".join(_row(entry) for entry in EVENT_TYPES)


def _row(entry: EventType) -> str:
    stored = f"[{entry.version}](stored/{entry.name}-{entry.version}.json)"
    earlier = ", ".join(f"[{version}](stored/{entry.name}-{version}.json)" for version in entry.earlier)
    version = entry.published_version
    published = f"[{version}](published/{entry.name}-{version}.json)" if entry.published else ""
    name = f"{entry.name} (deprecated: {entry.deprecated})" if entry.deprecated else entry.name
    cells = (name, entry.owner, stored, earlier, published, ", ".join(entry.consumers), entry.compatibility)
    return "| " + " | ".join(cells) + " |\n"
