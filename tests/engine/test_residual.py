"""Residual blocks against the same blocks in torch, around layers of every kind."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from modern_reference import TOLERANCE, shake

from lstm_lesson import GRU, LSTM, RNN, Linear, gradcheck, interop
from lstm_lesson.engine import files
from lstm_lesson.engine.minimal import MinGRU
from lstm_lesson.engine.residual import Residual, layer_norm, layer_norm_back
from lstm_lesson.engine.state_space import StateSpace


@given(*[st.integers(1, n) for n in (4, 5)], st.integers(2, 6), st.integers(0))
def test_the_norm_equals_that_of_torch(T, B, H, seed):
    rng = np.random.default_rng(seed)
    x, d_y = rng.normal(size=(2, T, B, H))
    gain, offset = rng.normal(size=(2, H))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, gain, offset)]
    expected = torch.nn.functional.layer_norm(tensors[0], (H,), *tensors[1:], eps=1e-5)
    expected.backward(torch.tensor(d_y))
    y, cache = layer_norm(x, gain, offset)
    ours = [y, *layer_norm_back(d_y, cache)]
    theirs = [expected.detach(), *(t.grad for t in tensors)]
    for a, b in zip(ours, theirs, strict=True):
        # Rows whose numbers are nearly equal are divided by little, which costs some digits.
        np.testing.assert_allclose(a, b.numpy(), atol=1e-10 * max(1, np.abs(b.numpy()).max()))


class Blocks(torch.nn.Module):
    """The same network around layers of torch.nn, of modules that we didn't write."""

    def __init__(self, ours):
        super().__init__()
        self.ours = ours
        self.p = {n: torch.tensor(a, requires_grad=True) for n, a in ours.parameters().items()}
        self.cells = [interop.to_torch(layer) for layer in ours.layers]

    def norm(self, u, gain, offset):
        shape = (self.ours.hidden_size,)
        return torch.nn.functional.layer_norm(u, shape, self.p[gain], self.p[offset])

    def forward(self, x):
        u = torch.nn.functional.linear(x, self.p["weight_in"], self.p["bias_in"])
        for n, cell in enumerate(self.cells):
            u = u + cell(self.norm(u, f"gain_{n}", f"offset_{n}"))[0]
            if self.ours.expand:
                v = self.norm(u, f"mlp_gain_{n}", f"mlp_offset_{n}")
                v = torch.nn.functional.linear(v, self.p[f"weight_1_{n}"], self.p[f"bias_1_{n}"])
                weights = self.p[f"weight_2_{n}"], self.p[f"bias_2_{n}"]
                u = u + torch.nn.functional.linear(torch.relu(v), *weights)
        return self.norm(u, "gain", "offset")


kinds = st.lists(st.sampled_from([LSTM, GRU, RNN]), min_size=1, max_size=3)


@pytest.mark.slow
@given(
    kinds, st.integers(0, 2), *[st.integers(1, n) for n in (6, 3, 3)], st.integers(2, 4),
    st.booleans(), st.integers(0),
)  # fmt: skip
def test_blocks_equal_the_same_blocks_in_torch(kinds, expand, T, B, D, H, batch_first, seed):
    inside = [kind(H, H, dtype=np.float64, rng=n) for n, kind in enumerate(kinds)]
    layer = Residual(D, inside, expand=expand, batch_first=batch_first, rng=seed)
    rng = np.random.default_rng(seed)
    shake(layer, rng)
    x = rng.normal(size=(B, T, D) if batch_first else (T, B, D))
    d_output = rng.normal(size=(*x.shape[:2], H))
    output, _, cache = layer.forward(x)
    grads = layer.backward(d_output, cache)
    twin, tensor = Blocks(layer), torch.tensor(x, requires_grad=True)
    swap = (lambda a: a.transpose(0, 1)) if batch_first else (lambda a: a)
    expected = swap(twin(swap(tensor)))
    expected.backward(torch.tensor(d_output))
    theirs = {"output": expected.detach(), "x": tensor.grad}
    theirs |= {n: p.grad for n, p in twin.p.items() if p.grad is not None}
    for n, cell in enumerate(twin.cells):
        # Our one bias is either of PyTorch's two; that of a GRU's candidate is left to other tests.
        named = {k.replace("bias_ih", "bias"): p.grad for k, p in cell.named_parameters()}
        theirs |= {f"layers.{n}.{k}": g for k, g in named.items() if not k.startswith("bias_hh")}
    ours = {"output": output, "x": grads.x, **grads.params}
    missing = {name for name in ours if name not in theirs}
    assert all(name.endswith("bias_hn_l0") for name in missing)
    for name, g in theirs.items():
        # The norm may divide by little: compared with the largest gradient of all.
        scale = max(np.abs(g.numpy()).max(), 1e-3)
        assert np.abs(ours[name] - g.numpy()).max() <= 1e3 * TOLERANCE * scale, name


