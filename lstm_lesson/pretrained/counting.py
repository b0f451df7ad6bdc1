"""Two languages that need a counter, and ten small LSTMs trained on each.

`a_n_b_n` has the strings ab, aabb, aaabbb and so on; `brackets` all strings of brackets that close,
such as ``(()())``. A network reads one symbol a step and predicts the next. The trained networks
come with the package; the command

    python -m lstm_lesson.pretrained.counting

trains them again, in some minutes. Introduced in chapter 13.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lstm_lesson.engine import files
from lstm_lesson.engine.arguments import check_choice, check_rng, check_size
from lstm_lesson.engine.layers import LSTM, Linear
from lstm_lesson.training.loop import fit
from lstm_lesson.training.losses import softmax_cross_entropy
from lstm_lesson.training.models import Batch, SequenceModel
from lstm_lesson.training.optim import Adam, CosineSchedule

FILE = Path(__file__).parent / "data" / "counting.safetensors"
OPEN, CLOSE, END = range(3)  # classes of a symbol; END stands before the string too
CLASSES = {"a": OPEN, "b": CLOSE, "(": OPEN, ")": CLOSE}
UNITS, SEEDS, PAIRS = 6, 10, 16  # of the trained networks; n, or pairs of brackets, at most
STEPS = 3000  # of training


def a_n_b_n(rng, N: int, longest: int = PAIRS, shortest: int = 1) -> list[str]:
    """Return N strings of n times a, then n times b; n uniform from `shortest` to `longest`."""
    pairs = check_rng(rng).integers(shortest, longest + 1, check_size("N", N))
    return ["a" * n + "b" * n for n in pairs]


def brackets(rng, N: int, longest: int = PAIRS, shortest: int = 1) -> list[str]:
    """Return N strings of brackets that close, all those of as many pairs equally likely.

    The number of pairs is uniform from `shortest` to `longest`.
    """
    rng, strings = check_rng(rng), []
    for pairs in rng.integers(shortest, longest + 1, check_size("N", N)):
        string, depth = "", 0
        for left in range(2 * pairs, 0, -1):
            # Of the paths that end at depth 0 after `left` steps, the share whose first goes up.
            up = rng.random() < (depth + 2) * (left - depth) / (2 * (depth + 1) * left)
            string += "(" if up else ")"
            depth += 1 if up else -1
        strings.append(string)
    return strings


LANGUAGES = {"a_n_b_n": a_n_b_n, "brackets": brackets}


def encode(strings: list[str]) -> Batch:
    """Return strings as a batch: x (T, N, 3) one-hot, END first; target (T, N), END last.

    Raises ValueError if a string has a symbol other than a, b and brackets.
    """
    lengths = np.array([len(string) + 1 for string in strings])
    x, target = np.zeros((lengths.max(), len(strings), 3)), np.zeros((lengths.max(), len(strings)))
    for n, string in enumerate(strings):
        if unknown := set(string) - set(CLASSES):
            raise ValueError(f"string: expected symbols of {list(CLASSES)}, got {unknown}")
        classes = [CLASSES[symbol] for symbol in string]
        x[np.arange(len(string) + 1), n, [END, *classes]] = 1
        target[: len(string) + 1, n] = [*classes, END]
    return Batch(x, target.astype(int), lengths)


def depth(batch: Batch) -> np.ndarray:
    """Return how many symbols are open after each step, (T, N): the count, in a^n b^n."""
    return np.cumsum(batch.x[..., OPEN] - batch.x[..., CLOSE], axis=0).astype(int)


def inside(batch: Batch) -> np.ndarray:
    """Return which steps are of the strings, (T, N): not the END before them, nor padding."""
    steps = np.arange(len(batch.x))[:, None]
    return (steps > 0) & (steps < batch.lengths)


def right(logits: np.ndarray, batch: Batch) -> np.ndarray:
    """Return which strings are predicted right, (N,).

    Of CLOSE and END one is legal at each step, CLOSE while something is open. A string is right if
    at every step the legal one has the larger logit.
    """
    says_close = logits[..., CLOSE] > logits[..., END]
    return np.all((says_close == (depth(batch) > 0)) | ~inside(batch), axis=0)


def untrained(seed: int) -> SequenceModel:
    """Return a network with initial weights, in float64."""
    layer = LSTM(3, UNITS, dtype=np.float64, rng=seed)
    head = Linear(UNITS, 3, dtype=np.float64, rng=seed)
    return SequenceModel(layer, head, softmax_cross_entropy)


def train(name: str, seed: int, steps: int = STEPS) -> SequenceModel:
    """Return a network trained on 1,000 strings of a language, by the recipe of all ten."""
    draw = LANGUAGES[check_choice("name", name, LANGUAGES)]
    model = untrained(seed)
    data = encode(draw(np.random.default_rng([13, seed]), 1000))
    schedule = CosineSchedule(0.02, steps)
    plan = {"optimiser": Adam(0.02), "batch_size": 32, "steps": steps, "clip": 1.0}
    fit(model, data, schedule=schedule, rng=seed, **plan)
    return model


def trained(name: str) -> list[SequenceModel]:
    """Return the ten networks of a language that come with the package, in float64."""
    check_choice("name", name, LANGUAGES)
    arrays, _ = files.load(FILE)
    models = [untrained(seed) for seed in range(SEEDS)]
    for seed, model in enumerate(models):
        for key, p in model.parameters().items():
            p[...] = arrays[f"{name}.{key}"][seed]
    return models


def main(path=FILE, steps: int = STEPS) -> None:
    """Train all networks and write their file, in float32."""
    arrays = {}
    for name in LANGUAGES:
        models = [train(name, seed, steps).parameters() for seed in range(SEEDS)]
        for key in models[0]:
            arrays[f"{name}.{key}"] = np.stack([m[key] for m in models]).astype(np.float32)
    files.save(path, arrays, {"units": UNITS, "seeds": SEEDS, "pairs": PAIRS})


if __name__ == "__main__":
    main()
