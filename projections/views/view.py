"""What a view is, and the names of its documents in a view store."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import orjson

from orderstore.domain.events import Event, OrderCreated
from orderstore.recorded import Recorded

V = TypeVar("V")
Plain: TypeAlias = dict[str, Any]
"""A document that is its own state: JSON values under string keys."""


class OutOfPlace(Exception):
    """An event that cannot stand where it stands in the log: a bug, or tampering. It is never skipped."""


class NotADocument(ValueError):
    """What is stored is not what the view's `to_document` made."""


class Listing(NamedTuple):
    """Under which list a document stands, and where in it: lists are read in the order of `sort`, which is unique in its list."""

    name: str
    sort: str


Sums: TypeAlias = Mapping[str, Mapping[str, int]]
"""What one document contributes to the totals of its view: by bucket (a day and a currency, say), and in it by measure."""


def unlisted(state: object) -> Listing | None:
    """For a view whose documents stand in no list: they are found by their order."""
    del state
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Generic[V]):
    """One document per order, folded from the order's events by a pure function; and, for a view that `sums`, totals over all of them.

    `schema` is raised with every change of what a document says: one of another schema is folded anew from the log.

    `evolve` returns the state after one more event, and changes none that it was given. It returns None while the view has nothing to say
    of the order: then there is no document. Once it had something to say, it always has, also in a later schema.
    """

    name: str
    schema: int
    evolve: Callable[[V | None, Recorded], V | None]
    to_document: Callable[[V], dict[str, Any]]
    from_document: Callable[[Mapping[str, Any]], V]
    listing: Callable[[V], Listing | None] = unlisted
    reacts_to: frozenset[type[Event]] | None = None
    """Events that change the document, None for all. `evolve` sees every event; the document is written only for these. A view that has
    something to say of few orders names here what begins and what ends it: no other event costs it anything."""
    unmoved_by: Callable[[Recorded], bool] | None = None
    """Of the types that it reacts to, events for which the document need not be written all the same."""
    sums: Callable[[V], Sums] | None = None
    """The document's contribution to the totals. They move in the same write as the document, so each commit counts exactly once."""

    def read(self, document: bytes) -> V:
        """The state in a stored document of this schema. Raises NotADocument."""
        try:
            return self.from_document(orjson.loads(document))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotADocument(f"no document of the view {self.name}: {type(error).__name__}") from error

    def changed_by(self, events: tuple[Recorded, ...]) -> bool:
        """Whether a commit with these events changes the document."""
        if self.reacts_to is None:
            return True
        unmoved = self.unmoved_by
        return any(
            type(recorded.event) in self.reacts_to and not (unmoved is not None and unmoved(recorded))
            for recorded in events
        )

    @property
    def from_the_start(self) -> bool:
        """Whether every order has a document from its first event on."""
        return self.reacts_to is None or OrderCreated in self.reacts_to


def plain_view(
    name: str,
    evolve: Callable[[Plain | None, Recorded], Plain | None],
    *,
    schema: int = 1,
    listing: Callable[[Plain], Listing | None] = unlisted,
    reacts_to: Iterable[type[Event]] | None = None,
    sums: Callable[[Plain], Sums] | None = None,
) -> View[Plain]:
    """A view whose document is what `evolve` returns, as it is: for one that needs no class of its own."""
    return View(
        name=name,
        schema=schema,
        evolve=evolve,
        to_document=dict,
        from_document=dict,
        listing=listing,
        reacts_to=None if reacts_to is None else frozenset(reacts_to),
        sums=sums,
    )


FIRST_GENERATION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Generations:
    """The generations of a view that there are: all of them are kept up to date, readers use `current`.

    `building` is being filled from the log and may miss orders; `former` was current before the last switch, and can be again.
    """

    current: int = FIRST_GENERATION
    building: int | None = None
    former: int | None = None

    @property
    def written(self) -> tuple[int, ...]:
        """All of them, the current one first."""
        others = (number for number in (self.building, self.former) if number is not None)
        return (self.current, *others)


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

    @property
    def sums_prefix(self) -> str:
        """What the name of each of its totals begins with; no document's key does."""
        return f"g{self.number}/{self.view}#sums/"

    def sum_key(self, tenant: str, bucket: str) -> str:
        """The name of the totals of one bucket."""
        return f"{self.sums_prefix}{tenant}/{bucket}"

    def bucket(self, sum_key: str) -> tuple[str, str]:
        """Tenant and bucket of a name of totals. Raises ValueError for one that is not of this generation."""
        tenant, separator, bucket = sum_key.removeprefix(self.sums_prefix).partition("/")
        if not sum_key.startswith(self.sums_prefix) or not separator or not tenant or not bucket:
            raise ValueError(f"{sum_key!r} are no totals of {self.sums_prefix}")
        return tenant, bucket

    def order(self, key: str) -> tuple[str, str]:
        """Tenant and order id of a document's key. Raises ValueError for a key that is not of this generation."""
        tenant, separator, order_id = key.removeprefix(self.prefix).rpartition("/")
        if not key.startswith(self.prefix) or not separator or not tenant or not order_id:
            raise ValueError(f"{key!r} is no document of {self.prefix}")
        return tenant, order_id
