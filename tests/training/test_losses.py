"""Losses and their gradients: against torch, central differences, and extreme numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from lstm_lesson.inspect.gradcheck import DIFFERENCES_TOLERANCE, numerical_gradient, relative_error
from lstm_lesson.training.losses import mean_squared_error, softmax_cross_entropy

TOLERANCE = 1e-12  # a few roundings of 1.1e-16, and sums of at most a few hundred terms

shapes = st.lists(st.integers(1, 5), max_size=3).map(tuple)


def draw_mask(rng, shape, masked):
    """Return a mask over some of the leading axes, with something True, or None."""
    if not masked:
        return None
    mask = np.asarray(rng.random(shape[: rng.integers(len(shape) + 1)]) < 0.5)
    mask.flat[rng.integers(mask.size)] = True
    return mask


def of_entries(mask, shape):
    mask = np.ones(shape, bool) if mask is None else mask
    whole = np.broadcast_to(mask.reshape(mask.shape + (1,) * (len(shape) - mask.ndim)), shape)
    return torch.tensor(whole)


@given(shapes, st.booleans(), st.integers(0))
def test_mean_squared_error_equals_torch(shape, masked, seed):
    rng = np.random.default_rng(seed)
    y, target = np.asarray(rng.normal(size=shape)), np.asarray(rng.normal(size=shape))
    mask = draw_mask(rng, shape, masked)
    counts = of_entries(mask, shape)
    theirs = torch.tensor(y, requires_grad=True)
    expected = F.mse_loss(theirs[counts], torch.tensor(target)[counts])
    expected.backward()
    value, gradient = mean_squared_error(y, target, mask)
    assert value == pytest.approx(expected.item(), rel=TOLERANCE)
    assert relative_error(gradient, theirs.grad.numpy()) <= TOLERANCE


@given(shapes, st.integers(1, 6), st.booleans(), st.integers(0))
def test_softmax_cross_entropy_equals_torch(shape, V, masked, seed):
    rng = np.random.default_rng(seed)
    logits, target = rng.normal(size=(*shape, V)), np.asarray(rng.integers(V, size=shape))
    mask = draw_mask(rng, shape, masked)
    counts = of_entries(mask, shape)
    theirs = torch.tensor(logits, requires_grad=True)
    expected = F.cross_entropy(theirs[counts], torch.tensor(target)[counts])
    expected.backward()
    value, gradient = softmax_cross_entropy(logits, target, mask)
    assert value == pytest.approx(expected.item(), rel=TOLERANCE, abs=TOLERANCE)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_agree_with_central_differences(masked):
    rng = np.random.default_rng(0)
    y, classes = rng.normal(size=(4, 3, 5)), rng.integers(5, size=(4, 3))
    mask = np.arange(4)[:, None] < [4, 1, 2] if masked else None
    for loss, target in [
        (mean_squared_error, rng.normal(size=y.shape)),
        (softmax_cross_entropy, classes),
    ]:
        _, gradient = loss(y, target, mask)
        differences = numerical_gradient(lambda f=loss, t=target: f(y, t, mask)[0], y)
        assert relative_error(gradient, differences) <= DIFFERENCES_TOLERANCE


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_give_exact_losses(dtype):
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4]], dtype)
    value, gradient = softmax_cross_entropy(logits, np.array([1, 1]))
    # The first costs the distance to the largest; the second log 2, of two equal chances.
    assert value == pytest.approx((20_000 + np.log(2)) / 2, rel=float(np.finfo(dtype).eps))
    np.testing.assert_array_equal(gradient, np.array([[1, -1, 0], [0, -0.5, 0.5]]) / 2)
    value, gradient = softmax_cross_entropy(logits[:1], np.array([0]))
    assert value == 0
    assert not np.any(gradient)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_keep_the_dtype(dtype, masked):
    y, mask = np.ones((2, 3), dtype), np.array([True, False]) if masked else None
    for value, gradient in (
        mean_squared_error(y, 2 * y, mask),
        softmax_cross_entropy(y, np.array([0, 2]), mask),
    ):
        assert type(value) is float
        assert gradient.dtype == dtype


def test_what_is_masked_may_hold_anything():
    y = np.array([[1.0, 3.0], [np.nan, np.inf]])
    mask = np.array([True, False])
    value, gradient = mean_squared_error(y, np.zeros((2, 2)), mask)
    assert value == 5
    np.testing.assert_array_equal(gradient, [[1, 3], [0, 0]])
    value, gradient = softmax_cross_entropy(y, np.array([1, -100]), mask)
    assert value == pytest.approx(np.log1p(np.exp(-2)), rel=TOLERANCE)
    assert not np.any(gradient[1])


def test_arguments_stay_as_they_are():
    y, target = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    mean_squared_error(y, target)
    softmax_cross_entropy(y, np.array([1]))
    np.testing.assert_array_equal(y, [[1, 2]])
    np.testing.assert_array_equal(target, [[3, 4]])


Y = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("loss", "arguments", "error", "message"),
    [
        (mean_squared_error, ([1.0], [1.0]), TypeError, "y: expected a NumPy array"),
        (mean_squared_error, (Y, np.zeros((3, 2))), ValueError, r"target: .* \(2, 3\), got \(3, 2"),
        (mean_squared_error, (Y, Y.astype(np.float32)), TypeError, "target: .* float64, got float"),
        (mean_squared_error, (Y, Y, [True, True]), TypeError, "mask: .* of bools, got list"),
        (mean_squared_error, (Y, Y, np.ones(2)), TypeError, "mask: .* of bools, got float64"),
        (mean_squared_error, (Y, Y, np.ones(3, bool)), ValueError, r"leading axes of \(2, 3\), go"),
        (mean_squared_error, (Y, Y, np.zeros(2, bool)), ValueError, "something to count"),
        (mean_squared_error, (Y[:0], Y[:0]), ValueError, "something to count"),
        (softmax_cross_entropy, (Y, [0.0, 1.0]), TypeError, "target: expected whole numbers"),
        (softmax_cross_entropy, (Y, [0]), ValueError, r"target: expected shape \(2,\), got \(1,\)"),
        (softmax_cross_entropy, (Y, [0, 3]), ValueError, "target: expected 0 to 2, got 0 to 3"),
        (softmax_cross_entropy, (Y, [-1, 2]), ValueError, "target: expected 0 to 2, got -1 to 2"),
        (softmax_cross_entropy, (Y, [0, 1], np.zeros(2, bool)), ValueError, "something to count"),
        (softmax_cross_entropy, (Y[:, :0], [0, 0]), ValueError, "expected 0 to -1"),
        (softmax_cross_entropy, (Y.astype(int), [0, 1]), TypeError, "logits: .* got int64"),
        (softmax_cross_entropy, (np.float64(1), 0), TypeError, "logits: expected a NumPy array"),
        (softmax_cross_entropy, (np.array(1.0), 0), ValueError, "logits: expected shape"),
    ],
)
def test_what_does_not_fit_is_named(loss, arguments, error, message):
    with pytest.raises(error, match=message):
        loss(*arguments)
