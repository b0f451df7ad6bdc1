"""One run: a network of 1997 or of today learns a task of the papers, and is tested.

A run is a way to learn, `RuleOf1997` or `WholeGradient`, fed by data that are always new, of a
fixed set, or of streams, and a record of how the last sequences went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice
from lstm_lesson.experiments.repeat_1997.rows import Outcome1997, Spec1997
from lstm_lesson.experiments.repeat_1997.rule_of_1997 import OncePerSequence, RuleOf1997
from lstm_lesson.experiments.repeat_1997.settings import SETTINGS
from lstm_lesson.experiments.repeat_1997.whole_gradient import WholeGradient
from lstm_lesson.tasks.classics import ClassicBatch, classic

LEARNERS = {  # by `Spec1997.rule`
    "1997": RuleOf1997,
    "1997, by sequence": OncePerSequence,
    "Adam": WholeGradient,
}
DRAWN = 64  # sequences drawn at once
PIECE = 50  # steps of a stream between two updates, where the gradient is cut, too
PIECES = 20  # of a stream in training; then another begins, from a state of zeros
STREAM = 100_000  # symbols of a test stream
READ = 1000  # of them read at once


class Tested(NamedTuple):
    """What a test came to; the fields are those of `Outcome1997`."""

    test_loss: float
    tested: int
    wrong: int
    symbols: float


def run(spec: Spec1997) -> Outcome1997:
    """Train and test one network; a run whose numbers overflow is an outcome, not an error.

    Raises ValueError if a field of `spec` is none of those that are known.
    """
    task, learner = classic(spec.task), LEARNERS[check_choice("rule", spec.rule, LEARNERS)]
    check_choice("cell", spec.cell, learner.CELLS)
    if task.continual and spec.rule != "Adam":
        raise ValueError(f"task: {spec.task} has no end, which the rule {spec.rule} needs")
    seeds = np.random.SeedSequence(spec.seed).spawn(3)
    first, training, testing = (np.random.default_rng(seed) for seed in seeds)
    with np.errstate(all="ignore"):
        net, record = learner(spec, first), Record(spec.task)
        train, test = (
            (train_on_streams, test_on_streams) if task.continual else
            (train_on_sequences, test_on_sequences)
        )  # fmt: skip
        status, solved_at = train(net, spec, training, record)
        tested = test(net, spec, testing)
    solved = tested.wrong == 0 and status == "ok" if task.continual else solved_at > 0
    return Outcome1997(
        parameters=net.num_parameters,
        trivial=task.trivial(spec.T),
        status=status,
        sequences=record.sequences,
        solved_at=solved_at,
        validation_loss=record.loss,
        solved=solved,
        **tested._asdict(),
    )


class Record:
    """How the last sequences went, each before it was learned from."""

    def __init__(self, task: str):
        self.task, self.setting, self.sequences = classic(task), SETTINGS[task], 0
        kept = max(self.setting.window, 100)
        self.wrong = np.ones(kept, bool)  # in a ring, as the others
        self.errors = np.full(kept, np.inf)  # absolute, at the mean
        self.losses = np.full(kept, np.nan)

    def note(self, y: np.ndarray, batch: ClassicBatch) -> None:
        """Take in the outputs (L, N, V) for a batch."""
        steps, N = batch.mask.sum(axis=0), y.shape[1]
        off = np.where(batch.mask[..., None], y - batch.target, 0)
        places = (self.sequences + np.arange(N)) % len(self.wrong)
        self.wrong[places] = ~self.task.right(y, batch).all(axis=0)
        self.errors[places] = np.abs(off).mean(axis=-1).sum(axis=0) / steps
        self.losses[places] = np.square(off).sum(axis=(0, -1)) / steps
        self.sequences += N

    @property
    def loss(self) -> float:
        """The squared error of the last sequences, at the mean of those of which there is one."""
        losses = self.losses[~np.isnan(self.losses)]
        return float(losses.mean()) if losses.size else float("nan")

    @property
    def meets_rule(self) -> bool:
        """Whether the last sequences went as well as the paper asks."""
        few = self.sequences >= len(self.wrong) and self.wrong.sum() <= self.setting.allowed
        return bool(few and self.errors.mean() < self.setting.mean_error)


# ---- Sequences, always new or of a fixed set ----


def train_on_sequences(net, spec: Spec1997, rng, record: Record) -> tuple[str, int]:
    """Train until the task's rule is met; return the status and at which sequence that was."""
    task, setting, checked = classic(spec.task), SETTINGS[spec.task], 0
    sets = [task.sample(rng, setting.fixed, spec.T) for _ in range(2)] if setting.fixed else []

    def draw(N: int) -> ClassicBatch:
        if sets:
            return sets[0].part(sequences=rng.integers(setting.fixed, size=N))
        return task.sample(rng, N, spec.T)

    for batch in batches(spec, draw):
        y, finite = net.learn(batch)
        record.note(y, batch)
        if not finite:
            return "diverged", 0
        if record.meets_rule and record.sequences - checked >= setting.window:
            checked = record.sequences
            if all(task.right(net.predict(one), one).all() for one in sets):
                return "ok", record.sequences
    return "ok", 0


