"""Widgets: what holds for all of them, alone and on the built pages."""

import json
import re
import subprocess
import sys
from pathlib import Path

import axe_playwright_python.base as axe
import pytest
from browser import HTML, contrast, need_book

from lstm_lesson import figures, widgets
from lstm_lesson.widgets import GatePlayground
from lstm_lesson.widgets.base import HERE

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "chapters" / "assets"
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
SCRIPTS = {".js", ".css"}
STATE = "application/vnd.jupyter.widget-state+json"
WIDGETS = [getattr(widgets, name) for name in widgets.__all__]

# Colours and sizes of everything that has text of its own in a widget.
COLOURS_OF_TEXT = """() => [...document.querySelectorAll(".lstm-widget *")].filter(
    e => !(e instanceof SVGElement) && e.checkVisibility()
        && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
).map(e => {
    let back = e;
    while (back && getComputedStyle(back).backgroundColor === "rgba(0, 0, 0, 0)")
        back = back.parentElement;
    return [e.textContent, getComputedStyle(e).color, getComputedStyle(back).backgroundColor,
            !e.disabled];
}).filter(row => row[3])"""


# ---- Without a browser ----


def test_the_package_itself_needs_no_widget_library():
    code = "import sys, lstm_lesson; sys.exit('anywidget' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("kind", WIDGETS)
def test_script_is_small_and_needs_nothing(kind):
    widget = kind()
    assert len(widget._esm.encode()) + len(widget._css.encode()) < 60_000
    assert (
        re.search(r"^\s*import\b|\bimport\(|\bfetch\(|https?://(?!www\.w3\.org)", widget._esm)
        is None
    )
    assert "url(" not in widget._css


def test_scripts_have_the_line_length_of_the_code():
    scripts = [path for path in (*HERE.glob("*"), *ASSETS.glob("*")) if path.suffix in SCRIPTS]
    assert len(scripts) > 10
    for path in scripts:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if len(line) > 100] == [], path.name


def test_scripts_know_names_from_python_alone():
    for kind in WIDGETS:
        first, *rest = kind()._esm.splitlines()
        assert json.loads(first.removeprefix("const NAMES = ").removesuffix(";")) == figures.NAMES
        for name in figures.NAMES.values():
            assert f'"{name}"' not in "\n".join(rest)


@pytest.mark.parametrize("kind", WIDGETS)
def test_widget_says_the_same_as_text(kind):
    widget = kind()
    assert repr(widget) == widget.static == widget.table()
    assert max(map(len, widget.table().splitlines())) <= 60
    assert widget._repr_mimebundle_()[0]["text/plain"] == widget.table()


def test_names_are_numbered():
    one, two = GatePlayground(), GatePlayground()
    (name, first), (same, second) = (w.model_id.split("-") for w in (one, two))
    assert name == same == "GatePlayground"
    assert int(second) == int(first) + 1
    assert one.layout.model_id == f"{one.model_id}-layout"


def committed():
    """The state of each of the book's widgets, as the notebooks carry it."""
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        models = notebook["metadata"].get("widgets", {}).get(STATE, {"state": {}})["state"]
        for model_id, model in models.items():
            if model["model_name"] == "AnyModel":
                yield pytest.param(notebook, model_id, model["state"], id=f"{path.stem}-{model_id}")


