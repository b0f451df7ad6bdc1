"""Widgets in a browser: alone on an empty page, or where the built book has them."""

import json
import re

import ipywidgets
import pytest
from browser import HTML, need_book

# A model as anywidget hands it to a script, and the script's own module; `state` stays in reach.
START = """async ({script, style, state}) => {
    const file = new Blob([script], {type: "text/javascript"});
    const module = await import(URL.createObjectURL(file));
    const listeners = [];
    window.state = state;
    const model = {
        get: key => state[key],
        set: (key, value) => { state[key] = value; },
        save_changes: () => listeners.forEach(listener => listener()),
        on: (_, listener) => listeners.push(listener),
        off: () => listeners.splice(0),
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


@pytest.fixture
def alone(open_tab):
    """``alone(widget, **options) -> (tab, problems)``: the widget on an empty page."""

    def alone(widget, **options):
        tab, problems = open_tab("about:", **options)
        tab.set_content('<!doctype html><html lang="en"><title>Widget</title></html>')
        given = {"script": widget._esm, "style": widget._css, "state": state_of(widget)}
        tab.evaluate(START, given)
        return tab, problems

    return alone


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
        element = tab.locator(f'[data-widget^="{kind}-"] .lstm-widget').first
        element.wait_for()
        return element, problems

    return widget


@pytest.fixture(params=["server", "disk"])
def base(request):
    """Where a page is read from: a server, or straight from the disk."""
    return HTML.as_uri() if request.param == "disk" else None
