"""Where the queues are, for TypeScript clients, which read it at startup. Foreman itself uses none of it."""

from typing import Any

from flask import Response
from marshmallow import fields

from foreman import __version__
from foreman.config import Settings
from foreman.db.application import current
from foreman.http import schemas, shapes
from foreman.http.contract import Resource, answer, answers

bp = Resource("config", __name__, "What existing TypeScript clients read at startup.")


class RedisConfig(schemas.CamelCase):
    """The Redis server that carries the queues."""

    host = shapes.text("localhost")
    port = shapes.count("TCP port.", 6379)
    password = fields.String(metadata={"examples": ["secret"]})
    db = fields.Integer(metadata={"examples": [0]})


class QueuesConfig(schemas.CamelCase):
    """The names of the queues."""

    task_queue = shapes.text("foreman-tasks")
    result_queue = shapes.text("foreman-results")


class Config(schemas.CamelCase):
    """What clients read at startup."""

    version = shapes.text("0.5.0")
    environment = shapes.text("production")
    redis = fields.Nested(RedisConfig, required=True)
    queues = fields.Nested(QueuesConfig, required=True)


@bp.get("/config")
@answers(200, Config)
def get_config() -> Response:
    """Version, environment, and where the queues are."""
    settings = current.settings
    return answer(
        {
            "version": __version__,
            "environment": settings.environment,
            "redis": redis_json(settings),
            "queues": queues_json(settings),
        }
    )


@bp.get("/config/redis")
@answers(200, RedisConfig)
def get_redis() -> Response:
    """The Redis server that carries the queues."""
    return answer(redis_json(current.settings))


@bp.get("/config/queues")
@answers(200, QueuesConfig)
def get_queues() -> Response:
    """The names of the queues."""
    return answer(queues_json(current.settings))


def redis_json(settings: Settings) -> dict[str, Any]:
    """`password` and `db` are present only if they are set: clients would send an empty password to Redis."""
    optional = {"password": settings.redis_password, "db": settings.redis_db}
    return {
        "host": settings.redis_host,
        "port": settings.redis_port,
        **{name: value for name, value in optional.items() if value is not None},
    }


def queues_json(settings: Settings) -> dict[str, Any]:
    """The names under which clients enqueue tasks and results."""
    return {"taskQueue": settings.task_queue, "resultQueue": settings.result_queue}
