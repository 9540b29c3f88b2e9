"""The readiness check: 200 if the server can take work, else 503. Needs no key.

It can if the database is writable, its schema is current, and there is room on its disk.
"""

import logging
import time

from flask import Response
from marshmallow import fields, validate

from foreman.clock import iso, now_ms
from foreman.db.application import Application
from foreman.db.engine import Database
from foreman.db.failures import DatabaseError, to_trace
from foreman.db.file import SCHEMA_VERSION
from foreman.http import schemas, shapes
from foreman.http.contract import BASE_PATH, Resource, answer, answers, costs, fails, public
from foreman.http.errors import APIError
from foreman.http.protocol.problems import Detail
from foreman.vocabulary import WAITING

log = logging.getLogger(__name__)


class Ready(schemas.CamelCase):
    """The server can take work."""

    status = fields.String(required=True, validate=validate.OneOf(("ready",)))
    timestamp = shapes.time("Now.")


# Seconds for which a result is cached: anybody may ask, and a check costs a write.
KEPT = 1.0


class NotReady(APIError):
    """503: the server cannot take work at the moment."""

    def __init__(self, problems: list[Detail]) -> None:
        super().__init__(503, "The server is not ready", problems, {"Retry-After": "1"}, code="not_ready")


class Readiness:
    """The checks, and their cached result."""

    def __init__(self, database: Database, min_disk: int) -> None:
        self._database, self._min_disk = database, min_disk
        self._found: list[Detail] | None = None
        self._until = 0.0

    def problems(self) -> list[Detail]:
        """One for each failed check: of the `disk`, the `database`, its `schema`."""
        now = time.monotonic()
        if self._found is None or now >= self._until:
            self._until = now + KEPT  # before it is known: until then, the last result counts for others
            self._found = [*self._of_disk(), *self._of_database()]
        return self._found

    def _of_disk(self) -> list[Detail]:
        try:
            free = self._database.free_space()
        except OSError as error:
            log.error("The free space on the disk of the database is unknown", exc_info=error)
            return [{"field": "disk", "message": "It cannot be seen"}]
        if free is None or free >= self._min_disk:
            return []
        log.error("The disk of the database has %d bytes left, less than FOREMAN_MIN_DISK", free)
        return [{"field": "disk", "message": "There is too little room left"}]

    def _of_database(self) -> list[Detail]:
        try:
            version = self._database.prove_writable()
        except (*DatabaseError, OSError, MemoryError) as error:
            log.error("The database cannot be written to: %s", error, exc_info=to_trace(error))
            return [{"field": "database", "message": "It cannot be written to"}]
        if version == SCHEMA_VERSION:
            return []
        log.error("The database has schema version %d, this server needs %d", version, SCHEMA_VERSION)
        return [{"field": "schema", "message": "It is not of this version"}]


def init_app(app: Application) -> None:
    """Serve `/ready`."""
    readiness = Readiness(app.database, app.settings.min_disk)
    bp = Resource("ready", __name__, "Whether the server can take work.")

    @bp.get("/ready")
    @bp.get(f"{BASE_PATH}/ready")
    @public
    @answers(200, Ready)
    @fails(503, 507)
    @costs(WAITING)
    def get_ready() -> Response:
        """Whether the server can take work: its database can be written to, its disk has room, its schema is current."""  # noqa: E501
        problems = readiness.problems()
        if problems:
            raise NotReady(problems)
        return answer({"status": "ready", "timestamp": iso(now_ms())})

    app.register_blueprint(bp)
