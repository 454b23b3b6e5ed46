"""Ids that are derived are those of RFC 9562, for whoever wants to derive them elsewhere."""

from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.domain import ids

names = st.text(st.characters(codec="utf-8"), max_size=40)


@given(cause=names, purpose=names, position=st.integers(0, 3))
def test_an_events_id_is_a_uuid_of_version_five(cause: str, purpose: str, position: int) -> None:
    name = f"{cause}:{purpose}" if position == 0 else f"{cause}:{purpose}:{position}"

    assert ids.event_id(cause, purpose, position) == str(uuid5(ids.NAMESPACE, name))


@given(tenant=names, key=names)
def test_an_orders_id_is_too(tenant: str, key: str) -> None:
    found = ids.order_id_for_key(tenant, key)

    assert found == str(uuid5(ids.NAMESPACE, f"{tenant}:order:{key}"))
    assert UUID(found).version == 5
    assert found != str(uuid5(NAMESPACE_URL, f"{tenant}:order:{key}"))


def test_half_a_character_names_nothing() -> None:
    """As `uuid5` has it: no two names may become one."""
    with pytest.raises(UnicodeEncodeError):
        ids.event_id("\ud800", "purpose")
