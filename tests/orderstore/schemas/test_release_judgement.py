"""What the last release promised is kept: each way to break it is named, each way to go on is let through."""

from dataclasses import replace
from typing import Any

import pytest

from orderstore.domain import events as e
from orderstore.registry import EventType
from orderstore.schemas.documents import COMPATIBILITY, Document
from orderstore.schemas.envelopes import COMMIT, ENVELOPE
from orderstore.schemas.releases import Judgement, Released, judge
from orderstore.upcasters import Upcaster

ENTRY = EventType("PaymentFailed", "1.0", e.PaymentFailed, "payment")
FIELDS = {"attempt": {"type": "integer"}, "code": {"type": "string"}}


def schema(*, required: tuple[str, ...] = ("attempt", "code"), promise: str = "FULL", **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": FIELDS | fields, "required": list(required), COMPATIBILITY: promise}


def released(form="stored", name="PaymentFailed", version="1.0", **made: Any) -> Released:
    return Released(form=form, name=name, version=version, schema=schema(**made))


def present(form="stored", name="PaymentFailed", version="1.0", **made: Any) -> Document:
    return Document(form=form, name=name, version=version, compatibility="FULL", schema=schema(**made))


def only(old: Released, *new: Document, entry: EventType = ENTRY, upcasters: tuple[Upcaster, ...] = ()) -> Judgement:
    [found] = judge([old], new, entries=[entry], upcasters=upcasters)
    return found


OPTIONAL = {"extra": {"type": "string"}}
ALL = ("attempt", "code", "extra")


def test_nothing_changed_is_nothing_to_tell() -> None:
    """The same schema under the same version; a description may change."""
    found = only(released(), replace(present(), schema=schema() | {"description": "put better"}))

    assert (found.unchanged, found.verdict, found.broken) == (True, "FULL", "")


@pytest.mark.parametrize("form", ["stored", "published"])
@pytest.mark.parametrize(
    ("made", "version"),
    [(OPTIONAL, "1.1"), ({**OPTIONAL, "required": ALL}, "2.0"), ({"code": {"type": "integer"}}, "2.0")],
)
def test_a_released_version_never_changes_not_even_compatibly(form, made, version) -> None:
    """Two schemas under one version is what nobody can tell apart later; the version that it wants is named."""  # E046
    found = only(released(form), present(form, **made))

    assert found.broken == f"changed without a new version: a released one stays as it is, make it {version}"


def test_an_optional_field_in_a_minor_version_goes_through() -> None:
    """Readers of both builds read both."""
    entry = replace(ENTRY, version="1.1", earlier=("1.0",))
    found = only(released(), present(version="1.1", **OPTIONAL), entry=entry)

    assert (str(found), found.verdict, found.broken) == ("stored PaymentFailed 1.0 -> 1.1", "FULL", "")
    assert [str(change) for change in found.changes] == ["extra: added, optional"]


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        ({**OPTIONAL, "required": ALL}, "FORWARD"),
        ({"required": ("attempt",)}, "BACKWARD"),
        ({"code": {"type": "integer"}}, "NONE"),
        ({"code": {"type": "string", "enum": ["declined"]}}, "FORWARD"),
        ({"attempt": {"type": "integer", "minimum": 1}}, "FORWARD"),
    ],
)
@pytest.mark.parametrize("form", ["stored", "published"])
def test_a_minor_version_that_breaks_the_promise_is_refused(form, made, verdict) -> None:
    """Whatever it calls itself, and in either form."""
    entry = replace(ENTRY, version="1.1", earlier=("1.0",))
    found = only(released(form), present(form, version="1.1", **made), entry=entry)

    assert (found.verdict, found.broken) == (
        verdict,
        f"it was promised to stay FULL, this change is {verdict}",
    )


