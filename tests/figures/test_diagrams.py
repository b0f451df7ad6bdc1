"""Diagrams: the committed picture is what the package draws, and each number is in its place."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lstm_lesson.figures import diagrams

PICTURE = Path(__file__).parents[2] / "plots" / "lstm_cell.png"
STEP = dict(x=1.0, h_prev=0.5, c_prev=-0.8, i=0.6, f=0.75, g=-0.7, o=0.4, c=-1.02, h=-0.308)


@pytest.fixture(autouse=True)
def fresh_figures():
    with plt.style.context("default"), plt.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots(figsize=diagrams.CELL)[1]


def written(ax) -> set[str]:
    return {text.get_text() for text in ax.texts}


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


def test_cell_diagram_names_every_quantity(ax):
    assert diagrams.cell_diagram(ax) is ax
    letters = {"$i_t$", "$f_t$", "$g_t$", "$o_t$", "$c_t$", "$h_t$", "$x_t$"}
    assert letters | {"$c_{t-1}$", "$h_{t-1}$", "tanh", "σ"} <= written(ax)


def test_cell_diagram_writes_the_numbers_of_a_step(ax):
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


def test_path_diagram_draws_each_arrow_with_its_derivative(ax):
    arrows = {("c1", "h1"): 0.531, ("h1", "i2"): -0.25, ("h1", "L"): 0.5}
    assert diagrams.path_diagram(ax, arrows) is ax
    drawn = [text.get_text() for text in ax.texts]
    assert {"0.53", "−0.25", "0.50", "$c_1$", "$L$"} <= set(drawn)
    assert len([t for t in ax.texts if getattr(t, "arrow_patch", None)]) == len(arrows)


def test_path_diagram_refuses_a_quantity_without_a_place(ax):
    with pytest.raises(KeyError):
        diagrams.path_diagram(ax, {("c1", "q9"): 1.0})


def test_an_unrolled_net_has_a_box_a_step_with_its_numbers(ax):
    assert diagrams.unrolled_diagram(ax, [(1.0, 0.76), (-0.5, -0.125)]) is ax
    assert len(ax.patches) == 2
    assert {"$x_1$ = 1.00", "$h_2$ = \N{MINUS SIGN}0.12"} <= written(ax)
    letters = diagrams.unrolled_diagram(plt.subplots()[1])
    assert len(letters.patches) == 3
    assert "$h_3$" in written(letters)
