"""The end of fiscal keys: what invoices had to show is destroyed when the law no longer asks for it; the key's name says when that is."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

from orderstore.privacy.keys import KeyRing
from orderstore.privacy.subjects import may_expire


async def expire(
    keys: KeyRing, *, now: datetime, retention_years: int, dry_run: bool = False
) -> AsyncGenerator[str, None]:
    """Destroy every fiscal key whose time is over at `now`, and yield its subject once it is destroyed; in a dry run, only name them.

    Stopped half-way, run it again: what is destroyed is not named twice. Raises Throttled, Unavailable, Refused.
    """
    async with aclosing(keys.subjects("fiscal")) as subjects:
        async for subject in subjects:
            if may_expire(subject, now=now, retention_years=retention_years):
                if not dry_run:
                    await keys.erase(subject)
                yield subject
