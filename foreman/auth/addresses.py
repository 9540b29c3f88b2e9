"""Addresses of clients: what the trusted proxy says of them, and what is taken for one party."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

# Where a request's environment has what proxies say of its client.
FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"

# An address; some proxies add the port, to one of IPv6 in brackets.
_HOP = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9A-Fa-f:.]+)", re.ASCII)


class MalformedHeader(Exception):
    """A forwarded header of the proxy says nothing that can be believed."""


def client_address(forwarded_for: str) -> str:
    """The address in the last entry of `X-Forwarded-For`, as `ipaddress` spells it; IPv4 in IPv6 as IPv4.

    :raises MalformedHeader: when there is none
    """
    hop = _HOP.fullmatch(forwarded_for.rpartition(",")[2].strip())
    try:
        address = ip_address(hop[hop.lastindex or 0] if hop else "")
    except ValueError:
        raise MalformedHeader("The last entry of the proxy's X-Forwarded-For is not an address") from None
    return str(getattr(address, "ipv4_mapped", None) or address)


@lru_cache(maxsize=10_000)
def network_of(address: str | None) -> str:
    """What is taken for one party: an IPv4 address, or the /64 network that an IPv6 address is in.

    Whoever has one IPv6 address usually has all 2**64 of its network (RFC 6177). What is no address is itself.
    """
    text = str(address)
    if ":" not in text:
        return text
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if not isinstance(parsed, IPv6Address):
        return text
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
