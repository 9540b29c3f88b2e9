"""One transaction for a whole request: all its blocks are parts of it, and so is what is done before and after them."""

from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType

from foreman.db.engine import Block, Database, Transaction


class Whole:
    """The transaction of a request, as a `with` block around its handler. It begins with the handler's first block.

    So nobody waits for it while the handler validates. A handler has no other block. What it reads before, it reads for
    a request that is sent again, too, which must not be refused for it.

    :param before: called in the transaction before the handler's statements; what it raises ends the handler's block
    """

    def __init__(self, database: Database, before: Callable[[Transaction], object]) -> None:
        self._database, self._before = database, before
        self._block: Block | None = None
        self.tx: Transaction | None = None

    def __enter__(self) -> "Whole":
        self._outer = _whole.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _whole.reset(self._outer)
        if self._block is not None:
            block, self._block, self.tx = self._block, None, None
            block.__exit__(kind, error, traceback)

    def part(self) -> "_Part":
        """A block of the handler."""
        return _Part(self)

    def begun(self) -> Transaction:
        """The transaction, which begins now if it has not yet."""
        if self.tx is None:
            block = self._database.write()
            tx = block.__enter__()
            self._block = block
            self._before(tx)
            self.tx = tx
        return self.tx


class _Part:
    def __init__(self, whole: Whole) -> None:
        self._whole = whole

    def __enter__(self) -> Transaction:
        return self._whole.begun()

    def __exit__(self, *_: object) -> None:
        """Nothing: an error that leaves the handler ends the whole transaction."""


# The transaction of the request that is being served; None if its blocks are transactions of their own.
_whole: ContextVar[Whole | None] = ContextVar("whole", default=None)


def current_whole() -> Whole | None:
    """The transaction of the request that the caller serves, if it is one for all its blocks."""
    return _whole.get()
