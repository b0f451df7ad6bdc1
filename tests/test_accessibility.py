"""Accessibility: axe finds no violation of WCAG 2.1 AA on any page, light or dark."""

import axe_playwright_python.base as axe
import pytest
from browser import PHONE, WIDE, unfold
from test_pages import name_of, page  # noqa: F401

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
OPTIONS = {"runOnly": RULES, "resultTypes": ["violations"]}


def violations(tab) -> list:
    """What axe finds, each as its rule, the elements and what to do about them."""
    tab.evaluate(axe.AXE_SCRIPT)
    unfold(tab)
    found = tab.evaluate("async options => (await axe.run(document, options)).violations", OPTIONS)
    return [
        (rule["id"], node["target"], node["failureSummary"])
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit, page, scheme):  # noqa: F811
    tab, _ = visit(name_of(page), viewport=WIDE, color_scheme=scheme)
    assert violations(tab) == []


def test_axe_finds_nothing_on_a_phone(visit, page):  # noqa: F811
    tab, _ = visit(name_of(page), viewport=PHONE, color_scheme="light")
    assert violations(tab) == []


def test_axe_finds_what_is_wrong(chromium):
    tab = chromium.new_page()
    tab.set_content('<html lang="en"><title>t</title><main><img src="data:,"></main></html>')
    assert {rule for rule, *_ in violations(tab)} == {"image-alt"}
    tab.close()
