"""Drawing documents in tests: on a shelf in memory, the PDF without the library, which takes longer than everything else of an order."""

from typing import Any

from orderstore.invoicing.drawing import Drawing
from orderstore.invoicing.paper import Paper
from orderstore.invoicing.sellers import Sellers, demonstration
from orderstore.invoicing.shelf import Shelf
from orderstore.objects import MemoryObjectStore

SELLERS = demonstration(invoices="SHOP", credit_notes="CREDIT")


async def quick_pdf(paper: Paper) -> bytes:
    """Not a PDF, but as much its paper's own."""
    return b"%PDF " + repr(paper).encode()


def drawing_over(vault: Any, objects: Any = None, *, sellers: Sellers = SELLERS, tenant: str = "test") -> Drawing:
    shelf = Shelf(MemoryObjectStore() if objects is None else objects, vault, tenant=tenant)
    return Drawing(shelf=shelf, vault=vault, sellers=sellers, set_pdf=quick_pdf)
