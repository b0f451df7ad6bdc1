"""A run of chapter 20: no look ahead, baselines by other means, the same run twice."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from statsmodels.tsa.ar_model import AutoReg

from lstm_lesson.experiments.forecast import baselines, training
from lstm_lesson.experiments.forecast.baselines import FORECAST_BASELINES, SpecBaseline
from lstm_lesson.experiments.forecast.specs import FORECAST
from lstm_lesson.experiments.forecast.training import (
    TASKS,
    Fold,
    Forecaster,
    OutcomeForecast,
    SpecForecast,
    root_mean_square,
    run,
    targets_in,
    windows,
)
from lstm_lesson.tasks.datasets import Series, sunspots

SPEC = SpecForecast("LSTM", "wave", "LSTM", 8, 32, 0.03, 10, 150, 0)


def wave(N=400, jump=0.0):
    """A noisy wave, raised by `jump` in its last fifth."""
    time = np.arange(float(N))
    noise = np.random.default_rng(0).standard_normal(N)
    return Series(time, np.sin(time / 3) + 0.1 * noise + jump * (time >= 0.8 * N))


def folds_of(series, T, K=4):
    w, N = windows([series], T, K), series.time[-1]
    parts = ((-np.inf, 0.6 * N), (0.6 * N, 0.8 * N), (0.8 * N, np.inf))
    return [Fold(*(targets_in(w, *part) for part in parts))]


@pytest.fixture
def small(monkeypatch):
    """Add a small task."""
    monkeypatch.setitem(training.TASKS, "wave", (lambda T: folds_of(wave(), T), lambda v: v))


# ---- Windows ----


def test_windows_are_cut_as_by_hand_and_never_across_a_gap():
    parts = [Series(np.arange(4.0), np.arange(4) * 10.0), Series(np.array([9.0]), np.array([5.0]))]
    parts += [Series(np.arange(20.0, 23), np.array([7.0, 8, 9]))]
    w = windows(parts, 2, 1)
    assert w.x.tolist() == [[0, 10], [10, 20], [7, 8]]
    assert w.y.tolist() == [[20], [30], [9]]
    assert w.time.tolist() == [[0, 1, 2], [1, 2, 3], [20, 21, 22]]


def test_parts_that_are_too_short_are_refused():
    with pytest.raises(ValueError, match="at least 6 values"):
        windows([wave(5)], 4, 2)
    with pytest.raises(ValueError, match="K: "):
        windows([wave(5)], 4, 0)


def test_targets_in_a_time_are_all_of_them_in_it():
    w = windows([wave(40)], 5, 3)
    found = targets_in(w, 10, 20)
    assert found.time[:, 5:].min() == 10 and found.time[:, 5:].max() == 19
    assert len(found.x) == 10 - 3 + 1


@pytest.mark.parametrize("task", ["glucose", "sunspots"])
@pytest.mark.parametrize("T", [6, 24])
def test_what_is_learned_from_ends_before_what_is_tested_begins(task, T):
    for fold in TASKS[task][0](T):
        ends = [part.time[:, T:].max() for part in fold]
        begins = [part.time[:, T:].min() for part in fold]
        assert ends[0] < begins[1] < ends[1] < begins[2]
        for w in fold:
            assert w.x.shape[1] == T and len(w.x) == len(w.y) == len(w.time) > 8


def test_the_folds_are_those_that_the_text_names():
    (fold,) = TASKS["glucose"][0](24)
    assert np.ptp([np.diff(part.time).max() for part in fold]) < 7  # no window over a gap
    folds, back = TASKS["sunspots"]
    origins = np.concatenate([fold.test.time[:, 10] for fold in folds(11)])
    assert origins.tolist() == [*range(1949, 1998)]
    values = back(np.array([-0.5, 3.0]))
    assert values.tolist() == [0, 9]


# ---- A network ----


def test_scales_and_training_know_nothing_of_what_comes_later():
    spec = SPEC._replace(steps=20)
    nets = [Forecaster(spec, folds_of(wave(jump=jump), spec.T)[0]) for jump in (0, 1000)]
    for net in nets:
        net.train()
    first = nets[0].fold.train
    np.testing.assert_array_equal(nets[0].predict(first), nets[1].predict(first))
    assert (nets[0].mean, nets[0].spread) == (nets[1].mean, nets[1].spread)
    np.testing.assert_array_equal(nets[0].change, nets[1].change)


def test_a_batch_is_scaled_and_a_prediction_is_scaled_back():
    fold = folds_of(wave(), 10)[0]
    net = Forecaster(SPEC, fold)
    x, y, *_ = net.batch(fold.train)
    assert x.shape == (10, len(y), 1) and y.shape == (len(y), 4)
    assert x.mean() == pytest.approx(0, abs=1e-5) and x.std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-5)
    net.model.head.parameters()["weight"][:] = 0
    net.model.head.parameters()["bias"][:] = 1  # one spread of the change, at each step ahead
    wanted = fold.test.x[:, -1:] + net.change
    np.testing.assert_allclose(net.predict(fold.test), wanted, rtol=1e-6)


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
def test_a_run_learns_and_comes_out_the_same_again(small, layer):
    spec = SPEC._replace(layer=layer)
    outcome = run(spec)
    fold = folds_of(wave(), spec.T)[0]
    naive = root_mean_square(fold.test.y - fold.test.x[:, -1:])
    assert isinstance(outcome, OutcomeForecast) and outcome.status == "ok"
    assert outcome.test < 0.5 * naive.mean() and outcome.sequences == 150 * 32
    assert outcome.test == pytest.approx(
        np.mean([float(t) for t in outcome.tests.split()]), rel=1e-3
    )
    assert run(spec) == outcome
    assert run(spec._replace(seed=1)).test != outcome.test


def test_a_run_that_overflows_is_an_outcome(small):
    outcome = run(SPEC._replace(lr=1e39, steps=10))
    assert outcome.status == "diverged" and outcome.test == np.inf


def test_unknown_names_are_refused(small):
    with pytest.raises(ValueError, match="task: expected one of"):
        run(SPEC._replace(task="weather"))
    with pytest.raises(ValueError, match="layer: expected one of"):
        run(SPEC._replace(layer="Elman"))


def test_errors_are_root_mean_squares_over_the_windows():
    assert root_mean_square(np.array([[3.0, 1], [4, -1]])).tolist() == [np.sqrt(12.5), 1]


# ---- The experiment ----


def test_every_place_is_tuned_and_reported():
    places = {(spec.task, spec.T) for spec in FORECAST.specs}
    assert places == {("glucose", 12), ("sunspots", 11)}
    assert FORECAST.plan.seeds == 10


def test_baselines_are_those_of_other_programs():
    (fold,) = TASKS["glucose"][0](12)
    one = LinearRegression().fit(fold.train.x[:, -3:], fold.train.y)
    wanted = root_mean_square(one.predict(fold.test.x[:, -3:]) - fold.test.y).mean()
    assert baselines.run(SpecBaseline("linear", "glucose", 3)).test == pytest.approx(wanted)
    value, errors = sunspots().value, []
    for n in range(250, 299):
        found = AutoReg(value[:n], 9).fit().forecast(11)
        errors.append(found - value[n : n + 11])
    outcome = baselines.run(SpecBaseline("AR(9)", "sunspots", 9))
    assert outcome.test == pytest.approx(root_mean_square(np.array(errors)).mean())
    each = [float(error) for error in outcome.tests.split()]
    assert len(each) == 11 and np.mean(each) == pytest.approx(outcome.test, rel=1e-4)
    with pytest.raises(ValueError, match="arm: expected one of"):
        baselines.run(SpecBaseline("guess", "glucose", 3))


@pytest.mark.slow
def test_rows_of_baselines_come_out_again():
    for spec, outcome in FORECAST_BASELINES.store().rows().items():
        assert baselines.run(spec).test == pytest.approx(outcome.test, rel=1e-3)
