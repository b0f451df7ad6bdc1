"""Each initial value has the property it is for."""

from functools import partial

import numpy as np
import pytest

from lstm_lesson import LSTM, RNN, LSTMState
from lstm_lesson.engine.initializers import (
    INITIALIZERS,
    chrono,
    constant,
    identity,
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


def test_a_relu_rnn_that_starts_at_the_identity_adds_up_what_it_sees():
    np.testing.assert_array_equal(identity((2, 3)), [[1, 0, 0], [0, 1, 0]])
    layer = RNN(2, 5, nonlinearity="relu", recurrent_init="identity", dtype=np.float64)
    layer.parameters()["weight_ih_l0"][...] = np.abs(layer.parameters()["weight_ih_l0"])
    x = np.random.default_rng(0).random((7, 3, 2))
    output, *_ = layer.forward(x)
    np.testing.assert_allclose(output[-1], x.sum(axis=0) @ layer.parameters()["weight_ih_l0"].T)


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
    if name not in ("constant", "identity"):
        assert np.any(draw((4, 3), rng=5) != draw((4, 3), rng=6))
    with pytest.raises(TypeError, match="Generator or a non-negative integer"):
        xavier_uniform((4, 3), rng="5")


def test_constant_and_an_initialiser_of_ones_own():
    layer = LSTM(3, 4, weight_init="constant", recurrent_init=partial(uniform, low=0.2, high=0.3))
    assert not np.any(layer.parameters()["weight_ih_l0"])
    recurrent = layer.parameters()["weight_hh_l0"]
    assert 0.2 <= recurrent.min() < recurrent.max() <= 0.3
    np.testing.assert_array_equal(constant((2, 3), value=0.5), np.full((2, 3), 0.5))


def test_chrono_spreads_time_constants_up_to_the_longest_lag():
    H, longest = 2000, 500
    bias = chrono(H, longest, rng=1)
    b_i, b_f, b_g, b_o = np.split(bias, 4)
    np.testing.assert_array_equal(b_i, -b_f)
    assert not np.any(b_g) and not np.any(b_o)
    # With no input a cell keeps f of itself at each step: over 1 / (1 - f) steps it falls to 1 / e.
    layer = LSTM(1, H, dtype=np.float64, weight_init="constant", recurrent_init="constant")
    layer.parameters()["bias_l0"][:] = bias
    start = LSTMState(np.zeros((1, 1, H)), np.ones((1, 1, H)))
    _, after, _ = layer.forward(np.zeros((1, 1, 1)), start)
    memory = 1 / (1 - after.c.ravel())
    assert 2 <= memory.min() < 2 + 0.02 * longest
    assert 0.98 * longest < memory.max() <= longest
    # Uniform over the range: its mean is known to longest / sqrt(12 H), about 3 steps.
    assert memory.mean() == pytest.approx((2 + longest) / 2, abs=4 * longest / np.sqrt(12 * H))
    with pytest.raises(ValueError, match="expected more than 2 steps, got 2"):
        chrono(4, 2)
