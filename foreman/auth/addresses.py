"""Client addresses: as forwarded by the trusted proxy, and as networks that count as one client."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

# The key of X-Forwarded-For in a WSGI environ.
FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"

# An address. Some proxies add the port; an IPv6 address is then in brackets.
_HOP = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9A-Fa-f:.]+)", re.ASCII)


class MalformedHeader(Exception):
    """A header of the trusted proxy is malformed."""


def client_address(forwarded_for: str) -> str:
    """The last entry of `X-Forwarded-For`, as `ipaddress` spells it; an IPv4-mapped IPv6 address as IPv4.

    :raises MalformedHeader: if it is not an address
    """
    hop = _HOP.fullmatch(forwarded_for.rpartition(",")[2].strip())
    try:
        address = ip_address(hop[hop.lastindex or 0] if hop else "")
    except ValueError:
        raise MalformedHeader("The last entry of the proxy's X-Forwarded-For is not an address") from None
    return str(getattr(address, "ipv4_mapped", None) or address)


@lru_cache(maxsize=10_000)
def network_of(address: str | None) -> str:
    """The network that counts as one client: an IPv4 address itself, or the /64 of an IPv6 address.

    Whoever has one IPv6 address usually has all 2**64 of its network (RFC 6177). Any other text is returned as it is.
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
