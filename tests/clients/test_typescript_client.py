"""openapi-typescript makes types of the document that a server serves: openapi-fetch works with them."""

import re
import shutil
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, INSTALLED, Run
from tests.support.programs import need
from tests.support.running import Running

MODULES = INSTALLED / "node/node_modules"


@pytest.fixture
def types(served: Running, run: Run, tmp_path: Path) -> str:
    """The types, which are in `api.d.ts` too."""
    need("npm")
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    run(MODULES / ".bin/openapi-typescript", f"{served.url}/api/v1/openapi.json", "--output", "api.d.ts")
    return (tmp_path / "api.d.ts").read_text()


@pytest.mark.usefixtures("types")
def test_client_runs_a_workflow(served: Running, run: Run, tmp_path: Path) -> None:
    for name in ("workflow.ts", "tsconfig.json"):
        shutil.copy(HERE / name, tmp_path)
    run(MODULES / ".bin/tsc")
    run(need("node"), "workflow.js", served.url, served.key())


def test_no_field_is_an_object_that_can_have_no_members(types: str) -> None:
    assert "Record<string, never>" not in re.sub(r"(webhooks|\$defs) = Record<string, never>", "", types)
