"""Optimisers that change parameters in place, clipping of gradients, schedules of the rate.

Parameters and gradients are dicts of arrays under the same names. Introduced in chapter 8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstm_lesson.engine.arguments import check_array, check_number, check_size

Arrays = dict[str, np.ndarray]
BELOW_1 = math.nextafter(1, 0)  # for shares that must leave something


class Optimiser:
    """Base of the optimisers; a subclass sets `_slots` and defines `_update`.

    A slot is an array kept beside each parameter, in `slots` as ``"slot.parameter"``. So an
    optimiser belongs to the arrays it has started with, and refuses others. Weight decay is
    decoupled from the gradient: ``p -= lr * weight_decay * p`` (Loshchilov and Hutter 2019).
    """

    SETTINGS = ("lr", "weight_decay")

    def __init__(self, lr: float, weight_decay: float):
        self.lr = check_number("lr", lr, 0)
        self.weight_decay = check_number("weight_decay", weight_decay, 0)
        self.steps = 0
        self.slots: Arrays = {}
        self._params: Arrays = {}  # that it belongs to

    def start(self, params: Arrays) -> None:
        """Make the slots of `params`; raise ValueError if it has started with other arrays."""
        own = self._params or params
        if own.keys() != params.keys() or not all(
            np.may_share_memory(p, params[name]) or not p.size for name, p in own.items()
        ):
            raise ValueError(
                f"optimiser: expected the parameters on which it has taken {self.steps} steps, "
                f"got others; make a new {type(self).__name__} for each model, where it is trained"
            )
        if not self._params:
            slots = {f"{slot}.{name}": p for slot in self._slots for name, p in params.items()}
            self.slots = {name: np.zeros_like(p) for name, p in slots.items()}
            self._params = dict(params)

    def step(self, params: Arrays, grads: Arrays) -> None:
        """Change `params` in place; raise TypeError or ValueError, first, if `grads` don't fit."""
        _check_alike("grads", grads, params)
        self.start(params)
        self.steps += 1
        for name, p in params.items():
            if self.weight_decay:
                p -= self.lr * self.weight_decay * p
            self._update(p, grads[name], *(self.slots[f"{slot}.{name}"] for slot in self._slots))


class SGD(Optimiser):
    """Gradient descent with momentum: ``m = momentum * m + g``, ``p -= lr * m``.

    The attribute `lr` may be changed at any time. `momentum` is below 1 (Sutskever et al. 2013, in
    PyTorch's form). `weight_decay` is decoupled; `torch.optim.SGD` adds it to the gradient instead.
    """

    SETTINGS = (*Optimiser.SETTINGS, "momentum")

    def __init__(self, lr: float, momentum: float = 0.0, weight_decay: float = 0.0):
        super().__init__(lr, weight_decay)
        self.momentum = check_number("momentum", momentum, 0, BELOW_1)
        self._slots = ("m",) if self.momentum else ()

    def _update(self, p, g, m=None):
        if m is not None:
            m *= self.momentum
            m += g
        p -= self.lr * (g if m is None else m)


class Adam(Optimiser):
    """Adam (Kingma and Ba 2015, algorithm 1); with weight decay, AdamW.

    `betas` are the shares of the running means of ``g`` and of ``g**2`` that stay at each step;
    `eps` is added to the root of the second, in units of the gradient; the others are as in `SGD`.
    """

    SETTINGS = (*Optimiser.SETTINGS, "betas", "eps")
    _slots = ("m", "v")

    def __init__(self, lr: float = 1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(lr, weight_decay)
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas: expected two numbers, got {betas!r}")
        self.betas = tuple(check_number("betas", beta, 0, BELOW_1) for beta in betas)
        self.eps = check_number("eps", eps, 0)

    def _update(self, p, g, m, v):
        beta1, beta2 = self.betas
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * (g * g)
        m_hat, v_hat = m / (1 - beta1**self.steps), v / (1 - beta2**self.steps)
        p -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


def clip_by_norm(grads: Arrays, max_norm: float) -> tuple[Arrays, float]:
    """Return new gradients, scaled down to a global norm of `max_norm`, and the norm before.

    The norm is over all arrays together, so that the direction stays (Pascanu et al. 2013). Raises
    ValueError with the name of an array whose norm is not finite.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm: expected above 0, got {max_norm}")
    with np.errstate(over="ignore"):  # an overflow is reported below, with its name
        norms = {name: float(np.linalg.norm(g.astype(float))) for name, g in grads.items()}
    for name, norm in norms.items():
        if not math.isfinite(norm):
            raise ValueError(f"{name}: expected a gradient of finite norm, got {norm}")
    norm = math.hypot(*norms.values())
    scale = float(min(1, max_norm / (norm + 1e-6)))  # PyTorch's, which is safe for a norm of 0
    return {name: np.asarray(g * scale) for name, g in grads.items()}, norm


def clip_by_value(grads: Arrays, max_value: float) -> Arrays:
    """Return new gradients with each entry moved into ``[-max_value, max_value]``."""
    most = check_number("max_value", max_value, 0)
    return {name: np.asarray(np.clip(g, -most, most)) for name, g in grads.items()}


@dataclass(frozen=True)
class CosineSchedule:
    """From `lr` to `lowest` along half a cosine in `steps` steps (Loshchilov and Hutter 2017).

    A schedule is called with the count of steps taken and the validation losses so far, and returns
    the rate of the next step. It remembers nothing, so that there is nothing to keep.
    """

    lr: float
    steps: int
    lowest: float = 0.0

    def __post_init__(self):
        check_size("steps", self.steps)
        for name in ("lr", "lowest"):
            check_number(name, getattr(self, name), 0)

    def __call__(self, step: int, losses: Sequence[float] = ()) -> float:
        share = min(step / self.steps, 1)
        return self.lowest + (self.lr - self.lowest) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class PlateauSchedule:
    """From `lr`, times `factor` after each run of more than `patience` losses without improvement.

    A loss improves on the best if it is lower by more than a share `threshold` of it. The rate
    stops at `lowest`. As `torch.optim.lr_scheduler.ReduceLROnPlateau`, but for its `eps`.
    """

    lr: float
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    lowest: float = 0.0

    def __post_init__(self):
        check_size("patience", self.patience, least=0)
        for name in ("lr", "lowest", "factor", "threshold"):
            high = math.inf if name in ("lr", "lowest") else BELOW_1
            check_number(name, getattr(self, name), 0, high)

    def __call__(self, step: int, losses: Sequence[float] = ()) -> float:
        lr, best, bad = self.lr, math.inf, 0
        for loss in losses:
            better = loss < best * (1 - self.threshold)
            best, bad = (loss, 0) if better else (best, bad + 1)
            if bad > self.patience:
                lr, bad = max(lr * self.factor, self.lowest), 0
        return lr


def _check_alike(name: str, given: Arrays, expected: Arrays) -> None:
    """Raise unless two dicts have the same names, and arrays of the same shapes and dtypes."""
    if different := given.keys() ^ expected.keys():
        raise ValueError(f"{name}: expected the parameters' names, differ in {sorted(different)}")
    for key, like in expected.items():
        check_array(f"{name}: {key}", given[key], like.shape, like.dtype)
