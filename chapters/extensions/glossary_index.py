"""Sphinx extension: the glossary gets its letters, and each term the chapters that use it."""

import html
import re

from sphinx.addnodes import pending_xref

PAGE = "chapters/glossary"
TERM = re.compile(r'<dt id="(term-[^"]+)">(.*?)</dt>\s*<dd>(.*?)</dd>', re.S)
CHAPTER = re.compile(r"chapters/(\d+)[a-z]?_")


def uses(env) -> dict[str, list[str]]:
    """Return each term, in small letters, to the chapters that link to it, in their order."""
    found = {}
    for name in sorted(filter(CHAPTER.match, env.found_docs)):
        for node in env.get_doctree(name).findall(pending_xref):
            if node.get("reftype") == "term":
                chapters = found.setdefault(node["reftarget"].lower(), [])
                if name not in chapters:
                    chapters.append(name)
    return found


def words(tag: str) -> str:
    """Return the text of a piece of HTML, with the apostrophes that were typed."""
    plain = re.sub(r"<a class=\"headerlink\".*?</a>|<[^>]*>", "", tag, flags=re.S)
    return html.unescape(plain).strip().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def letters(body: str) -> str:
    first = {}
    for name, term, _ in TERM.findall(body):
        first.setdefault(words(term)[:1].upper(), name)
    items = "".join(f'<li><a href="#{name}">{letter}</a></li>' for letter, name in first.items())
    return f'<nav aria-label="Letters"><ul class="letters">{items}</ul></nav>'


def add(app, pagename, templatename, context, doctree):
    if pagename != PAGE:
        return
    known = uses(app.env)

    def with_uses(match: re.Match) -> str:
        chapters = known.get(words(match[2]).lower())
        if not chapters:
            return match[0]
        links = ", ".join(
            f'<a href="{context["pathto"](name)}">{int(CHAPTER.match(name)[1])}</a>'
            for name in chapters
        )
        word = "chapter" if len(chapters) == 1 else "chapters"
        line = f'<p class="where-used">Used in {word} {links}.</p>'
        return match[0].removesuffix("</dd>") + line + "</dd>"

    body = TERM.sub(with_uses, context["body"])
    context["body"] = body.replace("<dl", letters(body) + "<dl", 1)


def setup(app):
    app.connect("html-page-context", add)
    # Written each time, for what uses a term stands on other pages.
    app.connect("env-updated", lambda app, env: [PAGE] if PAGE in env.found_docs else [])
    return {"parallel_read_safe": True, "parallel_write_safe": True}
