"""The figures of chapter 9: what is drawn is the data."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lstm_lesson import plotting


@pytest.fixture
def axes():
    figure, axes = plt.subplots(1, 2, sharey=True)
    yield axes
    plt.close(figure)


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
