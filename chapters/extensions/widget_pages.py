"""Sphinx extension: widgets on the built pages.

On a page with a widget, and only there, the host script of the book is loaded. The states of the
widgets, which myst-nb writes into the page's head, go into a file of their own, which the host asks
for when the reader comes near. After each widget stands what it says as text, its trait `static`,
for a browser that runs no script, and until then.
"""

import hashlib
import html
import json
import re
from pathlib import Path

from myst_nb.sphinx_ import NbMetadataCollector

HOST = "widget_host.js"
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = re.compile(
    r'<script type="application/vnd\.jupyter\.widget-view\+json">(\{.*?\})</script>', re.S
)


def states(env, pagename: str) -> dict:
    """Return the notebook's widgets by model id, as myst-nb would put them on the page."""
    files = NbMetadataCollector.get_js_files(env, pagename)
    _, tag = files.get("ipywidgets_state", (None, {"body": '{"state": {}}'}))
    return json.loads(tag["body"])["state"]


def write_states(app, pagename: str, known: dict) -> str:
    """Write the states of a page's widgets as a script; return its address within the site."""
    text = f"window.lessonWidgets = {json.dumps(known, ensure_ascii=False)};\n"
    name = f"_static/widgets/{Path(pagename).name}.js"
    path = Path(app.outdir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return f"{name}?v={hashlib.sha256(text.encode()).hexdigest()[:8]}"


def static_text(state: dict) -> str:
    text = html.escape(state.get("static", "This widget needs a browser that runs scripts."))
    return f'<pre class="widget-static" tabindex="0">{text}</pre>'


def add_host(app, pagename, templatename, context, doctree):
    body = context.get("body", "")
    if not VIEW.search(body):
        return
    known = states(app.env, pagename)

    def with_text(view: re.Match) -> str:
        return view[0] + static_text(
            known.get(json.loads(view[1])["model_id"], {}).get("state", {})
        )

    context["body"] = VIEW.sub(with_text, body)
    scripts = context["script_files"]
    scripts[:] = [script for script in scripts if script.attributes.get("type") != STATE]
    where = context["pathto"](write_states(app, pagename, known), 1)
    app.add_js_file(HOST, loading_method="defer", **{"data-states": where})


def setup(app):
    # After myst-nb has put the states into the page's head.
    app.connect("html-page-context", add_host, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
