"""Sphinx extension: takes from the written pages what a reader waits for and does not need.

- The theme draws its icons twice: with a font, and with a script of 1.5 MB, which goes. Of the
  font and its rules, the icons in use are kept.
- A page's style sheets become one, without the rules for classes that no page and no script
  names, so that a phone asks once and for little.
- What a search needs is loaded where one is made, and not on every page.
- Scripts wait until the page is read, but for the one that the pages' own lines need at once,
  which is so short that it's written into the page.
- Which boxes scroll is seen when they are (`wide_boxes.js`); the theme would lay out the whole page
  to know.
- Of `_static` only what pages name stays, or what is named in that.
- Pictures have their size written down, so that nothing jumps, and those after the first are
  loaded when the reader comes near.
- The two typefaces of every page are asked for at once, not when the style sheet has been read, so
  that the text need not move when they come.
"""

import hashlib
import itertools
import posixpath
import re
from pathlib import Path

import tinycss2
from fontTools.ttLib import TTFont
from PIL import Image

from formulas import keep_signs

FONT = "_static/vendor/fontawesome/webfonts/fa-solid-900.ttf"
ICON_SCRIPT = re.compile(r'\s*<script [^>]*src="[^"]*/fontawesome\.js[^"]*"></script>')
SEARCH_SCRIPT = re.compile(
    r'\s*<script [^>]*src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>'
)
TABS_SCRIPT = re.compile(r'\s*<script [^>]*src="[^"]*design-tabs\.js[^"]*"></script>')
OTHER_ICONS = re.compile(r"@font-face\s*\{[^}]*fa-(?:solid|regular|v4compat)[^}]*\}")
BRANDS = re.compile(r"@font-face\s*\{[^}]*fa-brands[^}]*\}")
AT_ONCE = re.compile(r"<script (?![^>]*(?:\bdefer\b|\basync\b))(?=[^>]*\bsrc=)")
SETTINGS = re.compile(r'<script src="[^"]*(documentation_options\.js)[^"]*"></script>')
# Before the style sheet, for which a script would wait; and not where the pages are read from the
# disk, whose fonts a browser loads, but not ahead.
EARLY_FONTS = """<script>
  if (location.protocol !== "file:") for (const name of ["literata", "inter"])
    document.head.append(Object.assign(document.createElement("link"), {{
      rel: "preload", as: "font", crossOrigin: "", href: `{0}/${{name}}.woff2`
    }}));
</script>"""
THEME_SCRIPT = "scripts/pydata-sphinx-theme.js"
WIDE_BOXES = re.compile(r"(\w)\.tabIndex=\1\.scrollWidth>[^?]*\?0:-1")
SHEET = re.compile(r'\s*<link (?=[^>]*rel="stylesheet")[^>]*href="([^"?]*)[^"]*"[^>]*/?>')
IMPORT = re.compile(r"""@import\s+(?:url\()?["']?([^"')]+)["']?\)?\s*;""")
URL = re.compile(r"""url\((["']?)(?!data:|#|\w+:|/)([^"')]+)\1\)""")
ICON_VALUE = re.compile(r'(?:content|--pst-icon-[\w-]+): *"(?:\\(f[0-9a-f]{3})|([\ue000-\uf8ff]))"')
FACE = """
@font-face {{
  font-family: "Font Awesome 6 Free";
  font-weight: 900;
  font-display: block;
  src: url(icons.woff) format("woff");
  unicode-range: {ranges};
}}
"""


def lighten(text: str, static: Path) -> str:
    """Return the text of a page without the scripts that it does not need."""
    text = ICON_SCRIPT.sub("", text)
    text = SETTINGS.sub(lambda m: f"<script>{(static / m[1]).read_text().strip()}</script>", text)
    if 'id="search-results"' not in text:
        text = SEARCH_SCRIPT.sub("", text)
    if "sd-tab-set" not in text:
        text = TABS_SCRIPT.sub("", text)
    return AT_ONCE.sub("<script defer ", text)


def size_pictures(text: str, folder: Path) -> str:
    """Return the text of a page in `folder` with each picture's width and height."""
    seen = 0

    def sized(match: re.Match) -> str:
        nonlocal seen
        tag, source = match[0], re.search(r'src="([^":?]+\.png)"', match[0])
        if not source or " width=" in tag or not (folder / source[1]).exists():
            return tag
        with Image.open(folder / source[1]) as picture:
            width, height = picture.size
        seen += 1
        lazy = ' loading="lazy"' if seen > 1 else ""
        return tag.replace("<img ", f'<img width="{width}" height="{height}"{lazy} ', 1)

    return re.sub(r"<img [^>]*>", sized, text)


