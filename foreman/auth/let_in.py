"""An LRU cache of who has authenticated from which network."""

import threading
from collections import OrderedDict

# Maximum number of callers, and of networks of each. A caller that comes from many networks evicts only its own.
_CALLERS, _NETWORKS = 10_000, 8


class LetIn:
    """Pairs of a network and a caller. When there are too many, the least recently seen ones are evicted."""

    def __init__(self) -> None:
        self._networks: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()  # by caller
        self._lock = threading.Lock()

    def knows(self, network: str, caller: str) -> bool:
        """Whether this caller has authenticated from there. If so, it becomes the most recently seen."""
        with self._lock:
            networks = self._networks.get(caller)
            if networks is None or network not in networks:
                return False
            self._networks.move_to_end(caller)
            networks.move_to_end(network)
            return True

    def add(self, network: str, caller: str) -> None:
        """Remember that this caller has authenticated from there."""
        with self._lock:
            networks = self._networks.setdefault(caller, OrderedDict())
            networks[network] = None
            self._networks.move_to_end(caller)
            if len(networks) > _NETWORKS:
                networks.popitem(last=False)
            if len(self._networks) > _CALLERS:
                self._networks.popitem(last=False)
