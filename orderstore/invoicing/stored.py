"""Whether the renderings of one order's documents are all stored, and are what its log says."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from orderstore.domain import events as e
from orderstore.domain.state import NotPlaced
from orderstore.history import History
from orderstore.invoicing.documents import Grace
from orderstore.invoicing.findings import Kind
from orderstore.invoicing.reading import stored_in
from orderstore.invoicing.shelf import DocumentError, DocumentMissing, Place, Shelf, place_of
from orderstore.privacy.keys import KeyErased, KeyUnusable
from orderstore.recorded import Recorded


@dataclass(slots=True)
class Checked:
    """What was found: how many renderings are sound, which documents have no PDF, how many renderings can be opened by nobody any more,
    and what is wrong with which."""

    sound: int = 0
    without_pdf: list[str] = field(default_factory=list)
    expired: int = 0
    wrong: list[tuple[Kind, str]] = field(default_factory=list)


async def check_stored(shelf: Shelf, history: History, *, grace: Grace) -> Checked:
    """Open every rendering. A document that was issued after `grace.until` may still be without. Raises StoreError."""
    checked = Checked()
    stored = stored_in(history)
    places = {place.number: (place, recorded) for place, recorded in _issued(history)}
    for number, (_, recorded) in places.items():
        kinds = {found.media_type for found in stored if found.number == number}
        if "text/html" not in kinds and recorded.occurred_at <= grace.until:
            checked.wrong.append(("not_stored", number))
        if kinds == {"text/html"}:
            checked.without_pdf.append(number)
    for found in stored:
        if found.number not in places:
            checked.wrong.append(("document_changed", f"{found.number}, which the log never issued"))
            continue
        about = f"{found.number} ({found.media_type})"
        try:
            await shelf.get(places[found.number][0], found)
        except KeyErased:
            checked.expired += 1
        except DocumentMissing:
            checked.wrong.append(("document_missing", about))
        except (DocumentError, KeyUnusable):
            checked.wrong.append(("document_changed", about))
        else:
            checked.sound += 1
    return checked


def _issued(history: History) -> Iterator[tuple[Place, Recorded]]:
    if isinstance(history.state, NotPlaced):
        return
    for recorded in history.events:
        if isinstance(recorded.event, e.InvoiceIssued | e.CreditNoteIssued):
            yield place_of(history.stream, history.state.order, recorded.event), recorded
