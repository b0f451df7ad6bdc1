"""Sphinx extension: every drawing (SVG) on the pages has other colours for readers in the dark.

They stand in the drawing itself, as rules for one that is asked for as `x.svg#dark`, so that a page
loads one file for both. On a dark page the drawing has no paper, greys are turned around, and the
cell's colours have the shades of the equations there. Maps keep their colours, for a caption names
them; so do letters on a map, whose group has a name that starts with `on-map`. A page shows one of
the two, by the theme's classes `only-light` and `only-dark`. A picture of the class `as-drawn` is
the same on both.
"""

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from short_svg import short

SVG = "http://www.w3.org/2000/svg"
PAPER, INK = 0x15, 0xE6  # of a dark page: the grey that white becomes, and the one that black does
# The six colours in lines and areas, and their darker shades in letters; lesson.css has the shades.
SHADES = {
    "#0072b2": "#2fb0ff",
    "#006fae": "#2fb0ff",
    "#d55e00": "#ff7f1a",
    "#b04e00": "#ff7f1a",
    "#009e73": "#00c08c",
    "#007958": "#00c08c",
    "#cc79a7": "#d990ba",
    "#b04380": "#d990ba",
    "#e69f00": "#e69f00",
    "#8e6200": "#e69f00",
    "#56b4e9": "#56b4e9",
    "#1571a5": "#56b4e9",
    # Of models and series.
    "#3d2a91": "#7f6fef",
    "#962f57": "#ff8796",
    "#a9a53a": "#c9c54e",
    "#716e14": "#c9c54e",
}
DECLARED = re.compile(r"([\w-]+): ?(#[0-9a-fA-F]{6})\b")
PICTURE = re.compile(r'<img [^>]*src="([^":?]+\.svg)"[^>]*>')
PIXELS = 1.5  # for each point of a drawing, so that its letters are nearly as large as the text's


def in_the_dark(colour: str) -> str:
    """Return what a colour, ``#rrggbb``, is on a dark page."""
    parts = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    if max(parts) - min(parts) > 16:
        return SHADES.get(colour.lower(), colour)
    grey = round(INK + (PAPER - INK) * sum(parts) / (3 * 255))
    return f"#{grey:02x}{grey:02x}{grey:02x}"


def without_paper(root: ET.Element) -> None:
    """Make the ground of a figure and of its panels transparent: each is the first thing in it."""
    for group in root.iter(f"{{{SVG}}}g"):
        if re.match(r"(?:figure|axes)_", group.get("id", "")):
            ground = group.find(f"{{{SVG}}}g")
            for path in ground.findall(f"{{{SVG}}}path") if ground is not None else ():
                if path.get("style", "").strip("; ") == "fill: #ffffff":
                    path.set("style", "fill: none")


def colours(element: ET.Element) -> set[tuple[str, str]]:
    """Return what has which colour in an element and in what is in it, but for letters on a map."""
    if element.get("id", "").startswith("on-map"):
        return set()
    found = {pair for child in element for pair in colours(child)}
    return found.union(DECLARED.findall(element.get("style", "")))


def in_both(text: str) -> str:
    """Return a drawing that has its dark colours where it is asked for by the name `dark`."""
    root = ET.fromstring(text)
    without_paper(root)
    # Black is what is not written down.
    rules = [f":target{{fill:{in_the_dark('#000000')}}}:target [id^=on-map]{{fill:#000}}"]
    for name, colour in sorted(colours(root)):
        dark = in_the_dark(colour)
        if dark != colour:
            rules.append(
                f':target [style*="{name}:{colour}"]:not([id^=on-map] *){{{name}:{dark}!important}}'
            )
    return short(root).replace(">", f' id="dark"><style>{"".join(rules)}</style>', 1)


def size(text: str) -> tuple[int, int]:
    """Return the width and height in pixels at which a page shows a drawing."""
    box = re.search(r'viewBox="([^"]*)"', text)[1].split()
    return tuple(round(PIXELS * float(side)) for side in box[2:])


def sized(width: int, height: int) -> str:
    return f'width="{width}" height="{height}"'


def pair(tag: str, source: str, size: tuple[int, int], first: bool) -> str:
    """Return the two pictures that stand for one."""
    tag = re.sub(r' (?:width|height|loading|style)="[^"]*"', "", tag)
    given = re.search(r' class="([^"]*)"', tag)
    tag = tag.replace(given[0], "") if given else tag
    names = f"{given[1]} " if given else ""
    lazy = ' fetchpriority="high"' if first else ' loading="lazy"'
    light = tag.replace("<img ", f'<img class="{names}only-light" {sized(*size)}{lazy} ', 1)
    dark = tag.replace("<img ", f'<img class="{names}only-dark" {sized(*size)} loading="lazy" ', 1)
    return light + dark.replace(source, f"{source}#dark")


def finish(app, exception):
    if exception or app.builder.name != "html":
        return
    sizes = {}

    def show(page: Path, match: re.Match, number: Iterator[int]) -> str:
        tag, path = match[0], (page.parent / match[1]).resolve()
        if "width=" in tag or path.parent.name != "_images" or not path.exists():
            return tag  # seen to by an earlier build, or none of ours, as the logo
        as_drawn, first = "as-drawn" in tag, next(number) == 0
        if path not in sizes:
            text = path.read_text(encoding="utf-8")
            sizes[path] = size(text)
            if 'id="dark"' not in text:  # by an earlier build
                drawn = short(ET.fromstring(text)) if as_drawn else in_both(text)
                path.write_text(drawn, encoding="utf-8")
        if as_drawn:
            return tag.replace("<img ", f"<img {sized(*sizes[path])} ", 1)
        return pair(tag, match[1], sizes[path], first)

    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        number = itertools.count()
        changed = PICTURE.sub(lambda m, p=page, n=number: show(p, m, n), text)
        if changed != text:
            page.write_text(changed, encoding="utf-8")


def setup(app):
    # After the theme and before light_pages, which sees to what is left.
    app.connect("build-finished", finish, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
