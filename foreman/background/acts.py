"""Acts over filters: a background thread of the server carries them out in short turns, one after the other.

Whose act is next is known after each (`act_queue.py`).
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, Protocol

from foreman.background.act_queue import Queue
from foreman.clock import now_ms
from foreman.db.application import Application
from foreman.db.engine import Database, Transaction
from foreman.db.failures import DatabaseError, Failure, failure_of
from foreman.db.values import as_list
from foreman.http.errors import NotReady
from foreman.maintenance.gentle_writes import ShortTurns, Stopped

log = logging.getLogger(__name__)

# Seconds between two looks at whether there is an act to carry out: one that another node was asked for, or that was
# under way when a server ended. This node's own are known at once.
LOOK_EVERY = 1.0

# Seconds between two deletions of old acts.
TIDY_EVERY = 3600.0

# Seconds for which a server that is stopping waits for this, and then for a read that it has interrupted.
ENDING, INTERRUPTION = 5.0, 1.0

# Milliseconds for which an act is kept that has been completed.
KEPT = 7 * 86_400_000

# Old acts that are deleted at once.
_DELETED_AT_ONCE = 100

# Seconds that it may take to find what an act is about, beyond the timeout of requests' reads: nobody waits for it.
FINDING = 600.0

# Failures of a statement, and not of the database: others can succeed. A read that takes too long is interrupted.
_OF_ONE_ACT = (Failure.INTERRUPTED, Failure.TOO_LARGE, Failure.TOO_DEEP, Failure.MISUSE)


class Work(Protocol):
    """What an act is about and does, which `foreman/api/` knows."""

    def find(self, tx: Transaction, position: str) -> Iterator[tuple[str, Sequence[int]]]:
        """What comes after a position, in groups: the position behind each, and the seqs in it. All has been read.

        :raises NotReady: while it cannot be found
        """

    def step(self, tx: Transaction, seqs: Sequence[int]) -> tuple[int, bool]:
        """Change a group, or a part of it; return how many were changed, and whether the group is done with.

        :raises NotReady: while it cannot be known what meets the filter
        """


class _Nothing:
    """The work of an act that cannot be carried out."""

    def find(self, _tx: Transaction, _position: str) -> Iterator[tuple[str, Sequence[int]]]:
        return iter(())

    def step(self, _tx: Transaction, _seqs: Sequence[int]) -> tuple[int, bool]:
        return 0, True


# The work of an act by its organisation, kind, filter and time. It raises ValueError if there is no such filter.
WorkOf = Callable[[str, str, str, int], Work]


class Act(NamedTuple):
    """An act that is not completed."""

    seq: int
    id: str
    org_id: str
    kind: str
    filter: str
    position: str
    created_at: int


# The acts that are not completed: 100 of each organisation at most.
TO_DO = "SELECT seq, org_id FROM act WHERE completed_at IS NULL"


@contextmanager
def acting(app: Application, work_of: WorkOf) -> Iterator[None]:
    """Carry out acts over filters, in a background thread, as long as the block lasts."""
    stopping = threading.Event()
    thread = threading.Thread(target=_act, args=(app, work_of, stopping), name="acts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        app.act_is_asked_for.set()
        thread.join(ENDING)
        if thread.is_alive():
            app.database.interrupt_reads(-FINDING)
            thread.join(INTERRUPTION)
        if thread.is_alive():
            log.warning("An act is still busy, and is not waited for any longer")


def _act(app: Application, work_of: WorkOf, stopping: threading.Event) -> None:
    """Carry out what there is, whenever there is something. If several nodes serve the database, the one that leads."""
    database, tidy_at, wait, failing = app.database, time.monotonic(), 0.0, False
    queue = Queue()
    with app.app_context():
        while True:
            asked = app.act_is_asked_for.wait(wait)
            app.act_is_asked_for.clear()
            if stopping.is_set():
                return
            wait = LOOK_EVERY
            if not database.leads():
                continue
            try:
                act = _next(database, queue, asked)
                if act is not None:
                    if not _try(act, partial(carry_out, database, act, work_of, stopping), stopping):
                        queue.failed(act.seq, LOOK_EVERY)
                    wait = 0.0
                if time.monotonic() >= tidy_at:
                    delete_old(database, now_ms() - KEPT, stopping)
                    tidy_at = time.monotonic() + TIDY_EVERY
                failing = False
            except Stopped:
                continue
            except (*DatabaseError, MemoryError) as error:
                if not failing:
                    log.warning("Acts cannot go on, and are tried again every second: %s", error)
                failing = True


def _try(act: Act, do: Callable[[], object], stopping: threading.Event) -> bool:
    """Carry out an act. A failure that is its own must not keep the others from being carried out.

    :return: whether it has not failed
    :raises Stopped: when it has to stop
    :raises DatabaseError, MemoryError: if others would fail, too
    """
    try:
        do()
        return True
    except Stopped:
        raise
    except NotReady as error:
        log.warning("Act %s waits, and is tried again in a second: %s", act.id, error)
    except Exception as error:
        if isinstance(error, (*DatabaseError, MemoryError)) and failure_of(error) not in _OF_ONE_ACT:
            raise
        if stopping.is_set():
            raise Stopped from error
        log.exception("Act %s has failed, and is tried again in a second", act.id)
    return False


def _next(database: Database, queue: Queue, asked: bool) -> Act | None:
    """The act whose turn it is; None if there is none, or all wait.

    :param asked: whether this node has been asked for one. Its commit may be under way: a block shares it, and ends
        after it
    """
    with database.write() if asked else database.read() as tx:
        seq = queue.next(tx.all(TO_DO))
        return None if seq is None else unfinished(tx, seq)


def unfinished(tx: Transaction, seq: int) -> Act:
    """An act that is not completed.

    :raises Stopped: if there is none by now, because another node has carried it out
    """
    row = tx.one("SELECT seq, id, org_id, kind, filter, position, created_at FROM act WHERE seq = :seq", seq=seq)
    if row is None:
        raise Stopped
    return Act(*row)


def carry_out(database: Database, act: Act, work_of: WorkOf, stopping: threading.Event) -> None:
    """Carry out an act from where it is.

    Each transaction stores how far it is with what it has changed. So it may end anywhere, and the next call goes on
    from there: nothing is done twice, and nothing is left out.

    :raises Stopped: when `stopping` was set before its end, or another node leads or has carried it on by now
    :raises NotReady: while it cannot be found what meets its filter
    :raises DatabaseError: when the database cannot be written to
    """
    with ShortTurns(database, stopping, lambda: _go_on(database)) as turns:
        position, found_behind = act.position, None
        work: Work
        try:
            work = work_of(act.org_id, act.kind, act.filter, act.created_at)
        except ValueError as error:
            log.error("Act %s ends here, because its filter is not known any more: %s", act.id, error)
            work = _Nothing()
        while found_behind != position:  # until nothing has been found there
            found_behind = position
            for behind, seqs in _find(database, turns, work, position):
                done = False
                while not done:
                    tx = turns.tx()
                    _hold(tx, act, position)
                    changed, done = work.step(tx, seqs)
                    tx.run(
                        """
                        UPDATE act SET changed = changed + :changed, position = :position, updated_at = :now
                        WHERE seq = :seq
                        """,
                        seq=act.seq, changed=changed, position=behind if done else position, now=now_ms(),
                    )  # fmt: skip
                position = behind
        tx = turns.tx()
        _hold(tx, act, position)
        tx.run("UPDATE act SET completed_at = :now, updated_at = :now WHERE seq = :seq", seq=act.seq, now=now_ms())
        turns.end()


def _find(database: Database, turns: ShortTurns, work: Work, position: str) -> Iterator[tuple[str, Sequence[int]]]:
    """What comes after a position. Nobody waits for a lock meanwhile."""
    turns.end()
    with database.read(patience=FINDING) as tx:
        return work.find(tx, position)


def _hold(tx: Transaction, act: Act, position: str) -> None:
    """Lock the act.

    :raises Stopped: if it is not where this node has left it, because another one has carried it on
    """
    stored = "SELECT position FROM act WHERE seq = :seq AND completed_at IS NULL"
    if tx.locked(stored, seq=act.seq) != (position,):
        raise Stopped


def _go_on(database: Database) -> None:
    """Check that this node still leads.

    :raises Stopped: when another one may by now
    """
    if not database.leads():
        raise Stopped


def delete_old(database: Database, before: int, stopping: threading.Event) -> None:
    """Delete the acts that were completed before a time, in milliseconds since 1970.

    :raises Stopped: when `stopping` was set before the end
    :raises DatabaseError: when the database cannot be written to
    """
    with database.read() as tx:  # all of them are looked at; PostgreSQL is to do that in the order of an index
        old = tx.all("SELECT seq FROM act WHERE seq > 0 AND completed_at < :before", before=before)
    with ShortTurns(database, stopping, lambda: None) as turns:
        for start in range(0, len(old), _DELETED_AT_ONCE):
            some = [seq for (seq,) in old[start : start + _DELETED_AT_ONCE]]
            turns.tx().run(
                "DELETE FROM act WHERE seq IN (SELECT CAST(value AS BIGINT) FROM json_each(:some))", some=as_list(some)
            )
        turns.end()
