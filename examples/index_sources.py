"""Index the sources of Python's standard library with Foreman, then ask the index questions.

One run; a task per package and, below it, a task per module; an entry of run data per module that parses. Threads work
on the module tasks as workers behind a queue would. At the end the API's counters must equal what this program counted.

    make demo                                                                  against a throwaway server
    python examples/index_sources.py --url http://localhost:3000 --key fmn_... against a running one

It needs the standard library only: `Client` is a start for a client of your own.
"""

import argparse
import ast
import http.client
import io
import json
import platform
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

Json = dict[str, Any]
Item = TypeVar("Item")

APP = Path(__file__).resolve().parent.parent / "app.py"
STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
# Of the huge package `test` only what is there to be wrong: some of these sources do not parse.
PARTS_OF_TEST = ("test/tokenizedata", "test/test_lib2to3/data", "test/bad")
TOP_LEVEL = "top-level"  # the modules outside of packages; the hyphen keeps it apart from any package's name
THROWAWAY_KEY = "fmn_demo_acme_abc123"  # a throwaway server takes any well-formed key at its word
MOST_TAGS = 100  # the API's limit per entry
ROWS_SHOWN, CELL_SHOWN = 8, 70


class ApiError(Exception):
    """An answer of the API that is an error: its status, and its body, which says what is wrong."""


