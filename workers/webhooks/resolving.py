"""Names to addresses, checked, for the connection that then uses exactly these: in between, nobody can change his mind.

The look-ups have threads of their own: a name that takes its time holds up nothing but attempts at such names.
"""

import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import anyio
from aiohttp.abc import AbstractResolver, ResolveResult

from workers.webhooks.addresses import AddressPolicy
from workers.webhooks.errors import NotPossible

LOOKUPS_MAX: Final = 64
ADDRESSES_MAX: Final = 8

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> its IP addresses as texts. Raises OSError."""


class AddressRefused(OSError):
    """The name means an address that webhooks must not go to. An OSError, because aiohttp takes nothing else from a resolver."""


class SystemLookup:
    """The system's resolver."""

    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(LOOKUPS_MAX)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """See `Lookup`."""
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        # The system's call cannot be ended: who waits no longer leaves it behind.
        found = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=self._threads)
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedResolver(AbstractResolver):
    """What aiohttp's connector asks; it connects to what is answered here and looks nothing up itself."""

    def __init__(self, lookup: Lookup, policy: AddressPolicy) -> None:
        self._lookup = lookup
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All of the name's addresses if each is allowed: one that is not shows that the name is not to be trusted.

        Raises AddressRefused, OSError.
        """
        addresses = (await self._lookup(host, port))[:ADDRESSES_MAX]
        if not addresses:
            raise OSError("the name has no address")
        for address in addresses:
            # Those too that this connection would not use.
            try:
                self._policy.check_address(address)
            except (NotPossible, ValueError) as error:
                raise AddressRefused(str(error)) from error
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
            if family in (socket.AF_UNSPEC, socket.AF_INET6 if ":" in address else socket.AF_INET)
        ]

    async def close(self) -> None:
        """Nothing to close: the look-up belongs to whoever made it."""
