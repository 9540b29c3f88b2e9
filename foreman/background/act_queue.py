"""Whose act over a filter is carried out next."""

import time
from collections.abc import Sequence


class Queue:
    """The organisations take turns, so that nobody waits for another's second act. In each of them the oldest is first.

    An act that has failed goes behind all that there were by then, and waits for a moment.
    """

    def __init__(self) -> None:
        self._turns = 0  # how many there have been
        self._last_turn: dict[str, int] = {}  # which of them was an organisation's last one
        self._newest = 0
        self._behind: dict[int, tuple[int, int]] = {}  # the place of an act that has failed
        self._waits_until: dict[int, float] = {}

    def next(self, unfinished: Sequence[tuple[int, str]]) -> int | None:
        """The seq of the act whose turn it is; None if there is none, or all wait.

        :param unfinished: the seq and the organisation of each act that is not completed
        """
        seqs = {seq for seq, _ in unfinished}
        self._newest = max(seqs, default=0)
        self._behind = {seq: place for seq, place in self._behind.items() if seq in seqs}
        self._waits_until = {seq: until for seq, until in self._waits_until.items() if seq in seqs}
        if not unfinished:
            self._last_turn.clear()
        now = time.monotonic()
        ready = [
            (self._last_turn.get(org_id, 0), self._behind.get(seq, (seq, 0)), seq, org_id)
            for seq, org_id in unfinished
            if self._waits_until.get(seq, now) <= now
        ]
        if not ready:
            return None
        _, _, seq, org_id = min(ready)
        self._turns += 1
        self._last_turn[org_id] = self._turns
        return seq

    def failed(self, seq: int, wait: float) -> None:
        """Note that an act has failed.

        :param wait: seconds until it may be tried again
        """
        self._behind[seq] = self._newest, self._turns
        self._waits_until[seq] = time.monotonic() + wait
