"""A background thread of the server, which lasts as long as a block."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beside(
    work: Callable[[threading.Event], None], name: str, ending: float, late: Callable[[], object] = lambda: None
) -> Iterator[threading.Thread]:
    """Let a thread work while the block lasts.

    :param work: gets an event that is set at the end of the block, and ends soon then
    :param ending: seconds for which its end is waited for
    :param late: called if it has not ended by then
    """
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(stopping,), name=name, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stopping.set()
        thread.join(ending)
        if thread.is_alive():
            late()
