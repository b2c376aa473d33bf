"""A page of another site, in a real Chromium: it gets nothing, and changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Site
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.needs_package("playwright"),
    pytest.mark.slow,  # it opens a browser
]

EVIL = """<!DOCTYPE html><title>cats</title>
<form id="form" method="post" enctype="text/plain" target="sink">
<input name='{"reason": "evil", "x": "' value='"}'></form>
<iframe name="sink"></iframe>"""

TRY = """async ([url, token]) => {
  const order = JSON.stringify({ reason: "evil" }), stop = `${url}api/plans/last/stop`;
  const outcome = (promise) => promise.then(async (answer) => `${answer.status} ${await answer.text()}`, () => "nothing");
  const own = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const plain = { method: "POST", headers: { "Content-Type": "text/plain" }, body: order };
  const loads = (tag, name, path) => new Promise((done) => {
    const element = document.createElement(tag);
    element.onload = () => done("loaded");
    element.onerror = () => done("nothing");
    element[name] = url + path;
    if (tag === "link") element.rel = "stylesheet";
    document.head.append(element);
  });
  const stream = new Promise((done) => {
    const source = new EventSource(`${url}api/plans`);
    for (const name of ["plans", "message", "open"]) source.addEventListener(name, () => done(name));
    source.onerror = () => { source.close(); done("nothing"); };
  });
  const found = {
    "read, no-cors": outcome(fetch(`${url}api/plans/last`, { mode: "no-cors" })),
    "read, cors": outcome(fetch(`${url}api/plans/last`)),
    "read with the token": outcome(fetch(`${url}api/who`, { headers: own })),
    "order, no-cors": outcome(fetch(stop, { ...plain, mode: "no-cors" })),
    "order, cors": outcome(fetch(stop, plain)),
    "order with the token": outcome(fetch(stop, { method: "POST", headers: own, body: order })),
    "order kept alive": outcome(fetch(stop, { ...plain, mode: "no-cors", keepalive: true })),
    "event stream": stream,
    script: loads("script", "src", "static/page.js"),
    style: loads("link", "href", "static/web.css"),
  };
  const form = document.getElementById("form");
  form.action = stop;
  const sunk = new Promise((done) => { document.querySelector("iframe").onload = () => done(); });
  form.submit();
  await sunk;
  const frame = document.createElement("iframe");
  frame.id = "framed";
  const framed = new Promise((done) => { frame.onload = () => done(); });
  frame.src = url;
  document.body.append(frame);
  await framed;
  const told = {};
  for (const [name, promise] of Object.entries(found)) told[name] = await promise;
  return told;
}"""


@pytest.fixture
def evil() -> Iterator[int]:
    """The port of another site."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(EVIL.encode())

        def log_message(self, format: str, *words: Any) -> None:  # noqa: A002
            """It is nobody's business."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A tab that may go anywhere."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


# Another port is another origin of the same site; another name is another site, and one
# that its name server may give any address: Chromium gives those of localhost ours.
@pytest.mark.parametrize("host", ["127.0.0.1", "evil.localhost"])
def test_a_page_of_another_origin_gets_nothing(
    tab: Page, site: Site, evil: int, host: str
) -> None:
    """By a form, a request, a stream, a script, a style, a frame: even with the token."""
    tab.goto(f"http://{host}:{evil}/")

    told = tab.evaluate(TRY, [site.url, site.token])

    assert set(told.values()) == {"nothing"}, told
    frames = [each for each in tab.frames if each != tab.main_frame]
    assert len(frames) == 2
    assert not any("Nothing yet" in each.content() for each in frames)
    assert not any(each.query_selector("#plans") for each in frames)
    # The same requests from a page of the server's own are answered: the test can fail.
    assert site.plan().interventions == ()
    assert site.plan().state.status.name == "NOT_STARTED"
    tab.goto(site.url)
    own = "async (token) => (await fetch('/api/who', {headers: {Authorization: `Bearer ${token}`}})).json()"
    assert tab.evaluate(own, site.token) == {"name": "ana", "tokens": True}


def test_a_name_that_is_given_our_address_gets_nothing(tab: Page, site: Site) -> None:
    """DNS rebinding: to the browser the page and the server are one origin then."""
    answer = tab.goto(f"http://evil.localhost:{site.port}/")
    assert answer is not None
    assert answer.status == 403
    ask = """async (token) => {
      const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
      const body = JSON.stringify({ reason: "evil" });
      const read = await fetch("/api/plans/last"), stop = await fetch("/api/plans/last/stop", { method: "POST", headers, body });
      return [read.status, await read.text(), stop.status];
    }"""

    read, text, stop = tab.evaluate(ask, site.token)

    assert (read, stop) == (403, 403)
    assert "does not go by that name" in text
    assert site.plan().interventions == ()
