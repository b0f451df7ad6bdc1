"""Does what a cell has learned on short sequences go on? Trained to 40 steps, tested to 500."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.experiments.runs import Spec
from lstm_lesson.experiments.trials import train

LENGTHS = (40, 60, 100, 200, 500)
TESTED = 512  # sequences of each length


class Lengths(NamedTuple):
    """What a run came to: as in `Trial`, and the share of sequences it gets right, all steps."""

    parameters: int
    trivial: float
    status: str
    sequences: int
    solved_at: int
    validation_loss: float
    test_loss: float
    score: float
    scores: str
    curve: str
    at_40: float
    at_60: float
    at_100: float
    at_200: float
    at_500: float
    version: int

    @property
    def solved(self) -> bool:
        """Whether the run solved its task at the length that it was trained on."""
        return self.solved_at > 0


def run(spec: Spec, tested: int = TESTED) -> Lengths:
    """Train a model and test it on sequences of each of `LENGTHS`, drawn by seeds of their own."""
    model, task, seed, trial = train(spec)
    found = {}
    for T, own in zip(LENGTHS, seed.spawn(len(LENGTHS)), strict=True):
        batch = task.sample(np.random.default_rng(own), tested, T)
        y, _ = model.forward(batch.x.astype(spec.dtype))
        found[f"at_{T}"] = task.score(y, batch, T)
    return Lengths(**trial._asdict(), **found)
