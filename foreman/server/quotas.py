"""Quotas: how much of a scarce resource each caller may hold, so that nobody can starve the others."""

import threading
from collections import Counter

from foreman.auth.holder import Holder


class Quota:
    """A quota in bytes, shared by all callers.

    An organisation may hold as much as it leaves free, and each of its keys as much as the organisation could still
    take. So one key alone gets a third. However many callers hold something already, some is left for the next
    (dynamic thresholds, as switches use them for their buffers: Choudhury and Hahne, 1998).

    :param total: its size in bytes
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0
        self._of_org: Counter[str] = Counter()
        self._of_key: Counter[Holder] = Counter()
        self._lock = threading.Lock()

    def fits(self, holder: Holder, number: int) -> bool:
        """Whether a caller may take `number` bytes more.

        An organisation that holds nothing yet may take all that is free. If nobody holds anything, a caller may take
        any number.
        """
        with self._lock:
            free = self.total - self.used - number
            if self.used == 0 or (free >= 0 and not self._of_org[holder.org]):
                return True
            left_to_org = free - self._of_org[holder.org] - number
            return left_to_org >= self._of_key[holder] + number

    def take(self, holder: Holder, number: int) -> None:
        """Take `number` bytes; a negative number gives them back."""
        with self._lock:
            self.used += number
            self._of_org[holder.org] += number
            self._of_key[holder] += number
            if self._of_org[holder.org] <= 0:
                del self._of_org[holder.org]
            if self._of_key[holder] <= 0:
                del self._of_key[holder]
