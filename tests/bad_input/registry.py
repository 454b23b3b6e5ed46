"""Every decoder that is broken into. `search.py` finds what is missing here."""

from functools import cache

from tests.bad_input import (
    of_bundles,
    of_files,
    of_handlers,
    of_messages,
    of_payments,
    of_places,
    of_proofs,
    of_settings,
    of_the_archive,
    of_the_log,
    of_the_tables,
    of_views,
)
from tests.bad_input.decoder import Decoder


@cache
def decoders() -> tuple[Decoder, ...]:
    """All of them, by the part of the service that they belong to."""
    parts = (
        *(of_the_log, of_proofs, of_bundles, of_the_archive, of_views, of_places),
        *(of_messages, of_handlers, of_the_tables, of_files, of_payments, of_settings),
    )
    return tuple(decoder for part in parts for decoder in part.DECODERS)
