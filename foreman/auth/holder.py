"""Who holds what is scarce."""

from typing import NamedTuple

from foreman.auth.addresses import network_of


class Holder(NamedTuple):
    """Who holds something: an organisation by one of its API keys, or before the key is known a client's address."""

    org: str
    key: str

    @classmethod
    def at(cls, address: str) -> "Holder":
        """Whoever is at an address, or in its network."""
        network = network_of(address)
        return cls(f"@{network}", network)
