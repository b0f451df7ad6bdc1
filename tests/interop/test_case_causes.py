"""A JSON case that fails says where it starts, and names the mistake that its numbers come from."""

import json

import numpy as np
import pytest

from lstm_lesson.interop import case_causes, cases
from lstm_lesson.interop.kit import mistakes
from lstm_lesson.interop.kit.cases import Case

SIZES = {"input_size": 3, "hidden_size": 6, "batch_size": 4, "seq_length": 5}
CASE = Case(id="", exercises="", bug="", cell="LSTM", T=5, B=4, D=3, H=6)


def port(case: dict, mistake: str, dtype=np.float64) -> dict | None:
    """Return a case with the numbers of a port that makes a mistake; None if it changes nothing."""
    arrays = {name: np.array(case[name], float) for name in cases.ARGUMENTS}
    given = {kits: arrays[name] for name, kits in case_causes._NAMES.items()}
    given |= {name: given[name][None] for name in ("h_0", "c_0")}
    out = np.zeros((5, 4, 6))
    for _ in range(2):  # of squares the gradient is the output
        last = np.full((1, 4, 6), float(case["loss"] == "last"))
        given |= {"d_output": {"sum": out * 0 + 1, "squares": out, "last": out * 0}[case["loss"]]}
        found = mistakes.solve(mistake, CASE, given | {"d_h_n": last, "d_c_n": last})
        if found is None:
            return None
        out = found["output"]
    arrays = {name: found[kits].astype(dtype) for name, kits in case_causes._FOUND.items()}
    return case | {name: a.reshape(np.shape(case[name])).tolist() for name, a in arrays.items()}


@pytest.fixture(scope="module")
def full():
    return {loss: cases.generate(**SIZES, seed=2, gradients=loss) for loss in cases.LOSSES}


def checked(case, tmp_path, **options):
    (tmp_path / "case.json").write_text(json.dumps(case))
    return cases.check(tmp_path / "case.json", **options)


@pytest.mark.slow
@pytest.mark.parametrize("loss", cases.LOSSES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_mistake_that_shows_is_named(full, tmp_path, loss, dtype):
    named = 0
    for mistake in mistakes.MISTAKES:
        case = port(full[loss], mistake, dtype)
        if case is None or (result := checked(case, tmp_path)).verdict == "PASS":
            continue
        where, _, causes = result.reason.partition("; the numbers are those of: ")
        assert "wrong" in where, mistake
        if len(causes.split(" | ")) <= case_causes.NAMED:
            assert mistake in causes.split(" | "), (mistake, result.reason)
            named += 1
        assert str(result).endswith(result.reason) and len(str(result)) < 1000
    assert named >= 40


@pytest.mark.parametrize("loss", cases.LOSSES)
def test_a_mistake_on_the_way_back_is_named(full, tmp_path, loss):
    mistake = "backward: f's gradient takes c after the step"
    result = checked(port(full[loss], mistake), tmp_path)
    assert result.reason.startswith("gradients wrong: grad_input, grad_initial_h")
    assert result.reason.endswith(f"; the numbers are those of: {mistake}")


def test_where_is_said_in_the_names_of_the_file(full, tmp_path):
    wrong = json.loads(json.dumps(full["sum"]))
    wrong["expected_out"][2][1][4] += 1
    wrong["grad_weight_hh"][0][0] += 1
    reason = checked(wrong, tmp_path).reason
    assert reason.startswith("expected_out wrong from step 2, sequence 1, unit 4: expected_out is ")
    wrong["expected_out"] = full["sum"]["expected_out"]
    reason = checked(wrong, tmp_path).reason
    assert reason.startswith("gradients wrong: grad_weight_hh (i); right: grad_input, grad_initial")


def test_one_array_alone_is_enough_to_name_a_mistake(full, tmp_path):
    mistake = "gates read in the order i, o, f, g (ONNX)"
    case = port(full["sum"], mistake)
    arguments = (*cases.SIZES, *cases.ARGUMENTS, "expected_h")
    assert mistake in checked({name: case[name] for name in arguments}, tmp_path).reason


def test_rounding_of_float32_is_told_from_a_mistake(full, tmp_path):
    case = json.loads(json.dumps(full["sum"]))
    gradient = np.array(case["grad_bias_ih"])
    case["grad_bias_ih"] = (gradient + 1e-6 * np.abs(gradient).max()).tolist()
    result = checked(case, tmp_path, tolerance=1e-9)
    assert result.verdict == "FAIL"
    assert "as the rounding of float32 is" in result.reason


def test_a_large_case_says_where_and_tries_no_mistakes(full, tmp_path, monkeypatch):
    monkeypatch.setattr(case_causes, "MOST", 100)
    case = port(full["sum"], "bias_hh not added")
    reason = checked(case, tmp_path).reason
    assert reason.endswith("; too large a case to try known mistakes on")
    assert reason.startswith("expected_out wrong from step 0")
