"""Who sells, as billing is told: inline or from a file, checked at the start; real money needs a real seller."""

from pathlib import Path
from typing import Any

import pytest

from tests.workers.test_process_settings import REQUIRED
from workers.billing_settings import DOCUMENT_BYTES_MAX
from workers.departments import fonts_of, sellers_of
from workers.settings import Settings, SettingsError, from_environment

DOCUMENT = """
[[seller]]
id = "gb"
name = "Acme Retail Ltd"
address = ["1 High Street"]
[[seller.series]]
channels = ["*"]
invoices = "INV-GB"
credit_notes = "CN-GB"
"""


def settings(**changes: str) -> Settings:
    return from_environment({**REQUIRED, **{f"ORDERSTORE_{name}": value for name, value in changes.items()}})


def test_the_document_is_taken_as_it_is_or_from_a_file(tmp_path: Path) -> None:
    """TOML or JSON."""
    path = tmp_path / "sellers.toml"
    path.write_text(DOCUMENT)
    as_json = (
        '{"seller": [{"id": "gb", "name": "Acme Retail Ltd", "address": ["1 High Street"],'
        ' "series": [{"channels": ["*"], "invoices": "INV-GB", "credit_notes": "CN-GB"}]}]}'
    )
    for given in (DOCUMENT, str(path), as_json):
        route = sellers_of(settings(SELLERS=given)).of_channel("web")
        assert (route.seller.name, route.invoices, route.seller.demonstration) == ("Acme Retail Ltd", "INV-GB", False)


def test_without_sellers_the_laptop_demonstrates_and_production_does_not_start() -> None:
    """Invoices name their seller."""
    route = sellers_of(settings(INVOICE_SERIES="DEMO", CREDIT_NOTE_SERIES="DEMO-CN")).of_channel("web")
    assert (route.seller.demonstration, route.invoices, route.credit_notes) == (True, "DEMO", "DEMO-CN")
    with pytest.raises(SettingsError, match="ORDERSTORE_SELLERS: needed"):
        sellers_of(settings(PROVIDERS="stripe", STRIPE_API_KEY="sk_test_1"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"SELLERS": "/nowhere/sellers.toml"}, "ORDERSTORE_SELLERS: cannot be read"),
        ({"SELLERS": " "}, "ORDERSTORE_SELLERS: must not be empty"),
        ({"SELLERS": DOCUMENT.replace("*", "web")}, "a channel that nobody names"),
        ({"SELLERS": DOCUMENT.replace('name = "Acme Retail Ltd"', "")}, "seller.0.name: Field required"),
        ({"INVOICE_SERIES": "A/B"}, "ORDERSTORE_INVOICE_SERIES: must be 1 to 40 letters"),
        ({"INVOICE_SERIES": "X", "CREDIT_NOTE_SERIES": "X"}, "must not be ORDERSTORE_INVOICE_SERIES"),
        ({"INVOICE_FONTS": "/nowhere"}, "ORDERSTORE_INVOICE_FONTS: is no folder"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(changes: dict[str, Any], problem: str) -> None:
    """By the name of its variable."""
    with pytest.raises(SettingsError) as refused:
        settings(**changes)
    assert problem in str(refused.value)


def test_a_file_without_an_end_is_not_read(tmp_path: Path) -> None:
    """And one that is no text is refused."""
    path = tmp_path / "sellers.toml"
    path.write_bytes(b"#" * (DOCUMENT_BYTES_MAX + 1))
    with pytest.raises(SettingsError, match="longer than"):
        settings(SELLERS=str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="ORDERSTORE_SELLERS"):
        settings(SELLERS=str(path))


def test_fonts_are_those_of_the_folder(tmp_path: Path) -> None:
    """None unless one is named."""
    assert fonts_of(settings(INVOICE_FONTS=str(tmp_path))) == tmp_path
    assert fonts_of(settings()) is None
