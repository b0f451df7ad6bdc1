"""Runs of the tasks of 1997 to 2002, trained side by side as replicas, and what came of them.

Runs that differ in seed and learning rate alone share every NumPy call, for their networks are so
small that a call costs more than its arithmetic. Each draws its own data, and leaves when done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice
from lstm_lesson.experiments.repeat_1997 import plain_nets, rule_of_1997
from lstm_lesson.experiments.repeat_1997.plain_nets import ReplicaSpec
from lstm_lesson.tasks.classics import Classic, Drawn, classic
from lstm_lesson.training.optim import Adam

CELLS = {"1997": tuple(rule_of_1997.CELLS), "Adam": ("1997", "LSTM", "peephole")}  # of each rule
CLIP = 1.0  # bound of a replica's gradient norm, under Adam
DRAWN = 64  # sequences drawn at once
PIECE = 50  # steps of a stream between two updates, where the gradient is cut, too
PIECES = 20  # of a stream in training; then another begins, from a state of zeros
STREAM = 100_000  # symbols of a test stream


class ReplicaOutcome(NamedTuple):
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


def side_by_side(spec: ReplicaSpec) -> ReplicaSpec:
    """Return what runs that can be trained together have in common."""
    return spec._replace(lr=0.0, seed=0)


def run(spec: ReplicaSpec) -> ReplicaOutcome:
    """Train and test one network."""
    return run_together([spec])[0]


def run_together(specs: Sequence[ReplicaSpec]) -> list[ReplicaOutcome]:
    """Train and test networks that differ in seed and rate alone; return an outcome for each."""
    if len({side_by_side(spec) for spec in specs}) != 1:
        raise ValueError("specs: expected runs that differ in lr and seed alone")
    with np.errstate(all="ignore"):
        return _Replicas(specs).train()


class _Replicas:
    """Networks on their way; index s of an array belongs to run ``going[s]``."""

    def __init__(self, specs: Sequence[ReplicaSpec]):
        self.specs, self.spec = list(specs), specs[0]
        self.task: Classic = classic(self.spec.task)
        check_choice("cell", self.spec.cell, CELLS[check_choice("rule", self.spec.rule, CELLS)])
        self.old = self.spec.rule == "1997"
        seeds = [np.random.SeedSequence(spec.seed).spawn(3) for spec in specs]
        first, train, test = zip(*([np.random.default_rng(s) for s in trio] for trio in seeds),
                                 strict=True)  # fmt: skip
        initial = (rule_of_1997 if self.old else plain_nets).initial
        each = [initial(self.spec, rng) for rng in first]
        self.params = {name: np.stack([p[name] for p in each]) for name in each[0]}
        self.train_rngs, self.test_rngs = train, test
        self.going = np.arange(len(specs))
        self.lr = np.array([spec.lr for spec in specs])[:, None, None]
        self.outcomes: list[ReplicaOutcome | None] = [None] * len(specs)
        window = max(self.task.window, 100)
        self.wrong = np.ones((len(specs), window), bool)  # of the last sequences, in a ring
        self.errors = np.full((len(specs), window), np.inf)  # absolute, at the mean
        self.losses = np.full((len(specs), window), np.nan)
        self.optimiser = Adam(0.0)
        self.fixed: list[tuple[Drawn, Drawn]] = []  # training set of each run, and the other
        if self.task.fixed:
            N, T = self.task.fixed, self.spec.T
            self.fixed = [(self.task.sample(r, N, T), self.task.sample(r, N, T)) for r in train]
        self.state = None

    def train(self) -> list[ReplicaOutcome]:
        """Take steps until every run is solved, diverged, or at the end of its budget."""
        B, seen, checked = self.spec.batch_size, 0, np.zeros(len(self.specs), int)
        steps = self.spec.steps
        for step, drawn in enumerate(self._batches(steps)):
            if self.old:
                y = rule_of_1997.learn(self.spec, self.params, drawn, self.lr)
                finite = np.isfinite(y).all(axis=(0, 2, 3))
            else:
                y, grads, self.state = plain_nets.gradients(
                    self.spec, self.params, drawn, self.state
                )
                finite = np.isfinite(_norms(grads))
            self._note(y, drawn, seen)
            seen += B
            for run in self.going[~finite]:
                self._finish(run, "diverged", seen, 0)
            if not self.old:
                self._update(grads, 1 - step / steps if self.task.continual else 1.0)
            done = self._meets_rule() if seen >= self.wrong.shape[1] else np.zeros(0, int)
            for run in done[finite[np.searchsorted(self.going, done)]]:
                if self.task.fixed and seen - checked[run] < self.task.window:
                    continue
                checked[run] = seen
                if all(self._all_right(run, drawn) for drawn in self._sets(run)):
                    self._finish(run, "ok", seen, seen)
            self._keep()
            if not len(self.going):
                break
        for run in self.going:
            self._finish(run, "ok", seen, 0)
        return self.outcomes

    def _batches(self, steps: int):
        """Yield what the runs that go on learn from next, arrays (L, S, B, K)."""
        T, B, task = self.spec.T, self.spec.batch_size, self.task
        if task.continual:
            for step in range(steps):
                start = step % PIECES * PIECE
                if not start:
                    self.state = None
                    length = PIECES * PIECE
                    streams = {run: self._draw(run, B, length) for run in self.going}
                piece = slice(start, start + PIECE)
                yield _beside([_cut(streams[run], piece) for run in self.going])
            return
        block = max(1, DRAWN // B) * B
        for start in range(0, steps * B, block):
            blocks = {run: self._draw(run, block, T) for run in self.going}
            for first in range(0, min(block, steps * B - start), B):
                rows = slice(first, first + B)
                yield _beside([_cut(blocks[run], slice(None), rows) for run in self.going])

    def _draw(self, run: int, N: int, T: int) -> Drawn:
        rng = self.train_rngs[run]
        if not self.task.fixed:
            return self.task.sample(rng, N, T)
        return _cut(self.fixed[run][0], slice(None), rng.integers(self.task.fixed, size=N))

    def _note(self, y, drawn: Drawn, seen: int) -> None:
        """Remember how the last sequences went."""
        counts = drawn.mask.sum(axis=0)  # (S, B)
        off = np.where(drawn.mask[..., None], y - drawn.target, 0.0)
        places = (seen + np.arange(y.shape[2])) % self.wrong.shape[1]
        self.wrong[:, places] = ~self.task.right(y, drawn).all(axis=0)
        self.errors[:, places] = np.abs(off).mean(axis=-1).sum(axis=0) / counts
        self.losses[:, places] = np.square(off).sum(axis=(0, -1)) / counts

    def _meets_rule(self) -> np.ndarray:
        """Return the runs whose last sequences went as well as the paper asks."""
        if self.task.continual:
            return np.zeros(0, int)
        few = self.wrong.sum(axis=1) <= self.task.allowed
        return self.going[few & (self.errors.mean(axis=1) < self.task.mean_error)]

    def _sets(self, run: int) -> tuple[Drawn, ...]:
        return self.fixed[run] if self.fixed else ()

    def _all_right(self, run: int, drawn: Drawn) -> bool:
        y = self._outputs(run, drawn)
        return bool(self.task.right(y, drawn).all())

    def _outputs(self, run: int, drawn: Drawn) -> np.ndarray:
        s = np.searchsorted(self.going, run)
        params = {name: p[s : s + 1] for name, p in self.params.items()}
        if self.old:
            return rule_of_1997.forward(self.spec, params, drawn.x[:, None])[:, 0]
        return plain_nets.forward(self.spec, params, drawn.x[:, None], keep=False)[0][:, 0]

    def _update(self, grads, share: float) -> None:
        """Take one step of each run; `share` of its learning rate."""
        factor = np.minimum(1, CLIP / (_norms(grads) + 1e-6))[:, None, None]
        self.optimiser.lr = share * self.lr
        self.optimiser.step(self.params, {name: factor * g for name, g in grads.items()})

    def _keep(self) -> None:
        """Drop the runs that have an outcome."""
        stay = np.array([self.outcomes[run] is None for run in self.going], bool)
        if stay.all():
            return
        self.going, self.lr = self.going[stay], self.lr[stay]
        self.params = {name: p[stay] for name, p in self.params.items()}
        self.optimiser.slots = {name: p[stay] for name, p in self.optimiser.slots.items()}
        self.wrong, self.errors = self.wrong[stay], self.errors[stay]
        self.losses = self.losses[stay]
        if self.state is not None:
            self.state = tuple(part[stay] for part in self.state)

    def _finish(self, run: int, status: str, seen: int, solved_at: int) -> None:
        """Test a run and write down what it came to."""
        if self.outcomes[run] is not None:
            return
        s = np.searchsorted(self.going, run)
        tested, wrong, loss, symbols = self._test(run)
        parameters = sum(p[s].size for p in self.params.values())
        if self.old:
            parameters = rule_of_1997.net(self.spec).count
        elif self.spec.cell == "1997":  # no forget gate
            cell = ("weight_ih", "weight_hh", "bias")
            parameters -= sum(self.params[name][s].size // 4 for name in cell)
        solved = solved_at > 0
        if self.task.continual:
            solved = wrong == 0 and status == "ok"
        self.outcomes[run] = ReplicaOutcome(
            parameters=parameters,
            trivial=self.task.trivial(self.spec.T),
            status=status,
            sequences=seen,
            solved_at=solved_at,
            validation_loss=float(np.nanmean(self.losses[s])),
            test_loss=loss,
            tested=tested,
            wrong=wrong,
            symbols=symbols,
            solved=bool(solved),
        )

    def _test(self, run: int) -> tuple[int, int, float, float]:
        """Return sequences tested, how many were wrong, their error, and symbols till the first."""
        task, T, rng = self.task, self.spec.T, self.test_rngs[run]
        if task.continual:
            return self._test_streams(run)
        wrong, losses = 0, []
        for start in range(0, task.tested, 256):
            drawn = task.sample(rng, min(256, task.tested - start), T)
            y = self._outputs(run, drawn)
            wrong += int((~task.right(y, drawn).all(axis=0)).sum())
            losses.append(np.square(y - drawn.target).sum(axis=-1)[drawn.mask])
        return task.tested, wrong, float(np.concatenate(losses).mean()), 0.0

    def _test_streams(self, run: int) -> tuple[int, int, float, float]:
        N, s, piece = self.task.tested, np.searchsorted(self.going, run), 1000
        drawn = self.task.sample(self.test_rngs[run], N, STREAM)
        params = {name: p[s : s + 1] for name, p in self.params.items()}
        state, lasted, losses = None, np.full(N, float(STREAM)), []
        for start in range(0, STREAM, piece):
            part = _cut(drawn, slice(start, start + piece))
            y, state = plain_nets.forward(self.spec, params, part.x[:, None], state, keep=False)[:2]
            fits = self.task.right(y[:, 0], part)  # (piece, N)
            fresh = lasted == STREAM
            lasted[fresh] = np.where(fits.all(axis=0), STREAM, start + fits.argmin(axis=0))[fresh]
            losses.append(np.square(y[:, 0] - part.target).sum(axis=-1).mean())
            if (lasted < STREAM).all():
                break
        return N, int((lasted < STREAM).sum()), float(np.mean(losses)), float(lasted.mean())


def _norms(grads) -> np.ndarray:
    """Return the norm of each replica's gradient."""
    return np.sqrt(sum(np.square(g).sum(axis=(1, 2)) for g in grads.values()))


def _cut(drawn: Drawn, *index) -> Drawn:
    return Drawn(*(None if part is None else part[index] for part in drawn))


def _beside(each: Sequence[Drawn]) -> Drawn:
    """Put what each replica draws side by side: arrays (L, S, B, K), as long as need be."""
    longest = max(int(np.flatnonzero(d.mask.any(axis=1))[-1]) + 1 for d in each)

    def joined(parts):
        if parts[0] is None:
            return None
        whole = np.zeros((longest, len(parts), *parts[0].shape[1:]), parts[0].dtype)
        for s, part in enumerate(parts):
            whole[: min(longest, len(part)), s] = part[:longest]
        return whole

    return Drawn(*(joined(parts) for parts in zip(*each, strict=True)))
