"""Counters of rate limits that several nodes share through Redis.

It imports an optional package, so only a server whose settings name a Redis server may import it.

A request asks Redis once: a script counts it and tells when its window ends. What Redis has said is kept in this node's
memory, for three purposes: whether to wait for a body is decided by it, without asking; a response is told when its
window ends; and while Redis cannot be reached, this node counts on from there.
"""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from limits.storage import RedisStorage
from redis import ConnectionPool, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from foreman.auth.counters import LocalCounters
from foreman.auth.outage import PAUSE, Outage
from foreman.http.errors import CannotCount

# Seconds that connecting, and each response, may take. The look-up of a host name is not included: it cannot be ended.
_PATIENCE = 0.25

# Prefix of all keys in Redis.
_PREFIX = "FOREMAN"

# The library's own script returns the count alone. Its window's end would take another round trip.
_COUNT = """
local counted = redis.call('INCRBY', KEYS[1], ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
    left = tonumber(ARGV[1])
    redis.call('PEXPIRE', KEYS[1], left)
end
return {counted, left}
"""

# A counter, and in how many seconds its window ends.
Counted = tuple[int, float]

Answer = TypeVar("Answer")


class _Storage(RedisStorage):
    """The library's storage, with operations that take one round trip for a counter and the end of its window.

    All of them wait for Redis.
    """

    def initialize_storage(self, uri: str) -> None:
        super().initialize_storage(uri)
        self._count = self.storage.register_script(_COUNT)

    def count(self, key: str, expiry: int, amount: int) -> Counted:
        counted, left = self._count([self.prefixed_key(key)], [expiry * 1000, amount])
        return counted, left / 1000

    def look(self, key: str) -> Counted:
        with self.storage.pipeline(transaction=False) as asked:
            asked.get(self.prefixed_key(key)).pttl(self.prefixed_key(key))
            counted, left = asked.execute()
        return int(counted or 0), max(0, left) / 1000


class Redis:
    """A Redis server that nodes share, and what happens while it cannot be reached.

    Starting asks it once, so that a wrong password is logged at once. It need not be there yet.

    :param url: redis://... or rediss://..., see `foreman.config`
    :param is_needed: whether requests are refused without it; if not, they are counted on this node alone
    """

    def __init__(self, url: str, *, is_needed: bool) -> None:
        # RESP2 needs no HELLO, which old servers do not know: they would repeat the password in their error message.
        pool = ConnectionPool.from_url(
            url,
            protocol=2,
            socket_connect_timeout=_PATIENCE,
            socket_timeout=_PATIENCE,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
        self._storage = _Storage(url, pool, key_prefix=_PREFIX)
        parts = urlsplit(url)
        self._secrets = {secret for secret in (parts.password, unquote(parts.password or "")) if secret}
        self._is_needed = is_needed
        self._outage = Outage(
            f"The Redis server {parts.hostname}:{parts.port or 6379}",
            "until it works, requests are refused with 503"
            if is_needed
            else "until it works, requests are counted on this node alone",
        )
        self._ask(self._storage.get_connection().ping)

    def counters(self, seen: LocalCounters) -> "SharedCounters":
        """Counters in it.

        :param seen: where what it says is kept
        """
        return SharedCounters(self, seen)

    def count(self, key: str, expiry: int, amount: int) -> Counted | None:
        """Increment a counter; None if that cannot be done now. Waits for Redis.

        :raises CannotCount: instead of returning None, if Redis is needed
        """
        return self._needed(self._ask(lambda: self._storage.count(key, expiry, amount)))

    def look(self, key: str) -> Counted | None:
        """The same without incrementing."""
        return self._needed(self._ask(lambda: self._storage.look(key)))

    def _ask(self, ask: Callable[[], Answer]) -> Answer | None:
        if not self._outage.may_try():
            return None
        try:
            answer = ask()
        except RedisError as error:
            self._outage.failed(self._without_secrets(error))
            return None
        self._outage.worked()
        return answer

    def _needed(self, counted: Counted | None) -> Counted | None:
        if counted is None and self._is_needed:
            raise CannotCount(int(PAUSE))
        return counted

    def _without_secrets(self, error: RedisError) -> str:
        """The error's message in one line."""
        text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, "(hidden)")
        return text


class SharedCounters:
    """Counters that all nodes share. What waits for Redis says so."""

    def __init__(self, redis: Redis, seen: LocalCounters) -> None:
        self._redis, self._seen = redis, seen

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Increment a counter and return it. Its window lasts `expiry` seconds from its first increment. Waits.

        :raises CannotCount: if Redis is needed and cannot be reached
        """
        counted = self._redis.count(key, expiry, amount)
        return self._seen.incr(key, expiry, amount) if counted is None else self._noted(key, counted)

    def get(self, key: str) -> int:
        """The counter in its window; 0 if it has none. Waits.

        :raises CannotCount: if Redis is needed and cannot be reached
        """
        counted = self._redis.look(key)
        return self._seen.get(key) if counted is None else self._noted(key, counted)

    def last_seen(self, key: str) -> int:
        """The counter as this node has last seen it. Does not wait."""
        return self._seen.get(key)

    def seconds_left(self, key: str) -> float:
        """Seconds until the end of the window, as this node has last seen it. Does not wait."""
        return self._seen.seconds_left(key)

    def get_expiry(self, key: str) -> float:
        """When that is, in seconds since 1970 by this node's clock. Does not wait."""
        return self._seen.get_expiry(key)

    def _noted(self, key: str, counted: Counted) -> int:
        self._seen.note(key, *counted)
        return counted[0]
