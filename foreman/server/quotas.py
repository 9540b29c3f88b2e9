"""Quotas: how much of what is scarce each caller may hold, so that nobody can leave nothing to the others."""

import threading
from collections import Counter

from foreman.auth.holder import Holder


class Quota:
    """Bytes that callers hold, with a bound for all together and for each.

    An organisation may hold as much as it leaves free, and each of its keys as much as the organisation could still
    take. So one key alone gets a third, and however many hold something already, there is some left for whoever comes
    next (dynamic thresholds, as switches use them for their buffers: Choudhury and Hahne, 1998).

    :param total: how many bytes there are
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0
        self._of_org: Counter[str] = Counter()
        self._of_key: Counter[Holder] = Counter()
        self._lock = threading.Lock()

    def fits(self, holder: Holder, number: int) -> bool:
        """Whether a caller may take so many bytes more.

        An organisation that has nothing yet may as long as there is room at all, and whoever comes to an empty place.
        """
        with self._lock:
            free = self.total - self.used - number
            if self.used == 0 or (free >= 0 and not self._of_org[holder.org]):
                return True
            left_to_org = free - self._of_org[holder.org] - number
            return left_to_org >= self._of_key[holder] + number

    def take(self, holder: Holder, number: int) -> None:
        """Count so many bytes more, or with a negative number fewer."""
        with self._lock:
            self.used += number
            self._of_org[holder.org] += number
            self._of_key[holder] += number
            if self._of_org[holder.org] <= 0:
                del self._of_org[holder.org]
            if self._of_key[holder] <= 0:
                del self._of_key[holder]