@pytest.mark.parametrize(
    ("promise", "made", "broken"),
    [
        ("BACKWARD", {"required": ("attempt",)}, False),
        ("BACKWARD", {**OPTIONAL, "required": ALL}, True),
        ("FORWARD", {**OPTIONAL, "required": ALL}, False),
        ("FORWARD", {"required": ("attempt",)}, True),
        ("NONE", {"code": {"type": "integer"}}, False),
    ],
)
def test_a_smaller_promise_allows_more(promise, made, broken) -> None:
    """BACKWARD alone, FORWARD alone, or none at all."""
    entry = replace(ENTRY, version="1.1", earlier=("1.0",))
    found = only(released(promise=promise), present(version="1.1", promise=promise, **made), entry=entry)

    assert bool(found.broken) is broken


def test_a_promise_cannot_be_lowered_in_the_change_that_breaks_it() -> None:
    """What counts is what the release said."""
    entry = replace(ENTRY, version="1.1", earlier=("1.0",), compatibility="NONE")
    found = only(released(), present(version="1.1", promise="NONE", code={"type": "integer"}), entry=entry)

    assert found.promise == "FULL"
    assert found.broken


def test_a_new_major_version_needs_a_way_from_the_old_one() -> None:
    """With an upcaster it goes through, whatever changed; without, history could not be read."""
    entry = replace(ENTRY, version="2.0", earlier=("1.0",))
    new = present(version="2.0", code={"type": "integer"})
    step = Upcaster("PaymentFailed", "1.0", "2.0", lambda data: data)

    assert only(released(), new, entry=entry).broken == "there is no way from 1.0 to 2.0: add an upcaster"
    found = only(released(), new, entry=entry, upcasters=(step,))
    assert (found.broken, found.verdict, found.note) == ("", "NONE", "read through its upcasters")


def test_a_version_that_history_holds_must_stay_named() -> None:
    """A new version does not make the old one go away."""
    entry = replace(ENTRY, version="1.1")

    assert only(released(), present(version="1.1"), entry=entry).broken == "history holds 1.0: name it in `earlier`"


def test_a_version_cannot_go_back() -> None:
    """2.0 was released: 1.9 is no successor."""
    assert only(released(version="2.0"), present(version="1.9")).broken == "its version went back"


def test_a_deleted_event_type_is_a_break() -> None:
    """Its commits lie in the log for ever, and its consumers still wait."""
    assert only(released()).broken.startswith("removed; history holds it for ever")
    assert only(released("published")).broken.startswith("removed; its consumers still wait for it")


def test_a_deprecated_event_may_leave_the_topic_but_never_the_log() -> None:
    """A release said so beforehand."""
    old = replace(released("published"), schema=schema() | {"deprecated": True})
    found = only(old)
    assert (found.broken, found.note) == ("", "removed; it was deprecated")

    stored = replace(released(), schema=schema() | {"deprecated": True})
    assert only(stored).broken


def test_a_new_major_version_on_the_topic_is_told() -> None:
    """No file can show that its consumers are deployed; the line says so."""
    found = only(released("published"), present("published", version="2.0", code={"type": "integer"}))

    assert (found.broken, found.note) == ("", "a new major version: deploy its consumers first")


def test_the_envelope_and_the_commit_are_held_like_the_events() -> None:
    """They have no entry in the registry, and no upcaster."""
    envelope = only(released("published", ENVELOPE), present("published", ENVELOPE, "1.1", **OPTIONAL))
    assert (envelope.broken, envelope.verdict) == ("", "FULL")
    minor = only(released(name=COMMIT), present(name=COMMIT, version="1.1", **OPTIONAL))
    assert minor.broken == ""
    major = only(released(name=COMMIT), present(name=COMMIT, version="2.0", **OPTIONAL))
    assert major.broken == "the codec reads one major version of a commit"


def test_a_version_that_was_past_at_the_release_is_held_but_not_told_again() -> None:
    """Right after a release nothing has changed, though it holds older versions; one that can no longer be read is a break all the same."""
    entry = replace(ENTRY, version="2.0", earlier=("1.0",))
    held = [released(version="1.0"), released(version="2.0", code={"type": "integer"})]
    new = [present(version="2.0", code={"type": "integer"})]
    step = Upcaster("PaymentFailed", "1.0", "2.0", lambda data: data)

    assert [one.unchanged for one in judge(held, new, entries=[entry], upcasters=[step])] == [True, True]
    assert [bool(one.broken) for one in judge(held, new, entries=[entry], upcasters=[])] == [True, False]
