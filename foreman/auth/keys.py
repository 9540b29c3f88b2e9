"""API keys: their format, and issuing, listing, revoking and verifying them.

A key is `fmn_ENVIRONMENT_ORGANISATION_RANDOM`. The random part has about 190 bits, which rules out brute force, so a
fast hash is enough to store it. OWASP's advice on slow hashes is about passwords that people choose.
"""

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass

from foreman.clock import iso, now_ms
from foreman.clock import new_id as new_key_id
from foreman.db.engine import Database, Transaction
from foreman.db.values import Row

PART = r"[a-z0-9-]{1,64}"
_KEY = re.compile(rf"fmn_(?P<environment>{PART})_(?P<org_id>{PART})_[A-Za-z0-9]{{1,128}}", re.ASCII)
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    :ivar key_id: what the rate limit counts by; not a secret
    :ivar key_name: what the log calls an issued key: its name, or else its id; None for a key that was not issued
    """

    org_id: str
    key_id: str
    read_only: bool
    key_name: str | None


class MalformedKey(ValueError):
    """The text does not have the format of a key."""


def issue(db: Database, org_id: str, environment: str, *, read_only: bool = False, name: str | None = None) -> str:
    """Make a key, store its hash and return the key itself, which cannot be retrieved again.

    :raises MalformedKey: if the organisation or the environment is invalid
    """
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    key = f"fmn_{environment}_{org_id}_{random}"
    if not _KEY.fullmatch(key):
        raise MalformedKey(f"organisation and environment must match {PART}")
    digest = fingerprint(key)
    with db.write() as tx:
        tx.run(
            """
            INSERT INTO api_key (id, org_id, environment, name, read_only, hash_prefix, hash, created_at)
            VALUES (:id, :org_id, :environment, :name, :read_only, :hash_prefix, :hash, :now)
            """,
            id=new_key_id(), org_id=org_id, environment=environment, name=name, read_only=int(read_only),
            hash_prefix=digest[:16], hash=digest, now=now_ms(),
        )  # fmt: skip
    return key


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


def every(db: Database) -> list[dict[str, str | None]]:
    """All keys, see `listed`."""
    with db.read() as tx:
        return listed(tx)


def listed(tx: Transaction) -> list[dict[str, str | None]]:
    """All keys, oldest first: id, organisation, environment, name, access, createdAt, revokedAt; never the secret."""
    rows = tx.all(
        """
        SELECT id, org_id, environment, name, read_only, created_at, revoked_at
        FROM api_key
        ORDER BY id
        """
    )
    return [_to_json(row) for row in rows]


def exist(db: Database) -> bool:
    """Whether any key was ever issued."""
    return db.one("SELECT 1 FROM api_key LIMIT 1") is not None


def verify(db: Database, key: str) -> Caller | None:
    """The caller whose issued key this is; None if the key is unknown or revoked.

    :raises MalformedKey: if the text does not have the format of a key
    """
    if not _KEY.fullmatch(key):
        raise MalformedKey
    digest = fingerprint(key)
    row = db.one(
        """
        SELECT id, org_id, name, read_only, hash
        FROM api_key
        WHERE hash_prefix = :hash_prefix AND revoked_at IS NULL
        """,
        hash_prefix=digest[:16],
    )
    if row is None:
        return None
    key_id, org_id, name, read_only, expected = row
    if not hmac.compare_digest(expected, digest):
        return None
    return Caller(org_id, key_id, bool(read_only), name or key_id)


def take_at_its_word(key: str) -> Caller:
    """The caller that a well-formed key names, issued or not.

    :raises MalformedKey: if the text does not have the format of a key
    """
    match = _KEY.fullmatch(key)
    if not match:
        raise MalformedKey
    return Caller(match["org_id"], fingerprint(key), read_only=False, key_name=None)


def fingerprint(key: str) -> str:
    """The SHA-256 of a key in hexadecimal digits, the only form in which it is stored."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _to_json(row: Row) -> dict[str, str | None]:
    key_id, org_id, environment, name, read_only, created_at, revoked_at = row
    return {
        "id": key_id,
        "orgId": org_id,
        "environment": environment,
        "name": name,
        "access": "read-only" if read_only else "full",
        "createdAt": iso(created_at),
        "revokedAt": iso(revoked_at),
    }
