"""Widgets: what their scripts compute, and how they behave on a built page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from browser import HTML, contrast, need_book
from conftest import TOLERANCE
from numpy.testing import assert_allclose
from traitlets import TraitError

from lstm_lesson import figures, widgets
from lstm_lesson.widgets import GatePlayground, GradientHighway
from lstm_lesson.widgets.base import HERE, LessonWidget
from lstm_lesson.widgets.highway import gradient_norms
from lstm_lesson.widgets.playground import PRESETS

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "chapters" / "assets"
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


def test_base_asks_for_compute_and_table():
    for name in ("compute", "table"):
        with pytest.raises(NotImplementedError):
            getattr(LessonWidget, name)(None)


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


@pytest.mark.parametrize(
    "preset, c",
    [
        ("keep", [0.5] * 10),
        ("forget", [0.0] * 10),
        ("overwrite", [0, 1, 0, 1, 1, 0, 0, -1, 0, 0]),
        ("count", [0.5, 1.5, 1.5, 2.5, 3.5, 3.5, 3.5, 2.5, 2.5, 2.5]),
    ],
)
def test_preset_does_what_it_is_called(preset, c):
    assert_allclose([step["c"] for step in GatePlayground(preset).compute()], c, atol=0.01)


def test_leak_keeps_four_fifths():
    c = [step["c"] for step in GatePlayground("leak").compute()]
    assert_allclose(c[0], 0.8 * 0.5, rtol=1e-3)
    assert_allclose(c[9], 0.8 * c[8], rtol=1e-3)


def test_worked_example_is_that_of_chapter_3():
    step = GatePlayground().compute()[0]
    assert round(step["c"], 2) == 1.06 and round(step["h"], 2) == 0.33


def test_a_pinned_state_overrules_what_a_step_is_handed():
    free = GatePlayground("keep").compute()
    pinned = GatePlayground("keep", pins={"4": {"c": -2.0}}).compute()
    assert pinned[:4] == free[:4]
    assert_allclose([step["c"] for step in pinned[4:]], -2, atol=0.01)


def test_no_such_preset():
    with pytest.raises(ValueError, match="preset must be one of worked example, keep"):
        GatePlayground("remember")


@pytest.mark.parametrize("pins", [{2: {"c": 1.0}}, {"2": {"z": 1.0}}, {"2": 1.0}])
def test_pins_are_checked_whenever_they_are_set(pins):
    with pytest.raises(TraitError, match="'pins' trait"):
        GatePlayground(pins=pins)
    widget = GatePlayground()
    with pytest.raises(TraitError, match="'pins' trait"):
        widget.pins = pins
    assert widget.pins == {}


def test_a_step_beyond_the_end_is_the_last():
    beyond, last = (GatePlayground(step=step).figure().axes[0] for step in (99, 5))
    assert [t.get_text() for t in beyond.texts] == [t.get_text() for t in last.texts]


def test_a_changed_preset_is_none():
    assert GatePlayground("count").preset == "count"
    assert GatePlayground("count", c=0.0).preset == ""


def test_figures_are_drawn():
    texts = [text.get_text() for text in GatePlayground(step=1).figure().axes[0].texts]
    assert "0.58" in texts  # c of the second step
    ax = GradientHighway(lag=30).figure().axes[0]
    assert ax.get_yscale() == "log" and len(ax.lines) == 4


def test_without_recurrence_the_cell_is_the_only_path():
    norms = gradient_norms(1.0, scale=0.0)
    assert_allclose(norms["lstm"], norms["path"])
    assert (norms["rnn"][:, 1:] == 0).all()


def test_an_open_forget_gate_keeps_all():
    norms = gradient_norms(50.0, scale=1.0)
    assert_allclose(norms["path"], 1)
    assert np.median(norms["rnn"][:, 100]) < 1e-12 < 0.1 < np.median(norms["lstm"][:, 100])


# ---- The scripts' arithmetic, in a browser ----


def random_playground(rng):
    T = rng.integers(1, 17)
    size = rng.choice([0.5, 3, 30])  # 30: gates at their ends
    settings = {name: (size * rng.normal(size=4)).tolist() for name in "wub"}
    settings |= dict(h=rng.uniform(-1, 1), c=rng.normal(0, 3), x=rng.normal(0, 2, T).tolist())
    pins = {str(t): {"c": rng.normal()} for t in rng.choice(T, size=T // 4, replace=False)}
    if T > 1:
        pins["1"] = {"h": rng.uniform(-1, 1), "c": 0.0}
    return GatePlayground(pins=pins, **settings)


def test_playground_computes_what_the_engine_does(in_script):
    rng = np.random.default_rng(0)
    for _ in range(100):
        widget = random_playground(rng)
        ours, theirs = widget.compute(), in_script(widget)
        assert len(ours) == len(theirs)
        for step, same in zip(ours, theirs, strict=True):
            for name, value in step.items():
                assert_allclose(same[name], value, rtol=TOLERANCE, atol=1e-12, err_msg=name)


def test_highway_computes_what_the_engine_does(in_script):
    rng = np.random.default_rng(1)
    for n in range(100):
        bias = 50.0 if n % 10 == 0 else rng.uniform(-2, 8)
        widget = GradientHighway(forget_bias=bias, scale=rng.uniform(0, 2))
        theirs = in_script(widget)
        for name, norms in widget.compute().items():
            # Relative: a norm of 1e-20 is compared in its own digits. Below the smallest normal
            # numbers there are no digits left.
            assert_allclose(theirs[name], norms, rtol=TOLERANCE, atol=1e-290, err_msg=name)


# ---- Alone on a page ----


@pytest.mark.parametrize("width", [320, 390, 1000])
@pytest.mark.parametrize("kind", WIDGETS)
def test_nothing_sticks_out_of_the_frame(alone, kind, width):
    tab, problems = alone(kind(), viewport={"width": width, "height": 800})
    tab.wait_for_timeout(100)  # until what is drawn once a frame is there
    outside = tab.evaluate(
        """() => {
            const frame = document.querySelector(".lstm-widget");
            const edge = frame.getBoundingClientRect().right
                - parseFloat(getComputedStyle(frame).paddingRight);
            return [...frame.querySelectorAll(":is(input, textarea, button, select, p, td, svg)")]
                .filter(e => e.getBoundingClientRect().right > edge)
                .map(e => e.getAttribute("aria-label") || e.outerHTML);
        }"""
    )
    assert outside == []
    assert problems == []


# ---- On the built pages ----


@pytest.fixture(params=["server", "disk"])
def base(request):
    """Where a page is read from: a server, or straight from the disk."""
    return HTML.as_uri() if request.param == "disk" else None


def test_only_a_page_with_a_widget_loads_the_host():
    need_book()
    pages = {path: path.read_text(encoding="utf-8") for path in HTML.rglob("*.html")}
    with_view = {path for path, text in pages.items() if "widget-view+json" in text}
    assert with_view and with_view != set(pages)
    assert {path for path, text in pages.items() if "widget_host.js" in text} == with_view
    assert {path for path, text in pages.items() if "widget-state+json" in text} == with_view
    assert [
        p for p, text in pages.items() if re.search(r"require(\.min)?\.js|embed-amd", text)
    ] == []


@pytest.mark.parametrize("kind", WIDGETS)
def test_text_stands_in_where_no_script_runs(chromium, address, page_with, kind):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{address}/{page_with(kind.__name__)}")
    assert tab.locator("pre.widget-static").first.inner_text() == kind().table()
    context.close()


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
    controls = element.locator("input, button, select, textarea, [tabindex]")
    assert controls.count() >= 3
    names = controls.evaluate_all(
        "all => all.map(e => e.getAttribute('aria-label') || e.textContent.trim())"
    )
    assert all(names) and len(set(names)) == len(names)
    assert element.locator("[aria-live=polite]").count() == 1
    # The Tab key reaches the first and goes on to the second.
    enabled = element.locator(":is(input, button, select, textarea, [tabindex]):enabled")
    enabled.first.focus()
    element.page.keyboard.press("Tab")
    assert enabled.nth(1).evaluate("e => e === document.activeElement")


def number(element, label: str) -> float:
    """What a field shows, once what was typed or dragged has been drawn."""
    two_frames = "() => new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))"
    element.page.evaluate(two_frames)
    return float(element.get_by_label(f"{label}, as a number").input_value())


def drag(slider, to: float):
    """Drag a slider's handle from where it is to a fraction of the way."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    low, high, value = (float(slider.evaluate(f"e => e.{n}")) for n in ("min", "max", "value"))
    radius = 8  # of the handle, which stays inside the slider
    place = lambda part: box["x"] + radius + part * (box["width"] - 2 * radius)  # noqa: E731
    mouse, y = slider.page.mouse, box["y"] + box["height"] / 2
    mouse.move(place((value - low) / (high - low)), y)
    mouse.down()
    mouse.move(place(to), y, steps=5)
    mouse.up()


