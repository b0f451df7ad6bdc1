"""The reader: its script computes what the engine does, and a reader can use it with keys alone."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from traitlets import TraitError
from widget_page import TOLERANCE

from lstm_lesson.figures import NAMES
from lstm_lesson.pretrained import characters
from lstm_lesson.widgets.reader import (
    FAR,
    HOLDS,
    MARKED,
    MOST,
    TEXT,
    UNITS,
    UNSORTED,
    VIEWS,
    Reader,
)  # fmt: skip

PIECES = (  # what a text may be made of, so that every property changes
    *"ab_Z9 ([{)]}\"'#\n\\.,=", '"""', "'''", "def ", "return x", "  # ", "    ", "é", "😀",
    "\t", "\r\n", "\r",
)  # fmt: skip


def random_reader(rng) -> Reader:
    text = "".join(rng.choice(PIECES, size=rng.integers(1, 40)))
    return Reader(
        text,
        gate=str(rng.choice(tuple(NAMES))),
        view=str(rng.choice(VIEWS)),
        sort=str(rng.choice((*characters.PROPERTIES, MARKED, UNSORTED))),
        cursor=int(rng.integers(len(text))),
        unit=int(rng.integers(128)),
        part=sorted(map(int, rng.integers(0, 1.2 * len(text) + 1, size=2))),
        hold=str(rng.choice(HOLDS)),
    )


def test_script_computes_what_the_engine_does(in_script):
    rng = np.random.default_rng(0)
    for _ in range(100):
        reader = random_reader(rng)
        ours, theirs = reader.compute(), in_script(reader)
        for key in NAMES:
            assert_allclose(theirs["gates"][key], ours["gates"][key], TOLERANCE, TOLERANCE)
        assert_allclose(theirs["scores"], ours["scores"], TOLERANCE, TOLERANCE)
        # Equal but for units whose correlations are the same up to rounding.
        sizes = np.abs(ours["scores"])
        assert_allclose(sizes[theirs["order"]], sizes[ours["order"]], TOLERANCE, TOLERANCE)
        for key in ("surprise", "chance", "free", "mattered"):
            assert_allclose(theirs[key], ours[key], TOLERANCE, TOLERANCE)
        for (character, p), (same, q) in zip(ours["guesses"], theirs["guesses"], strict=True):
            assert character == same
            assert q == pytest.approx(p, rel=TOLERANCE)


def test_what_was_read_before_makes_no_difference(in_script):
    def hidden_states(text):
        return in_script(Reader(text))["gates"]["h"]

    fresh = hidden_states("if (a):\n    b")
    for before in ("if (a):\n    bc", "if [a", "x", "if (a):"):
        hidden_states(before)
        assert hidden_states("if (a):\n    b") == fresh


def test_rounded_weights_cost_next_to_nothing():
    text = characters.sample()[:3000]
    assert abs(Reader().model.loss(text) - characters.load().loss(text)) < 0.005


def test_guesses_are_those_of_the_model():
    reader = Reader("import ", cursor=6)
    found = reader.compute()
    logits = reader.model.read("import ").logits[6]
    p = np.exp(logits - logits.max())
    p /= p.sum()
    assert_allclose([q for _, q in found["guesses"]], np.sort(p)[::-1][:5])
    assert found["guesses"][0][0] == characters.ALPHABET[p.argmax()]
    assert found["surprise"][0] == 0 and (found["surprise"][1:] > 0).all()


def test_units_are_sorted_by_the_size_of_their_correlation():
    found = Reader(sort="bracket depth").compute()
    sizes = np.abs(found["scores"])[found["order"]]
    assert (np.diff(sizes) <= 0).all() and sizes[0] > 0.7
    assert_array_equal(Reader(sort=UNSORTED).compute()["order"], np.arange(128))


def test_units_are_sorted_by_what_they_do_in_the_marked_part():
    start = TEXT.index("(G")
    part = [start, TEXT.index(":\n")]
    found = Reader(sort=MARKED, part=part).compute()
    c = found["gates"]["c"]
    inside = np.zeros(len(TEXT))
    inside[slice(*part)] = 1
    best = found["order"][0]
    assert abs(np.corrcoef(c[:, best], inside)[0, 1]) == pytest.approx(abs(found["scores"][best]))
    assert found["scores"][best] ** 2 == (found["scores"] ** 2).max() > found["chance"] ** 2
    assert not Reader(sort=MARKED).compute()["scores"].any()  # nothing is marked


