"""Widgets in a browser: alone on an empty page, or where the built book has them."""

import json
import re
from pathlib import Path

import ipywidgets
import pytest
from browser import HTML, need_book

ASSETS = Path(__file__).parents[2] / "chapters" / "assets"

# A model as anywidget hands it to a script, and the script's own module; `state` stays in reach.
# With `address`, also what the host of the built pages adds: what was written there last is
# `state.address`, and `restore(text)` follows a link.
START = """async ({script, style, state, address}) => {
    const file = new Blob([script], {type: "text/javascript"});
    const module = await import(URL.createObjectURL(file));
    const listeners = [];
    window.state = state;
    window.model = {
        get: key => state[key],
        set: (key, value) => { state[key] = value; },
        save_changes: () => listeners.forEach(listener => listener()),
        on: (_, listener) => listeners.push(listener),
        off: () => listeners.splice(0),
    };
    if (address) window.model.address = {
        set: text => { window.state.address = text; },
        link: text => "https://example.org/page#" + text,
        listen: restore => { window.restore = restore; },
    };
    window.compute = module.compute;
    document.head.append(Object.assign(document.createElement("style"), {textContent: style}));
    window.stop = module.default.render({model, el: document.body});
}"""
# What `compute` returns, with typed arrays as lists.
COMPUTE = """state => JSON.stringify(
    compute(state), (_, value) => ArrayBuffer.isView(value) ? Array.from(value) : value
)"""


def state_of(widget) -> dict:
    """The values that a script gets: the synced ones, without Jupyter's own."""
    own = set(widget.traits(sync=True)) - set(ipywidgets.DOMWidget().traits(sync=True))
    return {name: getattr(widget, name) for name in own if not name.startswith("_")}


EMPTY = (
    '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
    "<title>Widget</title><main></main>"
)


@pytest.fixture
def alone(open_tab):
    """``alone(widget, address=False, **options) -> (tab, problems)``: it on an empty page."""

    def alone(widget, address=False, **options):
        tab, problems = open_tab("about:", **options)
        tab.set_content(EMPTY)
        given = {"script": widget._esm, "style": widget._css, "state": state_of(widget)}
        tab.evaluate(START, given | {"address": address})
        return tab, problems

    return alone


@pytest.fixture
def hosted(open_tab, tmp_path):
    """``hosted(*widgets, **options) -> (tab, problems, url)``: them on a page with the host."""

    def hosted(*widgets, **options):
        models = {w.model_id: {"state": state_of(w) | {"_esm": w._esm, "_css": w._css}}
                  for w in widgets}  # fmt: skip
        (tmp_path / "states.js").write_text(f"window.lessonWidgets = {json.dumps(models)}")
        view = '<script type="application/vnd.jupyter.widget-view+json">{}</script>'
        views = [view.format(json.dumps({"model_id": name})) for name in models]
        host = (
            f'<script defer src="{(ASSETS / "widget_host.js").as_uri()}" data-states="states.js">'
        )
        text = "\n".join([EMPTY, host + "</script>", '<h2 id="place">Place</h2>', *views])
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        (tmp_path / "other.html").write_text(EMPTY, encoding="utf-8")
        tab, problems = open_tab("file:", **options)
        return tab, problems, (tmp_path / "page.html").as_uri()

    return hosted


@pytest.fixture
def in_script(alone):
    """``in_script(widget, **other) -> values``: what its script computes for its state.

    For its state but for the values in `other`, which no trait has looked at.
    """
    tabs = {}

    def in_script(widget, **other):
        if widget._esm not in tabs:
            tabs[widget._esm] = alone(widget)
        tab, problems = tabs[widget._esm]
        values = json.loads(tab.evaluate(COMPUTE, state_of(widget) | other))
        assert problems == []
        return values

    return in_script


@pytest.fixture
def page_with():
    """``page_with(kind) -> name``: the first page of the built book that has such a widget."""

    def page_with(kind):
        need_book()
        view = re.compile(rf'"model_id": "{kind}-\d+"')
        for path in sorted(HTML.rglob("*.html")):
            if view.search(path.read_text(encoding="utf-8")):
                return path.relative_to(HTML).as_posix()
        pytest.fail(f"no built page has a {kind}")

    return page_with


@pytest.fixture
def widget(visit, page_with):
    """``widget(kind, base=None, **options) -> (its element, problems)`` on its first page."""

    def widget(kind, base=None, **options):
        tab, problems = visit(page_with(kind), base, **options)
        # It is asked for when the reader comes near.
        tab.locator(".widget-static").first.evaluate("e => e.scrollIntoView()")
        element = tab.locator(f'[data-widget^="{kind}-"] .lstm-widget').first
        element.wait_for()
        return element, problems

    return widget


@pytest.fixture(params=["server", "disk"])
def base(request):
    """Where a page is read from: a server, or straight from the disk."""
    return HTML.as_uri() if request.param == "disk" else None
