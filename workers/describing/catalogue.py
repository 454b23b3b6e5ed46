"""`docs/event-catalogue.md`: every event type, what it says, who tells it and who hears of it."""

from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from orderstore.registry import EVENT_TYPES, HEARS_ALL_PUBLIC, HEARS_EVERYTHING, EventType
from workers.describing.playing import Played
from workers.describing.sources import callers, said, said_of_fields, types_of_fields

_INTRODUCTION: Final = f"""\
# Event catalogue

Every event that an order's log can hold: {{count}} types, of which {{published}} are published. This page is made from the registry, the
event classes and the decisions (`python -m workers.describing`), and a test keeps it so. The schemas of both forms are in
[schemas](schemas/README.md), how an order moves is in [order states](order-states.md), how a type may change in [evolution](evolution.md).

- **Version** is of the stored form; *earlier* ones are in old logs and are read through upcasters. What is **published** has its own form.
- **Consumers** are the queues whose filter lets the event through. `{HEARS_ALL_PUBLIC}` hears of every published type and
  `{HEARS_EVERYTHING}` of every commit: they are not named again.
- **Recorded by** are the decisions that came to the event when they were played, and in brackets the modules that call them. Several
  decisions record what the order concludes by itself: the last one to bring what was missing does.
"""


ESCAPED: Final = r"\|"
"""A bar that is no border of a cell."""


def catalogue(played: Played) -> str:
    """The whole page, as it stands in the repository."""
    owners = sorted({entry.owner for entry in EVENT_TYPES}, key=[entry.owner for entry in EVENT_TYPES].index)
    published = sum(entry.published for entry in EVENT_TYPES)
    lines = [_INTRODUCTION.format(count=len(EVENT_TYPES), published=published)]
    lines += _overview()
    for owner in owners:
        lines += ["", f"## {owner.capitalize()}"]
        for entry in EVENT_TYPES:
            if entry.owner == owner:
                lines += _event(entry, played)
    lines += ["", "## What fields are made of"]
    for part in parts():
        lines += ["", f"### {part.__name__}", "", said(part), "", *_fields(part)]
    return "\n".join([*lines, ""])


def _overview() -> Iterator[str]:
    yield "| event | version | earlier | owner | published | consumers |"
    yield "|---|---|---|---|---|---|"
    for entry in EVENT_TYPES:
        published = entry.published_version if entry.published else "no"
        cells = (", ".join(entry.earlier), entry.owner, published, ", ".join(entry.consumers))
        yield f"| [{entry.name}](#{entry.name.lower()}) | {entry.version} | {' | '.join(cells)} |"


def _event(entry: EventType, played: Played) -> Iterator[str]:
    yield from ("", f"### {entry.name}", "", said(entry.event), "")
    if entry.deprecated:
        yield from (f"**Deprecated**: {entry.deprecated}", "")
    published = f"published as {entry.published_version}" if entry.published else "internal"
    earlier = f" (earlier: {', '.join(entry.earlier)})" if entry.earlier else ""
    yield f"- version {entry.version}{earlier}, {published}, compatibility {entry.compatibility}"
    if entry.published:
        yield f"- consumers: {', '.join(entry.consumers) or 'none by a filter of its own'}"
    yield f"- recorded by: {', '.join(_deciding(entry, played)) or 'nothing that was played'}"
    yield f"- in: {', '.join(_statuses(entry, played)) or 'no status that was reached'}"
    yield from ("", *_fields(entry.event))


def _deciding(entry: EventType, played: Played) -> Iterator[str]:
    for decision in sorted(played.deciding.get(entry.event.__name__, ())):
        modules = callers().get(decision, ())
        yield f"`{decision}`" + (f" ({', '.join(f'`{module}`' for module in modules)})" if modules else "")


def _statuses(entry: EventType, played: Played) -> list[str]:
    return [f"`{status}`" for status, events in played.during.items() if entry.event.__name__ in events]


def _fields(of: type) -> Iterator[str]:
    if not fields(of):
        yield "No fields."
        return
    types, texts, hints = types_of_fields(of), said_of_fields(of), get_type_hints(of)
    yield "| field | type | default | |"
    yield "|---|---|---|---|"
    for one in fields(of):
        default = "" if one.default is MISSING else f"`{_shown(one.default)}`"
        words = " ".join(filter(None, (texts.get(one.name), _choices(hints[one.name], types[one.name]))))
        yield f"| `{one.name}` | `{types[one.name].replace('|', ESCAPED)}` | {default} | {words.replace('|', ESCAPED)} |"


def _choices(hint: Any, told: str) -> str:  # noqa: ANN401 - any type of a field
    """The words that a field may hold, where its type has a name that does not say them."""
    found = [word for one in (hint, *get_args(hint)) if get_origin(one) is Literal for word in get_args(one)]
    return f"One of {', '.join(f'`{word}`' for word in found)}." if found and "Literal" not in told else ""


def _shown(default: object) -> str:
    """A default as it is written; of a whole value, only what it is."""
    return f"{type(default).__name__}()" if is_dataclass(default) else repr(default)


def parts() -> tuple[type, ...]:
    """The classes that fields of events are made of, each once, in the order in which they are met."""
    found: dict[type, None] = {}
    for entry in EVENT_TYPES:
        for part in _classes_in(get_type_hints(entry.event).values()):
            found.setdefault(part)
    return tuple(found)


def _classes_in(hints: Iterable[Any]) -> Iterator[type]:
    for hint in hints:
        if isinstance(hint, type) and is_dataclass(hint):
            yield hint
            yield from _classes_in(get_type_hints(hint).values())
        else:
            yield from _classes_in(get_args(hint))
