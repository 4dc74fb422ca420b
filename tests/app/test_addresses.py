import pytest

from app.addresses import UNKNOWN_CLIENT, Proxies, client_block


def test_a_client_is_an_ipv4_address_or_a_64_of_ipv6() -> None:
    assert client_block("192.0.2.7") == "192.0.2.7"
    assert client_block("192.0.2.7") != client_block("192.0.2.8")
    assert client_block("2001:db8:1:2::1") == client_block("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert client_block("2001:db8:1:2::1") != client_block("2001:db8:1:3::1")
    assert client_block("fe80::1%eth0") == "fe80::/64"


def test_an_ipv4_address_is_the_same_client_on_a_socket_of_ipv6() -> None:
    assert client_block("::ffff:192.0.2.7") == "192.0.2.7"
    assert "::ffff:10.0.0.1" in Proxies(["10.0.0.0/8"])


@pytest.mark.parametrize("host", ["", "unknown", "_hidden", "192.0.2.7:80", "a" * 10_000])
def test_whatever_is_no_address_is_one_client(host: str) -> None:
    assert client_block(host) == UNKNOWN_CLIENT
    assert host not in Proxies(["0.0.0.0/0"])


def test_proxies_are_addresses_and_networks() -> None:
    proxies = Proxies(["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"])
    assert all(host in proxies for host in ("192.0.2.7", "10.1.2.3", "2001:db8::1"))
    assert all(host not in proxies for host in ("192.0.2.8", "11.0.0.1", "2001:db9::1"))
    assert "127.0.0.1" not in Proxies()
