"""Which addresses an ``http`` source may be served from: judged on the address that is connected to, never on a name."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from modelyard_api.contract.steps import NetworkRules
from modelyard_runtime.errors import InvalidSpecError

Address = IPv4Address | IPv6Address

_METADATA = frozenset(ip_address(each) for each in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254"))
"""Where clouds tell a machine its secrets; nobody's data are there, so no rule opens it."""
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 behind NAT64, in the last four bytes."""


@dataclass(frozen=True)
class Place:
    """A resolved address with its port."""

    address: str
    port: int


def places(host: str, port: int, rules: NetworkRules, field: str) -> list[Place]:
    """Addresses of a host that may be connected to, in the resolver's order.

    Raises InvalidSpecError where the host has none, or none that is allowed; ``socket.gaierror`` where the resolver
    does not answer.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except socket.gaierror as error:
        if error.errno not in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}:
            raise
        raise InvalidSpecError(
            "no such host is known", field=field, value=host, remedy="correct the host name of the URL"
        ) from error
    resolved = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    reasons = {address: refusal(ip_address(address.partition("%")[0]), rules) for address in resolved}
    allowed = [Place(address, port) for address, reason in reasons.items() if reason is None]
    if allowed:
        return allowed
    address, reason = next(iter(reasons.items()))
    raise InvalidSpecError(
        f"has the address {address}, which {reason}",
        field=field,
        value=host,
        remedy="use a host of the internet, or ask whoever runs Modelyard to set pods.loader.http.privateAddresses",
    )


def refusal(address: Address, rules: NetworkRules) -> str | None:
    """Why an address may not be asked, None if it may."""
    address = _embedded(address)
    if address in _METADATA:
        return "is that of the cloud's metadata, which is never asked"
    if address.is_multicast or address.is_unspecified:
        return "is no address of one server"
    if rules.private_addresses or (address.is_global and not address.is_reserved):
        return None
    if address.is_loopback:
        return "is the pod itself"
    return "is not one of the internet"


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, else the address."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _TRANSLATED:
        inner = IPv4Address(address.packed[-4:])
    return inner or address
