"""Where a webhook may go: the guard against being made to call what only we can reach (server-side request forgery).

An endpoint's address is given by somebody else. Its form is checked when it is registered; what its name means is checked again at every
attempt, on the very addresses that the connection then uses (`resolving.py`), because a name may mean something else by then.
Source: Standard Webhooks 1.0.0, "Server side request forgery"; the IANA special-purpose address registries (RFC 6890 and updates).
"""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from workers.webhooks.errors import NotPossible

URL_CHARACTERS_MAX: Final = 2_000
_HOST_CHARACTERS_MAX: Final = 253

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Everything else that is not for everybody, `is_global` knows.
_REFUSED_V4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "192.0.0.0/24",  # IETF protocol assignments, some of which count as global
            "192.88.99.0/24",  # 6to4 relays
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.175.48.0/24",  # AS112
        ),
    )
)
# Of IPv6 only global unicast is let through, and of that nothing that carries an IPv4 address or has a special purpose.
_UNICAST_V6: Final = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments; Teredo
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
# What development may reach beside the public ones: its own machine and networks.
_PRIVATE: Final = tuple(
    map(
        ipaddress.ip_network,
        ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7"),
    )
)
# And never: what a machine's own cloud tells it, its credentials included. Link-local ones are not private to begin with.
_NEVER: Final = (ipaddress.ip_network("fd00:ec2::/32"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """`ports`: where connections may go. `insecure`, for development only: http, any port, private and loopback addresses."""

    ports: frozenset[int] = frozenset({443})
    insecure: bool = False

    def check_url(self, url: str) -> str:
        """The address as it will be used. Raises NotPossible, which says what is wrong with it."""
        if len(url) > URL_CHARACTERS_MAX:
            raise NotPossible(f"an address has at most {URL_CHARACTERS_MAX:,} characters")
        if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            raise NotPossible(
                "an address is plain ASCII, without spaces and backslashes; write other names in punycode"
            )
        parts, port = _split(url)
        schemes = ("https", "http") if self.insecure else ("https",)
        if parts.scheme not in schemes:
            raise NotPossible(f"an address begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        if "@" in parts.netloc:
            raise NotPossible(
                "an address carries no user name and no password: the signature is the proof of who sends"
            )
        if "#" in url:
            raise NotPossible("an address has no fragment: it is never sent")
        self._check_host(parts.hostname or "")
        if not self.insecure and port not in self.ports:
            raise NotPossible(f"webhooks are sent to port {', '.join(map(str, sorted(self.ports)))} only")
        return url

    def check_address(self, address: str) -> None:
        """Raises NotPossible unless a connection to this IP address is allowed."""
        if not self._allows(address):
            raise NotPossible("its name means an address that is not a public one")

    def _allows(self, address: str) -> bool:
        found = ipaddress.ip_address(address.partition("%")[0])
        if not self.insecure:
            return is_public(found)
        meant = _meant(found)
        return is_public(meant) or (_is_in(meant, _PRIVATE) and not _is_in(meant, _NEVER))

    def _check_host(self, host: str) -> None:
        if not host or len(host) > _HOST_CHARACTERS_MAX:
            raise NotPossible("an address names a host")
        if self.insecure:
            self._check_literal(host)
            return
        last = host.rstrip(".").rpartition(".")[2]
        # What is no name to us may be a number to the system's resolver: 2130706433 and 0x7f.1 are 127.0.0.1.
        if "." not in host.rstrip(".") or not last[:1].isalpha() or ":" in host:
            raise NotPossible("a host is a full domain name, not an IP address")

    def _check_literal(self, host: str) -> None:
        """A host that is an IP address, or one to the system's resolver, which reads more forms than the usual one."""
        try:
            allowed = self._allows(host)
        except ValueError:
            if not _is_number(host):
                return
            raise NotPossible("a host is a name, or an IP address in its usual form, such as 127.0.0.1") from None
        if not allowed:
            raise NotPossible("webhooks never go to this IP address: it is neither public nor a private one")


def is_public(address: IpAddress) -> bool:
    """Whether an address is everybody's: global unicast, and no other address in disguise."""
    if isinstance(address, ipaddress.IPv4Address):
        return (
            address.is_global
            and not (address.is_multicast or address.is_reserved or address.is_unspecified)
            and not any(address in network for network in _REFUSED_V4)
        )
    return address in _UNICAST_V6 and address.is_global and not any(address in network for network in _REFUSED_V6)


def _meant(address: IpAddress) -> IpAddress:
    """The address, or the IPv4 address that it is for the system underneath."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_in(address: IpAddress, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address in network for network in networks)  # one of the other version is in none


def _is_number(host: str) -> bool:
    """Whether something takes the host for an IP address: 2852039166, 0xa9fea9fe and 169.254.43518 are 169.254.169.254."""
    if ":" in host or "%" in host or host.replace(".", "").isdigit():
        return True
    try:
        socket.inet_aton(host.rstrip("."))
    except OSError:
        return False
    return True


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotPossible("this is not an address") from error
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    return parts, port
