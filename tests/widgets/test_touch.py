"""Widgets under a finger and in small windows: what is moved and what it moves, both in sight."""

import pytest
from browser import PHONE

from lstm_lesson.widgets import Counter, GatePlayground, GradientHighway, Reader

KINDS = [GatePlayground, GradientHighway, Reader, Counter]
TOUCH = {"has_touch": True, "is_mobile": True}
LAPTOP = {"width": 1366, "height": 768}


@pytest.mark.parametrize("width", [320, 360, 390, 414, 720])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_sticks_out_or_overlaps(alone, kind, width):
    touch = TOUCH if width < 500 else {}
    tab, problems = alone(kind(), viewport={"width": width, "height": 800}, **touch)
    tab.wait_for_timeout(100)  # until what is drawn once a frame is there
    outside = tab.evaluate(
        """() => {
            const frame = document.querySelector(".lstm-widget");
            const style = getComputedStyle(frame);
            const box = frame.getBoundingClientRect();
            const [left, right] = [box.left + parseFloat(style.paddingLeft),
                box.right - parseFloat(style.paddingRight)];
            return [...frame.querySelectorAll(
                ":is(input:not([type=radio]), textarea, button, select, p, td, svg, .caption)"
            )].filter(e => e.checkVisibility() && !e.matches(".skip")).filter(e => {
                const own = e.getBoundingClientRect();
                return own.right > right + 0.5 || own.left < left - 0.5;
            }).map(e => e.getAttribute("aria-label") || e.outerHTML);
        }"""
    )
    assert outside == []
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= width
    met = tab.evaluate(
        """() => {
            const texts = [...document.querySelectorAll(".lstm-widget svg.cell text")];
            const boxes = texts.map(e => [e.textContent, e.getBoundingClientRect()]);
            return boxes.flatMap(([one, a], n) => boxes.slice(n + 1).filter(([_, b]) =>
                a.right > b.left + 1 && b.right > a.left + 1
                && a.bottom > b.top + 5 && b.bottom > a.top + 5
            ).map(([other]) => [one, other]));
        }"""
    )
    assert met == []
    assert problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_targets_are_large_and_letters_too(alone, kind):
    tab, _ = alone(kind(), viewport=PHONE, **TOUCH)
    tab.wait_for_timeout(100)
    targets = ":is(button:not(.skip), select, textarea, input:not([type=radio]), .pick > span)"
    sizes = tab.locator(f".lstm-widget {targets}:visible").evaluate_all(
        """all => all.map(e => {
            const box = e.getBoundingClientRect();
            return [e.getAttribute("aria-label") || e.textContent, Math.round(box.width),
                Math.round(box.height), e.matches("[type=range]") ? 16 : parseFloat(
                    getComputedStyle(e).fontSize)];
        })"""
    )
    assert len(sizes) > 4
    assert [size for size in sizes if min(size[1:3]) < 44] == []
    assert [size for size in sizes if size[3] < 16] == []  # below, a phone zooms in


def swipe(tab, x, y, dx, dy):
    """Put a finger down, move it and lift it."""
    session = tab.context.new_cdp_session(tab)
    touch = lambda kind, *points: session.send(  # noqa: E731
        "Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)}
    )
    touch("touchStart", {"x": x, "y": y})
    for part in range(1, 11):
        touch("touchMove", {"x": x + dx * part / 10, "y": y + dy * part / 10})
        tab.wait_for_timeout(16)
    touch("touchEnd")
    tab.wait_for_timeout(200)


@pytest.mark.parametrize(
    "kind, label",
    [
        (GatePlayground, "cell state c before this step"),
        (GradientHighway, "forget bias"),
        (Counter, "value for the cell state"),
    ],
)
def test_a_finger_that_scrolls_moves_no_slider(alone, kind, label):
    tab, problems = alone(kind(), viewport=PHONE, **TOUCH)
    tab.evaluate("() => { document.body.style.paddingBottom = '2000px'; }")
    slider = tab.get_by_label(label, exact=True)
    slider.evaluate("e => e.scrollIntoView({block: 'center'})")
    tab.wait_for_timeout(100)
    state = tab.evaluate("() => structuredClone(state)")
    value, box = slider.input_value(), slider.bounding_box()
    x, y = box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2
    before = tab.evaluate("() => scrollY")
    swipe(tab, x, y, 5, -250)
    assert tab.evaluate("() => scrollY") > before + 100
    assert slider.input_value() == value
    now = tab.evaluate("() => state")
    assert {key for key in now if now[key] != state[key]} <= {"preset", "holds"}
    assert tab.get_by_label(f"{label}, as a number").input_value() == value
    # Along the slider it moves, and a tap puts it somewhere.
    slider.evaluate("e => e.scrollIntoView({block: 'center'})")
    tab.wait_for_timeout(100)
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    swipe(tab, box["x"] + 0.5 * box["width"], y, 60, 2)
    dragged = float(slider.input_value())
    assert dragged > float(value)
    tab.touchscreen.tap(box["x"] + 0.1 * box["width"], y)
    assert float(slider.input_value()) < dragged
    assert problems == []


SEEN = {  # what must be in sight together with each control
    "GatePlayground": ("[data-of] input", "svg.cell"),
    "GradientHighway": (".field input", ".chart"),
    "Reader": ("textarea", "canvas"),
    "Counter": (".field input", ".two svg"),
}


@pytest.mark.parametrize("window", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("kind", SEEN)
def test_cause_and_effect_are_in_sight_together(widget, kind, window):
    element, _ = widget(kind, viewport=window, **(TOUCH if window is PHONE else {}))
    tab = element.page
    bar = tab.locator(".bd-header-article").first.bounding_box()["height"]
    controls, effects = SEEN[kind]
    gates = element.locator(".set .pick") if kind == "GatePlayground" else None
    seen = 0
    for n in range(gates.count() if gates else 1):
        if gates:
            gates.nth(n).click()
            tab.wait_for_timeout(100)
        for control in element.locator(f"{controls}:visible").all():
            for effect in element.locator(effects).all():
                # The page can be where both are wholly in the window, below the bar.
                boxes = [control.bounding_box(), effect.bounding_box()]
                top = min(box["y"] for box in boxes)
                height = max(box["y"] + box["height"] for box in boxes) - top
                assert height <= window["height"] - bar, (n, kind, boxes)
                seen += 1
    assert seen


@pytest.mark.parametrize("window", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_the_cell_stays_in_sight_while_its_numbers_are_moved(widget, window):
    element, _ = widget("GatePlayground", viewport=window)
    tab = element.page
    bar = tab.locator(".bd-header-article").first.bounding_box()["height"]
    for label in ("cell state c before this step", "Inputs, one number a step"):
        for place in ("start", "center", "end"):
            control = element.get_by_label(label, exact=True)
            control.evaluate("(e, block) => e.scrollIntoView({block, behavior: 'instant'})", place)
            tab.wait_for_timeout(50)
            cell = element.locator("svg.cell").bounding_box()
            # Only what is set beside or above it may push it out, never what is set below it.
            if cell["y"] + cell["height"] <= control.bounding_box()["y"]:
                assert bar - 1 <= cell["y"] and cell["y"] + cell["height"] <= window["height"]
