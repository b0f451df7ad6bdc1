"""Figures of chapter 23 show what they are given."""

import numpy as np

from lstm_lesson.figures import ch23


def test_pairs_have_the_colour_of_who_is_less(ax):
    assert ch23.pairs(ax, (1, 2, 3), (2, 2, 1), ("A", "B")) is ax
    assert [line.get_color() for line in ax.lines] == [
        ch23.WORDS[1],
        "#888888",
        ch23.WORDS[-1],
    ]
    assert [list(line.get_ydata()) for line in ax.lines] == [[1, 2], [2, 2], [3, 1]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["A", "B"]
    assert ax.get_yscale() == "log"


def test_words_stacks_shares_and_draws_where_the_middle_of_all_repetitions_lies(axes, written):
    repeats = np.array([[1, 0.7], [1, 0.9], [0, 0.5], [-1, 0.1]])
    said = {5: repeats, 20: repeats[:2]}
    assert ch23.words(axes, said, ("sooner", "not shown")) is axes
    heights = np.array([bar.get_height() for bar in axes[0].patches]).reshape(3, 2)
    np.testing.assert_allclose(heights, [[0.5, 1], [0.25, 0], [0.25, 0]])
    np.testing.assert_allclose(axes[1].lines[0].get_ydata(), [0.6, 0.8])
    ends = np.array(axes[1].collections[0].get_segments())[0, :, 1]
    np.testing.assert_allclose(ends, np.quantile(repeats[:, 1], (0.025, 0.975)))
    assert written(axes[0]) >= {"sooner", "not shown"}
    assert [label.get_text() for label in axes[1].get_xticklabels()] == ["5", "20"]


def test_a_timeline_has_a_bar_for_each_run_and_marks_who_was_killed(ax):
    work = {"worker 1": np.array([[0, 1], [1, 3]]), "worker 2": np.empty((0, 2))}
    assert ch23.timeline(ax, work, ("worker 2", 2.5)) is ax
    (one, other) = ax.collections
    spans = [path.get_extents() for path in one.get_paths()]
    assert [(box.x0, box.x1) for box in spans] == [(0, 1), (1, 3)]
    assert other.get_paths() == []
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[2.5, 1]])
    assert [label.get_text() for label in ax.get_yticklabels()] == list(work)


def test_overhead_draws_both_on_logarithmic_axes(ax, written):
    assert ch23.overhead(ax, np.array([1.0, 10.0]), np.array([3.0, 12.0])) is ax
    diagonal, line = ax.lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_array_equal(line.get_xydata(), [[1, 3], [10, 12]])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert written(ax) >= {"the work alone", "on the cluster"}


def test_what_counts_draws_power_and_the_cost_of_failures(axes, written):
    power, plans = {3: 0.0, 30: 0.8}, {"small": 0.01, "large": 7.0}
    assert ch23.what_counts(axes, power, plans, 1e-5) is axes
    np.testing.assert_allclose(axes[0].lines[0].get_xydata(), [[3, 0], [30, 0.8]])
    lost, kept, *dots = axes[1].lines
    x = lost.get_xdata()
    np.testing.assert_allclose(lost.get_ydata(), (np.exp(x) - 1) / x)
    np.testing.assert_allclose(kept.get_ydata(), 1 + 1e-5 * x)
    assert [dot.get_xdata()[0] for dot in dots] == [0.01, 7.0]
    assert written(axes[1]) == {"all is lost", "rows are kept", "small: 1.01", "large: 157"}
