"""Who has authenticated from where, as far as it is remembered."""

import threading
from collections import OrderedDict

# Callers that are remembered, and networks of each. A caller that comes from many networks pushes out its own only.
_CALLERS, _NETWORKS = 10_000, 8


class LetIn:
    """Pairs of a network and a caller. When there are too many, those that have not been seen for longest go."""

    def __init__(self) -> None:
        self._networks: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()  # of each caller
        self._lock = threading.Lock()

    def knows(self, network: str, caller: str) -> bool:
        """Whether this caller has been let in from there. If so, it has been seen now."""
        with self._lock:
            networks = self._networks.get(caller)
            if networks is None or network not in networks:
                return False
            self._networks.move_to_end(caller)
            networks.move_to_end(network)
            return True

    def add(self, network: str, caller: str) -> None:
        """Remember that this caller has been let in from there."""
        with self._lock:
            networks = self._networks.setdefault(caller, OrderedDict())
            networks[network] = None
            self._networks.move_to_end(caller)
            if len(networks) > _NETWORKS:
                networks.popitem(last=False)
            if len(self._networks) > _CALLERS:
                self._networks.popitem(last=False)
