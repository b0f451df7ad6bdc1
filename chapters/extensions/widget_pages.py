"""Sphinx extension: widgets on the built pages.

On a page with a widget, and only there, the host script of the book is loaded. After each widget
stands what it says as text, its trait `static`, for a browser that runs no script.
"""

import html
import json
import re

from myst_nb.sphinx_ import NbMetadataCollector

HOST = "widget_host.js"
VIEW = re.compile(
    r'<script type="application/vnd\.jupyter\.widget-view\+json">(\{.*?\})</script>', re.S
)


def states(env, pagename: str) -> dict:
    """Return the states of a notebook's widgets by model id, as myst-nb puts them on the page."""
    files = NbMetadataCollector.get_js_files(env, pagename)
    _, tag = files.get("ipywidgets_state", (None, {"body": '{"state": {}}'}))
    return {name: model["state"] for name, model in json.loads(tag["body"])["state"].items()}


def static_text(state: dict) -> str:
    text = html.escape(state.get("static", "This widget needs a browser that runs scripts."))
    return f'<pre class="widget-static" tabindex="0">{text}</pre>'


def add_host(app, pagename, templatename, context, doctree):
    body = context.get("body", "")
    if not VIEW.search(body):
        return
    known = states(app.env, pagename)

    def with_text(view: re.Match) -> str:
        return view[0] + static_text(known.get(json.loads(view[1])["model_id"], {}))

    context["body"] = VIEW.sub(with_text, body)
    app.add_js_file(HOST, loading_method="defer")


def setup(app):
    app.connect("html-page-context", add_host)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