def test_by_chance_is_what_the_best_unit_has_with_a_count_that_was_moved():
    text = "".join(np.random.default_rng(0).choice(list("a(b)[ ]"), size=30))
    reader = Reader(text, sort="bracket depth")
    c, depth = reader.compute()["gates"]["c"], characters.properties(text)["bracket depth"]
    largest = [
        max(abs(np.corrcoef(unit, np.roll(depth, n))[0, 1]) for unit in c.T) for n in range(1, 30)
    ]
    assert reader.compute()["chance"] == pytest.approx(np.mean(largest))


def test_a_character_mattered_if_the_guess_gets_less_likely_without_it():
    text = "for node in G"
    reader = Reader(text, cursor=5, view="what mattered")
    ((guess, p), *_), mattered = reader.compute()["guesses"], reader.compute()["mattered"]
    for n in range(6):
        left = text[:n] + text[n + 1 : 6]
        logits = reader.model.read(left).logits[-1]
        q = np.exp(logits - logits.max())
        q = q[characters.ALPHABET.index(guess)] / q.sum()
        assert mattered[n] == pytest.approx(np.log(p / q))
    assert not mattered[6:].any()
    far = Reader(120 * "a", view="what mattered").compute()["mattered"]
    assert np.count_nonzero(far) == FAR and not far[:-FAR].any()
    assert not Reader(text, cursor=5).compute()["mattered"].any()  # looked for in that view only


def test_a_held_unit_is_held_in_the_marked_part_alone():
    free = Reader(unit=20).compute()
    for hold, value in (("at zero", 0.0), ("as before the part", free["gates"]["c"][19, 20])):
        found = Reader(unit=20, part=[20, 40], hold=hold).compute()
        c = found["gates"]["c"]
        assert_array_equal(c[20:40, 20], value)
        assert_allclose(c[:20], free["gates"]["c"][:20], TOLERANCE, TOLERANCE)
        assert (c[40:, 20] != value).all()
        assert found["free"] == pytest.approx(free["surprise"][1:].mean())
        assert found["surprise"][1:].mean() != found["free"]
    whole = Reader(unit=20, hold="at zero").compute()
    assert not whole["gates"]["c"][:, 20].any()  # nothing is marked


def test_what_the_model_does_not_know_is_a_question_mark():
    assert characters.known(characters.plain("é\ta\n😀")) == "?    a\n?"
    assert len(Reader("é😀").compute()["surprise"]) == 2


@pytest.mark.parametrize("text", ["\tif a:\r\n\t\tb\rc = 1\n", "\r\n\r\r\n", "é\t😀\r"])
def test_pasted_code_reads_the_same_in_python_and_in_the_script(in_script, text):
    reader = Reader(text)
    spaced = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", 4 * " ")
    assert reader.text == spaced and "?" not in characters.known(
        spaced.translate({0xE9: "e", 0x1F600: "e"})
    )
    assert reader.cursor == len(spaced) - 1
    ours = reader.compute()["surprise"]
    assert_allclose(in_script(reader)["surprise"], ours, TOLERANCE, TOLERANCE)
    assert_allclose(in_script(reader, text=text)["surprise"], ours, TOLERANCE, TOLERANCE)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("gate", "z", "gate: expected one of"),
        ("sort", "mood", "sort: expected one of"),
        ("shown", 20, "shown: expected one of"),
        ("text", "x" * (MOST + 1), "text: expected 1 to 600 characters, got 601"),
        ("text", "\t" * 151, "text: expected 1 to 600 characters, got 604"),
        ("text", "", "text: expected 1 to 600 characters, got 0"),
        ("cursor", -1, "'cursor' trait"),
        ("unit", -1, "'unit' trait"),
        ("unit", UNITS, "'unit' trait"),
        ("view", "nothing", "view: expected one of"),
        ("hold", "tight", "hold: expected one of"),
        ("part", [3, 2], r"part: expected first <= end, got \[3, 2\]"),
        ("part", [3], "'part' trait"),
        ("part", [-1, 2], "'part' trait"),
    ],
)
def test_wrong_settings_are_refused_at_first_and_later(name, value, message):
    with pytest.raises(TraitError, match=message):
        Reader(**{name: value})
    reader = Reader()
    before = getattr(reader, name)
    with pytest.raises(TraitError, match=message):
        setattr(reader, name, value)
    assert getattr(reader, name) == before


