"""Attention against PyTorch's own and against central differences, and that it can't see ahead."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lesson.engine.attention import (
    SelfAttention,
    attend,
    from_heads,
    sine_positions,
    to_heads,
    transformer,
)
from lstm_lesson.inspect.gradcheck import numerical_gradient, relative_error

TOLERANCE = 1e-10  # of the largest entry: sums of a few hundred roundings

sizes = st.fixed_dictionaries(
    {"T": st.integers(1, 7), "B": st.integers(1, 3), "D": st.integers(1, 5),
     "heads": st.integers(1, 3), "d": st.integers(1, 4),
     "positions": st.sampled_from(["none", "sine"]), "seed": st.integers(0, 2**32)}
)  # fmt: skip


def build(T, B, D, heads, d, positions, seed):
    layer = SelfAttention(
        D, heads * d, heads=heads, positions=positions, dtype=np.float64, rng=seed
    )
    rng = np.random.default_rng(seed)
    for p in layer.parameters().values():
        p[...] = rng.normal(size=p.shape)
    x, d_output = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, heads * d))
    return layer, x, d_output, rng.normal(size=(1, B, heads * d))


def in_torch(layer, x, params):
    """The same layer by PyTorch's modules, which know heads, masks and scales themselves."""
    T, B, D = x.shape
    H = layer.hidden_size
    if layer.positions == "sine":
        t = torch.arange(T, dtype=torch.float64)[:, None]
        waves = [(t / 10000 ** (2 * k / D)).sin() for k in range((D + 1) // 2)]
        waves += [(t / 10000 ** (2 * k / D)).cos() for k in range((D + 1) // 2)]
        x = x + torch.cat(waves, dim=1)[:, None, :D]
    qkv = torch.nn.functional.linear(x, params["weight_qkv"], params["bias_qkv"])
    q, k, v = (
        part.view(T, B, layer.heads, H // layer.heads).permute(1, 2, 0, 3)
        for part in qkv.split(H, dim=-1)
    )
    taken = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    taken = taken.permute(2, 0, 1, 3).reshape(T, B, H)
    return torch.nn.functional.linear(taken, params["weight_out"], params["bias_out"])


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(sizes)
def test_output_and_gradients_are_those_of_torch(drawn):
    layer, x, d_output, d_state = build(**drawn)
    output, state, cache = layer.forward(x)
    grads = layer.backward(d_output, cache, d_state)
    params = {n: torch.tensor(p, requires_grad=True) for n, p in layer.parameters().items()}
    tensor = torch.tensor(x, requires_grad=True)
    expected = in_torch(layer, tensor, params)
    torch.autograd.backward(
        [expected, expected[-1:]], [torch.tensor(d_output), torch.tensor(d_state)]
    )
    np.testing.assert_allclose(output, expected.detach().numpy(), atol=1e-12, rtol=1e-10)
    np.testing.assert_array_equal(state, output[-1:])
    assert relative_error(grads.x, tensor.grad.numpy()) <= TOLERANCE
    for name, p in params.items():
        # A key's bias adds the same to all scores of a query: its gradient is rounding.
        theirs = p.grad.numpy()
        assert np.abs(grads.params[name] - theirs).max() <= TOLERANCE * max(
            np.abs(theirs).max(), 1
        ), name


@pytest.mark.parametrize("positions", ["none", "sine"])
def test_gradients_are_those_of_central_differences(positions):
    layer, x, d_output, d_state = build(4, 2, 3, 2, 2, positions, 0)

    def loss():
        output, state, _ = layer.forward(x, keep=False)
        return float((output * d_output).sum() + (state * d_state).sum())

    grads = layer.backward(d_output, layer.forward(x)[2], d_state)
    for name, array in {"x": x, **layer.parameters()}.items():
        ours = grads.x if name == "x" else grads.params[name]
        assert relative_error(ours, numerical_gradient(loss, array)) < 1e-7, name


@settings(max_examples=25, deadline=None)
@given(sizes, st.data())
def test_no_step_sees_what_is_still_to_come(drawn, data):
    layer, x, *_ = build(**drawn)
    t = data.draw(st.integers(0, len(x) - 1))
    before, _, _ = layer.forward(x)
    changed = x.copy()
    changed[t] += 1
    after, _, _ = layer.forward(changed)
    np.testing.assert_array_equal(after[:t], before[:t])
    assert not np.array_equal(after[t], before[t])


@settings(max_examples=25, deadline=None)
@given(sizes, st.integers(0))
def test_without_positions_the_last_step_does_not_know_the_order_of_those_before(drawn, seed):
    layer, x, *_ = build(**drawn | {"positions": "none"})
    order = [*np.random.default_rng(seed).permutation(len(x) - 1), len(x) - 1]
    _, last, _ = layer.forward(x)
    _, shuffled, _ = layer.forward(x[order])
    np.testing.assert_allclose(shuffled, last, rtol=1e-9, atol=1e-12)


def test_a_query_that_fits_one_key_takes_its_value():
    k, v = 100 * np.eye(3), np.arange(6.0).reshape(3, 2)
    taken, (weights, *_) = attend(np.eye(3)[[2, 0]], k, v)
    np.testing.assert_allclose(taken, v[[2, 0]], atol=1e-12)
    np.testing.assert_allclose(weights.sum(axis=-1), 1)


def test_heads_come_back_as_they_were():
    a = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(from_heads(to_heads(a, 2)), a)
    np.testing.assert_array_equal(to_heads(a, 2)[1, 0], a[1, :, :2])


def test_positions_are_all_different_and_within_bounds():
    places = sine_positions(500, 8)
    assert places.shape == (500, 8)
    assert np.abs(places).max() <= 1
    assert len(np.unique(places.round(9), axis=0)) == 500


@settings(max_examples=25, deadline=None)
@given(sizes, st.data())
def test_padding_changes_nothing(drawn, data):
    layer, x, d_output, d_state = build(**drawn)
    T, B, _ = x.shape
    lengths = data.draw(st.lists(st.integers(1, T), min_size=B, max_size=B))
    output, state, cache = layer.forward(x, lengths=lengths)
    grads = layer.backward(d_output, cache, d_state)
    for n, length in enumerate(lengths):
        alone, last, own = layer.forward(np.ascontiguousarray(x[:length, n : n + 1]))
        np.testing.assert_allclose(output[:length, n], alone[:, 0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(state[:, n], last[:, 0], rtol=1e-9, atol=1e-12)
        again = layer.backward(
            np.ascontiguousarray(d_output[:length, n : n + 1]), own, d_state[:, n : n + 1]
        )
        np.testing.assert_allclose(grads.x[:length, n], again.x[:, 0], rtol=1e-8, atol=1e-11)
        assert not output[length:, n].any()
        assert not grads.x[length:, n].any()


def test_a_transformer_is_attention_in_blocks_and_sees_nothing_ahead():
    model = transformer(3, 8, blocks=2, heads=2, positions="sine", dtype=np.float64, rng=0)
    assert [type(layer) for layer in model.layers] == [SelfAttention, SelfAttention]
    assert not np.array_equal(*(layer.parameters()["weight_qkv"] for layer in model.layers))
    x = np.random.default_rng(0).normal(size=(6, 2, 3))
    before, *_ = model.forward(x)
    x[4] += 1
    after, *_ = model.forward(x)
    np.testing.assert_array_equal(after[:4], before[:4])
    assert not np.array_equal(after[4:], before[4:])


def test_a_file_gives_the_layer_back(tmp_path):
    layer, x, *_ = build(3, 2, 4, 2, 3, "sine", 1)
    layer.save(tmp_path / "a.safetensors")
    again = SelfAttention.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(again.forward(x)[0], layer.forward(x)[0])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"heads: expected a divisor of hidden_size, 4, got 3"):
        SelfAttention(2, 4, heads=3)
    with pytest.raises(ValueError, match=r"positions: expected one of \['none', 'sine'\]"):
        SelfAttention(2, 4, positions="yes")
    layer, x, d_output, _ = build(3, 2, 4, 2, 3, "none", 1)
    with pytest.raises(ValueError, match=r"x: expected shape \(T, B, 4\)"):
        layer.forward(x[..., :2])
    with pytest.raises(TypeError, match=r"x: expected dtype float64, got float32"):
        layer.forward(x.astype(np.float32))
    with pytest.raises(ValueError, match="at least one step"):
        layer.forward(x[:0])
    _, _, cache = layer.forward(x)
    with pytest.raises(TypeError, match="cache: expected what forward with keep returned"):
        layer.backward(d_output, None)
    with pytest.raises(ValueError, match="got another's"):
        build(3, 2, 4, 2, 3, "none", 1)[0].backward(d_output, cache)
    with pytest.raises(ValueError, match=r"d_output: expected shape \(3, 2, 6\)"):
        layer.backward(d_output[:2], cache)
