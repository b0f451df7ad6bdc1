"""An LSTM that reads Python source, one character a step, and predicts the next.

The text is the source of the pinned networkx, tests left out, which is free under the BSD licence
beside the weights; of its files a tenth is held out, chosen by a digest of their names. The trained
model comes with the package; the command

    python -m lstm_lesson.pretrained.characters

trains it again, in some minutes on one core. Introduced in chapter 12.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import files
from lstm_lesson.engine.layers import LSTM, Linear
from lstm_lesson.inspect import interventions
from lstm_lesson.inspect.tracing import LSTMTrace, trace
from lstm_lesson.training.batches import Stream
from lstm_lesson.training.language import ALPHABET, encode, known, one_hot, surprise
from lstm_lesson.training.loop import Run
from lstm_lesson.training.losses import softmax_cross_entropy
from lstm_lesson.training.models import Batch, SequenceModel
from lstm_lesson.training.optim import Adam, CosineSchedule

PROPERTIES = (  # of a character, by `properties`
    "line position",  # characters since the line began
    "indentation",  # spaces that the line began with
    "bracket depth",
    "in quotes",  # 1 or 0, as the next two
    "in a comment",
    "word position",  # letters, digits and underscores since the word began
    "space",
)
DATA = Path(__file__).with_name("data")
FILE, SAMPLE = DATA / "characters.safetensors", DATA / "characters_sample.txt"
PACKAGE, VERSION, LICENCE = "networkx", "3.6.1", "BSD-3-Clause"
DIGEST = "ba4c765f7d4dd22789d4c586c6c8bdcaea2a0b0df65698afa4bde8a5fb0b86c1"
SAMPLE_FILES = (
    "algorithms/bridges.py",
    "algorithms/isomorphism/tree_isomorphism.py",
    "utils/union_find.py",
)


class Reading(NamedTuple):
    """What a model did with a text of T characters."""

    trace: LSTMTrace  # gates and states, each (T, H)
    logits: np.ndarray  # scores of the next character after each, (T, V)


class CharacterModel(NamedTuple):
    """One LSTM layer over one-hot characters and a linear head."""

    layer: LSTM  # D = V = 96
    head: Linear
    about: dict  # source, licence, versions and losses, from the file's metadata

    def read(self, text: str, holds: Sequence[interventions.Hold] = ()) -> Reading:
        """Return the gates at each character of a text, from a zero state, and the guesses.

        `holds` are what `inspect.interventions.run` holds meanwhile.
        """
        x = one_hot(text, self.layer.dtype)[:, None]  # (T, 1, V)
        traced = interventions.run(self.layer, x, holds) if holds else trace(self.layer, x)
        parts = LSTMTrace(*(part[:, 0] for part in traced[:6]))  # (T, H) each
        return Reading(parts, self.head.forward(parts.h)[0])

    def loss(self, text: str) -> float:
        """Return the mean loss, nats a character, over all characters of a text but the first."""
        return float(surprise(self.layer, self.head, encode(text)).mean())


def plain(text: str) -> str:
    """Return a text with "\\n" at each end of a line, and four spaces for each tab."""
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, got {text!r}")
    return re.sub(r"\r\n?", "\n", text).replace("\t", "    ")


def load(path=FILE, *, trained: bool = True, dtype=np.float64, rng=0) -> CharacterModel:
    """Return the model in a file, by default the one that ships with the book.

    Parameters
    ----------
    path : a file that ``python -m lstm_lesson.pretrained.characters`` wrote.
    trained : without it, the same model before training, as a control.
    dtype : of the model, float32 or float64; the file holds float16.
    rng : seed or generator of the initial values, if not trained.

    Raises FileNotFoundError or ValueError if the file is missing or isn't such a file.
    """
    arrays, about = files.load(path)
    H = int(about.get("hidden_size", 0))
    rng = np.random.default_rng(rng)
    layer = LSTM(len(ALPHABET), H, dtype=dtype, rng=rng)
    head = Linear(H, len(ALPHABET), dtype=dtype, rng=rng)
    parameters = names(layer, head)
    files.check_arrays(path, arrays, {k: p.shape for k, p in parameters.items()}, np.float16)
    if trained:
        for name, p in parameters.items():
            p[...] = arrays[name]
    return CharacterModel(layer, head, about)


def names(layer: LSTM, head: Linear) -> dict[str, np.ndarray]:
    """Return the arrays of both parts under the names that the file has."""
    return {
        "weight_ih": layer.parameters()["weight_ih_l0"],
        "weight_hh": layer.parameters()["weight_hh_l0"],
        "bias": layer.parameters()["bias_l0"],
        "head_weight": head.parameters()["weight"],
        "head_bias": head.parameters()["bias"],
    }


def properties(text: str) -> dict[str, np.ndarray]:
    """Return what can be said of each character of a text by counting, (T,) a property.

    Quotes are read as Python reads them, also triple ones, and brackets count where they stand
    neither in quotes nor in a comment.
    """
    found = {name: np.zeros(len(text)) for name in PROPERTIES}
    line = indent = word = depth = 0
    quote, comment, skip, blank = "", False, 0, True
    for n, character in enumerate(text):
        inside = quote != "" or skip > 0  # also for the quote that ends a text in quotes
        if skip:
            skip -= 1
        elif quote:
            if character == "\\":
                skip = 1
            elif text.startswith(quote, n):
                skip, quote = len(quote) - 1, ""
            elif character == "\n" and len(quote) == 1:
                quote = ""
        elif not comment and character in "\"'":
            quote = character * (3 if text.startswith(character * 3, n) else 1)
            skip, inside = len(quote) - 1, True
        elif not comment and character == "#":
            comment = True
        elif not comment:
            depth = max(0, depth + (character in "([{") - (character in ")]}"))
        comment = comment and character != "\n"
        line = 0 if character == "\n" else line + 1
        blank = character == "\n" or (blank and character == " ")
        indent = line if blank else indent
        word = word + 1 if character.isalnum() or character == "_" else 0
        values = (line, indent, depth, inside, comment, word, character in " \n")
        for name, value in zip(PROPERTIES, values, strict=True):
            found[name][n] = value
    return found


def sample() -> str:
    """Return text that the model was not trained on: whole files of the held-out tenth."""
    return SAMPLE.read_text(encoding="ascii")


class Corpus(NamedTuple):
    """The text, by use."""

    train: str
    held_out: str
    sample: str  # the part of what is held out that ships with the book


class Plan(NamedTuple):
    """How the model is trained."""

    hidden_size: int = 128
    steps: int = 9000
    batch_size: int = 32  # places of the text that are read side by side
    length: int = 100  # characters between two updates; the state is carried on
    restart: float = 0.05  # share of the states that start again from zero at an update
    lr: float = 4e-3  # at the start; falls to zero along half a cosine
    clip: float = 1.0
    seed: int = 0


def corpus() -> Corpus:
    """Return the text; raise ValueError if it isn't that of the version that is pinned."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise ValueError(f"expected {PACKAGE} {VERSION}, got none: pip install {PACKAGE}")
    root, parts = Path(spec.origin).parent, {True: [], False: []}
    digest, sample = hashlib.sha256(), []
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        if "tests" in name.split("/"):
            continue
        data = path.read_bytes()
        digest.update(name.encode() + b"\0" + data)
        text = known(data.decode())
        parts[hashlib.sha256(name.encode()).digest()[0] % 10 == 0].append(text)
        sample += [text] if name in SAMPLE_FILES else []
    if digest.hexdigest() != DIGEST:
        raise ValueError(
            f"{root}: expected the files of {PACKAGE} {VERSION}, sha256 {DIGEST}, "
            f"got {digest.hexdigest()}"
        )
    return Corpus(*("".join(texts) for texts in (parts[False], parts[True], sample)))


