"""Where webhooks may not go: addresses in every disguise, names that mean something else a moment later, ports, schemes."""

import socket

import pytest

from workers.webhooks.addresses import AddressPolicy
from workers.webhooks.errors import NotPossible
from workers.webhooks.resolving import AddressRefused, GuardedResolver

STRICT, LENIENT = AddressPolicy(), AddressPolicy(insecure=True)

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.253",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",  # IPv4-compatible
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",  # IPv4-translated
    "64:ff9b::a9fe:a9fe",  # NAT64 of 169.254.169.254
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2001:20::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_everybody_s_is_refused(address: str) -> None:
    """Private, loopback, link-local (a cloud's credentials), shared, multicast, reserved, and IPv4 in IPv6's clothes."""
    with pytest.raises(NotPossible):
        STRICT.check_address(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "52.94.236.248", "2606:4700:4700::1111", "2a05:d018::1"])
def test_a_public_address_is_let_through(address: str) -> None:
    """Or nothing would be."""
    STRICT.check_address(address)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254"])
def test_development_too_never_asks_the_machine_s_cloud(address: str) -> None:
    """Private and loopback addresses are allowed there, the metadata services are not."""
    LENIENT.check_address("127.0.0.1")
    LENIENT.check_address("10.1.2.3")
    LENIENT.check_address("::1")
    with pytest.raises(NotPossible):
        LENIENT.check_address(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "one.example/hook",
        "http://one.example/",
        "ftp://one.example/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@one.example/",
        "https://user:word@one.example/",
        "https://@one.example/",
        "https://one.example/#part",
        "https://one.example:22/",
        "https://one.example:8080/",
        "https://one.example:0/",
        "https://one.example:99999/",
        "https://one.example:x/",
        "https://localhost/",
        "https://intranet/",
        "https://127.0.0.1/",
        "https://8.8.8.8/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://one.example\\@127.0.0.1/",
        "https://one.example/\r\nx: y",
        "https://one.example/ x",
        "https://öne.example/",
        "https://one.example/" + "x" * 2_000,
        "https://" + "x" * 260 + ".example/",
    ],
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    """What parsers read differently is not taken at all."""
    with pytest.raises(NotPossible):
        STRICT.check_url(url)


def test_an_ordinary_address_is_taken_as_it_is() -> None:
    """With path and query; other ports only where a setting says so; http for development."""
    url = "https://hooks.partner.example/a/b?token=c%20d"
    assert STRICT.check_url(url) == url
    assert STRICT.check_url("https://one.example:443/") == "https://one.example:443/"
    assert AddressPolicy(ports=frozenset({443, 8443})).check_url("https://one.example:8443/x")
    assert LENIENT.check_url("http://127.0.0.1:8000/hook")
    with pytest.raises(NotPossible):
        LENIENT.check_url("gopher://127.0.0.1/")


async def test_a_name_with_one_bad_address_among_good_ones_is_not_used_at_all() -> None:
    """Whoever mixes them hopes that the connection takes the other."""

    async def lookup(_host: str, _port: int) -> tuple[str, ...]:
        return ("8.8.8.8", "10.0.0.1")

    with pytest.raises(AddressRefused):
        await GuardedResolver(lookup, STRICT).resolve("one.example", 443)
    with pytest.raises(AddressRefused):
        await GuardedResolver(lookup, STRICT).resolve("one.example", 443, family=socket.AF_INET6)


async def test_what_was_checked_is_what_is_connected_to() -> None:
    """The answer holds numbers only, so that nothing is looked up a second time."""

    async def lookup(_host: str, _port: int) -> tuple[str, ...]:
        return ("8.8.8.8", "2606:4700:4700::1111")

    found = await GuardedResolver(lookup, STRICT).resolve("one.example", 443)
    only_v4 = await GuardedResolver(lookup, STRICT).resolve("one.example", 443, family=socket.AF_INET)

    assert [(one["hostname"], one["host"], one["port"]) for one in found] == [
        ("one.example", "8.8.8.8", 443),
        ("one.example", "2606:4700:4700::1111", 443),
    ]
    assert {one["flags"] for one in found} == {socket.AI_NUMERICHOST}
    assert [one["host"] for one in only_v4] == ["8.8.8.8"]


async def test_a_name_without_an_address_and_an_answer_that_is_none_are_refused() -> None:
    """The resolver is not trusted either."""

    async def nothing(_host: str, _port: int) -> tuple[str, ...]:
        return ()

    async def nonsense(_host: str, _port: int) -> tuple[str, ...]:
        return ("somewhere",)

    with pytest.raises(OSError, match="no address"):
        await GuardedResolver(nothing, STRICT).resolve("one.example", 443)
    with pytest.raises(AddressRefused):
        await GuardedResolver(nonsense, STRICT).resolve("one.example", 443)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[fe80::1%25eth0]",
        "2852039166",
        "0xa9fea9fe",
        "0xa9.0xfe.0xa9.0xfe",
        "127.1",
        "1.2.3.4.5",
        "0.0.0.0",
        "224.0.0.1",
        "[ff02::1]",
        "[64:ff9b::a9fe:a9fe]",
    ],
)
def test_what_is_never_allowed_is_refused_when_it_is_registered_in_both_modes(host: str) -> None:
    """Not at the first attempt, which would be too late to tell whoever typed it; and no number passes in another form."""
    for policy, scheme in ((STRICT, "https"), (LENIENT, "http")):
        with pytest.raises(NotPossible) as refused:
            policy.check_url(f"{scheme}://{host}/hook")
        assert "name means" not in str(refused.value)
    for allowed in (
        "127.0.0.1",
        "[::1]",
        "10.1.2.3",
        "192.168.1.9",
        "[fd12::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "8.8.8.8",
    ):
        assert LENIENT.check_url(f"http://{allowed}:8000/hook")
