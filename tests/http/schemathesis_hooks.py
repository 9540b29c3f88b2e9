"""What Schemathesis must know besides the OpenAPI document. Loaded by its command line (SCHEMATHESIS_HOOKS)."""

import json
import os
import random
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

# Ids that exist, by the name of the path parameter.
KNOWN_IDS: dict[str, str] = json.loads(os.environ["KNOWN_IDS"])


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Let half of the requests be about things that exist. No request deletes the run that does."""
    if context.operation.label == "DELETE /api/v1/runs/{runId}":
        return path_parameters
    if not path_parameters or random.Random(json.dumps(path_parameters, sort_keys=True)).random() < 0.5:
        return path_parameters
    return {name: KNOWN_IDS.get(name, value) for name, value in path_parameters.items()}


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:  # noqa: ARG001
    """Leave out what the document cannot forbid: OpenAPI has no words for exactly one of two query parameters.

    And keep the run that exists.
    """
    deletes_run = case.method == "DELETE" and case.path.endswith("/runs/{runId}")
    if deletes_run and (case.path_parameters or {}).get("runId") == KNOWN_IDS["runId"]:
        return False
    deletes_data = case.method == "DELETE" and case.path.endswith("/data")
    return not deletes_data or len({"key", "id"} & set(case.query or {})) == 1


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:  # noqa: ARG001
    """Leave out what is no failure, because it depends on more than the document can say."""
    if isinstance(failure, UseAfterFree) and failure.free.endswith("/data"):
        return False  # it deleted the entries that its query names, not all that the path leads to
    if not isinstance(failure, RejectedPositiveData):
        return True
    if "preference-applied" in response.headers and "Unknown field" in response.text:
        return False  # the request itself asked for that
    # Tags that are right in themselves, added to an entry that others have filled before.
    return "The entry would have" not in response.text
