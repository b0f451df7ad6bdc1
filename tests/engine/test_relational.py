"""The relational memory core against a second implementation in PyTorch and central differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lstm_lesson.engine.relational import RelationalMemory
from lstm_lesson.inspect.gradcheck import numerical_gradient, relative_error

TOLERANCE = 1e-9  # of the largest entry: rounding, and layer norms of nearly equal numbers

sizes = st.fixed_dictionaries(
    {"T": st.integers(1, 5), "B": st.integers(1, 3), "D": st.integers(1, 4),
     "slots": st.integers(1, 4), "heads": st.integers(1, 2), "d": st.integers(2, 3),
     "seed": st.integers(0, 2**32)}
)  # fmt: skip


def build(T, B, D, slots, heads, d, seed):
    H = slots * heads * d
    layer = RelationalMemory(D, H, slots=slots, heads=heads, dtype=np.float64, rng=seed)
    rng = np.random.default_rng(seed)
    for p in layer.parameters().values():
        p += rng.normal(size=p.shape) / 2
    x, d_output = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, H))
    state, d_state = rng.normal(size=(2, 1, B, H))
    return layer, x, state, d_output, d_state


def in_torch(layer, x, memory, p):
    """The core, written after the paper's equations with PyTorch's own attention and norms."""
    slots, S, heads = layer.slots, layer.hidden_size // layer.slots, layer.heads

    def linear(a, name):
        return functional.linear(a, p[f"weight_{name}"], p[f"bias_{name}"])

    def norm(a, n):
        return functional.layer_norm(a, (S,), p[f"gain_{n}"], p[f"offset_{n}"], eps=1e-5)

    def split(a):
        return a.unflatten(-1, (heads, S // heads)).transpose(1, 2)

    start = torch.eye(slots, S, dtype=torch.float64)
    memory, outputs = memory[0].unflatten(-1, (slots, S)) + start, []
    for x_t in linear(x, "in"):
        rows = torch.cat([memory, x_t[:, None]], dim=1)
        k, v = linear(rows, "kv").chunk(2, dim=-1)
        heard = functional.scaled_dot_product_attention(
            split(linear(memory, "q")), split(k), split(v)
        )
        heard = linear(heard.transpose(1, 2).flatten(2), "out")
        candidate = norm(memory + heard, 1)
        candidate = norm(candidate + linear(linear(candidate, "up").relu(), "down"), 2)
        gates = linear(memory.tanh(), "gates") + functional.linear(x_t, p["weight_x"])[:, None]
        i, f = gates.sigmoid().chunk(2, dim=-1)
        memory = i * candidate.tanh() + f * memory
        outputs.append((memory - start).flatten(1))
    return torch.stack(outputs)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(sizes)
def test_output_and_gradients_are_those_of_torch(drawn):
    layer, x, state, d_output, d_state = build(**drawn)
    output, last, cache = layer.forward(x, state)
    grads = layer.backward(d_output, cache, d_state)
    params = {n: torch.tensor(p, requires_grad=True) for n, p in layer.parameters().items()}
    given_x, given_state = (torch.tensor(a, requires_grad=True) for a in (x, state))
    expected = in_torch(layer, given_x, given_state, params)
    torch.autograd.backward(
        [expected, expected[-1:]], [torch.tensor(d_output), torch.tensor(d_state)]
    )
    np.testing.assert_allclose(output, expected.detach().numpy(), atol=1e-12, rtol=1e-9)
    np.testing.assert_array_equal(last, output[-1:])
    pairs = {"x": (grads.x, given_x), "state": (grads.state, given_state)}
    pairs |= {name: (grads.params[name], p) for name, p in params.items()}
    for name, (ours, tensor) in pairs.items():
        theirs = tensor.grad.numpy()
        scale = max(np.abs(theirs).max(), 1)
        assert np.abs(ours - theirs).max() <= TOLERANCE * scale, name


@pytest.mark.parametrize("slots", [1, 3])
def test_gradients_are_those_of_central_differences(slots):
    layer, x, state, d_output, d_state = build(3, 2, 2, slots, 2, 2, 0)

    def loss():
        output, last, _ = layer.forward(x, state, keep=False)
        return float((output * d_output).sum() + (last * d_state).sum())

    grads = layer.backward(d_output, layer.forward(x, state)[2], d_state)
    ours = {"x": grads.x, "state": grads.state, **grads.params}
    for name, array in {"x": x, "state": state, **layer.parameters()}.items():
        assert relative_error(ours[name], numerical_gradient(loss, array)) < 1e-7, name


def test_two_halves_with_the_state_carried_are_the_whole():
    layer, x, state, *_ = build(5, 2, 3, 2, 2, 2, 1)
    whole, last, _ = layer.forward(x, state)
    first, between, _ = layer.forward(x[:2], state)
    second, end, _ = layer.forward(x[2:], between)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(end, second[-1:])
    np.testing.assert_allclose(end, last, rtol=1e-12, atol=1e-13)


def test_slots_differ_from_the_first_step_on():
    layer, x, *_ = build(1, 2, 3, 3, 1, 4, 2)
    output, *_ = layer.forward(x)
    first, second, third = output[0].reshape(2, 3, 4).swapaxes(0, 1)
    assert np.abs(first - second).min() > 0
    assert np.abs(second - third).min() > 0


def test_gates_shut_keep_the_memory_as_it_was():
    layer, x, state, *_ = build(4, 2, 3, 2, 1, 3, 3)
    for name in ("weight_gates", "weight_x"):
        layer.parameters()[name][...] = 0
    layer.parameters()["bias_gates"][...] = [-50] * 3 + [50] * 3  # nothing in, all kept
    output, *_ = layer.forward(x, state)
    np.testing.assert_allclose(output, np.tile(state, (4, 1, 1)), rtol=1e-12)


def test_the_number_of_parameters_does_not_depend_on_the_slots():
    counts = {RelationalMemory(5, slots * 8, slots=slots).num_parameters for slots in (1, 4, 8)}
    assert len(counts) == 1


def test_a_file_gives_the_layer_back(tmp_path):
    layer, x, *_ = build(3, 2, 3, 2, 2, 2, 4)
    layer.save(tmp_path / "a.safetensors")
    again = RelationalMemory.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(again.forward(x)[0], layer.forward(x)[0])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"hidden_size: expected a multiple of slots \* heads"):
        RelationalMemory(2, 9, slots=2, heads=2)
    layer, x, state, d_output, _ = build(3, 2, 4, 2, 1, 3, 5)
    with pytest.raises(ValueError, match=r"x: expected shape \(T, B, 4\)"):
        layer.forward(x[..., :2])
    with pytest.raises(ValueError, match=r"state: expected shape \(1, 2, 6\)"):
        layer.forward(x, state[..., :3])
    with pytest.raises(TypeError, match="cache: expected what forward with keep returned"):
        layer.backward(d_output, layer.forward(x, keep=False)[2])
