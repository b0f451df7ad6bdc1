"""Sphinx extension: takes from the written pages what a reader waits for and does not need.

- The theme draws its icons twice: with a font, and with a script of 1.5 MB, which goes. Of the
  font, the icons in use are kept, in ``_static/icons.woff``, which ``lesson.css`` names.
- MathJax stays on pages with an equation.
- Scripts wait until the page is read, but for the one that the pages' own lines need at once.
"""

import re

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

FONT = "_static/vendor/fontawesome/webfonts/fa-solid-900.ttf"
# As in the unicode-range in lesson.css: bars, list, search, sun, moon, half circle, expand,
# download, file, PDF, arrow up, angles, cross, chevrons.
ICONS = [
    *(0xF002, 0xF00D, 0xF019, 0xF03A, 0xF042, 0xF053, 0xF054, 0xF062, 0xF065, 0xF077, 0xF078),
    *(0xF0C9, 0xF104, 0xF105, 0xF106, 0xF107, 0xF15B, 0xF185, 0xF186, 0xF1C1),
]
ICON_SCRIPT = re.compile(r'\s*<script [^>]*src="[^"]*/fontawesome\.js[^"]*"></script>')
MATHJAX = re.compile(r'\s*<script [^>]*src="[^"]*/tex-chtml[^"]*"></script>')
AT_ONCE = re.compile(
    r"<script (?![^>]*(?:\bdefer\b|\basync\b|documentation_options))(?=[^>]*\bsrc=)"
)


def lighten(text: str) -> str:
    """Return the text of a page without what it does not need."""
    text = ICON_SCRIPT.sub("", text)
    if 'class="math' not in text:
        text = MATHJAX.sub("", text)
    return AT_ONCE.sub("<script defer ", text)


def write_icons(folder) -> None:
    font = TTFont(folder / FONT)
    subsetter = Subsetter(Options(layout_features=[], notdef_outline=False))
    subsetter.populate(unicodes=ICONS)
    subsetter.subset(font)
    font.flavor = "woff"
    font.save(folder / "_static" / "icons.woff")


def finish(app, exception):
    if exception or app.builder.format != "html":
        return
    for page in app.outdir.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        lighter = lighten(text)
        if lighter != text:
            page.write_text(lighter, encoding="utf-8")
    write_icons(app.outdir)


def setup(app):
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
