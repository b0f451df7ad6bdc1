"""The experiments of the second edition as data, by the rules of `lstm_lesson.experiments.rules`.

One whose name begins with ``second/`` is being made: its rows may be incomplete, and no chapter
reads them.
"""

from __future__ import annotations

import functools
import json

from lstm_lesson.experiments.runs import LAYERS, Spec
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.trials import Trial, trial
from lstm_lesson.experiments.tuning import OPEN, Plan
from lstm_lesson.tasks.synthetic import RANGES, TASKS

# What every arm is unless it says otherwise. In float32, gradients that vanish over a long lag
# become denormal, which is three times slower.
COMMON = {"layer": "LSTM", "hidden_size": 20, "clip": 1.0, "batch_size": 20, "steps": 2000}
COMMON |= {"engine": "numpy", "dtype": "float64"}

LSTM = {"layer": "LSTM", "forget_bias": 1.0}
GRU = {"layer": "GRU", "hidden_size": "matched", "update_bias": 1.0}
RNN = {"layer": "RNN", "hidden_size": "matched"}
RELU = RNN | {"nonlinearity": "relu"}


@functools.cache
def matched(layer: str, task: str, hidden_size: int) -> int:
    """Return the hidden size whose count of parameters, with the head, is nearest to an LSTM's."""
    D, V = TASKS[task].input_size, TASKS[task].output_size

    def count(kind: str, H: int) -> int:
        extra = H if kind == "GRU" else 0  # its candidate's second bias
        return LAYERS[kind].GATES * H * (D + H + 1) + extra + (H + 1) * V

    wanted = count("LSTM", hidden_size)
    return min(range(1, 8 * hidden_size), key=lambda H: abs(count(layer, H) - wanted))


def settings(arms: dict[str, dict], places: list[tuple[str, int]], **common) -> tuple[Spec, ...]:
    """Return one `Spec` for each task and lag and each arm, whose rate and seed are open.

    An arm is what differs: fields of a `Spec`, and options of its layer. A value "T" is the lag, a
    hidden size "matched" that of equal parameters.
    """
    common = COMMON | common
    found = []
    for task, T in places:
        for arm, differs in arms.items():
            own = {name: T if value == "T" else value for name, value in differs.items()}
            if own.get("hidden_size") == "matched":
                own["hidden_size"] = matched(own["layer"], task, common["hidden_size"])
            fields = common | {name: own.pop(name) for name in differs if name in Spec._fields}
            fields["options"] = json.dumps(own, sort_keys=True)
            found.append(Spec(arm=arm, task=task, T=T, **OPEN, **fields))
    return tuple(found)


def experiment(
    name: str, about: str, settings: tuple[Spec, ...], *, seeds: int, minutes: float,
    long_lag: float = float("inf"),
) -> Experiment:  # fmt: skip
    """Return an experiment that tunes each setting and then reports so many seeds of it."""
    plan = Plan(settings, seeds)
    return Experiment(
        name, about, tuple(plan({})), trial, Trial, minutes, long_lag=long_lag, plan=plan
    )


def _first_of(*ranges: tuple[float, float]) -> list[tuple[str, int]]:
    return [(f"first_of_{low:g}_to_{high:g}{mark}", 50) for low, high in ranges
            for mark in ("", "_marked")]  # fmt: skip


# Is it the mark, or the sign, that lets a GRU recall the first of fifty values? With and without a
# mark, with both signs and with one; and both signs in the width that the one sign has.
MARK_OR_SIGN = experiment(
    "second/mark_or_sign",
    "what lets a GRU recall the first of 50 values (chapter 15)",
    settings({"GRU": GRU}, _first_of(*RANGES[:3]), stop=True),
    seeds=20,
    minutes=5,
)

# And further from zero; and the LSTM on the first four.
OFFSETS = experiment(
    "second/offsets",
    "the same with values further from zero, and by an LSTM (chapter 15)",
    settings({"GRU": GRU}, _first_of(*RANGES[3:]), stop=True)
    + settings({"LSTM": LSTM}, _first_of(*RANGES[1:3]), stop=True),
    seeds=20,
    minutes=8,
)

# Every cell with the start that its literature recommends, and what that start consists of:
# activation and recurrent matrix of the RNN varied apart, gates that start at 0 and at 1.
FAIR_STARTS = experiment(
    "second/fair_starts",
    "RNN, LSTM and GRU with other initial values and ReLU (chapter 14)",
    settings(
        {
            "RNN": RNN,
            "RNN, U = 1": RNN | {"recurrent_init": "identity"},
            "RNN, ReLU": RELU,
            "RNN, ReLU, U = 1": RELU | {"recurrent_init": "identity"},
            # Le et al. 2015: U = 1, biases zero, input weights from N(0, 0.001).
            "IRNN": RELU | {"recurrent_init": "identity", "input_std": 0.001},
            "LSTM": LSTM,
            "LSTM, forget bias 0": LSTM | {"forget_bias": 0.0},
            "GRU": GRU,
            "GRU, update bias 0": GRU | {"update_bias": 0.0},
        },
        [("recall", 25), ("marked_value", 50), ("adding", 20), ("adding", 60)],
        stop=False,
    ),
    seeds=20,
    minutes=25,
)

SECOND_EDITION = (MARK_OR_SIGN, OFFSETS, FAIR_STARTS)
