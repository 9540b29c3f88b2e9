"""The floor: the least that Flask on waitress can do. Every ratio in the report is to this.

    python -m bench.floor --port PORT

It answers {"ok": true} to GET and, after parsing the JSON it was sent, to POST: on waitress as it is, with as many
threads as Foreman, but without a key, a limit, validation and a database.
"""

import argparse
import logging

import waitress
from flask import Flask, request

from foreman.config import load


def create_floor() -> Flask:
    """The application of the floor."""
    app = Flask(__name__, static_folder=None)

    @app.get("/ok")
    def read() -> dict[str, bool]:
        return {"ok": True}

    @app.post("/ok")
    def write() -> dict[str, bool]:
        request.get_json()
        return {"ok": True}

    return app


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="The floor of the benchmark")
    parser.add_argument("--port", required=True)
    settings = load({"port": parser.parse_args().port})
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of every request that waits for a thread
    waitress.serve(
        create_floor(), host=settings.host, port=settings.port, threads=settings.threads, asyncore_use_poll=True
    )


if __name__ == "__main__":
    main()
