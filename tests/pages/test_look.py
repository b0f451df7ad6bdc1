"""How the pages look and lead: on a phone, in the dark, in the glossary and in a search."""

import re

import pytest
from browser import HTML, PHONE, WIDE, need_book, unfold
from bs4 import BeautifulSoup
from test_pages import page  # noqa: F401

SMALL = {"width": 320, "height": 640}


@pytest.mark.parametrize("viewport", [PHONE, SMALL], ids=["390", "320"])
def test_code_wraps_on_a_phone(look, viewport):
    tab, _ = look(viewport=viewport, color_scheme="light")
    unfold(tab)
    wider = tab.evaluate(
        """() => [...document.querySelectorAll("article .highlight pre, article .cell pre")]
            .filter(e => !e.closest(".cell_output"))
            .filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1)
            .map(e => e.textContent.slice(0, 80))"""
    )
    assert wider == []


def test_a_printed_table_keeps_its_columns_on_a_phone(visit):
    tab, _ = visit("chapters/05_send_gradients_back.html", viewport=PHONE)
    table = tab.locator(".cell_output pre", has_text="gradient of   shape").first
    table.scroll_into_view_if_needed()
    wide, room, tall, line = table.evaluate(
        """e => [e.scrollWidth, e.clientWidth, e.clientHeight,
            parseFloat(getComputedStyle(e).lineHeight)]"""
    )
    lines = table.text_content().strip().count("\n") + 1
    assert wide > room and tall < (lines + 3) * line
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reader_sees_the_drawing_in_the_colours_of_the_page(visit, scheme):
    tab, problems = visit("chapters/07_start_it_well.html", viewport=WIDE, color_scheme=scheme)
    shown = tab.locator("article figure img:visible")
    shown.first.scroll_into_view_if_needed()
    sources = [shown.nth(k).get_attribute("src") for k in range(shown.count())]
    drawings = [source for source in sources if ".svg" in source]
    assert drawings
    assert all(source.endswith(".svg#dark") == (scheme == "dark") for source in drawings)
    papers = shown.evaluate_all("all => all.map(e => getComputedStyle(e).backgroundColor)")
    assert {*papers} == {"rgba(0, 0, 0, 0)"}  # nor a light slab behind it
    loaded = tab.evaluate("() => performance.getEntriesByType('resource').map(e => e.name)")
    asked = [name.partition("#")[0] for name in loaded if "/_images/" in name]
    # One file for both, asked for when the reader comes near.
    assert 0 < len(set(asked)) < shown.count()
    assert problems == []


# What is seen: the colour of an element that has words of its own, and the paper behind it.
PAINTED = """() => [...document.querySelectorAll("html, body, .bd-article *")]
    .filter(e => e.checkVisibility() && !e.closest(".highlight, img"))
    .map(e => {
        const words = [...e.childNodes].map(n => n.nodeType === 3 ? n.data.trim() : "").join("");
        const {color, backgroundColor, colorScheme, fill} = getComputedStyle(e);
        return [e.tagName, words, words && color, words && fill, backgroundColor, colorScheme];
    })"""


@pytest.mark.parametrize("name", ["intro.html", "chapters/03_open_the_gates.html"])
def test_a_dark_page_is_printed_in_the_colours_of_a_light_one(visit, name):
    printed = []
    for scheme in ("light", "dark"):
        tab, _ = visit(name, viewport=WIDE, color_scheme=scheme)
        assert tab.locator("html").get_attribute("data-theme") == scheme
        for widget in tab.locator(".widget-static").all():  # until its script takes the place
            widget.scroll_into_view_if_needed()
            tab.locator(".lstm-widget").wait_for()
        tab.emulate_media(media="print")
        printed.append(tab.evaluate(PAINTED))
    light, dark = printed
    assert len(light) > 200
    assert [pair for pair in zip(light, dark, strict=True) if pair[0] != pair[1]] == []


def test_letters_of_the_glossary_lead_to_its_terms_in_order():
    need_book()
    soup = BeautifulSoup((HTML / "chapters" / "glossary.html").read_text("utf-8"), "html.parser")
    letters = {a.get_text(): a["href"][1:] for a in soup.select("ul.letters a")}
    terms = {dt["id"]: dt.get_text().strip() for dt in soup.select("dl.glossary dt[id]")}
    assert list(letters) == sorted({term[0].upper() for term in terms.values()})
    assert all(terms[name][0].upper() == letter for letter, name in letters.items())


def test_a_term_names_the_chapters_that_use_it_and_no_other():
    need_book()
    soup = BeautifulSoup((HTML / "chapters" / "glossary.html").read_text("utf-8"), "html.parser")
    chapters = {
        path.name: set(re.findall(r'href="glossary\.html#(term-[^"]+)"', path.read_text("utf-8")))
        for path in (HTML / "chapters").glob("[0-9]*.html")
    }
    for term in soup.select("dl.glossary dt[id]"):
        links = term.find_next("dd").select(".where-used a")
        found = {name for name, terms in chapters.items() if term["id"] in terms}
        assert {a["href"] for a in links} == found, term["id"]
        assert all(int(a.get_text()) == int(a["href"][:2]) for a in links)


def test_a_search_shows_prose(visit):
    tab, problems = visit("search.html?q=vanishing", viewport=WIDE)
    tab.locator("#search-results li p.context").first.wait_for()
    tab.wait_for_timeout(500)
    shown = " ".join(tab.locator("#search-results li p.context").all_inner_texts())
    assert len(shown) > 200
    assert not re.search(r"\\[(\[a-z]|import |print\(|\.shape", shown)
    assert problems == []


def test_the_lens_is_not_on_what_is_asked(visit):
    tab, _ = visit("search.html?q=vanishing", viewport=PHONE)
    form = tab.locator("form.bd-search:visible").first
    field, lens = form.locator("input"), form.locator(".fa-magnifying-glass")
    box, icon = field.bounding_box(), lens.bounding_box()
    padding = float(field.evaluate("e => parseFloat(getComputedStyle(e).paddingLeft)"))
    assert icon["x"] + icon["width"] <= box["x"] + padding
