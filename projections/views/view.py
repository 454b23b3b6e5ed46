"""What a view is, and the names of its documents in a view store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from orderstore.domain.events import Event
from orderstore.recorded import Recorded

V = TypeVar("V")


class OutOfPlace(Exception):
    """An event that cannot stand where it stands in the log: a bug, or tampering. It is never skipped."""


class Listing(NamedTuple):
    """Under which list a document stands, and where in it: lists are read in the order of `sort`, which is unique in its list."""

    name: str
    sort: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Generic[V]):
    """One document per order, folded from the order's events by a pure function.

    `schema` is raised with every change of what a document says: one of another schema is folded anew from the log.
    """

    name: str
    schema: int
    evolve: Callable[[V | None, Recorded], V]
    to_document: Callable[[V], dict[str, Any]]
    from_document: Callable[[Mapping[str, Any]], V]
    listing: Callable[[V], Listing | None]
    reacts_to: frozenset[type[Event]] | None = None
    """Events that change the document, None for all. `evolve` sees every event; the document is written only for these."""

    def changed_by(self, events: tuple[Recorded, ...]) -> bool:
        """Whether a commit with these events changes the document."""
        return self.reacts_to is None or any(type(recorded.event) in self.reacts_to for recorded in events)


FIRST_GENERATION: Final = 1


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a view: the names of its documents begin with it, so that the next can be filled beside it."""

    view: str
    number: int

    @property
    def prefix(self) -> str:
        """What the key of each of its documents begins with."""
        return f"g{self.number}/{self.view}/"

    def key(self, tenant: str, order_id: str) -> str:
        """The document of an order."""
        return f"{self.prefix}{tenant}/{order_id}"

    def list_key(self, tenant: str, name: str) -> str:
        """A list of the view's documents."""
        return f"{self.prefix}{tenant}/{name}"

    def order(self, key: str) -> tuple[str, str]:
        """Tenant and order id of a document's key. Raises ValueError for a key that is not of this generation."""
        tenant, separator, order_id = key.removeprefix(self.prefix).rpartition("/")
        if not key.startswith(self.prefix) or not separator or not tenant or not order_id:
            raise ValueError(f"{key!r} is no document of {self.prefix}")
        return tenant, order_id
