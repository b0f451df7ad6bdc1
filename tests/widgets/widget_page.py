"""What tests of widgets share: numbers as a page shows them, and a hand on a slider."""

import re

# Where a script and the engine are compared; rounding alone stays well below it.
TOLERANCE = 1e-6


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
