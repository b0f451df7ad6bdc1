"""Figures that several chapters draw show what they are given."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from browser import contrast
from matplotlib import font_manager
from matplotlib.colors import to_rgb

from lstm_lesson import figures
from lstm_lesson.figures.dots import row_of_dots


def test_to_png_closes_the_figure(ax):
    assert figures.to_png(ax.figure).startswith(b"\x89PNG")
    assert not plt.get_fignums()


def test_strips_draw_one_series_each_from_the_first_step():
    axes = plt.subplots(2, 1)[1]
    rows = {"a": (np.array([0.5, 0.5]), "black"), "b": (np.array([-2.0, 3.0]), "grey")}
    figures.strips(axes, rows, first=0)
    for ax, (label, (values, _)) in zip(axes, rows.items(), strict=True):
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0, 1])
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), values)
        assert ax.get_ylabel() == label
        low, high = ax.get_ylim()
        assert low < min(0, *values) and high > max(1, *values)


@pytest.mark.parametrize("above", [True, False])
def test_norm_against_lag_draws_the_median_on_a_logarithmic_axis(ax, above):
    norms = np.array([[1.0, 0.1], [1.0, 0.2], [1.0, 0.6]])
    assert figures.norm_against_lag(ax, norms, "total", "#E69F00", at=1, above=above) is ax
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), [0, 1])
    np.testing.assert_allclose(line.get_ydata(), [1.0, 0.2])
    assert ax.get_yscale() == "log"
    assert len(ax.collections) == 1  # the band
    (label,) = ax.texts
    assert label.get_text() == "total" and label.xy == (1, 0.2)


def test_without_a_lag_the_name_of_a_line_stands_behind_its_end(ax):
    figures.norm_against_lag(ax, np.array([[1.0, 0.5, 0.25]]), "total", "#E69F00")
    (label,) = ax.texts
    assert label.xy == (2, 0.25)
    # Letters have more contrast than the line, and a halo where another line crosses them.
    assert label.get_color() == figures.INKS["#E69F00"]
    assert label.get_path_effects()


def test_a_drawing_is_the_same_text_each_time_and_says_nothing_of_when_it_was_drawn():
    def drawing():
        figure, ax = plt.subplots()
        ax.plot([0, 1], [0, 1 / 3], label="a")
        return figures.to_svg(figure)

    with plt.style.context("default"):
        figures.use_style()
        first, second = drawing(), drawing()
    assert first == second and first.startswith("<?xml")
    assert "date" not in first and "matplotlib.org" not in first
    assert not [d for d in re.findall(r' d="([^"]*)"', first) if re.search(r"\.\d{3}", d)]


def test_the_style_draws_with_the_fonts_that_the_package_brings(ax):
    with plt.style.context("default"):
        figures.use_style()
        found = {w: Path(font_manager.findfont(f"Inter:weight={w}")) for w in ("normal", "bold")}
    folder = Path(figures.__file__).with_name("fonts")
    assert {path.parent for path in found.values()} == {folder}
    assert len(set(found.values())) == 2


def test_letters_are_readable_on_white_in_every_colour():
    def rgb(colour):
        return "rgb({}, {}, {})".format(*(round(255 * part) for part in to_rgb(colour)))

    colours = [*figures.COLOURS.values(), *figures.SERIES.values()]
    assert set(figures.INKS) <= set(colours)
    inks = [rgb(figures.readable(colour)["color"]) for colour in colours]
    assert min(contrast(ink, "rgb(255, 255, 255)") for ink in inks) >= 4.5


def test_colours_of_series_are_no_gates_and_differ_in_greyscale():
    assert not set(figures.SERIES.values()) & set(figures.COLOURS.values())
    greys = [to_rgb(colour) @ np.array([0.299, 0.587, 0.114]) for colour in figures.SERIES.values()]
    assert np.diff(greys).min() > 0.08  # each lighter than the one before


def test_scores_by_name_draws_a_row_an_arm(ax):
    scores = {"right": np.array([1.0, 2.0, 4.0]), "late c": np.array([3.0, 5.0, 9.0])}
    assert figures.scores_by_name(ax, scores, 10.0) is ax
    right, wrong, median, level = ax.lines
    np.testing.assert_array_equal(right.get_xdata(), scores["right"])
    np.testing.assert_array_equal(wrong.get_ydata(), [1, 1, 1])
    assert median.get_xdata()[0] == 2.0 and level.get_xdata()[0] == 10.0
    assert [label.get_text() for label in ax.get_yticklabels()] == list(scores)
    assert ax.yaxis_inverted() and ax.get_xscale() == "log"


def test_band_is_the_middle_of_the_runs(ax):
    samples = np.arange(11.0)[:, None] * np.ones(3)
    assert figures.band(ax, np.arange(3), samples, "#000000") is ax
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [5, 5, 5])
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (1, 9)


def test_over_lengths_draws_each_arm_narrower_than_the_one_before(ax):
    runs, looks = np.array([[1.0, 0.5]]), {"a": {"color": "r"}, "b": {"color": "b", "ls": ":"}}
    assert figures.over_lengths(ax, (40, 500), {"a": runs, "b": runs}, looks) is ax
    _, first, _, second = ax.lines
    assert first.get_linewidth() > second.get_linewidth()
    assert (first.get_color(), second.get_linestyle()) == ("r", ":")


def test_dots_and_rings_draw_each_run_beside_its_controls(ax):
    pair = np.array([0.2, 0.4, 0.9]), np.array([0.0, 0.1])
    rows = {"a_task": {"unit": pair, "layer": pair}, "other": {"unit": pair}}
    assert figures.dots_and_rings(ax, rows, claimed=0.73) is ax
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["a task, unit", "layer", "other, unit"]
    rings, dots, bar = (line.get_xdata() for line in ax.lines[:3])
    assert (list(rings), list(dots), bar[0]) == ([0.0, 0.1], [0.2, 0.4, 0.9], 0.4)
    assert ax.lines[-1].get_xdata() == [0.73, 0.73]


def test_text_map_shows_every_character_and_scales_each_unit():
    axes = plt.subplots(2, 1, sharex=True)[1]
    values = np.array([[1.0, 10.0], [-2.0, 0.0], [0.5, 5.0]])
    assert figures.text_map(axes, "a b", "c", values[:, 0], values) is axes
    assert [label.get_text() for label in axes[1].get_xticklabels()] == ["a", "·", "b"]
    (image,) = axes[1].images
    np.testing.assert_array_equal(image.get_array(), [[0.5, -1.0, 0.25], [1.0, 0.0, 0.5]])


def test_row_of_dots_draws_every_run_and_a_bar_at_the_median(ax):
    values = np.array([3.0, 1.0, 7.0])
    assert row_of_dots(ax, 2, values, color="#0072B2") is ax
    dots, bar = ax.lines
    np.testing.assert_array_equal(dots.get_xydata(), [[3, 2], [1, 2], [7, 2]])
    np.testing.assert_array_equal(bar.get_xydata(), [[3, 2]])
    # A bar that is told where to be; in the units of the rows; none at infinity.
    row_of_dots(ax, 0, values, color="#0072B2", middle=5.0, share=0.6)
    np.testing.assert_allclose(ax.collections[0].get_segments(), [[[5, -0.3], [5, 0.3]]])
    row_of_dots(ax, 1, values[:0], color="#0072B2", middle=np.inf)
    assert len(ax.lines) == 4


def test_dots_of_equal_runs_stand_in_a_column_around_their_row(ax):
    values = np.array([3.0, 1.0, 3.0, 3.0] + [9.0] * 20)
    row_of_dots(ax, 2, values, color="#0072B2")
    x, y = ax.lines[0].get_xydata().T
    np.testing.assert_array_equal(x, values)
    np.testing.assert_allclose(y[:4], [1.93, 2, 2, 2.07])
    np.testing.assert_allclose((y[4:].min(), y[4:].max()), (1.62, 2.38))  # within the row
    assert len(set(y[4:])) == 20


def test_a_chain_has_an_arrow_between_steps_and_one_back(ax, written):
    steps = {"one": "first", "two": "then", "three": "last"}
    assert figures.chain(ax, steps) is ax
    assert written(ax) - {""} == {*steps, *steps.values()}
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert len(arrows) == 2 and not ax.lines
    back = figures.chain(plt.subplots()[1], steps, again=True)
    np.testing.assert_array_equal(back.lines[0].get_ydata(), [-2, -2, 0])
