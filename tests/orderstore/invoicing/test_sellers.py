"""Who sells, and in which series: what the document says, and what it may not say."""

import json

import pytest

from orderstore.invoicing.sellers import SellersError, UnknownSeries, demonstration, parse_sellers

TWO = """
[[seller]]
id = "gb"
name = "Acme Retail Ltd"
address = ["1 High Street", "London N1 9GU"]
vat_id = "GB123456789"
registration = "Registered in England and Wales, no. 01234567"
[[seller.series]]
channels = ["web", "shop"]
invoices = "INV-GB"
credit_notes = "CN-GB"
[[seller.series]]
channels = []
invoices = "INV"
credit_notes = "CN"

[[seller]]
id = "de"
name = "Acme Handels GmbH"
address = ["Hauptstr. 1", "10115 Berlin"]
note = "Kleinunternehmer"
[[seller.series]]
channels = ["*"]
invoices = "RE"
credit_notes = "GS"
"""


def test_a_channel_has_its_seller_and_series_and_every_other_the_rest() -> None:
    """Also an invoice whose series takes no new ones any more has its seller, for credit notes."""
    sellers = parse_sellers(TWO)
    assert [sellers.of_channel(channel).invoices for channel in ("web", "shop", "amazon")] == ["INV-GB", "INV-GB", "RE"]
    assert sellers.of_channel("amazon").seller.name == "Acme Handels GmbH"
    assert sellers.of_invoice("INV-2025").credit_notes == "CN"
    assert sellers.of_invoice("INV-GB-2026").seller.id == "gb"
    with pytest.raises(UnknownSeries, match="SHOP"):
        sellers.of_invoice("SHOP-2026")


def test_it_may_be_json() -> None:
    """The same document."""
    seller = {
        "id": "gb",
        "name": "Acme",
        "address": ["x"],
        "series": [{"channels": ["*"], "invoices": "A", "credit_notes": "B"}],
    }
    assert parse_sellers(json.dumps({"seller": [seller]})).of_channel("api").invoices == "A"


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ('invoices = "RE"', 'invoices = "INV-GB"', "INV-GB names two series"),
        ('credit_notes = "GS"', 'credit_notes = "RE"', "RE names two series"),
        ('credit_notes = "GS"', 'credit_notes = "INV"', "INV names two series"),
        ('channels = ["*"]', 'channels = ["*", "web"]', "channel web has two series"),
        ('channels = ["*"]', 'channels = ["amazon"]', "a channel that nobody names"),
        ('id = "de"', 'id = "gb"', "seller gb stands there twice"),
        ('invoices = "RE"', 'invoices = "RE/2026"', "seller.1.series.0.invoices"),
        ('invoices = "RE"', f'invoices = "{"R" * 41}"', "seller.1.series.0.invoices"),
        ('channels = ["*"]', 'channels = ["Amazon"]', "seller.1.series.0.channels.0"),
        ('name = "Acme Handels GmbH"', 'name = "  "', "seller.1.name"),
        ('name = "Acme Handels GmbH"', "", "seller.1.name"),
        ('vat_id = "GB123456789"', 'vat_id = "123"', "seller.0.vat_id"),
        ('vat_id = "GB123456789"', 'vatid = "GB1"', "seller.0.vatid"),
        ("[[seller]]", "[[seller]", "neither JSON nor TOML"),
    ],
)
def test_what_is_wrong_is_named(was: str, becomes: str, problem: str) -> None:
    """Two sellers, or groups of channels, never share a series; no series has invoices and credit notes; every channel has one."""
    assert was in TWO
    with pytest.raises(SellersError, match="(?s)" + problem.replace(".", r"\.")):
        parse_sellers(TWO.replace(was, becomes, 1) if was != 'invoices = "RE"' else TWO.replace(was, becomes))


def test_a_demonstration_says_that_it_is_one() -> None:
    """For the laptop: in the series of the settings."""
    route = demonstration(invoices="INV", credit_notes="CN").of_channel("anything")
    assert (route.seller.demonstration, route.invoices, route.credit_notes) == (True, "INV", "CN")
