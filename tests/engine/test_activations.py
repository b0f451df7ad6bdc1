"""Activations and their derivatives, against 50-digit arithmetic."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from lstm_lesson.engine.activations import (
    ACTIVATIONS,
    activation,
    check_activation,
    sigmoid,
    sigmoid_derivative,
)

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


WITH_NUMBERS = [
    "affine(-0.7, 0.1)", "elu(0.4)", "elu(0)", "hard_sigmoid(0.3, 0.41)", "leaky_relu(0.1)",
    "leaky_relu(0)", "scaled_tanh(1.7, 0.67)", "scaled_tanh(0, 2)", "thresholded_relu(0.31)",
]  # fmt: skip


@pytest.mark.parametrize("name", [*sorted(ACTIVATIONS), *WITH_NUMBERS])
def test_derivatives_are_those_of_the_functions(name):
    function, derivative = activation(check_activation("option", name))
    z = np.linspace(-6.01, 6.1, 49)  # none within a step of a kink
    step = 1e-5
    slope = (function(z + step) - function(z - step)) / (2 * step)
    np.testing.assert_allclose(derivative(function(z)), slope, rtol=0, atol=1e-9)
    assert derivative(function(z.astype(np.float32))).dtype == np.float32


def test_functions_with_numbers_are_those_of_the_onnx_specification():
    z = np.array([-2.0, -0.25, 0.0, 0.25, 2.0])
    for name, expected in {
        "affine(0.5, 1)": [0.0, 0.875, 1.0, 1.125, 2.0],
        "elu(0.5)": [0.5 * np.expm1(-2), 0.5 * np.expm1(-0.25), 0.0, 0.25, 2.0],
        "hard_sigmoid(0.5, 0.25)": [0.0, 0.125, 0.25, 0.375, 1.0],
        "leaky_relu(0.5)": [-1.0, -0.125, 0.0, 0.25, 2.0],
        "scaled_tanh(2, 0.5)": 2 * np.tanh(z / 2),
        "thresholded_relu(0.25)": [0.0, 0.0, 0.0, 0.0, 2.0],
        "thresholded_relu(-1)": [0.0, -0.25, 0.0, 0.25, 2.0],
        "softplus": np.log(1 + np.exp(z)),
    }.items():
        function = activation(check_activation("option", name)).function
        np.testing.assert_allclose(function(z), expected, rtol=1e-15)


def test_a_name_has_one_form_and_what_is_none_is_refused():
    assert check_activation("option", "elu(1)") == check_activation("option", "elu( 1.0)")
    for wrong in (
        "elu",
        "elu()",
        "elu(1, 2)",
        "elu(nan)",
        "elu(1",
        "Elu(1)",
        "tanh(1)",
        "affine(1)",
    ):
        with pytest.raises(
            ValueError, match=r"option: expected one of .*'tanh', 'affine\(alpha, b"
        ):
            check_activation("option", wrong)
    with pytest.raises(ValueError, match="option: expected alpha of at least 0 for elu, got"):
        check_activation("option", "elu(-1)")
    with pytest.raises(TypeError, match="option: expected the name of an activation, got None"):
        check_activation("option", None)
