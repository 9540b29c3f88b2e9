"""Idempotent writes: a client that does not know whether a request was carried out sends it again with the same key.

The response to the first request with an `Idempotency-Key` is stored in the same transaction as what the request did,
and given again to the next ones (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/). A
request that was refused has done nothing, so nothing is stored, and the next one is carried out.
"""

import hashlib
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol

import msgspec
from flask import Request, Response, g, request

from foreman import db
from foreman.clock import now_ms
from foreman.db.engine import Transaction
from foreman.db.failures import EngineError, Failure
from foreman.http.errors import Conflict, IdempotencyConflict, Invalid
from foreman.http.opaque_json import decode_object, first_of_list, split_list
from foreman.vocabulary import MOST_ITEMS

KEY, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
_IN_ENVIRON = "HTTP_IDEMPOTENCY_KEY"
LONGEST_KEY = 255

# Bytes of a response up to which all of it is stored.
LARGEST = 65_536

# Seconds that a request waits for an earlier one with the same key, and between two looks.
PATIENCE, LOOK_EVERY = 10.0, 0.02

# Headers of a response that are given again with it.
_HEADERS = ("Location", "ETag")

# Members of a response in which there are further resources.
_RESOURCES = ("items", "tasks", "data")

_split = first_of_list(msgspec.Raw, MOST_ITEMS)


class _Replay(Exception):
    """The request has been carried out before: this is its response."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class _Operation(Protocol):
    @property
    def kept(self) -> bool:
        """Whether the response may be stored as it is; otherwise, as of a large one, only its ids are."""


def once(view: Callable[..., Response], operation: _Operation) -> Callable[..., Response]:
    """A view that does its work once for each key, however often a request is sent.

    :param view: its blocks of `db.write` become one transaction, in which the response is stored, too
    """

    @wraps(view)
    def view_once(**path: str) -> Response:
        key = request.environ.get(_IN_ENVIRON)
        if key is None:
            return view(**path)
        if not 1 <= len(key.encode("latin-1").decode(errors="replace")) <= LONGEST_KEY:
            message = f"Must have 1 to {LONGEST_KEY} characters."
            raise Invalid("Validation failed", [{"field": KEY, "message": message}])
        wanted = _Wanted(request, key)
        try:
            with db.whole(wanted.find) as whole:
                response = view(**path)
                if whole.tx is not None:
                    wanted.keep(whole.tx, response, whole_body=operation.kept)
        except _Replay as replay:
            return replay.response
        return response

    return view_once


class _Wanted:
    """A request with a key.

    Keys belong to the organisation, so that they outlive the API key. A path and a method have keys of their own.
    """

    def __init__(self, asked: Request, key: str) -> None:
        named = "\n".join((asked.method, asked.environ["PATH_INFO"].lower(), key)).encode("utf-8", "surrogateescape")
        self._request = hashlib.blake2b(named, digest_size=24).hexdigest()
        self._content = hashlib.sha256(asked.query_string + b"\n" + asked.get_data()).hexdigest()
        self._org_id: str = g.org_id

    def find(self, tx: Transaction) -> None:
        """Go on if this is the first request with the key; wait for another one that is being carried out.

        :raises _Replay: if it has been carried out
        :raises IdempotencyConflict: if that was a request with another body or query
        :raises Conflict: if another one takes too long
        """
        deadline = time.monotonic() + PATIENCE
        while not tx.claims(f"{self._org_id} {self._request}"):
            if time.monotonic() > deadline:
                message = "An earlier request with this Idempotency-Key is still under way"
                raise Conflict(message, code="idempotency_in_progress")
            db.pause(LOOK_EVERY)
        row = tx.one(
            """
            SELECT content, status_code, headers, CAST(body AS BLOB)
            FROM idempotency_key
            WHERE org_id = :org_id AND request = :request
            """,
            org_id=self._org_id, request=self._request,
        )  # fmt: skip
        if row is None:
            return
        content, status_code, headers, body = row
        if content != self._content:
            raise IdempotencyConflict
        response = Response(body, status_code, msgspec.json.decode(headers), content_type="application/json")
        response.headers[REPLAYED] = "true"
        raise _Replay(response)

    def keep(self, tx: Transaction, response: Response, *, whole_body: bool) -> None:
        """Store the response.

        :raises EngineError: if another request has stored one in spite of the claim: this one then begins anew
        """
        body = response.get_data()
        if not whole_body or len(body) > LARGEST:
            body = msgspec.json.encode(ids_in(body))
        headers = {name: value for name, value in response.headers if name in _HEADERS}
        stored = tx.run(
            """
            INSERT INTO idempotency_key (org_id, request, content, status_code, headers, body, created_at)
            VALUES (:org_id, :request, :content, :status_code, :headers, :body, :now)
            ON CONFLICT DO NOTHING
            """,
            org_id=self._org_id, request=self._request, content=self._content, status_code=response.status_code,
            headers=msgspec.json.encode(headers).decode(), body=body.decode(), now=now_ms(),
        )  # fmt: skip
        if not stored:
            raise EngineError(Failure.AGAIN, "another request has stored a response for this Idempotency-Key")


def ids_in(body: bytes) -> dict[str, Any]:
    """What is stored of a response that is too large, or secret: the ids of what it describes.

    Nothing else of it is decoded. It may have opaque JSON of any size, and with unpaired surrogates.
    """
    members = decode_object(body)
    lists = {name: split_list(members[name], _split) for name in _RESOURCES if name in members}
    kept = {"id": members["id"]} if "id" in members else {}
    return kept | {name: [{"id": decode_object(bytes(each))["id"]} for each in lists[name]] for name in lists}
