"""Lists: what meets their filters, in which order it comes, and where a page begins and ends."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tests.api.run_data_model import wanted_tags
from tests.promises.model.exchange import Answer, Refused, Request
from tests.promises.model.things import Ledger, Run, Task, Thing
from tests.support.api import Json

# What may differ from page to page.
OF_A_PAGE = frozenset({"limit", "offset", "cursor", "count", "view"})

Each = TypeVar("Each")

# By what something is sorted. No two have the same.
Place = tuple[Any, ...]


class Given(Protocol):
    """What only the server knows: ids and cursors, as they are in its answer."""

    def id(self, *where: str | int) -> str:
        """The id of what is created, by its place in the answer. Asked in the order of creation."""

    def cursor(self) -> str:
        """Where the next page begins. Asked only if there is one."""


@dataclass(frozen=True)
class Call:
    """A request that somebody may make."""

    ledger: Ledger
    request: Request
    org_id: str
    given: Given

    @property
    def now(self) -> int:
        """The time."""
        return self.ledger.now


# Filters --------------------------------------------------------------------------------------------------------------


def refuse_undeclared(ledger: Ledger, wanted: Json) -> None:
    """:raises Refused: when lists are not filtered by a path of metadata"""
    unknown = [path for path in wanted.get("metadata", {}) if path not in ledger.declared]
    if unknown:
        raise Refused.wrong(*(f"metadata.{path}" for path in unknown))


def meets(thing: Thing, wanted: Json) -> bool:
    """Whether a run or task meets all filters."""
    return all(
        [
            thing.status in (wanted.get("status") or [thing.status]),
            thing.id in (wanted.get("ids") or [thing.id]),
            thing.external_id == wanted.get("externalId", thing.external_id),
            wanted_tags(thing.tags, wanted),
            all(value_at(path, thing.metadata) == value for path, value in wanted.get("metadata", {}).items()),
            *(_is_within(thing, name, wanted) for name in ("created", "updated", "started", "completed")),
            not isinstance(thing, Task) or _task_meets(thing, wanted),
        ]
    )


def _task_meets(task: Task, wanted: Json) -> bool:
    parent = "none" if task.parent is None else task.parent.id
    return (
        task.type == wanted.get("type", task.type)
        and task.type in (wanted.get("types") or [task.type])
        and task.run.id == wanted.get("runId", task.run.id)
        and parent == wanted.get("parentTaskId", parent)
    )


def _is_within(thing: Thing, name: str, wanted: Json) -> bool:
    after, before, time = wanted.get(f"{name}After"), wanted.get(f"{name}Before"), getattr(thing, f"{name}_at")
    if time is None:
        return after is None and before is None
    return (after is None or time >= after) and (before is None or time < before)


def value_at(path: str, metadata: str | None) -> str | None:
    """What is at a path of metadata: a text, or a number, `true`, `false` or `null` as it was sent."""
    value = json.loads(metadata or "{}", parse_int=str, parse_float=str)
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return value if isinstance(value, str) and len(value) <= 255 else None


# Pages ----------------------------------------------------------------------------------------------------------------


class Pages:
    """A list of which a page is asked for.

    :param usual: which filters and orders are as if they were given
    :raises Refused: when the cursor is not of this list, or there is an offset with it
    """

    def __init__(self, call: Call, wanted: Json, usual_limit: int, **usual: str) -> None:
        self.call, self.wanted = call, wanted
        self.limit, self.offset = wanted.get("limit", usual_limit), wanted.get("offset", 0)
        of_list = {name: value for name, value in {**usual, **wanted}.items() if name not in OF_A_PAGE}
        self.scope = (call.org_id, call.request.path.lower(), json.dumps(of_list, sort_keys=True))
        self.after: Place | None = None
        self.by_cursor, cursor = "cursor" in wanted, wanted.get("cursor")
        if self.by_cursor and self.offset:
            raise Refused.wrong("offset")
        if cursor:
            scope, self.after = call.ledger.cursors.get(cursor, (None, None))
            if scope != self.scope:
                raise Refused.wrong("cursor")

    def cut(
        self,
        ordered: Sequence[tuple[Place, Each]],
        *,
        descending: bool,
        by: Callable[[Place], Any] = lambda place: place,
    ) -> tuple[list[Each], str | None]:
        """A page, and the cursor of the next one.

        :param by: the part of a place by which it is told whether it comes after another
        """
        start = self.after
        if start is not None:
            ordered = [each for each in ordered if (by(each[0]) < by(start) if descending else by(each[0]) > by(start))]
        page = ordered[self.offset : self.offset + self.limit]
        next_cursor = None
        if self.by_cursor and len(ordered) > self.limit:
            next_cursor = self.call.given.cursor()
            place = self.scope, page[-1][0]
            assert self.call.ledger.cursors.setdefault(next_cursor, place) == place
        return [each for _, each in page], next_cursor

    def members(self, total: int, next_cursor: str | None) -> Json:
        """What an answer says of its page."""
        return {
            **({} if self.wanted.get("count") == "false" else {"total": total}),
            "limit": self.limit,
            "offset": self.offset,
            **({"nextCursor": next_cursor} if self.by_cursor else {}),
        }


def shown(thing: Run | Task, wanted: Json) -> Json:
    """A run or task in the view that is wanted."""
    return thing.to_summary() if wanted.get("view") == "summary" else thing.to_json()


def in_order(things: Iterable[Thing], sort_by: str, *, descending: bool) -> list[tuple[Place, Any]]:
    """Things, each with its place: ties in the order of insertion. What has no value comes last, by creation."""

    def place(thing: Thing) -> Place:
        value = getattr(thing, sort_by)
        if value is None:
            return not descending, thing.created_at, thing.number
        return descending, value, thing.number

    return sorted(((place(thing), thing) for thing in things), key=lambda each: each[0], reverse=descending)


def page_of(call: Call, things: Callable[[], Iterable[Run] | Iterable[Task]], wanted: Json) -> Answer:
    """A page of a list of runs or tasks.

    :param things: those of which it is a list
    """
    refuse_undeclared(call.ledger, wanted)
    pages = Pages(call, wanted, 20, sortBy="created_at", sortOrder="desc", tagMode="any")
    matching = [thing for thing in things() if meets(thing, wanted)]
    descending = wanted.get("sortOrder", "desc") == "desc"
    ordered = in_order(matching, wanted.get("sortBy", "created_at"), descending=descending)
    page, next_cursor = pages.cut(ordered, descending=descending)
    items = [shown(thing, wanted) for thing in page]
    return Answer(200, {"items": items, **pages.members(len(matching), next_cursor)}, next_cursor=next_cursor)
