"""Who sells: the legal entities that invoices are issued by, and the series that each one's documents are numbered in.

Given as one TOML or JSON document:

    [[seller]]
    id = "gb"
    name = "Acme Retail Ltd"
    address = ["1 High Street", "London N1 9GU", "United Kingdom"]
    vat_id = "GB123456789"
    registration = "Registered in England and Wales, no. 01234567"
    note = "..."                                            # optional, printed on each document
    [[seller.series]]
    channels = ["web", "shop"]                              # these share the series; "*" is every channel that nobody names
    invoices = "INV-GB"
    credit_notes = "CN-GB"

A prefix stands in the whole document once: so neither two sellers nor two groups of channels share a series, and no number is both an
invoice's and a credit note's. The year follows the prefix. A series with no channels takes no new invoices; credit notes on its old ones
go on. What the seller must say of itself is in Art. 226 (3), (5) of Directive 2006/112/EC.

    SellersError     the document is wrong; names everything that is
    UnknownSeries    an invoice stands in a series that no seller has
"""

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

PREFIX_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
"""With year and number behind it, it fits into the 64 characters that the API takes for a number."""
ANY_CHANNEL: Final = "*"
SELLERS_MAX: Final = 50
SERIES_MAX: Final = 100
_YEAR: Final = re.compile(r"-[0-9]{4}$", re.ASCII)


class SellersError(ValueError):
    """The document does not say who sells; `problems` has everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class UnknownSeries(Exception):
    """No seller has this series: its `[[seller.series]]`, which may be without channels, was taken out of the settings."""


_Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """A legal entity, as its documents name it. `demonstration`: it is none, and its documents say so."""

    id: str
    name: str
    address: tuple[str, ...]
    vat_id: str | None = None
    registration: str | None = None
    note: str | None = None
    demonstration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where the documents of some channels go: their seller, and how the names of its series begin."""

    seller: Seller
    invoices: str
    credit_notes: str


@dataclass(frozen=True, slots=True)
class Sellers:
    """`channels` has a route for `ANY_CHANNEL`."""

    channels: dict[str, Route]
    by_invoices: dict[str, Route]

    def of_channel(self, channel: str) -> Route:
        """Who sells on this channel."""
        return self.channels.get(channel) or self.channels[ANY_CHANNEL]

    def of_invoice(self, series: str) -> Route:
        """Who issued the invoices of this series, whose name ends with its year. Raises UnknownSeries."""
        prefix = _YEAR.sub("", series)
        if prefix not in self.by_invoices:
            raise UnknownSeries(
                f"no seller's invoices are numbered in {series}; ORDERSTORE_SELLERS must go on naming {prefix}"
            )
        return self.by_invoices[prefix]


def demonstration(*, invoices: str, credit_notes: str) -> Sellers:
    """One seller that does not exist, for every channel."""
    seller = Seller(
        id="demo",
        name="Demonstration Seller Ltd",
        address=("1 Example Street", "Exampletown EX1 1EX", "United Kingdom"),
        vat_id="GB000000000",
        registration="This company does not exist",
        demonstration=True,
    )
    route = Route(seller=seller, invoices=invoices, credit_notes=credit_notes)
    return Sellers({ANY_CHANNEL: route}, {invoices: route})


def parse_sellers(text: str) -> Sellers:
    """Read the document, which is JSON when it begins with a brace. Raises SellersError."""
    given = _given(text)
    routes = [(_route(seller, series), series.channels) for seller in given.seller for series in seller.series]
    problems = _problems(given, [channels for _, channels in routes])
    if problems:
        raise SellersError(problems)
    return Sellers(
        {channel: route for route, channels in routes for channel in channels},
        {route.invoices: route for route, _ in routes},
    )


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class _Series(_Part):
    channels: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9-]{0,31})$")], ...], Field(max_length=100)
    ]
    invoices: Annotated[str, Field(pattern=PREFIX_PATTERN)]
    credit_notes: Annotated[str, Field(pattern=PREFIX_PATTERN)]


class _Seller(_Part):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    name: _Text
    address: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=6)]
    vat_id: Annotated[str, Field(pattern=r"^[A-Z]{2}[A-Z0-9+*. -]{2,18}$")] | None = None
    registration: _Text | None = None
    note: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    series: Annotated[tuple[_Series, ...], Field(min_length=1, max_length=SERIES_MAX)]


class _Document(_Part):
    seller: Annotated[tuple[_Seller, ...], Field(min_length=1, max_length=SELLERS_MAX)]


def _given(text: str) -> _Document:
    try:
        written: Any = orjson.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (orjson.JSONDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SellersError([f"neither JSON nor TOML: {error}"]) from error
    try:
        return _Document.model_validate(written)
    except ValidationError as error:
        found = [(".".join(map(str, wrong["loc"])), wrong["msg"]) for wrong in error.errors()]
        raise SellersError([f"{where}: {what}" for where, what in found]) from error


def _problems(given: _Document, groups: list[tuple[str, ...]]) -> list[str]:
    ids = Counter(seller.id for seller in given.seller)
    channels = Counter(channel for group in groups for channel in group)
    every = [series for seller in given.seller for series in seller.series]
    prefixes = Counter(prefix for series in every for prefix in (series.invoices, series.credit_notes))
    problems = [f"at most {SERIES_MAX} series, not {len(every)}"] if len(every) > SERIES_MAX else []
    problems += [f"seller {name} stands there twice" for name, times in ids.items() if times > 1]
    problems += [f"channel {name} has two series" for name, times in channels.items() if times > 1]
    problems += [
        f"{name} names two series: each begins in its own way" for name, times in prefixes.items() if times > 1
    ]
    if ANY_CHANNEL not in channels:
        problems.append(
            'no series has the channels ["*"]: an order of a channel that nobody names could not be invoiced'
        )
    return problems


def _route(seller: _Seller, series: _Series) -> Route:
    entity = Seller(
        id=seller.id,
        name=seller.name,
        address=seller.address,
        vat_id=seller.vat_id,
        registration=seller.registration,
        note=seller.note,
    )
    return Route(seller=entity, invoices=series.invoices, credit_notes=series.credit_notes)
