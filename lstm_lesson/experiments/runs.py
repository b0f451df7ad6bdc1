"""One training run from its specification, which is data; and what came of it."""

from __future__ import annotations

import json
import math
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
from lstm_lesson.training.batches import Fresh
from lstm_lesson.training.loop import Run
from lstm_lesson.training.models import Batch, SequenceModel, TorchModel
from lstm_lesson.training.optim import Adam

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
    stop: bool  # whether to end as soon as the validation score says that the task is solved
    engine: str  # "numpy" or "torch"
    dtype: str  # "float32" or "float64"
    seed: int


class Outcome(NamedTuple):
    """What a run came to. Losses and score are of the parameters with the best validation loss."""

    parameters: int
    trivial: float  # loss of the best predictor that sees no input
    status: str  # "ok", or "diverged" if a loss or gradient was no longer finite
    sequences: int  # trained on
    solved_at: int  # sequences seen when validation first said solved; 0 for never
    validation_loss: float
    test_loss: float
    score: float  # on the test data: share of classes right, or of the variance explained
    solved: bool  # whether that score is enough
    curve: str  # validation loss at each twentieth of the budget, spaces between


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


def run(spec: Spec) -> Outcome:
    """Train and test one model; a run whose numbers overflow is an outcome, not an error."""
    model, task, seed, parameters = build(spec)
    train, validate, test = (np.random.default_rng(s) for s in seed.spawn(3))
    validation, checks = sample(task, validate, VALIDATION, spec), []

    def measure(model) -> float:
        checks.append(evaluate(model, task, validation, spec.T))
        return checks[-1][0]

    every = max(1, spec.steps // CHECKS)
    training = Run(
        model, Fresh(lambda rng: sample(task, rng, spec.batch_size, spec), train),
        optimiser=Adam(spec.lr), steps=spec.steps, clip=spec.clip, may_diverge=True,
        validation=measure, validate_every=every,
        patience=spec.steps,  # without an end, but the best parameters are put back
        stop=lambda losses: spec.stop and checks[-1][1] >= task.solved,
    )  # fmt: skip
    with np.errstate(all="ignore"):
        steps = len(training.train().step)
        loss, score = evaluate(model, task, sample(task, test, TEST, spec), spec.T)
    solved = [n for n, (_, score) in enumerate(checks, start=1) if score >= task.solved]
    curve = [loss for loss, _ in checks[CHECKS // CURVE - 1 :: CHECKS // CURVE]]
    return Outcome(
        parameters=parameters,
        trivial=task.trivial(spec.T),
        status="diverged" if training.diverged else "ok",
        sequences=steps * spec.batch_size,
        solved_at=min(solved[0] * every, spec.steps) * spec.batch_size if solved else 0,
        validation_loss=min(training.losses, default=math.inf),
        test_loss=loss,
        score=score,
        # Diverged counts as not solved, whatever it had reached.
        solved=score >= task.solved and not training.diverged,
        curve=" ".join(f"{loss:.3g}" for loss in curve),
    )


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
