"""Slides: what of a page goes on them, and that a browser shows them from their own folder."""

import sys
from pathlib import Path

import pytest
from browser import HTML, need_book
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters" / "extensions"))
import make_slides

PAGE = """<html><head><meta charset="utf-8"><title>One</title>
<script src="../_static/a.js"></script>
<link rel="stylesheet" href="../_static/book.css"></head><body><article><section id="one">
<h1>1. One<a class="headerlink" href="#one">#</a></h1><details class="run-this-page">run</details>
<p>Lead.</p><div class="cell"><details class="above-input">import</details>
<img src="../_images/a.svg"></div>
<div class="chapter-box">box</div>
<section id="sum"><h2>Sum</h2><p>It is this:</p><div class="math">sum</div><p>More.</p>
<div class="math" id="equation-a">(1.1)</div><div class="cell">plain code</div>
<div class="cell tag_slide">shown code</div><div class="cell tag_no-slide"><img src="b.svg"></div>
<p><strong>Predict first.</strong> What?</p><div class="cell">try</div>
<div class="cell tag_hide-output"><details>3</details></div><details>Answer</details><p>After.</p>
</section><section id="summary"><h2>Summary</h2><ul><li>point</li></ul></section>
<section id="check-yourself"><h2>Check yourself</h2><p><strong>1.</strong> Why?</p>
<details>So.</details><p><strong>2.</strong> How?</p><details>Thus.</details></section>
<section id="exercises"><h2>Exercises</h2><div class="exercise"><img src="c.svg"></div></section>
</section></article></body></html>"""


def texts(page: str) -> list[str]:
    slides = BeautifulSoup(page, "html.parser").select(".slide")
    return [" ".join(slide.get_text(" ", strip=True).split()) for slide in slides]


def test_slides_follow_the_rule_and_the_tags():
    assert texts(make_slides.deck(PAGE)) == [
        "1. One Lead.",
        "Sum It is this: sum",
        "More. (1.1)",
        "shown code",
        "Predict first. What? try 3 Answer",
        "Summary",
        "point",
        "Check yourself",
        "1. Why? So.",
        "2. How? Thus.",
    ]


def test_files_are_found_from_the_folder_of_the_slides():
    soup = BeautifulSoup(make_slides.deck(PAGE), "html.parser")
    assert soup.select_one(".slide img")["src"] == "../html/_images/a.svg"
    assert soup.select_one("link")["href"] == "../html/_static/book.css"
    assert not soup.select("script[src]")  # the theme's own, which looks for the rest of a page
    assert make_slides.from_the_slides("04_next.html#end") == "../html/chapters/04_next.html#end"
    for kept in ("https://example.org/a", "#here", "/a", "data:image/png;base64,"):
        assert make_slides.from_the_slides(kept) == kept


def test_one_chapter_or_all_are_written(tmp_path, capsys):
    (tmp_path / "html" / "chapters").mkdir(parents=True)
    for name in ("03_three", "04_four", "api"):
        (tmp_path / "html" / "chapters" / f"{name}.html").write_text(PAGE, encoding="utf-8")
    make_slides.main(tmp_path / "html", tmp_path / "slides", "04")
    assert [path.name for path in (tmp_path / "slides").iterdir()] == ["04.html"]
    make_slides.main(tmp_path / "html", tmp_path / "slides")
    assert sorted(path.name for path in (tmp_path / "slides").iterdir()) == ["03.html", "04.html"]
    assert str(tmp_path / "slides" / "04.html") in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in sorted(HTML.glob("chapters/[01]3_*.html"))])
def test_a_chapter_has_a_slide_for_each_figure_and_each_prediction(name):
    need_book()
    page = (HTML / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    soup = BeautifulSoup(make_slides.deck(page), "html.parser")
    asked = [slide for slide in soup.select(".slide") if "Predict first" in slide.get_text()]
    assert asked and all(slide.select("details") for slide in asked)
    assert len(soup.select(".slide")) >= len(soup.select(".slide figure")) > 1
    for tag in soup.select("img[src]"):
        assert (HTML.parent / "slides" / tag["src"]).resolve().exists()
