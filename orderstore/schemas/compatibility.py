"""What a change of a schema breaks, field by field.

The model is that of every tolerant reader: a writer writes what its schema declares and nothing else, a reader ignores what it does not
know. So a change is BACKWARD when everything that the old schema lets be written is valid under the new one (new readers, old data),
FORWARD when everything written under the new one is valid under the old (old readers, new data), FULL when both, NONE when neither.
A property test holds these verdicts to what a JSON Schema validator says of such data.

Keywords that this module does not know count as a break of both whenever they change: nothing is waved through.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orderstore.registry import Compatibility

Schema = Mapping[str, Any]

# Said to people, never to a validator.
_ANNOTATIONS: Final = frozenset({"$schema", "$id", "title", "description", "deprecated", "default", "examples"})
_LOWER: Final = ("minimum", "minLength", "minItems")
_UPPER: Final = ("maximum", "maxLength", "maxItems")
_EXACT: Final = ("pattern", "format")
_KNOWN: Final = frozenset({"type", "enum", "properties", "required", "items", *_LOWER, *_UPPER, *_EXACT})
_ROOT: Final = "(whole)"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `backward`: new readers still read old data; `forward`: old readers still read new data."""

    field: str
    what: str
    backward: bool
    forward: bool

    @property
    def verdict(self) -> Compatibility:
        """What this change by itself leaves."""
        return verdict((self,))

    def __str__(self) -> str:
        return f"{self.field}: {self.what}"


def verdict(changes: Iterable[Change]) -> Compatibility:
    """What all of them together leave."""
    found = tuple(changes)
    backward, forward = all(change.backward for change in found), all(change.forward for change in found)
    if backward and forward:
        return "FULL"
    if backward:
        return "BACKWARD"
    return "FORWARD" if forward else "NONE"


def keeps(found: Compatibility, promise: Compatibility) -> bool:
    """Whether a verdict is at least what was promised."""
    return promise in (found, "NONE") or found == "FULL"


def changes(old: Schema, new: Schema) -> tuple[Change, ...]:
    """Every difference that a reader or a writer could notice; descriptions are none. Pure."""
    return tuple(_node(old, new, ""))


def _node(old: Schema, new: Schema, path: str) -> Iterable[Change]:
    field = path or _ROOT
    before, after = _types(old), _types(new)
    if before != after:
        backward, forward = _accepts(after, before), _accepts(before, after)
        yield Change(field, f"type changed from {_or(before)} to {_or(after)}", backward, forward)
        if not backward and not forward and not (before & after):
            return
    yield from _enum(old, new, field)
    yield from _bounds(old, new, field)
    for keyword in _EXACT:
        yield from _exact(keyword, old.get(keyword), new.get(keyword), field)
    yield from _properties(old, new, path)
    yield from _items(old, new, path)
    for keyword in sorted({*old, *new} - _KNOWN - _ANNOTATIONS):
        if not keyword.startswith("x-") and old.get(keyword) != new.get(keyword):
            yield Change(field, f"{keyword} changed", backward=False, forward=False)


def _types(schema: Schema) -> frozenset[str]:
    found = schema.get("type", ())
    return frozenset([found] if isinstance(found, str) else found)


def _accepts(reader: frozenset[str], writer: frozenset[str]) -> bool:
    """No type at all takes every one; a number takes an integer."""
    if not reader:
        return True
    return bool(writer) and all(kind in reader or (kind == "integer" and "number" in reader) for kind in writer)


def _enum(old: Schema, new: Schema, field: str) -> Iterable[Change]:
    before: Sequence[Any] | None = old.get("enum")
    after: Sequence[Any] | None = new.get("enum")
    if before is not None and after is not None:
        gone = [word for word in before if word not in after]
        come = [word for word in after if word not in before]
        if come:
            yield Change(field, f"enum widened by {_words(come)}", backward=True, forward=False)
        if gone:
            yield Change(field, f"enum narrowed by {_words(gone)}", backward=False, forward=True)
    elif after is not None:
        yield Change(field, f"enum narrowed to {_words(after)}", backward=False, forward=True)
    elif before is not None:
        yield Change(field, f"enum widened: was one of {_words(before)}", backward=True, forward=False)


def _bounds(old: Schema, new: Schema, field: str) -> Iterable[Change]:
    for keyword in (*_LOWER, *_UPPER):
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        narrower = before is None or (after is not None and ((after > before) == (keyword in _LOWER)))
        said = f"{keyword} changed from {_shown(before)} to {_shown(after)}"
        yield Change(
            field, f"{said} ({'narrower' if narrower else 'wider'})", backward=not narrower, forward=bool(narrower)
        )


def _exact(keyword: str, before: str | None, after: str | None, field: str) -> Iterable[Change]:
    """Whether one pattern contains another is not decided here: a changed one breaks both."""
    if before != after:
        said = f"{keyword} changed from {_shown(before)} to {_shown(after)}"
        yield Change(field, said, backward=after is None, forward=before is None)


def _properties(old: Schema, new: Schema, path: str) -> Iterable[Change]:
    before, after = _fields(old), _fields(new)
    if before is None and after is None:
        return
    if before is None or after is None:  # an object without them may hold anything
        said = "fields are now declared" if before is None else "fields are no longer declared"
        yield Change(path or _ROOT, said, backward=after is None, forward=before is None)
        return
    needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
    for name in [*before, *(name for name in after if name not in before)]:
        field = f"{path}.{name}" if path else name
        if name not in before:
            needed = name in needed_after
            yield Change(field, f"added, {'required' if needed else 'optional'}", backward=not needed, forward=True)
        elif name not in after:
            needed = name in needed_before
            yield Change(
                field, f"removed, was {'required' if needed else 'optional'}", backward=True, forward=not needed
            )
        else:
            if name in needed_after - needed_before:
                yield Change(field, "became required", backward=False, forward=True)
            if name in needed_before - needed_after:
                yield Change(field, "became optional", backward=True, forward=False)
            yield from _node(before[name], after[name], field)


def _fields(schema: Schema) -> dict[str, Schema] | None:
    """Those that are declared, or required without more ado; None where an object may hold anything."""
    if "properties" not in schema and not schema.get("required"):
        return None
    return {
        **schema.get("properties", {}),
        **{name: schema.get("properties", {}).get(name, {}) for name in schema.get("required", ())},
    }


def _items(old: Schema, new: Schema, path: str) -> Iterable[Change]:
    before, after = old.get("items"), new.get("items")
    if before is not None or after is not None:
        yield from _node(before or {}, after or {}, f"{path}[]")


def _words(words: Iterable[Any]) -> str:
    return ", ".join(map(str, words))


def _or(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds)) or "anything"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
