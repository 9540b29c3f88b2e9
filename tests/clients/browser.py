"""A headless Chromium, driven through a pipe (https://chromedevtools.github.io/devtools-protocol)."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.programs import need

OPTIONS = """
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-dev-shm-usage --remote-debugging-pipe
"""

# It reads and writes on the descriptors 3 and 4.
START = """
import os, sys
ends = [os.dup(os.dup(int(end))) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One tab."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._numbers, self._unread, self._session = count(1), b"", {}
        self.complaints: list[dict[str, Any]] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params, **self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (said := self._next()).get("id") != number:
            if said["method"] in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.complaints.append(said["params"])
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            self._unread += (read := os.read(self._from, 65536))
            assert read, "the browser has ended"
        first, _, self._unread = self._unread.partition(b"\0")
        said: dict[str, Any] = json.loads(first)
        return said

    def value(self, script: str) -> Any:
        """What an expression gives in the page."""
        given = self.do("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in given, given
        return given["result"].get("value")

    def wait_for(self, selector: str) -> None:
        """Wait until the page has such an element."""
        deadline = time.monotonic() + 60
        while not self.value(f"document.querySelector({json.dumps(selector)}) !== null"):
            assert time.monotonic() < deadline, selector
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Wait for an element and click on it."""
        self.wait_for(selector)
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def text(self, selector: str) -> str:
        """Wait for an element; its text that is seen."""
        self.wait_for(selector)
        return str(self.value(f"document.querySelector({json.dumps(selector)}).innerText"))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A tab of a new browser.

    :param profile: an empty directory for what it writes
    """
    chromium = need("chromium")
    its_input, to_browser = os.pipe()
    from_browser, its_output = os.pipe()
    ends = (its_input, its_output)
    starter = [sys.executable, "-c", START, *map(str, ends)]
    with (profile / "log").open("wb") as log:
        process = subprocess.Popen(
            [*starter, chromium, *OPTIONS.split(), f"--user-data-dir={profile}/profile"],
            pass_fds=ends, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    os.close(its_input)
    os.close(its_output)
    try:
        yield Page(to_browser, from_browser)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(to_browser)
        os.close(from_browser)
