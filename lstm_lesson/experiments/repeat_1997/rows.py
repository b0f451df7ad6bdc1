"""What a row of ``results/repeat_1997.csv`` holds: the settings of a run, and what it came to."""

from __future__ import annotations

from typing import NamedTuple


class Spec1997(NamedTuple):
    """All that decides the outcome of a run."""

    arm: str  # what is compared, by name
    task: str  # of `lstm_lesson.tasks.classics.CLASSICS`
    T: int  # its lag
    cell: str  # of the rule's `CELLS`
    rule: str  # of `training.LEARNERS`: "1997" for `RuleOf1997`, "Adam" for `WholeGradient`
    hidden_size: int  # cells
    biases: str  # initial ones of gates, as JSON: {"i": one per gate}, or {"chrono": longest lag}
    lr: float
    batch_size: int
    budget: int  # sequences at most; of a stream, pieces
    seed: int

    @property
    def steps(self) -> int:
        """Batches at most."""
        return self.budget // self.batch_size


class Outcome1997(NamedTuple):
    """What a run came to. Errors are squared, summed over the outputs, and means over the steps."""

    parameters: int  # trained ones
    trivial: float  # error of the best constant outputs
    status: str  # "ok", or "diverged"
    sequences: int  # trained on
    solved_at: int  # sequences seen when training met the task's rule; 0 for never
    validation_loss: float  # error over the last sequences trained on, each before its step
    test_loss: float
    tested: int  # sequences
    wrong: int  # of them
    symbols: float  # right ones before the first error of a stream, at the mean; 0 if no stream
    solved: bool  # whether the rule was met
