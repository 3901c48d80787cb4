"""Where webhooks may go."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from distributed_queue.errors import ConfigurationError
from distributed_queue.webhooks import AddressRules, ForbiddenAddress
from distributed_queue.webhooks.addresses import is_public

FORBIDDEN = (
    "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16 169.254.169.254 "
    "169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 "
    "198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::8.8.8.8 "
    "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 "
    "64:ff9b::a9fe:a9fe 64:ff9b:1::808:808 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 "
    "2002:7f00:1::1 2002:808:808::1 2001:10::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1 4000::1 "
)
PUBLIC = (
    "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 172.15.255.255 172.32.0.0 223.255.255.255 2606:4700:4700::1111 "
    "2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::808:808 "
)
URL = "https://hooks.example/path"


def resolving(*addresses: str, networks: tuple[str, ...] = ()) -> AddressRules:
    """Rules under which every name has these addresses."""

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        del host
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    return AddressRules([ip_network(each) for each in networks], look_up=look_up)


@pytest.mark.parametrize("address", FORBIDDEN.split())
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
    rules = resolving(address)
    with pytest.raises(ForbiddenAddress, match="not public"):
        rules.resolve(rules.check_url(URL))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ip_address(address))
    rules = resolving(address)
    assert [where[0] for _, where in rules.resolve(rules.check_url(URL))] == [address]


def test_one_forbidden_address_forbids_all() -> None:
    rules = resolving("8.8.8.8", "127.0.0.1")
    with pytest.raises(ForbiddenAddress):
        rules.resolve(rules.check_url(URL))


def test_a_scope_does_not_hide_an_address() -> None:
    rules = resolving("fe80::1%eth0")
    with pytest.raises(ForbiddenAddress):
        rules.resolve(rules.check_url(URL))


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"])
def test_a_network_can_be_allowed(address: str) -> None:
    rules = resolving(address, networks=("10.1.0.0/16",))
    assert rules.resolve(rules.check_url(URL))
    outside = resolving("10.2.0.1", networks=("10.1.0.0/16",))
    with pytest.raises(ForbiddenAddress):
        outside.resolve(outside.check_url(URL))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0", "[::1]", "[::ffff:7f00:1]", "localhost"],
)
def test_other_spellings_of_this_machine_are_seen_through(host: str) -> None:
    rules = AddressRules()
    with pytest.raises(ForbiddenAddress):
        rules.resolve(rules.check_url(f"https://{host}/"))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com",
        "https://",
        "https:///path",
        "https://user:password@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com:99999/",
        "https://example.com:port/",
        "https://[::1/",
        "https://example.com/#fragment",
        "https://example.com/ path",
        "https://example.com/\r\nX-Header: 1",
        "https://example.com\\@127.0.0.1/",
        "https://exämple.com/",
        "https://example.com/" + "x" * 2000,
    ],
)
def test_addresses_that_make_no_sense_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a webhook's address"):
        AddressRules().check_url(url)


def test_unencrypted_addresses_can_be_allowed() -> None:
    assert AddressRules(http=True).check_url("http://example.com/").hostname == "example.com"
