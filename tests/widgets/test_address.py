"""The state of a widget in the page's address: shared, reloaded, gone back to, or left aside."""

import numpy as np
import pytest
from conftest import state_of
from test_counter import random_counter
from test_playground import random_playground
from test_reader import random_reader

from lstm_lesson.widgets import Counter, GatePlayground, GradientHighway, Reader


def random_highway(rng):
    return GradientHighway(
        forget_bias=round(rng.uniform(-2, 8), 2),
        scale=rng.uniform(0, 2),
        lag=int(rng.integers(101)),
    )


RANDOM = {
    GatePlayground: random_playground,
    GradientHighway: random_highway,
    Reader: random_reader,
    Counter: random_counter,
}
RESTED = 400  # milliseconds after which a change is in the address


def ready(tab, count=1):
    """Wait until the widgets of a page are there."""
    tab.wait_for_function(f"document.querySelectorAll('.lstm-widget .readout').length == {count}")


def rests_at(tab, url: str):
    """Wait until the address is this one."""
    tab.wait_for_function("url => location.href === url", arg=url)


def state_in(tab) -> dict:
    return {key: value for key, value in tab.evaluate("() => state").items() if key != "address"}


def said(tab, nth=0):
    tab.wait_for_timeout(250)  # until the readout rests
    return tab.locator(".readout").nth(nth).inner_text()


@pytest.mark.parametrize("kind", RANDOM)
def test_any_state_comes_back_from_its_address(alone, kind):
    tab, problems = alone(kind(), address=True)
    rng = np.random.default_rng(0)
    for _ in range(8):
        other = state_of(RANDOM[kind](rng))
        tab.evaluate(
            """other => {
                for (const [key, value] of Object.entries(other)) model.set(key, value);
                state.address = null;
                model.save_changes();
            }""",
            other,
        )
        tab.wait_for_function("() => state.address !== null")
        text = tab.evaluate("() => state.address")
        assert set(text) <= set("=;,.-_%") | set(map(chr, range(48, 58))) | {
            letter for letter in text if letter.isalpha() and letter.isascii()
        }
        tab.get_by_role("button", name="Start again").click()
        tab.evaluate("text => restore(text)", text)
        assert state_in(tab) == other
        assert tab.locator(".note").inner_text() == ""
    assert problems == []


def test_reload_and_back_keep_what_was_set(hosted):
    tab, problems, url = hosted(counter := Counter("aabb"))
    tab.goto(url)
    ready(tab)
    tab.get_by_role("button", name="Add b").click()
    rests_at(tab, f"{url}#{counter.model_id}:string=aabbb;step=5")
    before = said(tab)
    assert before.startswith("Step 5 of 5")
    tab.reload()
    ready(tab)
    assert said(tab) == before
    tab.goto(url.replace("page.html", "other.html"))
    tab.go_back()
    ready(tab)
    assert said(tab) == before
    # A place on the page has the address to itself, and the widget stays as it is.
    tab.goto(f"{url}#place")
    assert said(tab) == before
    # From the start, there is nothing to say.
    tab.get_by_role("button", name="Start again").click()
    assert said(tab).startswith("Step 4 of 4")
    tab.wait_for_timeout(RESTED)
    assert tab.url == f"{url}#place"
    assert problems == []


def test_widgets_of_a_page_keep_out_of_each_others_way(hosted):
    one, other, third = Counter("aabb"), Counter("()"), GradientHighway()
    tab, problems, url = hosted(one, other, third)
    tab.goto(f"{url}#{other.model_id}:step=1")
    ready(tab, 3)
    assert [said(tab, n)[:11] for n in (0, 1)] == ["Step 4 of 4", "Step 1 of 2"]
    first = tab.locator(".lstm-widget").nth(0)
    first.get_by_role("radio", name="hidden state").check()
    assert tab.locator(".lstm-widget").nth(1).get_by_role("radio", name="cell state").is_checked()
    tab.get_by_label("lag, in steps, as a number").fill("7")
    tab.wait_for_function("id => location.hash.includes(`${id}:lag=7`)", arg=third.model_id)
    parts = {f"{other.model_id}:step=1", f"{one.model_id}:what=h", f"{third.model_id}:lag=7"}
    assert set(tab.url.split("#")[1].split("&")) == parts
    tab.reload()
    ready(tab, 3)
    assert said(tab, 1).startswith("Step 1 of 2") and said(tab, 2).startswith("7 steps back")
    # A link to one of them, followed on the page.
    tab.evaluate("hash => { location.hash = hash; }", f"{one.model_id}:string=ab;step=0")
    assert said(tab).startswith("Step 0 of 2")
    assert said(tab, 1).startswith("Step 1 of 2")
    assert problems == []


