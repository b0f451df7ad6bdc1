"""Weights from a reader's own file: found behind any prefix, and refused where they don't fit."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lstm_lesson import GRU, LSTM
from lstm_lesson.interop import case_weights, cases


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.file"


def saved(path, arrays, how):
    {"safetensors": save_file, "torch": torch.save}[how](arrays, path)
    return path


@pytest.mark.parametrize("how", ["safetensors", "torch"])
@pytest.mark.parametrize("prefix", ["", "lstm.", "model.encoder.0."])
@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.LSTMCell])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_weights_are_found_with_every_digit(path, how, prefix, kind, dtype):
    module = kind(3, 5).to(dtype)
    other = {"embedding.weight": torch.ones(7, 3), "steps": torch.tensor(3)}
    state = {prefix + name: a for name, a in module.state_dict().items()}
    found = case_weights.read(saved(path, other | state, how))
    assert list(found) == list(case_weights.WEIGHTS)
    for name, a in found.items():
        theirs = next(b for n, b in module.state_dict().items() if n.startswith(name))
        assert a.dtype == np.float64
        np.testing.assert_array_equal(a, theirs.double().numpy())
    case = cases.generate(batch_size=2, seq_length=4, gradients="sum", weights=found)
    assert (case["input_size"], case["hidden_size"]) == (3, 5)
    np.testing.assert_array_equal(case["weight_ih"], found["weight_ih"])
    cases.write(path.with_name("case.json"), case)
    assert cases.check(path.with_name("case.json"), 1e-12).verdict == "PASS"


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_of_this_package_and_fewer_biases(path, bias):
    layer = LSTM(3, 5, bias=bias, batch_first=True)
    layer.save(path)
    found = case_weights.read(path)
    np.testing.assert_array_equal(found["weight_hh"], layer.parameters()["weight_hh_l0"])
    np.testing.assert_array_equal(found["bias_ih"], layer.parameters().get("bias_l0", np.zeros(20)))
    assert not found["bias_hh"].any()
    weights = {f"lstm.{k}": torch.tensor(a) for k, a in layer.parameters().items()}
    bare = case_weights.read(saved(path, weights, "safetensors"))
    for name, a in found.items():
        np.testing.assert_array_equal(bare[name], a)


def test_one_of_several_is_named_by_its_prefix(path):
    states = {f"{k}.lstm.{n}": torch.full_like(a, k) for k in (1, 2)
              for n, a in torch.nn.LSTM(3, 5).state_dict().items()}  # fmt: skip
    saved(path, states, "safetensors")
    with pytest.raises(ValueError, match=r"several cells, name one with --prefix: 1\.lstm\., 2"):
        case_weights.read(path)
    for prefix in ("2.lstm", "2.lstm."):
        assert (case_weights.read(path, prefix)["bias_hh"] == 2).all()
    with pytest.raises(ValueError, match=r"no weight_ih_l0 and weight_hh_l0 behind '3\.lstm'"):
        case_weights.read(path, "3.lstm")


def options(**given):
    return torch.nn.LSTM(3, 5, **given).state_dict()


W = {"weight_ih_l0": torch.ones(20, 3), "weight_hh_l0": torch.ones(20, 5)}


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({}, "no weight_ih_l0 and weight_hh_l0; in it are nothing"),
        ({"fc.weight": torch.ones(2, 2)}, "no weight_ih_l0 .* in it are fc.weight"),
        (options(num_layers=2), "of one plain layer and direction; got weight_ih_l1"),
        (options(bidirectional=True), "plain layer and direction; got weight_ih_l0_reverse"),
        (options(proj_size=2), "plain layer and direction; got weight_hr_l0"),
        (W | {"peephole_l0": torch.ones(15)}, "plain layer and direction; got peephole_l0"),
        (torch.nn.GRU(3, 5).state_dict(), r"\(15, 3\) and \(15, 5\), which looks like a GRU"),
        (torch.nn.RNN(3, 5).state_dict(), r"\(5, 3\) and \(5, 5\), which looks like an RNN"),
        ({k: a.T.contiguous() for k, a in W.items()}, r"expected weight_ih \(4H, D\)"),
        (W | {"bias_ih_l0": torch.ones(5)}, r"bias_ih: expected \(20,\), got \(5,\)"),
        (W | {"bias_hh_l0": torch.full((20,), torch.nan)}, "bias_hh: has numbers that are not fin"),
    ],
)
def test_what_does_not_fit_is_named(path, arrays, reason):
    with pytest.raises(ValueError, match=f"model.file: .*{reason}"):
        case_weights.read(saved(path, arrays, "torch"))


def test_options_that_a_case_lacks_are_named(path):
    LSTM(3, 5, peephole=True).save(path)
    with pytest.raises(ValueError, match=r"model\.file: peephole: a test case has no peephole"):
        case_weights.read(path)
    GRU(3, 5).save(path)
    with pytest.raises(ValueError, match="expected a saved LSTM, got 'GRU'"):
        case_weights.read(path)


def test_files_that_are_none_are_named(path, tmp_path):
    for content in (b"", b"PK\x03\x04", b"\x80\x04.", b"{}" * 99):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.file: neither a safetensors file nor"):
            case_weights.read(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="expected a state_dict, got list"):
        case_weights.read(path)
    with pytest.raises(IsADirectoryError):
        case_weights.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        case_weights.read(tmp_path / "none")
