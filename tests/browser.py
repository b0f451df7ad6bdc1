"""The built book in a real browser that can reach no other host; fixtures that tests share.

Without a built book, or without Chromium, tests that need one say so and are skipped; under CI
they fail.
"""

import contextlib
import functools
import http.server
import os
import re
import shutil
import threading
from pathlib import Path

import pytest

HTML = Path(__file__).parents[1] / "_build" / "html"

# Wide as a desk and narrow as a phone.
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


def missing(what: str):
    """Skip on a reader's machine; fail where everything is meant to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def need_book():
    """Skip, or fail under CI, where the book is not built."""
    if not (HTML / "index.html").exists():
        missing("the book is not built: run `make book` first")


def unfold(tab):
    """Open the dropdowns and solutions of a page, and lay all of it out, to look at all of it.

    A box that scrolls has its place in the order of tabs only then (`wide_boxes.js`).
    """
    tab.add_style_tag(content="section { content-visibility: visible !important }")
    tab.evaluate(
        """() => {
            for (const box of document.querySelectorAll(".toggle-hidden"))
                box.classList.remove("toggle-hidden");
            for (const box of document.querySelectorAll("details")) box.open = true;
            return new Promise(seen => requestAnimationFrame(() => setTimeout(seen)));
        }"""
    )


def luminance(rgb):
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two colours as browsers write them, ``rgb(1, 2, 3)``."""
    rgbs = [[int(v) / 255 for v in re.findall(r"\d+", colour)[:3]] for colour in (one, other)]
    high, low = sorted(map(luminance, rgbs), reverse=True)
    return (high + 0.05) / (low + 0.05)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def address():
    """The address of the built book, served on a free port of this machine."""
    need_book()
    handler = functools.partial(Quiet, directory=HTML)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def chromium():
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if not executable:
        missing("no chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    flags = (
        "--no-sandbox --disable-gpu --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync"
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=flags.split())
        yield browser
        browser.close()


@contextlib.contextmanager
def opener(chromium):
    """Open tabs in fresh profiles: ``open_tab(base, **options) -> (tab, problems)``.

    Only addresses that start with `base` can be reached. `problems` collects console errors,
    failed loads and requests to another host.
    """
    contexts = []

    def open_tab(base, **options):
        # What fades in is only half there when a test looks.
        context = chromium.new_context(**{"reduced_motion": "reduce"} | options)
        contexts.append(context)
        problems = []

        def route(route):
            if route.request.url.startswith((base, "data:", "blob:")):
                route.continue_()
            else:
                problems.append(f"request to {route.request.url}")
                route.abort()

        context.route("**/*", route)
        tab = context.new_page()
        tab.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda error: problems.append(str(error)))
        # One that was broken off, because the tab went to another page, has not failed.
        tab.on(
            "requestfailed",
            lambda r: r.failure != "net::ERR_ABORTED" and problems.append(f"failed: {r.url}"),
        )
        return tab, problems

    yield open_tab
    for context in contexts:
        context.close()


@pytest.fixture
def open_tab(chromium):
    """What `opener` gives, for one test."""
    with opener(chromium) as open_tab:
        yield open_tab


def go(tab, url):
    """Open a page, and wait for its fonts."""
    tab.goto(url)
    tab.evaluate("() => document.fonts.ready.then(() => true)")


@pytest.fixture
def visit(open_tab, address):
    """Open pages of the built book: ``visit(name, base=None, **options) -> (tab, problems)``.

    From the server, or from `base`.
    """

    def visit(name, base=None, **options):
        tab, problems = open_tab(base or address, **options)
        go(tab, f"{base or address}/{name}")
        return tab, problems

    return visit


@pytest.fixture(scope="module")
def look(chromium, page, address):
    """Show `page` as a reader sees it: ``look(base=None, **options) -> (tab, problems)``.

    From the server, or from `base`. A tab is opened once for all tests of a page that ask for the
    same; they may open what is folded, and change nothing else.
    """
    with opener(chromium) as open_tab:
        tabs = {}

        def look(base=None, **options):
            key = base, repr(options)
            if key not in tabs:
                tabs[key] = open_tab(base or address, **options)
                go(tabs[key][0], f"{base or address}/{page.relative_to(HTML).as_posix()}")
            return tabs[key]

        yield look
