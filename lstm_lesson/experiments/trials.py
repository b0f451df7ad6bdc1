"""One run: trained on after it is solved, looked at, and tested at its end.

`lstm_lesson.experiments.rules` says when a task is solved.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lstm_lesson.experiments.rules import IN_A_ROW, solved_look
from lstm_lesson.experiments.runs import CHECKS, CURVE, TEST, VALIDATION, Spec, build, evaluate
from lstm_lesson.experiments.runs import sample as draw
from lstm_lesson.tasks.synthetic import Task
from lstm_lesson.training.batches import Fresh
from lstm_lesson.training.loop import Run
from lstm_lesson.training.optim import Adam

VERSION = 2  # raised with every change after which a run comes to other numbers
AFTER = CHECKS // 10  # validations that a run which may stop takes on after those that solved it


class Trial(NamedTuple):
    """What a run came to. Losses and score are of the parameters with the best validation loss."""

    parameters: int
    trivial: float  # loss of the best predictor that sees no input
    status: str  # "ok", or "diverged" if a loss or gradient was no longer finite
    sequences: int  # trained on
    solved_at: int  # sequences seen at the first of three validations in a row that say solved;
    # 0 for never, and for a run that diverged
    validation_loss: float
    test_loss: float
    score: float  # on the test data, at the end: share of classes right, or of variance explained
    scores: str  # on the validation data, each time, rounded down, spaces between
    curve: str  # validation loss at each twentieth of the budget
    version: int  # of the engine, `VERSION`

    @property
    def solved(self) -> bool:
        """Whether the run solved its task within its budget."""
        return self.solved_at > 0


class Trained(NamedTuple):
    """A model with its best parameters, and what came of its training."""

    model: object  # of `lstm_lesson.training.models`
    task: Task
    seed: np.random.SeedSequence  # of more data
    trial: Trial


def trial(spec: Spec) -> Trial:
    """Train and test one model; a run whose numbers overflow is an outcome, not an error."""
    return train(spec).trial


def train(spec: Spec) -> Trained:
    """Train and test one model, and return it.

    With `spec.stop` a run ends a tenth of the budget after it is solved, else with the budget.
    """
    model, task, seed, parameters = build(spec)
    train, validate, test = (np.random.default_rng(s) for s in seed.spawn(3))
    validation, losses, scores = draw(task, validate, VALIDATION, spec), [], []

    def measure(model) -> float:
        loss, score = evaluate(model, task, validation, spec.T)
        losses.append(loss)
        scores.append(score)
        return loss

    def enough(_) -> bool:
        look = solved_look(scores, task.solved)
        return spec.stop and look is not None and len(scores) >= look + IN_A_ROW - 1 + AFTER

    every = max(1, spec.steps // CHECKS)
    training = Run(
        model, Fresh(lambda rng: draw(task, rng, spec.batch_size, spec), train),
        optimiser=Adam(spec.lr), steps=spec.steps, clip=spec.clip, may_diverge=True,
        validation=measure, validate_every=every, stop=enough,
        patience=spec.steps,  # without an end, but the best parameters are put back
    )  # fmt: skip
    with np.errstate(all="ignore"):
        steps = len(training.train().step)
        loss, score = evaluate(model, task, draw(task, test, TEST, spec), spec.T)
    look = None if training.diverged else solved_look(scores, task.solved)
    found = Trial(
        parameters=parameters,
        trivial=task.trivial(spec.T),
        status="diverged" if training.diverged else "ok",
        sequences=steps * spec.batch_size,
        solved_at=look * every * spec.batch_size if look else 0,
        validation_loss=min(training.losses, default=math.inf),
        test_loss=loss,
        score=score,
        scores=" ".join(f"{floor(score):.4g}" for score in scores),
        curve=" ".join(f"{v:.3g}" for v in losses[CHECKS // CURVE - 1 :: CHECKS // CURVE]),
        version=VERSION,
    )
    return Trained(model, task, seed, found)


def floor(score: float) -> float:
    """Return a score rounded down to four digits: over a criterion of two if and only if it was."""
    return math.floor(score * 1e4) / 1e4 if abs(score) < 1e9 else score
