"""Network addresses: which mean this machine, which belong to one client, and which are proxies."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

UNKNOWN_CLIENT: Final = "unknown"
# A network gives each customer a /64 or more, from which a machine takes any address it likes.
IPV6_CLIENT_BITS: Final = 64


def is_loopback(host: str) -> bool:
    """Says whether a host name or address always means this machine."""
    if host == "localhost":
        return True
    return is_address(host) and ip_address(host).is_loopback


def is_address(host: str) -> bool:
    """Says whether a host is an IP address instead of a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def client_block(host: str) -> str:
    """Returns what stands for one client: an IPv4 address, or the /64 of an IPv6 address.

    Anything else, which only a proxy can have sent, is the same client.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return UNKNOWN_CLIENT
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((int(address), IPV6_CLIENT_BITS), strict=False))
        address = address.ipv4_mapped
    return str(address)


class Proxies:
    """The proxies in front of the service, as addresses and networks. They speak for many clients."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        """Raises ValueError for what is neither an address nor a network."""
        self._networks = tuple(ip_network(network) for network in networks)

    def __contains__(self, host: str) -> bool:
        if not is_address(host):
            return False
        address = ip_address(host)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
