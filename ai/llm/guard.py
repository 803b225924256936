"""
Keeps model calls away from addresses that nobody meant: server-side request forgery.

A base URL is checked when it is saved and when it is used, and the address it resolves to is checked again at the moment
of connecting, so a name that changes its mind between the two (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from ai import conf
from ai.exceptions import InvalidInput, ModelError

Address = IPv4Address | IPv6Address

#: Cloud metadata services outside the link-local range: AWS over IPv6, Alibaba Cloud, Oracle, Azure's wire server.
METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")))
METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_NAT64 = 0x0064_FF9B << 96


def check_url(url: str) -> str:
    """Return `url` when a model may live there.

    Raises:
        InvalidInput: not http(s), credentials inside, or a host that is never or not yet allowed.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInput(f"The base URL is not a URL: {error}.") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise InvalidInput("The base URL must begin with http:// or https:// and name a host.")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("The base URL must not contain a user name or password; store the key in its own field.")
    if problem := host_problem(host):
        raise InvalidInput(problem)
    return url


def host_problem(host: str) -> str:
    """Why `host` is refused as it is written, or ""; a name is judged again by its addresses when connecting."""
    name = host.rstrip(".").lower()
    if name in METADATA_NAMES:
        return f"{host} serves cloud metadata and is never allowed as a model server."
    try:
        return address_problem(name, host=name)
    except ValueError:
        pass
    if (name == "localhost" or name.endswith(".localhost")) and not is_private_host(name):
        return _private(host)
    return ""


def address_problem(address: str, *, host: str) -> str:
    """Why a connection to `address`, which `host` resolved to, is refused, or "".

    Raises:
        ValueError: `address` is not an IP address.
    """
    found = _plain(ip_address(address.partition("%")[0]))
    if found.is_link_local or found.is_multicast or found.is_unspecified or found in METADATA:
        return f"{host} has the address {found}, which is never allowed for a model server."
    if found.is_reserved and not found.is_loopback:
        return f"{host} has the reserved address {found}, which is never allowed for a model server."
    if not found.is_global and not is_private_host(host):
        return _private(host)
    return ""


def is_private_host(host: str) -> bool:
    """Whether the installation lets this host have a private or loopback address."""
    return host.rstrip(".").lower() in {name.lower().strip("[]") for name in conf.current().private_model_hosts}


def refuse(problem: str) -> ModelError:
    """The error for a connection that must not be made."""
    return ModelError(f"The connection was refused before it was made: {problem}", code="server_error")


def check_addresses(addresses: Iterable[str], *, host: str) -> list[str]:
    """The addresses, when every one of them may be connected to.

    Raises:
        ModelError: one of them may not.
    """
    found = list(dict.fromkeys(addresses))
    for address in found:
        if problem := address_problem(address, host=host):
            raise refuse(problem)
    return found


async def lookup(host: str, port: int) -> list[str]:
    """The checked addresses of `host`, in the system's order of preference.

    Raises:
        ModelError: one of them may not be connected to.
        OSError: there are none.
    """
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return check_addresses((str(info[4][0]) for info in infos), host=host)


def _plain(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that merely carries it (mapped, 6to4, NAT64)."""
    if isinstance(address, IPv4Address):
        return address
    if int(address) >> 32 == _NAT64 >> 32:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _private(host: str) -> str:
    return (
        f"{host} has a private or loopback address. If that is where the model runs, add the host to the setting "
        "AI_PRIVATE_MODEL_HOSTS."
    )
