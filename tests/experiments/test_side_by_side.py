"""Networks of 1997 trained side by side: the paper's cell, and each run as if alone."""

import json

import numpy as np
import pytest
import torch

from lstm_lesson.experiments.repeat_1997 import plain_nets
from lstm_lesson.experiments.repeat_1997.plain_nets import ReplicaSpec, forward, gradients, initial
from lstm_lesson.experiments.repeat_1997.training import (
    ReplicaOutcome,
    run,
    run_together,
    side_by_side,
)
from lstm_lesson.experiments.sweep import Experiment, sweep
from lstm_lesson.tasks.classics import Drawn, classic

SMALL = ReplicaSpec(
    arm="LSTM", task="noise_free_lag", T=3, cell="LSTM", rule="Adam", hidden_size=3, biases="{}",
    lr=0.03, batch_size=4, budget=4000, seed=0,
)  # fmt: skip
OLD = SMALL._replace(cell="1997")
LONG = {"task": "temporal_order_1997", "T": 20, "hidden_size": 4}


def beside(spec, seeds, N=1):
    """Return parameters and data of some replicas."""
    rngs = [np.random.default_rng(seed) for seed in seeds]
    each = [initial(spec, rng) for rng in rngs]
    params = {name: np.stack([p[name] for p in each]) for name in each[0]}
    drawn = [classic(spec.task).sample(rng, N, spec.T) for rng in rngs]
    parts = (None if p[0] is None else np.stack(p, axis=1) for p in zip(*drawn, strict=True))
    return params, Drawn(*parts)


# ---- The cell of 1997 as a plain one, against a literal version in PyTorch ----


def literal(params, x, H, cut):
    """The cell as the paper has it: g = 4 s(z) - 2, h = 2 s(c) - 1, no forget gate."""
    h, c, outputs = torch.zeros(x.shape[1], H), torch.zeros(x.shape[1], H), []
    h, c = h.double(), c.double()
    for x_t in x:
        seen = h.detach() if cut else h
        z = x_t @ params["weight_ih"].T + seen @ params["weight_hh"].T + params["bias"].T
        i, _, g, o = z.chunk(4, dim=1)
        c = c + torch.sigmoid(i) * (4 * torch.sigmoid(g) - 2)
        h = torch.sigmoid(o) * (2 * torch.sigmoid(c) - 1)
        outputs.append(torch.sigmoid(h @ params["head_weight"].T + params["head_bias"].T))
    return torch.stack(outputs)


@pytest.mark.parametrize("cut", [True, False])
def test_the_cell_is_that_of_the_paper_and_so_is_its_gradient(cut):
    spec = OLD._replace(task="adding_1997", T=24, hidden_size=4)
    H = spec.hidden_size
    params, drawn = beside(spec, (1,))
    theirs = {name: torch.tensor(p[0]) for name, p in params.items()}
    for name in ("weight_ih", "weight_hh", "bias"):
        theirs[name][2 * H : 3 * H] *= 2  # the candidate's, which we keep halved
    for p in theirs.values():
        p.requires_grad_()
    y = literal(theirs, torch.tensor(drawn.x[:, 0]), H, cut)
    off = (y - torch.tensor(drawn.target[:, 0])) * torch.tensor(drawn.mask[:, 0, :, None])
    (off**2).sum().mul(0.5).backward()
    ours, grads, _ = gradients(spec, params, drawn, cut=cut)
    np.testing.assert_allclose(ours[:, 0], y.detach(), rtol=1e-10)
    for name, p in theirs.items():
        expected = p.grad.numpy()
        if name in ("weight_ih", "weight_hh", "bias"):
            expected[2 * H : 3 * H] *= 2  # half the weight has twice the gradient
            expected[H : 2 * H] = 0  # the gate that is held
        np.testing.assert_allclose(grads[name][0], expected, rtol=1e-9, atol=1e-14, err_msg=name)


def test_the_rule_of_1997_is_not_the_gradient():
    spec = OLD._replace(**LONG)
    params, drawn = beside(spec, (1,))
    _, cut, _ = gradients(spec, params, drawn, cut=True)
    _, whole, _ = gradients(spec, params, drawn)
    assert not np.allclose(cut["weight_ih"], whole["weight_ih"], rtol=0.01)
    assert cut["weight_ih"].any()


def test_a_forget_gate_that_is_held_never_moves():
    spec = OLD._replace(**LONG)
    H = spec.hidden_size
    params, drawn = beside(spec, (0, 1))
    for cut in (True, False):
        _, grads, _ = gradients(spec, params, drawn, cut=cut)
        for name in ("weight_ih", "weight_hh", "bias"):
            assert not grads[name][:, H : 2 * H].any()


@pytest.mark.parametrize("cell", ["LSTM", "peephole", "1997"])
@pytest.mark.parametrize("task", ["embedded_reber", "adding_1997", "noise_free_lag"])
def test_gradients_are_those_of_central_differences(cell, task):
    spec = SMALL._replace(task=task, cell=cell, T=24 if task == "adding_1997" else 10)
    params, drawn = beside(spec, (1,), N=2)
    if cell == "peephole":
        params["peephole"] += 0.3

    def loss():
        y = forward(spec, params, drawn.x)[0]
        counts = drawn.mask.sum()
        if y.shape[-1] == 1:
            return float(0.5 * (np.square(y - drawn.target)[drawn.mask]).sum() / counts)
        p = np.where(drawn.target > 0, y, 1)[drawn.mask]
        return float(-np.log(p).sum() / counts)

    _, grads, _ = gradients(spec, params, drawn)
    rng = np.random.default_rng(0)
    for name, p in params.items():
        for _ in range(4):
            place = tuple(int(rng.integers(n)) for n in p.shape)
            if cell == "1997" and spec.hidden_size <= place[1] < 2 * spec.hidden_size:
                continue
            before, ends = p[place], []
            for step in (1e-5, -1e-5):
                p[place] = before + step
                ends.append(loss())
            p[place] = before
            assert grads[name][place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)


