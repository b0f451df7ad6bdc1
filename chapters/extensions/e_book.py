"""Sphinx extension: what Sphinx's own EPUB, `make epub`, needs besides its settings in _config.yml.

Its pages run no script: a widget is its table there, and icons and buttons go. They have their own
style sheet, formulas are MathML (formulas.py), and a cover is made.
"""

import html
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

from lstm_lesson import __version__
from PIL import Image, ImageDraw, ImageFont
from sphinx.addnodes import toctree
from sphinx.builders.epub3 import Epub3Builder

SHEETS = ("pygments.css", "epub.css", "e_book.css")
COVER = "_static/cover.png"
KEPT = (*SHEETS, "cover.png", "file.png")  # the last is named by Sphinx's sheet for EPUBs
CARD = "plots/social_card.png"
# What stands on pages for scripts and for the browser's keyboard.
SUMMARY = re.compile(
    r'<summary[^>]*>\s*<p class="collapsed[^>]*>(.*?)</p>\s*<p class="expanded.*?</summary>', re.S
)
GONE = re.compile(r'<script\b.*?</script>|<svg [^>]*sd-octicon.*?</svg>| tabindex="0"', re.S)


def describe(app, config):
    """Add what a file of settings can't say: the version, and a name that it alone has."""
    config.version = __version__
    config.epub_contributor = config.author
    config.epub_cover = (COVER, "epub-cover.html")
    # Both, since Sphinx takes the one for the other in the older table of contents.
    config.epub_uid = config.epub_identifier = f"{config.epub_basename}-{__version__}"


def draw_cover(path: Path, card: Path, author: str) -> None:
    """Write the cover, 1200 x 1800: a card with title and picture on its own ground, the author."""
    path.parent.mkdir(parents=True, exist_ok=True)
    title = Image.open(card).convert("RGB")
    cover = Image.new("RGB", (1200, 1800), title.getpixel((0, 0)))
    cover.paste(title.resize((1200, 1200 * title.height // title.width)), (0, 500))
    font = ImageFont.load_default(36)
    ImageDraw.Draw(cover).text((600, 1660), author, "#f4f1e9", font=font, anchor="mm")
    cover.save(path)


def start(app):
    if app.builder.name == "epub":
        app.config.html_domain_indices = False
        cover = Path(app.outdir) / COVER
        draw_cover(cover, Path(app.srcdir) / CARD, app.config.author)


def simplify(app, pagename, templatename, context, doctree):
    """Take from a page what a reading system has no use for."""
    if app.builder.name == "epub":
        body = GONE.sub("", context.get("body", ""))
        context["body"] = SUMMARY.sub(r"<summary>\1</summary>", body)
        sheets = context["css_files"]
        context["css_files"] = [s for s in sheets if Path(s.filename).name in SHEETS]


def unique(svg: str) -> str:
    """Return a drawing in which an id that comes again has another name."""
    seen = Counter()

    def again(match: re.Match) -> str:
        seen[match[1]] += 1
        return match[0] if seen[match[1]] == 1 else f' id="{match[1]}-again-{seen[match[1]]}"'

    return re.sub(r' id="([^"]*)"', again, svg)


def with_parts(pages: list[dict], captions: dict[str, str]) -> list[dict]:
    """Return contents in which a part stands above its pages: `captions` by their first page."""
    listed, deeper = [], 0
    for page in pages:
        if page["refuri"] in captions:
            deeper = 1
            listed.append({**page, "level": 1, "text": html.escape(captions[page["refuri"]])})
        listed.append({**page, "level": page["level"] + deeper})
    return listed


class EBook(Epub3Builder):
    """Sphinx's builder, which leaves out parts of a book, and what a checker asks for."""

    def build_navlist(self, navnodes):
        """Nest the contents. An old reader's, toc.ncx, may not name a page twice, and stay flat."""
        parts = self.env.get_doctree(self.config.root_doc).findall(toctree)
        captions = {self.get_target_uri(t["entries"][0][1]): t["caption"] for t in parts}
        return super().build_navlist(with_parts(navnodes, captions))

    def build_content(self):
        """Write the list of files: without the site's own, and a page with formulas says so."""
        for path in Path(self.outdir, "_static").rglob("*"):
            if path.is_file() and path.name not in KEPT:
                path.unlink()
        for drawing in Path(self.outdir).glob("_images/*.svg"):
            drawing.write_text(unique(drawing.read_text(encoding="utf-8")), encoding="utf-8")
        super().build_content()

        def with_properties(item: re.Match) -> str:
            page = (Path(self.outdir) / unquote(item[1])).read_text(encoding="utf-8")
            found = [name for tag, name in (("<math", "mathml"), ("<svg", "svg")) if tag in page]
            return f'{item[0]} properties="{" ".join(found)}"' if found else item[0]

        listing = Path(self.outdir) / "content.opf"
        text = listing.read_text(encoding="utf-8")
        page = r'<item id="[^"]*" href="([^"]*\.xhtml)" media-type="[^"]*"(?! properties)'
        listing.write_text(re.sub(page, with_properties, text), encoding="utf-8")


def setup(app):
    app.add_builder(EBook, override=True)
    app.connect("config-inited", describe)
    app.connect("builder-inited", start)
    # After widget_pages, which puts the tables there.
    app.connect("html-page-context", simplify, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
