"""Sphinx extension: repairs what a screen reader would stumble over in the pages' HTML.

docutils gives each entry of the bibliography the role `doc-biblioentry`, which is deprecated, and
not what a list may hold. sphinx-exercise gives the content of every exercise of a page one id.
"""

import re


SEARCH = re.compile(
    r'(<button class="btn search-button-field[^>]*?) title="Search" aria-label="[^"]*"'
)
SIDEBAR = '<div id="pst-primary-sidebar"'
SKIP = re.compile(r'<div id="pst-skip-link"(.*?)</div>', re.S)
TOP = re.compile(r'<button [^>]*id="pst-back-to-top">.*?</button>', re.S)


def repair_body(app, pagename, templatename, context, doctree):
    if "body" in context:
        body = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')
        context["body"] = re.sub(r'<section id="(?:exercise|solution)-content">', "<section>", body)


def setup(app):
    app.connect("html-page-context", repair_body)
    app.connect("build-finished", finish, priority=700)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