@pytest.mark.slow
@pytest.mark.parametrize("expand", [0, 2])
def test_gradients_by_central_differences_around_layers_of_every_kind(expand):
    rng = np.random.default_rng(3)
    inside = [LSTM(4, 4, 2, dtype=np.float64), MinGRU(4, 4, dtype=np.float64)]
    inside += [StateSpace(4, 4, dtype=np.float64), GRU(4, 4, dtype=np.float64)]
    layer = Residual(3, inside, expand=expand)
    shake(layer, rng)
    table = gradcheck.check(layer, rng.normal(size=(3, 2, 3)), [3, 2], autograd=False)
    assert table.passed, table
    assert layer.num_layers == 5


def test_a_step_of_the_optimiser_reaches_the_layers_inside():
    lstm = LSTM(4, 4)
    layer = Residual(3, [lstm])
    layer.parameters()["layers.0.bias_l0"][:] = 7
    assert (lstm.parameters()["bias_l0"] == 7).all()


def test_a_file_with_a_layer_that_is_not_imported_says_so(tmp_path):
    class Local(MinGRU):
        """Known by this test alone."""

    Residual(3, [Local(4, 4)]).save(tmp_path / "blocks.safetensors")
    Local.__name__ = "Elsewhere"
    with pytest.raises(ValueError, match="'Local' is no layer that has been imported"):
        Residual.load(tmp_path / "blocks.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "Layer"}, "'Layer' is no layer that has been imported"),
        ({"layer": "SequenceLayer"}, "'SequenceLayer' is no layer"),
        ({"layer": ["LSTM"]}, r"\['LSTM'\] is no layer"),
        ({"layer": "Linear"}, "'Linear' is no layer"),
        ({"num_layers": 10**9}, "arrays are too few"),
        ({"input_size": 5}, "as many features out as in"),
        ({"colour": 1}, "expected options of .* got .'colour'"),
    ],
)
def test_a_file_with_something_else_for_a_layer_is_refused(change, message, tmp_path):
    layer, path = Residual(3, [LSTM(4, 4)]), tmp_path / "blocks.safetensors"
    options = {"layer": "Residual", **layer._options()}
    options["layers"] = [options["layers"][0] | change]
    files.save(path, layer.parameters(), options)
    with pytest.raises(ValueError, match=message):
        Residual.load(path)


def test_what_it_refuses():
    twice = LSTM(4, 4)
    for layers, kind, message in [
        (twice, ValueError, "layers: expected a list of at least one layer"),
        ([], ValueError, "layers: expected a list of at least one layer"),
        ([3], TypeError, "layers: expected recurrent layers, got int"),
        ([Linear(4, 4)], TypeError, "layers: expected recurrent layers, got Linear"),
        ([LSTM(4, 5)], ValueError, "layers: expected as many features out as in"),
        ([LSTM(4, 4, batch_first=True)], ValueError, "one direction and time first"),
        ([LSTM(4, 2, bidirectional=True)], ValueError, "one direction and time first"),
        ([LSTM(4, 4), LSTM(5, 5)], ValueError, "layers: expected all of one size and dtype"),
        ([LSTM(4, 4), LSTM(4, 4, dtype=np.float64)], ValueError, "of one size and dtype"),
        ([twice, twice], ValueError, "layers: expected each layer once"),
    ]:
        with pytest.raises(kind, match=message):
            Residual(3, layers)
    with pytest.raises(ValueError, match="expand: expected at least 0, got -1"):
        Residual(3, [LSTM(4, 4)], expand=-1)
