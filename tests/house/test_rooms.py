"""The house: which part of the package may use which, and which libraries belong to one part alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.source import PACKAGE, ROOT, modules, name_of, tree_of

# From the ground up. What stands on one floor does not use each other, nor what is above.
FLOORS = (
    {"foreman", "clock", "config", "packages", "pending", "requirements", "resources", "stop_signals", "vocabulary"},
    {"db"},
    {"http", "maintenance"},
    {"api", "auth", "background"},
    {"monitoring"},
    {"factory"},
    {"server"},
    {"cli"},
    {"__main__"},
)

# What the ground's modules may use of each other.
ON_THE_GROUND = FLOORS[0]

# Libraries that only these rooms may use.
BELONG_TO = {
    "sqlite3": {"db", "maintenance"},
    "psycopg": {"db", "maintenance"},
    "psycopg_pool": {"db"},
    "greenlet": {"db", "server"},
    "waitress": {"server"},
    "limits": {"auth", "config"},
    "flask_limiter": {"auth"},
    "redis": {"auth"},
    "click": {"cli"},
}

MOST_FILES = 12


def room_of(file: Path) -> str:
    """The room that a file is in; a module of the ground, and the factory, is a room of its own."""
    first = file.relative_to(PACKAGE).parts[0]
    return "foreman" if first == "__init__.py" else first.removesuffix(".py")


def imported(file: Path) -> Iterator[str]:
    """The full names of all that a file imports anywhere in it."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            yield from (f"{node.module}.{each.name}" for each in node.names)


def room_named(name: str) -> str | None:
    """The room that an imported name is from; None when it is from elsewhere."""
    package, _, rest = name.partition(".")
    if package != "foreman":
        return None
    first = rest.partition(".")[0]
    return "foreman" if first == "__version__" else first


def arrows() -> set[tuple[str, str]]:
    """Which room uses which other."""
    return {
        (room_of(file), room)
        for file in modules()
        for room in map(room_named, imported(file))
        if room is not None and room != room_of(file)
    }


def floor_of(room: str) -> int:
    (floor,) = (number for number, rooms in enumerate(FLOORS) if room in rooms)
    return floor


def test_every_module_is_in_a_room() -> None:
    assert {room_of(file) for file in modules()} == set.union(*FLOORS)


def test_arrows_go_only_downward() -> None:
    found = arrows()
    assert len(found) > 20
    upward = {
        (user, used) for user, used in found if floor_of(user) <= floor_of(used) and not {user, used} <= ON_THE_GROUND
    }
    assert upward == set()


@pytest.mark.parametrize("library", BELONG_TO)
def test_library_is_used_only_where_it_belongs(library: str) -> None:
    users = {room_of(file) for file in modules() if any(name.split(".")[0] == library for name in imported(file))}
    assert users <= BELONG_TO[library]


def test_nothing_but_its_room_leans_on_inner_parts_of_another() -> None:
    private = {
        (name_of(file), name)
        for file in modules()
        for name in imported(file)
        if room_named(name) not in (None, room_of(file)) and name.rpartition(".")[2].startswith("_")
    }
    assert {name for _, name in private} <= {"foreman.__version__"}


def test_server_knows_no_url_and_no_table() -> None:
    """What an endpoint costs stands in its contract (`costs`), not in the server."""
    known = re.compile(r"/(?:api|health|ready|metrics|docs|runs?|tasks?)\b|\b(?:SELECT|INSERT|UPDATE|DELETE|FROM)\b")
    texts = [
        (name_of(file), node.value)
        for file in PACKAGE.glob("server/*.py")
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert len(texts) > 100
    assert [(file, text) for file, text in texts if known.search(text)] == []


def test_importing_the_package_imports_nothing() -> None:
    assert list(imported(PACKAGE / "__init__.py")) == []


@pytest.mark.parametrize("room", sorted({file.parent for file in modules() if file.parent != PACKAGE}))
def test_room_is_small_enough_to_be_known(room: Path) -> None:
    assert len([file for file in room.glob("*.py") if file.name != "__init__.py"]) <= MOST_FILES


def test_files_that_the_documentation_names_exist() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    named = {
        (page.name, file)
        for page in pages
        if page.name != "CHANGELOG.md"
        for file in re.findall(
            r"`((?:foreman|tests|bench|examples|deploy)/[\w./-]+)`", page.read_text(encoding="utf-8")
        )
    }
    assert len(named) > 20
    assert {(page, file) for page, file in named if not (ROOT / file).exists()} == set()


def test_view_writes_in_one_block() -> None:
    """A view that has lost to others is called again from its start, so nothing of it may be stored by then."""
    views = [
        node
        for path in modules()
        if name_of(path).startswith(("api/", "auth/api_keys.py"))
        for node in tree_of(path).body
        if isinstance(node, ast.FunctionDef) and node.decorator_list
    ]
    blocks = [sum("db.write(" in ast.unparse(item) for each in ast.walk(view) if isinstance(each, ast.With)
                  for item in each.items) for view in views]  # fmt: skip
    assert len([number for number in blocks if number]) > 5
    assert max(blocks) == 1
