"""One run: the same again, equal in both engines, the best parameters tested."""

import numpy as np
import pytest

from lstm_lesson.experiments.runs import Spec, build, evaluate, run

SMALL = Spec(
    arm="LSTM", task="adding", T=5, layer="LSTM", hidden_size=4, options="{}", lr=0.01, clip=1.0,
    batch_size=8, steps=40, stop=False, engine="numpy", dtype="float64", seed=0,
)  # fmt: skip


def test_a_run_gives_the_same_outcome_again():
    assert run(SMALL) == run(SMALL)
    assert run(SMALL._replace(seed=1)) != run(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("task", ["adding", "copy"])
def test_both_engines_train_to_the_same_numbers(layer, task):
    ours = run(SMALL._replace(layer=layer, task=task))
    torchs = run(SMALL._replace(layer=layer, task=task, engine="torch"))
    assert ours.test_loss == pytest.approx(torchs.test_loss, rel=1e-9)
    assert ours.validation_loss == pytest.approx(torchs.validation_loss, rel=1e-9)
    assert ours.parameters == torchs.parameters


def test_an_easy_task_is_solved_and_a_run_that_may_stop_does():
    easy = SMALL._replace(task="sine", T=20, hidden_size=16, steps=400, lr=0.02)
    long, short = run(easy), run(easy._replace(stop=True))
    assert long.solved and short.solved
    assert long.solved_at == short.solved_at == short.sequences < long.sequences
    assert long.test_loss <= short.test_loss


def test_the_best_parameters_by_validation_are_tested():
    wild = SMALL._replace(lr=0.5, steps=80)  # gets worse again
    outcome = run(wild)
    model, task, seed, _ = build(wild)
    _, validate, _ = (np.random.default_rng(s) for s in seed.spawn(3))
    validation = task.sample(validate, 512, wild.T)
    first, _ = evaluate(model, task, validation, wild.T)
    assert outcome.validation_loss <= first


def test_a_run_that_diverges_is_an_outcome():
    outcome = run(SMALL._replace(layer="RNN", options='{"nonlinearity": "relu"}', lr=1e200))
    assert outcome.status == "diverged"
    assert outcome.solved is False
    assert outcome.sequences < SMALL.steps * SMALL.batch_size


def test_options_reach_the_layer():
    model, *_ = build(SMALL._replace(options='{"chrono": 30}'))
    i, f, g, o = model.layer.parameters()["bias_l0"].reshape(4, 4)
    np.testing.assert_array_equal(i, -f)
    assert f.max() < np.log(29)
    assert not g.any()
    assert not o.any()
    model, *_ = build(SMALL._replace(options='{"forget_bias": 3.0}'))
    np.testing.assert_array_equal(model.layer.parameters()["bias_l0"][4:8], 3)
    model, *_ = build(SMALL._replace(layer="GRU", options='{"update_bias": 1.0}'))
    np.testing.assert_array_equal(model.layer.parameters()["bias_l0"], [0] * 4 + [1] * 4 + [0] * 4)
    init = '{"input_std": 0.001, "recurrent_init": "identity"}'
    model, *_ = build(SMALL._replace(layer="RNN", hidden_size=50, options=init))
    np.testing.assert_array_equal(model.layer.parameters()["weight_hh_l0"], np.eye(50))
    assert model.layer.parameters()["weight_ih_l0"].std() == pytest.approx(0.001, rel=0.2)
    for wrong, message in (({"engine": "abacus"}, "engine"), ({"layer": "CNN"}, "layer")):
        with pytest.raises(ValueError, match=message):
            build(SMALL._replace(**wrong))