def test_a_text_is_a_str():
    with pytest.raises(TypeError, match="text: expected a str, got 5"):
        Reader(5)


def test_a_cursor_beyond_the_end_is_the_last(in_script):
    reader = Reader("abc", cursor=7)
    (ours, p), (theirs, q) = reader.compute()["guesses"][0], in_script(reader)["guesses"][0]
    assert (ours, p) == Reader("abc").compute()["guesses"][0]
    assert theirs == ours and q == pytest.approx(p, rel=TOLERANCE)


def test_figure_shows_the_unit_and_the_characters():
    line, heat = Reader(unit=20, sort="bracket depth", shown=16).figure(0, 10).axes
    assert [label.get_text() for label in heat.get_xticklabels()] == list("def·path_l")
    assert heat.images[0].get_array().shape == (16, 10)
    assert len(line.lines[-1].get_xdata()) == 10


@pytest.mark.parametrize("view, label", [("one unit", "$c_t$"), ("what mattered", "nats")])
def test_figure_shows_the_text_in_the_colours_of_the_view(view, label):
    letters, bar = Reader("if (a):", view=view).figure().axes
    assert [text.get_text() for text in letters.texts] == list("if(a):")
    assert bar.get_title() == label


# ---- Alone on a page ----


def test_letters_have_the_colours_of_the_view(alone):
    reader = Reader("if (a):\n    b", view="one unit", unit=20, gate="h")
    tab, problems = alone(reader, color_scheme="light")
    letters = tab.locator(".passage .at")
    assert "".join(letters.all_inner_texts()) == "if (a):⏎\n    b"
    backs = letters.evaluate_all(
        "all => all.map(e => getComputedStyle(e).backgroundColor.match(/\\d+/g).map(Number))"
    )
    values = reader.compute()["gates"]["h"][:, 20]
    strength = 255 - np.min(backs, axis=1)
    for sign in (values >= 0, values < 0):
        assert_array_equal(np.argsort(strength[sign]), np.argsort(abs(values[sign])))
    largest = abs(values).argmax()
    assert strength[largest] == strength[(values >= 0) == (values[largest] >= 0)].max() > 120
    letters.nth(3).click()
    tab.wait_for_timeout(100)
    assert tab.evaluate("() => state.cursor") == 3
    assert letters.nth(3).get_attribute("class") == "at here"
    assert problems == []


def test_a_part_is_marked_by_selecting_it_or_by_keys(alone):
    tab, problems = alone(Reader("ab (😀d) ef", cursor=2))
    part = lambda: tab.evaluate("() => [...state.part, state.cursor]")  # noqa: E731
    field = tab.get_by_label("Text to read")
    field.evaluate("e => { e.focus(); e.setSelectionRange(3, 7); }")  # UTF-16 has two for one
    tab.wait_for_timeout(100)
    assert part() == [3, 6, 5]
    field.press("Home")  # nothing is selected any more
    tab.wait_for_timeout(100)
    assert part()[:2] == [0, 0]

    tab.locator(".map").focus()
    for key, expected in (
        ("Home", [0, 0, 0]), ("ArrowRight", [0, 0, 1]), ("Shift+ArrowRight", [1, 3, 2]),
        ("Shift+ArrowRight", [1, 4, 3]), ("Shift+ArrowLeft", [1, 3, 2]), ("ArrowRight", [1, 3, 3]),
        ("Escape", [0, 0, 3]), ("Shift+Home", [0, 4, 0]),
    ):  # fmt: skip
        tab.keyboard.press(key)
        tab.wait_for_timeout(50)
        assert part() == expected, key
    field.fill("other")
    assert part()[:2] == [0, 0]
    assert problems == []


def test_what_is_said_of_a_held_unit_and_of_what_mattered(alone):
    reader = Reader("for node in G", view="what mattered", hold="at zero", unit=3)
    tab, problems = alone(reader)
    found, words = reader.compute(), tab.locator(".readout").inner_text()
    most = int(found["mattered"].argmax())
    assert f"character {most + 1}, " in words and f"{found['mattered'][most]:.2f} nats" in words
    assert f"costs {found['surprise'][1:].mean():.2f} nats" in words
    assert f"{found['free']:.2f} with all units free" in words
    assert problems == []


