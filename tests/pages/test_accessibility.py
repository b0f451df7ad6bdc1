"""Accessibility: no page violates WCAG 2.2 AA, light or dark, at a desk or on a phone.

And all that is on a page is in one of its regions.
"""

import axe_playwright_python.base as axe
import pytest
from browser import PHONE, WIDE, contrast, unfold
from test_pages import page  # noqa: F401

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPTIONS = {
    "runOnly": RULES,
    "rules": {"region": {"enabled": True}},
    "resultTypes": ["violations"],
}


# Nearly all the time goes to the contrast of the words of code, which are thousands in a few kinds.
# So axe sees three of each kind: of those that look the same, on the same ground.
FEW_OF_A_KIND = """() => {
    const grounds = new Map(), seen = {};
    const ground = e => {
        if (!e) return "";
        if (!grounds.has(e)) {
            const own = getComputedStyle(e), up = ground(e.parentElement);
            grounds.set(e, [up, own.backgroundColor, own.backgroundImage, own.opacity].join());
        }
        return grounds.get(e);
    };
    for (const word of document.querySelectorAll("pre span")) {
        delete word.dataset.again;
        if (!word.checkVisibility()) continue;
        const {color, fontSize, fontWeight, textShadow} = getComputedStyle(word);
        const kind = [ground(word), color, fontSize, fontWeight, textShadow].join();
        seen[kind] = (seen[kind] || 0) + 1;
        if (seen[kind] > 3) word.dataset.again = "";
    }
}"""
# Nor does it read the letters of a formula, which style sheets draw.
OVERLOOKED = "[data-again], mjx-math[aria-hidden=true] { visibility: hidden }"


def violations(tab) -> list:
    """What axe finds, each as its rule, the elements and what to do about them."""
    tab.evaluate(axe.AXE_SCRIPT)
    unfold(tab)
    tab.evaluate(FEW_OF_A_KIND)
    hidden = tab.add_style_tag(content=OVERLOOKED)
    found = tab.evaluate("async options => (await axe.run(document, options)).violations", OPTIONS)
    hidden.evaluate("style => style.remove()")
    return [
        (rule["id"], node["target"], node["failureSummary"])
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(look, scheme):
    tab, _ = look(viewport=WIDE, color_scheme=scheme)
    assert violations(tab) == []


def test_axe_finds_nothing_on_a_phone(look):
    tab, _ = look(viewport=PHONE, color_scheme="light")
    assert violations(tab) == []


def test_axe_finds_what_is_wrong(chromium):
    tab = chromium.new_page()
    tab.set_content(
        '<html lang="en"><title>t</title><main><h1>t</h1><img src="data:,"></main>'
        "<p>Outside</p></html>"
    )
    assert {rule for rule, *_ in violations(tab)} == {"image-alt", "region"}
    tab.close()


def test_a_pale_word_of_code_is_found_wherever_it_stands(chromium):
    tab = chromium.new_page()
    code = "<span>dark</span> " * 9 + '<span style="color: #999">pale</span> ' * 9
    ground = '<pre style="background: #555"><span>dark</span></pre>'
    tab.set_content(
        f'<html lang="en"><title>t</title><main><h1>t</h1><pre>{code}</pre>{ground}</main></html>'
    )
    found = violations(tab)
    # Three of nine, and the one that is dark on a dark ground.
    assert [rule for rule, *_ in found] == 4 * ["color-contrast"]
    tab.close()


def test_contrast_of_black_on_white_is_21():
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_equation_colours_are_readable(look, scheme):
    tab, _ = look(viewport=WIDE, color_scheme=scheme)
    assert tab.locator("html").get_attribute("data-theme") == scheme
    background = tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
    colours = tab.evaluate(
        """() => [...new Set([...document.querySelectorAll(
            "article mjx-container, article mjx-container mjx-mstyle, article [class^=gate-]"
        )].map(e => getComputedStyle(e).color))]"""
    )
    # WCAG AA for text.
    assert {c: contrast(c, background) for c in colours if contrast(c, background) < 4.5} == {}
