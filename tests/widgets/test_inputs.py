"""What widgets say of inputs that they can't take as they are: each field, one line."""

import pytest

from lstm_lesson.widgets import Counter, GatePlayground, GradientHighway, Reader
from lstm_lesson.widgets.reader import MOST

# For a widget: the label of a field, what is typed, what counts then, and what is said.
CASES = {
    GatePlayground: [
        *[
            ("input x of this step", typed, counts, f"Input x of this step: {said}")
            for typed, counts, said in [
                ("abc", "1", "“abc” is not a number, so it stays 1."),
                ("", "1", "nothing is typed, so it stays 1."),
                ("١٢٣", "1", "“١٢٣” is not a number, so it stays 1."),
                (30 * "😀", "1", f"“{12 * '😀'}…” is not a number, so it stays 1."),
                ("1e999", "1", "“1e999” is not a number, so it stays 1."),
                ("1e300", "1000", "a number from −1,000 to 1,000, so it is 1,000 now."),
                ("-1e6", "-1000", "a number from −1,000 to 1,000, so it is −1,000 now."),
            ]
        ],
        *[
            ("Inputs, one number a step", typed, counts, said)
            for typed, counts, said in [
                ("1, x, 3", "1, 3", "2 of 3 inputs read; “x” is no number from −1,000 to 1,000."),
                ("5000 2", "2", "1 of 2 inputs read; “5000” is no number from −1,000 to 1,000."),
                ("1, -", "1", "1 of 2 inputs read; “-” is no number from −1,000 to 1,000."),
                ("1 " * 17, ", ".join("1" * 16), "16 of 17 inputs read; there is room for 16."),
                ("", "1, -1, 0, 0, 2, 0", "No number: the inputs stay 1, -1, 0, 0, 2, 0."),
            ]
        ],
    ],
    GradientHighway: [
        ("recurrent scale", "9", "2", "Recurrent scale: a number from 0 to 2, so it is 2 now."),
        ("lag, in steps", "2.5", "3",
         "Lag, in steps: a whole number from 0 to 100, so it is 3 now."),
        ("forget bias", "NaN", "1", "Forget bias: “NaN” is not a number, so it stays 1."),
    ],
    Counter: [
        ("value for the cell state", "50", "20",
         "Value for the cell state: a number from −20 to 20, so it is 20 now."),
        *[
            ("String to read", typed, counts, said)
            for typed, counts, said in [
                ("cab", "ab", "2 of 3 characters read; this network knows only a and b."),
                ("aaa bbb", "aaabbb", "6 of 7 characters read; this network knows only a and b."),
                ("a" * 200, "a" * 40, "40 of 200 characters read; there is room for 40."),
                ("😀b", "b", "1 of 2 characters read; this network knows only a and b."),
                ("שלום", "", "0 of 4 characters read; this network knows only a and b."),
            ]
        ],
    ],
    Reader: [
        ("Text to read", typed, counts, said)
        for typed, counts, said in [
            ("x" * 5100, "x" * MOST, "600 of 5,100 characters read."),
            ("a = שלום", "a = שלום", "4 characters that the model doesn't know are read as ?."),
            ("é", "é", "1 character that the model doesn't know is read as ?."),
            ("中" + "x" * 700, "中" + "x" * (MOST - 1), "600 of 701 characters read; "
             "1 character that the model doesn't know is read as ?."),
        ]
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_one_line_says_what_became_of_an_input(alone, kind):
    tab, problems = alone(kind())
    note = tab.locator(".note")
    for label, typed, counts, said in CASES[kind]:
        number = tab.get_by_label(f"{label}, as a number")
        field = number if number.count() else tab.get_by_label(label)
        field.fill(typed)
        assert note.inner_text() == said
        assert field.get_attribute("aria-invalid") == "true"
        assert field.get_attribute("aria-describedby") == note.get_attribute("id")
        width, colour = field.evaluate(
            "e => [getComputedStyle(e).borderTopWidth, getComputedStyle(e).borderTopColor]"
        )
        assert (width, colour) == ("2px", note.evaluate("e => getComputedStyle(e).color"))
        # A field that is left shows what counts; the line stays until something else is done.
        field.blur()
        assert (field.input_value(), field.get_attribute("aria-invalid")) == (counts, None)
        assert note.inner_text() == said
        tab.get_by_role("button", name="Start again").click()
        assert note.inner_text() == ""
        tab.wait_for_timeout(100)  # until the frame after
    assert problems == []


def test_nothing_to_read_shows_no_other_texts_results(alone):
    tab, problems = alone(Reader())
    field = tab.get_by_label("Text to read")
    assert tab.locator("canvas").is_visible()
    field.fill("")
    assert tab.locator(".note").inner_text().startswith("The model has nothing to read")
    assert field.get_attribute("aria-invalid") == "true"
    assert not tab.locator("canvas, .readout, .guesses").filter(visible=True).count()
    field.press("x")
    assert tab.locator("canvas").is_visible() and tab.locator(".note").inner_text() == ""
    field.fill("")
    field.blur()
    assert field.input_value() == "x" and tab.locator("canvas").is_visible()
    assert problems == []


def test_the_empty_string_says_what_is_shown(alone):
    tab, _ = alone(Counter("aabb"))
    tab.get_by_label("String to read").fill("")
    tab.wait_for_timeout(300)
    words = tab.locator(".readout").inner_text()
    assert "Step 0 reads the mark with which every string starts" in words


def test_what_counts_is_what_is_shown(alone):
    """The results are those of what the line says was read."""
    tab, _ = alone(Counter("aabb"))
    tab.get_by_label("String to read").fill("a?a?b")
    tab.wait_for_timeout(300)
    assert tab.locator(".tape").inner_text() == "start aab"
    assert tab.locator(".readout").inner_text().startswith("Step 3 of 3, depth 1.")
