"""Figures of one chapter each show what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from browser import luminance

from lstm_lesson import figures
from lstm_lesson.figures import (
    ch01,
    ch02,
    ch03,
    ch05,
    ch06,
    ch08,
    ch09,
    ch12,
    ch16,
    ch17,
    ch19,
    ch20,
    ch21,
    ch22,
)


def test_a_growing_cell_has_the_parts_that_it_was_given(ax, written):
    assert ch03.growing_cell(ax, "gi") is ax
    assert written(ax) - {""} == {"$c$", "$g$", "$i$", "+", "\N{MULTIPLICATION SIGN}"}
    whole = ch03.growing_cell(plt.subplots()[1], "gifo")
    assert {"$h$", "$o$", "tanh"} <= written(whole)


def test_a_stage_shows_each_number_and_what_is_wanted():
    figure, rows = plt.figure(), {"g": [0.5, -2.0], "c": [0.5, -1.5]}
    axes = ch03.stage(figure, "g", rows, [0.0, -3.0])
    assert len(figure.axes) == 1 + len(axes) == 3
    candidate, memory = axes
    np.testing.assert_array_equal(candidate.lines[0].get_ydata(), rows["g"])
    assert candidate.lines[0].get_color() == figures.COLOURS["g"]
    held, wanted = memory.lines
    np.testing.assert_array_equal(held.get_ydata(), rows["c"])
    np.testing.assert_array_equal(wanted.get_ydata(), [0.0, -3.0])
    assert memory.get_ylim()[0] < -3  # what is wanted is in sight


def test_shares_stand_on_the_arrows_into_the_steps_and_their_sum_at_the_weight(ax, written):
    assert ch05.shares_diagram(ax, [0.25, -0.5, 1.0]) is ax
    numbers = {"0.25", "\N{MINUS SIGN}0.50", "1.00", "sum: 0.75"}
    assert numbers | {"step 1", "step 2", "step 3", "$w$", "$L$"} == written(ax) - {""}


def test_ways_back_name_the_gates_of_each_arrow(ax, written):
    assert ch05.ways_back(ax) is ax
    states = {f"${key}_{t}$" for key in "ch" for t in (1, 2, 3)}
    assert states | {"$L$", "$f_2$", "$f_3$", "$i, f, g$", "$o$"} < written(ax)


def test_differences_by_size_draws_medians_and_ranges_in_epsilons(axes):
    differences = np.array([[1e-8, 3e-8, 2e-8], [0.0, 5e-8, 4e-8]])
    panels = {
        "output": {"float32": differences, "float64": differences * 2.0**-29},
        "gradients": {"float32": 2 * differences, "float64": 2 * differences * 2.0**-29},
    }
    returned = ch09.differences_by_size(axes, ["small", "large"], panels)
    assert returned is axes
    for ax, scale in zip(axes, (1, 2), strict=True):
        one, *medians = ax.lines
        np.testing.assert_array_equal(one.get_xdata(), [1, 1])
        # float64's epsilon is 2**-29 of float32's, so both precisions are drawn at one place.
        for line, bars in zip(medians, ax.collections, strict=True):
            expected = scale * 2.0**23 * np.array([[1e-8, 2e-8, 3e-8], [0.0, 4e-8, 5e-8]])
            expected[1, 0] = 1 / 64  # a zero can't stand on a logarithmic axis
            np.testing.assert_allclose(line.get_xdata(), expected[:, 1])
            np.testing.assert_allclose(np.array(bars.get_segments())[:, :, 0], expected[:, [0, 2]])
        assert ax.get_xscale() == "log"
        assert ax.yaxis_inverted()
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["small", "large"]
    assert [text.get_text() for text in axes[0].texts] == ["float32", "float64"]
    assert [ax.get_title(loc="left") for ax in axes] == list(panels)


def test_error_growth_draws_the_median_of_each_line(axes):
    errors = np.array([[1e-8, 1e-7], [2e-8, 3e-7], [4e-8, 2e-7]])
    lines = np.stack([errors, 2 * errors, np.zeros_like(errors)])
    returned = ch09.error_growth(axes, {"forgets": lines, "keeps": lines})
    assert returned is axes
    for ax in axes:
        numpy, torch, float64 = ax.lines
        np.testing.assert_array_equal(numpy.get_xdata(), [1, 2])
        np.testing.assert_allclose(numpy.get_ydata(), [2e-8, 2e-7])
        np.testing.assert_allclose(torch.get_ydata(), [4e-8, 4e-7])
        np.testing.assert_allclose(float64.get_ydata(), 1e-18)
        assert len(ax.collections) == 3
        assert ax.get_yscale() == "log"


def test_a_panel_too_many_is_refused(axes):
    with pytest.raises(ValueError, match="zip"):
        ch09.error_growth(axes, {"forgets": np.ones((3, 10, 5))})


def test_beside_reference_draws_the_median_of_a_running_mean_over_the_reference(axes):
    steps = np.arange(1.0, 21.0)
    losses = np.stack([steps, 2 * steps, 3 * steps])
    panels = {"one": losses, "two": 10 * losses}
    assert ch06.beside_reference(axes, losses, panels, 0.5) is axes
    for ax, scale in zip(axes, (1, 10), strict=True):
        reference, line, level = ax.lines
        np.testing.assert_array_equal(line.get_xdata(), [7, 11])
        # Fifteen steps on a straight line have their middle's value as mean.
        np.testing.assert_allclose(reference.get_ydata(), 2 * steps[[7, 11]])
        np.testing.assert_allclose(line.get_ydata(), 2 * scale * steps[[7, 11]])
        assert list(level.get_ydata()) == [0.5, 0.5]
        assert ax.get_yscale() == "log"
    assert [ax.get_title(loc="left") or ax.get_title() for ax in axes] == list(panels)


def test_caught_or_not_fills_what_is_caught(ax):
    caught = np.array([[True, False], [True, True]])
    assert ch06.caught_or_not(ax, caught, ["a", "b"], ["full", "quick"]) is ax
    filled, rings = ax.lines
    assert sorted(zip(*filled.get_data(), strict=True)) == [(0, 0), (0, 1), (1, 1)]
    assert list(zip(*rings.get_data(), strict=True)) == [(1, 0)]
    assert rings.get_markerfacecolor() == "white"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["full", "quick"]


def test_outcomes_draw_every_run_and_the_median(ax):
    rows = {"SGD": np.array([0.5, 0.25, 1.0]), "Adam": np.array([0.1, 0.2])}
    assert ch08.outcomes(ax, rows, "loss", trivial=2.0) is ax
    trivial, first, first_median, second, second_median = ax.lines
    assert trivial.get_xdata()[0] == 2.0
    assert ax.get_xlabel().startswith("loss")
    np.testing.assert_array_equal(first.get_xdata(), rows["SGD"])
    np.testing.assert_array_equal(second.get_ydata(), [1, 1])
    assert first_median.get_xdata()[0] == 0.5
    assert second_median.get_xdata()[0] == pytest.approx(0.15)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(rows)


def test_pair_map_shows_the_share_of_each_pair_and_frames_the_chunks(ax):
    norms = np.tril(np.full((4, 4), 10.0))
    norms[3, 0] = 1.0
    assert ch08.pair_map(ax, norms, 2) is ax
    (image,) = ax.images
    shown = np.ma.filled(image.get_array(), np.nan)
    assert (shown[0, 0], shown[3, 0]) == (0, -1)
    assert np.isnan(shown[0, 3])
    boxes = [patch.get_bbox().bounds for patch in ax.patches]
    assert boxes == [(0.5, 0.5, 2, 2), (2.5, 2.5, 2, 2)]


def test_dashboard_has_a_column_a_group_and_a_row_a_measure():
    axes = plt.subplots(2, 2)[1]
    seen = np.ones((3, 5, 2))  # (runs, N, measures)
    groups = {"well": seen, "sick": 10 * seen}
    ch08.dashboard(axes, np.arange(5), ["loss (log)", "norm"], groups)
    assert [ax.get_title() for ax in axes[0]] == list(groups)
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["loss", "norm"]
    assert [ax.get_yscale() for ax in axes[:, 1]] == ["log", "linear"]
    np.testing.assert_array_equal(axes[1, 1].lines[0].get_ydata(), [10] * 5)


def test_rates_by_gain_draw_the_range_and_the_predictions(ax, written):
    measured = np.array([[0.1, 0.2, 0.4], [0.5, 0.6, 0.9]])  # (gains, seeds)
    predicted = {"bound": 2 * measured, "mean": measured / 2}
    assert ch02.rates_by_gain(ax, [1, 2], measured, predicted) is ax
    *lines, dots = ax.lines
    np.testing.assert_allclose([line.get_ydata() for line in lines], [[0.1, 0.3], [0.4, 1.2]])
    assert written(ax) == set(predicted)
    np.testing.assert_allclose(dots.get_ydata(), [0.2, 0.6])
    spans = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(spans, [[0.1, 0.4], [0.5, 0.9]])


def test_rate_strips_shade_the_span_and_label_what_is_asked(ax, written):
    rows = {"fresh": {"a": np.array([0.2, 0.3])}, "trained": {"b": np.array([0.8, 0.9, 1.0])}}
    assert ch02.rate_strips(ax, rows, (0.25, 0.35), ["trained"]) is ax
    assert [line.get_xdata().tolist() for line in ax.lines] == [
        [0.2, 0.3], [0.25], [0.8, 0.9, 1.0], [0.9],
    ]  # fmt: skip
    assert written(ax) == {"b"}
    (span,) = ax.patches
    assert (span.get_x(), span.get_width()) == pytest.approx((0.25, 0.1))


def test_heat_maps_draw_gates_from_0_to_1_and_states_around_0():
    axes = plt.subplots(2, 1)[1]
    rows = {"f": np.full((3, 2), 0.5), "c": np.array([[1.0, 0.0], [-4.0, 0.0], [2.0, 0.0]])}
    assert ch12.heat_maps(axes, rows, important=np.array([0, 1, 0])) is axes
    (gate,), (state,) = (ax.images for ax in axes)
    np.testing.assert_array_equal(state.get_array(), rows["c"].T)
    assert (gate.get_clim(), state.get_clim()) == ((0, 1), (-4, 4))
    assert [ax.get_ylabel() for ax in axes] == ["$f_t$", "$c_t$"]
    assert axes[0].lines[0].get_xdata().tolist() == [2]


def test_gates_share_a_bar_and_a_state_has_its_own():
    figure, axes = plt.subplots(4, 1, layout="constrained")
    ch12.heat_maps(axes, dict.fromkeys("ifoc", np.ones((3, 2))))
    assert len(figure.axes) == 4 + 2


def test_path_diagram_draws_each_arrow_with_its_derivative(ax):
    arrows = {("c1", "h1"): 0.531, ("h1", "i2"): -0.25, ("h1", "L"): 0.5}
    assert ch05.path_diagram(ax, arrows) is ax
    drawn = [text.get_text() for text in ax.texts]
    assert {"0.53", "−0.25", "0.50", "$c_1$", "$L$"} <= set(drawn)
    assert len([t for t in ax.texts if getattr(t, "arrow_patch", None)]) == len(arrows)


def test_path_diagram_refuses_a_quantity_without_a_place(ax):
    with pytest.raises(KeyError):
        ch05.path_diagram(ax, {("c1", "q9"): 1.0})


def test_an_unrolled_net_has_a_box_a_step_with_its_numbers(ax, written):
    assert ch01.unrolled_diagram(ax, [(1.0, 0.76), (-0.5, -0.125)]) is ax
    assert len(ax.patches) == 2
    assert {"$x_1$ = 1.00", "$h_2$ = \N{MINUS SIGN}0.12"} <= written(ax)
    letters = ch01.unrolled_diagram(plt.subplots()[1])
    assert len(letters.patches) == 3
    assert "$h_3$" in written(letters)


def test_text_is_broken_after_spaces_and_ends_of_lines():
    rows, columns = ch19.places("In the\nbeginning God created", 9)
    assert rows.tolist() == [0] * 7 + [1] * 9 + [2] * 5 + [3] * 7
    assert columns.tolist() == [*range(7), *range(9), *range(5), *range(7)]


def test_coloured_text_puts_each_letter_on_its_own_value(ax):
    text, values = "God saw $1 [it]", np.linspace(-2, 1, 15)
    assert ch19.coloured_text(ax, text, values, width=8) is ax
    (image,) = ax.images
    grid = np.ma.filled(image.get_array(), np.nan)
    assert image.get_clim() == (-2, 2)
    assert np.isfinite(grid).sum() == len(text)
    written = {letter.get_position(): letter.get_text() for letter in ax.texts}
    rows, columns = ch19.places(text, 8)
    for character, value, row, column in zip(text, values, rows, columns, strict=True):
        assert grid[row, column] == value
        assert written.get((column, row), " ") == character
    # Black letters are readable on every colour there is.
    rgbs = ch19.COLOURS(np.linspace(0, 1, 255))[:, :3]
    assert min((luminance(rgb) + 0.05) / 0.05 for rgb in rgbs) > 4.5


def test_a_fan_starts_at_the_last_value_that_was_read(ax):
    time, value = np.arange(6.0), np.array([1.0, 2, 3, 4, 5, 6])
    ahead = np.array([[[2.0, 1], [3, 3], [4, 5]]])
    assert ch20.fans(ax, time, value, [1], ahead) is ax
    line, series, origin = ax.lines
    assert line.get_xydata().tolist() == [[1, 2], [2, 3], [3, 3]]
    assert series.get_xydata().tolist() == np.column_stack([time, value]).tolist()
    assert origin.get_xydata().tolist() == [[1, 2]]
    band = ax.collections[0].get_paths()[0].vertices
    assert {(2.0, 2.0), (2.0, 4.0), (3.0, 1.0), (3.0, 5.0)} <= {tuple(v) for v in band.tolist()}


def test_what_is_learned_from_ends_where_the_forecast_begins(ax):
    assert ch20.rolling_origins(ax, 1700, [1950, 1960], 11) is ax
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    assert bars == [(1700, 1950), (1950, 1961), (1700, 1960), (1960, 1971)]


def test_errors_ahead_are_a_line_each_and_a_band_over_runs(ax, written):
    runs = np.array([[1.0, 2], [3, 4], [2, 9]])
    assert ch20.errors_ahead(ax, np.array([5, 10]), {"net": runs, "line": runs[0]}, {}, {}) is ax
    assert [line.get_ydata().tolist() for line in ax.lines] == [[2, 4], [1, 2]]
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 1 and band[:, 1].max() == 9
    assert {"net", "line"} <= written(ax)


def test_beliefs_put_the_truth_in_black_and_its_strongest_rival_in_colour(written):
    axes = plt.subplots(1, 2, sharey=True)[1]
    x, p = np.eye(4), np.full((4, 3), 0.1)
    p[:, 1], p[:, 2] = (0.1, 0.4, 0.9, 0.8), (0.8, 0.5, 0.05, 0.1)
    assert ch21.beliefs(axes, x, p, 1) is axes
    np.testing.assert_array_equal(axes[0].images[0].get_array(), x)
    *others, rival, truth = axes[1].lines
    assert len(others) == 1
    np.testing.assert_array_equal(truth.get_xdata(), p[:, 1])
    np.testing.assert_array_equal(rival.get_xdata(), p[:, 2])
    np.testing.assert_array_equal(truth.get_ydata(), [1, 2, 3, 4])
    assert truth.get_color() == "#000000" != rival.get_color()
    assert axes[1].yaxis_inverted() and axes[0].yaxis_inverted()  # time goes down in both
    assert written(axes[1]) == {"1", "2"}


def test_confusions_write_what_is_there_and_the_sum_of_each_row(ax):
    counts = np.array([[7, 2, 0], [0, 9, 0], [1, 0, 3]])
    assert ch21.confusions(ax, counts) is ax
    inside = {t.get_position(): t.get_text() for t in ax.texts if t.get_gid()}
    assert inside == {(0, 0): "7", (1, 0): "2", (1, 1): "9", (0, 2): "1", (2, 2): "3"}
    assert [t.get_text() for t in ax.texts if not t.get_gid()] == ["9", "9", "4", "sum"]
    shown = ax.images[0].get_array()
    assert np.ma.getmaskarray(shown)[0, 0] or np.isnan(shown[0, 0])
    assert shown[0, 1] == pytest.approx(2 / 9) and shown[2, 0] == 1 / 4
    assert ax.images[0].get_clim()[1] == 0.5  # so that letters stay readable
    worst = plt.get_cmap("Oranges")(0.5)[:3]
    assert (luminance(worst) + 0.05) / 0.05 > 4.5


def test_scores_draw_every_run_and_what_was_published(ax):
    rows = {"LSTM": np.array([0.5, 0.7, 0.9]), "logistic regression": np.array([0.3])}
    assert ch21.scores(ax, rows, {"logistic regression": 0.32, "human": 0.96}) is ax
    runs, bar, one, _, published = ax.lines
    np.testing.assert_allclose(runs.get_xdata(), [50, 70, 90])
    np.testing.assert_allclose(bar.get_xdata(), [70])
    np.testing.assert_allclose(one.get_xdata(), [30])
    np.testing.assert_allclose(published.get_data(), ([32], [1]))
    assert [label.get_text() for label in ax.get_yticklabels()] == list(rows)
    assert ax.yaxis_inverted()


def test_a_ladder_has_a_row_for_each_rung_and_a_line_for_each_series(ax):
    series = {
        "small": ([np.nan, 1.0, 4.0], "#0072B2", True),
        "live": ([0.1, 1, 2], "#D55E00", False),
    }
    assert ch22.ladder(ax, ["numbers", "arrays", "compiled"], series) is ax
    assert [text.get_text() for text in ax.get_yticklabels()] == ["numbers", "arrays", "compiled"]
    one, *drawn = ax.lines
    assert one.get_xdata() == [1, 1]
    np.testing.assert_array_equal(drawn[0].get_xdata(), series["small"][0])
    assert [line.get_markerfacecolor() for line in drawn] == ["#0072B2", "none"]


def test_a_roofline_bends_where_memory_and_arithmetic_take_as_long(ax):
    points = {"a step": (np.array([1.0, 2.0]), np.array([3.0, 6.0]), "#0072B2")}
    assert ch22.roofline(ax, 20.0, 100.0, points) is ax
    roof, line = ax.lines
    assert roof.get_xdata()[1] == 5
    assert roof.get_ydata().tolist() == [5, 100, 100]
    assert line.get_ydata().tolist() == [3, 6]


def test_a_factor_is_grey_unless_it_is_shown_and_goes_on_in_an_arrow(ax):
    factors = {
        "no gate": {"adding": (np.inf, 3.0, np.inf, True), "order": (1.5, 0.5, 2.5, False)},
        "GRU": {"adding": (0.5, 0.0, 0.8, True)},
    }
    assert ch16.times_the_lstms(ax, factors) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["no gate", "GRU"]
    low, high = ch16.EDGES
    lines = [line for line in ax.lines[1:] if len(line.get_xdata())]  # without the legend's
    drawn = [(*line.get_xdata(), line.get_marker(), line.get_color()) for line in lines]
    ink = next(iter(figures.SERIES.values()))
    assert drawn == [
        (3, high, "None", ink), (high, ">", ink),
        (0.5, 2.5, "None", "#999999"), (1.5, "s", "#999999"),
        (low, 0.8, "None", ink), (low, "<", ink), (0.5, "o", ink),
    ]  # fmt: skip


def test_a_task_beside_its_paper_is_a_row_and_what_took_too_long_stands_at_the_edge(ax):
    tasks = {
        "3a, two-sequence": {"old": (0.6, 0.2, 0.8, 10), "new": (np.inf, 2.0, np.inf, 4)},
        "4, adding": {"new": (1.5, 1.0, np.inf, 8)},
    }
    assert ch17.against_the_paper(ax, tasks, 2) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["two-sequence", "adding"]
    assert [text.get_text() for text in ax.texts] == ["4"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["old", "new"]
    ends = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
    assert [1.0, ch17.EDGE] in [list(pair) for pair in ends]


def test_what_moving_costs_has_a_ring_at_one_place_and_a_dot_anywhere(ax):
    rows = {"3 neighbours": (0.9, 0.5), "LSTM": (0.8, 0.7), "convolution": (None, 0.75)}
    assert ch21.what_moving_costs(ax, rows) is ax
    rings = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata()[0] for line in rings] == [90, 80]
    assert list(ax.lines[-1].get_ydata()) == [
        0.5,
        0.5,
    ]  # between what moves with a digit and what doesn't
