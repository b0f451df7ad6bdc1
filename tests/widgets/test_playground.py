"""The playground: its script computes what the engine does, and a reader can move everything."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from traitlets import TraitError
from widget_page import TOLERANCE, drag, number, shown

from lstm_lesson.widgets import GatePlayground
from lstm_lesson.widgets.playground import PRESETS


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


def test_figure_shows_the_cell():
    texts = [text.get_text() for text in GatePlayground(step=1).figure().axes[0].texts]
    assert "0.58" in texts  # c of the second step


# ---- On the built page ----


def two(*values) -> list[float]:
    return [round(value, 2) + 0.0 for value in values]


def open_gate(element, name: str):
    """Bring a gate's numbers into sight."""
    element.get_by_role("radio", name=name, exact=True).check()


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
    open_gate(element, "forget gate")
    element.get_by_label("forget gate, bias, as a number").fill("-6")
    model.b = [-0.3, -6.0, 0.1, 0.3]
    assert shown(element) == said_of(model.compute()[0], 1, 6)
    assert element.get_by_label("forget gate, bias", exact=True).input_value() == "-6"

    # Drag the input to its right end, and go back a little with the arrow keys.
    open_gate(element, "into this step")
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


def test_a_press_on_the_diagram_opens_a_gate(widget):
    element, problems = widget("GatePlayground")
    for n, name in enumerate(("input gate", "forget gate", "candidate", "output gate")):
        element.locator("svg.cell .touch").nth(n).click()
        element.page.wait_for_timeout(100)  # until the next frame
        legend = element.locator("fieldset:visible legend")
        assert [legend.count(), legend.inner_text()] == [1, name]
        assert element.get_by_role("radio", name=name, exact=True).is_checked()
        assert element.locator("fieldset:visible input").count() == 6
    element.locator("svg.cell .touch").nth(4).click()
    element.page.wait_for_timeout(100)
    assert element.locator("fieldset:visible legend").inner_text() == "into this step"
    assert problems == []


@pytest.mark.parametrize("preset", list(PRESETS))
def test_playground_presets(widget, preset):
    element, problems = widget("GatePlayground")
    presets = element.get_by_role("radiogroup", name="Presets")
    chosen = presets.get_by_role("radio", checked=True)
    presets.get_by_text(preset, exact=True).click()
    assert chosen.get_attribute("value") == preset
    steps = GatePlayground(preset).compute()
    for t, step in enumerate(steps, start=1):
        assert shown(element) == said_of(step, t, len(steps))
        forward = element.get_by_role("button", name="Next")
        if t < len(steps):
            forward.click()
    assert forward.is_disabled()
    open_gate(element, "forget gate")
    drag(element.get_by_label("forget gate, bias", exact=True), 0.5)
    element.page.wait_for_timeout(100)
    assert chosen.count() == 0
    assert problems == []
