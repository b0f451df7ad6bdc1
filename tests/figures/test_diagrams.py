"""Diagrams: the committed picture is what the package draws, and each number is in its place."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lstm_lesson.figures import cover, diagrams
from lstm_lesson.pretrained import characters

PICTURE = Path(__file__).parents[2] / "plots" / "lstm_cell.png"
STEP = dict(x=1.0, h_prev=0.5, c_prev=-0.8, i=0.6, f=0.75, g=-0.7, o=0.4, c=-1.02, h=-0.308)


@pytest.fixture
def ax():
    return plt.subplots(figsize=diagrams.CELL)[1]


def test_the_committed_picture_is_what_the_package_draws(tmp_path):
    diagrams.write_pictures(tmp_path)
    drawn, committed = plt.imread(tmp_path / PICTURE.name), plt.imread(PICTURE)
    assert drawn.shape == committed.shape
    # Another release of matplotlib or FreeType may move the edge of a letter by a pixel.
    assert np.abs(drawn - committed).mean() < 0.01


def test_a_picture_has_the_same_bytes_each_time_and_says_nothing_of_who_drew_it(tmp_path):
    diagrams.write_pictures(tmp_path)
    first = (tmp_path / PICTURE.name).read_bytes()
    diagrams.write_pictures(tmp_path)
    assert (tmp_path / PICTURE.name).read_bytes() == first
    assert b"tEXt" not in PICTURE.read_bytes()


def test_a_cover_has_a_ridge_for_each_unit_and_its_line_below(ax, written):
    values = np.array([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0], [2.0, 4.0, 5.0], [0.0, 1.0, 5.0]])
    assert cover.ridges(ax, "f#ab", values) is ax
    assert written(ax) == {*"f#ab"}
    assert len(ax.lines) == len(ax.collections) == 3
    still = ax.lines[2].get_ydata()
    np.testing.assert_allclose(still, still[0])  # a unit that does nothing is a straight line
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours["f"] == cover.BRIGHT["f"] and colours["a"] == cover.STAR


def test_the_cover_shows_what_the_shipped_model_holds_and_is_the_same_each_time(tmp_path):
    states = characters.load().read(cover.LINE)[0].c
    cover.write_cover(tmp_path, states)
    first = (tmp_path / "cover.svg").read_text(encoding="utf-8")
    cover.write_cover(tmp_path, states)
    assert (tmp_path / "cover.svg").read_text(encoding="utf-8") == first
    committed = (PICTURE.parent / "cover.svg").read_text(encoding="utf-8")
    shapes = [len(re.findall(r' d="', text)) for text in (first, committed)]
    assert shapes[0] == shapes[1] > 2 * 30
    assert plt.imread(tmp_path / "social_card.png").shape[:2] == (630, 1200)


def test_cell_diagram_names_every_quantity(ax, written):
    assert diagrams.cell_diagram(ax) is ax
    letters = {"$i_t$", "$f_t$", "$g_t$", "$o_t$", "$c_t$", "$h_t$", "$x_t$"}
    assert letters | {"$c_{t-1}$", "$h_{t-1}$", "tanh", "σ"} <= written(ax)


def test_cell_diagram_writes_the_numbers_of_a_step(ax, written):
    diagrams.cell_diagram(ax, STEP)
    kept, added, squashed = 0.75 * -0.8, 0.6 * -0.7, np.tanh(-1.02)
    for value in (*STEP.values(), kept, added, squashed):
        assert f"{value:.2f}".replace("-", "\N{MINUS SIGN}") in written(ax)


def test_cell_diagram_fills_each_gate_as_far_as_it_is_open(ax):
    diagrams.cell_diagram(ax, STEP)
    levels = [p for p in ax.patches if isinstance(p, plt.Rectangle)]
    full = 1.6  # the side of a gate's box; the candidate has half of it either way
    heights = [level.get_height() / full for level in levels]
    np.testing.assert_allclose(heights, [0.75, 0.6, -0.7 / 2, 0.4])


def test_backward_diagram_has_an_equation_or_a_number_on_each_wire(ax, written):
    assert diagrams.backward_diagram(ax) is ax
    gates = {"$i_t$", "$f_t$", "$g_t$", "$o_t$"}
    assert written(ax) - {""} == gates | {*diagrams.BACKWARD.values()}
    values = {name: n / 100 - 0.07 for n, name in enumerate(diagrams.BACKWARD)}
    numbered = diagrams.backward_diagram(plt.subplots(figsize=diagrams.CELL)[1], values)
    numbers = {diagrams.two_decimals(v) for v in values.values()}
    assert written(numbered) - {""} == gates | numbers
