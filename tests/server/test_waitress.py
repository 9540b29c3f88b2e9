"""What of waitress is leaned on: all of it is named here, and a test fails when another version changes any of it.

What is not named was replaced as a whole: waitress's channels, its servers, its loop and its pool of threads.
"""

import ast
import hashlib
import inspect
from pydoc import locate
from typing import Any

import pytest

from tests.support.source import modules, tree_of

# The names, and the beginning of the SHA-256 of their sources. A new version of waitress is read where it differs, and
# then its digests are put here.
LEANED_ON = {
    # A head is taken apart by it; `foreman/server/parser.py` has read what divides requests from each other before.
    "waitress.parser.HTTPRequestParser.__init__": "d43d0602efd291cf",
    "waitress.parser.HTTPRequestParser.parse_header": "c2c093b901782da6",
    "waitress.parser.HTTPRequestParser.get_body_stream": "b85b308c5e427726",
    "waitress.parser.HTTPRequestParser.close": "a29926ca4e2dd8dd",
    "waitress.parser.ParsingError": "19c4a507b52b7392",
    "waitress.parser.TransferEncodingNotImplemented": "76fdb80eaf52fb9b",
    "waitress.parser.crack_first_line": "5ef0eba51166e715",
    "waitress.parser.get_header_lines": "968a7db45a59f12c",
    "waitress.parser.split_uri": "2959428735d45cbf",
    "waitress.parser.unquote_bytes_to_wsgi": "9078074dab337a19",
    # A body arrives in them.
    "waitress.receiver.ChunkedReceiver": "7d4fd7a3f8c53daa",
    "waitress.receiver.FixedStreamReceiver": "434997a7017f1336",
    "waitress.buffers.OverflowableBuffer": "545747c4f2e2e71a",
    "waitress.buffers.BytesIOBasedBuffer": "339e7347710dc89a",
    "waitress.buffers.TempfileBasedBuffer": "1b90c45d7d6fa08b",
    "waitress.buffers.FileBasedBuffer": "e55332750507ed12",
    # The environment of an application, and the head of its answer (`foreman/server/exchange.py`).
    "waitress.task.Task.__init__": "17c205262405c5f8",
    "waitress.task.Task.start": "4a0ea27954923854",
    "waitress.task.Task.has_body": "e412f4c3b4931988",
    "waitress.task.Task.set_close_on_finish": "90433a0ffcaf34a7",
    "waitress.task.Task.build_response_header": "2cf70b88816fabc1",
    "waitress.task.WSGITask.get_environment": "3bb57be6c7db4e59",
    # Errors of the parser, and what a trusted proxy says of its clients.
    "waitress.utilities.Error": "374c72f58aca777c",
    "waitress.utilities.BadRequest": "6502b0d69646cf66",
    "waitress.utilities.InternalServerError": "9f4469004aa2994c",
    "waitress.utilities.RequestEntityTooLarge": "85a6cc053d56c9aa",
    "waitress.utilities.RequestHeaderFieldsTooLarge": "605315a25899ff0a",
    "waitress.utilities.ServerNotImplemented": "cdd2db64ffe927e5",
    "waitress.proxy_headers.proxy_headers_middleware": "3adc9a6617126b2c",
    "waitress.proxy_headers.parse_proxy_headers": "968d731d0d283c32",
}


def digest(name: str) -> str:
    found: Any = locate(name)
    assert found is not None, name
    found = found.fget if isinstance(found, property) else found
    return hashlib.sha256(inspect.getsource(found).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", LEANED_ON)
def test_waitress_is_the_one_that_was_read(name: str) -> None:
    assert digest(name) == LEANED_ON[name]


def test_everything_that_is_imported_from_waitress_is_named() -> None:
    imported = set()
    for file in modules():
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "waitress":
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                assert not any(alias.name.partition(".")[0] == "waitress" for alias in node.names), file
    classes = {name.rpartition(".")[0] for name in LEANED_ON}
    assert imported <= LEANED_ON.keys() | classes


@pytest.mark.parametrize("ours", ["foreman.server.parser.Request", "foreman.server.exchange.Exchange"])
def test_every_method_that_is_inherited_is_named_or_unreachable(ours: str) -> None:
    """Methods that call each other are leaned on together, or replaced together."""
    found: Any = locate(ours)
    inherited = {
        f"{base.__module__}.{base.__name__}.{name}"
        for base in found.__mro__[1:]
        for name, member in vars(base).items()
        if base.__module__.startswith("waitress.")
        and (inspect.isfunction(member) or isinstance(member, property))
        and getattr(found, name) is getattr(base, name)
    }
    # What waitress's channel would call in a task. Exchange is run by our connection, which calls none of them.
    unreachable = {
        f"waitress.task.Task.{name}" for name in ("service", "finish", "write", "remove_content_length_header")
    }
    assert inherited - unreachable - {"waitress.task.WSGITask.execute"} <= LEANED_ON.keys()
