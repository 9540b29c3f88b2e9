"""What Schemathesis must know besides the OpenAPI document. Loaded by its command line (SCHEMATHESIS_HOOKS)."""

import json
import os
import random
import re
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import (
    AllowHeaderMismatch,
    JsonSchemaError,
    RejectedPositiveData,
    UnsupportedMethodResponse,
    UseAfterFree,
)

# Ids that exist, by the name of the path parameter.
KNOWN_IDS: dict[str, str] = json.loads(os.environ["KNOWN_IDS"])

# Operations after which the thing is no more, or no longer of use.
ENDING = {"DELETE /api/v1/runs/{runId}", "DELETE /api/v1/keys/{keyId}", "POST /api/v1/keys/{keyId}/rotate"}

# Paths that are also those of an item with such an id, as far as other methods are concerned: it is not found.
LIKE_AN_ID = re.compile(r"/(runs|tasks|data)/(batch|cancel|retry)$")

# What is wrong with values that are right in themselves.
DEPENDS_ON_MORE = (
    "The entry would have",  # too many tags, with those that others have given it before
    "has the same.",  # two items that must differ
    "No task of the request has this ref.",
    "Not together with parentTaskId.",
    "A new run has no other tasks",
    "The task would be its own ancestor.",
    "Exactly one of key and id is required.",  # ids that it has learnt are put in after `filter_case`
    "Must not be empty: leave the filter out",  # of an act; a list ignores it
    "Must be in the future",
    "Must be before the year 10000",
    "Not together with expiresAt",
    "Needed, because the old key expires",
    "Not a time with a time zone",  # such as a leap second
)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Let half of the requests be about things that exist. No request ends the run that does, or the key in use."""
    if context.operation.label in ENDING:
        return path_parameters
    if not path_parameters or random.Random(json.dumps(path_parameters, sort_keys=True)).random() < 0.5:
        return path_parameters
    return {name: KNOWN_IDS.get(name, value) for name, value in path_parameters.items()}


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:  # noqa: ARG001
    """Leave out what the document cannot forbid: OpenAPI has no words for exactly one of two query parameters.

    And keep the run that exists, and the key in use.
    """
    if f"{case.method} {case.path}" in ENDING and {*(case.path_parameters or {}).values()} & {*KNOWN_IDS.values()}:
        return False
    deletes_data = case.method == "DELETE" and case.path.endswith("/data")
    return not deletes_data or len({"key", "id"} & set(case.query or {})) == 1


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:  # noqa: ARG001
    """Leave out what is no failure, because it depends on more than the document can say."""
    if isinstance(failure, UseAfterFree) and failure.free.endswith("/data"):
        return False  # it deleted the entries that its query names, not all that the path leads to
    if isinstance(failure, UseAfterFree) and "/keys/" in failure.free:
        return False  # a revoked key stays in the list
    if isinstance(failure, AllowHeaderMismatch | UnsupportedMethodResponse) and LIKE_AN_ID.search(case.path):
        return False
    if isinstance(failure, JsonSchemaError) and "idempotency-replayed" in response.headers:
        return "id" not in response.json()  # of a response with a secret, that alone is sent again
    if not isinstance(failure, RejectedPositiveData):
        return True
    if "preference-applied" in response.headers and "Unknown field" in response.text:
        return False  # the request itself asked for that
    if response.status_code == 412 or any(name in response.text for name in ('"If-Match"', '"If-None-Match"')):
        return False  # a tag that is not the item's, or goes with a key, or is none: the pattern is not always heeded
    if "Not a cursor of this list" in response.text or "Not together with a cursor" in response.text:
        return False  # it has made up a cursor
    if "idempotency_conflict" in response.text:
        return False  # the key is one that an earlier request has had
    return not any(message in response.text for message in DEPENDS_ON_MORE)
