"""API keys: their format, and issuing, rotating, listing, revoking and verifying them.

A key is `fmn_ENVIRONMENT_ORGANISATION_RANDOM`. The random part has about 190 bits, which rules out brute force, so a
fast hash is enough to store it. OWASP's advice on slow hashes is about passwords that people choose.
"""

import hashlib
import hmac
import re
import secrets
import string
from typing import Any, NamedTuple

from foreman.clock import iso, now_ms
from foreman.clock import new_id as new_key_id
from foreman.db.engine import Database, Transaction
from foreman.db.values import Row

PART = r"[a-z0-9-]{1,64}"
IS_PART = re.compile(PART, re.ASCII)
_KEY = re.compile(rf"fmn_(?P<environment>{PART})_(?P<org_id>{PART})_[A-Za-z0-9]{{1,128}}", re.ASCII)
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_CHARACTERS = 32

# What a key may permit. Every key permits the first; keys are issued with the first two unless asked otherwise.
SCOPES = ("read", "write", "admin")

# The columns that `to_json` takes, in its order.
COLUMNS = "id, org_id, environment, name, read_only, admin, created_at, expires_at, last_used_at, revoked_at"


class Caller(NamedTuple):
    """An authenticated caller.

    :ivar key_id: what the rate limit counts by; not a secret
    :ivar key_name: what the log calls an issued key: its name, or else its id; None for a key that was not issued
    :ivar environment: that of the key
    :ivar admin: whether it may manage the keys of its organisation
    :ivar expires_at: from when on the key is refused, in milliseconds since 1970; None for never
    """

    org_id: str
    key_id: str
    read_only: bool
    key_name: str | None
    environment: str
    admin: bool = False
    expires_at: int | None = None


class MalformedKey(ValueError):
    """The text does not have the format of a key."""


class ExpiredKey(Exception):
    """The key was issued, but has expired."""


def issue(
    db: Database,
    org_id: str,
    environment: str,
    *,
    read_only: bool = False,
    admin: bool = False,
    expires_at: int | None = None,
    name: str | None = None,
) -> str:
    """Make a key, store its hash and return the key itself, which cannot be retrieved again.

    :param expires_at: from when on it is refused, in milliseconds since 1970
    :raises MalformedKey: if the organisation or the environment is invalid
    """
    with db.write() as tx:
        key, _ = insert(tx, org_id, environment, read_only=read_only, admin=admin, expires_at=expires_at, name=name)
    return key


def insert(
    tx: Transaction,
    org_id: str,
    environment: str,
    *,
    read_only: bool,
    admin: bool,
    expires_at: int | None,
    name: str | None,
) -> tuple[str, Row]:
    """The same in a transaction.

    :return: the key itself, and its row of `COLUMNS`
    :raises MalformedKey: if the organisation or the environment is invalid
    """
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    key = f"fmn_{environment}_{org_id}_{random}"
    if not _KEY.fullmatch(key):
        raise MalformedKey(f"organisation and environment must match {PART}")
    digest = fingerprint(key)
    (row,) = tx.all(
        f"""
        INSERT INTO api_key (id, org_id, environment, name, read_only, admin, hash_prefix, hash, created_at, expires_at)
        VALUES (:id, :org_id, :environment, :name, :read_only, :admin, :hash_prefix, :hash, :now, :expires_at)
        RETURNING {COLUMNS}
        """,
        id=new_key_id(), org_id=org_id, environment=environment, name=name, read_only=int(read_only), admin=int(admin),
        hash_prefix=digest[:16], hash=digest, now=now_ms(), expires_at=expires_at,
    )  # fmt: skip
    return key, row


def rotate(tx: Transaction, old: Row, until: int, expires_at: int | None) -> tuple[str, Row]:
    """Store a successor of a key, with its name, environment and scopes. Both are valid until the old one expires.

    :param old: the row of `COLUMNS` of the old key, which is locked
    :param until: when the old one expires, in milliseconds since 1970, unless it does so earlier
    :param expires_at: when the new one expires; None for never
    :return: the new key itself, and its row of `COLUMNS`
    """
    old_id, org_id, environment, name, read_only, admin, _, old_expires_at, *_ = old
    new = insert(
        tx, org_id, environment, read_only=bool(read_only), admin=bool(admin), expires_at=expires_at, name=name
    )
    expire(tx, old_id, until if old_expires_at is None else min(until, old_expires_at))
    return new


