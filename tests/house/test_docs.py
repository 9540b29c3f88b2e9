"""The documentation is true: its examples run, its tables are complete."""

import ast
import itertools
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields

import click
import httpx
import pytest

from foreman.cli.main import main
from foreman.config import Settings
from foreman.http.protocol.problems import CODES
from foreman.requirements import requirements
from tests.support.api import METRICS_TOKEN, ok
from tests.support.running import Running, Start
from tests.support.source import ROOT

VARYING = re.compile(
    r'[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z|"durationMs":\d+|fmn_prod_default_(?:\w{32}|\.{3})'
)


def blocks(language: str) -> list[str]:
    """The README's examples in a language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


# The examples of docs/api.md in shell, and what they print.
API_EXAMPLES = re.findall(
    r"```sh\n(.*?)```\s*```(?:json|text)\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL
)


def as_served(example: str, served: Running) -> str:
    """The example for this server. The key of examples that manage keys is one of `prod`."""
    for name, options in (("fmn_dev_default_...", {}), ("fmn_prod_default_...", {"admin": True})):
        example = example.replace(name, served.key("default", **options))
    return example.replace("http://localhost:3000", served.url)


def run_example(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def readme_in_shell() -> str:
    (script,) = [block for block in blocks("sh") if "api=" in block]
    return script


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_readme_example_works_and_answers_what_it_shows(served: Running) -> None:
    (shown,) = blocks("json")
    result = run_example(["sh", "-e", "-c", as_served(readme_in_shell(), served)])
    assert result.returncode == 0, result.stderr
    assert VARYING.sub("~", result.stdout).splitlines()[-2:] == VARYING.sub("~", shown).splitlines()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_readme_example_with_a_wrong_key_shows_what_the_server_says(served: Running) -> None:
    result = run_example(["sh", "-c", readme_in_shell().replace("http://localhost:3000", served.url)])
    first, *others = result.stdout.splitlines()
    assert first == '{"error":"Invalid API key format","details":[],"code":"unauthorized"}'
    assert all(line.startswith('{"error":') for line in others)
    assert result.stderr == ""


def test_readme_example_needs_only_options_of_curl_that_old_ones_have() -> None:
    assert set(re.findall(r" (--?\w+)", readme_in_shell())) <= {"-sS", "-H", "-X", "-d"}


def test_readme_example_in_python_works(served: Running) -> None:
    (script,) = blocks("python")
    result = run_example([sys.executable, "-c", as_served(script, served)])
    assert result.returncode == 0, result.stderr
    run = ast.literal_eval(result.stdout)
    assert (run["status"], run["outputData"], run["completedTasks"]) == ("completed", "mild", 1)
    refused = run_example([sys.executable, "-c", script.replace("http://localhost:3000", served.url)])
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == '{"error":"Invalid API key format","details":[],"code":"unauthorized"}\n'


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("script", "shown"), API_EXAMPLES)
def test_example_of_the_api_page_works_and_answers_what_it_shows(served: Running, script: str, shown: str) -> None:
    result = run_example(["sh", "-e", "-c", as_served(script, served)])
    assert result.returncode == 0, result.stderr
    assert VARYING.sub("~", result.stdout).splitlines() == VARYING.sub("~", shown).splitlines()


def test_example_of_pages_lists_every_failed_run(served: Running) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)
    with served.client("default") as client:
        runs = [ok(client.post("/runs", json={"inputData": number}), 201) for number in range(7)]
        failed = [ok(client.patch(f"/runs/{run['id']}", json={"status": "failed"})) for run in runs[1:]]
    result = run_example([sys.executable, "-c", as_served(script, served).replace("limit=100", "limit=2")])
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [f"{run['id']} {run['completedAt']} 1" for run in reversed(failed)]


def test_readme_commands_and_links_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make (run|test|demo)\b", readme):
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_setting_is_documented_as_it_is() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert settings_table() in page


def test_every_endpoint_is_documented_as_the_openapi_document_says(served: Running) -> None:
    with served.anonymous() as nobody:
        paths = ok(nobody.get("/openapi.json"))["paths"]
    rows = ["| request | what it does |", "|---|---|"]
    for path, operations in paths.items():
        rows += [f"| `{method.upper()} {path}` | {each['summary']} |" for method, each in operations.items()]
    assert "\n".join(rows) in (ROOT / "docs" / "api.md").read_text()


def test_every_code_of_an_error_is_documented_as_it_is() -> None:
    rows = ["| code | status | when |", "|---|---|---|"]
    rows += [f"| `{code}` | {known.status} | {known.when} |" for code, known in CODES.items()]
    assert "\n".join([*rows, ""]) in (ROOT / "docs" / "api.md").read_text()


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    names = [name for command in main.commands.values() for name in names_of(command)]
    assert len(names) > 5
    for name in names:
        assert re.search(rf"^\| `{name}[` ]", page, re.MULTILINE), name


def names_of(command: click.Command) -> list[str]:
    if isinstance(command, click.Group):
        return [f"{command.name} {name}" for name in command.commands]
    return [str(command.name)]


@pytest.mark.sqlite  # its metrics are those of PostgreSQL and two more, of files
def test_every_metric_is_documented(start: Start) -> None:
    served = start(metrics_token=METRICS_TOKEN)
    with served.client() as client:
        client.get("/runs")
    answer = httpx.get(f"{served.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    offered = set(re.findall(r"^# TYPE (foreman_\w+)", answer.text, re.MULTILINE))
    page = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"`(foreman_\w+)`", page.split("### Metrics")[1].split("### The log")[0])) == offered


def test_every_dependency_is_pinned_and_justified() -> None:
    decisions = (ROOT / "docs" / "decisions.md").read_text().lower()
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups, extras = about["dependency-groups"], about["project"]["optional-dependencies"]
    metrics = requirements(extra="metrics")
    wanted = {
        "requirements.txt": requirements(),
        "requirements/all.txt": [*requirements(), *itertools.chain(*extras.values())],
        **{f"requirements/{extra}.txt": [*requirements(), *requirements(extra)] for extra in extras},
        "requirements/dev.txt": [*requirements(), *itertools.chain(*extras.values()), *groups["dev"]],
        "requirements/bench.txt": [*requirements(), *groups["bench"]],
        "requirements/package.txt": [*requirements(), *metrics, *groups["package"]],
        "requirements/clients.txt": groups["clients"],
    }
    for file, named in wanted.items():
        assert all(re.fullmatch(r"[\w-]+(\[\w+\])?==[\w.]+", line) for line in named), named
        named = [re.sub(r"\[.*\]", "", line) for line in named]
        pinned = (ROOT / file).read_text().replace("\\\n", "").splitlines()
        for line in pinned:
            assert line.startswith("#") or re.match(r"[\w-]+==[\w.]+( ; [^-]+)? +--hash=sha256:\w{64}", line), line
        assert set(named) <= {re.split("[ ;]", line)[0] for line in pinned}
        for line in named:
            assert re.search(rf"\b{line.split('==')[0]}\b", decisions), line
    assert {f"requirements/{path.name}" for path in (ROOT / "requirements").iterdir()} == {*wanted} - {
        "requirements.txt"
    }


def test_what_is_installed_has_the_same_version_for_every_purpose_and_python() -> None:
    files = [ROOT / "requirements.txt", *(ROOT / "requirements").iterdir()]
    pinned: dict[str, set[str]] = {}
    for file in files:
        if file.name != "clients.txt":  # installed into an environment of its own
            for name, version in re.findall(r"^([\w-]+)==([\w.]+)", file.read_text(), re.MULTILINE):
                pinned.setdefault(name, set()).add(version)
    assert len(pinned) > 40
    assert {name: versions for name, versions in pinned.items() if len(versions) > 1} == {}


def settings_table() -> str:
    rows = ["| variable | flag | default | allowed | meaning |", "|---|---|---|---|---|"]
    for field in fields(Settings):
        about = field.metadata
        flag = f"`{about['flag']}`" if about["flag"] else ""
        default = f"`{about['default']}`" if about["default"] else "none"
        rows.append(f"| `{about['variable']}` | {flag} | {default} | {about['allowed']} | {about['meaning']} |")
    return "\n".join(rows)