def test_the_script_counts_characters_as_python_does(alone):
    tab, problems = alone(Reader())
    field = tab.get_by_label("Text to read")
    texts = lambda: [tab.evaluate("() => state.text"), field.input_value()]  # noqa: E731

    # As many as there may be of those that UTF-16 writes in two units, and no more.
    full = MOST * "😀"
    field.fill(full + "x")
    assert texts() == [full, full]
    assert tab.evaluate("() => state.cursor") == MOST - 1
    Reader(full)

    # What is typed into a full text finds no room, wherever it is.
    full = "a" + full[3:] + "bc"
    field.fill(full)
    field.press("Control+Home")
    field.press("ArrowRight")
    field.press("x")
    assert texts() == [full, full]
    assert tab.evaluate("() => state.cursor") == 0

    # A tab becomes four spaces where it is pasted, and the caret stands behind them.
    field.fill("ab")
    field.press("ArrowLeft")
    tab.keyboard.insert_text("\tc")
    assert texts() == ["a    cb", "a    cb"]
    assert tab.evaluate("() => state.cursor") == 5
    assert problems == []


# ---- On the built page ----


def said(reader) -> list[float]:
    """The numbers of the readout: character, of how many, unit, value, correlation, by chance."""
    found, text = reader.compute(), characters.known(reader.text)
    value = found["gates"][reader.gate][reader.cursor, reader.unit]
    numbers = [reader.cursor + 1, len(text), reader.unit, round(float(value), 2) + 0.0]
    return [
        *numbers,
        *(round(float(r), 2) + 0.0 for r in (found["scores"][reader.unit], found["chance"])),
    ]


def readings(element) -> list[float]:
    """The same as the page says them."""
    element.page.wait_for_timeout(300)
    words = element.locator(".readout").inner_text().replace("\N{MINUS SIGN}", "-")
    return [float(n) for n in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", words)]


def guessed(element) -> list[float]:
    return [float(p) for p in element.locator(".guesses .p").all_inner_texts()]


def test_reader_by_keys(widget):
    element, problems = widget("Reader")
    tab = element.page
    model = Reader(sort="bracket depth", unit=20)
    assert element.get_by_label("Text to read").input_value() == TEXT
    assert readings(element) == said(model)

    # Along the text, and from unit to unit.
    element.locator(".map").focus()
    tab.keyboard.press("Home")
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    model.cursor, model.unit = 3, int(model.compute()["order"][1])
    assert readings(element) == said(model)
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowUp")
    model.cursor, model.unit = 2, 20
    assert readings(element) == said(model)
    tab.keyboard.press("End")
    model.cursor = len(TEXT) - 1
    assert readings(element) == said(model)
    assert guessed(element) == [round(p, 2) for _, p in model.compute()["guesses"]]

    # Another gate, another order, another unit.
    element.get_by_label("Show", exact=True).select_option("f")
    element.get_by_label("Sort units by").select_option("line position")
    element.get_by_label("Units shown").select_option("128")
    element.get_by_label("Follow unit").select_option("7")
    model.gate, model.sort, model.unit = "f", "line position", 7
    assert readings(element) == said(model)
    assert element.locator("canvas").bounding_box()["height"] > 500

    # Another text, typed; the cursor goes with the caret.
    field = element.get_by_label("Text to read")
    field.fill("")
    field.press_sequentially("a = [b")
    model.text, model.cursor = "a = [b", 5
    assert readings(element) == said(model)
    assert guessed(element) == [round(p, 2) for _, p in model.compute()["guesses"]]
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    model.cursor = 3
    assert readings(element) == said(model)
    assert problems == []


def test_reader_by_mouse(widget):
    element, problems = widget("Reader")
    model = Reader(sort="bracket depth", unit=20)
    element.locator("canvas").click(position={"x": 9 * 4 + 4, "y": 90 + 8 * 2 + 3})
    model.cursor, model.unit = 4, int(model.compute()["order"][2])
    assert readings(element) == said(model)
    element.locator("canvas").click(position={"x": 9 * 7 + 4, "y": 80})  # the text: the unit stays
    model.cursor = 7
    assert readings(element) == said(model)
    assert problems == []
