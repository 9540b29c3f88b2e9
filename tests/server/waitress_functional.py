"""waitress's own functional tests, against our server: `make test-waitress`.

They are in its source distribution, which pip fetches. What does not hold for our server is named here, with why;
a test that fails without being named, and one that is named and holds, are failures.
"""

import importlib
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
from importlib.metadata import version
from pathlib import Path
from typing import Any

from waitress.proxy_headers import proxy_headers_middleware

from foreman.server import parser
from foreman.server.http_server import Bounds, HTTPServer

# HTTP/1.1 asks for a Host, which these tests leave out.
_REQUEST_LINE = re.compile(r"HTTP/(1\.1|%s)(\\r)?\\n")

# Why a test does not hold.
_JSON = "errors are JSON, with headers of their own"
_BANNER = "there is no Server header"
_LENGTH = "an answer is made before it is sent, so its length is always right, and known"
_CHUNK = "its chunks are malformed, which is seen before there are too many of them"
_WHOLE = "the body was there already, so nobody has to be told to send it"

OTHERWISE = {
    **{
        f"TcpEchoTests.test_{name}": _JSON
        for name in (
            "bad_host_header",
            "broken_chunked_encoding",
            "broken_chunked_encoding_invalid_extension",
            "broken_chunked_encoding_invalid_hex",
            "broken_chunked_encoding_missing_chunk_end",
        )
    },
    **{f"TcpEchoTests.test_{name}": _BANNER for name in ("date_and_server", "proxy_headers")},
    "TcpExpectContinueTests.test_expect_continue": _WHOLE,
    "TcpTooLargeTests.test_request_body_too_large_chunked_encoding": _CHUNK,
    **{
        f"TcpInternalServerErrorTests.test_{when}_start_response_{version}": _JSON
        for when, versions in (
            ("before", ("http_10", "http_11", "http_11_close")),
            ("after", ("http10", "http11", "http11_close")),
        )
        for version in versions
    },
    **{f"TcpInternalServerErrorTestsWithTraceback.test_expose_tracebacks_http_1{minor}": _JSON for minor in (0, 1)},
    **dict.fromkeys(
        (
            "TcpBadContentLengthTests.test_long_body",
            "TcpBadContentLengthTests.test_short_body",
            "TcpFileWrapperTests.test_filelike_shortcl_http11",
            "TcpFileWrapperTests.test_notfilelike_longcl_http11",
            "TcpFileWrapperTests.test_notfilelike_nocl_http11",
            "TcpFileWrapperTests.test_notfilelike_shortcl_http11",
            "TcpInternalServerErrorTests.test_after_write_cb",
            "TcpInternalServerErrorTests.test_in_generator",
            "TcpNoContentLengthTests.test_http10_generator",
            "TcpNoContentLengthTests.test_http10_listlentwo",
            "TcpNoContentLengthTests.test_http11_generator",
            "TcpNoContentLengthTests.test_http11_listlentwo",
            "TcpWriteCallbackTests.test_long_body",
            "TcpWriteCallbackTests.test_no_content_length",
            "TcpWriteCallbackTests.test_short_body",
        ),
        _LENGTH,
    ),
}


class OurServer(HTTPServer):
    """Our server, with those settings of waitress that its tests use."""

    family = 2  # AF_INET

    def __init__(self, application: Any, queue: Any, **settings: Any) -> None:
        if "trusted_proxy" in settings:
            application = proxy_headers_middleware(
                application,
                trusted_proxy=settings["trusted_proxy"],
                trusted_proxy_headers=settings["trusted_proxy_headers"],
                clear_untrusted=True,
            )
        if "max_request_header_size" in settings:
            parser.LONGEST_HEAD = settings["max_request_header_size"]
        super().__init__(application, Bounds(max_body=settings.get("max_request_body_size", 1_000_000)))
        queue.put(("127.0.0.1", self.port))


def main() -> None:
    """Fetch the tests, run them, and compare what fails with what is named."""
    with tempfile.TemporaryDirectory() as directory:
        source = _fetch(Path(directory))
        sys.path.insert(0, str(source))
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]  # the tests are a package of this name, too
        module = importlib.import_module("tests.test_functional")
        module.TcpTests.server = OurServer
        names = [name for name in dir(module) if name.startswith("Tcp") and name != "TcpTests"]
        load = unittest.defaultTestLoader.loadTestsFromTestCase
        suite = unittest.TestSuite(load(getattr(module, name)) for name in [*names, "SleepyThreadTests"])
        result = unittest.TextTestRunner(verbosity=0).run(suite)
    failed = {test.id().partition("test_functional.")[2] for test, _ in [*result.failures, *result.errors]}
    for name in sorted(failed - OTHERWISE.keys()):
        sys.stdout.write(f"fails, and is not named: {name}\n")
    for name in sorted(OTHERWISE.keys() - failed):
        sys.stdout.write(f"is named, and holds: {name}\n")
    odd = failed ^ OTHERWISE.keys()
    sys.stdout.write(f"{result.testsRun - len(odd)} passed, {len(odd)} failed\n")
    sys.exit(bool(odd))


def _fetch(directory: Path) -> Path:
    """The source distribution of the waitress that is installed, with tests that ask as HTTP/1.1 wants it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    wanted = ["--no-binary", ":all:", "--dest", str(directory), f"waitress=={version('waitress')}"]
    subprocess.run([*command, *wanted], check=True)
    (archive,) = directory.glob("waitress-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(directory, filter="data")
    (source,) = (each for each in directory.iterdir() if each.is_dir())
    file = source / "tests" / "test_functional.py"
    file.write_text(_REQUEST_LINE.sub(r"\g<0>Host: x\2\\n", file.read_text(encoding="utf-8")), encoding="utf-8")
    return source


if __name__ == "__main__":
    main()
