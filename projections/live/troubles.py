"""What may go wrong with a read for a stream, and whether to try again.

PASSING     may be over at the next try
LASTING     an order that cannot be read as it is stored: an operator must look. (Ask for PASSING first: it is the narrower one.)
"""

from typing import Final

from orderstore.codec import CodecError
from orderstore.store.errors import StoreError, Throttled, Unavailable
from projections.answers.ports import ViewsUnavailable
from projections.view_store import ViewStoreError
from projections.views.view import OutOfPlace

PASSING: Final = (Throttled, Unavailable, ViewsUnavailable, ViewStoreError, ConnectionError)
LASTING: Final = (StoreError, CodecError, OutOfPlace)
UNREADABLE: Final = "unreadable_order"
