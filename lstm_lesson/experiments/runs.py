"""One training run, before its first step, from its specification, which is data."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import layers
from lstm_lesson.engine.arguments import check_choice
from lstm_lesson.engine.initializers import chrono
from lstm_lesson.experiments.blocks import AFTER
from lstm_lesson.experiments.gate_recurrence import GateRecurrentLSTM
from lstm_lesson.experiments.normalised import BatchNormLSTM, LayerNormLSTM
from lstm_lesson.tasks.synthetic import Task
from lstm_lesson.tasks.synthetic import task as find_task
from lstm_lesson.training.models import Batch, SequenceModel, TorchModel

OWN = (GateRecurrentLSTM, LayerNormLSTM, BatchNormLSTM)  # made for an experiment
LAYERS = {kind.__name__: kind for kind in (layers.LSTM, layers.GRU, layers.RNN, *OWN)}
LAYERS |= AFTER  # chapter 24
VALIDATION, TEST = 512, 2048  # sequences
CHECKS, CURVE = 40, 20  # validations in the whole budget, and how many of them are kept


class Spec(NamedTuple):
    """All that decides the outcome of a run, on one processor to the last digit."""

    arm: str  # what is compared, by name
    task: str  # of `lstm_lesson.tasks.TASKS`
    T: int  # its lag
    layer: str  # a name in `LAYERS`
    hidden_size: int
    options: str  # of the layer, as JSON; an LSTM's "chrono" is the longest lag, and a GRU's
    # "update_bias" the initial bias of its update gate; an RNN's "input_std" makes its input
    # weights normal with that standard deviation
    lr: float  # of Adam
    clip: float  # bound of the gradient's norm
    batch_size: int
    steps: int  # budget; every batch is new
    stop: bool  # whether to end a tenth of the budget after the validation data say solved
    engine: str  # "numpy" or "torch"
    dtype: str  # "float32" or "float64"
    seed: int


class Built(NamedTuple):
    """A run before its first step."""

    model: object  # of `lstm_lesson.training.models`
    task: Task
    seed: np.random.SeedSequence  # of its data
    parameters: int  # how many numbers are trained


def build(spec: Spec) -> Built:
    """Return the model of a run with its initial values; raise ValueError if `spec` is wrong."""
    task = find_task(spec.task)
    options = json.loads(spec.options)
    starts = ("chrono", "update_bias", "input_std")
    longest, update_bias, input_std = (options.pop(name, None) for name in starts)
    seeds = np.random.SeedSequence(spec.seed).spawn(2)
    rng = np.random.default_rng(seeds[0])
    make = LAYERS[check_choice("layer", spec.layer, LAYERS)]
    layer = make(task.input_size, spec.hidden_size, dtype=spec.dtype, rng=rng, **options)
    if longest is not None:
        layer.parameters()["bias_l0"][:] = chrono(spec.hidden_size, longest, rng)
    if update_bias is not None:
        layer.parameters()["bias_l0"][spec.hidden_size : 2 * spec.hidden_size] = update_bias
    if input_std is not None:
        weight = layer.parameters()["weight_ih_l0"]
        weight[:] = rng.normal(0, input_std, weight.shape)
    head = layers.Linear(spec.hidden_size, task.output_size, dtype=spec.dtype, rng=rng)
    model = SequenceModel(layer, head, task.loss, task.read)
    if check_choice("engine", spec.engine, ("numpy", "torch")) == "torch":
        model = _as_torch(layer, head, task)
    return Built(model, task, seeds[1], layer.num_parameters + head.num_parameters)


def evaluate(model, task, batch: Batch, T: int) -> tuple[float, float]:
    """Return the loss and the score of a batch."""
    y, _ = model.forward(batch.x)
    return task.loss(y, batch.target, batch.mask)[0], task.score(y, batch, T)


def sample(task, rng, N: int, spec: Spec) -> Batch:
    """Return N sequences of a run's task at its lag, in its precision."""
    x, target, _, mask = task.sample(rng, N, spec.T)
    kind = target.dtype if target.dtype.kind in "iu" else spec.dtype
    return Batch(x.astype(spec.dtype), target.astype(kind), mask=mask)


def _as_torch(layer, head, task) -> TorchModel:
    """Return the same model as PyTorch modules, whose second biases stay at zero.

    Trained as well, two biases that are only ever added would take twice the step of one.
    """
    import torch

    from lstm_lesson import interop

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = interop.to_torch(layer)
            dtype = getattr(torch, layer.dtype.name)
            self.head = torch.nn.Linear(layer.hidden_size, task.output_size, dtype=dtype)
            with torch.no_grad():
                for name, p in head.parameters().items():
                    getattr(self.head, name).copy_(torch.from_numpy(p))
            trained = torch.zeros(layer.GATES * layer.hidden_size, dtype=dtype)
            if isinstance(layer, layers.GRU):  # but for its candidate's, which is no second one
                trained[-layer.hidden_size :] = 1
            self.layer.bias_hh_l0.register_hook(lambda gradient: gradient * trained)

        def forward(self, x):
            output, _ = self.layer(x)
            return self.head(output[-1] if task.read == "last" else output)

    return TorchModel(Net(), task.loss, task.read)