def why_not_to_rotate(row: Row, now: int) -> str | None:
    """Why a key has no successor, as the end of a sentence about it; None if it can have one.

    :param row: its row of `COLUMNS`
    """
    *_, expires_at, _, revoked_at = row
    if revoked_at is not None:
        return "is revoked"
    return "has expired" if expires_at is not None and expires_at <= now else None


def expire(tx: Transaction, key_id: str, expires_at: int | None) -> None:
    """Let a key expire at a time, in milliseconds since 1970; None for never."""
    tx.run("UPDATE api_key SET expires_at = :expires_at WHERE id = :id", id=key_id, expires_at=expires_at)


def take_back(db: Database, key: str) -> None:
    """Delete a key that nobody has seen."""
    digest = fingerprint(key)
    with db.write() as tx:
        tx.run(
            "DELETE FROM api_key WHERE hash_prefix = :hash_prefix AND hash = :hash",
            hash_prefix=digest[:16],
            hash=digest,
        )


def revoke(db: Database, key_id: str) -> bool:
    """Revoke a key at once; False if there is no valid key with this id."""
    with db.write() as tx:
        changed = tx.run(
            "UPDATE api_key SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL", id=key_id, now=now_ms()
        )
    return changed == 1


def with_id(tx: Transaction, key_id: str) -> Row | None:
    """The row of `COLUMNS` of a key of any organisation; nobody else can change it until the transaction ends."""
    return tx.locked(f"SELECT {COLUMNS} FROM api_key WHERE id = :id", id=key_id)


def every(db: Database) -> list[dict[str, Any]]:
    """All keys, see `listed`."""
    with db.read() as tx:
        return listed(tx)


def listed(tx: Transaction) -> list[dict[str, Any]]:
    """All keys, oldest first: id, organisation, environment, name, access, times and scopes; never the secret."""
    return [_to_json(row) for row in tx.all(f"SELECT {COLUMNS} FROM api_key ORDER BY id")]


def exist(db: Database) -> bool:
    """Whether any key was ever issued."""
    return db.one("SELECT 1 FROM api_key LIMIT 1") is not None


def verify(db: Database, key: str) -> Caller | None:
    """The caller whose issued key this is; None if the key is unknown or revoked.

    :raises MalformedKey: if the text does not have the format of a key
    :raises ExpiredKey: if the key has expired
    """
    match = _KEY.fullmatch(key)
    if not match:
        raise MalformedKey
    digest = fingerprint(key)
    row = db.one(
        """
        SELECT id, org_id, name, read_only, admin, expires_at, hash
        FROM api_key
        WHERE hash_prefix = :hash_prefix AND revoked_at IS NULL
        """,
        hash_prefix=digest[:16],
    )
    if row is None:
        return None
    key_id, org_id, name, read_only, admin, expires_at, expected = row
    if not hmac.compare_digest(expected, digest):
        return None
    if expires_at is not None and expires_at <= now_ms():
        raise ExpiredKey
    return Caller(org_id, key_id, bool(read_only), name or key_id, match["environment"], bool(admin), expires_at)


def take_at_its_word(key: str) -> Caller:
    """The caller that a well-formed key names, issued or not. It may not manage keys: those would outlive the trust.

    :raises MalformedKey: if the text does not have the format of a key
    """
    match = _KEY.fullmatch(key)
    if not match:
        raise MalformedKey
    return Caller(match["org_id"], fingerprint(key), read_only=False, key_name=None, environment=match["environment"])


def fingerprint(key: str) -> str:
    """The SHA-256 of a key in hexadecimal digits, the only form in which it is stored."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def to_json(row: Row) -> dict[str, Any]:
    """The key object of the API, from a row of `COLUMNS`. It has neither the secret nor its hash."""
    key_id, org_id, environment, name, read_only, admin, created_at, expires_at, last_used_at, revoked_at = row
    return {
        "id": key_id,
        "orgId": org_id,
        "environment": environment,
        "name": name,
        "scopes": [scope for scope, has in zip(SCOPES, (True, not read_only, admin), strict=True) if has],
        "createdAt": iso(created_at),
        "expiresAt": iso(expires_at),
        "lastUsedAt": iso(last_used_at),
        "revokedAt": iso(revoked_at),
    }


def _to_json(row: Row) -> dict[str, Any]:
    """The same as `keys list` shows it: what it has always shown comes first."""
    key = to_json(row)
    access = "full" if "write" in key["scopes"] else "read-only"
    first = {name: key[name] for name in ("id", "orgId", "environment", "name")}
    return {**first, "access": access, "createdAt": key["createdAt"], "revokedAt": key["revokedAt"], **key}
