"""The forms of the run-data query, whose cost is measured against the size of the run."""

from dataclasses import dataclass

from bench.cases import Case, Check, runs_of
from bench.contents import OWNERS, key_name
from bench.data import Sized
from bench.servers import Server
from bench.traffic import Script, get

LATEST, ALL = "latest per key", "includeAll"
LIST_RUNS = "list runs"

# The pages by cursor that are compared, and their numbers.
PAGES = {"list runs by cursor, page 1": 1, "list runs by cursor, page 5,000": 5000}


@dataclass(frozen=True)
class Form:
    """A query, and whether its answer is the same in every size; if not, what it matches grows with the size."""

    name: str
    mode: str
    same: bool
    variants: tuple[dict[str, str], ...]

    @property
    def title(self) -> str:
        """Its name in tables."""
        return f"{self.name}, {self.mode}"


def _fixed() -> list[tuple[str, tuple[dict[str, str], ...]]]:
    fixed = [key_name(number) for number in range(900, 1000)]
    return [
        ("key", tuple({"key": key} for key in fixed)),
        ("keys", tuple({"keys": ",".join(fixed[start : start + 10])} for start in range(0, 100, 10))),
        ("prefix", ({"keyStartsWith": "area9."},)),
        ("glob", ({"keyPattern": "area9.sensor?[0-9]"},)),
        ("tags any", ({"tags": "rare-a,rare-b"},)),
        ("tags all", ({"tags": "rare-a,rare-both", "tagMode": "all"},)),
        ("tag prefix", ({"tagStartsWith": "rare-"},)),
        ("prefix and tag", ({"keyStartsWith": "area9.", "tags": "rare-a"},)),
        ("no filter", ({},)),
    ]


# With the newest entry of each key only, what key filters match does not grow: there are as many keys in every size.
_GROWING_KEYS: list[tuple[str, tuple[dict[str, str], ...]]] = [
    ("frequent key", tuple({"key": key_name(number)} for number in range(100))),
    (
        "frequent keys",
        tuple({"keys": ",".join(map(key_name, range(start, start + 10)))} for start in range(0, 100, 10)),
    ),
    ("frequent prefix", ({"keyStartsWith": "area0."},)),
    ("frequent glob", ({"keyPattern": "area0.sensor?[0-9]"},)),
]
_GROWING_TAGS: list[tuple[str, tuple[dict[str, str], ...]]] = [
    ("common tag", ({"tags": "tag07"},)),
    ("common tags any", ({"tags": "tag07,tag31"},)),
    ("common tags all", ({"tags": "tag07,tag31", "tagMode": "all"},)),
    ("common tag prefix", ({"tagStartsWith": "tag1"},)),
]

FORMS = [
    *(Form(name, mode, True, variants) for mode in (LATEST, ALL) for name, variants in _fixed()),
    *(Form(name, ALL, False, variants) for name, variants in _GROWING_KEYS),
    *(Form(name, mode, False, variants) for mode in (LATEST, ALL) for name, variants in _GROWING_TAGS),
]

# How many rows a page has, and how many match in all: of the forms whose answer is the same in every size.
_ANSWERS = {
    "key": (1, 1, 10, 10),
    "keys": (10, 10, 100, 100),
    "prefix": (100, 100, 100, 1000),
    "glob": (100, 100, 100, 1000),
    "tags any": (100, 100, 100, 100),
    "tags all": (50, 50, 50, 50),
    "tag prefix": (100, 100, 100, 100),
    "prefix and tag": (50, 50, 50, 50),
}


def cases_of(form: Form, sized: Sized, server: str) -> Case:
    """The form as a case for the server of one size."""
    more = {"includeAll": "true"} if form.mode == ALL else {}
    path = f"/runs/{sized.run_id}/data"
    requests = [get(path, **variant, **more) for variant in form.variants]
    return Case(form.title, server, Script(requests), check=_check(form, sized), org_id=OWNERS)


def list_runs(sized: Sized, server: str) -> Case:
    """The list of runs, its total included, as a case for the server of one size."""
    return Case(LIST_RUNS, server, Script([get("/runs", limit=20)]), check=runs_of(sized.entries), org_id=OWNERS)


def pages_by_cursor(sized: Sized, server: str) -> tuple[Case, ...]:
    """Two pages of the list of runs, as cases for the server of one size; `find_page` completes the second."""
    limit = min(20, sized.entries // max(PAGES.values()))
    script = Script([get("/runs", limit=limit, cursor="")])
    return tuple(
        Case(name, server, script if number == 1 else Script([]), check=_is_page(limit), org_id=OWNERS)
        for name, number in PAGES.items()
    )


def find_page(first: Case, case: Case, server: Server) -> None:
    """Go to the page of a case, whose request is known then, in larger pages than its own.

    :param first: the case of the first page
    """
    limit = len(server.answer(first.script.requests[0], OWNERS)["items"]) if first.script else 0
    rows, cursor = limit * (PAGES[case.name] - 1), ""
    while rows:
        page = server.answer(get("/runs", limit=min(rows, 100), cursor=cursor), OWNERS)
        rows, cursor = rows - len(page["items"]), page["nextCursor"]
    if case.script:
        case.script.requests = [get("/runs", limit=limit, cursor=cursor)]


def _is_page(limit: int) -> Check:
    return lambda page: len(page["items"]) == limit and "nextCursor" in page


def _check(form: Form, sized: Sized) -> Check:
    if form.name in _ANSWERS:
        latest_rows, latest_total, all_rows, all_total = _ANSWERS[form.name]
        count, total = (latest_rows, latest_total) if form.mode == LATEST else (all_rows, all_total)
        return lambda page: len(page["data"]) == count and page["pagination"]["total"] == total
    if form.name == "no filter":
        total_of_all = 1000 if form.mode == LATEST else sized.entries
        return lambda page: len(page["data"]) == 100 and page["pagination"]["total"] == total_of_all
    return lambda page: page["pagination"]["total"] >= len(page["data"]) > 0
