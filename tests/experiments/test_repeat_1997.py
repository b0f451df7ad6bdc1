"""The plain LSTM on the tasks of the papers, and runs of it and of the rule of 1997."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lstm_lesson.experiments.repeat_1997.rows import Spec1997
from lstm_lesson.experiments.repeat_1997.settings import SETTINGS
from lstm_lesson.experiments.repeat_1997.specs import REPEAT_1997
from lstm_lesson.experiments.repeat_1997.training import Record, batches, run
from lstm_lesson.experiments.repeat_1997.whole_gradient import HELD, WholeGradient
from lstm_lesson.tasks.classics import CLASSICS, classic

SMALL = Spec1997(
    arm="LSTM", task="noise_free_lag", T=3, cell="LSTM", rule="Adam", hidden_size=3, biases="{}",
    lr=0.03, batch_size=4, budget=4000, seed=0,
)  # fmt: skip
OLD = SMALL._replace(cell="1997")
ALONE = SMALL._replace(rule="1997", cell="one cell", hidden_size=1, batch_size=1)


def drawn(spec, N=1, seed=1):
    """Return a network and N sequences."""
    rng = np.random.default_rng(seed)
    return WholeGradient(spec, rng), classic(spec.task).sample(rng, N, spec.T)


# ---- The cell of 1997 as a plain one, against a literal version in PyTorch ----


def literal(params, x, H):
    """The cell as the paper has it: g = 4 s(z) - 2, h = 2 s(c) - 1, no forget gate."""
    h, c = torch.zeros(2, x.shape[1], H, dtype=torch.float64)
    outputs = []
    for x_t in x:
        z = x_t @ params["layer.weight_ih_l0"].T + h @ params["layer.weight_hh_l0"].T
        i, _, g, o = (z + params["layer.bias_l0"]).chunk(4, dim=1)
        c = c + torch.sigmoid(i) * (4 * torch.sigmoid(g) - 2)
        h = torch.sigmoid(o) * (2 * torch.sigmoid(c) - 1)
        outputs.append(torch.sigmoid(h @ params["head.weight"].T + params["head.bias"]))
    return torch.stack(outputs)


def test_the_cell_is_that_of_the_paper_and_so_is_its_gradient():
    spec = OLD._replace(task="adding_1997", T=24, hidden_size=4)
    H = spec.hidden_size
    net, batch = drawn(spec)
    theirs = {name: torch.tensor(p) for name, p in net.parameters().items()}
    for name, p in theirs.items():
        if name.startswith("layer"):
            p[2 * H : 3 * H] *= 2  # the candidate's, which we keep halved
        p.requires_grad_()
    y = literal(theirs, torch.tensor(batch.x), H)
    off = (y - torch.tensor(batch.target)) * torch.tensor(batch.mask[..., None])
    (off**2).sum().mul(0.5).backward()
    ours, grads, _ = net.gradients(batch)
    np.testing.assert_allclose(ours, y.detach(), rtol=1e-10)
    for name, p in theirs.items():
        expected = p.grad.numpy()
        if name.startswith("layer"):
            expected[2 * H : 3 * H] *= 2  # half the weight has twice the gradient
            expected[H : 2 * H] = 0  # the gate that is held
        np.testing.assert_allclose(grads[name], expected, rtol=1e-9, atol=1e-14, err_msg=name)


def test_a_forget_gate_that_is_held_never_moves():
    net, batch = drawn(OLD._replace(task="temporal_order_1997", T=20), N=2)
    _, grads, _ = net.gradients(batch)
    cell = {name: grad.reshape(4, -1) for name, grad in grads.items() if name.startswith("layer")}
    assert all(i.any() and g.any() and not f.any() for i, f, g, _ in cell.values())
    net.learn(batch)
    assert set(net.layer.parameters()["bias_l0"][3:6]) == {HELD}


@pytest.mark.parametrize("cell", ["LSTM", "peephole", "1997"])
@pytest.mark.parametrize(
    "task", ["embedded_reber", "adding_1997", "noise_free_lag", "timed_spikes"]
)
def test_gradients_are_those_of_central_differences(cell, task):
    spec = SMALL._replace(task=task, cell=cell, T=24 if task == "adding_1997" else 10)
    net, batch = drawn(spec, N=2)
    if cell == "peephole":
        net.layer.parameters()["peephole_l0"][:] = 0.3

    def loss():
        y, target = net.predict(batch)[batch.mask], batch.target[batch.mask]
        if task == "adding_1997":
            return float(0.5 * np.mean(np.square(y - target)))
        p = y if y.shape[-1] > 1 else np.hstack([y, 1 - y])
        true = target if y.shape[-1] > 1 else np.hstack([target, 1 - target])
        return float(-np.mean(np.log(p[true > 0])))

    _, grads, _ = net.gradients(batch)
    rng = np.random.default_rng(0)
    for name, p in net.parameters().items():
        for _ in range(4):
            place = tuple(int(rng.integers(n)) for n in p.shape)
            before, ends = p[place], []
            for step in (1e-5, -1e-5):
                p[place] = before + step
                ends.append(loss())
            p[place] = before
            held = cell == "1997" and name.startswith("layer") and 3 <= place[0] < 6
            slope = 0 if held else (ends[0] - ends[1]) / 2e-5
            assert grads[name][place] == pytest.approx(slope, abs=1e-8)


def test_biases_reach_their_gates():
    biases = {"i": [-1, -2, -3], "o": [-4, -5, -6]}
    net, _ = drawn(OLD._replace(biases=json.dumps(biases)))
    i, f, _, o = net.layer.parameters()["bias_l0"].reshape(4, 3)
    assert (i.tolist(), o.tolist(), set(f)) == ([-1, -2, -3], [-4, -5, -6], {HELD})
    net, _ = drawn(SMALL._replace(biases='{"chrono": 50}'))
    i, f, *_ = net.layer.parameters()["bias_l0"].reshape(4, 3)
    np.testing.assert_array_equal(i, -f)
    assert f.min() > 0


def test_a_stream_goes_on_where_it_was():
    net, batch = drawn(SMALL._replace(task="continual_reber", T=50), N=2)
    whole = net.predict(batch)
    first, state, _ = net.forward(batch.x[:20])
    second, _, _ = net.forward(batch.x[20:], state)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-10)


# ---- Runs ----


def test_what_solves_its_task_ends_and_what_diverges_says_so():
    for seed in range(3):
        outcome = run(SMALL._replace(seed=seed))
        assert (outcome.solved, outcome.status, outcome.wrong) == (True, "ok", 0)
        assert 100 <= outcome.solved_at == outcome.sequences < SMALL.budget
        assert outcome.test_loss < outcome.trivial
    for spec in (SMALL._replace(lr=1e308), ALONE._replace(lr=np.inf)):
        bad = run(spec)
        assert (bad.solved, bad.status, bad.solved_at) == (False, "diverged", 0)
        assert bad.sequences < spec.budget


def test_parameters_are_those_that_are_trained():
    D, H, V = 4, 3, 4
    head = (D + H + 1) * V  # which sees the input, in this task
    assert run(SMALL._replace(budget=8)).parameters == 4 * H * (D + H + 1) + head
    assert run(OLD._replace(budget=8)).parameters == 3 * H * (D + H + 1) + head
    assert run(ALONE._replace(budget=8)).parameters == 2 * D + (D + 1) * V


def test_a_run_ends_where_the_rule_is_met_and_not_before():
    spec = SMALL._replace(task="multiplication", T=24)
    task, setting = classic(spec.task), SETTINGS[spec.task]
    batch = task.sample(0, 100, 24)
    record, wrong = Record(spec.task), batch._replace(target=batch.target + 1)
    for n in range(setting.window // 100):
        assert not record.meets_rule
        record.note(batch.target, wrong if n == 0 else batch)
    assert record.meets_rule  # 100 wrong ones of 2000 are allowed, 139 would be
    record.note(batch.target, batch)  # in place of the wrong ones
    record.note(batch.target, wrong)
    record.note(batch.target, wrong)
    assert not record.meets_rule
    assert record.sequences == 2300


def test_a_fixed_set_is_learned_from_and_another_must_be_right_as_well(monkeypatch):
    learned, predicted, learn = [], [], WholeGradient.learn

    def right(net, batch):
        predicted.append(batch)
        return batch.legal / 2

    monkeypatch.setattr(Record, "meets_rule", True)
    monkeypatch.setattr(WholeGradient, "predict", right)
    monkeypatch.setattr(WholeGradient, "learn", lambda *a: learned.append(a[1]) or learn(*a))
    outcome = run(SMALL._replace(task="embedded_reber", T=10, batch_size=8))
    assert (outcome.solved, outcome.sequences) == (True, 256)
    first, second, *_ = ({x.tobytes() for x in _strings(batch)} for batch in predicted)
    assert first != second
    assert all(x.tobytes() in first for batch in learned for x in _strings(batch))


def _strings(batch):
    """Return the inputs of each sequence of a batch, without its padding."""
    return [batch.x[: counts.sum(), n] for n, counts in enumerate(batch.mask.T)]


def test_batches_are_all_that_is_drawn_in_order():
    spec = SMALL._replace(batch_size=8, budget=100, task="two_sequence", T=20)
    rng, whole = np.random.default_rng(0), []

    def draw(N):
        whole.append(classic(spec.task).sample(rng, N, spec.T))
        return whole[-1]

    found = list(batches(spec, draw))
    assert len(found) == 12
    for n, batch in enumerate(found):
        part = whole[n // 8].part(sequences=slice(n % 8 * 8, n % 8 * 8 + 8))
        L = len(batch.x)
        assert batch.mask[-1].any()
        np.testing.assert_array_equal(batch.x, part.x[:L])
        assert not part.mask[L:].any()


@pytest.mark.slow
def test_a_stream_that_is_not_learned_ends_at_its_first_error():
    outcome = run(SMALL._replace(task="continual_reber", T=50, budget=8))
    assert not outcome.solved
    assert outcome.wrong == outcome.tested == 10
    assert outcome.symbols < 50


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"cell": "2014"}, "cell: expected one of"),
        ({"rule": "2014"}, "rule: expected one of"),
        ({"task": "copying"}, "classic: expected one of"),
        ({"rule": "1997"}, "cell: expected one of"),
        ({"task": "continual_reber", "rule": "1997", "cell": "blocks of 1"}, "has no end"),
    ],
)
def test_what_is_not_known_is_refused(wrong, error):
    with pytest.raises(ValueError, match=error):
        run(SMALL._replace(**wrong))


def test_every_task_has_its_setting():
    assert set(SETTINGS) == set(CLASSICS)


# ---- The stored rows ----

QUICK = (  # runs that solve their task soon
    ("embedded_reber", "1997, own gates", 0.5),
    ("two_sequence", "1997 cell, Adam", 0.03),
    ("temporal_order_1997", "LSTM, chrono, Adam", 0.03),
)


@pytest.mark.parametrize(("task", "arm", "lr"), QUICK)
def test_a_stored_row_comes_out_again(task, arm, lr):
    """What a row claims, not its digits, which depend on the processor."""
    rows = REPEAT_1997.store(Path(__file__).parents[2] / "results").rows()
    spec = next(s for s in rows if (s.task, s.arm, s.lr, s.seed) == (task, arm, lr, 0))
    stored, again = rows[spec], run(spec)
    assert (again.parameters, again.solved) == (stored.parameters, stored.solved)
    assert again.solved_at == pytest.approx(stored.solved_at, rel=0.25)
    assert again.test_loss == pytest.approx(stored.test_loss, rel=0.5)
