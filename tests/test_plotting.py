"""Pictures: the committed one is what the package draws, and figures show what they are given."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lstm_lesson import plotting

PICTURE = Path(__file__).parents[1] / "plots" / "lstm_cell.png"
STEP = dict(x=1.0, h_prev=0.5, c_prev=-0.8, i=0.6, f=0.75, g=-0.7, o=0.4, c=-1.02, h=-0.308)


@pytest.fixture(autouse=True)
def fresh_figures():
    with plt.style.context("default"), plt.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots(figsize=plotting.TALL)[1]


def written(ax) -> set[str]:
    return {text.get_text() for text in ax.texts}


def test_the_committed_picture_is_what_the_package_draws(tmp_path):
    plotting.write_pictures(tmp_path)
    drawn, committed = plt.imread(tmp_path / PICTURE.name), plt.imread(PICTURE)
    assert drawn.shape == committed.shape
    # Another release of matplotlib or FreeType may move the edge of a letter by a pixel.
    assert np.abs(drawn - committed).mean() < 0.01


def test_a_picture_has_the_same_bytes_each_time_and_says_nothing_of_who_drew_it(tmp_path):
    plotting.write_pictures(tmp_path)
    first = (tmp_path / PICTURE.name).read_bytes()
    plotting.write_pictures(tmp_path)
    assert (tmp_path / PICTURE.name).read_bytes() == first
    assert b"tEXt" not in PICTURE.read_bytes()


def test_to_png_closes_the_figure(ax):
    assert plotting.to_png(ax.figure).startswith(b"\x89PNG")
    assert not plt.get_fignums()


def test_cell_diagram_names_every_quantity(ax):
    assert plotting.cell_diagram(ax) is ax
    letters = {"$i_t$", "$f_t$", "$g_t$", "$o_t$", "$c_t$", "$h_t$", "$x_t$"}
    assert letters | {"$c_{t-1}$", "$h_{t-1}$", "tanh", "σ"} <= written(ax)


def test_cell_diagram_writes_the_numbers_of_a_step(ax):
    plotting.cell_diagram(ax, STEP)
    kept, added, squashed = 0.75 * -0.8, 0.6 * -0.7, np.tanh(-1.02)
    for value in (*STEP.values(), kept, added, squashed):
        assert f"{value:.2f}".replace("-", "\N{MINUS SIGN}") in written(ax)


def test_cell_diagram_fills_each_gate_as_far_as_it_is_open(ax):
    plotting.cell_diagram(ax, STEP)
    levels = [p for p in ax.patches if isinstance(p, plt.Rectangle)]
    full = 1.6  # the side of a gate's box; the candidate has half of it either way
    heights = [level.get_height() / full for level in levels]
    np.testing.assert_allclose(heights, [0.75, 0.6, -0.7 / 2, 0.4])


def test_strips_draw_one_series_each_from_the_first_step():
    _, axes = plt.subplots(2, 1)
    rows = {"a": (np.array([0.5, 0.5]), "black"), "b": (np.array([-2.0, 3.0]), "grey")}
    plotting.strips(axes, rows, first=0)
    for ax, (label, (values, _)) in zip(axes, rows.items(), strict=True):
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0, 1])
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), values)
        assert ax.get_ylabel() == label
        low, high = ax.get_ylim()
        assert low < min(0, *values) and high > max(1, *values)


def test_curves_have_the_colour_and_the_name_of_their_quantity(ax):
    x = np.linspace(-1, 1, 5)
    plotting.curves(ax, x, {"f": x**2, "h": x})
    assert [line.get_color() for line in ax.lines] == [plotting.COLOURS[k] for k in "fh"]
    assert written(ax) == {"$f_t$ forget gate", "$h_t$ hidden state"}