# ---- Side by side ----


OLDEST = {"rule": "1997", "cell": "blocks of 2", "batch_size": 1}


@pytest.mark.parametrize("how", [OLDEST, {}], ids=["1997", "Adam"])
def test_a_run_among_others_is_the_run_alone(how):
    base = SMALL._replace(**LONG, **how, budget=400)
    specs = [base._replace(seed=seed, lr=lr) for seed in range(3) for lr in (0.01, 0.1)]
    together = run_together(specs)
    for spec, outcome in zip(specs, together, strict=True):
        alone = run(spec)
        assert alone[:5] == outcome[:5]
        assert alone.test_loss == pytest.approx(outcome.test_loss, rel=1e-6)
    assert len({outcome.test_loss for outcome in together}) == 6


def test_only_runs_alike_can_be_side_by_side():
    with pytest.raises(ValueError, match="lr and seed alone"):
        run_together([SMALL, SMALL._replace(hidden_size=4)])
    assert side_by_side(SMALL) == side_by_side(SMALL._replace(lr=3.0, seed=9))
    for wrong in ({"cell": "2014"}, {"rule": "2014"}, {"task": "copying"}, {"rule": "1997"}):
        with pytest.raises(ValueError, match="expected one of"):
            run(SMALL._replace(**wrong))


def test_what_solves_its_task_ends_and_what_diverges_says_so():
    specs = [SMALL._replace(seed=seed) for seed in range(3)] + [SMALL._replace(lr=np.inf)]
    *good, bad = run_together(specs)
    for outcome in good:
        assert outcome.solved
        assert outcome.status == "ok"
        assert outcome.wrong == 0
        assert 100 <= outcome.solved_at == outcome.sequences < SMALL.budget
        assert outcome.test_loss < outcome.trivial
    assert bad.status == "diverged"
    assert not bad.solved
    assert bad.solved_at == 0


def test_parameters_are_those_that_are_trained():
    D, H, V = 4, 3, 4
    head = (D + H + 1) * V  # which sees the input, in this task
    assert run(SMALL._replace(budget=8)).parameters == 4 * H * (D + H + 1) + head
    assert run(OLD._replace(budget=8)).parameters == 3 * H * (D + H + 1) + head
    alone = SMALL._replace(rule="1997", cell="one cell", hidden_size=1, batch_size=1, budget=8)
    assert run(alone).parameters == 2 * D + (D + 1) * V


def test_biases_reach_their_gates():
    biases = {"i": [-1, -2, -3], "o": [-4, -5, -6]}
    params = initial(OLD._replace(biases=json.dumps(biases)), np.random.default_rng(0))
    i, f, _, o = params["bias"].reshape(4, 3)
    assert (i.tolist(), o.tolist(), set(f)) == ([-1, -2, -3], [-4, -5, -6], {plain_nets.HELD})
    i, f, *_ = initial(SMALL._replace(biases='{"chrono": 50}'), np.random.default_rng(0))[
        "bias"
    ].reshape(4, 3)
    np.testing.assert_array_equal(i, -f)


def test_a_stream_goes_on_where_it_was():
    spec = SMALL._replace(task="continual_reber", T=50)
    params, drawn = beside(spec, (0,), N=2)
    whole = forward(spec, params, drawn.x)[0]
    first, state = forward(spec, params, drawn.x[:20])[:2]
    second = forward(spec, params, drawn.x[20:], state)[0]
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-10)


def test_a_stream_that_is_not_learned_ends_at_its_first_error():
    outcome = run(SMALL._replace(task="continual_reber", T=50, budget=8))
    assert not outcome.solved
    assert outcome.wrong == outcome.tested == 10
    assert outcome.symbols < 50


# ---- In a sweep ----


def test_a_sweep_of_groups_stores_a_row_a_run_and_goes_on_where_it_was(tmp_path):
    base = SMALL._replace(budget=400)
    specs = tuple(base._replace(seed=s, lr=lr) for lr in (0.01, 0.03) for s in range(3))
    specs += tuple(s._replace(arm="old", cell="1997", lr=0.03) for s in specs[:2])
    one = Experiment("tiny", "a test", specs, run, ReplicaOutcome, 1.0, run_together, side_by_side)
    assert [len(group) for group in one.groups(specs)] == [6, 2]
    assert sweep(one, tmp_path, seeds=(1,)) == 3
    assert sweep(one, tmp_path) == len(specs) - 3
    store = one.store(tmp_path)
    rows = store.rows()
    assert list(rows) == list(specs)
    for spec, outcome in zip(specs[:6], run_together(specs[:6]), strict=True):
        assert rows[spec].status == outcome.status
        assert rows[spec].validation_loss == pytest.approx(outcome.validation_loss, rel=1e-6)
    assert all(machine.seconds >= 0 for machine in store.seconds().values())
