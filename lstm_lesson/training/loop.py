"""Train a model, in NumPy or PyTorch, by one loop; a run stopped anywhere resumes bit for bit.

Introduced in chapter 8.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_flag, check_number, check_rng, check_size
from lstm_lesson.training import resume
from lstm_lesson.training.batches import Shuffled, Source, Stream, check_batch, digest
from lstm_lesson.training.optim import clip_by_norm


class History(NamedTuple):
    """What happened at each step of a run, arrays (steps,)."""

    step: np.ndarray  # 1, 2, ...
    loss: np.ndarray  # of the step's batch, before it
    validation_loss: np.ndarray  # after it; nan where it wasn't measured
    grad_norm: np.ndarray  # over all parameters, before it is clipped
    lr: np.ndarray  # learning rate


class Run:
    """A training run, which can stop at any step, be saved, and go on.

    Parameters
    ----------
    model : a `SequenceModel`, a `TorchModel`, or what has the same attributes.
    data : a `Batch`, or the same as a tuple, of which each epoch takes all sequences in random
        order; or a source of batches of `lstm_lesson.training.batches`.
    optimiser : of `lstm_lesson.training.optim`; it changes the model's parameters in place.
    batch_size : sequences a step, if `data` is a `Batch`; an epoch's last step takes what is left.
    epochs, steps : how long the run is, in one or the other.
    clip : bound of the gradient's norm, over all parameters.
    schedule : function ``(steps taken, validation losses) -> learning rate``.
    validation : a `Batch`, measured all at once, or a function ``model -> loss``.
    validate_every : steps between validations, by default an epoch; the last step is followed by
        one too.
    patience : end when so many validations in a row were no better than the best, and however the
        run ends, put back the best parameters.
    stop : function ``validation losses -> bool``, asked after each: whether they are good enough.
    may_diverge : whether a loss or gradient that is not finite ends the run, as its last step,
        which changes nothing; by default it is an error. A validation loss is then inf.
    rng : seed or generator (of PCG64, NumPy's default), for the order and for dropout.

    Raises TypeError or ValueError if arguments don't fit, or a loss or gradient is not finite.
    """

    def __init__(
        self, model, data, *, optimiser, batch_size=None, epochs=None, steps=None, clip=None,
        schedule=None, validation=None, validate_every=None, patience=None, stop=None,
        may_diverge=False, rng=0,
    ):  # fmt: skip
        self.model, self.optimiser, self.schedule, self.stop = model, optimiser, schedule, stop
        self.rng, self.source, self.measure = check_rng(rng), data, validation
        if not isinstance(data, Source):
            self.source = Shuffled(data, batch_size, model.axes, self.rng)
        elif batch_size is not None:
            raise ValueError(f"batch_size: expected none, for the source has one, got {batch_size}")
        if isinstance(data, Stream):
            data.carry(model.zero_state(data.N))
        self.rngs = [self.rng] if self.source.rng is self.rng else [self.rng, self.source.rng]
        for generator in self.rngs:
            if type(generator.bit_generator) is not np.random.PCG64:
                raise TypeError(f"rng: expected a generator of PCG64, got {generator}")
        self.epoch = self.source.epoch  # steps in it; None if there is no such thing
        if (epochs is None) == (steps is None):
            raise ValueError(f"epochs, steps: expected one of them, got {epochs} and {steps}")
        if epochs is not None and self.epoch is None:
            raise ValueError(f"epochs: expected steps, for this source has none, got {epochs}")
        steps = steps if epochs is None else check_size("epochs", epochs) * self.epoch
        self.steps = check_size("steps", steps)
        self.may_diverge = check_flag("may_diverge", may_diverge)
        if validation is None and (patience or stop or validate_every):
            raise ValueError("patience, stop, validate_every: expected validation data, got none")
        measured = None if validation is None else "a function"
        if validation is not None and not callable(validation):
            batch = check_batch("validation", validation, model.axes)
            self.measure, measured = lambda model: model.loss(batch), digest(*batch)
        if clip == 0:
            raise ValueError("clip: expected above 0, or None, got 0, which allows no step")
        if validate_every is not None:
            check_size("validate_every", validate_every)
        every = validate_every or self.epoch
        optimiser.start(model.parameters())
        self.plan = {  # what a saved run must have in common with this one
            "source": type(self.source).__name__, **self.source.settings,
            "optimiser": type(optimiser).__name__,
            **{name: getattr(optimiser, name) for name in optimiser.SETTINGS},
            "clip": None if clip is None else check_number("clip", clip, 0),
            "patience": None if patience is None else check_size("patience", patience),
            "validation": measured, "validate_every": every if measured else None,
        } | ({"lr": "by schedule"} if schedule else {})  # fmt: skip
        best = {} if patience is None else model.parameters()
        self.best = {name: p.copy() for name, p in best.items()}
        self.last: dict[str, np.ndarray] = {}  # parameters that the best have taken the place of
        self.rows: list[tuple[float, ...]] = []  # of the history
        self.losses: list[float] = []  # of validation
        self.finished = False  # whether all steps are taken, or it has ended before

    @property
    def history(self) -> History:
        """What happened so far."""
        step, *columns = np.array(self.rows).reshape(-1, len(History._fields)).T
        return History(step.astype(int), *columns)

    @property
    def diverged(self) -> bool:
        """Whether the last step met a loss or gradient that is not finite, and changed nothing."""
        return bool(self.rows) and math.isnan(self.rows[-1][3])

    def train(self, steps: int | None = None) -> History:
        """Take all steps that remain, or at most `steps`, and return what happened so far."""
        for _ in range(self.steps if steps is None else check_size("steps", steps)):
            if not self.finished:
                self._step()
        return self.history

    def _step(self) -> None:
        step, params = len(self.rows) + 1, self.model.parameters()
        batch = next(self.source)
        # A seed is drawn whether there is dropout or not, so that the order doesn't depend on it.
        seed = int(self.rng.integers(2**63))
        if isinstance(self.source, Stream):
            start = self.source.state
            loss, grads, state = self.model.loss_grads_and_state(batch, seed, start)
            self.source.carry(state)
        else:
            loss, grads = self.model.loss_and_grads(batch, seed)
        measured = norm = math.nan
        try:
            check_number(f"loss of step {step}", loss)
            grads, norm = clip_by_norm(grads, self.plan["clip"] or math.inf)
        except ValueError:
            if not self.may_diverge:
                raise
        else:
            if self.schedule is not None:
                lr = self.schedule(step - 1, tuple(self.losses))
                self.optimiser.lr = check_number("lr", lr, 0)
            self.optimiser.step(params, grads)
            every = self.plan["validate_every"] or self.steps
            if self.measure and (step == self.steps or step % every == 0):
                measured = self._validate(params)
        self.rows.append((step, loss, measured, norm, self.optimiser.lr))
        self._end_if_over(not math.isnan(measured))

    def _validate(self, params) -> float:
        loss = self.measure(self.model)
        if not self.may_diverge:
            check_number("validation loss", loss)
        loss = loss if math.isfinite(loss) else math.inf
        if loss < min(self.losses, default=math.inf):
            self.best = {name: params[name].copy() for name in self.best}
        self.losses.append(loss)
        return loss

    def _end_if_over(self, validated: bool) -> None:
        """Set `finished`, after a validation with regard to it, and put back the best if so."""
        losses, over = tuple(self.losses), len(self.rows) >= self.steps or self.diverged
        if validated and self.plan["patience"]:
            over |= len(losses) - losses.index(min(losses)) > self.plan["patience"]
        if validated and self.stop:
            over |= bool(self.stop(losses))
        self.finished = over
        if over and self.best and min(losses, default=math.inf) < math.inf:
            params = self.model.parameters()
            self.last = {name: p.copy() for name, p in params.items()}
            for name, p in params.items():
                p[...] = self.best[name]

    def save(self, path) -> None:
        """Write all that the run needs to go on to a safetensors file, whole or not at all."""
        resume.save(self, path)

    def load(self, path) -> None:
        """Go on from a file that `save` of a run like this wrote.

        The run may be longer than the one in the file. Functions aren't in the file: a schedule,
        and what draws or validates, must be as they were. Raises ValueError with the reason, and
        changes nothing, if the file is not of such a run.
        """
        resume.load(self, path)
        self._end_if_over(bool(self.losses))


def fit(model, data, *, keep=None, **plan) -> History:
    """Train a model in place and return what happened.

    Parameters
    ----------
    keep : a file to resume from, if it is there, and to write after each epoch, or each hundredth
        of the steps where there are no epochs; None for none. A run kept there can be made longer.
    model, data, plan : what `Run` takes.
    """
    run = Run(model, data, **plan)
    if keep is None:
        return run.train()
    if Path(keep).exists():
        run.load(keep)
    else:
        run.save(keep)  # already, so that it shows at once if it can't be
    while not run.finished:
        run.train(run.epoch or -(-run.steps // 100))
        run.save(keep)
    return run.history