def shown(element) -> list[float]:
    """The numbers that the readout says, once it has come to rest."""
    words = element.locator(".readout")
    element.page.wait_for_timeout(300)
    text = words.inner_text().replace("\N{MINUS SIGN}", "-")
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text)]


def two(*values) -> list[float]:
    return [round(value, 2) + 0.0 for value in values]


def said_of(step, t, T) -> list[float]:
    """What the playground's readout says of a step, to two decimals."""
    order = "f", "kept", "c_prev", "i", "g", "added", "c", "o", "h"
    return [t, T, *two(*(step[name] for name in order))]


def test_playground_as_a_reader_uses_it(widget, base):
    element, problems = widget("GatePlayground", base)
    tab = element.page
    model = GatePlayground()
    assert shown(element) == said_of(model.compute()[0], 1, 6)

    # Type a bias.
    element.get_by_label("forget gate, bias, as a number").fill("-6")
    model.b = [-0.3, -6.0, 0.1, 0.3]
    assert shown(element) == said_of(model.compute()[0], 1, 6)
    assert element.get_by_label("forget gate, bias", exact=True).input_value() == "-6"

    # Drag the input to its right end, and go back a little with the arrow keys.
    slider = element.get_by_label("input x of this step", exact=True)
    drag(slider, 1.0)
    assert number(element, "input x of this step") == 3
    slider.focus()
    for _ in range(5):
        tab.keyboard.press("ArrowLeft")
    model.x = [2.5, *model.x[1:]]
    assert number(element, "input x of this step") == 2.5
    assert shown(element) == said_of(model.compute()[0], 1, 6)

    # Step on with the keyboard; the state is handed over. Then set it by hand.
    element.get_by_role("button", name="Next").focus()
    tab.keyboard.press("Enter")
    assert shown(element) == said_of(model.compute()[1], 2, 6)
    element.get_by_label("cell state c before this step, as a number").fill("−1,5")
    model.pins = {"1": {"c": -1.5}}
    assert shown(element)[:11] == said_of(model.compute()[1], 2, 6)
    assert "Reset undoes it" in element.locator(".readout").inner_text()
    tab.keyboard.press("Tab")
    element.get_by_role("button", name="Previous").click()
    element.get_by_role("button", name="Reset").click()
    model.pins = {}
    element.get_by_role("button", name="Next").click()
    assert shown(element) == said_of(model.compute()[1], 2, 6)

    # Another sequence.
    element.get_by_label("Inputs, one number a step").fill("1 0.5; -2")
    model.x = [1.0, 0.5, -2.0]
    assert shown(element) == said_of(model.compute()[1], 2, 3)
    assert problems == []


