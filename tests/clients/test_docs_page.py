"""The documentation page in a browser: one box for the key, errors folded, nothing that its policy forbids."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.clients.browser import Page, browser
from tests.support.running import Running

LIST_RUNS = "#operations-runs-list_runs"

# The button to execute it is there earlier, and does nothing before its parameters are.
READY = f"{LIST_RUNS} tr[data-param-name=limit] input"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A tab of a browser that knows nothing yet."""
    (tmp_path / "browser").mkdir()
    with browser(tmp_path / "browser") as page:
        yield page


def show(page: Page, url: str) -> None:
    """Show the page, with one operation unfolded."""
    page.do("Page.navigate", url=f"{url}#/runs/list_runs")
    page.wait_for(READY)


def reload(page: Page) -> None:
    page.value("document.querySelector('#api').remove()")
    page.do("Page.reload")
    page.wait_for(READY)


def type_key(page: Page, key: str) -> None:
    page.value("document.querySelector('#key').focus()")
    page.do("Input.insertText", text=key)


def ask_for_runs(page: Page) -> str:
    """The status of the answer that the page shows."""
    page.click(f"{LIST_RUNS} .execute")
    return page.text(f"{LIST_RUNS} .live-responses-table .response .response-col_status").split()[0]


def test_key_is_sent_survives_a_reload_and_can_be_forgotten(served: Running, page: Page) -> None:
    show(page, f"{served.url}/")
    assert page.value("location.pathname") == "/docs"
    type_key(page, served.key())
    reload(page)
    assert ask_for_runs(page) == "200"
    assert page.complaints == []
    page.click("#forget")
    assert page.value("sessionStorage.length + localStorage.length + document.cookie.length") == 0
    reload(page)
    assert page.value("document.querySelector('#key').value") == ""
    assert ask_for_runs(page) == "401"


def test_key_box_is_the_only_one(served: Running, page: Page) -> None:
    show(page, f"{served.url}/docs")
    assert page.value("document.querySelectorAll('.authorize, .authorization__btn, .auth-wrapper').length") == 0


def test_errors_are_folded_but_for_the_one_that_was_answered(served: Running, page: Page) -> None:
    def seen() -> list[str]:
        rows = f"[...document.querySelectorAll('{LIST_RUNS} tr.response[data-code]')]"
        codes: list[str] = page.value(f"{rows}.filter((row) => row.offsetHeight).map((row) => row.dataset.code)")
        return codes

    show(page, f"{served.url}/docs")
    assert ask_for_runs(page) == "401"
    assert seen() == ["200", "401"]
    assert "400, 401" in page.text(f"{LIST_RUNS} .unfold")
    page.click(f"{LIST_RUNS} .unfold")
    page.wait_for(f"{LIST_RUNS} .unfold[aria-expanded=true]")
    assert {"200", "400", "401", "429", "503"} <= set(seen())
    page.click(f"{LIST_RUNS} .unfold")
    page.wait_for(f"{LIST_RUNS} .unfold[aria-expanded=false]")
    assert seen() == ["200", "401"]


def test_page_works_behind_a_proxy_that_adds_a_prefix(served: Running, page: Page) -> None:
    with proxy(served.url, "/ledger") as url:
        show(page, f"{url}/ledger/")
        assert page.value("location.pathname") == "/ledger/docs"
        type_key(page, served.key())
        assert ask_for_runs(page) == "200"
        assert f"{url}/ledger/api/v1/runs?" in page.text(f"{LIST_RUNS} .curl")


@contextmanager
def proxy(target: str, prefix: str) -> Iterator[str]:
    """What is below the prefix comes from the target, and nothing else is there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix(prefix)
            key = {name: value for name, value in self.headers.items() if name == "Authorization"}
            answer = httpx.get(target + path, headers=key) if path != self.path else httpx.Response(404)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
