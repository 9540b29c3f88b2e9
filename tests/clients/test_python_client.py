"""openapi-python-client makes a client of the document that a server serves: it is complete, typed and works."""

import shutil
from pathlib import Path

import httpx

from tests.clients.conftest import HERE, INSTALLED, Run
from tests.support.running import Running

BIN = INSTALLED / "python/bin"


def test_client_has_every_operation_and_runs_a_workflow(served: Running, run: Run, tmp_path: Path) -> None:
    document = f"{served.url}/api/v1/openapi.json"
    (tmp_path / "config.yaml").write_text("post_hooks: []\n")  # they format what is made
    # Whatever it cannot make a part of is a warning, and a failure here.
    generate = ["generate", "--url", document, "--output-path", "foreman_client", "--meta", "none", "--fail-on-warning"]
    run(BIN / "openapi-python-client", *generate, "--config", "config.yaml")

    operations = [each for path in httpx.get(document).json()["paths"].values() for each in path.values()]
    made = {module.stem for module in (tmp_path / "foreman_client/api").glob("*/[a-z]*.py")}
    assert made == {operation["operationId"] for operation in operations}

    shutil.copy(HERE / "workflow.py", tmp_path)
    run(BIN / "mypy", "--strict", "workflow.py", "foreman_client")
    run(BIN / "python", "workflow.py", served.url, served.key())


def test_document_is_valid(served: Running, run: Run, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_bytes(httpx.get(f"{served.url}/api/v1/openapi.json").content)
    run(BIN / "openapi-spec-validator", "openapi.json")
