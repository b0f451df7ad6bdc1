"""The figures of chapter 24 show what they are given."""

import numpy as np

from lstm_lesson.figures import COLOURS, ch24


def test_scores_have_a_dot_for_every_run_and_say_what_was_not_run(axes):
    left, right = {"LSTM": np.array([0.2, 0.4])}, {"Transformer": np.array([1.0, 0.9])}
    assert ch24.scores(axes, {"one": (left, 0.25), "two": (right, 0.5)}) is axes
    for ax, row, values, level in ((axes[0], 0, left, 0.25), (axes[1], 1, right, 0.5)):
        line, dots, _ = ax.lines
        assert line.get_xdata()[0] == level
        np.testing.assert_array_equal(dots.get_xdata(), next(iter(values.values())))
        assert set(dots.get_ydata()) == {row}
        assert [text.get_text() for text in ax.texts] == ["not run"]
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["LSTM", "Transformer"]


def test_models_of_a_family_share_a_colour():
    assert ch24.ink("LSTM in blocks") == ch24.ink("LSTM")
    assert ch24.ink("minGRU") == ch24.ink("minGRU, signed") == COLOURS["g"]
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
