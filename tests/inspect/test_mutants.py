"""The gallery of wrong backward passes: one line each, and every one is caught."""

import difflib
import inspect

import numpy as np
import pytest
import torch

from lstm_lesson import LSTM, LSTMState, interop
from lstm_lesson.engine import plain_lstm
from lstm_lesson.inspect import mutants

NAMES = list(mutants.MUTANTS)
FULL = mutants.problem()
REFERENCE = FULL.differences()
ONE = mutants.problem(T=1)
ONE_REFERENCE = mutants.by_gate(ONE.differences())


def rows(tensors: str, gates: str) -> set[str]:
    return {f"{tensor}_{gate}" for tensor in tensors for gate in gates}


# What is wrong in one step, by the equations of the backward pass.
WRONG_IN_ONE_STEP = {
    "slope of i": {"x", "h_0"} | rows("WUb", "i"),
    "slope of g": {"x", "h_0"} | rows("WUb", "g"),
    "slope of c": {"x", "h_0", "c_0"} | rows("WUb", "ifg"),
    "no tanh(c)": {"x", "h_0"} | rows("WUb", "o"),
    "late c": {"x", "h_0"} | rows("WUb", "f"),
    "late h": rows("U", "ifgo"),
    "= in d_h": {"x", "h_0", "c_0"} | rows("WUb", "ifgo"),
    "= in d_c": {"x", "h_0", "c_0"} | rows("WUb", "ifg"),
    "= in d_W": set(),
    "last gate": {"h_0"},
    "no forget": {"c_0"},
    "i, f swapped": {"x", "h_0"} | rows("WUb", "if"),
    "g, o swapped": {"x", "h_0"} | rows("WUb", "go"),
    "U turned": {"h_0"},
    "b twice": rows("b", "ifgo"),
    "b averaged": rows("b", "ifgo"),
    "no final c": {"x", "h_0", "c_0"} | rows("WUb", "ifg"),
    "no first h": rows("U", "ifgo"),
    "last output": set(),
    "x backwards": set(),
}


def layer_of(problem) -> LSTM:
    layer = LSTM(problem.W.shape[1], problem.U.shape[1], dtype=np.float64)
    for parameter, array in zip(layer.parameters().values(), problem[2:5], strict=True):
        parameter[:] = array
    return layer


def autograd(problem) -> dict[str, np.ndarray]:
    module = interop.to_torch(layer_of(problem))
    x, h_0, c_0 = (torch.tensor(a, requires_grad=True) for a in (problem.x, *problem.state))
    output, last = module(x, (h_0[None], c_0[None]))
    arriving = [
        torch.from_numpy(a) for a in (problem.d_output, *(d[None] for d in problem.d_state))
    ]
    torch.autograd.backward([output, *last], arriving)
    leaves = (x, h_0, c_0, module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0)
    return dict(zip(REFERENCE, (leaf.grad.numpy() for leaf in leaves), strict=True))


# ---- What is right ----


