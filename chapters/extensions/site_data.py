"""Sphinx extension: what search engines, social networks and servers read about the pages.

The book's public address and its repository are said in one place, `book_address` and
`book_repository` of `_config.yml`, or for one build by environment variables of the same names in
capitals. Everything that needs them is written here, and only if they are set: links to the
repository, canonical addresses, the map of the site, tags of social networks with their picture.
Descriptions, icons and a page for wrong addresses are always there.
"""

import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.errors import ExtensionError

CARD = "social_card.png"
ICONS = (
    '<link rel="icon" type="image/png" sizes="180x180" href="{0}">'
    '<link rel="apple-touch-icon" href="{0}">'
)
NO_CONTENT = ["404.html", "search.html", "genindex.html", "py-modindex.html"]
NEEDS_ADDRESS = re.compile(r'<meta (?:property="og:(?:url|image[^"]*)"|name="twitter:)[^>]*>\n?')
LOST = """
<h1>There is no page here</h1>
<p>The address may be an old one, or mistyped. The <a href="{start}">first page</a> lists all
chapters, and the <a href="{glossary}">glossary</a> the terms; or search for a word:</p>
<form action="{search}" method="get"><p><input type="search" name="q" aria-label="Search">
<button type="submit">Search</button></p></form>
"""


def said(app, name: str) -> str:
    """Return a setting, from the environment or from the configuration, or nothing."""
    value = (os.environ.get(name.upper()) or getattr(app.config, name) or "").strip()
    if value and urlsplit(value).scheme not in ("http", "https"):
        raise ExtensionError(f"{name}: expected an address with https://, got {value!r}")
    return value.rstrip("/")


def configure(app, config):
    address, repository = said(app, "book_address"), said(app, "book_repository")
    if address:
        config.html_baseurl = config.ogp_site_url = f"{address}/"
        config.ogp_image = f"{address}/_static/{CARD}"
        config.sitemap_url_scheme, config.sitemap_excludes = "{link}", NO_CONTENT
    if repository:
        buttons = {"use_repository_button": True, "use_issues_button": True}
        forge = next((name for name in ("gitlab", "bitbucket") if name in repository), "github")
        where = {"repository_url": repository, "repository_provider": forge}
        config.html_theme_options |= where | buttons


def add_tags(app, pagename, templatename, context, doctree):
    if app.builder.name != "html":
        return
    tags = context.get("metatags", "")
    if not app.config.html_baseurl:
        tags = NEEDS_ADDRESS.sub("", tags)
    context["metatags"] = tags + ICONS.format(context["pathto"]("_static/icon-180.png", True))


def lost_page(app):
    """Yield the page for wrong addresses: its links have to work from any of them."""
    if app.builder.name != "html":
        return
    names = {"start": app.config.root_doc, "glossary": "chapters/glossary", "search": "search"}
    links = {name: app.builder.get_target_uri(page) for name, page in names.items()}
    yield "404", {"title": "No page here", "body": LOST.format(**links)}, "page.html"


def finish(app, exception):
    if exception or app.builder.name != "html":
        return
    out, address = Path(app.outdir), app.config.html_baseurl
    (out / "index.html").unlink(missing_ok=True)  # of an earlier build, with its style sheet's name
    lost = (out / "404.html").read_text(encoding="utf-8")
    root = urlsplit(address).path or "/"
    if "<base " not in lost:
        lost = lost.replace('href="#', 'href="404.html#')
        lost = lost.replace("<head>", f'<head>\n    <base href="{root}">', 1)
        (out / "404.html").write_text(lost, encoding="utf-8")
    robots = "User-agent: *\nAllow: /\n"
    if address:
        robots += f"Sitemap: {address}sitemap.xml\n"
        shutil.copyfile(Path(app.srcdir, "plots", CARD), out / "_static" / CARD)
    (out / "robots.txt").write_text(robots, encoding="utf-8")


def start_page(app, exception):
    """Write the first page where a server looks for it: no empty page that sends on."""
    if not exception and app.builder.name == "html":
        out = Path(app.outdir)
        shutil.copyfile(out / f"{app.config.root_doc}.html", out / "index.html")


def setup(app):
    app.add_config_value("book_address", "", "html", str)
    app.add_config_value("book_repository", "", "html", str)
    app.setup_extension("sphinx.ext.githubpages")
    app.setup_extension("sphinxext.opengraph")
    if said(app, "book_address"):
        app.setup_extension("sphinx_sitemap")  # warns where there is no address
    app.connect("config-inited", configure)
    app.connect("html-page-context", add_tags, priority=900)
    app.connect("html-collect-pages", lost_page)
    app.connect("build-finished", finish, priority=700)
    app.connect("build-finished", start_page, priority=950)  # when all pages are as they stay
    return {"parallel_read_safe": True, "parallel_write_safe": True}
