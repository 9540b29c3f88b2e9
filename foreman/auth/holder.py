"""To whom quotas of scarce resources are charged."""

from typing import NamedTuple

from foreman.auth.addresses import network_of


class Holder(NamedTuple):
    """Who holds part of a quota: an organisation by one of its API keys, or a network while the key is unknown."""

    org: str
    key: str

    @classmethod
    def at(cls, address: str) -> "Holder":
        """The holder for all clients in the network of an address."""
        network = network_of(address)
        return cls(f"@{network}", network)
