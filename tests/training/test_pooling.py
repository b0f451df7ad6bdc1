"""Readings over time: by hand, against PyTorch, by central differences, and blind to padding."""

import numpy as np
import pytest
import torch

from lstm_lesson import GRU, LSTM, Linear
from lstm_lesson.inspect.gradcheck import DIFFERENCES_TOLERANCE, numerical_gradient, relative_error
from lstm_lesson.interop import to_torch
from lstm_lesson.training.losses import mean_squared_error, softmax_cross_entropy
from lstm_lesson.training.models import Batch
from lstm_lesson.training.pooling import (
    PooledModel,
    attention_backward,
    attention_weights,
    mean_backward,
    mean_weights,
    weighted_sum,
)

SHAPES = [(1, 1, 1), (1, 4, 3), (7, 1, 2), (5, 3, 4), (9, 6, 5)]  # T, B, H


def draw(T, B, H, ragged, seed=0):
    rng = np.random.default_rng([T, B, H, seed])
    lengths = rng.integers(1, T + 1, B) if ragged else None
    return rng.normal(size=(T, B, H)), rng.normal(size=H), rng.normal(size=(B, H)), lengths


def test_three_steps_by_hand():
    h = np.array([[[1.0]], [[2.0]], [[9.0]]])
    np.testing.assert_array_equal(mean_weights(h, np.array([2])).ravel(), [0.5, 0.5, 0])
    assert weighted_sum(h, mean_weights(h, np.array([2]))) == [[1.5]]
    # A query of ln 3 makes the second step three times as heavy as the first.
    a = attention_weights(h, np.array([np.log(3)]), np.array([2]))
    np.testing.assert_allclose(a.ravel(), [0.25, 0.75, 0], rtol=1e-15)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_weights_are_shares_of_the_true_steps(shape, ragged):
    h, query, _, lengths = draw(*shape, ragged)
    for a in (mean_weights(h, lengths), attention_weights(h, query, lengths)):
        np.testing.assert_allclose(a.sum(axis=0), 1, rtol=1e-14)
        assert np.all(a >= 0)
        if ragged:
            assert np.all((a > 0) == (np.arange(shape[0])[:, None] < lengths))
    zero = attention_weights(h, np.zeros_like(query), lengths)
    np.testing.assert_allclose(zero, mean_weights(h, lengths), rtol=1e-14)


def test_large_scores_do_not_overflow():
    h = np.array([[[1000.0]], [[-1000.0]]])
    np.testing.assert_array_equal(attention_weights(h, np.array([9.0])).ravel(), [1, 0])


def torch_weights(h, query, lengths):
    """Return the weights by PyTorch's own functions; without a query, those of the mean."""
    T, B, _ = h.shape
    steps = torch.arange(T)[:, None]
    inside = steps < (torch.full((B,), T) if lengths is None else torch.from_numpy(lengths))
    scores = torch.zeros(T, B, dtype=h.dtype) if query is None else h @ query
    return torch.softmax(scores.masked_fill(~inside, -torch.inf), dim=0)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_readings_equal_torch_and_differences(shape, ragged):
    h, query, d_r, lengths = draw(*shape, ragged)

    def value(attention):
        a = attention_weights(h, query, lengths) if attention else mean_weights(h, lengths)
        return float((weighted_sum(h, a) * d_r).sum())

    for attention in (False, True):
        a = attention_weights(h, query, lengths) if attention else mean_weights(h, lengths)
        grads = [*attention_backward(d_r, h, query, a)] if attention else [mean_backward(d_r, a)]
        theirs = [torch.tensor(part, requires_grad=True) for part in (h, query)]
        weights = torch_weights(theirs[0], theirs[1] if attention else None, lengths)
        r = (weights[..., None] * theirs[0]).sum(dim=0)
        np.testing.assert_allclose(weighted_sum(h, a), r.detach(), rtol=1e-12, atol=1e-14)
        (r * torch.from_numpy(d_r)).sum().backward()
        for mine, part, array in zip(grads, theirs, (h, query), strict=False):
            np.testing.assert_allclose(mine, part.grad, rtol=1e-10, atol=1e-12)
            differences = numerical_gradient(lambda kind=attention: value(kind), array)
            np.testing.assert_allclose(mine, differences, rtol=1e-6, atol=1e-8)


