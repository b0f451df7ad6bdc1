"""The EPUB: what is taken from a page, its files, its cover; and the whole, if it is made."""

import re
import sys
import zipfile
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
import yaml
from browser import HTML
from bs4 import BeautifulSoup
from PIL import Image
from test_pages import PAGES, ROOT

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters" / "extensions"))
import e_book

BOOK = HTML / "inside-the-lstm.epub"


def simplified(body: str, builder: str = "epub") -> dict:
    sheets = [SimpleNamespace(filename=f"_static/{name}") for name in ("e_book.css", "lesson.css")]
    context = {"body": body, "css_files": sheets}
    e_book.simplify(SimpleNamespace(builder=SimpleNamespace(name=builder)), "", "", context, None)
    return context


def test_a_page_loses_what_needs_a_script():
    context = simplified(
        '<script type="x">{"model_id": "a"}</script><pre class="widget-static" tabindex="0">1</pre>'
    )
    assert context["body"] == '<pre class="widget-static">1</pre>'
    assert [sheet.filename for sheet in context["css_files"]] == ["_static/e_book.css"]
    kept = simplified("<script></script>", "html")
    assert kept["body"] == "<script></script>" and len(kept["css_files"]) == 2


def test_a_summary_holds_words_and_no_paragraph():
    body = (
        '<summary aria-label="Toggle hidden content">\n'
        '<p class="collapsed admonition-title">Show</p>\n'
        '<p class="expanded admonition-title">Hide</p>\n</summary>'
    )
    assert simplified(body)["body"] == "<summary>Show</summary>"


def test_ids_of_a_drawing_become_unique():
    assert e_book.unique('<g id="a"/><g id="b"/><g id="a"/><g id="a"/>') == (
        '<g id="a"/><g id="b"/><g id="a-again-2"/><g id="a-again-3"/>'
    )


def test_the_cover_is_a_portrait_with_something_on_it(tmp_path):
    e_book.draw_cover(tmp_path / "new" / "c.png", ROOT / e_book.CARD, "Who")
    with Image.open(tmp_path / "new" / "c.png") as cover:
        assert cover.size == (1200, 1800)
        assert len(cover.getcolors(1 << 24)) > 100


def test_a_part_stands_above_its_pages():
    pages = [{"level": 1, "refuri": name, "text": name} for name in ("intro", "one", "two", "end")]
    listed = e_book.with_parts(pages, {"one": "I A & B", "end": "Back"})
    assert [(entry["level"], entry["refuri"], entry["text"]) for entry in listed] == [
        (1, "intro", "intro"),
        (1, "one", "I A &amp; B"),
        (2, "one", "one"),
        (2, "two", "two"),
        (1, "end", "Back"),
        (2, "end", "end"),
    ]


@pytest.fixture(scope="module")
def book():
    if not BOOK.exists():
        pytest.skip("no EPUB here: `make epub` makes it")
    with zipfile.ZipFile(BOOK) as archive:
        yield {name: archive.read(name) for name in archive.namelist()}


def pages(book):
    return {name: data.decode() for name, data in book.items() if name.endswith(".xhtml")}


@pytest.mark.slow
def test_the_book_says_what_it_is(book):
    assert next(iter(book)) == "mimetype" and book["mimetype"] == b"application/epub+zip"
    listing = book["content.opf"].decode()
    assert "<dc:title>Inside the LSTM</dc:title>" in listing
    assert "unknown" not in listing
    assert {f"{page}.xhtml" for page in PAGES} <= set(book)
    for item in re.findall(r"<item [^>]*\.xhtml[^>]*>", listing):
        name = re.search(r'href="([^"]*)"', item)[1]
        assert ("mathml" in item) == (b"<math" in book[name]), item


@pytest.mark.slow
def test_its_contents_name_every_part_and_page(book):
    contents = BeautifulSoup(book["nav.xhtml"].decode(), "html.parser").nav.ol
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    found = [
        (part.a.get_text(), [page["href"] for page in part.ol.select("a")])
        for part in contents.find_all("li", recursive=False)
        if part.ol
    ]
    assert found == [
        (part["caption"], [f"{page['file']}.xhtml" for page in part["chapters"]]) for part in parts
    ]


@pytest.mark.slow
def test_links_and_pictures_of_the_book_lead_somewhere(book):
    soups = {name: BeautifulSoup(text, "html.parser") for name, text in pages(book).items()}
    ids = {name: {tag["id"] for tag in soup.select("[id]")} for name, soup in soups.items()}
    broken = []
    for name, soup in soups.items():
        for tag in soup.select("[href], [src]"):
            target = tag.get("href") or tag.get("src")
            if urlsplit(target).scheme:
                continue
            path, anchor = urldefrag(target)
            there = (Path("/") / PurePosixPath(name).parent / unquote(path)).resolve()
            there = there.relative_to("/").as_posix() if path else name
            if there not in book or (anchor and unquote(anchor) not in ids[there]):
                broken.append((name, target))
    assert broken == []


@pytest.mark.slow
def test_the_book_needs_no_script_and_has_its_formulas_as_mathml(book):
    for name, text in pages(book).items():
        soup = BeautifulSoup(text, "html.parser")
        assert not soup.select("script, button, mjx-container"), name
        assert all(box.select("math") for box in soup.select(".math")), name
    assert sum(text.count('class="widget-static"') for text in pages(book).values()) >= 4
