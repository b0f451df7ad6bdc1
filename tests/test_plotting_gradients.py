"""The figures of the chapter on gradients show the data they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lstm_lesson import plotting


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_path_diagram_draws_each_arrow_with_its_derivative(ax):
    arrows = {("c1", "h1"): 0.531, ("h1", "i2"): -0.25, ("h1", "L"): 0.5}
    assert plotting.path_diagram(ax, arrows) is ax
    drawn = [text.get_text() for text in ax.texts]
    assert {"0.53", "−0.25", "0.50", "$c_1$", "$L$"} <= set(drawn)
    assert len([t for t in ax.texts if getattr(t, "arrow_patch", None)]) == len(arrows)


def test_path_diagram_refuses_a_quantity_without_a_place(ax):
    with pytest.raises(KeyError):
        plotting.path_diagram(ax, {("c1", "q9"): 1.0})


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
