"""LSTMs with normalised gates, against PyTorch's norms, autograd and central differences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_lesson import gradcheck
from lstm_lesson.experiments.normalised import BatchNormLSTM, LayerNormLSTM

KINDS = (LayerNormLSTM, BatchNormLSTM)


def build(kind, D, H, seed, layers=1):
    """Return a layer all of whose parameters are random, and a generator."""
    layer, rng = kind(D, H, layers, dtype=np.float64), np.random.default_rng(seed)
    for p in layer.parameters().values():
        p[...] = rng.normal(size=p.shape)
    return layer, rng


def by_torch(kind, params, x):
    """Return the hidden states of one layer, by PyTorch's own normalisation."""

    def norm(a, gain):
        if kind is LayerNormLSTM:
            return gain * torch.nn.functional.layer_norm(a, a.shape[1:])
        return gain * torch.nn.functional.batch_norm(a, None, None, training=True)

    p = {name.removesuffix("_l0"): value for name, value in params.items()}
    h = c = torch.zeros(x.shape[1], len(p["gain_c"]), dtype=x.dtype)
    states = []
    for x_t in x:
        z = norm(x_t @ p["weight_ih"].T, p["gain_x"]) + norm(h @ p["weight_hh"].T, p["gain_h"])
        i, f, g, o = (z + p["offset_z"]).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(norm(c, p["gain_c"]) + p["offset_c"])
        states.append(h)
    return torch.stack(states)


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(1, 6), st.integers(2, 5), st.integers(1, 3), st.integers(2, 4), st.integers(0))
def test_it_equals_pytorch_and_its_autograd(kind, T, B, D, H, seed):
    layer, rng = build(kind, D, H, seed)
    x = rng.normal(size=(T, B, D))
    output, _, cache = layer.forward(x)
    params = {
        name: torch.tensor(p, requires_grad=True) for name, p in layer.parameters().items()
    } | {"x": torch.tensor(x, requires_grad=True)}
    expected = by_torch(kind, params, params["x"])
    np.testing.assert_allclose(output, expected.detach(), rtol=1e-8, atol=1e-10)
    weights = rng.normal(size=output.shape)
    (expected * torch.from_numpy(weights)).sum().backward()
    found = layer.backward(weights, cache)
    for name, grad in {**found.params, "x": found.x}.items():
        theirs = params[name].grad.numpy()
        scale = max(1, np.abs(theirs).max())
        np.testing.assert_allclose(grad, theirs, rtol=1e-7, atol=1e-7 * scale, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_central_differences_agree(kind, layers):
    layer, rng = build(kind, 2, 3, 0, layers)
    table = gradcheck.check(layer, rng.normal(size=(4, 5, 2)), autograd=False)
    assert table.passed
    assert len(table.rows) == 3 + 7 * layers


def test_it_starts_with_its_forget_gates_open_and_the_gains_of_its_paper():
    for kind, gain in ((LayerNormLSTM, 1.0), (BatchNormLSTM, 0.1)):
        p = kind(2, 3).parameters()
        assert p["offset_z_l0"].tolist() == [0] * 3 + [1] * 3 + [0] * 6
        assert {v for name in ("x", "h", "c") for v in p[f"gain_{name}_l0"]} == {np.float32(gain)}


def test_layer_norm_sees_no_scale_and_batch_norm_sees_the_others():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 8, 3))
    layer = LayerNormLSTM(3, 5, dtype=np.float64)
    large = 1e4 * x  # beside which what is added to the variance is nothing
    assert np.abs(layer.forward(large)[0] - layer.forward(3 * large)[0]).max() < 1e-9
    alone = layer.forward(x[:, :2])[0]
    np.testing.assert_allclose(layer.forward(x)[0][:, :2], alone, rtol=1e-12)
    layer = BatchNormLSTM(3, 5, dtype=np.float64)
    assert np.abs(layer.forward(x)[0][:, :2] - layer.forward(x[:, :2])[0]).max() > 0.01


def test_batch_norm_refuses_padding():
    with pytest.raises(ValueError, match="lengths: expected None"):
        BatchNormLSTM(2, 3).forward(np.zeros((4, 2, 2), np.float32), lengths=[4, 2])
