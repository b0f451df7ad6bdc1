"""Sphinx extension: repairs what a screen reader would stumble over in the pages' HTML.

- docutils gives each entry of the bibliography the role `doc-biblioentry`, which is deprecated, and
  not what a list may hold. sphinx-exercise gives the content of every exercise of a page one id.
- An empty corner of a table is no header.
- Where a cell's code and its output are both folded, MyST-NB names the two folds alike, *Show the
  answer* for example, and the first of them holds the code.
- The theme names its search button otherwise than what it shows, and puts what leads back to the
  top, and past the contents, outside of every region of the page.
- A search shows formulas in TeX, and code, unless a script takes them out.
"""

import re
from pathlib import Path

SEARCH = re.compile(
    r'(<button class="btn search-button-field[^>]*?) title="Search" aria-label="[^"]*"'
)
CODE_FOLD = re.compile(
    r'(<p class="collapsed[^>]*>)[^<]*(</p>\s*<p class="expanded[^>]*>)[^<]*'
    r'(?=</p>\s*</summary>\s*<div class="cell_input above-output-prompt)'
)
SIDEBAR = '<div id="pst-primary-sidebar"'
SKIP = re.compile(r'<div id="pst-skip-link"(.*?)</div>', re.S)
TOP = re.compile(r'<button [^>]*id="pst-back-to-top">.*?</button>', re.S)


def repair_body(app, pagename, templatename, context, doctree):
    if "body" in context:
        body = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')
        body = re.sub(r'<section id="(?:exercise|solution)-content">', "<section>", body)
        body = CODE_FOLD.sub(r"\1Show the code\2Hide the code", body)
        context["body"] = re.sub(r'<th class="[^"]*">(?:<p></p>)?</th>', "<td></td>", body)
    if pagename == "search":
        app.add_js_file("search_plain.js", loading_method="defer", priority=900)


def repair_frame(text: str) -> str:
    """Return the text of a page with what the theme's templates lack."""
    text = SEARCH.sub(r"\1", text)
    text = text.replace(SIDEBAR, f'{SIDEBAR} role="region" aria-label="The book"', 1)
    text = SKIP.sub(r'<nav id="pst-skip-link" aria-label="Skip"\1</nav>', text)
    top = TOP.search(text)
    if top and "</main>" in text:
        text = text.replace(top[0], "", 1).replace("</main>", f"{top[0]}</main>", 1)
    return text


def finish(app, exception):
    if exception or app.builder.name != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if '<div id="pst-skip-link"' in text:
            path.write_text(repair_frame(text), encoding="utf-8")


def setup(app):
    app.connect("html-page-context", repair_body)
    app.connect("build-finished", finish, priority=700)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
