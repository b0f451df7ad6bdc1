"""A run of chapter 21: it learns, it comes out again, and padding is seen or not seen."""

import numpy as np
import pytest
import torch

from lstm_lesson.experiments.classify.specs import CLASSIFY, CLASSIFY_VIEWS, LENGTHS
from lstm_lesson.experiments.classify.training import (
    VERSION,
    OutcomeClassify,
    SpecClassify,
    classified,
    classified_alone,
    confusion,
    data_of,
    run,
    untrained,
)
from lstm_lesson.experiments.statistics import wilson
from lstm_lesson.tasks.views import view
from lstm_lesson.training.models import Batch

SPEC = SpecClassify("LSTM", "rows", 8, "LSTM", 8, "last", False, True, 0.03, 50, 40, 0)
SETTINGS = CLASSIFY.plan.settings + CLASSIFY_VIEWS.plan.settings


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"read": "mean"},
        {"read": "attention", "bidirectional": True},
        {"network": "GRU"},
        {"network": "RNN"},
        {"network": "MLP"},
        {"network": "conv"},
        {"task": "ink"},
        {"task": "ink", "read": "mean", "lengths": False},
    ],
)
def test_a_run_learns_and_comes_out_the_same_again(own):
    spec = SPEC._replace(**own)
    outcome = run(spec)
    assert isinstance(outcome, OutcomeClassify) and outcome.status == "ok"
    assert outcome.train > 0.2 and outcome.score > 0.2  # chance is 0.1
    counts = np.array(outcome.confusion.split(), int).reshape(10, 10)
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(view(spec.task).test.target))
    assert np.trace(counts) / counts.sum() == pytest.approx(outcome.score)
    assert run(spec) == outcome
    assert run(spec._replace(seed=1)).validation_loss != outcome.validation_loss


def test_a_network_that_knows_lengths_says_the_same_of_a_sequence_alone():
    for read in ("last", "mean", "attention"):
        outcome = run(SPEC._replace(task="ink", read=read))
        assert outcome.alone == outcome.score
    model = untrained(SPEC._replace(task="ink", read="mean", lengths=False))
    test = view("ink").test
    y, _ = model.forward(test.x)
    alone, _ = model.forward(test.x[: test.lengths[0], :1])
    assert np.abs(y[0] - alone[0]).max() > 1e-3


def test_each_sequence_alone_is_what_a_loop_over_them_says():
    model, test = untrained(SPEC._replace(task="ink", lengths=False)), view("ink").test
    some = Batch(test.x[:, :40], test.target[:40])
    found = classified_alone(model, some, test.lengths[:40])
    for n, length in enumerate(test.lengths[:40]):
        one = Batch(test.x[:length, n : n + 1], test.target[n : n + 1])
        assert classified(model, one)[0] == found[n]


def test_confusion_by_hand():
    counts = confusion(np.array([1, 1, 0, 9]), np.array([1, 0, 0, 9]))
    assert counts[0, 1] == counts[0, 0] == counts[1, 1] == counts[9, 9] == 1
    assert counts.sum() == 4


def test_a_run_that_overflows_is_an_outcome():
    outcome = run(SPEC._replace(lr=1e39))
    assert outcome.status == "diverged" and outcome.validation_loss == np.inf
    assert outcome.score == outcome.alone == 0 and not outcome.solved


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"network": "Elman"}, "network: expected one of"),
        ({"read": "max"}, "read: expected one of"),
        ({"task": "columns"}, "view: expected one of"),
    ],
)
def test_what_there_is_not_is_refused(own, message):
    with pytest.raises(ValueError, match=message):
        run(SPEC._replace(**own))


def test_a_convolution_and_an_mlp_see_the_steps_in_order():
    x = torch.randn(8, 3, 8)
    for network in ("MLP", "conv"):
        module = untrained(SPEC._replace(network=network)).module
        assert module(x).shape == (3, 10)
        assert not torch.allclose(module(x), module(x.flip(0)))


@pytest.mark.parametrize("task", LENGTHS)
def test_arms_have_about_as_many_parameters_as_the_lstm(task):
    assert len(view(task).train.x) == LENGTHS[task]
    counts = {}
    for setting in SETTINGS:
        if setting.task == task:
            assert setting.T == LENGTHS[task]
            parameters = untrained(setting._replace(seed=0)).parameters().values()
            counts[setting.arm] = sum(p.size for p in parameters)
    assert max(counts.values()) < 1.03 * min(counts.values()), counts


@pytest.mark.parametrize("one", [CLASSIFY, CLASSIFY_VIEWS], ids=lambda one: one.name)
def test_the_rows_keep_the_rules(one):
    rows = one.store().rows()
    assert {outcome.version for outcome in rows.values()} <= {VERSION}
    for spec, outcome in rows.items():
        assert outcome.sequences == spec.steps * spec.batch_size
        counts = np.array(outcome.confusion.split(), int).reshape(10, 10)
        assert outcome.status != "ok" or np.trace(counts) / counts.sum() == outcome.score
        assert spec.task == "ink" or outcome.alone == outcome.score
    for arm in one.plan.arms(rows).values():
        assert len(arm.outcomes) == 10


@pytest.mark.slow
def test_a_sample_of_the_rows_comes_out_again():
    rows = CLASSIFY.store().rows()
    cheap = [s for s in rows if s.task == "rows" and s.seed == 0]
    for spec in cheap:
        # To the last digit on the processor that made it; on another one, near by.
        low, high = wilson(round(540 * rows[spec].score), 540)[1:]
        assert low - 0.03 < run(spec).score < high + 0.03


def test_data_without_lengths_are_the_same_sequences():
    spec = SPEC._replace(task="ink", lengths=False)
    for ours, theirs in zip(data_of(spec), view("ink"), strict=True):
        assert ours.lengths is None and ours.x is theirs.x
