"""One run of chapter 21: a network learns to classify sequences, and what it takes for what."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice, check_flag
from lstm_lesson.engine.layers import GRU, LSTM, RNN, Linear
from lstm_lesson.tasks.views import CLASSES, Parts, view
from lstm_lesson.training.loop import Run
from lstm_lesson.training.losses import softmax_cross_entropy
from lstm_lesson.training.models import Batch, Model, SequenceModel, TorchModel
from lstm_lesson.training.optim import Adam, CosineSchedule
from lstm_lesson.training.pooling import PooledModel

LAYERS = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}
NETWORKS = (*LAYERS, "MLP", "conv")
READS = ("last", "mean", "attention")
CLIP, CHECKS = 1.0, 10  # bound of the gradient's norm; validations in a run
VERSION = 1  # of the runs; raised with every change after which one comes to other numbers


class SpecClassify(NamedTuple):
    """All that decides the outcome of a run, on one processor to the last digit."""

    arm: str  # what is compared, by name
    task: str  # a view of `lstm_lesson.tasks.views`
    T: int  # steps of its longest sequence
    network: str  # a name in `NETWORKS`
    hidden_size: int  # of each direction; channels of a convolution
    read: str  # a name in `READS`; an MLP or convolution has its own reading, under "last"
    bidirectional: bool
    lengths: bool  # whether the network is told where padding begins, if there is any
    lr: float  # of Adam at the start; falls to zero along half a cosine
    batch_size: int
    steps: int
    seed: int


class OutcomeClassify(NamedTuple):
    """What a run came to, of the network after its last step. Scores are shares of classes right.

    A run that diverged has a score of 0.
    """

    parameters: int
    status: str  # "ok", or "diverged" if a loss or gradient was no longer finite
    sequences: int  # trained on, counted each time
    train: float  # score on the training data
    validation_loss: float
    validation: float  # score
    score: float  # on the test data
    alone: float  # the same, each sequence run by itself without padding
    confusion: str  # on the test data: of each class in turn, how often each class was said
    version: int

    @property
    def solved_at(self) -> int:
        """Return 0, for never: runs are ranked by their validation losses alone."""
        return 0

    @property
    def solved(self) -> bool:
        """Whether the run works: at least half of the test data right, five times chance."""
        return self.score >= 0.5


def generators(spec: SpecClassify) -> list[np.random.Generator]:
    """Return where the first weights and the batches come from."""
    return [np.random.default_rng(seed) for seed in np.random.SeedSequence(spec.seed).spawn(2)]


def untrained(spec: SpecClassify) -> Model:
    """Return the network of a run before its first step, in float32."""
    check_choice("network", spec.network, NETWORKS)
    check_choice("read", spec.read, READS)
    check_flag("bidirectional", spec.bidirectional)
    x = view(spec.task).train.x
    T, D = len(x), x.shape[2]
    if spec.network not in LAYERS:
        return TorchModel(_in_torch(spec, T, D), softmax_cross_entropy, "last")
    rng, _ = generators(spec)
    options = {"bidirectional": spec.bidirectional, "dtype": np.float32, "rng": rng}
    if spec.network == "LSTM":
        options["forget_bias"] = 1.0
    layer = LAYERS[spec.network](D, spec.hidden_size, **options)
    size = spec.hidden_size * (2 if spec.bidirectional else 1)
    head = Linear(size, CLASSES, dtype=np.float32, rng=rng)
    if spec.read == "last":
        return SequenceModel(layer, head, softmax_cross_entropy, "last")
    query = np.zeros(size, np.float32) if spec.read == "attention" else None
    return PooledModel(layer, head, softmax_cross_entropy, query)


def _in_torch(spec: SpecClassify, T: int, D: int):
    """Return an MLP with one hidden layer on all steps at once, or a convolution over time.

    The convolution has three layers of kernels of five steps, the last two with a stride of two,
    and its head reads the largest value of each channel over time.
    """
    import torch
    from torch import nn

    class Convolution(nn.Sequential):
        def forward(self, x):  # (T, N, D)
            return super().forward(x.permute(1, 2, 0))

    class Flat(nn.Sequential):
        def forward(self, x):
            return super().forward(x.swapaxes(0, 1).flatten(1))

    C, same = spec.hidden_size, {"padding": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        if spec.network == "MLP":
            return Flat(nn.Linear(T * D, C), nn.ReLU(), nn.Linear(C, CLASSES))
        return Convolution(
            nn.Conv1d(D, C, 5, **same), nn.ReLU(),
            nn.Conv1d(C, C, 5, stride=2, **same), nn.ReLU(),
            nn.Conv1d(C, C, 5, stride=2, **same), nn.ReLU(),
            nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(C, CLASSES),
        )  # fmt: skip


def data_of(spec: SpecClassify) -> Parts:
    """Return the sequences of a run: without their lengths, if the network isn't told."""
    parts = view(spec.task)
    return parts if spec.lengths else Parts(*(part._replace(lengths=None) for part in parts))


def train(spec: SpecClassify) -> tuple[Model, bool, list[float]]:
    """Return the trained network, whether all was finite, and the validation losses on the way."""
    model, data = untrained(spec), data_of(spec)
    _, batches = generators(spec)
    run = Run(
        model, data.train, optimiser=Adam(spec.lr), batch_size=spec.batch_size, steps=spec.steps,
        clip=CLIP, may_diverge=True, schedule=CosineSchedule(spec.lr, spec.steps),
        validation=data.validation, validate_every=-(-spec.steps // CHECKS),
        rng=batches,
    )  # fmt: skip
    with np.errstate(all="ignore"):
        run.train()
    return model, not run.diverged, run.losses


def classified(model: Model, batch: Batch) -> np.ndarray:
    """Return the class that the model says of each sequence, (N,)."""
    with np.errstate(all="ignore"):
        return model.forward(batch.x, batch.lengths)[0].argmax(axis=-1)


def classified_alone(model: Model, batch: Batch, lengths: np.ndarray) -> np.ndarray:
    """Return what the model says of each sequence, (N,), if it sees no padding.

    Sequences of one length go together, which changes nothing but the time it takes.
    """
    found = np.zeros(batch.x.shape[1], int)
    for length in np.unique(lengths):
        which = np.flatnonzero(lengths == length)
        found[which] = classified(model, Batch(batch.x[:length, which], batch.target[which]))
    return found


def confusion(said: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return how often each class, a row, was taken for each class, a column."""
    found = np.zeros((CLASSES, CLASSES), int)
    np.add.at(found, (target, said), 1)
    return found


def run(spec: SpecClassify) -> OutcomeClassify:
    """Train and test one network; a run whose numbers overflow is an outcome, not an error."""
    data, true = data_of(spec), view(spec.task).test.lengths
    model, finite, losses = train(spec)
    said = [classified(model, part) for part in data]
    scores = [np.mean(s == part.target) * finite for s, part in zip(said, data, strict=True)]
    alone = said[2] if true is None else classified_alone(model, data.test, true)
    return OutcomeClassify(
        parameters=sum(p.size for p in model.parameters().values()),
        status="ok" if finite else "diverged",
        sequences=spec.batch_size * spec.steps,
        train=float(scores[0]),
        validation_loss=losses[-1] if finite else math.inf,
        validation=float(scores[1]),
        score=float(scores[2]),
        alone=float(np.mean(alone == data.test.target) * finite),
        confusion=" ".join(map(str, confusion(said[2], data.test.target).ravel())),
        version=VERSION,
    )
