"""Every experiment of the book as data: which runs there are, and nothing of how they are done.

`EXPERIMENTS` is the registry. Two are described where their runs are: chapter 12's beside what it
measures of gates, chapter 17's in `repeat_1997.specs`.
"""

from __future__ import annotations

import functools

from lstm_lesson.engine.arguments import check_choice
from lstm_lesson.experiments.after_the_lstm import AFTER_THE_LSTM
from lstm_lesson.experiments.classify.specs import CLASSIFY, CLASSIFY_VIEWS
from lstm_lesson.experiments.forecast.baselines import FORECAST_BASELINES
from lstm_lesson.experiments.forecast.specs import FORECAST
from lstm_lesson.experiments.repeat_1997.specs import REPEAT_1997
from lstm_lesson.experiments.runs import Outcome, run
from lstm_lesson.experiments.second_edition import SECOND_EDITION, settings
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.watch_the_gates import WATCH_THE_GATES
from lstm_lesson.experiments.write_text.baselines import WRITE_TEXT_BASELINES
from lstm_lesson.experiments.write_text.specs import NEVER_ANEW, WRITE_TEXT, WRITE_TEXT_SIZES

SEEDS = range(10)
TrainingRuns = functools.partial(Experiment, run=run, outcome=Outcome)


def _runs(arms: dict[str, dict], places: list[tuple[str, int]], rates, **common) -> tuple:
    """Return a run of each of the `settings` at each learning rate with each seed."""
    return tuple(
        setting._replace(lr=lr, seed=seed)
        for setting in settings(arms, places, **common)
        for lr in rates
        for seed in SEEDS
    )


_STRETCHED = {
    "RNN": {"layer": "RNN", "hidden_size": "matched"},
    "GRU": {"layer": "GRU", "hidden_size": "matched", "update_bias": 1.0},
    "LSTM": {"layer": "LSTM"},
    "LSTM, chrono": {"layer": "LSTM", "chrono": "T"},
}
_BUDGET = {"rates": (0.003, 0.01), "steps": 2000, "stop": True}

STRETCH_THE_LAG = TrainingRuns(
    name="stretch_the_lag",
    about="how long a lag RNN, GRU, LSTM and chrono LSTM learn (chapter 15)",
    specs=_runs(
        _STRETCHED,
        places=[
            *(("recall", T) for T in (10, 25, 50, 100)),
            *(("adding", T) for T in (25, 50, 100, 200)),
            *(("temporal_order", T) for T in (25, 50, 100, 200)),
            *(("copy", T) for T in (5, 10, 20, 40)),
        ],
        **_BUDGET,
    )
    # Further, for the arms that had not failed yet.
    + _runs(
        {name: arm for name, arm in _STRETCHED.items() if name != "RNN"},
        places=[("adding", 400)],
        **_BUDGET,
    )
    + _runs(
        {"LSTM, chrono": _STRETCHED["LSTM, chrono"]},
        places=[("recall", 200), ("recall", 400), ("temporal_order", 400)],
        **_BUDGET,
    ),
    minutes=90,
    long_lag=100,
)

# Every experiment there is, by name; `experiment` looks here.
EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        STRETCH_THE_LAG,
        REPEAT_1997,
        WATCH_THE_GATES,
        *SECOND_EDITION,
        *AFTER_THE_LSTM,
        WRITE_TEXT,
        WRITE_TEXT_SIZES,
        NEVER_ANEW,
        WRITE_TEXT_BASELINES,
        CLASSIFY,
        FORECAST,
        FORECAST_BASELINES,
        CLASSIFY_VIEWS,
    )
}


def experiment(name: str) -> Experiment:
    """Return the experiment of that name; raise ValueError that names all if there is none."""
    return EXPERIMENTS[check_choice("experiment", name, EXPERIMENTS)]