class Net(torch.nn.Module):
    """The same model as a reader would write it in PyTorch."""

    def __init__(self, model):
        super().__init__()
        self.layer, self.head = to_torch(model.layer), model.head.parameters()
        self.query = None if model.query is None else torch.tensor(model.query, requires_grad=True)

    def forward(self, x, lengths):
        h, _ = self.layer(x)
        h = h.swapaxes(0, 1) if self.layer.batch_first else h
        r = (torch_weights(h, self.query, lengths)[..., None] * h).sum(dim=0)
        return r @ torch.from_numpy(self.head["weight"]).T + torch.from_numpy(self.head["bias"])


def build(kind, attention, loss, **options):
    layer = kind(2, 3, dtype=np.float64, rng=0, **options)
    for p in layer.parameters().values():
        p *= 3  # so that states differ from step to step, and a query has a gradient to speak of
    size = 3 * (2 if layer.bidirectional else 1)
    query = np.random.default_rng(1).normal(size=size) if attention else None
    return PooledModel(layer, Linear(size, 4, dtype=np.float64, rng=2), loss, query)


def batch_of(model, loss, ragged, seed=3, T=6, N=5):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, T, 2) if model.layer.batch_first else (T, N, 2))
    target = rng.integers(4, size=N) if loss is softmax_cross_entropy else rng.normal(size=(N, 4))
    return Batch(x, target, rng.integers(1, T + 1, N) if ragged else None)


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (LSTM, {}),
        (LSTM, {"num_layers": 2, "batch_first": True}),
        (GRU, {"bidirectional": True}),
    ],
)
def test_gradients_of_a_model_agree_with_central_differences(kind, options, ragged, attention):
    for loss in (mean_squared_error, softmax_cross_entropy):
        model = build(kind, attention, loss, **options)
        batch = batch_of(model, loss, ragged)
        value, grads = model.loss_and_grads(batch)
        assert model.loss(batch) == value
        assert list(grads) == list(model.parameters())
        assert ("query" in grads) == attention
        for name, p in model.parameters().items():
            differences = numerical_gradient(lambda m=model, b=batch: m.loss(b), p)
            assert relative_error(grads[name], differences) <= DIFFERENCES_TOLERANCE, name


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_model_equals_torch(attention, batch_first):
    model = build(LSTM, attention, softmax_cross_entropy, batch_first=batch_first)
    batch, net = batch_of(model, softmax_cross_entropy, False), Net(model)
    y, _ = model.forward(batch.x)
    theirs = net(torch.from_numpy(batch.x), None)
    np.testing.assert_allclose(y, theirs.detach(), rtol=1e-12, atol=1e-14)
    torch.nn.functional.cross_entropy(theirs, torch.from_numpy(batch.target)).backward()
    _, grads = model.loss_and_grads(batch)
    expected = {"layer.weight_ih_l0": net.layer.weight_ih_l0.grad}
    expected |= {"layer.weight_hh_l0": net.layer.weight_hh_l0.grad}
    expected |= {"query": net.query.grad} if attention else {}
    for name, other in expected.items():
        assert relative_error(grads[name], other.numpy()) <= 1e-10, name


@pytest.mark.parametrize("attention", [False, True])
def test_padding_changes_nothing(attention):
    model = build(LSTM, attention, softmax_cross_entropy)
    batch = batch_of(model, softmax_cross_entropy, ragged=True)
    y, _ = model.forward(batch.x, batch.lengths)
    spoilt = np.where(np.arange(6)[:, None, None] < batch.lengths[:, None], batch.x, np.nan)
    np.testing.assert_array_equal(model.forward(spoilt, batch.lengths)[0], y)
    for n, length in enumerate(batch.lengths):  # each alone, without any padding
        alone, _ = model.forward(batch.x[:length, n : n + 1])
        np.testing.assert_allclose(alone[0], y[n], rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((2, 3)), np.zeros(3)), ValueError, r"h: expected shape \(T, B, H\), got \(2, 3"),
        ((np.zeros((2, 1, 3)), np.zeros(2)), ValueError, r"query: expected shape \(3,\), got"),
        ((np.zeros((2, 1, 3)), [0.0] * 3), TypeError, "query: expected a NumPy array"),
        (
            (np.zeros((2, 1, 3)), np.zeros(3, np.float32)),
            TypeError,
            "query: expected dtype float64",
        ),
        ((np.zeros((2, 1, 3)), np.zeros(3), [3]), ValueError, "lengths: expected 1 to 2, got 3"),
        ((np.zeros((2, 1, 3)), np.zeros(3), [0]), ValueError, "lengths: expected 1 to 2, got 0"),
        ((np.zeros((2, 1, 3)), np.zeros(3), [0.5]), TypeError, "lengths: expected whole numbers"),
    ],
)
def test_what_does_not_fit_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        attention_weights(*arguments)