@pytest.mark.parametrize("notebook, model_id, state", list(committed()))
def test_notebook_carries_the_script_of_today(notebook, model_id, state):
    kind = getattr(widgets, model_id.split("-")[0])
    again = "run this notebook again from the top and save it: it carries an older script"
    assert state["_esm"] == kind()._esm, again
    assert state["_css"] == kind()._css, again
    views = [
        output["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    assert views.count(model_id) == 1


def test_text_has_the_colours_of_the_pages():
    page = (ROOT / "chapters" / "assets" / "lesson.css").read_text(encoding="utf-8")
    here = (HERE / "base.css").read_text(encoding="utf-8")
    both = re.findall(r"--gate-(\w): light-dark\((#\w{6}), (#\w{6})\)", here)
    shades = {(gate, shade) for gate, *pair in both for shade in pair}
    assert shades == set(re.findall(r"--gate-(\w): (#\w{6})", page))
    assert len(shades) == 12


# ---- On the built pages ----


def test_only_a_page_with_a_widget_loads_the_host():
    need_book()
    pages = {path: path.read_text(encoding="utf-8") for path in HTML.rglob("*.html")}
    with_view = {path for path, text in pages.items() if "widget-view+json" in text}
    assert with_view and with_view != set(pages)
    assert {path for path, text in pages.items() if "widget_host.js" in text} == with_view
    # The states, weights among them, are in files of their own.
    states = {path for path, text in pages.items() if "data-states=" in text}
    assert states == with_view
    assert [path for path, text in pages.items() if "widget-state+json" in text] == []
    assert [path for path, text in pages.items() if '"_esm": ' in text] == []
    assert [
        p for p, text in pages.items() if re.search(r"require(\.min)?\.js|embed-amd", text)
    ] == []


@pytest.mark.parametrize("kind", WIDGETS)
def test_text_stands_in_where_no_script_runs(chromium, address, page_with, kind):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{address}/{page_with(kind.__name__)}")
    text = tab.locator("pre.widget-static").first
    # Not the text as it is laid out, for that is done when a reader comes near.
    assert text.is_visible() and text.text_content() == kind().table()
    context.close()


@pytest.mark.parametrize("kind", [kind.__name__ for kind in WIDGETS])
def test_a_widget_is_asked_for_when_the_reader_comes_near(visit, page_with, base, kind):
    asked = []
    tab, problems = visit("genindex.html", base)
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"{base or tab.url.rsplit('/', 1)[0]}/{page_with(kind)}")
    text = tab.locator(".widget-static").first
    tab.wait_for_timeout(300)
    assert asked and not any("/_static/widgets/" in url for url in asked)
    assert text.is_visible() and tab.locator(".lstm-widget").count() == 0
    text.evaluate("e => e.scrollIntoView()")
    tab.locator(".lstm-widget").wait_for()
    assert any("/_static/widgets/" in url for url in asked) and not text.is_visible()
    assert problems == []


@pytest.mark.parametrize("kind", [kind.__name__ for kind in WIDGETS])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_widget_fits_a_small_phone_and_is_readable(widget, kind, scheme):
    size = {"width": 340, "height": 700}
    element, problems = widget(kind, viewport=size, color_scheme=scheme)
    tab = element.page
    assert tab.locator("pre.widget-static:visible").count() == 0
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= 340
    cut = tab.evaluate(
        """() => [...document.querySelectorAll(".lstm-widget :is(input, button, td, text)")]
            .filter(e => e.getBoundingClientRect().right > innerWidth).length"""
    )
    assert cut == 0
    small = tab.evaluate(
        """() => [...document.querySelectorAll(".lstm-widget svg text")]
            .filter(e => e.getBoundingClientRect().height < 9).map(e => e.textContent)"""
    )
    assert small == []
    rows = tab.evaluate(COLOURS_OF_TEXT)
    assert len(rows) > 5
    assert [row for row in rows if contrast(row[1], row[2]) < 4.5] == []
    assert problems == []


@pytest.mark.parametrize("kind", [kind.__name__ for kind in WIDGETS])
def test_everything_to_move_has_a_name_and_a_focus(widget, kind):
    element, _ = widget(kind)
    controls = element.locator(":is(input, button, select, textarea, [tabindex='0']):visible")
    assert controls.count() >= 3
    names = controls.evaluate_all(
        "all => all.map(e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent"
        " || e.textContent.trim())"
    )
    assert all(names) and len(set(names)) == len(names)
    assert element.locator("[role=status]").count() == 2  # what is shown, what became of an input


@pytest.mark.parametrize("kind", [kind.__name__ for kind in WIDGETS])
def test_the_tab_key_is_through_soon_or_at_once(widget, kind):
    element, _ = widget(kind)
    tab = element.page
    inside = "e => e.contains(document.activeElement)"
    element.locator(".skip").focus()
    assert element.locator(".skip").bounding_box()["width"] > 50  # in sight once it has the focus
    stops = 0
    while element.evaluate(inside) and stops < 30:
        tab.keyboard.press("Tab")
        stops += 1
    assert stops <= 20
    element.locator(".skip").press("Enter")
    tab.keyboard.press("Tab")
    assert not element.evaluate(inside)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", WIDGETS)
def test_axe_finds_nothing(alone, kind, scheme):
    tab, problems = alone(kind(), address=True, color_scheme=scheme)
    field = tab.locator("input[type=text]:visible, textarea").first
    field.fill("")
    tab.wait_for_timeout(200)
    tab.evaluate(axe.AXE_SCRIPT)
    found = tab.evaluate("async options => (await axe.run(document, options)).violations", AXE)
    assert [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]] == []
    assert problems == []
