"""From where somebody comes, however that is written.

Not for: whose word counts on it; behind a proxy uvicorn has found that out before (Q2 of docs/spec.md).
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from starlette.types import Scope

NOWHERE = "unknown"
"""Where somebody comes from who came through a socket file."""


def address_in(scope: Scope) -> str:
    """Return the address of whoever asks, always in the same words."""
    client = scope.get("client")
    return canonical(str(client[0])) if client else NOWHERE


def canonical(text: str) -> str:
    """Return an address as RFC 5952 writes it, and one of IPv4 as such if it was told as one of IPv6.

    What is no address stays as it is: a proxy may give names.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
