"""The counter: its script computes what the engine does, and it is driven with keys."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose
from traitlets import TraitError
from widget_page import TOLERANCE

from lstm_lesson.pretrained import counting
from lstm_lesson.widgets import Counter
from lstm_lesson.widgets.counter import CHOSEN, COUNTS


def random_counter(rng):
    network = rng.choice(list(CHOSEN))
    symbols = CHOSEN[network][1]
    string = "".join(rng.choice(list(symbols), size=rng.integers(0, 41)))
    holds = []
    for _ in range(rng.integers(0, 5)):
        what, start = rng.choice(list("ifgoch")), int(rng.integers(0, 20))
        stop = [None, start + int(rng.integers(0, 5))][rng.integers(2)]
        value = float(rng.uniform(-20, 20) if what == "c" else rng.uniform(0, 1))
        unit = int(rng.integers(6))
        holds.append(dict(what=str(what), unit=unit, value=value, start=start, stop=stop))
    return Counter(string, str(network), holds=holds)


def test_script_computes_what_the_engine_does(in_script):
    rng = np.random.default_rng(0)
    for _ in range(100):
        widget = random_counter(rng)
        ours, theirs = widget.compute(), in_script(widget)
        assert set(ours) == set(theirs)
        for name, values in ours.items():
            assert np.shape(theirs[name]) == np.shape(values)
            assert_allclose(theirs[name], values, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("name, draw", list(counting.LANGUAGES.items()))
def test_its_networks_are_right_on_what_they_were_trained_on(name, draw):
    for string in draw(11, 20, longest=16):
        batch = counting.encode([string])
        p = np.array(Counter(string, name).compute()["p"])[:, None]
        assert counting.right(np.log(p), batch).all()


def test_one_network_counts_twice_and_the_other_once():
    networks = Counter().networks
    counters = {name: sum(abs(r) > COUNTS for r in net["r"]) for name, net in networks.items()}
    assert counters == {"a_n_b_n": 2, "brackets": 1}


def test_a_count_more_in_the_cell_moves_the_end_by_one():
    string = "((((" + 10 * ")"
    for change, at in ((0, 4), (1, 5), (3, 7), (-2, 2)):
        free = np.array(Counter(string).compute()["c"])
        one = (free[1] - free[4])[1] / 3  # the counter is unit 1, and counts downwards
        pushed = float(free[4, 1] - change * one)
        hold = dict(what="c", unit=1, value=pushed, start=4, stop=5)
        p = np.array(Counter(string, holds=[hold]).compute()["p"])
        assert np.argmax(p[5:, 2] > p[5:, 1]) + 1 == at


def test_table_has_a_line_a_symbol():
    lines = Counter("ab").table().splitlines()
    assert lines[0].split()[:2] == ["read", "depth"]
    assert [line.split()[0] for line in lines[2:]] == ["a", "b"]
    assert float(lines[-1].split()[-1]) > 0.9


def test_figure_shows_six_cells_and_the_prediction():
    upper, lower = Counter("aabb").figure().axes
    assert len(upper.lines) == 6
    heights = [bar.get_height() for bar in lower.patches]
    assert_allclose(np.reshape(heights, (3, 5)).sum(axis=0), 1)


@pytest.mark.parametrize("wrong", [("abc",), ("a" * 41,), ("ab", "brackets")])
def test_other_strings_are_refused(wrong):
    with pytest.raises(ValueError, match="string: expected at most 40 symbols of"):
        Counter(*wrong)


def test_other_networks_are_refused():
    with pytest.raises(ValueError, match=r"network: expected one of \['a_n_b_n', 'brackets'\]"):
        Counter("ab", "parity")


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("string", "()", "string: expected at most 40 symbols of 'ab', got '()'"),
        ("network", "brackets", "string: expected at most 40 symbols of '()', got 'ab'"),
        ("what", "z", "what: expected one of"),
        ("unit", 6, "'unit' trait"),
        ("step", -1, "'step' trait"),
        ("holds", [dict(what="z", unit=0, value=1.0)], "holds: hold.what: expected one of"),
        ("holds", [dict(what="c", unit=6, value=1.0)], "holds: hold.unit: expected less than"),
        ("holds", [dict(what="c", unit=0)], "holds: .*value"),
    ],
)
def test_settings_are_checked_when_they_are_set_later_too(name, value, message):
    counter = Counter("ab")
    before = getattr(counter, name)
    with pytest.raises(TraitError, match=re.sub(r"[()]", r"\\\g<0>", message)):
        setattr(counter, name, value)
    assert getattr(counter, name) == before
    # Also with others, as from a page: then all of it is taken back.
    with pytest.raises(TraitError), counter.hold_trait_notifications():
        counter.what = "h"
        setattr(counter, name, value)
    assert (getattr(counter, name), counter.what) == (before, "c")


def test_the_other_network_takes_its_string_along():
    counter = Counter("ab")
    with counter.hold_trait_notifications():
        counter.network, counter.string = "brackets", "()"
    assert counter.compute() == Counter("()").compute()


def said(tab) -> str:
    tab.wait_for_timeout(250)  # until the readout rests
    return tab.locator(".readout").inner_text().replace("\N{MINUS SIGN}", "-")


def test_driven_with_keys(alone):
    tab, problems = alone(Counter("aabb"))
    keys = tab.keyboard
    assert said(tab).startswith("Step 4 of 4, depth 0.") and "right at every step" in said(tab)

    # Add a symbol too many, and delete it.
    tab.get_by_role("button", name="Add b").focus()
    keys.press("Enter")
    assert tab.evaluate("() => state.string") == "aabbb"
    tab.get_by_role("button", name="Delete the last symbol").focus()
    keys.press("Enter")

    # Type another string.
    text = tab.get_by_label("String to read")
    text.fill("aaaabbb")
    assert tab.evaluate("() => [state.string, state.step]") == ["aaaabbb", 7]
    text.fill("aaabbb")
    keys.press("Tab")

    # Step back by one.
    tab.get_by_role("button", name="Previous").focus()
    keys.press("Enter")
    assert said(tab).startswith("Step 5 of 6, depth 1.")

    # Hold the candidate of unit 0 at 0 by select, slider and button: the count is lost.
    tab.get_by_label("What to hold").select_option("g")
    tab.get_by_label("value for the candidate", exact=True).wait_for()  # until the next frame
    tab.get_by_label("value for the candidate", exact=True).focus()
    keys.press("Home")
    assert tab.get_by_label("value for the candidate, as a number").input_value() == "-1"
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    assert tab.evaluate("() => state.holds[0].value") == -0.9
    tab.get_by_label("value for the candidate, as a number").fill("0")
    hold = dict(what="g", unit=0, value=0, start=0, stop=None)
    assert tab.evaluate("() => state.holds") == [hold]
    model = Counter("aaabbb", holds=[hold])
    tab.wait_for_timeout(100)
    p = [float(n) for n in re.findall(r"\d\.\d\d", tab.locator(".numbers").inner_text())]
    assert_allclose(p[:3], model.compute()["p"][5], atol=0.005001)
    assert "With nothing held: right at every step." in said(tab)

    # From here on only; then let go.
    tab.get_by_label("At which steps").select_option("on")
    assert tab.evaluate("() => state.holds") == [hold | {"start": 5}]
    tab.get_by_role("listitem").wait_for()
    tab.get_by_role("button", name="Let go of the candidate of unit 0").press("Enter")
    assert tab.evaluate("() => state.holds") == []

    # The button holds what is, where it is: nothing changes.
    tab.wait_for_timeout(100)
    before = tab.locator(".numbers").inner_text()
    tab.get_by_role("button", name="Hold", exact=True).press("Enter")
    tab.get_by_role("listitem").wait_for()
    assert tab.locator(".numbers").inner_text().startswith(before[: before.index("end")])
    tab.get_by_role("button", name="Let go of all").press("Enter")

    # The other network, and nothing left behind when the widget is taken down.
    tab.get_by_role("radio", name="aⁿbⁿ").press("ArrowRight")
    assert tab.evaluate("() => state.network") == "brackets"
    tab.wait_for_timeout(100)
    assert "unit 1 counts" in tab.get_by_role("img").first.get_attribute("aria-label")
    tab.evaluate("() => stop()")
    assert problems == []


def test_a_click_picks_a_unit_and_a_step(alone):
    tab, problems = alone(Counter("aabb"), viewport={"width": 340, "height": 900})
    chart = tab.get_by_role("img").first
    box = chart.bounding_box()
    chart.click(position={"x": box["width"] * 0.97, "y": box["height"] * 0.95})
    assert tab.evaluate("() => [state.unit, state.step]") == [5, 4]
    chart.click(position={"x": 10, "y": 8})
    assert tab.evaluate("() => [state.unit, state.step]") == [0, 4]
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= 340
    assert problems == []
