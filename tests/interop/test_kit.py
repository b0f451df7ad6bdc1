"""The kit's cases and numbers, against a second implementation and a third, and its files."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import forward as reference_forward

from lstm_lesson.interop.kit import check, command, files, oracle, plain
from lstm_lesson.interop.kit.cases import CASES
from lstm_lesson.interop.kit.files import KitError

GIVEN = {id: oracle.draw(case) for id, case in CASES.items()}
EXPECTED = {id: oracle.solve(case, GIVEN[id]) for id, case in CASES.items()}
MADE = files.make()
EVERY = pytest.mark.parametrize("id", CASES)


def errors(found, id):
    return [check.relative_error(found[name], EXPECTED[id][name]) for name in found]


# ---- The cases ----


def test_the_axes_are_there():
    def some(**wanted):
        return [c for c in CASES.values() if all(getattr(c, k) == v for k, v in wanted.items())]

    assert len(CASES) >= 80
    kinds = [{"cell": "LSTM"}, {"cell": "RNN"}, {"cell": "GRU"}]
    kinds += [{"cell": "GRU", "reset_after": False}]
    for kind in kinds:
        for direction in ("forward", "reverse", "bidirectional"):
            assert some(**kind, direction=direction)
            assert [c for c in some(**kind, direction=direction) if c.garbage]
        for wanted in ({"batch_first": True}, {"initial": False}, {"layers": 2}):
            assert some(**kind, **wanted)
        for wanted in [{"biases": n} for n in (0, 1, 2)] + [{letter: 1} for letter in "TBDH"]:
            assert some(**kind, **wanted)
        assert {c.scale for c in some(**kind)} == {2.0**-7, 1.0, 30.0}
        assert max(c.T for c in some(**kind)) >= 60
    assert {c.layers for c in CASES.values()} == {1, 2, 3}
    for option in ("P", "peephole", "coupled", "clip", "cell_clip", "activations"):
        assert len([c for c in CASES.values() if getattr(c, option)]) >= 3
    assert {c.cell for c in CASES.values() if c.large} == {"LSTM", "GRU"}


@EVERY
def test_no_two_axes_are_equal_and_no_sentence_is_missing(id):
    case = CASES[id]
    sizes = [n for n in (case.T, case.B, case.D, case.H, case.P, len(case.suffixes)) if n > 1]
    assert len(set(sizes)) == len(sizes)
    assert case.exercises and case.bug.startswith("fails if ")


@EVERY
def test_inputs_are_float32_numbers_and_nothing_is_zero_or_infinite(id):
    for name, array in GIVEN[id].items():
        np.testing.assert_array_equal(array, array.astype(np.float32), err_msg=name)
        assert np.any(array), name
    assert all(np.isfinite(array).all() for array in EXPECTED[id].values())


# ---- The numbers ----


@EVERY
def test_torch_autograd_gives_the_same(id):
    case, given = CASES[id], GIVEN[id]
    layer = oracle.layer_of(case)
    leaves = {k: torch.tensor(a, requires_grad=True) for k, a in given.items()}
    params = {}
    for suffix in case.suffixes:
        params |= {k: v for k, v in leaves.items() if k.endswith(suffix)}
        if case.biases == 2:
            H, b_x, b_h = case.H, leaves["bias_ih" + suffix], leaves["bias_hh" + suffix]
            params["bias" + suffix] = b_x + b_h
            if case.cell == "GRU" and case.reset_after:
                params["bias" + suffix] = torch.cat([(b_x + b_h)[: 2 * H], b_x[2 * H :]])
                params["bias_hn" + suffix] = b_h[2 * H :]
    x, d_output = (
        a.transpose(0, 1) if case.batch_first else a for a in (leaves["x"], leaves["d_output"])
    )
    S = len(case.suffixes)
    sizes = {"h": case.P or case.H, "c": case.H}
    state = [
        leaves.get(f"{k}_0", torch.zeros(S, case.B, sizes[k], dtype=torch.float64))
        for k in case.states
    ]
    lengths = case.lengths or [case.T] * case.B
    output, last = reference_forward(layer, params, x, state, lengths)
    arriving = [d_output, *(leaves[f"d_{k}_n"] for k in case.states)]
    torch.autograd.backward([output, *last], [a.detach() for a in arriving])
    found = {"output": output.transpose(0, 1) if case.batch_first else output}
    found |= {f"{k}_n": a for k, a in zip(case.states, last, strict=True)}
    found = {k: a.detach().numpy() for k, a in found.items()}
    for name in given:
        if not name.startswith("d_"):
            found[f"grad_{name}"] = leaves[name].grad.numpy()
    assert sorted(found) == sorted(oracle.required(case, given))
    assert max(errors(found, id)) <= 1e-10


@EVERY
def test_the_plain_reference_gives_the_same_gates_too(id):
    case = CASES[id]
    found = plain.solve(case, GIVEN[id])
    shown = {k: a for k, a in found.items() if k in EXPECTED[id]}
    assert set(oracle.required(case, GIVEN[id])) <= set(shown)
    assert {k for k in EXPECTED[id] if not k.startswith("grad_z_")} == set(shown)
    assert max(errors(shown, id)) <= 1e-12


def test_gradients_of_pre_activations_are_those_of_biases_and_more():
    for id, case in CASES.items():
        if case.cell == "GRU" or case.biases == 0:
            continue
        name = "bias_ih" if case.biases == 2 else "bias"
        for suffix in case.suffixes:
            blocks = [
                EXPECTED[id].get(f"grad_z_{k}{suffix}", np.zeros((1, 1, case.H))).sum(axis=(0, 1))
                for k in oracle.GATES[case.cell]
            ]
            expected = EXPECTED[id][f"grad_{name}{suffix}"]
            assert check.relative_error(np.concatenate(blocks), expected) <= 1e-12


@EVERY
def test_a_right_port_passes_with_a_factor_to_spare(id):
    case = CASES[id]
    found = oracle.solve(case, GIVEN[id], np.float32)
    assert max(errors(found, id)) <= check.TOLERANCES["float32"] / 3
    needed = oracle.required(case, GIVEN[id])
    judged = check.compare(id, found, EXPECTED[id], needed, "float32")
    assert judged.verdict == "PASS"
    assert check.compare(id, found, EXPECTED[id], needed, "float64").verdict == "FAIL"


def torch_has(case):
    options = (case.peephole, case.coupled, case.clip, case.cell_clip, case.biases == 1)
    kinds = {"state": ("tanh", "relu")}
    known = all(v in kinds.get(k, ()) for k, v in case.activations.items())
    steps = min(case.lengths or [1]) > 0  # PyTorch packs no sequence without any
    options = (*options, case.removed, not steps)
    return not any(options) and known and case.reset_after and case.direction != "reverse"


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("id", [id for id, case in CASES.items() if torch_has(case)])
def test_torch_in_float32_passes(id):
    case = CASES[id]
    torch_kinds = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "RNN": torch.nn.RNN}
    more = {"proj_size": case.P} if case.cell == "LSTM" else {}
    if case.cell == "RNN":
        more["nonlinearity"] = case.activation("state")
    module = torch_kinds[case.cell](
        case.D, case.H, case.layers, bias=case.biases == 2, batch_first=case.batch_first,
        bidirectional=case.direction == "bidirectional", **more,
    )  # fmt: skip
    given = {k: torch.tensor(a, dtype=torch.float32) for k, a in GIVEN[id].items()}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(given[name])
    x = given["x"].requires_grad_()
    state = [given[f"{k}_0"].requires_grad_() for k in case.states] if case.initial else None
    packed = state if state is None else tuple(state) if len(state) == 2 else state[0]
    run, order = x, {"batch_first": case.batch_first}
    if case.lengths:
        lengths = torch.tensor(case.lengths)
        run = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False, **order)
    output, last = module(run, packed)
    if case.lengths:
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, total_length=case.T, **order)
    last = last if isinstance(last, tuple) else (last,)
    arriving = [given["d_output"], *(given[f"d_{k}_n"] for k in case.states)]
    torch.autograd.backward([output, *last], arriving)
    found = {"output": output} | {f"{k}_n": a for k, a in zip(case.states, last, strict=True)}
    found |= {"grad_x": x.grad} | {f"grad_{n}": p.grad for n, p in module.named_parameters()}
    for k, a in zip(case.states, state or (), strict=False):
        found[f"grad_{k}_0"] = a.grad
    found = {k: a.detach().double().numpy() for k, a in found.items()}
    assert max(errors(found, id)) <= check.TOLERANCES["float32"] / 2


@pytest.mark.parametrize("id", [id for id, case in CASES.items() if case.scale >= 1])
def test_weights_rounded_to_float16_fail(id):  # the tiny ones are exact in float16, too
    rounded = {
        k: a.astype(np.float16).astype(float) if k.startswith("weight") else a
        for k, a in GIVEN[id].items()
    }
    found = oracle.solve(CASES[id], rounded)
    needed = oracle.required(CASES[id], GIVEN[id])
    assert check.compare(id, found, EXPECTED[id], needed, "float32").verdict == "FAIL"


# ---- The files ----


def test_the_readme_counts_the_cases():
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"the conformance kit, {len(CASES)} cases" in text


def test_the_committed_kit_is_what_is_made_and_small():
    assert command.differing(MADE, files.committed()) == []
    assert len(files.KIT.read_bytes()) < 5_000_000


def test_files_hold_the_numbers_exactly_and_a_zip_is_the_same_each_time():
    for id, case in CASES.items():
        about, given, expected = files.arrays_of(MADE, id)
        assert (about["id"], about["cell"], about["bug"]) == (id, case.cell, case.bug)
        assert ("arrays" in about) == case.large
        for held, right in ((given, GIVEN[id]), (expected, EXPECTED[id])):
            assert held.keys() == right.keys()
            for name in right:
                np.testing.assert_array_equal(held[name], right[name])
    few = {name: MADE[name] for name in list(MADE)[:5]}
    assert files.zipped(few) == files.zipped(few)
    with zipfile.ZipFile(io.BytesIO(files.zipped(few))) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == few


def test_other_numbers_are_told_from_rounding(monkeypatch):
    again = dict(MADE)
    one = again["cases/lstm-plain.json"].decode()
    _, _, expected = files.arrays_of(MADE, "lstm-plain")
    number = float(expected["output"].ravel()[0])
    again["cases/lstm-plain.json"] = one.replace(repr(number), repr(number * 1.00001)).encode()
    assert command.differing(again, MADE) == ["lstm-plain: other numbers"]
    again["cases/lstm-plain.json"] = one.replace(repr(number), repr(number * (1 + 1e-15))).encode()
    assert command.differing(again, MADE) == []
    again["README.md"] += b"more\n"
    assert command.differing(again, MADE) == ["README.md: other text"]


def test_a_changed_kit_is_refused(tmp_path, monkeypatch):
    files.write(tmp_path / "kit", MADE)
    cases = {name: data for name, data in MADE.items() if name not in files.BESIDE}
    assert files.in_folder(tmp_path / "kit") == cases
    with pytest.raises(KitError, match="empty folder"):
        files.write(tmp_path / "kit", MADE)
    path = tmp_path / "kit" / "cases" / "rnn-relu.json"
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(KitError, match=r"rnn-relu.json: changed since"):
        files.in_folder(tmp_path / "kit")
    path.unlink()
    without = files.ids(files.in_folder(tmp_path / "kit"))
    assert without == [id for id in CASES if id != "rnn-relu"]
    (tmp_path / "kit" / "cases" / "lstm-large.safetensors").unlink()
    with pytest.raises(KitError, match=r"lstm-large.safetensors: No such file"):
        files.in_folder(tmp_path / "kit")
    for each in (tmp_path / "kit" / "cases").glob("*.json"):
        each.unlink()
    with pytest.raises(KitError, match="no cases in it"):
        files.in_folder(tmp_path / "kit")
    (tmp_path / "kit" / "manifest.json").write_text("[]")
    with pytest.raises(KitError, match="not the manifest"):
        files.in_folder(tmp_path / "kit")
    broken = tmp_path / "kit.zip"
    broken.write_bytes(files.KIT.read_bytes() + b"x")
    monkeypatch.setattr(files, "KIT", broken)
    with pytest.raises(KitError, match="SHA-256"):
        files.committed()
