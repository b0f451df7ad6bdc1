"""One run: solved by three looks, trained on, judged at the end, equal in both engines."""

import numpy as np
import pytest
from test_runs import SMALL

from lstm_lesson.experiments import rules, trials
from lstm_lesson.experiments.runs import CHECKS, build, evaluate
from lstm_lesson.experiments.trials import AFTER, floor, trial
from lstm_lesson.tasks.synthetic import TASKS

EASY = SMALL._replace(task="sine", T=20, hidden_size=16, steps=400, lr=0.02)


def scores(outcome):
    return [float(score) for score in outcome.scores.split()]


def test_a_trial_comes_out_again_to_the_last_digit():
    assert trial(SMALL) == trial(SMALL)
    assert trial(SMALL._replace(seed=1)) != trial(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("task", ["adding", "copy"])
def test_both_engines_train_to_the_same_numbers(layer, task):
    ours = trial(SMALL._replace(layer=layer, task=task))
    torchs = trial(SMALL._replace(layer=layer, task=task, engine="torch"))
    assert ours.test_loss == pytest.approx(torchs.test_loss, rel=1e-9)
    assert ours.validation_loss == pytest.approx(torchs.validation_loss, rel=1e-9)
    assert ours.parameters == torchs.parameters


def test_the_best_parameters_by_validation_are_tested():
    wild = SMALL._replace(lr=0.5, steps=80)  # gets worse again
    trained = trials.train(wild)
    built = build(wild)
    _, validate, _ = (np.random.default_rng(s) for s in built.seed.spawn(3))
    validation = built.task.sample(validate, 512, wild.T)
    first, _ = evaluate(built.model, built.task, validation, wild.T)
    best, _ = evaluate(trained.model, built.task, validation, wild.T)
    assert best == trained.trial.validation_loss <= first


@pytest.fixture(scope="module")
def long_and_short():
    return trial(EASY), trial(EASY._replace(stop=True))


def test_a_run_trains_on_after_it_is_solved(long_and_short):
    long, short = long_and_short
    look = rules.solved_look(scores(long), TASKS["sine"].solved)
    every = EASY.steps // CHECKS * EASY.batch_size
    assert look > 1
    assert long.solved
    assert long.solved_at == short.solved_at == look * every
    assert long.sequences == EASY.steps * EASY.batch_size
    assert short.sequences == (look + rules.IN_A_ROW - 1 + AFTER) * every < long.sequences
    assert scores(short) == scores(long)[: len(scores(short))]


def test_the_score_is_of_the_end_and_on_data_of_its_own(long_and_short):
    long, short = long_and_short
    assert short.test_loss >= long.test_loss
    assert long.score != pytest.approx(max(scores(long)), abs=1e-9)


def test_a_run_that_diverges_is_an_outcome_and_never_solved(monkeypatch):
    wild = SMALL._replace(layer="RNN", options='{"nonlinearity": "relu"}', lr=1e200)
    outcome = trial(wild)
    assert (outcome.status, outcome.solved_at, outcome.solved) == ("diverged", 0, False)
    assert outcome.sequences < wild.steps * wild.batch_size
    # Not even if it had been over the line before.
    monkeypatch.setattr(trials, "solved_look", lambda scores, least: 1)
    assert trial(wild).solved_at == 0


@pytest.mark.parametrize("score", [0.95, 0.9499999, 0.95000001, 1.0, -3.2, 0.98999])
@pytest.mark.parametrize("least", sorted({task.solved for task in TASKS.values()}))
def test_a_stored_score_is_over_the_line_if_the_score_was(score, least):
    assert (float(f"{floor(score):.4g}") >= least) == (score >= least)
    assert np.isnan(floor(np.nan))
