"""Activations and their derivatives, against 50-digit arithmetic."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from lstm_lesson.engine.activations import ACTIVATIONS, sigmoid, sigmoid_derivative

SCALES = np.concatenate([[0.0], np.logspace(-12, 4, 65)])
POINTS = np.concatenate([-SCALES[::-1], SCALES])


def exact_sigmoid(z: float) -> Decimal:
    with localcontext() as context:
        context.prec = 50
        return 1 / (1 + (-Decimal(z)).exp())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_exact_to_rounding(dtype):
    z = POINTS.astype(dtype)
    s = sigmoid(z)
    assert s.dtype == dtype
    assert np.all(np.isfinite(s))
    for value, ours in zip(z, s, strict=True):
        exact = exact_sigmoid(float(value))
        if exact < Decimal(float(np.finfo(dtype).tiny)):
            assert 0 <= ours <= np.finfo(dtype).tiny  # underflow: no digits are left to compare
        else:
            # Three roundings (exp, sum, quotient), the first within two units in the last place.
            assert abs(Decimal(float(ours)) / exact - 1) < 3 * Decimal(float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_derivative_is_exact_to_the_rounding_of_its_input(dtype):
    z = POINTS.astype(dtype)
    slope = sigmoid_derivative(sigmoid(z))
    assert slope.dtype == dtype
    assert np.all(np.isfinite(slope))
    exact = [float(s * (1 - s)) for s in (exact_sigmoid(float(value)) for value in z)]
    # 1 - s can't be better than s itself, which is rounded to one part in 1/eps.
    np.testing.assert_allclose(slope, exact, rtol=0, atol=2 * np.finfo(dtype).eps)


def test_sigmoid_is_symmetric():
    np.testing.assert_allclose(sigmoid(POINTS) + sigmoid(-POINTS), 1.0, rtol=0, atol=2.3e-16)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_derivatives_are_those_of_the_functions(name):
    function, derivative = ACTIVATIONS[name]
    z = np.linspace(-6.01, 6.1, 49)  # none within a step of a kink
    step = 1e-5
    slope = (function(z + step) - function(z - step)) / (2 * step)
    np.testing.assert_allclose(derivative(function(z)), slope, rtol=0, atol=1e-9)
    assert derivative(function(z.astype(np.float32))).dtype == np.float32