@pytest.mark.parametrize("sizes", [(4, 3, 2, 3), (1, 1, 1, 1), (1, 3, 2, 4), (6, 1, 3, 2)])
def test_the_right_pass_agrees_with_the_layer_and_with_autograd(sizes):
    problem = mutants.problem(*sizes, rng=1)
    ours = problem.run(mutants.backward)
    layer = layer_of(problem)
    start, d_state = (LSTMState(h[None], c[None]) for h, c in (problem.state, problem.d_state))
    output, last, cache = layer.forward(problem.x, start)
    grads = layer.backward(problem.d_output, cache, d_state)
    package = [grads.x, grads.state.h[0], grads.state.c[0], *grads.params.values()]
    for mine, theirs, torchs in zip(
        ours.values(), package, autograd(problem).values(), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(mine, torchs, rtol=1e-10, atol=1e-12)
    again, state, _ = mutants.forward(*problem[:5])
    np.testing.assert_allclose(again, output, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(state, [part[0] for part in last], rtol=1e-10, atol=1e-12)


def test_one_step_agrees_with_the_cell():
    _, cache = plain_lstm.lstm_step(ONE.x[0], ONE.state, ONE.W, ONE.U, ONE.b)
    arriving = LSTMState(ONE.d_state.h + ONE.d_output[0], ONE.d_state.c)
    grads = plain_lstm.lstm_step_backward(arriving, cache, ONE.W, ONE.U)
    ours = ONE.run(mutants.backward)
    ours["x"] = ours["x"][0]
    for mine, theirs in zip(ours.values(), grads, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [None, *NAMES])
def test_replicas_are_independent(name):
    backward = mutants.mutate(name) if name else mutants.backward
    problems = [mutants.problem(rng=seed) for seed in (1, 2)]
    side_by_side = mutants.Problem(
        *(
            LSTMState(*(np.stack(part) for part in zip(*arrays, strict=True)))
            if isinstance(arrays[0], LSTMState)
            # Time comes before the replicas.
            else np.stack(arrays, axis=1 if arrays[0].ndim == 3 else 0)
            for arrays in zip(*problems, strict=True)
        )
    )
    together = side_by_side.run(backward)
    for n, problem in enumerate(problems):
        for key, alone in problem.run(backward).items():
            there = together[key][:, n] if key == "x" else together[key][n]
            np.testing.assert_allclose(there, alone, rtol=1e-10, atol=1e-12)


# ---- What is wrong ----


@pytest.mark.parametrize("name", NAMES)
def test_a_mutant_differs_by_one_line(name):
    right, wrong = mutants.MUTANTS[name]
    before = inspect.getsource(mutants.backward)
    assert before.count(f"    {right}\n") == 1
    after = before.replace(f"    {right}\n", f"    {wrong}\n")
    changed = [line for line in difflib.ndiff(before.splitlines(), after.splitlines())]
    assert [line[2:].strip() for line in changed if line[0] == "-"] == [right]
    assert [line[2:].strip() for line in changed if line[0] == "+"] == [wrong]


@pytest.mark.parametrize("name", NAMES)
def test_both_references_catch_every_mutant(name):
    ours = FULL.run(mutants.mutate(name))
    wrong = mutants.disagreeing(ours, REFERENCE)
    assert wrong
    assert wrong == mutants.disagreeing(ours, autograd(FULL))
    # Far beyond the tolerance of 1e-7: no mutant is caught by luck.
    assert mutants.disagreeing(ours, REFERENCE, 0.1)


@pytest.mark.parametrize("name", NAMES)
def test_one_step_names_what_the_equations_say(name):
    grads = mutants.by_gate(ONE.run(mutants.mutate(name)))
    assert set(mutants.disagreeing(grads, ONE_REFERENCE)) == WRONG_IN_ONE_STEP[name]


def test_every_line_of_the_loop_that_computes_has_a_mutant():
    lines = [line.strip() for line in inspect.getsource(mutants.backward).splitlines()]
    loop = lines[lines.index("for t in reversed(range(T)):") + 2 : -1]
    mutated = {right for right, _ in mutants.MUTANTS.values()}
    # d_i and d_g are like d_f, and the slopes of f and o like that of i.
    alike = {
        "d_i = d_c * g",
        "d_g = d_c * i",
        "d_z_f = d_f * f * (1 - f)",
        "d_z_o = d_o * o * (1 - o)",
    }
    assert set(loop) - mutated == alike


def test_mutating_leaves_the_right_pass_alone():
    for name in NAMES:
        mutants.mutate(name)
    assert mutants.disagreeing(FULL.run(mutants.backward), REFERENCE) == ()
    with pytest.raises(ValueError, match=r"mutant: expected one of .* got 'late x'"):
        mutants.mutate("late x")


# ---- The judge ----


def test_the_judge_passes_what_is_right():
    verdict = mutants.judge(mutants.backward)
    assert verdict.passed
    assert str(verdict) == "1 step:  right\n4 steps: right"


@pytest.mark.parametrize("name", NAMES)
def test_the_judge_names_the_tensors(name):
    verdict = mutants.judge(mutants.mutate(name), rng=3)
    assert not verdict.passed
    assert set(verdict.one_step) == WRONG_IN_ONE_STEP[name]
    assert set(verdict.one_step) <= set(verdict.four_steps) != set()


def test_the_judge_prints_the_gates_of_a_tensor_together():
    verdict = mutants.judge(mutants.mutate("slope of c"))
    assert "1 step:  wrong: x, h_0, c_0, W_ifg, U_ifg, b_ifg\n" in str(verdict)
    assert "W_ifgo, U_ifgo, b_ifgo" in str(verdict)
    assert "wrong: b_ifgo" in str(mutants.judge(mutants.mutate("b twice")))


def with_grads(**changes):
    return lambda *arguments: mutants.backward(*arguments) | changes


@pytest.mark.parametrize(
    ("backward", "said"),
    [
        (with_grads(b=np.zeros(3)), "b (shape (3,), not (12,))"),
        (with_grads(b=None), "b (shape (), not (12,))"),
        (with_grads(x=1.0, c_0=[[1.0], [2.0]]), "c_0 (shape (2, 1), not (3, 3))"),
        (with_grads(W=[[1.0], [2.0, 3.0]]), "ValueError"),
        (lambda *arguments: {"x": np.zeros(1)}, "h_0 (missing)"),
        (lambda *arguments: None, "TypeError"),
        (lambda: None, "TypeError"),
        (lambda *arguments: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_the_judge_says_what_is_amiss_with_the_form(backward, said):
    verdict = mutants.judge(backward)
    assert not verdict.passed
    assert said in str(verdict)


def test_the_judge_goes_on_with_what_has_its_form():
    def two_mistakes(*arguments):
        grads = mutants.mutate("no forget")(*arguments)
        return grads | {"b": grads["b"][:, None]}

    assert mutants.judge(two_mistakes).one_step == ("b (shape (12, 1), not (12,))", "c_0")


@pytest.mark.parametrize("value", [np.nan, "text", None])
def test_what_is_no_number_is_wrong(value):
    def backward(*arguments):
        grads = mutants.backward(*arguments)
        return grads | {"h_0": np.full(grads["h_0"].shape, value)}

    verdict = mutants.judge(backward)
    assert not verdict.passed
    assert "h_0" in verdict.one_step or "Error" in str(verdict)