class Client:
    """The API, over one kept-open connection per thread. Every method raises what `call` raises.

    :param url: the server's, without `/api/v1`
    :param key: an API key
    """

    IDLE = 30.0  # seconds; servers close connections that idle, and a request on a closed one fails

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._server, self._base = parts.netloc, f"{parts.path.rstrip('/')}/api/v1"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._own, self._lock = threading.local(), threading.Lock()
        self._connections: list[http.client.HTTPConnection] = []
        self.requests = 0

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            connection.close()

    def get(self, path: str, **query: object) -> Json:
        """A resource, or a page of a list."""
        return self.call("GET", f"{path}?{urlencode(query)}" if query else path)

    def every(self, path: str, limit: int = 100, **query: object) -> Iterator[Json]:
        """All rows of a list, fetched in pages of `limit` rows."""
        # Oldest first: rows that are added meanwhile come last, so that they do not shift the pages under us.
        query = {"sortOrder": "asc", **query, "limit": limit}
        for offset in range(0, sys.maxsize, limit):
            page = self.get(path, **query, offset=offset)
            rows: list[Json] = page["data"] if "data" in page else page["items"]
            yield from rows
            if len(rows) < limit:
                return

    def post(self, path: str, body: Json) -> Json:
        """Create something: the answer is what was created."""
        return self.call("POST", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """Change something: the answer is the whole of it after the change."""
        return self.call("PATCH", path, body)

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """The answer to a request. One that the rate limit refuses is sent again when the server says so.

        :raises ApiError: for an answer of status 400 or more
        :raises OSError: when the server cannot be reached
        :raises http.client.HTTPException: when the connection breaks
        """
        status, headers, content = self._send(method, path, body)
        while status == HTTPStatus.TOO_MANY_REQUESTS:
            time.sleep(float(headers["Retry-After"]))
            status, headers, content = self._send(method, path, body)
        if status >= HTTPStatus.BAD_REQUEST:
            raise ApiError(f"{method} {path}: {status} {content.decode(errors='replace')}")
        answer: Json = json.loads(content)
        return answer

    def _send(self, method: str, path: str, body: Json | None) -> tuple[int, http.client.HTTPMessage, bytes]:
        own, now = self._own, time.monotonic()
        if not hasattr(own, "connection"):
            own.connection = self._connect(self._server, timeout=60)
            self._connections.append(own.connection)
        elif now - own.used_at > self.IDLE:
            own.connection.close()  # the next request opens it again
        own.used_at = now
        with self._lock:
            self.requests += 1
        try:
            own.connection.request(method, self._base + path, json.dumps(body) if body else None, self._headers)
            response = own.connection.getresponse()
            return response.status, response.headers, response.read()
        except BaseException:
            own.connection.close()  # the rest of this answer must not be taken for the next one
            raise


@dataclass
class Module:
    """A source file, and what became of it: `facts` and `tags` when it parsed."""

    path: Path
    name: str  # as in `json.decoder`
    package: "Package"
    task_id: str = ""
    facts: Json = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


@dataclass
class Package:
    """A top-level package; `unfinished` counts its modules, guarded by `lock`."""

    name: str
    modules: list[Module] = field(default_factory=list)
    task_id: str = ""
    unfinished: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def find_packages(source: Path) -> list[Package]:
    """The packages below a directory by name; last, as if they were one, the modules outside of packages."""
    directories = [path for path in sorted(source.glob("*")) if path.is_dir()]
    # Nobody can import from a directory such as `site-packages`, `.venv` or `config-3.11-x86_64-linux-gnu` by name.
    files = {path.name: sorted(path.rglob("*.py")) for path in directories if path.name.isidentifier()}
    if source == STANDARD_LIBRARY:
        wanted = tuple(str(source / part) for part in PARTS_OF_TEST)
        files["test"] = [path for path in files.get("test", []) if str(path).startswith(wanted)]
    files[TOP_LEVEL] = sorted(source.glob("*.py"))
    packages = [Package(name) for name in files if files[name]]
    for package in packages:
        names = (".".join(path.relative_to(source).with_suffix("").parts) for path in files[package.name])
        package.modules = [Module(path, name, package) for path, name in zip(files[package.name], names, strict=True)]
    return packages


def examine(source: bytes) -> Json:
    """How many lines, functions and classes a source has, and what it imports (only the first part of dotted names).

    :raises SyntaxError: when it is not Python
    :raises ValueError: when it holds null bytes
    :raises RecursionError, MemoryError: when it nests too deep
    """
    kinds: Counter[str] = Counter()
    imports: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        kinds[type(node).__name__] += 1
        if isinstance(node, ast.Import):
            imports.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            imports.add(node.module.partition(".")[0])
    functions = kinds["FunctionDef"] + kinds["AsyncFunctionDef"]
    lines = len(source.splitlines())
    return {"lines": lines, "functions": functions, "classes": kinds["ClassDef"], "imports": sorted(imports)}


def summary(modules: Sequence[Module]) -> Json:
    """The sums over some modules."""
    facts = [module.facts for module in modules if module.facts]
    sums = {name: sum(each[name] for each in facts) for name in ("lines", "functions", "classes")}
    return {"modules": len(modules), "failed": len(modules) - len(facts), **sums}


def queue_package(client: Client, run_id: str, package: Package) -> None:
    """Queue a task for a package and, below it, one for each of its modules."""

    def queued(kind: str, name: str, parent_id: str | None) -> str:
        body = {"runId": run_id, "parentTaskId": parent_id, "type": kind, "inputData": {"name": name}}
        task_id = str(client.post("/tasks", body)["id"])
        client.patch(f"/tasks/{task_id}", {"status": "queued"})
        return task_id

    package.unfinished = len(package.modules)
    package.task_id = queued("index-package", package.name, None)
    for module in package.modules:
        module.task_id = queued("index-module", module.name, package.task_id)
    client.patch(f"/tasks/{package.task_id}", {"status": "running"})


def index_module(client: Client, run_id: str, module: Module) -> None:
    """Do a module's task: keep what there is to know as run data, or say what is wrong with the source."""
    task = f"/tasks/{module.task_id}"
    client.patch(task, {"status": "running"})
    try:
        facts = examine(module.path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
        message, line = getattr(error, "msg", str(error)), getattr(error, "lineno", None)
        fail(client, task, type(error).__name__, message, line or None)
    else:
        module.facts = facts
        tags = [f"package:{module.package.name}", *(f"import:{name}" for name in facts["imports"])]
        module.tags = tags[:MOST_TAGS]
        entry = {"taskId": module.task_id, "key": f"module.{module.name}", "value": facts, "tags": module.tags}
        entry_id = client.post(f"/runs/{run_id}/data", entry)["id"]
        client.patch(task, {"status": "completed", "outputData": {"entryId": entry_id, "lines": facts["lines"]}})
    finish_package(client, module.package)


def finish_package(client: Client, package: Package) -> None:
    """After its last module, end the task of a package: it failed when every module did."""
    with package.lock:
        package.unfinished -= 1
        if package.unfinished > 0:
            return
    task, sums = f"/tasks/{package.task_id}", summary(package.modules)
    if sums["failed"] == sums["modules"]:
        fail(client, task, "NothingIndexed", f"none of {sums['modules']} modules could be parsed", None)
    else:
        client.patch(task, {"status": "completed", "outputData": sums})


def fail(client: Client, task: str, kind: str, message: str, line: int | None) -> None:
    """End a task as failed and say why."""
    client.patch(task, {"status": "failed", "errorData": {"type": kind, "message": message, "line": line}})


@contextmanager
def running(client: Client, input_data: Json) -> Iterator[str]:
    """The id of a run that is `running`; an error leaves it `failed`, Ctrl-C `cancelled`, never `running` for ever."""
    run_id = str(client.post("/runs", {"inputData": input_data, "metadata": {"program": "index_sources"}})["id"])
    client.patch(f"/runs/{run_id}", {"status": "running"})
    try:
        yield run_id
    except BaseException as error:
        status = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
        change = {"status": status, "errorData": {"type": type(error).__name__, "message": str(error)}}
        with suppress(ApiError, OSError, http.client.HTTPException):  # the first error is the one to report
            client.patch(f"/runs/{run_id}", change)
        raise


def index(client: Client, packages: list[Package], source: str, threads: int) -> str:
    """Index the packages; the id of the run, which is completed."""
    modules = [module for package in packages for module in package.modules]
    with running(client, {"source": source, "packages": [package.name for package in packages]}) as run_id:
        with ThreadPoolExecutor(threads) as pool:
            in_parallel(pool, "packages queued", packages, lambda package: queue_package(client, run_id, package))
            in_parallel(pool, "modules indexed", modules, lambda module: index_module(client, run_id, module))
        client.patch(f"/runs/{run_id}", {"status": "completed", "outputData": summary(modules)})
    return run_id


def in_parallel(pool: ThreadPoolExecutor, done: str, items: Sequence[Item], work: Callable[[Item], None]) -> None:
    """Do the work for each item; show how far it is in one line on a terminal, else in a line per quarter."""
    futures = [pool.submit(work, item) for item in items]
    is_terminal, shown_at, total = sys.stdout.isatty(), 0.0, len(items)
    try:
        for count, future in enumerate(as_completed(futures), 1):
            future.result()
            line = f"  {count:>{len(str(total))}} of {total} {done}"
            if is_terminal and (count == total or time.monotonic() - shown_at > 0.05):
                print(f"\r{line}", end="\n" if count == total else "", flush=True)
                shown_at = time.monotonic()
            elif not is_terminal and count * 4 // total > (count - 1) * 4 // total:
                print(line, flush=True)
    finally:
        for future in futures:
            future.cancel()  # after an error or Ctrl-C, what has not begun never does


def answer_questions(client: Client, run_id: str, packages: list[Package]) -> None:
    """Ask the API about the run and print what it answers."""
    data = f"/runs/{run_id}/data"
    # A package that is sure to be of interest, else the one with the most modules.
    name = max(packages, key=lambda each: (each.name == "asyncio", each.name != TOP_LEVEL, len(each.modules))).name

    def ask(question: str, path: str, limit: int = 100, **query: object) -> list[Json]:
        shown = "&".join(f"{parameter}={value}" for parameter, value in {**query, "limit": limit}.items())
        print(f"\n{question}\n  GET {path}?{shown}\n".replace(run_id, ":runId"))
        return list(client.every(path, limit, **query))

    def by_lines(facts: Json) -> int:
        return -int(facts["lines"])

    def about(entry: Json, *facts: str) -> list[object]:
        return [entry["key"].removeprefix("module."), *(entry["value"][fact] for fact in facts)]

    prefix = "module." if name == TOP_LEVEL else f"module.{name}."
    entries = ask(f"Which modules of {name} are the largest?", data, keyStartsWith=prefix, limit=1000)
    entries.sort(key=lambda entry: by_lines(entry["value"]))
    show("module lines functions classes", [about(entry, "lines", "functions", "classes") for entry in entries])

    entries = ask("Who imports threading?", data, tags="import:threading")
    users = Counter(entry["tags"][0].removeprefix("package:") for entry in entries)
    show("package modules", users.most_common())

    entries = ask("Which packages can be run with python -m?", data, keyPattern="module.*.__main__", sortBy="key")
    show("module lines imports", [about(entry, "lines", "imports") for entry in entries])

    tags = f"package:{name},import:os,import:sys"
    entries = ask(f"Which modules of {name} import both os and sys?", data, tags=tags, tagMode="all", sortBy="key")
    show("module lines imports", [about(entry, "lines", "imports") for entry in entries])

    tasks = ask("What failed, and why?", "/tasks", runId=run_id, status="failed")
    errors = [(task["inputData"]["name"], task["errorData"]) for task in tasks]
    show("name line error message", [(name, error["line"], error["type"], error["message"]) for name, error in errors])

    query = {"runId": run_id, "type": "index-package", "status": "completed"}
    tasks = ask("Which packages are the largest? (page by page: offset=0, 10, 20...)", "/tasks", 10, **query)
    tasks.sort(key=lambda task: by_lines(task["outputData"]))
    sums = ("modules", "failed", "lines", "functions", "classes")
    rows = [(task["inputData"]["name"], *(task["outputData"][name] for name in sums)) for task in tasks]
    show(f"package {' '.join(sums)}", rows)


def show(columns: str, rows: Sequence[Sequence[object]]) -> None:
    """Print the first rows of a table: text to the left, numbers to the right, long cells cut off."""

    def text(value: object) -> str:
        joined = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        return joined if len(joined) <= CELL_SHOWN else f"{joined[: CELL_SHOWN - 3]}..."

    if not rows:
        print("    none")
        return
    cells = [columns.split(), *([text(value) for value in row] for row in rows[:ROWS_SHOWN])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = [">" if all(isinstance(row[i], int | None) for row in rows) else "<" for i in range(len(widths))]
    for line in cells:
        aligned = [f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True)]
        print("    " + "   ".join(aligned).rstrip())
    if len(rows) > ROWS_SHOWN:
        print(f"    ... and {len(rows) - ROWS_SHOWN} more")


def differences(client: Client, run_id: str, packages: list[Package]) -> list[str]:
    """Compare this program's own numbers with the API's: a line for each that differs."""
    modules = [module for package in packages for module in package.modules]
    indexed = [module for module in modules if module.facts]
    tasks = len(packages) + len(modules)
    completed = len(indexed) + len({module.package.name for module in indexed})
    data = f"/runs/{run_id}/data"
    run = client.get(f"/runs/{run_id}")

    def tasks_listed(**query: object) -> int:
        return int(client.get("/tasks", runId=run_id, limit=1, **query)["total"])

    def entries_listed(**query: object) -> int:
        return int(client.get(data, limit=1, **query)["pagination"]["total"])

    numbers = [
        ("totalTasks of the run", tasks, run["totalTasks"]),
        ("completedTasks of the run", completed, run["completedTasks"]),
        ("failedTasks of the run", tasks - completed, run["failedTasks"]),
        ("cancelledTasks of the run", 0, run["cancelledTasks"]),
        ("listed tasks", tasks, tasks_listed()),
        ("listed tasks that completed", completed, tasks_listed(status="completed")),
        ("listed tasks that failed", tasks - completed, tasks_listed(status="failed")),
        ("different tasks on all pages", tasks, len({task["id"] for task in client.every("/tasks", runId=run_id)})),
        ("entries of run data", len(indexed), entries_listed(includeAll="true")),
        ("different keys on all pages", len(indexed), len({entry["key"] for entry in client.every(data)})),
    ]
    for package in packages:
        children = tasks_listed(parentTaskId=package.task_id)
        numbers.append((f"tasks below the one of {package.name}", len(package.modules), children))
    for tag, count in Counter(tag for module in indexed for tag in module.tags).items():
        numbers.append((f"entries tagged {tag}", count, entries_listed(tags=tag)))
    print(f"\nCompared {len(numbers)} numbers with the API's.")
    return [f"{what}: counted {own}, but the API says {theirs}" for what, own, theirs in numbers if own != theirs]


@contextmanager
def throwaway_server() -> Iterator[str]:
    """The URL of a server on a free port with a database of its own; it stops when the block is left.

    :raises OSError: when it does not start; stderr says why
    """
    command = [sys.executable, str(APP), "serve", "--ephemeral", "--rate-limit", "off", "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise OSError("the throwaway server did not start")
            yield url
        finally:
            process.terminate()  # SIGTERM; leaving the outer block waits for its end


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with the chosen `packages`; wrong usage exits with status 2."""
    parser = argparse.ArgumentParser(description="Index Python sources with Foreman and query the index.")
    parser.add_argument("--url", help="use the server that runs there, not a throwaway one; needs --key")
    parser.add_argument("--key", help="API key for that server")
    parser.add_argument("--threads", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--source", type=Path, default=STANDARD_LIBRARY, help="directory; default: standard library")
    parser.add_argument("--packages", metavar="NAMES", help="index only these; separated by commas")
    parser.add_argument("--limit", type=int, metavar="N", help="index only the first N packages")
    options = parser.parse_args(arguments)
    if bool(options.url) != bool(options.key):
        parser.error("--url and --key go together")
    if options.threads < 1 or (options.limit is not None and options.limit < 1):
        parser.error("--threads and --limit must be at least 1")
    found = {package.name: package for package in find_packages(options.source)}
    names = list(dict.fromkeys(options.packages.split(","))) if options.packages else list(found)
    missing = ", ".join(name for name in names if name not in found)
    if missing or not names:
        parser.error(f"there are no Python sources of {missing or 'any package'} in {options.source}")
    options.packages = [found[name] for name in names][: options.limit]
    return options


def demonstrate(options: argparse.Namespace, url: str) -> int:
    """Index, ask, compare; the exit status."""
    is_standard = options.source == STANDARD_LIBRARY
    source = f"standard library of Python {platform.python_version()}" if is_standard else options.source.name
    print(f"Indexing {source} at {url} with {options.threads} threads")
    with closing(Client(url, options.key or THROWAWAY_KEY)) as client:
        began_at = time.perf_counter()
        run_id = index(client, options.packages, source, options.threads)
        seconds, requests = time.perf_counter() - began_at, client.requests
        print(f"  {requests} requests in {seconds:.1f} s, {requests / seconds:.0f} per second, parsing included")
        answer_questions(client, run_id, options.packages)
        wrong = differences(client, run_id, options.packages)
        print(f"{len(wrong)} of them differ." if wrong else f"All agree. {client.requests} requests were made.")
    for line in wrong:
        print(f"index_sources: {line}", file=sys.stderr)
    return 1 if wrong else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when all numbers agree, 1 when some do not or something failed, 130 after Ctrl-C."""
    warnings.simplefilter("ignore", SyntaxWarning)  # those of the sources, which are not ours to mend
    try:
        options = parse_arguments(arguments)
        with nullcontext(options.url) if options.url else throwaway_server() as url:
            return demonstrate(options, url)
    except (ApiError, OSError, http.client.HTTPException) as error:
        print(f"index_sources: {error or type(error).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nindex_sources: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else SIGTERM would leave the server behind
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # error messages quote sources, in any script
    sys.exit(main())
