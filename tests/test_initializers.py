"""Each initial value has the property it is for."""

import numpy as np
import pytest

from lstm_lesson.initializers import (
    INITIALIZERS,
    orthogonal,
    uniform,
    xavier_normal,
    xavier_uniform,
)


@pytest.mark.parametrize("draw", [xavier_uniform, xavier_normal])
def test_xavier_keeps_variance(draw):
    rng = np.random.default_rng(3)
    w = draw((300, 300), rng)
    x = rng.normal(size=(2000, 300))
    # 90,000 weights: the variance is known to about half a percent, the product's to one.
    assert w.var() == pytest.approx(2 / 600, rel=0.03)
    assert (x @ w.T).var() == pytest.approx(x.var(), rel=0.05)


def test_xavier_uniform_stays_within_its_bound():
    w = xavier_uniform((200, 100))
    assert np.abs(w).max() <= np.sqrt(6 / 300)
    assert np.abs(w).max() > 0.99 * np.sqrt(6 / 300)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (1, 4), (1, 1)])
def test_orthogonal_has_singular_values_of_one(shape):
    w = orthogonal(shape, rng=1)
    assert w.shape == shape
    np.testing.assert_allclose(np.linalg.svd(w, compute_uv=False), 1.0, rtol=0, atol=1e-14)


def test_orthogonal_has_no_preferred_sign():
    # Without the sign correction the first entry of Q is never positive.
    rng = np.random.default_rng(0)
    positive = sum(orthogonal((3, 3), rng)[0, 0] > 0 for _ in range(200))
    assert 70 < positive < 130


def test_uniform_spans_its_range():
    w = uniform((50, 50), low=-0.3, high=0.2)
    assert -0.3 <= w.min() < -0.29
    assert 0.19 < w.max() <= 0.2
    with pytest.raises(ValueError, match="low <= high"):
        uniform((2, 2), low=1.0, high=0.0)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_same_seed_same_numbers(name):
    draw = INITIALIZERS[name]
    np.testing.assert_array_equal(draw((4, 3), rng=5), draw((4, 3), np.random.default_rng(5)))
    assert draw((4, 3), rng=5, dtype=np.float32).dtype == np.float32
    assert np.any(draw((4, 3), rng=5) != draw((4, 3), rng=6))
    with pytest.raises(TypeError, match="Generator or a non-negative integer"):
        draw((4, 3), rng="5")
