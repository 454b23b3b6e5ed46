"""The places where goods lie, in the order in which they are asked, and the countries that each is near to."""

import re
from dataclasses import dataclass
from typing import Final

from workers.inventory.stock import MAIN

LOCATIONS_MAX: Final = 20
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Location:
    """One of them. `serves`: the countries (ISO 3166-1, two letters) that goods are best sent to from here."""

    name: str
    serves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Locations:
    """All of them, the first to be asked first."""

    known: tuple[Location, ...] = (Location(MAIN),)

    @property
    def names(self) -> tuple[str, ...]:
        """In order."""
        return tuple(location.name for location in self.known)

    def nearest_first(self, destination: str | None) -> tuple[str, ...]:
        """Those that serve a country, then the others; both in order."""
        near = [location.name for location in self.known if destination in location.serves]
        return (*near, *(name for name in self.names if name not in near))


ONE_LOCATION: Final = Locations()


def locations_in(text: str) -> Locations:
    """As a setting has them: `main=GB+IE,berlin=DE+AT+PL,overflow`. Raises ValueError."""
    known = tuple(_location(part.strip()) for part in text.split(","))
    names = [location.name for location in known]
    if len(set(names)) != len(names):
        raise ValueError("each location has a name of its own")
    if len(names) > LOCATIONS_MAX:
        raise ValueError(f"there are at most {LOCATIONS_MAX} locations")
    return Locations(known)


def _location(text: str) -> Location:
    name, equals, countries = text.partition("=")
    serves = tuple(countries.split("+")) if equals else ()
    if not _NAME.fullmatch(name) or not all(map(_COUNTRY.fullmatch, serves)):
        raise ValueError(
            "must be like main=GB+IE,berlin=DE,overflow: names in small letters, countries of two capitals"
        )
    return Location(name, serves)
