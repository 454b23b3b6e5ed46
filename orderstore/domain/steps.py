"""What a worker can be asked to do next. Which of it an order wants, `next_steps` says."""

from dataclasses import dataclass

from orderstore.domain import events as e
from orderstore.domain.parcels import Parcel
from orderstore.domain.parts import Edit, LineCancellation, Refund, Return, Shipment, Spare


@dataclass(frozen=True, slots=True)
class Authorize:
    """Hold (or take) so much of the customer's money, in the present attempt."""

    amount_minor: int


@dataclass(frozen=True, slots=True)
class Capture:
    """Take money that is held: all that is due, or what this parcel costs. `final`: nothing else will be taken."""

    amount_minor: int
    shipment_id: str | None = None
    final: bool = True


@dataclass(frozen=True, slots=True)
class VoidPayment:
    """Let go what is held, and make sure that nothing will be."""


@dataclass(frozen=True, slots=True)
class IssueRefund:
    """Give money back."""

    refund: Refund


@dataclass(frozen=True, slots=True)
class AuthorizeEdit:
    """Hold what the order costs with this edit, in the edit's own attempt."""

    edit: Edit


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """Let go what an attempt holds that is not the order's own, and make sure that it never will."""

    spare: Spare


PaymentStep = Authorize | Capture | VoidPayment | IssueRefund | AuthorizeEdit | ReleaseHold


@dataclass(frozen=True, slots=True)
class Reserve:
    """Set every line aside, or none, or what there is: as the order's terms say."""


@dataclass(frozen=True, slots=True)
class Release:
    """Put back what is set aside, and make sure that nothing will be."""


@dataclass(frozen=True, slots=True)
class CommitStock:
    """The pieces of this parcel are gone."""

    shipment: Shipment
    lines: tuple[e.Pieces, ...]


@dataclass(frozen=True, slots=True)
class ReleasePieces:
    """Put back what was set aside of a cancelled part."""

    cancellation: LineCancellation


@dataclass(frozen=True, slots=True)
class FillBackorder:
    """Set aside what was missing, as far as it has come."""

    missing: tuple[e.Pieces, ...]


@dataclass(frozen=True, slots=True)
class Restock:
    """Take back what an inspection found."""

    returned: Return


@dataclass(frozen=True, slots=True)
class ReserveEdit:
    """Set aside every piece that this edit adds, or none."""

    edit: Edit


@dataclass(frozen=True, slots=True)
class ReleaseEdit:
    """Put back what is set aside for this edit, and make sure that nothing will be."""

    edit: Edit


InventoryStep = Reserve | Release | CommitStock | ReleasePieces | FillBackorder | Restock | ReserveEdit | ReleaseEdit


@dataclass(frozen=True, slots=True)
class Book:
    """Book the carrier for this parcel."""

    shipment_id: str
    parcel: Parcel


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Hand the goods over."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class Track:
    """Ask whether these parcels have arrived."""

    shipment_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CancelBooking:
    """Stop the carrier, if it still can be stopped."""

    shipment_id: str


ShippingStep = Book | Dispatch | Track | CancelBooking


@dataclass(frozen=True, slots=True)
class IssueInvoice:
    """The goods have left: say what they cost."""


@dataclass(frozen=True, slots=True)
class IssueCreditNote:
    """Money was given back: take its share of the invoice back."""

    refund: Refund


@dataclass(frozen=True, slots=True)
class StoreDocument:
    """A document has its number: draw it, and keep the drawings."""

    number: str


BillingStep = IssueInvoice | IssueCreditNote | StoreDocument