def read_sheet(path: Path, static: Path) -> str:
    """Return a style sheet with what it imports, its addresses as seen from `static`."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"/\*# sourceMappingURL=.*?\*/", "", text)

    def moved(match: re.Match) -> str:
        target, mark, rest = re.match(r"([^?#]*)([?#]?)(.*)", match[2]).groups()
        place = posixpath.relpath((path.parent / target).as_posix(), static.as_posix())
        return f"url({place}{mark}{rest})"

    imported = [read_sheet(path.parent / name, static) for name in IMPORT.findall(text)]
    return "\n".join([*imported, URL.sub(moved, IMPORT.sub("", text))])


def classes(selector: list) -> set[str]:
    """Return the classes that an element must have: not those in `:not(...)` and its like."""
    pairs = itertools.pairwise(selector)
    return {name.value for dot, name in pairs if dot == "." and name.type == "ident"}


def prune(rules: list, words: set[str]) -> str:
    """Return parsed rules as text, without selectors that name a class not in `words`."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [[]]
            for token in rule.prelude:
                selectors.append([]) if token == "," else selectors[-1].append(token)
            used = [tinycss2.serialize(s) for s in selectors if classes(s) <= words]
            if used:
                kept.append(f"{','.join(used)}{{{tinycss2.serialize(rule.content)}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports", "layer"):
            inner = tinycss2.parse_rule_list(rule.content or [], True, True)
            head = f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}"
            text = prune(inner, words) if rule.content is not None else None
            if text != "":
                kept.append(f"{head};" if text is None else f"{head}{{{text}}}")
        else:
            kept.append(rule.serialize())
    return "\n".join(kept)


class Styles:
    """Joins the style sheets of pages, with those rules and icons that some page may use."""

    def __init__(self, static: Path, words: set[str]) -> None:
        self.static, self.words, self.icons, self.written = static, words, set(), {}

    def join(self, sheets: tuple[Path, ...]) -> str:
        """Write `sheets` as one, unless that is done, and return the new file's name."""
        if sheets not in self.written:
            text = "\n".join(read_sheet(path, self.static) for path in sheets)
            text = OTHER_ICONS.sub("", text)
            if not {"fa-brands", "fab"} & self.words:
                text = BRANDS.sub("", text)
            text = prune(tinycss2.parse_stylesheet(text, True, True), self.words)
            here = {code or f"{ord(letter):x}" for code, letter in ICON_VALUE.findall(text)}
            self.icons |= {int(code, 16) for code in here}
            text = re.sub(r"/\*.*?\*/|(?<=[{;\n]) +", "", text, flags=re.S)
            text += FACE.format(ranges=", ".join(f"U+{code.upper()}" for code in sorted(here)))
            name = f"book-{hashlib.sha256(text.encode()).hexdigest()[:10]}.css"
            (self.static / name).write_text(text, encoding="utf-8")
            self.written[sheets] = name
        return self.written[sheets]


def write_icons(folder: Path, icons: set[int]) -> None:
    font = TTFont(folder / FONT)
    keep_signs(font, icons, notdef_outline=False)
    font.flavor = "woff"
    font.save(folder / "_static" / "icons.woff")


def needed(folder: Path, static: Path) -> set[Path]:
    """Return the files of `static` that pages in `folder` name, and what these name in turn."""
    named: dict[str, set[Path]] = {}
    for path in static.rglob("*.*"):
        if path.suffix != ".map":
            named.setdefault(path.name, set()).add(path)
    kept, todo = set(), [path for path in folder.rglob("*.html") if static not in path.parents]
    while todo:
        text = todo.pop().read_text(encoding="utf-8")
        for name in named.keys() & set(re.findall(r"[\w.-]+", text)):
            todo += [path for path in named[name] - kept if path.suffix in (".css", ".js")]
            kept |= named[name]
    return kept


def leave_wide_boxes(static: Path) -> None:
    """Take from the theme's script what `wide_boxes.js` does later."""
    script = static / THEME_SCRIPT
    text = script.read_text(encoding="utf-8")
    script.write_text(WIDE_BOXES.sub("0", text), encoding="utf-8")


def finish(app, exception):
    if exception or app.builder.name != "html":
        return
    folder = Path(app.outdir)
    static = folder / "_static"
    leave_wide_boxes(static)
    pages = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*.html")}
    # What a script puts together from parts it names in parts; the theme's do so for none here.
    # The one that goes names every icon there is, and the font of brands.
    scripts = [
        path.read_text(encoding="utf-8")
        for path in static.rglob("*.js")
        if path.stem != "fontawesome"
    ]
    styles = Styles(static, set(re.findall(r"[\w-]+", " ".join([*pages.values(), *scripts]))))
    for path, text in pages.items():
        lighter = size_pictures(lighten(text, static), path.parent)
        found = [(path.parent / href).resolve() for href in SHEET.findall(lighter)]
        if len(found) > 1 and all(sheet.exists() for sheet in found):
            name = styles.join(tuple(found))
            href = posixpath.relpath((static / name).as_posix(), path.parent.as_posix())
            place = SHEET.search(lighter).start()
            lighter = SHEET.sub("", lighter)
            fonts = posixpath.join(posixpath.dirname(href), "fonts")
            link = f'\n{EARLY_FONTS.format(fonts)}\n<link rel="stylesheet" href="{href}" />'
            lighter = lighter[:place] + link + lighter[place:]
        if lighter != text:
            path.write_text(lighter, encoding="utf-8")
    if styles.icons:
        write_icons(folder, styles.icons)
    for path in {path for path in static.rglob("*") if path.is_file()} - needed(folder, static):
        path.unlink()


def setup(app):
    app.add_js_file("wide_boxes.js", loading_method="defer")
    # Last, for the theme writes the colours of code when all else is done.
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
