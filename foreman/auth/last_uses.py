"""When API keys were last used, as noted in memory until the background writes it to the database.

A request pays for a dictionary entry, and for nothing else.
"""

from foreman.clock import now_ms

# Maximum number of notes, each of about 200 bytes. Further keys are noted when there is room again.
_MOST = 10_000

# A key's id, and when it was used, in milliseconds since 1970.
Use = tuple[str, int]


class LastUses:
    """The last use of each key that was used since the last `take`. For any thread; no method waits."""

    def __init__(self) -> None:
        self._noted: dict[str, int] = {}

    def note(self, key_id: str) -> None:
        """Note that a key is used now."""
        if key_id in self._noted or len(self._noted) < _MOST:
            self._noted[key_id] = now_ms()

    def take(self) -> list[Use]:
        """All notes, by id. They are forgotten here."""
        taken = []
        while self._noted:
            taken.append(self._noted.popitem())
        return sorted(taken)

    def put_back(self, uses: list[Use]) -> None:
        """Note again what was taken, where there is nothing newer."""
        for key_id, used_at in uses:
            if len(self._noted) < _MOST:
                self._noted.setdefault(key_id, used_at)
