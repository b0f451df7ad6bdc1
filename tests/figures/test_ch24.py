"""The figures of chapter 24 show what they are given."""

import matplotlib.pyplot as plt
import numpy as np

from lstm_lesson.figures import SERIES, ch24


def test_scores_have_a_dot_for_every_run_and_a_row_for_every_model():
    axes = plt.subplots(2, 1)[1]  # each with rows of its own
    left, right = {"LSTM": np.array([0.2, 0.4])}, {"Transformer": np.array([1.0, 0.9])}
    assert ch24.scores(axes, {"one": (left, 0.25), "two": (right, 0.5)}) is axes
    for ax, (name, values), level in zip(
        axes, [*left.items(), *right.items()], (0.25, 0.5), strict=True
    ):
        line, dots, _ = ax.lines
        assert line.get_xdata()[0] == level
        np.testing.assert_array_equal(dots.get_xdata(), values)
        assert set(dots.get_ydata()) == {0}
        assert [label.get_text() for label in ax.get_yticklabels()] == [name]


def test_who_solves_has_a_bar_for_each_model_below_the_title_of_its_task(ax, written):
    tasks = {"find": {"LSTM": (0, 20), "Transformer": (20, 20)}, "keep": {"LSTM": (5, 20)}}
    assert ch24.who_solves(ax, tasks) is ax
    assert [bar.get_width() for bar in ax.patches] == [0, 1, 0.25]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["LSTM", "Transformer", "LSTM"]
    assert written(ax) == {"find", "keep", "0 of 20", "20 of 20", "5 of 20"}


def test_models_of_a_family_share_a_colour():
    assert ch24.ink("LSTM in blocks") == ch24.ink("LSTM")
    assert ch24.ink("minGRU") == ch24.ink("minGRU, signed") == SERIES["olive"]
    assert ch24.ink("sLSTM") == ch24.ink("mLSTM")


def test_an_attention_map_has_a_ring_where_the_key_was_shown(ax):
    weights = np.tri(4) / np.arange(1, 5)[:, None]
    ch24.attention_map(ax, weights, 2, np.array([1, 0]))
    np.testing.assert_array_equal(ax.images[0].get_array(), weights)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1, 2], [0, 3]])


def test_over_lengths_draws_each_run_and_the_median(ax):
    runs = np.array([[1.0, 0.5], [0.8, 0.0], [0.9, 0.4]])
    ch24.over_lengths(ax, (40, 500), {"LSTM": runs})
    *thin, thick = ax.lines
    np.testing.assert_array_equal([line.get_ydata() for line in thin], runs)
    np.testing.assert_array_equal(thick.get_ydata(), [0.9, 0.4])


def test_times_are_drawn_on_logarithmic_axes(ax):
    ch24.times(ax, [10, 20], {"loop": [1.0, 2.0], "scan": [2.0, 5.0]})
    assert ax.get_yscale() == "log"
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [2, 5])


def test_choices_have_a_box_for_each_model_and_question(ax):
    ch24.choices(ax, ["a", "b"], ["q"], [[("yes", 1)], [("not run", None)]])
    assert [text.get_text() for text in ax.texts] == ["yes", "not run"]
    assert len(ax.patches) == 2


def test_a_row_is_where_it_is_asked_for(ax):
    ch24.one_row(ax, 3, "LSTM", np.array([1.0, 2.0, 4.0]))
    dots, bar = ax.lines
    assert set(dots.get_ydata()) == {3}
    assert bar.get_xdata() == [2]
