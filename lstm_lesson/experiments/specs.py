"""Every experiment of the book as data: which runs there are, and nothing of how they are done."""

from __future__ import annotations

import itertools
import json

from lstm_lesson.experiments.run import Outcome, Spec, run
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.validation import check_choice

SEEDS = range(10)


def _runs(
    arms: dict[str, dict], places: list[tuple[str, int]], rates, **fields
) -> tuple[Spec, ...]:
    """Return one spec for each arm, task and lag, learning rate and seed."""
    specs = []
    for (task, T), (arm, options), lr, seed in itertools.product(
        places, arms.items(), rates, SEEDS
    ):
        options = {name: T if value == "T" else value for name, value in options.items()}
        own = {"layer": "LSTM", "hidden_size": 32, "clip": 1.0, "batch_size": 32}
        own |= (
            {"engine": "numpy", "dtype": "float32"}
            | fields
            | {k: options.pop(k) for k in ("layer", "hidden_size") if k in options}
        )
        text = json.dumps(options, sort_keys=True)
        specs.append(Spec(arm=arm, task=task, T=T, options=text, lr=lr, seed=seed, **own))
    return tuple(specs)


START_IT_WELL = Experiment(
    name="start_it_well",
    about="initial values of an LSTM at short and long lags (chapter 7)",
    specs=_runs(
        {
            "forget bias 0": {"forget_bias": 0.0},
            "forget bias 1": {"forget_bias": 1.0},
            "forget bias 3": {"forget_bias": 3.0},
            "chrono": {"chrono": "T"},
            "forget bias 1, Xavier": {"forget_bias": 1.0, "recurrent_init": "xavier_uniform"},
        },
        places=[("adding", 20), ("adding", 100), ("temporal_order", 20), ("temporal_order", 100)],
        rates=(0.003, 0.01, 0.03),
        steps=2000,
        stop=True,
    ),
    run=run,
    outcome=Outcome,
    minutes=40,
)

EXPERIMENTS = {experiment.name: experiment for experiment in (START_IT_WELL,)}


def experiment(name: str) -> Experiment:
    """Return the experiment of that name; raise ValueError that names all of them if there's none."""
    return EXPERIMENTS[check_choice("experiment", name, EXPERIMENTS)]
