"""Formulas are typeset while the book is built: all, in their colours; wrong TeX is an error."""

import asyncio
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx
from test_pages import ROOT, article, page  # noqa: F401

from lstm_lesson.figures.look import COLOURS

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters" / "extensions"))
import formulas
from formulas import typesetter

GATE = r"\textcolor{#D55E00}{f_t} \odot c_{t-1}"


@pytest.fixture(scope="module", autouse=True)
def close():
    yield
    typesetter.close()


def test_a_formula_has_its_gate_as_a_class_and_is_there_for_screen_readers():
    soup = BeautifulSoup(typesetter.html(GATE, False), "html.parser")
    assert [tag.name for tag in soup.select(".gate-f")] == ["mjx-mstyle"]
    assert soup.select_one("mjx-math")["aria-hidden"] == "true"
    assert soup.select_one("mjx-assistive-mml math").get_text() == "ft⊙ct−1"
    assert "D55E00" not in str(soup)


def test_an_event_loop_in_the_same_thread_does_not_stop_it():
    async def start():
        typesetter.close()
        return typesetter.mathml("x_{loop}", False)

    with ThreadPoolExecutor(1) as pool:  # a browser under test has its loop in this thread
        assert "<msub>" in pool.submit(asyncio.run, start()).result()


def test_the_colours_are_those_of_the_figures():
    named = {letter: f"#{colour}" for colour, letter in formulas.GATES.items()}
    assert named == {letter: colour.upper() for letter, colour in COLOURS.items()}


def test_an_e_book_gets_mathml_of_which_nothing_is_private_to_mathjax():
    text = typesetter.mathml(GATE, True)
    soup = BeautifulSoup(text, "html.parser")
    assert soup.math["display"] == "block"
    assert soup.mstyle["mathcolor"] == "#D55E00"
    assert soup.get_text() == "ft⊙ct−1"
    assert soup.mstyle["class"] == ["gate-f"]
    assert "data-" not in text and "\n" not in text


def test_columns_of_an_e_book_are_aligned_for_readers_that_go_by_style():
    soup = BeautifulSoup(
        typesetter.mathml(r"\begin{aligned}a &= b\end{aligned}", True), "html.parser"
    )
    assert [cell["style"].split(";")[0] for cell in soup.select("mtd")] == [
        "text-align: right",
        "text-align: left",
    ]


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"\nosuch x", "Undefined control sequence"),
        ("x^", "Missing superscript"),
        (r"\frac{1}", "Missing argument"),
        ("{x", "close brace"),
        (r"\text{日}", "letter that MathJax's fonts lack"),
    ],
)
def test_wrong_tex_is_an_error(tex, message):
    with pytest.raises(ValueError, match=message):
        typesetter.html(tex, False)


def test_signs_are_read_from_the_rules_of_the_letters_in_use():
    css = (
        'mjx-c.mjx-c2212::before { padding: 1em 0; content: "\\2212"; }'
        'mjx-c.mjx-c1D461.TEX-I::before { padding: 0; content: "t"; }'
        'mjx-c.mjx-c41.TEX-B::before { content: "A"; }'
    )
    assert formulas.signs(css, {"mjx-c2212", "mjx-c1D461"}) == {0x2212, ord("t")}


def test_fonts_keep_the_signs_in_use_without_a_word(tmp_path, caplog):
    with caplog.at_level("INFO"):  # which accessible-pygments sets for all modules
        formulas.write_fonts(tmp_path / "fonts", {ord("t"), 0x2212})
    assert caplog.records == []
    kept = TTFont(tmp_path / "fonts" / "MathJax_Math-Italic.woff").getBestCmap()
    assert set(kept) == {ord("t")}
    # Its one sign has no width and holds a line where it is.
    assert TTFont(tmp_path / "fonts" / "MathJax_Zero.woff").getBestCmap()


def test_punctuation_stays_with_its_formula():
    text = nodes.paragraph("", "", nodes.Text("see (“"), nodes.math(text="x"), nodes.Text(").. so"))
    formulas.keep_together(None, text, "")
    assert [str(part.astext()) for part in text] == ["see ", "(“x)..", " so"]
    assert text[1]["classes"] == ["unbroken"]


def test_a_build_names_the_place_of_wrong_tex(tmp_path):
    (tmp_path / "index.rst").write_text("T\n=\n\nGood :math:`x`.\n\nBad :math:`\\nosuch`.\n")
    (tmp_path / "conf.py").write_text(
        "extensions = ['formulas']\nhtml_math_renderer = 'formulas'\nproject = 'p'\n"
    )
    log = (tmp_path / "log").open("w+")
    folders = [tmp_path, tmp_path, tmp_path / "html", tmp_path / "trees"]
    Sphinx(*folders, "html", status=None, warning=log, freshenv=True).build()
    log.seek(0)
    warnings = [line for line in log if "WARNING" in line]
    log.close()
    assert len(warnings) == 1
    assert re.search(r"index\.rst:6: .*can't be typeset: .*\\nosuch", warnings[0])
    html = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert html.count("<mjx-container") == 1
    assert (tmp_path / "html" / "_static" / "formulas.css").exists()


# ---- The pages ----


def in_source(name: str) -> int:
    """Count the formulas of a page's source, outside of code."""
    path = next(ROOT.glob(f"{name}.*"))
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    text = re.sub(r"^```\{?(?:code|python|bash)[^`]*```|(?<!`)`[^`\n]+`(?!`)", "", text, flags=re.M)
    return len(re.findall(r"(?<!\\)\$\$[^$]+\$\$|(?<!\\)\$[^$\n]+(?:\n[^$\n]+)?\$", text))


def test_every_formula_of_the_source_is_typeset(page):  # noqa: F811
    name = page.relative_to(page.parents[page.parts[::-1].index("html") - 1])
    boxes = article(page).select(".math")
    assert len(boxes) >= in_source(name.with_suffix("").as_posix())
    assert [str(box) for box in boxes if not box.select("mjx-container > mjx-math *")] == []


def test_no_tex_is_left_on_a_page(page):  # noqa: F811
    visible = BeautifulSoup(str(article(page)), "html.parser")
    for tag in visible.select("pre, code, script, style"):
        tag.decompose()
    assert re.findall(r"\\[a-zA-Z([\]){}]+|\$[^$\d][^$]*\$", visible.get_text()) == []


def test_formulas_have_the_colours_of_the_page(look):
    tab, _ = look(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    wrong = tab.evaluate(
        """() => [...document.querySelectorAll("article mjx-mstyle[class^=gate-]")].filter(e => {
            const probe = document.createElement("i");
            probe.style.color = `var(--${e.className})`;
            document.body.append(probe);
            const same = getComputedStyle(probe).color === getComputedStyle(e).color;
            probe.remove();
            return !same;
        }).map(e => e.outerHTML)"""
    )
    assert wrong == []
