"""The floor: the least that Flask behind our server can do. Every ratio in the report is to this.

    python -m bench.floor --port PORT

It answers {"ok": true} to GET and, after parsing the JSON it was sent, to POST: on the same server class with the same
settings, but without a key, a limit, validation and a database.
"""

import argparse

from flask import Flask, request

from foreman.config import load
from foreman.server import Server


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
    server = Server(create_floor(), load({"port": parser.parse_args().port}))
    server.stop_on_signals()
    server.run()


if __name__ == "__main__":
    main()
