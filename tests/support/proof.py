"""How much of a long proof is tried: all of it in `make proof`, a part in `make test`."""

import os

FULL = os.environ.get("PROOF") == "full"


def much(full: int, short: int) -> int:
    """So many of something in `make proof`, fewer in `make test`."""
    return full if FULL else short
