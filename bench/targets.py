"""The targets: each a ratio within one run, or a limit on memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cases import COMPARED, FLOOR_GET, FLOOR_POST, IN_BATCH, batch_of, with_key
from bench.footprint import PAYLOAD, Footprint
from bench.forms import FORMS, LIST_RUNS, PAGES
from bench.results import Place, Results, Spread, p50, rate

# (case, floor, at least this share of the floor's requests per second at 16 connections)
FLOOR_TARGETS = [
    ("get run", FLOOR_GET, 0.75),
    ("get task", FLOOR_GET, 0.75),
    ("create run", FLOOR_POST, 0.60),
    ("create task", FLOOR_POST, 0.50),
    ("update task", FLOOR_POST, 0.50),
    ("create run data", FLOOR_POST, 0.50),
    ("patch tags", FLOOR_POST, 0.50),
    ("query by key, latest", FLOOR_GET, 0.60),
    ("query by key, all", FLOOR_GET, 0.60),
    ("query by prefix, 100 rows", FLOOR_GET, 0.25),
    ("query by glob, 100 rows", FLOOR_GET, 0.25),
    ("query by tags any, 100 rows", FLOOR_GET, 0.25),
    ("query by tags all, 100 rows", FLOOR_GET, 0.20),
    ("query latest per key, 100 of 1,000 rows", FLOOR_GET, 0.20),
    ("list runs, page of 20", FLOOR_GET, 0.45),
]

LIMITER = ("get run, limit on", "get run, limit off")
COMMIT = ("create run, group commit", "create run, one commit per request")
# (case, at least so many times as many items per second in batches)
BATCHES = [("create run data", 12), ("create task", 8)]
# Writes that may be 15 % slower with an idempotency key
KEYED = ["create run", "create task"]
TAGS = ("create run data, 20 tags", "create run data, no tags")


@dataclass(frozen=True)
class Outcome:
    """A target and what was measured; None when it was not."""

    what: str
    bound: float
    at_least: bool
    measured: Spread | None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median meets the target."""
        if self.measured is None:
            return None
        return self.measured.middle >= self.bound if self.at_least else self.measured.middle <= self.bound


def outcomes(results: Results, footprint: Footprint, sizes: Sequence[int]) -> list[Outcome]:
    """All targets."""
    return [
        *(
            Outcome(
                f"{name}: relative to {floor}",
                bound,
                True,
                results.ratio(Place(name, "work", COMPARED), Place(floor, "floor", COMPARED), rate),
            )
            for name, floor, bound in FLOOR_TARGETS
        ),
        Outcome("create run: group commit relative to one commit per request", 1.6, True,
                _pair(results, COMMIT, ("work", "commit-each"))),
        Outcome("get run: with the rate limit relative to without", 0.9, True,
                _pair(results, LIMITER, ("work", "unlimited"))),
        Outcome("p50 of create run data: 20 tags relative to none", 1.6, False,
                results.ratio(Place(TAGS[0], "work", COMPARED), Place(TAGS[1], "work", COMPARED), p50)),
        *(
            Outcome(f"{name}: items per second in batches of {IN_BATCH} relative to single requests", least, True,
                    _times(IN_BATCH, _pair(results, (batch_of(name), name), ("work", "work"))))
            for name, least in BATCHES
        ),
        *(
            Outcome(f"{name}: with an idempotency key relative to without", 0.85, True,
                    _pair(results, (with_key(name), name), ("work", "work")))
            for name in KEYED
        ),
        *of_sizes(results, sizes, 1.5),
        of_pages(results, sizes),
        Outcome("start to first response, relative to importing Flask, marshmallow and Flask-Limiter", 2.5, False,
                footprint.start_ratio),
        Outcome("resident memory, idle", 70, False, _exactly(footprint.idle), "MiB"),
        Outcome("resident memory after the whole benchmark", 130, False,
                _exactly(max(footprint.used.values(), default=None)), "MiB"),
        *(
            Outcome(f"bytes on disk per byte of payload: entries of 1 KB {with_tags}", most, False,
                    _exactly(footprint.bytes_per_entry[tags] / PAYLOAD if footprint.bytes_per_entry else None))
            for tags, with_tags, most in ((0, "without tags", 1.5), (3, "with 3 tags", 1.8))
        ),
    ]  # fmt: skip


def of_sizes(results: Results, sizes: Sequence[int], most: float) -> list[Outcome]:
    """What the same response costs in the largest size relative to the smallest: the worst query, and a list.

    :param most: the target for both
    """
    what = f"p50 of a query with the same response: {sizes[-1]:,} entries relative to {sizes[0]:,}"
    grown = [(form.title, growth(results, form.title, sizes)) for form in FORMS if form.same]
    measured = [(spread, title) for title, spread in grown if spread is not None]
    if measured:
        spread, title = max(measured, key=lambda pair: pair[0].middle)
        worst = Outcome(f"{what}, worst query ({title})", most, False, spread)
    else:
        worst = Outcome(f"{what}, worst query", most, False, None)
    of_list = f"p50 of list runs: {sizes[-1]:,} runs relative to {sizes[0]:,}"
    return [worst, Outcome(of_list, most, False, growth(results, LIST_RUNS, sizes))]


def of_pages(results: Results, sizes: Sequence[int]) -> Outcome:
    """What a page far into a list costs relative to the first, by cursor, in the largest size."""
    first, far = (Place(name, str(sizes[-1]), 1) for name in PAGES)
    what = f"p50 of a list by cursor: page {max(PAGES.values()):,} relative to page 1"
    return Outcome(what, 1.2, False, results.ratio(far, first, p50))


def growth(results: Results, name: str, sizes: Sequence[int]) -> Spread | None:
    """The p50 of a case in the largest size relative to the smallest, with one connection."""
    return results.ratio(Place(name, str(sizes[-1]), 1), Place(name, str(sizes[0]), 1), p50)


def _pair(results: Results, names: tuple[str, str], servers: tuple[str, str]) -> Spread | None:
    first, second = (Place(name, server, COMPARED) for name, server in zip(names, servers, strict=True))
    return results.ratio(first, second, rate)


def _times(number: int, ratio: Spread | None) -> Spread | None:
    return ratio and Spread(ratio.middle * number, ratio.least * number, ratio.greatest * number)


def _exactly(value: float | None) -> Spread | None:
    return None if value is None else Spread(value, value, value)
