"""Train a model, in NumPy or PyTorch, by one loop; a run stopped anywhere resumes bit for bit.

Introduced in chapter 8.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import files
from lstm_lesson.engine.arguments import check_lengths, check_number, check_rng, check_size
from lstm_lesson.training.models import Batch, named
from lstm_lesson.training.optim import clip_by_norm, clip_by_value


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
    data, validation : a `Batch`, or the same as a tuple. Validation is measured after each epoch
        and after the last step, all of it at once.
    optimiser : of `lstm_lesson.training.optim`; it changes the model's parameters in place.
    batch_size : sequences a step; an epoch takes all in random order, its last step what is left.
    epochs, steps : how long the run is, in one or the other.
    clip, clip_value : bounds of the gradient's norm, over all parameters, and then of its entries.
    schedule : function ``(steps taken, validation losses) -> learning rate``.
    patience : end when so many validations in a row were no better than the best, and however the
        run ends, put back the best parameters.
    rng : seed or generator (of PCG64, NumPy's default), for the order and for dropout.

    Raises TypeError or ValueError if arguments don't fit, or a loss or gradient is not finite.
    """

    def __init__(
        self, model, data, *, optimiser, batch_size, epochs=None, steps=None, clip=None,
        clip_value=None, schedule=None, validation=None, patience=None, rng=0,
    ):  # fmt: skip
        self.model, self.optimiser, self.schedule = model, optimiser, schedule
        self.data = _check_data("data", data, model.axes)
        self.validation = validation
        if validation is not None:
            self.validation = _check_data("validation", validation, model.axes)
        N = self.data.x.shape[model.axes.x]
        batch_size = check_size("batch_size", batch_size)
        self.epoch = -(-N // batch_size)  # steps in it
        if (epochs is None) == (steps is None):
            raise ValueError(f"epochs, steps: expected one of them, got {epochs} and {steps}")
        steps = steps if epochs is None else check_size("epochs", epochs) * self.epoch
        if patience is not None and validation is None:
            raise ValueError("patience: expected validation data, got none")
        self.rng = check_rng(rng)
        if type(self.rng.bit_generator) is not np.random.PCG64:
            raise TypeError(f"rng: expected a generator of PCG64, got {self.rng}")
        self.plan = {  # what a saved run must have in common with this one
            "optimiser": type(optimiser).__name__,
            "sequences": N,
            "batch_size": batch_size,
            "steps": check_size("steps", steps),
            "clip": None if clip is None else check_number("clip", clip, 0),
            "clip_value": None if clip_value is None else check_number("clip_value", clip_value, 0),
            "patience": None if patience is None else check_size("patience", patience),
        }
        optimiser.start(model.parameters())
        best = {} if patience is None else model.parameters()
        self._best = {name: p.copy() for name, p in best.items()}
        self._order = np.arange(N)  # of the sequences in this epoch
        self._rows: list[tuple[float, ...]] = []  # of the history
        self._losses: list[float] = []  # of validation

    @property
    def history(self) -> History:
        """What happened so far."""
        step, *columns = np.array(self._rows).reshape(-1, len(History._fields)).T
        return History(step.astype(int), *columns)

    @property
    def finished(self) -> bool:
        """Whether all steps are taken, or patience is at its end."""
        patience, losses = self.plan["patience"], self._losses
        ended = patience and losses and len(losses) - losses.index(min(losses)) > patience
        return bool(ended) or len(self._rows) >= self.plan["steps"]

    def train(self, steps: int | None = None, progress: bool = False) -> History:
        """Take all steps that remain, or at most `steps`; show a bar on stderr if `progress`."""
        most = self.plan["steps"] if steps is None else check_size("steps", steps)
        for _ in range(most):
            if self.finished:
                break
            self._step()
            if progress:
                share, end = len(self._rows) / self.plan["steps"], "\n" if self.finished else ""
                bar = f"\r{'#' * int(30 * share):<30} {share:4.0%}  loss {self._rows[-1][1]:<10.4g}"
                print(bar, end=end, file=sys.stderr, flush=True)
        return self.history

    def _step(self) -> None:
        step, plan, params = len(self._rows), self.plan, self.model.parameters()
        first = step % self.epoch * plan["batch_size"]
        if first == 0:
            self._order = self.rng.permutation(plan["sequences"])
        rows = self._order[first : first + plan["batch_size"]]
        parts = zip(self.data, self.model.axes, strict=True)
        batch = Batch(*(a if a is None else a.take(rows, axis) for a, axis in parts))
        # A seed is drawn whether there is dropout or not, so that the order doesn't depend on it.
        loss, grads = self.model.loss_and_grads(batch, int(self.rng.integers(2**63)))
        check_number(f"loss of step {step + 1}", loss)
        grads, norm = clip_by_norm(grads, math.inf if plan["clip"] is None else plan["clip"])
        if plan["clip_value"] is not None:
            grads = clip_by_value(grads, plan["clip_value"])
        if self.schedule is not None:
            self.optimiser.lr = check_number("lr", self.schedule(step, self._losses), 0)
        self.optimiser.step(params, grads)
        measured = math.nan
        if self.validation and (step + 1 == plan["steps"] or (step + 1) % self.epoch == 0):
            measured = check_number("validation loss", self.model.loss(self.validation))
            if measured < min(self._losses, default=math.inf):
                self._best = {name: params[name].copy() for name in self._best}
            self._losses.append(measured)
        self._rows.append((step + 1, loss, measured, norm, self.optimiser.lr))
        if self.finished:
            for name, best in self._best.items():
                params[name][...] = best

    def _arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that a file of this run holds, by name."""
        return (
            {"order": self._order, "history": np.stack(self.history, axis=1)}
            | named("params", self.model.parameters())
            | named("best", self._best)
            | named("optimiser", self.optimiser.slots)
        )

    def save(self, path) -> None:
        """Write all that the run needs to go on to a safetensors file, whole or not at all."""
        state = self.optimiser.state_dict()
        options = {
            "plan": self.plan,
            "rng": self.rng.bit_generator.state,
            "optimiser": {k: v for k, v in state.items() if k not in self.optimiser.slots},
        }
        files.save(path, self._arrays(), options)

    def load(self, path) -> None:
        """Go on from a file that `save` of a run like this wrote, with its optimiser's settings.

        Data, loss and schedule are not in the file: they must be as they were. Raises ValueError
        with the reason, and changes nothing, if the file is not of such a run.
        """
        arrays, options = files.load(path)
        own, steps = self._arrays(), len(np.atleast_1d(arrays.get("history", 0)))
        own["history"] = np.resize(own["history"], (steps, len(History._fields)))
        shapes, dtypes = ({k: getattr(a, of) for k, a in own.items()} for of in ("shape", "dtype"))
        files.check_arrays(path, arrays, shapes, dtypes)
        rng = np.random.Generator(np.random.PCG64(0))
        try:
            if options.get("plan") != self.plan:
                raise ValueError(f"expected a run of {self.plan}, got {options.get('plan')}")
            if np.any(np.sort(arrays["order"]) != np.arange(self.plan["sequences"])):
                raise ValueError("order: expected every sequence once")
            if steps > self.plan["steps"] or np.any(arrays["history"].T[0] != range(1, steps + 1)):
                raise ValueError("history: expected the steps of the run one after the other")
            rng.bit_generator.state = options.get("rng")
            if rng.bit_generator.state != options["rng"]:
                raise ValueError("rng: expected a state of PCG64")
            slots = {name: arrays[f"optimiser.{name}"] for name in self.optimiser.slots}
            self.optimiser.load_state_dict(dict(options["optimiser"]) | slots)
        except (TypeError, ValueError, KeyError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"{path}: {error}") from error
        self.rng.bit_generator.state = rng.bit_generator.state
        self._order = arrays["order"]
        self._rows = [tuple(row) for row in arrays["history"].tolist()]
        self._losses = [row[2] for row in self._rows if not math.isnan(row[2])]
        self._best = {name: arrays[f"best.{name}"] for name in self._best}
        for name, p in self.model.parameters().items():
            p[...] = arrays[f"params.{name}"]


def fit(model, data, *, keep=None, progress: bool = False, **plan) -> History:
    """Train a model in place and return what happened.

    Parameters
    ----------
    keep : a file to resume from, if it is there, and to write after each epoch; None for none.
    progress : whether to show a bar on stderr.
    model, data, plan : what `Run` takes.
    """
    run = Run(model, data, **plan)
    if keep is not None and Path(keep).exists():
        run.load(keep)
    while not run.finished:
        run.train(None if keep is None else run.epoch, progress)
        if keep is not None:
            run.save(keep)
    return run.history


def _check_data(name: str, data, axes: Batch) -> Batch:
    """Return `data` as a `Batch` if all its arrays have the same N, at least 1; raise otherwise."""
    batch = Batch(*data)
    if batch.lengths is not None:
        batch = batch._replace(lengths=np.asarray(batch.lengths))
    for part, array, axis in zip(Batch._fields, batch, axes, strict=True):
        if array is None and part in ("lengths", "mask"):
            continue
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{name}.{part}: expected an array, got {type(array).__name__}")
        N = batch.x.shape[axes.x] if batch.x.ndim > axes.x else 0
        if array.ndim <= axis or array.shape[axis] != N or N == 0:
            raise ValueError(
                f"{name}.{part}: expected {N or 'some'} sequences along axis {axis}, "
                f"got shape {array.shape}"
            )
    if batch.lengths is not None:
        check_lengths(f"{name}.lengths", batch.lengths, batch.x.shape[1 - axes.x], N)
    return batch
