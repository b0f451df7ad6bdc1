"""What the gates of trained networks do, in numbers: ten seeds a task, and untrained controls.

Chapter 12 draws and discusses the rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lstm_lesson.experiments.runs import TEST, Spec, build
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.inspect.gate_statistics import correlation, three_ways
from lstm_lesson.inspect.tracing import LSTMTrace, trace
from lstm_lesson.training.batches import Fresh
from lstm_lesson.training.loop import fit
from lstm_lesson.training.models import Batch
from lstm_lesson.training.optim import Adam

LOW, HIGH = 0.1, 0.9  # a gate beyond them counts as saturated, as in Karpathy et al. 2015
STEPS = 1500  # of training
TRACED = 256  # sequences over which the statistics of a run are taken

# What the input has to be at a step for that step to matter: x (T, N, D) -> (T, N), 0 or 1.
IMPORTANT: dict[str, Callable] = {
    "adding": lambda x: x[..., 1],  # the marks
    "marked_value": lambda x: x[..., 1],
    "temporal_order": lambda x: x[..., 4] + x[..., 5],  # an X or a Y
    "recall": lambda x: np.broadcast_to((np.arange(len(x)) == 0)[:, None] * 1.0, x.shape[:2]),
}


class GateStatistics(NamedTuple):
    """Statistics of the gates of one network over many sequences.

    A correlation over the steps of all sequences can be read in three ways, which differ: ``_unit``
    is taken for each unit by itself, then the mean over the units; ``_layer`` is that of the mean
    gate of the layer; ``_pooled`` puts the steps of all units into one heap.
    """

    score: float  # on test data, as in `lstm_lesson.tasks`
    solved: bool
    i_mean: float  # over steps, sequences and units
    f_mean: float
    o_mean: float
    i_low: float  # share below `LOW`
    f_low: float
    o_low: float
    i_high: float  # share above `HIGH`
    f_high: float
    o_high: float
    i_input_unit: float  # input gate and whether the input is important
    i_input_layer: float
    i_input_pooled: float
    i_input_best: float  # the unit with the highest
    f_i_unit: float  # forget gate and input gate
    f_i_layer: float
    f_i_pooled: float


def statistics(traced: LSTMTrace, important: np.ndarray) -> dict[str, float]:
    """Return `GateStatistics` of a trace, (T, N, H), given what is important, (T, N), by name."""
    found = {}
    for key in "ifo":
        gate = getattr(traced, key)
        found[f"{key}_mean"] = float(gate.mean())
        found[f"{key}_low"] = float((gate < LOW).mean())
        found[f"{key}_high"] = float((gate > HIGH).mean())
    pairs = {"i_input": (traced.i, important[..., None]), "f_i": (traced.f, traced.i)}
    for name, (a, b) in pairs.items():
        found |= {f"{name}_{way}": value for way, value in three_ways(a, b).items()}
    return {name: value for name, value in found.items() if name in GateStatistics._fields}


def trained(spec: Spec):
    """Return the model of a run after its last step, its task and test data."""
    model, task, seed, _ = build(spec)
    learn, test = (np.random.default_rng(s) for s in seed.spawn(2))
    if spec.steps:
        source = Fresh(lambda rng: task.sample(rng, spec.batch_size, spec.T), learn)
        fit(model, source, optimiser=Adam(spec.lr), steps=spec.steps, clip=spec.clip)
    return model, task, Batch(*task.sample(test, TEST, spec.T))


def run(spec: Spec) -> GateStatistics:
    """Train one model, or with no steps leave it as it starts, and measure its gates."""
    model, task, batch = trained(spec)
    score = task.score(model.forward(batch.x)[0], batch, spec.T)
    x = batch.x[:, :TRACED]
    found = statistics(trace(model.layer, x), IMPORTANT[spec.task](x))
    return GateStatistics(score=score, solved=bool(score >= task.solved), **found)


def _specs() -> tuple[Spec, ...]:
    common = {"layer": "LSTM", "T": 20, "hidden_size": 16, "lr": 0.01, "clip": 1.0}
    common |= {"batch_size": 32, "stop": False, "engine": "numpy", "dtype": "float64"}
    arms = {"untrained": (0, 1.0), "trained": (STEPS, 1.0)}
    arms |= {"untrained, bias 0": (0, 0.0), "trained, bias 0": (STEPS, 0.0)}
    return tuple(
        Spec(arm=arm, task=task, steps=steps, options=f'{{"forget_bias": {bias}}}', seed=seed,
             **common)
        for task, (arm, (steps, bias)), seed in itertools.product(
            IMPORTANT, arms.items(), range(10)
        )
    )  # fmt: skip


WATCH_THE_GATES = Experiment(
    name="watch_the_gates",
    about="gates of trained and untrained networks on four tasks (chapter 12)",
    specs=_specs(),
    run=run,
    outcome=GateStatistics,
    minutes=8,
)

__all__ = ["HIGH", "IMPORTANT", "LOW", "WATCH_THE_GATES", "GateStatistics", "correlation", "run",
           "statistics", "three_ways", "trained"]  # fmt: skip