def test_playground_refuses_what_is_no_number(widget):
    element, problems = widget("GatePlayground")
    before = shown(element)
    field = element.get_by_label("forget gate, bias, as a number")
    for typed in ("", "-", "one", "1e999"):
        field.fill(typed)
        assert field.get_attribute("aria-invalid") == "true"
        assert shown(element) == before
    field.press("Tab")
    assert field.input_value() == "1" and field.get_attribute("aria-invalid") is None
    inputs = element.get_by_label("Inputs, one number a step")
    for typed in ("", "1, x", "1," * 17 + "1"):
        inputs.fill(typed)
        assert inputs.get_attribute("aria-invalid") == "true"
        assert shown(element) == before
    inputs.press("Tab")
    assert inputs.input_value() == "1, -1, 0, 0, 2, 0"
    assert problems == []


@pytest.mark.parametrize("preset", list(PRESETS))
def test_playground_presets(widget, preset):
    element, problems = widget("GatePlayground")
    button = element.get_by_role("button", name=preset, exact=True)
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert element.locator("[aria-pressed=true]").count() == 1
    steps = GatePlayground(preset).compute()
    for t, step in enumerate(steps, start=1):
        assert shown(element) == said_of(step, t, len(steps))
        forward = element.get_by_role("button", name="Next")
        if t < len(steps):
            forward.click()
    assert forward.is_disabled()
    drag(element.get_by_label("forget gate, bias", exact=True), 0.5)
    assert element.locator("[aria-pressed=true]").count() == 0
    assert problems == []


def medians_at(model, lag: int) -> list[float]:
    norms = model.compute()
    digits = [f"{np.median(norms[name][:, lag]):.1e}" for name in ("lstm", "path", "rnn")]
    return [lag, *map(float, digits)]


def test_highway_as_a_reader_uses_it(widget, base):
    element, problems = widget("GradientHighway", base)
    tab = element.page
    model = GradientHighway()
    assert shown(element) == medians_at(model, 40)

    # Type a forget bias, drag the scale, move the lag by keys.
    element.get_by_label("forget bias, as a number").fill("3")
    drag(element.get_by_label("recurrent scale", exact=True), 0.75)
    assert number(element, "recurrent scale") == 1.5
    lag = element.get_by_label("lag, in steps", exact=True)
    lag.focus()
    tab.keyboard.press("End")
    assert shown(element) == medians_at(GradientHighway(forget_bias=3, scale=1.5), 100)
    tab.keyboard.press("ArrowLeft")
    assert shown(element) == medians_at(GradientHighway(forget_bias=3, scale=1.5), 99)

    # What is out of range is brought back.
    element.get_by_label("recurrent scale, as a number").fill("9")
    tab.keyboard.press("Tab")
    assert number(element, "recurrent scale") == 2
    assert shown(element)[0] == 99

    # A press on the chart takes the lag from there.
    chart = element.locator(".chart > svg")
    box = chart.bounding_box()
    chart.click(position={"x": 46 + (box["width"] - 60) / 2, "y": 100})
    assert abs(shown(element)[0] - 50) <= 1
    assert problems == []


def test_highway_table_and_lines_follow(widget):
    element, _ = widget("GradientHighway")
    rows = element.locator("tbody tr")
    assert rows.count() == 3
    before = rows.nth(0).inner_text()
    lines = element.locator(".chart svg svg path:not([opacity])")
    assert lines.count() == 3
    drawn = lines.nth(0).get_attribute("d")
    element.get_by_label("forget bias, as a number").fill("50")
    shown(element)
    assert rows.nth(0).inner_text() != before
    assert lines.nth(0).get_attribute("d") != drawn
    assert "1.0e0" in rows.nth(1).inner_text()  # the cell alone keeps all