def test_a_link_leads_to_its_widget(hosted):
    tab, _, url = hosted(
        Counter("aabb"), highway := GradientHighway(), viewport=dict(width=390, height=600)
    )
    tab.goto(f"{url}#{highway.model_id}:lag=7")
    ready(tab, 2)
    tab.wait_for_timeout(100)
    assert -1 < tab.locator(".highway").bounding_box()["y"] < 30


def test_copy_link(alone, open_tab):
    tab, problems = alone(Counter("aabb"), address=True)
    tab.evaluate(
        """() => Object.defineProperty(navigator, "clipboard", {
            value: {writeText: async text => { state.copied = text; }}
        })"""
    )
    tab.get_by_role("button", name="Previous").click()
    tab.get_by_role("button", name="Copy link").click()
    assert tab.locator(".note").inner_text().startswith("Copied: a link to this page")
    assert tab.evaluate("() => state.copied") == "https://example.org/page#step=3"
    # Where the page may not write to the clipboard.
    tab.evaluate("() => { navigator.clipboard.writeText = async () => { throw 1; }; }")
    tab.get_by_role("button", name="Copy link").click()
    tab.get_by_text("copy it from your browser's address bar").wait_for()
    assert problems == []


@pytest.mark.parametrize("kind", RANDOM)
def test_in_jupyter_the_address_is_left_alone(alone, kind):
    tab, problems = alone(kind())
    before = tab.url
    tab.get_by_role("button", name="Start again").click()
    tab.wait_for_timeout(RESTED)
    assert tab.url == before and tab.get_by_role("button", name="Copy link").count() == 0
    assert problems == []


BAD = {
    GatePlayground: [
        "step=16", "step=-1", "step=1.5", "step=x", "b=1,2,3", "b=1,2,3,4,5", "b=1,2,3,null",
        "b=1,2,3,1e9", "x=", "h=%221%22", "preset=constructor", "preset=no", "chosen=c",
        "pins=%7B%22a%22:%7B%7D%7D", "pins=%7B%221%22:5%7D", "pins=null", "pins=%7B%221%22:null%7D",
        "zz=1", "__proto__=1", "step", "%", "step=%E0%A4", "<b>=1",
    ],
    GradientHighway: ["scale=2.1", "lag=101", "lag=1.5", "forget_bias=", "forget_bias=null"],
    Reader: [
        "text=", f"text={'x' * 601}", "text=a%09b", "gate=x", "sort=mood", "shown=20", "unit=128",
    ],
    Counter: [
        "string=abc", "network=parity", "network=brackets", f"string={'a' * 41}", "unit=6",
        "what=x", "holds=1", "holds=null", "holds=%7B%7D", "step=41",
        "holds=%7B%22what%22:%22i%22,%22unit%22:6,%22value%22:0,%22start%22:0,%22stop%22:null%7D",
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_state_that_there_is_not_is_left_aside_with_a_word(alone, kind):
    tab, problems = alone(kind(), address=True)
    before = state_in(tab)
    for text in BAD[kind]:
        tab.evaluate("text => restore(text)", text)
        assert "names a state that there isn't here" in tab.locator(".note").inner_text(), text
        assert state_in(tab) == before, text
        tab.get_by_role("button", name="Start again").click()
        assert tab.locator(".note").inner_text() == ""
    assert problems == []
