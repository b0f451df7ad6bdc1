"""The experiments of the second edition as data, by the rules of `lstm_lesson.experiments.rules`.

One whose name begins with ``second/`` is being made: its rows may be incomplete, and no chapter
reads them.
"""

from __future__ import annotations

import functools
import json

from lstm_lesson.experiments import lengths
from lstm_lesson.experiments.runs import LAYERS, Spec
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.trials import Trial, trial
from lstm_lesson.experiments.tuning import FIRST, FIVE, OPEN, Plan
from lstm_lesson.tasks.synthetic import RANGES, TASKS

# What every arm is unless it says otherwise. In float32, gradients that vanish over a long lag
# become denormal, which is three times slower.
COMMON = {"layer": "LSTM", "hidden_size": 20, "clip": 1.0, "batch_size": 20, "steps": 2000}
COMMON |= {"engine": "numpy", "dtype": "float64"}

LSTM = {"layer": "LSTM", "forget_bias": 1.0}
GRU = {"layer": "GRU", "hidden_size": "matched", "update_bias": 1.0}
RNN = {"layer": "RNN", "hidden_size": "matched"}
RELU = RNN | {"nonlinearity": "relu"}
# Le et al. 2015: U = 1, biases zero, input weights normal with a standard deviation of 0.001.
IRNN = RELU | {"recurrent_init": "identity", "input_std": 0.001}
CHRONO = {"layer": "LSTM", "chrono": "T"}


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
    run=trial, outcome: type = Trial, first: tuple[float, ...] = FIRST,
) -> Experiment:  # fmt: skip
    """Return an experiment that tunes each setting and then reports so many seeds of it.

    Lags of 40 steps and more are long: what is left takes about a fifth of the time.
    """
    plan = Plan(settings, seeds, first)
    return Experiment(name, about, tuple(plan({})), run, outcome, minutes, long_lag=40, plan=plan)


def _first_of(*ranges: tuple[float, float]) -> list[tuple[str, int]]:
    return [(f"first_of_{low:g}_to_{high:g}{mark}", 50) for low, high in ranges
            for mark in ("", "_marked")]  # fmt: skip


# Is it the mark, or the sign, that lets a GRU recall the first of fifty values? With and without a
# mark, with both signs and with one, in a range of the same width.
MARK_OR_SIGN = experiment(
    "mark_or_sign",
    "what lets a GRU recall the first of 50 values (chapter 15)",
    settings({"GRU": GRU}, _first_of(*RANGES[:2]), stop=True),
    seeds=30,
    minutes=4,
)

# And in wider ranges, nearer to zero and further from it; and by the LSTM.
OFFSETS = experiment(
    "offsets",
    "the same with wider ranges further from zero, and by an LSTM (chapter 15)",
    settings({"GRU": GRU}, _first_of(*RANGES[2:]), stop=True)
    + settings({"LSTM": LSTM}, _first_of(*RANGES[1:3]), stop=True),
    seeds=20,
    minutes=10,
)

# Every cell with the start that its literature recommends, at equal parameters and at equal size.
LSTM_AGAINST_RNN = experiment(
    "lstm_against_rnn",
    "RNN, LSTM and GRU at equal size, and at equal parameters (chapter 14)",
    settings(
        {
            "RNN, equal size": {"layer": "RNN"},
            "GRU, equal size": {"layer": "GRU", "update_bias": 1.0},
            "RNN": RNN,
            "IRNN": IRNN,
            "GRU": GRU,
            "LSTM": LSTM,
        },
        [("sine", 30), ("recall", 25), ("adding", 20), ("adding", 60), ("marked_value", 50),
         ("noisy_pattern", 80)],
        stop=False,
    ),
    seeds=20,
    minutes=35,
)  # fmt: skip

# What a start consists of: activation and recurrent matrix of the RNN varied apart, and gates that
# start at 0. The arms that these are held against are those of `lstm_against_rnn`.
FAIR_STARTS = experiment(
    "fair_starts",
    "RNN, LSTM and GRU with other initial values and ReLU (chapter 14)",
    settings(
        {
            "RNN, U = 1": RNN | {"recurrent_init": "identity"},
            "RNN, ReLU": RELU,
            "RNN, ReLU, U = 1": RELU | {"recurrent_init": "identity"},
            "LSTM, forget bias 0": LSTM | {"forget_bias": 0.0},
            "GRU, update bias 0": GRU | {"update_bias": 0.0},
        },
        [("recall", 25), ("marked_value", 50), ("adding", 20), ("adding", 60)],
        stop=False,
    ),
    seeds=20,
    minutes=20,
)

