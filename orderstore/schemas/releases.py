"""Holds every form to what the last release promised: a version that was released stays as it is, and a new one breaks nobody.

The promise is the released one: who lowers it in the registry may break it from the release after. A new major version of a stored form
is allowed where history keeps a way to it, through `orderstore/upcasters.py`; one of a published form where its consumers are deployed
first, which no file can show: it is told, and passes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orderstore.registry import EVENT_TYPES, Compatibility, EventType
from orderstore.schemas.compatibility import Change, changes, keeps, verdict
from orderstore.schemas.documents import COMPATIBILITY, Document, Form, documents
from orderstore.schemas.envelopes import COMMIT
from orderstore.upcasters import UPCASTERS, Upcaster, gaps, major


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The schema of one version of one form, as a release had it."""

    form: Form
    name: str
    version: str
    schema: Mapping[str, Any]

    @property
    def promise(self) -> Compatibility:
        """What the release promised of changes; all, where it does not say."""
        said: Compatibility = self.schema.get(COMPATIBILITY, "FULL")
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of a released version: `present` is the version that its readers meet now (None: none), `broken` says why that is a
    break, and is empty when it is none."""

    form: Form
    name: str
    released: str
    present: str | None
    verdict: Compatibility
    promise: Compatibility
    changes: tuple[Change, ...] = ()
    broken: str = ""
    note: str = ""
    past: bool = False
    """Whether the release itself had a newer version already."""

    @property
    def unchanged(self) -> bool:
        """Whether there is nothing to tell."""
        same = self.released == self.present and not self.changes
        return not self.broken and (same or self.past)

    def __str__(self) -> str:
        where = f"{self.form} {self.name} {self.released}"
        return where if self.present in (self.released, None) else f"{where} -> {self.present}"


def judge(
    release: Iterable[Released],
    present: Iterable[Document] | None = None,
    *,
    entries: Iterable[EventType] = EVENT_TYPES,
    upcasters: Iterable[Upcaster] = UPCASTERS,
) -> tuple[Judgement, ...]:
    """A judgement for every version in the release, in its order. Pure."""
    now = {(one.form, one.name): one for one in (documents() if present is None else present)}
    known = {entry.name: entry for entry in entries}
    missing = set(gaps(known.values(), upcasters))
    held = tuple(release)
    newest: dict[tuple[Form, str], tuple[int, int]] = {}
    for one in held:
        newest[one.form, one.name] = max(_order(one.version), newest.get((one.form, one.name), (0, 0)))
    judged = [_judge(one, now.get((one.form, one.name)), known.get(one.name), missing) for one in held]
    return tuple([replace(one, past=_order(one.released) < newest[one.form, one.name]) for one in judged])


def _judge(old: Released, new: Document | None, entry: EventType | None, missing: set[str]) -> Judgement:
    if new is None:
        return _removed(old)
    if _order(new.version) < _order(old.version):
        return _judgement(old, new, (), verdict_is="NONE", broken="its version went back")
    earlier = entry.earlier if entry is not None else ()
    found = changes(old.schema, new.schema)
    if old.version == new.version:
        unversioned = f"changed without a new version: a released one stays as it is, make it {_next(old, found)}"
        return _judgement(old, new, found, broken=unversioned if found else "")
    if old.form == "stored" and old.name != COMMIT and old.version not in earlier:
        return _judgement(old, new, found, broken=f"history holds {old.version}: name it in `earlier`")
    if major(old.version) == major(new.version):
        return _judgement(old, new, found)
    if old.form == "stored" and f"{old.name} {old.version}" in missing:
        return _judgement(
            old, new, found, broken=f"there is no way from {old.version} to {new.version}: add an upcaster"
        )
    if old.form == "stored" and old.name == COMMIT:
        return _judgement(old, new, found, broken="the codec reads one major version of a commit")
    note = "read through its upcasters" if old.form == "stored" else "a new major version: deploy its consumers first"
    return _judgement(old, new, found, note=note, held=False)


def _removed(old: Released) -> Judgement:
    if old.form == "published" and old.schema.get("deprecated"):
        return _judgement(old, None, (), verdict_is="NONE", note="removed; it was deprecated", held=False)
    why = (
        "history holds it for ever: keep the type, deprecated if nobody writes it any more"
        if old.form == "stored"
        else "its consumers still wait for it: deprecate it for a release first"
    )
    return _judgement(old, None, (), verdict_is="NONE", broken=f"removed; {why}")


def _judgement(
    old: Released,
    new: Document | None,
    found: tuple[Change, ...],
    *,
    verdict_is: Compatibility | None = None,
    broken: str = "",
    note: str = "",
    held: bool = True,
) -> Judgement:
    """`held`: whether the promise is about this change; across major versions it is not."""
    reached = verdict(found) if verdict_is is None else verdict_is
    if held and not broken and not keeps(reached, old.promise):
        broken = f"it was promised to stay {old.promise}, this change is {reached}"
    return Judgement(
        form=old.form,
        name=old.name,
        released=old.version,
        present=None if new is None else new.version,
        verdict=reached,
        promise=old.promise,
        changes=found,
        broken=broken,
        note=note,
    )


def _next(old: Released, found: Iterable[Change]) -> str:
    """The version that such a change asks for: a minor one where it keeps the promise."""
    first, second = _order(old.version)
    return f"{first}.{second + 1}" if keeps(verdict(found), old.promise) else f"{first + 1}.0"


def _order(version: str) -> tuple[int, int]:
    first, _, second = version.partition(".")
    return int(first), int(second)
