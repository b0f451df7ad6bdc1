"""What a file of a training run holds, and when a run may go on from it.

`Run.save` and `Run.load` of `lstm_lesson.training.loop` are the way in. Introduced in chapter 8.
"""

from __future__ import annotations

import json
import math

import numpy as np

from lstm_lesson.engine import files
from lstm_lesson.engine.arguments import check_number
from lstm_lesson.training.models import named

VERSION = 2  # of the files; those of release 0.1 had none


def save(run, path) -> None:
    """Write all that the run needs to go on to a safetensors file, whole or not at all."""
    options = {
        "version": VERSION,
        "plan": run.plan,
        "rng": [generator.bit_generator.state for generator in run.rngs],
    }
    files.save(path, arrays_of(run), options)


def load(run, path) -> None:
    """Put a run where the one in a file was; raise ValueError, first, if it was of another kind."""
    arrays, options = files.load(path)
    own, fresh = arrays_of(run), [np.random.default_rng(0) for _ in run.rngs]
    steps = len(np.atleast_1d(arrays.get("history", 0)))
    own["history"] = np.resize(own["history"], (steps, own["history"].shape[1]))
    shapes, dtypes = ({k: getattr(a, of) for k, a in own.items()} for of in ("shape", "dtype"))
    try:
        _check_kind(options, run.plan)
        files.check_arrays(path, arrays, shapes, dtypes)
        if np.any(arrays["history"].T[0] != range(1, steps + 1)):
            raise ValueError("history: expected the steps of the run one after the other")
        if steps > run.steps:
            raise ValueError(f"steps: expected at least the {steps} in this file, got {run.steps}")
        order = arrays.get("source.order", np.arange(0))
        if np.any(np.sort(order) != range(len(order))):
            raise ValueError("source.order: expected every sequence once")
        for name in ("optimiser.lr", "optimiser.steps", "source.taken"):
            check_number(name, arrays[name].item(), 0, 2**53)  # above, powers of betas overflow
        for generator, state in zip(fresh, options["rng"], strict=True):
            generator.bit_generator.state = state
            if generator.bit_generator.state != state:
                raise ValueError("rng: expected a state of PCG64")
    except (TypeError, ValueError, KeyError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
    for generator, loaded in zip(run.rngs, fresh, strict=True):
        generator.bit_generator.state = loaded.bit_generator.state
    run.optimiser.lr = arrays["optimiser.lr"].item()
    run.optimiser.steps = arrays["optimiser.steps"].item()
    run.source.taken = arrays["source.taken"].item()
    run.optimiser.slots = {name: arrays[f"optimiser.{name}"] for name in run.optimiser.slots}
    run.source.arrays = {name: arrays[f"source.{name}"] for name in run.source.arrays}
    run.rows = [tuple(row) for row in arrays["history"].tolist()]
    run.losses = [row[2] for row in run.rows if not math.isnan(row[2])]
    run.best, run.last = {name: arrays[f"best.{name}"] for name in run.best}, {}
    for name, p in run.model.parameters().items():
        p[...] = arrays[f"params.{name}"]


def arrays_of(run) -> dict[str, np.ndarray]:
    """Return the arrays that a file of this run holds, by name."""
    optimiser, source = run.optimiser, run.source
    lr, steps = np.array(float(optimiser.lr)), np.array(optimiser.steps)
    return (
        {"history": np.stack(run.history, axis=1)}
        | named("params", run.last or run.model.parameters())
        | named("best", run.best)
        | named("optimiser", {"lr": lr, "steps": steps} | optimiser.slots)
        | named("source", {"taken": np.array(source.taken)} | source.arrays)
    )


def _check_kind(options: dict, own: dict) -> None:
    """Raise ValueError unless a file is of a run like one with the plan `own`."""
    own = json.loads(json.dumps(own))  # tuples become lists, as in the file
    plan, version = options.get("plan"), options.get("version")
    if version != VERSION or not isinstance(plan, dict):
        raise ValueError(
            f"expected a run in version {VERSION}, got {version!r}; release 0.1 wrote none, and "
            "what it kept it must finish: train again, with another file"
        )
    names = [name for name in own | plan if own.get(name) != plan.get(name)]
    if names:
        ours, theirs = ({name: p.get(name) for name in names} for p in (own, plan))
        raise ValueError(
            f"expected a run like this one, with {ours}, got one with {theirs}; ask for what the "
            "file's run had, or keep this one in another file"
        )