def baselines(train: str, text: str) -> dict[str, float]:
    """Return nats a character of `text` by counts of single characters and of pairs in `train`.

    To every count is added 1 for a character and 0.1 for a pair.
    """
    V, a, b = len(ALPHABET), encode(train), encode(text)
    single = np.bincount(a, minlength=V) + 1.0
    pairs = np.bincount(V * a[:-1] + a[1:], minlength=V * V).reshape(V, V) + 0.1
    log_p, log_pair = np.log(single / single.sum()), np.log(pairs / pairs.sum(1, keepdims=True))
    return {
        "uniform": float(np.log(V)),
        "unigram": float(-log_p[b[1:]].mean()),
        "bigram": float(-log_pair[b[:-1], b[1:]].mean()),
    }


def train(plan: Plan, text: str, report=print) -> CharacterModel:
    """Return a model trained on a text, with its numbers rounded to float16."""
    rng, V = np.random.default_rng(plan.seed), len(ALPHABET)
    layer = LSTM(V, plan.hidden_size, dtype=np.float32, rng=rng)
    head = Linear(plan.hidden_size, V, dtype=np.float32, rng=rng)
    vectors = np.eye(V, dtype=np.float32)
    source = Stream(
        encode(text), lambda read: Batch(vectors[read[:-1]], read[1:]),  # (T, N, V) and (T, N)
        batch_size=plan.batch_size, length=plan.length, restart=plan.restart, rng=rng,
    )  # fmt: skip
    run = Run(
        SequenceModel(layer, head, softmax_cross_entropy), source, optimiser=Adam(plan.lr),
        steps=plan.steps, clip=plan.clip, schedule=CosineSchedule(plan.lr, plan.steps),
    )  # fmt: skip
    while not run.finished:
        losses = run.train(500).loss
        report(f"step {len(losses)}: {np.mean(losses[-500:]):.4f} nats a character")
    for p in names(layer, head).values():
        p[...] = p.astype(np.float16)
    return CharacterModel(layer, head, {})


def write(path, model: CharacterModel, plan: Plan, about: dict) -> None:
    """Write a trained model, and what is said about it, its plan and the versions among it."""
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    arrays = names(model.layer, model.head)
    files.save(
        path,
        {k: p.astype(np.float16) for k, p in arrays.items()},
        about | {"versions": versions, **plan._asdict()},
    )
    print(f"{path}: {about['nats_per_character']}")


def main(path=FILE, steps: int = Plan().steps) -> None:
    """Train the model, measure it on text it hasn't seen, and write it."""
    plan, text = Plan(steps=steps), corpus()
    model, losses = train(plan, text.train), {}
    for part in ("held_out", "sample"):
        own = getattr(text, part)
        scores = {"model": model.loss(own)} | baselines(text.train, own)
        losses[part] = {name: round(value, 4) for name, value in scores.items()}
    about = {
        "source": f"{PACKAGE} {VERSION}, its Python files without tests, sha256 {DIGEST}",
        "licence": f"{LICENCE}, see characters_licence.txt",
        "characters": {"train": len(text.train), "held_out": len(text.held_out)},
        "nats_per_character": losses,
    }
    write(path, model, plan, about)


if __name__ == "__main__":
    main()
