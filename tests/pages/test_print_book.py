"""The whole book as one page to print: ids, links, answers at the end, contents with numbers."""

import sys
from pathlib import Path

import pytest
from browser import HTML, need_book
from bs4 import BeautifulSoup
from pikepdf import Pdf
from test_pages import TOC

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters" / "extensions"))
import offer_files
import print_book

CHAPTER = """
<html><head><title>Book</title></head><body><article>
<section id="one"><h1>1. One<a class="headerlink" href="#one">#</a></h1>
<section id="sum"><h2>Sum</h2>
<p id="here">See <a href="#here">this</a>, <a href="two.html#end">that</a>,
<a href="https://example.org">there</a> and <a href="../genindex.html">nowhere</a>.</p>
<img class="only-light" loading="lazy" src="../a%20b.svg"><img class="only-dark" src="c.svg">
<details class="hide above-input"><summary>Show</summary><pre>import</pre></details>
<details class="hide below-input"><summary>Show</summary><pre>shown 3</pre></details>
<details class="sd-dropdown"><summary>Answer</summary><p>Yes.</p></details>
<div class="exercise"><p><span class="caption-number">Exercise 1.1 </span></p>
<details class="sd-dropdown"><summary>Hint</summary><p>Add.</p></details></div>
<div class="solution" id="s-1"><p>Solution</p>
<details class="sd-dropdown"><summary>More</summary><p>Inside.</p></details></div>
</section></section></article></body></html>
"""


@pytest.fixture
def chapter(tmp_path):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "one.html").write_text(CHAPTER, encoding="utf-8")
    return print_book.Page(tmp_path, "chapters/one", ["intro", "chapters/one", "chapters/two"])


def test_ids_and_links_are_unique_in_the_book(chapter, tmp_path):
    assert chapter.article.p["id"] == "p1-here"
    links = [tag.get("href") for tag in chapter.article.p.select("a")]
    assert links == ["#p1-here", "#p2-end", "https://example.org"]
    assert "nowhere" in chapter.article.p.get_text()
    picture = chapter.article.img
    assert picture["src"] == (tmp_path / "a b.svg").as_uri()
    assert "loading" not in picture.attrs
    assert len(chapter.article.select("img, .headerlink")) == 1


def test_answers_go_to_the_end_with_a_link_each_way(chapter):
    taken = chapter.take_answers()
    assert [tag.get_text(" ", strip=True) for tag in taken] == [
        "Answer 1.1 Yes.",
        "Hint to Exercise 1.1 Add.",
        "Solution More Inside.",
    ]
    left = [tag.get_text(strip=True) for tag in chapter.article.select(".to-answer")]
    assert left == ["Answer 1.1: at the end", "Hint: at the end", "Solution: at the end"]
    for answer, place in zip(taken, chapter.article.select(".to-answer"), strict=True):
        assert place.a["href"] == f"#{answer['id']}"
    assert [tag.select_one(".answer-title a") and tag.a["href"] for tag in taken[:2]] == [
        f"#{tag['id']}" for tag in chapter.article.select(".to-answer")[:2]
    ]
    assert taken[2].select_one("#p1-s-1"), "a link to a solution leads to its new place"
    text = chapter.article.get_text()
    assert "shown 3" in text and "import" not in text and "Yes." not in text
    assert not [tag for tag in [chapter.article, *taken] if tag.select("details")]


def test_headings_come_below_those_of_the_part(chapter):
    print_book.lower(chapter.article)
    assert [tag.name for tag in chapter.article.select("h1, h2, h3")] == ["h2", "h3"]


def test_contents_get_their_numbers_and_a_lost_place_is_an_error():
    text = '<body><nav><span class="page-of" data-of="p1">000</span></nav><main>x</main></body>'
    page = BeautifulSoup(text, "html.parser")
    print_book.number_contents(page, {"p1": 12})
    assert page.nav.get_text() == "12"
    assert page.main is None
    with pytest.raises(KeyError):
        print_book.number_contents(BeautifulSoup(text, "html.parser"), {})


def test_without_a_browser_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(print_book.shutil, "which", lambda name: None)
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(SystemExit, match="make pdf CHROMIUM="):
        print_book.browser()
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    with pytest.raises(SystemExit, match="make pdf CHROMIUM="):
        print_book.browser()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exec sleep 60", r"did not print the book within 0\.01 minutes, and was stopped; [^\n]*$"),
        ("echo one >&2; echo no room >&2; exit 3", r"did not print the book: no room$"),
        ("exit 3", r"did not print the book: it ended with exit code 3$"),
    ],
)
def test_a_browser_that_prints_nothing_is_one_line(tmp_path, monkeypatch, script, message):
    name = tmp_path / "browser"
    name.write_text(f"#!/bin/sh\n{script}\n")
    name.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(name))
    monkeypatch.setattr(print_book, "MINUTES", 0.01)
    with pytest.raises(SystemExit, match=message):
        print_book.print_page(tmp_path / "book.html", tmp_path / "book.pdf")


def test_the_first_page_offers_what_is_there_and_nothing_else(tmp_path):
    page = '<h1>Book</h1>\n<p>Lead</p>\n<section id="a">\n<h2>A</h2></section>'
    offered = offer_files.with_offer(page, {"PDF": 32_400_000, "EPUB": 3_600_000})
    assert offered.index("Lead") < offered.index("offers") < offered.index("<section")
    assert ">PDF</a> (32 MB) or <a" in offered
    assert offer_files.with_offer(offered, {"EPUB": 3_600_000}).count("<a ") == 1
    assert offer_files.with_offer(offered, {}) == page
    (tmp_path / "intro.html").write_text(page)
    (tmp_path / "inside-the-lstm.epub").write_bytes(bytes(2_000_000))
    offer_files.main(tmp_path)
    assert (
        'href="inside-the-lstm.epub" download>EPUB</a> (2 MB)'
        in (tmp_path / "intro.html").read_text()
    )


@pytest.mark.slow
def test_every_link_of_the_whole_book_leads_to_a_place_in_it():
    need_book()
    page = print_book.assemble(HTML)
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
    links = [tag["href"] for tag in page.select("a[href^='#']")]
    assert len(links) > 1000
    assert {link for link in links if link[1:] not in set(ids)} == set()
    chapters = [entry["file"] for part in TOC["parts"] for entry in part["chapters"]]
    assert len(page.select(".entry.chapter")) == len(chapters) + 1
    assert not page.select("script, details, img[src^='http']")
    assert len(page.select(".widget-static")) >= 4
    shown = page.select_one("main").select(".math")
    assert shown and all(tag.select("mjx-container") for tag in shown)


def test_a_page_is_printed_with_bookmarks_and_links(chromium, tmp_path):
    text = (
        '<!DOCTYPE html><html lang="en"><title>t</title><body><header class="title-page">T</header>'
        '<nav class="book-contents"><a class="entry" href="#x">X<span class="page-of" data-of="x">'
        '000</span></a></nav><main><h1 id="x">X</h1><h2 id="y" style="break-before: page">Y</h2>'
        '<a href="#y">y</a></main></body></html>'
    )
    page = BeautifulSoup(text, "html.parser")
    page.html.append(print_book.make("style", print_book.STYLE.read_text(encoding="utf-8")))
    book = print_book.print_soup(page)
    assert isinstance(book, Pdf)
    assert len(book.pages) == 4
    assert print_book.pages_of(book) == {"x": 3, "y": 4}
    with book.open_outline() as outline:
        (title,) = outline.root
    assert (title.title, [item.title for item in title.children]) == ("X", ["Y"])
