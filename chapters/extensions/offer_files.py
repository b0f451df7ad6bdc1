"""Sphinx extension: the first page offers the book as a PDF and an EPUB, once these are made.

    python chapters/extensions/offer_files.py _build/html

Does so for pages that are there already, after `make pdf` or `make epub`.
"""

import re
import sys
from pathlib import Path

FILES = {"PDF": "inside-the-lstm.pdf", "EPUB": "inside-the-lstm.epub"}
OFFER = re.compile(r'<p class="offers">.*?</p>\n', re.S)
# The offer stands above the first heading below the title.
PLACE = re.compile(r"<section\b[^>]*>\s*<h2\b")


def with_offer(page: str, sizes: dict[str, int]) -> str:
    """Return the text of a page with links to the files, whose sizes in bytes are given."""
    page = OFFER.sub("", page)
    links = [
        f'<a href="{FILES[kind]}" download>{kind}</a> ({size / 1e6:.0f} MB)'
        for kind, size in sizes.items()
    ]
    if not links:
        return page
    offer = f'<p class="offers">The whole book as one file: {" or ".join(links)}.</p>\n'
    return PLACE.sub(lambda place: offer + place[0], page, count=1)


def main(html: Path) -> None:
    found = {kind: html / name for kind, name in FILES.items() if (html / name).exists()}
    first = html / "intro.html"
    text = first.read_text(encoding="utf-8")
    sizes = {kind: path.stat().st_size for kind, path in found.items()}
    first.write_text(with_offer(text, sizes), encoding="utf-8")


def finish(app, exception):
    if not exception and app.builder.name == "html":
        main(Path(app.outdir))


def setup(app):
    app.connect("build-finished", finish, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
