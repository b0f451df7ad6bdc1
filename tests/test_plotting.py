"""Figures show what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lstm_lesson import plotting


@pytest.fixture(autouse=True)
def fresh_figures():
    with plt.style.context("default"), plt.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


@pytest.fixture
def axes():
    return plt.subplots(2, 1, sharex=True, sharey=True)[1]


def written(ax) -> set[str]:
    return {text.get_text() for text in ax.texts}


def test_to_png_closes_the_figure(ax):
    assert plotting.to_png(ax.figure).startswith(b"\x89PNG")
    assert not plt.get_fignums()


def test_strips_draw_one_series_each_from_the_first_step():
    axes = plt.subplots(2, 1)[1]
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


@pytest.mark.parametrize("above", [True, False])
def test_norm_against_lag_draws_the_median_on_a_logarithmic_axis(ax, above):
    norms = np.array([[1.0, 0.1], [1.0, 0.2], [1.0, 0.6]])
    assert plotting.norm_against_lag(ax, norms, "total", "#E69F00", at=1, above=above) is ax
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), [0, 1])
    np.testing.assert_allclose(line.get_ydata(), [1.0, 0.2])
    assert ax.get_yscale() == "log"
    assert len(ax.collections) == 1  # the band
    (label,) = ax.texts
    assert label.get_text() == "total" and label.xy == (1, 0.2)


def test_differences_by_size_draws_medians_and_ranges_in_epsilons(axes):
    differences = np.array([[1e-8, 3e-8, 2e-8], [0.0, 5e-8, 4e-8]])
    panels = {
        "output": {"float32": differences, "float64": differences * 2.0**-29},
        "gradients": {"float32": 2 * differences, "float64": 2 * differences * 2.0**-29},
    }
    returned = plotting.differences_by_size(axes, ["small", "large"], panels)
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
    returned = plotting.error_growth(axes, {"forgets": lines, "keeps": lines})
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
        plotting.error_growth(axes, {"forgets": np.ones((3, 10, 5))})


def test_beside_reference_draws_the_median_of_a_running_mean_over_the_reference(axes):
    steps = np.arange(1.0, 21.0)
    losses = np.stack([steps, 2 * steps, 3 * steps])
    panels = {"one": losses, "two": 10 * losses}
    assert plotting.beside_reference(axes, losses, panels, 0.5) is axes
    for ax, scale in zip(axes, (1, 10), strict=True):
        reference, line, level = ax.lines
        np.testing.assert_array_equal(line.get_xdata(), np.arange(7, 13))
        # Fifteen steps on a straight line have their middle's value as mean.
        np.testing.assert_allclose(reference.get_ydata(), 2 * steps[7:13])
        np.testing.assert_allclose(line.get_ydata(), 2 * scale * steps[7:13])
        assert list(level.get_ydata()) == [0.5, 0.5]
        assert ax.get_yscale() == "log"
    assert [ax.get_title(loc="left") or ax.get_title() for ax in axes] == list(panels)


def test_scores_by_name_draws_a_row_an_arm(ax):
    scores = {"right": np.array([1.0, 2.0, 4.0]), "late c": np.array([3.0, 5.0, 9.0])}
    assert plotting.scores_by_name(ax, scores, 10.0) is ax
    right, wrong, median, level = ax.lines
    np.testing.assert_array_equal(right.get_xdata(), scores["right"])
    np.testing.assert_array_equal(wrong.get_ydata(), [1, 1, 1])
    assert median.get_xdata()[0] == 2.0 and level.get_xdata()[0] == 10.0
    assert [label.get_text() for label in ax.get_yticklabels()] == list(scores)
    assert ax.yaxis_inverted() and ax.get_xscale() == "log"


def test_caught_or_not_fills_what_is_caught(ax):
    caught = np.array([[True, False], [True, True]])
    assert plotting.caught_or_not(ax, caught, ["a", "b"], ["full", "quick"]) is ax
    filled, rings = ax.lines
    assert sorted(zip(*filled.get_data(), strict=True)) == [(0, 0), (0, 1), (1, 1)]
    assert list(zip(*rings.get_data(), strict=True)) == [(1, 0)]
    assert rings.get_markerfacecolor() == "white"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["full", "quick"]
