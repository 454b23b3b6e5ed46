"""The schema of every form that this build writes, from the registry and the types."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from orderstore.registry import EVENT_TYPES, HEARS_EVERYTHING, Compatibility
from orderstore.schemas import envelopes as v
from orderstore.schemas.published import FORMS
from orderstore.schemas.shape import described, schema_of

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Form = Literal["stored", "published"]
FORM_NAMES: Final[tuple[Form, ...]] = ("stored", "published")
COMPATIBILITY: Final = "x-compatibility"
_ENVELOPE_NOTES: Final[Mapping[str, Any]] = MappingProxyType({"x-owner": "order", COMPATIBILITY: "FULL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The schema of one version of one form, and what is promised of its changes."""

    form: Form
    name: str
    version: str
    compatibility: Compatibility
    schema: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Where it is committed, under the directory of the schemas."""
        return path_of(self.form, self.name, self.version)

    def __str__(self) -> str:
        return f"{self.form} {self.name} {self.version}"


def path_of(form: Form, name: str, version: str) -> str:
    """Where a version's schema is committed, under the directory of the schemas."""
    return f"{form}/{name}-{version}.json"


def documents() -> tuple[Document, ...]:
    """Every form that this build writes, in the order of the registry. Raises NoSchema."""
    return tuple(_documents())


def text_of(document: Mapping[str, Any]) -> bytes:
    """A document as it is committed: readable, the same every time."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _documents() -> Iterator[Document]:
    yield document("stored", v.COMMIT, v.COMMIT_VERSION, v.CommitBody)
    yield document("published", v.ENVELOPE, v.ENVELOPE_VERSION, v.Envelope)
    yield document(
        "published", v.NOTICE, v.NOTICE_VERSION, v.Notice, notes={**_ENVELOPE_NOTES, "x-consumers": [HEARS_EVERYTHING]}
    )
    for entry in EVENT_TYPES:
        notes: dict[str, Any] = {"x-owner": entry.owner, COMPATIBILITY: entry.compatibility}
        if entry.deprecated:
            notes |= {"deprecated": True, "x-deprecated": entry.deprecated}
        yield document("stored", entry.name, entry.version, entry.event, notes=notes)
        if entry.published:
            notes = {**notes, "x-consumers": list(entry.consumers)}
            yield document("published", entry.name, entry.published_version, FORMS[entry.name], notes=notes)


def document(
    form: Form, name: str, version: str, annotation: type, *, notes: Mapping[str, Any] = _ENVELOPE_NOTES
) -> Document:
    """The document of a type. Raises NoSchema."""
    schema = {
        "$schema": DIALECT,
        "$id": f"urn:orderstore:{form}:{name}:{version}",
        "title": name,
        "description": described(annotation),
        **notes,
        **schema_of(annotation),
    }
    return Document(form=form, name=name, version=version, compatibility=notes[COMPATIBILITY], schema=schema)
