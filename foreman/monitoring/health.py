"""The health check: 200 if the database can be read, else 503. Needs no key."""

import logging

from flask import Response
from marshmallow import fields, validate

from foreman import db
from foreman.clock import iso, now_ms
from foreman.db.application import current
from foreman.db.failures import DatabaseError
from foreman.http import schemas, shapes
from foreman.http.contract import BASE_PATH, Resource, answer, answers, public

log = logging.getLogger(__name__)

bp = Resource("health", __name__, "Whether the server works.")


class Services(schemas.CamelCase):
    """What the server depends on."""

    database = fields.String(required=True, validate=validate.OneOf(("connected", "disconnected")))


class Health(schemas.CamelCase):
    """Whether the server works."""

    status = fields.String(required=True, validate=validate.OneOf(("healthy", "unhealthy")))
    timestamp = shapes.time("Now.")
    environment = shapes.text("production")
    services = fields.Nested(Services, required=True)


@bp.get("/health")
@bp.get(f"{BASE_PATH}/health")
@public
@answers(200, Health)
@answers(503, Health)
def get_health() -> Response:
    """Whether the server and its database work."""
    try:
        with db.read() as tx:
            tx.value("SELECT count(*) FROM (SELECT 1 FROM run LIMIT 1) AS any_run")
        connected = True
    except (*DatabaseError, OSError) as error:
        log.error("The database cannot be read", exc_info=error)
        connected = False
    return answer(
        {
            "status": "healthy" if connected else "unhealthy",
            "timestamp": iso(now_ms()),
            "environment": current.settings.environment,
            "services": {"database": "connected" if connected else "disconnected"},
        },
        200 if connected else 503,
    )
