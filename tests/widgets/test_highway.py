"""The highway: its script computes what the engine does, and its chart, table and words agree."""

import numpy as np
from numpy.testing import assert_allclose
from widget_page import TOLERANCE, drag, number, shown

from lstm_lesson.widgets import GradientHighway
from lstm_lesson.widgets.highway import gradient_norms


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


def test_without_recurrence_the_cell_is_the_only_path():
    norms = gradient_norms(1.0, scale=0.0)
    assert_allclose(norms["lstm"], norms["path"])
    assert (norms["rnn"][:, 1:] == 0).all()


def test_an_open_forget_gate_keeps_all():
    norms = gradient_norms(50.0, scale=1.0)
    assert_allclose(norms["path"], 1)
    assert np.median(norms["rnn"][:, 100]) < 1e-12 < 0.1 < np.median(norms["lstm"][:, 100])


def test_figure_has_three_lines_and_the_lag():
    ax = GradientHighway(lag=30).figure().axes[0]
    assert ax.get_yscale() == "log" and len(ax.lines) == 4


# ---- On the built page ----


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
