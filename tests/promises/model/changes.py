"""What a change of a run or a task does, and when it is refused."""

from typing import Any

from tests.api.run_data_model import tags_of_model
from tests.promises.model.exchange import Answer, Condition, Refused, opaque
from tests.promises.model.lists import Call
from tests.promises.model.things import MOST_TAGS, Run, Task, Thing
from tests.support.api import Json

States = tuple[Any, ...] | None


# Conditions -----------------------------------------------------------------------------------------------------------


def read(item: Json, condition: Condition | None) -> Answer:
    """The answer to who reads an item: nothing if it has the item already."""
    if condition is not None and condition.is_malformed:
        raise Refused.wrong("If-None-Match")
    known = condition is not None and (condition.states is None or item in condition.states)
    return Answer(304, None, item=item) if known else Answer(200, item, item=item)


def states_wanted(condition: Condition | None) -> States:
    """The states of which one has to be; None if any will do."""
    if condition is not None and condition.is_malformed:
        raise Refused.wrong("If-Match")
    return None if condition is None else condition.states


def check(states: States, item: Json) -> None:
    """:raises Refused: when the item is in none of the states"""
    if states is not None and item not in states:
        raise Refused.because(412, "It has changed since it was read: read it again")


def changed(item: Json) -> Answer:
    """The answer with an item that may have changed."""
    return Answer(200, item, item=item)


# Changes --------------------------------------------------------------------------------------------------------------


def what(thing: Thing) -> str:
    """What errors call it."""
    return "run" if isinstance(thing, Run) else "task"


def taken_from(call: Call, kind: type[Thing], external_id: str | None, but: Thing | None = None) -> Thing | None:
    """Who else has an external id."""
    holder = call.ledger.holder(call.org_id, kind, external_id)
    return None if holder is but else holder


def refuse_taken(call: Call, kind: type[Thing], external_id: str | None, but: Thing | None = None) -> None:
    """:raises Refused: when another one has the external id"""
    holder = taken_from(call, kind, external_id, but)
    if holder is not None:
        raise Refused.because(409, f"The {what(holder)} {holder.id} has this externalId")


def keeps_its_end(thing: Thing) -> bool:
    """Whether it has ended, and is strict."""
    run = thing.run if isinstance(thing, Task) else thing
    return thing.is_over and isinstance(run, Run) and run.strict


def refuse_to_leave_an_end(thing: Thing, status: str) -> None:
    """:raises Refused: when it keeps the status that it has ended with, which is another one"""
    if keeps_its_end(thing) and status != thing.status:
        which = "run that is strict" if isinstance(thing, Run) else "task of a strict run"
        raise Refused.because(409, f"A {thing.status} {which} cannot become {status}", "terminal_status")


def change(thing: Thing, new: Json, now: int) -> None:
    """Change what is new; a value that is the same changes nothing."""
    before = thing.to_json()
    thing.become(new.get("status", thing.status), now)
    for name, attribute in (("outputData", "output_data"), ("errorData", "error_data"), ("metadata", "metadata")):
        if name in new and opaque(new[name]) != opaque(getattr(thing, attribute)):
            setattr(thing, attribute, new[name])
    thing.external_id = new.get("externalId", thing.external_id)
    thing.tags = new.get("tags", thing.tags)
    if isinstance(thing, Task):
        thing.queue_job_id = new.get("queueJobId", thing.queue_job_id)
    if thing.to_json() != before:
        thing.updated_at = now


def tags_after(tags: list[str], new: Json) -> list[str]:
    """Tags after some are removed, then others added.

    :raises Refused: when they are too many
    """
    after = tags_of_model(tags, new.get("add", []), new.get("remove", []))
    if len(after) > MOST_TAGS:
        raise Refused.wrong("add")
    return after