LONGER_THAN_TRAINED = experiment(
    "longer_than_trained",
    "parity, counting and brackets: trained to 40 steps, tested to 500 (chapter 13)",
    settings(
        {"RNN": RNN, "RNN, ReLU, U = 1": RELU | {"recurrent_init": "identity"}, "GRU": GRU,
         "LSTM": LSTM},
        [("parity", 40), ("modular_counting", 40), ("a_n_b_n", 40), ("brackets", 40)],
        steps=4000,
        stop=True,
    ),
    seeds=20,
    minutes=20,
    run=lengths.run,
    outcome=lengths.Lengths,
)  # fmt: skip

START_IT_WELL = experiment(
    "start_it_well",
    "initial values of an LSTM at short and long lags (chapter 7)",
    settings(
        {
            "forget bias 0": LSTM | {"forget_bias": 0.0},
            "forget bias 1": LSTM,
            "forget bias 3": LSTM | {"forget_bias": 3.0},
            "chrono": CHRONO,
            "forget bias 1, Xavier": LSTM | {"recurrent_init": "xavier_uniform"},
        },
        [("adding", 20), ("adding", 100), ("temporal_order", 20), ("temporal_order", 100)],
        stop=True,
    ),
    seeds=30,
    minutes=30,
)

REMOVE_ONE_PIECE = experiment(
    "remove_one_piece",
    "the LSTM without each of its parts, and the GRU (chapter 16)",
    settings(
        {
            "LSTM": LSTM,
            "no input gate": LSTM | {"remove_gates": ["i"]},
            "no forget gate": LSTM | {"remove_gates": ["f"]},
            "no output gate": LSTM | {"remove_gates": ["o"]},
            "no input activation": LSTM | {"cell_activation": "identity"},
            "no output activation": LSTM | {"hidden_activation": "identity"},
            "coupled gates": LSTM | {"couple_input_forget": True},
            "peepholes": LSTM | {"peephole": True},
            "full gate recurrence": {"layer": "GateRecurrentLSTM"},
            "GRU": GRU,
            "GRU, update bias 0": GRU | {"update_bias": 0.0},
        },
        [("adding", 50), ("temporal_order", 50), ("noisy_pattern", 50)],
        stop=True,
    ),
    seeds=30,
    minutes=110,
)

_STRETCHED = {"RNN": RNN, "RNN, ReLU": RELU, "IRNN": IRNN, "GRU": GRU, "LSTM": LSTM,
              "LSTM, chrono": CHRONO}  # fmt: skip
_LONG = ("recall", "adding", "temporal_order")

# The lags that claims are made of. That most runs solve a task can't be shown by ten of them: if
# all do, the chance of that is 0.002 without it, and there are some thirty questions on the page.
STRETCH_THE_LAG = experiment(
    "stretch_the_lag",
    "how long a lag RNN, GRU, LSTM and chrono LSTM learn (chapter 15)",
    settings(_STRETCHED, [(task, T) for T in (25, 50, 100) for task in _LONG], stop=True),
    seeds=20,
    minutes=55,
    first=FIVE,
)

# And further, where no claim is made.
STRETCH_FURTHER = experiment(
    "second/stretch_further",
    "the same at longer lags (chapter 15)",
    settings(_STRETCHED, [(t, 200) for t in _LONG], stop=True)
    # Further still, for those that had not failed yet in the first edition.
    + settings({"GRU": GRU, "LSTM": LSTM}, [("adding", 400)], stop=True)
    + settings({"LSTM, chrono": CHRONO}, [(task, 400) for task in _LONG], stop=True),
    seeds=10,
    minutes=90,
    first=FIVE,
)

# The copy task is scored by what was given back, in bits.
COUNT_BITS = experiment(
    "count_bits",
    "how much RNN, GRU, LSTM and chrono LSTM can copy (chapter 15)",
    settings(_STRETCHED, [("copy", T) for T in (5, 10, 20, 40)], stop=True),
    seeds=10,
    minutes=26,
    first=FIVE,
)

# Does training go faster with normalised gates? The LSTMs they are held against are those of
# `stretch_the_lag`, of as many units, with the same rates and seeds. In recall, the size of an
# input is the message.
NORMALISED_GATES = experiment(
    "normalised_gates",
    "an LSTM with gates normalised over its units or over the batch (chapter 11)",
    settings(
        {
            "LSTM, layer norm": {"layer": "LayerNormLSTM", "forget_bias": 1.0},
            "LSTM, batch norm": {"layer": "BatchNormLSTM", "forget_bias": 1.0},
        },
        [(task, 25) for task in _LONG],
        stop=True,
    ),
    seeds=20,
    minutes=13,
    first=FIVE,
)

SECOND_EDITION = (MARK_OR_SIGN, LONGER_THAN_TRAINED, LSTM_AGAINST_RNN, FAIR_STARTS, OFFSETS,
                  START_IT_WELL, REMOVE_ONE_PIECE, STRETCH_THE_LAG, STRETCH_FURTHER, COUNT_BITS,
                  NORMALISED_GATES)  # fmt: skip
