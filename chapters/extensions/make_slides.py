"""Make slides of built pages: one file for each chapter, shown by any browser without a network.

    python chapters/extensions/make_slides.py _build/html _build/slides 03 05

What goes on slides: the title with its picture; each section's heading with its first paragraph;
each numbered equation, figure and control; each *Predict first* with its answer folded; the
summary; each question of *Check yourself*. Exercises and what comes after them stay on the page. A
code cell with the tag `slide` goes on a slide too, and one with the tag `no-slide` on none.
Formulas, numbers, figures and controls are those of the page, whose files the slides use.
"""

import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup, Tag

STYLE = Path(__file__).with_name("make_slides.css")
SCRIPT = Path(__file__).with_name("make_slides.js")
LAST = {"exercises", "second-reading", "further-reading"}
# The theme's own scripts look for what only a page has.
DROPPED = ".headerlink, .run-this-page, .chapter-box, .above-input, .only-dark, button"
SHOWN = "img, [type*=widget-view]"


def is_fold(block: Tag) -> bool:
    """Whether a block holds an answer that is folded."""
    return "tag_hide-output" in block.get("class", []) or block.name == "details"


def is_formula(blocks: list[Tag]) -> bool:
    """Whether the first of these blocks is a formula."""
    return bool(blocks) and "math" in blocks[0].get("class", [])


def goes_on_a_slide(block: Tag) -> bool:
    """Whether a block that stands by itself is shown."""
    tags = block.get("class", [])
    if "tag_no-slide" in tags:
        return False
    equation = is_formula([block]) and block.has_attr("id")
    return equation or "tag_slide" in tags or bool(block.select_one(SHOWN))


def slides_of(section: Tag) -> Iterator[list[Tag]]:
    """Yield the slides of a section and of those within it, each a list of blocks."""
    blocks = [block for block in section.children if isinstance(block, Tag)]
    before, everything = None, section.get("id") in ("summary", "check-yourself")
    while blocks:
        block = blocks.pop(0)
        if block.name == "section":
            if block.get("id") not in LAST:
                yield from slides_of(block)
        elif re.fullmatch("h[123]", block.name):
            opening = [block]
            if blocks and blocks[0].name == "p" and not asks(blocks[0]):
                opening.append(blocks.pop(0))
                if opening[-1].get_text().strip().endswith(":") and is_formula(blocks):
                    opening.append(blocks.pop(0))
            if block.name == "h1" and blocks and blocks[0].select_one("img"):
                opening.append(blocks.pop(0))
            yield opening
        elif asks(block):
            question = [block]
            while blocks and blocks[0].name != "section":
                if any(map(is_fold, question)) and not is_fold(blocks[0]):
                    break
                question.append(blocks.pop(0))
            yield question
        elif everything or goes_on_a_slide(block):
            yield [before, block] if before and is_formula([block]) else [block]
        before = block if block.name == "p" else None


def asks(block: Tag) -> bool:
    """Whether a paragraph opens with *Predict first* or with the number of a question."""
    strong = block.find("strong") if block.name == "p" else None
    return bool(strong and re.match(r"Predict first|\d+\.$", strong.get_text()))


def from_the_slides(address: str) -> str:
    """Return where a file of the page is, seen from the folder of the slides."""
    if re.match(r"\w+:|#|/", address):
        return address
    return posixpath.normpath(posixpath.join("../html/chapters", address))


def deck(page: str) -> str:
    """Return the slides of a built page, as a page."""
    soup = BeautifulSoup(page, "html.parser")
    for tag in soup.select(DROPPED):
        tag.decompose()
    for tag in soup.find_all(True):
        for name in ("src", "href", "data-states", "data-content_root"):
            if tag.has_attr(name):
                tag[name] = from_the_slides(tag[name])
    found = list(slides_of(soup.select_one("article > section")))
    kept = soup.head.select("meta[charset], title, link[rel=stylesheet], script[data-states]")
    head = "".join(map(str, kept)) + f"<style>{STYLE.read_text(encoding='utf-8')}</style>"
    parts = ("".join(map(str, blocks)) for blocks in found)
    body = "".join(f'<section class="slide"><div>{part}</div></section>\n' for part in parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light" data-content_root="../html/">'
        f'<head>{head}</head>\n<body class="bd-article">\n<main>{body}</main>\n'
        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script></body></html>\n"
    )


def main(html: Path, folder: Path, *numbers: str) -> None:
    """Write the slides of chapters, given by number, or of all."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in sorted((html / "chapters").glob("[0-9][0-9]_*.html")):
        if not numbers or page.stem[:2] in numbers:
            path = folder / f"{page.stem[:2]}.html"
            path.write_text(deck(page.read_text(encoding="utf-8")), encoding="utf-8")
            print(f"Slides, to open in a browser: {path.resolve()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
