"""What must be true of documents: each invoice and each credit note is drawn once in each form, and lies where the log says."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence

from orderstore.domain import events as e
from orderstore.objects import ObjectStore

FORMS = {"text/html", "application/pdf"}


async def documents(objects: ObjectStore, events: Sequence[e.Event]) -> AsyncIterator[str]:
    """What is missing, there twice, or of no document."""
    numbers = {event.invoice_number for event in events if isinstance(event, e.InvoiceIssued)}
    numbers |= {event.credit_note_number for event in events if isinstance(event, e.CreditNoteIssued)}
    stored = [event for event in events if isinstance(event, e.InvoiceDocumentStored)]
    told = Counter((event.number, str(event.media_type)) for event in stored)
    if several := [one for one, count in told.items() if count > 1]:
        yield f"{several} are stored more than once"
    if set(told) != {(number, form) for number in numbers for form in FORMS}:
        yield f"the documents {sorted(told)} are stored, and {sorted(numbers)} were issued"
    for event in stored:
        if not await objects.get(event.object_key):
            yield f"{event.object_key} is not there"