def batches(spec: Spec1997, draw: Callable[[int], ClassicBatch]) -> Iterator[ClassicBatch]:
    """Yield the batches of a run, cut to their longest sequence; ``draw(N)`` draws N sequences."""
    B, budget = spec.batch_size, spec.steps * spec.batch_size
    at_once = max(1, DRAWN // B) * B
    for start in range(0, budget, at_once):
        drawn = draw(at_once)
        for first in range(0, min(at_once, budget - start), B):
            batch = drawn.part(sequences=slice(first, first + B))
            yield batch.part(steps=slice(np.flatnonzero(batch.mask.any(axis=1))[-1] + 1))


def test_on_sequences(net, spec: Spec1997, rng) -> Tested:
    """Test on new sequences."""
    task, tested = classic(spec.task), SETTINGS[spec.task].tested
    wrong, losses = 0, []
    for start in range(0, tested, 256):
        batch = task.sample(rng, min(256, tested - start), spec.T)
        y = net.predict(batch)
        wrong += int((~task.right(y, batch).all(axis=0)).sum())
        losses.append(np.square(y - batch.target).sum(axis=-1)[batch.mask])
    return Tested(float(np.concatenate(losses).mean()), tested, wrong, 0.0)


# ---- Streams ----


def train_on_streams(net: WholeGradient, spec: Spec1997, rng, record: Record) -> tuple[str, int]:
    """Train on pieces of streams, the state carried from each to the next; return the status, 0."""
    task = classic(spec.task)
    for step in range(spec.steps):
        place = step % PIECES
        if place == 0:
            stream = task.sample(rng, spec.batch_size, PIECES * PIECE)
        piece = stream.part(steps=slice(place * PIECE, (place + 1) * PIECE))
        y, finite = net.learn(piece, net.state if place else None)
        record.note(y, piece)
        if not finite:
            return "diverged", 0
    return "ok", 0


def test_on_streams(net: WholeGradient, spec: Spec1997, rng) -> Tested:
    """Test on long streams, each up to its first error."""
    task, tested = classic(spec.task), SETTINGS[spec.task].tested
    streams = task.sample(rng, tested, STREAM)
    state, lasted, losses = None, np.full(tested, float(STREAM)), []
    for start in range(0, STREAM, READ):
        part = streams.part(steps=slice(start, start + READ))
        y, state, _ = net.forward(part.x, state, keep=False)
        right = task.right(y, part)  # (READ, tested)
        fresh = lasted == STREAM
        lasted[fresh] = np.where(right.all(axis=0), STREAM, start + right.argmin(axis=0))[fresh]
        losses.append(np.square(y - part.target).sum(axis=-1).mean())
        if (lasted < STREAM).all():
            break
    return Tested(
        float(np.mean(losses)), tested, int((lasted < STREAM).sum()), float(lasted.mean())
    )
