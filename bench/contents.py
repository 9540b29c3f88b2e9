"""What the databases hold: keys and tags by number. It needs nothing of Foreman, whose code may be another tree's.

Every size has the same 1,000 keys, `area0.sensor00` to `area9.sensor99`. The keys of area 9 have ten entries each
whatever the size, and so have the rare tags 100, and the pair of tags 200: questions about them have the same answer in
every size. The other 900 keys share the remaining entries, and each of 50 common tags is on about two percent of all
entries: their matches grow with the size.
"""

import random
from dataclasses import dataclass, field

WORKERS, OWNERS = "workers", "owners"  # the organisations of rows that change, and of rows that stay

KEYS = 1000
FIXED_KEYS = 100
ENTRIES_PER_FIXED_KEY = 10
COMMON_TAGS = [f"tag{number:02d}" for number in range(50)]
# The entries with the pair of tags, among those of the fixed keys: two of each key.
PAIR = range(200, 400)
PAIR_TAGS = ["pair-a", "pair-b"]
# The entries with the rare tags, likewise: one of each key.
RARE = range(500, 600)


@dataclass
class Work:
    """Rows that operations read and change."""

    run_ids: list[str] = field(default_factory=list)
    task_ids: list[str] = field(default_factory=list)  # one of each run, in the same order
    entry_ids: list[str] = field(default_factory=list)  # likewise
    delete_run_id: str = ""
    delete_ids: list[str] = field(default_factory=list)
    delete_keys: list[str] = field(default_factory=list)


def key_name(number: int) -> str:
    """The key with this number, 0 to 999; the last 100 are area 9."""
    return f"area{number // 100}.sensor{number % 100:02d}"


def gone_key(number: int) -> str:
    """The key of the n-th entry that is deleted by its id: one of 100, as if several workers had written them."""
    return f"gone.{number % 100:02d}"


def key_of(entry: int, entries: int) -> int:
    """The number of the key of the n-th entry of a run with so many entries."""
    every = entries // (FIXED_KEYS * ENTRIES_PER_FIXED_KEY)
    if entry % every == 0:
        return KEYS - FIXED_KEYS + entry // every % FIXED_KEYS
    return (entry - entry // every - 1) % (KEYS - FIXED_KEYS)


def tags_of(entry: int, entries: int, dice: random.Random) -> list[str]:
    """The tags of the n-th entry: 0 to 2 common ones; some entries of the fixed keys have the pair or rare ones too."""
    tags = list(dict.fromkeys(dice.choice(COMMON_TAGS) for _ in range(dice.choice((0, 1, 1, 2)))))
    every = entries // (FIXED_KEYS * ENTRIES_PER_FIXED_KEY)
    if entry % every == 0 and entry // every in PAIR:
        tags += PAIR_TAGS
    if entry % every == 0 and entry // every in RARE:
        tags += ["rare-both", "rare-a" if entry // every % 2 else "rare-b"]
    return tags


def status_of(dice: random.Random) -> str:
    """The status of one of the runs of a list: most have ended."""
    return dice.choice(("completed", "completed", "completed", "running", "pending"))
